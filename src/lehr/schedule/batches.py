"""The sizes of a run's batches: as a number, as a list, or as a schedule."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

from lehr.curves import Counter, Flat, Path
from lehr.curves.arithmetic import scalars
from lehr.errors import NeedsHorizon, ScheduleError, whole
from lehr.time.duration import LONGEST, SAMPLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lehr.schedule.base import Schedule

__all__ = ["batch_of", "counter_of"]

_MOST_STEPS: Final = 4_000_000
"""The most steps of a batch that changes; a batch that stays may stay for ever."""

_MOST_CHANGES: Final = 50_000
"""The most sizes that a schedule of the samples seen goes through."""

_BLOCK: Final = 2**16


def batch_of(batch: Any) -> int | tuple[int, ...] | Schedule:
    """Return what was given as batch: a number, numbers, or a schedule.

    Numbers are returned without repetitions of the last, which holds.

    Raises:
        ScheduleError: If it is none of these, or a number is not whole or below 1.
    """
    from lehr.schedule.base import Schedule

    if isinstance(batch, Schedule):
        return batch
    if isinstance(batch, str | bytes) or not isinstance(batch, Iterable):
        return _size("batch", batch)
    # A whole array at once, as Python's own numbers.
    given = cast("list[Any]", batch.tolist() if hasattr(batch, "tolist") else list(batch))  # type: ignore[union-attr]
    if not isinstance(given, list):
        return _size("batch", given)
    if not given:
        raise ScheduleError("batch=[] is empty; write one number for each step, the last holds")
    if len(given) > _MOST_STEPS:
        raise ScheduleError(f"batch: {len(given)} numbers; at most {_MOST_STEPS} are taken")
    sizes = [_size(f"batch[{i}]", size) for i, size in enumerate(given)]
    # The last holds: saying it again says nothing, and lists that mean the same shall be equal.
    while len(sizes) > 1 and sizes[-1] == sizes[-2]:
        sizes.pop()
    return sizes[0] if len(sizes) == 1 else tuple(sizes)


def _size(name: str, value: Any) -> int:
    if isinstance(value, str):
        raise ScheduleError(
            f"{name}={value[:60]!r} is text; write the samples of an update, as in batch=512 "
            "(where batches are counted in tokens: batch=524288, sequence=1)"
        )
    size = whole(name, value, at_least=1)
    if size > LONGEST:
        raise ScheduleError(f"{name}={size} must be at most {LONGEST:.0e}")
    return size


def counter_of(batch: int | tuple[int, ...] | Schedule, sequence: int | None) -> Counter:
    """Return the table of the samples before each step.

    Arguments:
        batch: As :func:`batch_of` returns it.
        sequence: Tokens in a sample, for a schedule with lengths in tokens.

    Raises:
        ScheduleError: If a schedule has no length of its own, mixes steps with samples, changes for
            ever, or has a size below 1.
    """
    if isinstance(batch, int):
        return Counter([(batch, 1)])
    if isinstance(batch, tuple):
        return Counter((size, sum(1 for _ in same)) for size, same in itertools.groupby(batch))
    path, by_samples = _placed(batch, sequence)
    if path.length is None and not isinstance(path.parts[-1], Flat):
        raise ScheduleError(
            f"batch={batch} changes for ever; cut it where it shall stay, as in batch=s[:10_000]"
        )
    return Counter(_by_samples(path, batch) if by_samples else _by_steps(path, batch))


def _placed(batch: Schedule, sequence: int | None) -> tuple[Path, bool]:
    """Return the path of a batch's schedule, and whether its clock is the samples seen."""
    from lehr.schedule.horizon import Units
    from lehr.schedule.run import Run

    try:
        return batch._path, False
    except NeedsHorizon:
        pass
    run = Run(Units(sequence=sequence), unit=SAMPLES, clock=SAMPLES)
    try:
        curve = batch._place(run, 1.0, None)
    except NeedsHorizon as error:
        raise ScheduleError(
            f"batch={batch}: write its lengths all in steps, or all in samples (or tokens, with "
            f"sequence=...): {error}"
        ) from None
    return (curve if isinstance(curve, Path) else Path([curve])), True


def _sizes(values: Any, batch: Schedule) -> NDArray[np.int64]:
    """Return levels as whole sizes."""
    import numpy as np

    # Half a sample is rounded up, also where the value of a ramp is a rounding error below it.
    sizes = np.floor(np.round(np.atleast_1d(np.asarray(values, np.float64)), 6) + 0.5)
    if not bool(((sizes >= 1) & (sizes <= LONGEST)).all()):
        raise ScheduleError(
            f"batch={batch} goes from {sizes.min():g} to {sizes.max():g}; a batch has at least one "
            "sample"
        )
    return sizes.astype(np.int64)


def _by_steps(path: Path, batch: Schedule) -> Iterator[tuple[int, int]]:
    """Yield the sizes of a schedule of the step, and how many steps each is kept."""
    import numpy as np

    from lehr.curves.arrays import evaluate

    left = _MOST_STEPS
    for part, begin in path.pieces():
        first = math.ceil(begin)
        if isinstance(part, Flat):
            steps = 1 if part.length is None else math.ceil(begin + part.length) - first
            if steps:
                yield _sizes(part.low, batch).item(), steps
            continue
        assert part.length is not None
        last = math.ceil(begin + part.length)
        left -= last - first
        _check_steps(left, batch)
        for at in range(first, last, _BLOCK):
            sizes = _sizes(evaluate(path, np.arange(at, min(at + _BLOCK, last))), batch)
            edges = [0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(sizes)]
            for begins, ends in itertools.pairwise(edges):
                yield sizes[begins].item(), ends - begins
    if path.length is not None:
        yield _sizes(path.end, batch).item(), 1


def _by_samples(path: Path, batch: Schedule) -> Iterator[tuple[int, int]]:
    """Yield the sizes of a schedule of the samples seen, and how many steps each is kept.

    The size of a batch decides where the next one stands: as many steps as keep one size are taken
    at once.
    """
    import numpy as np

    from lehr.curves.arrays import evaluate

    stops = [*path.starts, path.stop][1:]
    seen, block, left, changes = 0, 16, _MOST_STEPS, 0
    while seen < path.stop:
        size = _sizes(path.value(seen, scalars), batch).item()
        index = bisect_right(path.starts, seen) - 1
        if isinstance(path.parts[index], Flat):
            stop = stops[index]
            steps = 1 if stop == math.inf else math.ceil((Fraction(stop) - seen) / size)
            yield size, steps
            if stop == math.inf:
                return
        else:
            ahead = _sizes(evaluate(path, seen + size * np.arange(1, block + 1)), batch)
            others = np.flatnonzero(ahead != size)
            steps = others[0].item() + 1 if len(others) else block
            yield size, steps
            block = max(block // 2, 16) if len(others) else min(2 * block, _BLOCK)
            left, changes = left - steps, changes + 1
            _check_steps(left if changes <= _MOST_CHANGES else -1, batch)
        seen += size * steps
    yield _sizes(path.end, batch).item(), 1


def _check_steps(left: int, batch: Schedule) -> None:
    if left < 0:
        raise ScheduleError(
            f"batch={batch} changes over more than {_MOST_STEPS} steps, or more than "
            f"{_MOST_CHANGES} times by samples; write a staircase of hold(steps, at=size)"
        )
