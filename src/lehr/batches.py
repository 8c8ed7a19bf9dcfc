"""Batches: how many samples each step takes, and so how many were seen before it.

A schedule that is written in samples or tokens follows what was really seen. Where the batch size
changes during the run, the share of a piece that is done is a share of its tokens, not of its
steps; converting the breakpoints alone would be off by as much as a third of the peak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from lehr.errors import ScheduleError, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lehr.schedule import Schedule

__all__ = ["BatchSize", "Batches"]

BatchSize = "int | Sequence[int] | Schedule"

# No run that is counted step by step is longer; it bounds the table of a ramp.
_MOST: Final = 2**27
_CHUNK: Final = 2**16


@dataclass(frozen=True)
class Batches:
    """The batch size over a run.

    Arguments:
        size: Samples a step: one number; a list with one a step, the last of which holds; or a
            schedule, whose values are rounded to whole samples. At least 1 at every step.

    Raises:
        ScheduleError: If a size is not a whole number of at least 1.

    Example:
        >>> ramp = Batches.of([8, 8, 16])
        >>> [int(ramp.before(Fraction(step))) for step in range(6)]
        [0, 8, 16, 32, 48, 64]
        >>> ramp.until(Fraction(40))
        Fraction(7, 2)
    """

    size: int | tuple[int, ...] | Schedule

    @classmethod
    def of(cls, size: Any) -> Batches:
        """Read a batch size from what people write."""
        from lehr.schedule import Schedule

        if isinstance(size, Batches | Schedule):
            return size if isinstance(size, Batches) else cls(size)
        if isinstance(size, Sequence) and not isinstance(size, str):
            items = cast("Sequence[Any]", size)
            if not items:
                raise ScheduleError("batch_size=[] is empty; write at least one size")
            return cls(
                tuple(whole(f"batch_size[{i}]", item, at_least=1) for i, item in enumerate(items))
            )
        return cls(whole("batch_size", size, at_least=1))

    def before(self, step: Fraction) -> Fraction:
        """Return the samples seen before a step; between two steps, in proportion."""
        if isinstance(self.size, int):
            return self.size * step
        at = math.floor(step)
        table = self.table(at + 1)
        return int(table[at]) + (step - at) * int(table[at + 1] - table[at])

    def until(self, samples: Fraction) -> Fraction:
        """Return the step before which so many samples are seen: the inverse of :meth:`before`."""
        if isinstance(self.size, int):
            return samples / self.size
        table = self._counts.reaching(math.ceil(samples))
        at = max(int(table.searchsorted(math.ceil(samples), "left")) - 1, 0)
        seen = int(table[at])
        return at + (samples - seen) / int(table[at + 1] - seen)

    def table(self, steps: int) -> NDArray[Any]:
        """Return the samples seen before each step from 0 to ``steps``, as int64."""
        return self._counts.up_to(steps)

    @cached_property
    def _counts(self) -> _Counts:
        return _Counts(self.size)


class _Counts:
    """The running sum of the batch sizes, as far as it was needed."""

    def __init__(self, size: int | tuple[int, ...] | Schedule) -> None:
        import numpy as np

        self._np, self._size = np, size
        self._sums: NDArray[Any] = np.zeros(1, np.int64)

    def up_to(self, steps: int) -> NDArray[Any]:
        while len(self._sums) <= steps:
            self._grow()
        return self._sums[: steps + 1]

    def reaching(self, samples: int) -> NDArray[Any]:
        while self._sums[-1] < samples or len(self._sums) < 2:
            self._grow()
        return self._sums

    def _grow(self) -> None:
        np, done = self._np, len(self._sums) - 1
        if done >= _MOST:
            raise ScheduleError(f"batch_size: a run of more than {_MOST:,} steps is not counted")
        sizes = self._sizes(np.arange(done, done + max(_CHUNK, done)))
        self._sums = np.concatenate([self._sums, self._sums[-1] + np.cumsum(sizes)])

    def _sizes(self, steps: NDArray[Any]) -> NDArray[Any]:
        np, size = self._np, self._size
        if isinstance(size, int):
            return np.full(len(steps), size, np.int64)
        if isinstance(size, tuple):
            return np.asarray(size, np.int64)[np.minimum(steps, len(size) - 1)]
        values = np.rint(size(steps))
        if not (values >= 1).all():
            at = int(steps[np.argmin(values)])
            raise ScheduleError(
                f"batch_size={size} gives {values.min():g} samples at step {at}; at least 1"
            )
        return values.astype(np.int64)
