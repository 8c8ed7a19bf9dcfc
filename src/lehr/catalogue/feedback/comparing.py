"""Rules that compare each metric with the best one so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, cast

from lehr.catalogue.feedback.states import check_best, check_counts, keys, mean_of, real
from lehr.catalogue.registry import Paper, State, With, rule
from lehr.errors import ScheduleError, number, rising, shown, whole
from lehr.schedule.arguments import check_fields

__all__ = ["greedy", "plateau"]

Mode = Literal["min", "max"]
ThresholdMode = Literal["rel", "abs"]

_MOST_REDUCTIONS: Final = 10**6
"""The most reductions of a plateau: they are multiplied one by one, so this bounds the work."""


@dataclass(frozen=True, kw_only=True)
class _Comparing:
    """The part of a rule that compares each metric with the best one so far."""

    mode: Mode
    threshold: float
    threshold_mode: ThresholdMode

    def _check(self) -> None:
        """Check the arguments by name: a name means the same in both rules."""
        check_fields(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "factor":
                number("factor", value, above=0, at_most=math.nextafter(1, 0))
            elif field.name in ("threshold", "floor", "eps"):
                number(field.name, value, at_least=0)
            elif field.name in ("patience", "cooldown", "warmup"):
                whole(field.name, value, at_least=0)

    def _better(self, metric: float, best: float | None) -> bool:
        # A metric that is not a finite number is never better, so that the state stays JSON.
        if not math.isfinite(metric):
            return False
        if best is None:
            return True
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            # A share of the best's size, so that better is further on even below zero.
            bar = best * (1 + math.copysign(self.threshold, sign * best))
        else:
            bar = best + sign * self.threshold
        return metric > bar if self.mode == "max" else metric < bar


@rule(
    formula=r"\eta \leftarrow \max(\gamma \, \eta,\, \eta_f) \text{ after more than } "
    r"p \text{ metrics without a better one}",
    aliases=(
        "ReduceLROnPlateau",
        "reduce_on_plateau",
        "PlateauLRScheduler",
        "ReduceOnPlateau",
        "reduce_lr_on_plateau",
        "get_reduce_on_plateau_schedule",
        "ReduceOnPlateauLR",
        "ReduceOnPlateauParamScheduler",
        "ReduceLROnPlateauScheduler",
    ),
    example=With(),
)
@dataclass(frozen=True, kw_only=True)
class plateau(_Comparing):  # noqa: N801  (a rule is written like a schedule)
    """Reduce the rate when a metric has stopped improving.

    Formula: after more than ``patience`` metrics in a row that are not better than the best one,
    the factor is multiplied by ``factor``, but not below ``floor``. Then ``cooldown`` metrics do
    not count.

    A metric is better if it is below ``best - threshold * abs(best)``, or ``best - threshold`` with
    ``"abs"``; for ``"max"``, above the same with a plus. One that is infinite or NaN is never
    better. (torch's rule, without the ``abs``, counts -0.95 after -1 as better by a share of 0.1.)

    Arguments:
        mode: ``"min"`` if lower is better, as for a loss; ``"max"`` if higher is.
        factor: What the rate is multiplied by, between 0 and 1.
        patience: How many metrics in a row may fail to improve, at least 0.
        threshold: By how much a metric must be better, at least 0.
        threshold_mode: Whether that is a share of the best (``"rel"``) or a number (``"abs"``).
        cooldown: How many metrics after a reduction do not count, at least 0.
        floor: The lowest value, as a factor of the base rate; at least 0.
        eps: Reductions by this much or less, as a factor of the base rate, are not made.

    Raises:
        ScheduleError: If an argument is outside its range.

    Example:
        >>> rule = plateau(patience=0)
        >>> state = rule.update(rule.update(rule.init(), 1.0), 2.0)
        >>> rule.value(state), state["best"]
        (0.1, 1.0)
    """

    mode: Mode = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: ThresholdMode = "rel"
    cooldown: int = 0
    floor: float = 0.0
    eps: float = 1e-8

    def __post_init__(self) -> None:
        self._check()

    def init(self) -> State:
        """Return the state before the first metric."""
        return {"best": None, "bad": 0, "cooldown": 0, "reductions": 0}

    def update(self, state: State, metric: Any) -> State:
        """Return the state after one more metric, a number."""
        metric, best = real(metric), state["best"]
        better = self._better(metric, best)
        bad, cooldown = (0 if better else state["bad"] + 1), state["cooldown"]
        if cooldown > 0:
            bad, cooldown = 0, cooldown - 1
        reduced = bad > self.patience
        return {
            "best": metric if better else best,
            "bad": 0 if reduced else bad,
            "cooldown": self.cooldown if reduced else cooldown,
            "reductions": state["reductions"] + reduced,
        }

    def check_state(self, state: Any) -> State:
        """Return a copy of a state from a file, or raise; see :class:`lehr.Rule`."""
        checked = keys(state, self.init())
        check_best(checked)
        check_counts(checked, "bad", "cooldown")
        check_counts(checked, "reductions", at_most=_MOST_REDUCTIONS)
        return checked

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        value = 1.0
        for _ in range(state["reductions"]):
            lower = max(value * self.factor, self.floor)
            if value - lower <= self.eps:
                break  # and so it stays: further reductions would change nothing
            value = lower
        return value


@rule(
    formula=r"\eta \leftarrow \min(\eta / \gamma,\, \eta_{max}) \text{ after more than } p "
    r"\text{ better metrics}, \quad \eta \leftarrow \max(\gamma \, \eta,\, \eta_{min}) "
    r"\text{ after more than } p \text{ others}",
    paper=Paper(
        "Subramanian, Krishnamoorthy and Murthy",
        2025,
        "Dynamic Learning Rate Scheduling based on Loss Changes Leads to Faster Convergence",
        "2512.14527",
    ),
    aliases=("GreedyLR", "get_greedy_schedule"),
    example=With(),
)
@dataclass(frozen=True, kw_only=True)
class greedy(_Comparing):  # noqa: N801
    """Raise the rate while a metric improves, lower it while it does not.

    Formula: after more than ``patience`` better metrics in a row the factor is divided by
    ``factor``, but not above ``ceiling``, and ``warmup`` metrics do not count; after more than
    ``patience`` others it is multiplied by ``factor``, but not below ``floor``, and ``cooldown``
    metrics do not count. At the floor, the ``reset_start``-th reduction resets everything.

    The library's ``min_lr`` and ``max_lr`` are learning rates; ``floor`` and ``ceiling`` are
    factors of the base rate, so with the default ceiling the rate never rises above it.

    Arguments:
        mode: ``"min"`` if lower is better, as for a loss; ``"max"`` if higher is.
        factor: What the rate is multiplied or divided by, between 0 and 1.
        patience: How many metrics of one kind in a row change nothing, at least 0.
        threshold: By how much a metric must be better, at least 0.
        threshold_mode: Whether that is a share of the best (``"rel"``) or a number (``"abs"``).
        cooldown: How many metrics after a reduction do not count, at least 0.
        warmup: How many metrics after a rise do not count, at least 0.
        floor: The lowest value, as a factor of the base rate; at least 0.
        ceiling: The highest value, as a factor of the base rate; greater than ``floor``.
        eps: Changes by this much or less, as a factor of the base rate, are not made.
        smooth: Whether to compare the mean of the last ``window_size`` metrics rather than each.
        window_size: At least 1.
        reset_start: How many reductions at the floor cause a reset, at least 1.

    Raises:
        ScheduleError: If an argument is outside its range.

    Example:
        >>> rule = greedy(factor=0.5, patience=0, ceiling=4.0)
        >>> state = rule.init()
        >>> for loss in (3.0, 2.0, 2.5):
        ...     state = rule.update(state, loss)
        >>> rule.value(state)
        2.0
    """

    mode: Mode = "min"
    factor: float = 0.95
    patience: int = 10
    threshold: float = 1e-6
    threshold_mode: ThresholdMode = "abs"
    cooldown: int = 0
    warmup: int = 0
    floor: float = 1e-3
    ceiling: float = 1.0
    eps: float = 1e-8
    smooth: bool = False
    window_size: int = 50
    reset_start: int = 500

    def __post_init__(self) -> None:
        self._check()
        rising("floor", self.floor, "ceiling", self.ceiling)
        whole("window_size", self.window_size, at_least=1)
        whole("reset_start", self.reset_start, at_least=1)

    def init(self) -> State:
        """Return the state before the first metric."""
        return {
            "value": 1.0,
            "best": None,
            "good": 0,
            "bad": 0,
            "cooldown": 0,
            "warmup": 0,
            "resets_in": self.reset_start,
            "window": [],
        }

    def update(self, state: State, metric: Any) -> State:
        """Return the state after one more metric, a number."""
        state, metric = dict(state), real(metric)
        if self.smooth:
            # A mean would never recover from an infinite metric.
            new = [metric] if math.isfinite(metric) else []
            state["window"] = [*state["window"], *new][-self.window_size :]
            metric = mean_of(state["window"]) if new else metric
        for wait in ("cooldown", "warmup"):
            if state[wait] > 0:
                return state | {wait: state[wait] - 1, "good": 0, "bad": 0}
        if self._better(metric, state["best"]):
            state |= {"best": metric, "good": state["good"] + 1, "bad": 0}
        else:
            state |= {"good": 0, "bad": state["bad"] + 1}
        if state["good"] > self.patience:
            return self._raised(state)
        return self._reduced(state) if state["bad"] > self.patience else state

    def _raised(self, state: State) -> State:
        higher = min(state["value"] / self.factor, self.ceiling)
        value = higher if higher - state["value"] > self.eps else state["value"]
        changed = {"value": value, "resets_in": self.reset_start}
        return state | changed | {"warmup": self.warmup, "good": 0}

    def _reduced(self, state: State) -> State:
        lower = max(state["value"] * self.factor, self.floor)
        if state["value"] - lower > self.eps:
            state |= {"value": lower}
        if state["value"] <= self.floor:
            state |= {"resets_in": state["resets_in"] - 1}
            if state["resets_in"] <= 0:
                state = self.init()
        return state | {"cooldown": self.cooldown, "bad": 0}

    def check_state(self, state: Any) -> State:
        """Return a copy of a state from a file, or raise; see :class:`lehr.Rule`."""
        checked = keys(state, self.init())
        check_best(checked)
        check_counts(checked, "good", "bad", "cooldown", "warmup")
        check_counts(checked, "resets_in", at_least=1)
        low, high = min(self.floor, 1.0), max(self.ceiling, 1.0)
        number("state['value']", checked["value"], at_least=low, at_most=high)
        window = checked["window"]
        if not isinstance(window, list) or len(cast("list[Any]", window)) > self.window_size:
            raise ScheduleError(
                f"state['window']={shown(window)} must be a list of at most "
                f"{self.window_size} metrics"
            )
        for index, metric in enumerate(cast("list[Any]", window)):
            number(f"state['window'][{index}]", metric)
        return checked

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        return float(state["value"])
