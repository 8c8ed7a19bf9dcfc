"""The batch sizes of a run: given as a number, a list or a schedule, and cut at epochs."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

from lehr.curves import Flat, Path
from lehr.curves.arithmetic import scalars
from lehr.errors import NeedsHorizon, ScheduleError, several, shown, whole
from lehr.schedule.node import Node, Site
from lehr.schedule.run import Run
from lehr.time.counter import Counter
from lehr.time.duration import LONGEST, SAMPLES
from lehr.time.units import Units

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


BatchSizes = int | tuple[int, ...] | Node
BatchLike = int | Iterable[int] | Node

_MOST_STEPS: Final = 4_000_000
"""The most steps over which the batch size may change before it stays constant."""

_MOST_SIZES: Final = 200_000
"""The most sizes that a schedule in steps may go through."""

_MOST_CHANGES: Final = 50_000
"""The most sizes that a schedule in samples seen may go through."""

_MOST_EPOCHS: Final = 100_000
"""The most epochs whose last batches are counted one by one."""

_BLOCK: Final = 2**16


def batch_of(batch: Any) -> BatchSizes:
    """Return a batch as a number, a tuple of numbers, or a schedule.

    Repeated numbers at the end are reduced to one, since the last number holds.

    Raises:
        ScheduleError: If it is anything else, or a number is not whole or is below 1.
    """
    if isinstance(batch, Node):
        return batch
    if isinstance(batch, str | bytes) or not isinstance(batch, Iterable):
        return _size("batch", batch)
    # Converts a whole array to Python numbers at once.
    items: Any = batch  # type: ignore[assignment]
    listed: Any = items.tolist() if hasattr(items, "tolist") else several("batch", items)
    if not isinstance(listed, list):
        return _size("batch", listed)
    given = cast("list[Any]", listed)
    if not given:
        raise ScheduleError("batch=[] is empty; write one number for each step, the last holds")
    if len(given) > _MOST_STEPS:
        raise ScheduleError(f"batch: {len(given)} numbers; at most {_MOST_STEPS} are taken")
    sizes = [_size(f"batch[{i}]", size) for i, size in enumerate(given)]
    # The last number holds anyway, and lists with the same meaning must be equal.
    while len(sizes) > 1 and sizes[-1] == sizes[-2]:
        sizes.pop()
    return sizes[0] if len(sizes) == 1 else tuple(sizes)


def _size(name: str, value: Any) -> int:
    if isinstance(value, str):
        raise ScheduleError(
            f"{name}={shown(value)} is text; write the samples of an update, as in batch=512 "
            "(where batches are counted in tokens: batch=524288, sequence=1)"
        )
    return whole(name, value, at_least=1, at_most=LONGEST)


def counter_of(batch: BatchSizes, sequence: int | None) -> Counter:
    """Return the table of the samples before each step, if no epoch cuts a batch short.

    Raises:
        ScheduleError: If a schedule mixes steps with samples, changes indefinitely, or has a size
            below 1.
    """
    if isinstance(batch, int):
        return Counter([(batch, 1)])
    return Counter(_unbroken(_sizes_of(batch, sequence)))


def _unbroken(sizes: _Sizes) -> Iterator[tuple[int, int]]:
    step = seen = 0
    while True:
        size, steps = sizes.ahead(step, seen)
        if steps is None:
            yield size, 1
            return
        yield size, steps
        step, seen = step + steps, seen + size * steps


def by_epoch(
    batch: BatchSizes,
    sequence: int | None,
    samples: int,
    drop: bool,
    stop: tuple[float, float, float],
) -> tuple[Counter, Counter | None]:
    """Return the samples before each step, if the last batch of an epoch is cut or dropped.

    If it is dropped, the samples before each epoch are returned too. ``samples`` is the number in
    an epoch of the data; counting stops at the steps, samples or epochs of ``stop``.

    Raises:
        ScheduleError: As :func:`counter_of`; or if an epoch has no full batch, or there are too
            many epochs.
    """
    sizes = _sizes_of(batch, sequence)
    steps: list[tuple[int, int]] = []
    epochs: list[tuple[int, int]] = []
    step = seen = 0
    while step < stop[0] and seen < stop[1] and len(epochs) < stop[2]:
        if len(epochs) >= _MOST_EPOCHS:
            raise ScheduleError(
                f"drop_last={drop}: the last batches of more than {_MOST_EPOCHS} epochs are too "
                "many to count; leave drop_last out"
            )
        left = samples
        while left:
            size, ahead = sizes.ahead(step, seen)
            if left < size and drop:
                break
            size = min(size, left)
            count = left // size if ahead is None else min(ahead, left // size)
            steps.append((size, count))
            step, seen, left = step + count, seen + size * count, left - size * count
        if left == samples:
            raise ScheduleError(
                f"drop_last=True: an epoch of {samples} samples has no full batch of "
                f"{sizes.ahead(step, seen)[0]}; write drop_last=False, or a smaller batch"
            )
        epochs.append((samples - left, 1))
    last = sizes.ahead(step, seen)[0]
    return Counter([*steps, (last, 1)]), Counter(epochs) if drop else None


# ----- the next sizes -----------------------------------------------------------------------------


class _Sizes(ABC):
    """The sizes of the batches of a run."""

    @abstractmethod
    def ahead(self, step: int, seen: int) -> tuple[int, int | None]:
        """Return the size of the next batch, and for how many steps it stays; None if forever.

        The steps done and the samples seen must never decrease from call to call.
        """


def _sizes_of(batch: BatchSizes, sequence: int | None) -> _Sizes:
    if isinstance(batch, int):
        return _ByStep([(batch, 1)])
    if isinstance(batch, tuple):
        return _ByStep((size, sum(1 for _ in same)) for size, same in itertools.groupby(batch))
    path, by_samples = _placed(batch, sequence)
    if path.length is None and not isinstance(path.parts[-1], Flat):
        raise ScheduleError(
            f"batch={batch} never stops changing; cut it where it is to stay, as in "
            "batch=s[:10_000]"
        )
    return _BySample(path, batch) if by_samples else _ByStep(_steps_of(path, batch))


class _ByStep(_Sizes):
    """Sizes that depend on the step: each with its number of steps; the last one stays."""

    def __init__(self, stretches: Iterable[tuple[int, int]]) -> None:
        self._sizes: list[int] = []
        self._stops: list[int] = []
        stop = 0
        for size, steps in stretches:
            stop += steps
            self._sizes.append(size)
            self._stops.append(stop)

    def ahead(self, step: int, seen: int) -> tuple[int, int | None]:
        index = bisect_right(self._stops, step)
        if index >= len(self._sizes) - 1:
            return self._sizes[-1], None
        return self._sizes[index], self._stops[index] - step


def _placed(batch: Node, sequence: int | None) -> tuple[Path, bool]:
    """Return the path of a batch size schedule, and whether its clock is the samples seen."""
    try:
        return batch._path, False
    except NeedsHorizon:
        pass
    run = Run(Units(sequence=sequence), unit=SAMPLES, clock=SAMPLES)
    try:
        curve = batch._place(Site(run))
    except NeedsHorizon as error:
        raise ScheduleError(
            f"batch={batch}: write its lengths all in steps, or all in samples (or tokens, with "
            f"sequence=...): {error}"
        ) from None
    return (curve if isinstance(curve, Path) else Path([curve])), True


def _whole_sizes(values: Any, batch: Node) -> NDArray[np.int64]:
    """Return levels as whole sizes."""
    import numpy as np

    # Half a sample is rounded up, even if the value of a ramp is a rounding error below it.
    sizes = np.floor(np.round(np.atleast_1d(np.asarray(values, np.float64)), 6) + 0.5)
    if not bool(((sizes >= 1) & (sizes <= LONGEST)).all()):
        raise ScheduleError(
            f"batch={batch} goes from {sizes.min():g} to {sizes.max():g}; a batch has at least one "
            "sample"
        )
    return sizes.astype(np.int64)


def _steps_of(path: Path, batch: Node) -> Iterator[tuple[int, int]]:
    """Yield the sizes of a schedule in steps, each with its number of steps."""
    import numpy as np

    # Loads NumPy.
    from lehr.curves.arrays import evaluate

    left, sizes_left = _MOST_STEPS, _MOST_SIZES
    for part, begin in path.pieces():
        first = math.ceil(begin)
        if isinstance(part, Flat):
            steps = 1 if part.length is None else math.ceil(begin + part.length) - first
            if steps:
                yield _whole_sizes(part.low, batch).item(), steps
            continue
        assert part.length is not None
        last = math.ceil(begin + part.length)
        left -= last - first
        _check_steps(left, batch)
        for at in range(first, last, _BLOCK):
            sizes = _whole_sizes(evaluate(path, np.arange(at, min(at + _BLOCK, last))), batch)
            sizes_left -= int(np.count_nonzero(np.diff(sizes)))
            _check_steps(sizes_left, batch)
            edges = [0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(sizes)]
            for begins, ends in itertools.pairwise(edges):
                yield sizes[begins].item(), ends - begins
    if path.length is not None:
        yield _whole_sizes(path.end, batch).item(), 1


class _BySample(_Sizes):
    """Sizes that depend on the samples seen.

    The size of a batch decides where the next one begins, so steps are counted one stretch of equal
    sizes at a time.
    """

    def __init__(self, path: Path, batch: Node) -> None:
        self._path, self._batch = path, batch
        self._stops = [*path.starts, path.stop][1:]
        self._block, self._left, self._changes = 16, _MOST_STEPS, 0

    def ahead(self, step: int, seen: int) -> tuple[int, int | None]:
        path = self._path
        if seen >= path.stop:
            return _whole_sizes(path.end, self._batch).item(), None
        size = _whole_sizes(path.value(seen, scalars), self._batch).item()
        index = bisect_right(path.starts, seen) - 1
        if not isinstance(path.parts[index], Flat):
            return size, self._while_it_stays(size, seen)
        stop = self._stops[index]
        return size, None if stop == math.inf else math.ceil((Fraction(stop) - seen) / size)

    def _while_it_stays(self, size: int, seen: int) -> int:
        import numpy as np

        # Loads NumPy.
        from lehr.curves.arrays import evaluate

        block = self._block
        positions = seen + size * np.arange(1, block + 1)
        ahead = _whole_sizes(evaluate(self._path, positions), self._batch)
        others = np.flatnonzero(ahead != size)
        steps = others[0].item() + 1 if len(others) else block
        self._block = max(block // 2, 16) if len(others) else min(2 * block, _BLOCK)
        self._left, self._changes = self._left - steps, self._changes + 1
        _check_steps(self._left if self._changes <= _MOST_CHANGES else -1, self._batch)
        return steps


def _check_steps(left: int, batch: Node) -> None:
    if left < 0:
        raise ScheduleError(
            f"batch={batch} changes over more than {_MOST_STEPS} steps, or more than {_MOST_SIZES} "
            f"times ({_MOST_CHANGES} by samples); write a staircase of hold(steps, at=size)"
        )
