"""The samples that a run has seen before each step, when its batch size changes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from lehr.errors import ScheduleError

_MOST: Final = 2**62


class Counter:
    """The samples seen before each step: a table with one row for each batch size.

    ``before(t) = totals[i] + (t - starts[i]) * sizes[i]``, where ``i`` is the last row that starts
    at or before step ``t``. The table is exact and strictly increasing. Looking up a value, in
    either direction, takes one bisection, however long the run is. Between two steps it is linear.

    It is made from stretches: pairs of a batch size, at least 1, and the number of steps with that
    size. The last size is kept indefinitely.

    Example:
        >>> counter = Counter([(2, 10), (4, 1)])
        >>> [int(counter.before(Fraction(t))) for t in (0, 5, 10, 12)]
        [0, 10, 20, 28]
        >>> counter.step_of(Fraction(26))
        Fraction(23, 2)
    """

    def __init__(self, stretches: Iterable[tuple[int, int]]) -> None:
        starts, totals, sizes = [0], [0], [0]
        step = total = 0
        for size, steps in stretches:
            if size != sizes[-1]:
                starts.append(step)
                totals.append(total)
                sizes.append(size)
            step, total = step + steps, total + size * steps
            if total > _MOST:
                raise ScheduleError(
                    f"batch: at step {step} the run has seen more than 2**62 samples"
                )
        self.starts, self.totals, self.sizes = starts[1:], totals[1:], sizes[1:]

    @property
    def steady(self) -> bool:
        """Whether all batches have the same size."""
        return len(self.sizes) == 1

    def before(self, step: Fraction) -> Fraction:
        """Return the samples seen before a step; the step need not be whole."""
        i = max(bisect_right(self.starts, step) - 1, 0)
        return self.totals[i] + (step - self.starts[i]) * self.sizes[i]

    def step_of(self, samples: Fraction) -> Fraction:
        """Return the step before which this many samples are seen."""
        i = max(bisect_right(self.totals, samples) - 1, 0)
        return self.starts[i] + (samples - self.totals[i]) / self.sizes[i]
