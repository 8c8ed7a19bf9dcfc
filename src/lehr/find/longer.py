"""Longer runs: the part of a large budget that the short runs leave, spent nearer to the horizon.

The margins below the edge are the same for all networks. But if training has a slow second phase,
the best rate is two or three times higher; if long runs overfit, it is lower. So the suggestion for
a run of a few hundred updates is tried with runs of that length, together with rates 1.8 times
lower and higher, three times each. If one of these is better by more than the scatter of the three,
the suggestion for the planned run is moved by the same factor; upwards only if the next rate up
still works, because longer runs break at lower rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, stdev

from lehr.find.ladder import Ladder
from lehr.find.runs import BUDGET, ShortRun
from lehr.find.suggestion import MeasuredRun, Suggestion

SIDE = 1.8
"""The factor from a suggestion to its neighbours; one of the three is nearly always good."""

REPEATS = 3
"""The number of longer runs at each rate."""

_PLACES = 4  # rates: three at first, and one beyond
_LEAST = 80  # updates; shorter runs would hardly be longer than those of the ladder
_SURE = 2.92  # the t statistic of three pairs that is exceeded by chance one time in twenty


def longest(budget: int, steps: int) -> int:
    """Return the most updates of a longer run within a budget; 0 if it is too small for any.

    Example:
        >>> longest(400, 10_000), longest(2_000, 10_000), longest(100_000, 1_000)
        (0, 166, 1000)
    """
    updates = min(steps, budget // (REPEATS * _PLACES))
    return updates if updates >= min(_LEAST, steps) else 0


def is_gain(gains: Sequence[float], least: float) -> bool:
    """Return whether paired gains are, on average, above the least gain and above chance."""
    return fmean(gains) > max(_SURE * stdev(gains) / math.sqrt(len(gains)), least)


def least_gain(start: float, loss: float) -> float:
    """Return the least gain in a loss that counts: a hundredth of its fall so far."""
    return 0.01 * max(0.0, start - loss)


def least_for_longer(steps: int) -> int:
    """Return the smallest remaining budget that is enough for longer runs."""
    return min(_LEAST, steps) * REPEATS * _PLACES


class LongerRuns:
    """Runs that may move the suggestion of a finished ladder.

    Like the ladder, it does not train: `next` returns the runs that are needed, in any order, and
    `tell` records the value of each.

    Arguments:
        ladder: The ladder, once it is finished.
        budget: The most updates that the ladder and these runs may take together.
        least: Returns the least gain over a value that counts; by default :func:`least_gain`, which
            is right only if the loss decides.

    Attributes:
        updates: The length of the runs; 0 if there are none.
    """

    def __init__(
        self, ladder: Ladder, budget: int, least: Callable[[float], float] | None = None
    ) -> None:
        self._found, self._budget = ladder.suggestion(), budget
        left = budget - self._found.spent
        self.updates = 0 if self._found.peak is None else longest(left, ladder.steps)
        self._base = ladder.peak_over(self.updates) if self.updates else math.nan
        self._least = partial(least_gain, self._found.start_loss) if least is None else least
        self._runs: list[MeasuredRun] = []
        self._values: dict[int, list[float]] = {}
        self._needed: dict[ShortRun, tuple[int, int]] = {}
        self._at = 0
        if self.updates:
            self._need(0, 1, -1)

    def next(self) -> list[ShortRun]:
        """Return the runs that are needed now; none once the search is finished."""
        return list(self._needed)

    def tell(
        self, run: ShortRun, loss: float | None, spent: int, value: float | None = None
    ) -> None:
        """Record a run that `next` returned, and the number of its updates that were made.

        Its loss is infinite if it was stopped, None if it is unknown; a value on validation data,
        if there is one, decides instead; lower is better.
        """
        place, batches = self._needed.pop(run)
        decisive = value if value is not None else math.inf if loss is None else loss
        kept = loss if loss is not None and math.isfinite(loss) else None
        self._runs.append(MeasuredRun(run.rate, run.updates, run.batches, kept, spent, value))
        self._values.setdefault(place, [math.nan] * REPEATS)[batches] = decisive
        if not self._needed:
            self._advance()

    def suggestion(self) -> Suggestion:
        """Return the suggestion, once `next` returns nothing."""
        curve = (*self._found.curve, *self._runs)
        found = replace(self._found, spent=self._spent, curve=curve)
        if not self.updates and self._budget > BUDGET and found.peak is not None:
            text = (
                f"{self._budget - found.spent} updates of the budget were left, too few for longer "
                f"runs: they take {least_for_longer(found.steps)}"
            )
            return replace(found, warnings=(*found.warnings, text))
        if self._at == 0:
            return found
        place = self._at if self._has_room() else self._at - 1
        if place:
            found = found.moved(SIDE**place)
        if self._at in (min(self._values), max(self._values)):
            text = "the best longer runs were at the end of the rates that were tried: the peak "
            text += f"may be too {'low' if self._at > 0 else 'high'}"
            found = replace(found, confidence="low", warnings=(*found.warnings, text))
        return found

    @property
    def _spent(self) -> int:
        return self._found.spent + sum(run.spent for run in self._runs)

    def _need(self, *places: int) -> None:
        for batches in range(REPEATS):
            for place in places:
                run = ShortRun(self._base * SIDE**place, self.updates, batches)
                self._needed[run] = place, batches

    def _advance(self) -> None:
        """Move to a better neighbour, and further in the same direction."""
        near = [place for place in (self._at - 1, self._at + 1) if place in self._values]
        better = [place for place in near if self._is_better(place)]
        if not better:
            return
        before = self._at
        self._at = min(better, key=lambda place: fmean(self._values[place]))
        beyond = 2 * self._at - before
        if beyond not in self._values and self._spent + REPEATS * self.updates <= self._budget:
            self._need(beyond)

    def _has_room(self) -> bool:
        """Return whether the rate above the best one is known to work.

        It may be worse than the rate below the best one by as much as the best one is better.
        """
        if self._at <= 0:
            return True
        if self._at + 1 not in self._values:
            return False
        below, best, above = (fmean(self._values[self._at + i]) for i in (-1, 0, 1))
        return above - below <= below - best

    def _is_better(self, place: int) -> bool:
        """Return whether a place is better than the current one by more than the scatter."""
        values, others = self._values[place], self._values[self._at]
        if not all(map(math.isfinite, values)):
            return False
        if not all(map(math.isfinite, others)):
            return True
        gains = [b - a for a, b in zip(values, others, strict=True)]
        return is_gain(gains, self._least(fmean(others)))
