"""Feedback rules: what follows a metric rather than the time.

A rule is a frozen value with three pure functions (:class:`~lehr.catalogue.registry.Rule`):

>>> rule = plateau(factor=0.5, patience=1)
>>> state = rule.init()
>>> for loss in (1.0, 0.9, 0.95, 0.93, 0.92):
...     state = rule.update(state, loss)
>>> rule.value(state)
0.5

The state is made of plain JSON types, and the value is a factor of the base rate, as a schedule's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

from lehr.catalogue.registry import Paper, State, With, rule
from lehr.errors import ScheduleError, number, whole

__all__ = ["dlrs", "greedy", "plateau"]

Mode = Literal["min", "max"]
ThresholdMode = Literal["rel", "abs"]


@dataclass(frozen=True, kw_only=True)
class _Comparing:
    """What rules have in common that compare each metric with the best one so far."""

    mode: Mode
    threshold: float
    threshold_mode: ThresholdMode

    def _check(self) -> None:
        """Check the arguments by their names: those of one name mean the same in both rules."""
        if self.mode not in ("min", "max"):
            raise ScheduleError(f"mode={self.mode!r} must be 'min' or 'max'")
        if self.threshold_mode not in ("rel", "abs"):
            raise ScheduleError(f"threshold_mode={self.threshold_mode!r} must be 'rel' or 'abs'")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "factor":
                number("factor", value, above=0, at_most=math.nextafter(1, 0))
            elif field.name in ("threshold", "floor", "eps"):
                number(field.name, value, at_least=0)
            elif field.name in ("patience", "cooldown", "warmup"):
                whole(field.name, value, at_least=0)

    def _better(self, metric: float, best: float | None) -> bool:
        # A metric that is no number never counts as better, so that the state stays JSON.
        if not math.isfinite(metric):
            return False
        if best is None:
            return True
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            # A share of the best's size: below zero, too, better is further on, never nearer.
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
    """Reduce the rate when a metric has stopped to improve.

    Formula: after more than ``patience`` metrics in a row that are not better than the best one,
    the factor is multiplied by ``factor``, but not below ``floor``. Then ``cooldown`` metrics do
    not count.

    A metric is better where it is below ``best - threshold * abs(best)``, or ``best - threshold``
    with ``"abs"``; for ``"max"``, above with a plus. One that is infinite or NaN is never better.
    (torch's, without the ``abs``, takes -0.95 after -1 for better, by a share of 0.1.)

    Arguments:
        mode: ``"min"`` where less is better, as for a loss; ``"max"`` where more is.
        factor: What the rate is multiplied by, between 0 and 1.
        patience: How many metrics in a row may bring nothing, at least 0.
        threshold: What a metric must be better by, at least 0.
        threshold_mode: Whether that is a share of the best (``"rel"``) or a number (``"abs"``).
        cooldown: How many metrics after a reduction do not count, at least 0.
        floor: The lowest value, as a factor of the base rate; at least 0.
        eps: A reduction by no more than this, as a factor of the base rate, is not made.

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
        metric, best = _real(metric), state["best"]
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

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        value = 1.0
        for _ in range(state["reductions"]):
            lower = max(value * self.factor, self.floor)
            if value - lower <= self.eps:
                break  # and so it stays: each further reduction would be the same
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
    metrics do not count. At the floor, the ``reset_start``-th reduction begins everything anew.

    Where the library has learning rates for ``min_lr`` and ``max_lr``, these are factors of the
    base rate: with the default ceiling the rate never rises above it.

    Arguments:
        mode: ``"min"`` where less is better, as for a loss; ``"max"`` where more is.
        factor: What the rate is multiplied or divided by, between 0 and 1.
        patience: How many metrics of a kind in a row change nothing, at least 0.
        threshold: What a metric must be better by, at least 0.
        threshold_mode: Whether that is a share of the best (``"rel"``) or a number (``"abs"``).
        cooldown: How many metrics after a reduction do not count, at least 0.
        warmup: How many metrics after a rise do not count, at least 0.
        floor: The lowest value, as a factor of the base rate; at least 0.
        ceiling: The highest value, as a factor of the base rate; greater than ``floor``.
        eps: A change by no more than this, as a factor of the base rate, is not made.
        smooth: Whether to compare the mean of the last ``window_size`` metrics rather than each.
        window_size: At least 1.
        reset_start: How many reductions at the floor it takes to begin anew, at least 1.

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
        number("ceiling", self.ceiling, above=self.floor)
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
        state, metric = dict(state), _real(metric)
        if self.smooth:
            # Of what is no number a mean would never recover.
            new = [metric] if math.isfinite(metric) else []
            state["window"] = [*state["window"], *new][-self.window_size :]
            metric = math.fsum(state["window"]) / max(len(state["window"]), 1) if new else metric
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

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        return float(state["value"])


@rule(
    formula=r"\alpha \leftarrow \alpha - 10^{\lfloor \log_{10} \alpha \rfloor} \, \delta "
    r"\, \Delta L, \quad \Delta L = \frac{L_{last} - L_{first}}{L_{mean}}",
    paper=Paper(
        "Dharanalakota, Raikar and Ghosh",
        2025,
        "Improving Neural Network Training using Dynamic Learning Rate Schedule for PINNs and "
        "Image Classification",
        "2507.21749",
    ),
    aliases=("DLRSScheduler", "pytorch-dlrs"),
    example=With(0.01),
)
@dataclass(frozen=True)
class dlrs:  # noqa: N801
    """Move the rate against the slope of the loss within each epoch, a digit at a time.

    Formula: ``rate - 10 ** floor(log10(rate)) * delta * slope`` with
    ``slope = (last loss - first loss) / mean loss`` of an epoch, where ``delta`` is ``delta_d`` for
    a slope above 1 (it diverges), ``delta_o`` from 0 to 1 (it stays), ``delta_i`` below 0 (it
    converges, so the rate rises).

    Its metric is a list: the losses of an epoch. An epoch of fewer than two losses, or whose mean
    is nearly 0 or no number, changes nothing.

    Arguments:
        lr: The base rate, greater than 0. How far the rate moves depends on its first digit, so the
            rule must know it; its values are factors of it all the same.
        delta_d: For divergence, greater than 0.
        delta_o: For stagnation, greater than 0.
        delta_i: For convergence, greater than 0.
        floor: The lowest rate (not a factor), greater than 0.
        ceiling: The highest rate (not a factor), or None.

    Raises:
        ScheduleError: If an argument is outside its range.

    Example:
        >>> rule = dlrs(0.01)
        >>> state = rule.update(rule.init(), [2.0, 1.5, 1.0])
        >>> round(rule.value(state), 6)
        1.066667
    """

    lr: float
    delta_d: float = 0.5
    delta_o: float = 1.0
    delta_i: float = 0.1
    floor: float = 1e-8
    ceiling: float | None = None

    def __post_init__(self) -> None:
        for name in ("lr", "delta_d", "delta_o", "delta_i", "floor"):
            number(name, getattr(self, name), above=0)
        if self.ceiling is not None:
            number("ceiling", self.ceiling, above=self.floor)

    def init(self) -> State:
        """Return the state before the first epoch."""
        return {"rate": float(self.lr)}

    def update(self, state: State, metric: Any) -> State:
        """Return the state after one more epoch, given its losses."""
        if not isinstance(metric, list | tuple):
            raise ScheduleError(f"metric={metric!r}: dlrs is given the list of an epoch's losses")
        losses = [_real(loss) for loss in cast("Sequence[Any]", metric)]
        mean = math.fsum(losses) / max(len(losses), 1) if all(map(math.isfinite, losses)) else 0.0
        if len(losses) < 2 or abs(mean) < 1e-10:
            return dict(state)
        slope, rate = (losses[-1] - losses[0]) / mean, state["rate"]
        delta = self.delta_i if slope < 0 else self.delta_o if slope <= 1 else self.delta_d
        moved = rate - 10.0 ** math.floor(math.log10(rate)) * delta * slope
        high = math.inf if self.ceiling is None else self.ceiling
        return {"rate": min(max(moved, self.floor), high)}

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        return float(state["rate"] / self.lr)


def _real(metric: Any) -> float:
    """Return a metric, which may be a tensor of one number, as a float."""
    try:
        return float(metric)
    except (TypeError, ValueError):
        raise ScheduleError(f"metric={metric!r} is not a number") from None
