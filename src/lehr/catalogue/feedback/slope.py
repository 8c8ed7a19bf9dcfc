"""A rule that moves the rate against the slope of the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from lehr.catalogue.feedback.states import keys, mean_of, real
from lehr.catalogue.registry import Paper, State, With, rule
from lehr.errors import ScheduleError, number, rising, shown
from lehr.schedule.arguments import check_fields

__all__ = ["dlrs"]

_FAR: Final = 1e100


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
    a slope above 1 (divergence), ``delta_o`` from 0 to 1 (stagnation), and ``delta_i`` below 0
    (convergence, so the rate rises).

    Its metric is a list, the losses of an epoch. An epoch changes nothing if it has fewer than two
    losses, if its mean is nearly 0, or if its mean or its slope is not finite.

    Arguments:
        lr: The base rate, greater than 0. How far the rate moves depends on its leading digit's
            place, so the rule must know the rate; its values are still factors of it.
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
        check_fields(self)
        for name in ("lr", "delta_d", "delta_o", "delta_i", "floor"):
            number(name, getattr(self, name), above=0)
        if self.ceiling is not None:
            rising("floor", self.floor, "ceiling", self.ceiling)

    @property
    def _highest(self) -> float:
        """The highest rate; without a ceiling, one whose factor is still a number."""
        return min(float(self.lr) * _FAR, _FAR**2) if self.ceiling is None else self.ceiling

    def init(self) -> State:
        """Return the state before the first epoch."""
        return {"rate": float(self.lr)}

    def update(self, state: State, metric: Any) -> State:
        """Return the state after one more epoch, given its losses."""
        if not isinstance(metric, list | tuple):
            raise ScheduleError(
                f"metric={shown(metric)}: dlrs is given the list of an epoch's losses"
            )
        losses = [real(loss) for loss in cast("Sequence[Any]", metric)]
        mean = mean_of(losses) if all(map(math.isfinite, losses)) else 0.0
        if len(losses) < 2 or abs(mean) < 1e-10:
            return dict(state)
        slope, rate = (losses[-1] - losses[0]) / mean, state["rate"]
        delta = self.delta_i if slope < 0 else self.delta_o if slope <= 1 else self.delta_d
        moved = rate - 10.0 ** math.floor(math.log10(rate)) * delta * slope
        if not math.isfinite(moved):
            return dict(state)
        return {"rate": min(max(moved, self.floor), self._highest)}

    def check_state(self, state: Any) -> State:
        """Return a copy of a state from a file, or raise; see :class:`lehr.Rule`."""
        checked = keys(state, self.init())
        low = min(self.floor, self.lr)
        high = max(self._highest, self.lr)
        number("state['rate']", checked["rate"], at_least=low, at_most=high)
        return checked

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        return float(state["rate"] / self.lr)
