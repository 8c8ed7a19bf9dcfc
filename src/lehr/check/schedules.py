"""Checks of a schedule in its run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from lehr.curves.arithmetic import as_number
from lehr.errors import NeedsHorizon
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.schedule.leaves import Piece
from lehr.schedule.run import Run
from lehr.schedule.sequence import Sequence, fixed_length
from lehr.schedule.times import Over, Repeat
from lehr.schedule.values import Product
from lehr.time.duration import EPOCHS

JUMP: Final = 10.0
"""A sudden rise by more than this factor, above anything before, is found."""

_LOOKED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a schedule that is probably a mistake.

    Attributes:
        name: The guard of :class:`lehr.torch.Scheduler` that reports it too, or another word.
        message: The finding and what to write instead, in a sentence.
    """

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def too_long(schedule: Schedule, horizon: Horizon) -> Iterator[Finding]:
    """Find a warmup that leaves no room for the rest of its run."""
    run = _run_over(horizon)
    rise = _rise(schedule, run)
    if rise is not None and run.length is not None and rise > run.length:
        yield _long_warmup(rise, run.length, run.noun)


def _run_over(horizon: Horizon) -> Run:
    around = Run()
    return around.enter(horizon, around.extent(horizon))


def _long_warmup(rise: Fraction, length: Fraction, noun: str) -> Finding:
    rising = f"{as_number(rise):g} {noun}"
    return Finding(
        "warmup",
        f"the warmup of {rising} is longer than the run of {as_number(length):g} {noun}: the peak "
        f"is never reached; write warmup('10%'), or a run of more than {rising}",
    )


def lengths(placed: Schedule) -> Iterator[Finding]:
    """Find lengths that do not fit into the run, without computing any values."""
    if not isinstance(placed, Over):
        return
    try:
        run = _run_over(placed.horizon)
        rise = _rise(placed.inner, run)
        needs = fixed_length(placed.inner, run)
    except NeedsHorizon:
        return
    length = run.length
    assert length is not None
    ends = f"{as_number(length):g} {run.noun}"
    if rise is not None and rise > length:
        yield _long_warmup(rise, length, run.noun)
    if rise == 0:
        yield Finding("warmup", f"the warmup rounds to 0 of {ends}; write warmup(1), or more")
    # Where only the warmup is cut, the finding above says so.
    if needs > max(length, rise or 0):
        yield Finding(
            "cut",
            f"its pieces last {as_number(needs):g} {run.noun}; the run ends after {ends}, at the "
            f"level {placed.end:.6g}: write lengths as shares, such as '20%', or a longer run",
        )


def partial_batches(placed: Schedule) -> Iterator[Finding]:
    """Find a run in epochs whose steps depend on what the loader does with its last batch."""
    if not isinstance(placed, Over):
        return
    horizon = placed.horizon
    samples, batch = horizon.samples_per_epoch, horizon.batch
    if horizon.drop_last is not None or horizon.length.unit != EPOCHS:
        return
    if samples is None or not isinstance(batch, int) or batch > samples or samples % batch == 0:
        return
    dropped, kept = (replace(horizon, drop_last=drop).steps for drop in (True, False))
    yield Finding(
        "partial",
        f"samples_per_epoch={samples} is not a whole number of batches of batch={batch}: the run "
        f"has {horizon.steps} steps, and a loader makes {kept}, or {dropped} with drop_last=True: "
        "write drop_last=False or drop_last=True into the Horizon, as in the loader",
    )


def still(placed: Schedule) -> Iterator[Finding]:
    """Find a run in which nothing is trained, or whose rate would change only after its end."""
    length = placed.length
    if placed._has_callbacks or length is None or not 2 <= length <= _LOOKED:
        return
    values = _values(placed)
    low, high = placed.bounds
    level = float(values[0])
    if not (values == level).all():
        return
    if level == 0:
        yield Finding("range", "all of its values are 0: write constant(1.0), or another level")
    elif low != high:
        yield Finding(
            "still",
            f"it stays at {level:.6g} in all of the {len(values)} steps, and would change later: "
            "write lengths as shares, such as '20%', or a longer run",
        )


def _rise(schedule: Schedule, run: Run) -> Fraction | None:
    """Return the length of the rise that a schedule begins with, or None where it has none."""
    if isinstance(schedule, Sequence):
        rises: list[Fraction] = []
        for part in schedule.parts:
            rise = _rise(part, run)
            if rise is None:
                break
            rises.append(rise)
        return sum(rises, Fraction(0)) if rises else None
    if isinstance(schedule, Product):
        return _rise(schedule.left, run)
    if not isinstance(schedule, Piece) or schedule.to is None or schedule.steps is None:
        return None
    start = 1.0 if schedule.start is None else schedule.start
    return run.place(schedule.steps) if start < schedule.to else None


def steps(placed: Schedule) -> list[int]:
    """Return the steps of a run that are checked: all, or a million of a longer one."""
    length = placed.length
    last = 10_000 if length is None else max(math.ceil(length) - 1, 0)
    if last <= _LOOKED:
        return list(range(last + 1))
    return [last * i // _LOOKED for i in range(_LOOKED + 1)]


def _values(placed: Schedule) -> Any:
    """Return the values at the steps that are checked, as an array."""
    # Loads NumPy.
    import numpy as np

    return placed(np.asarray(steps(placed)))


def jump(
    levels: list[float], before: float | None = None, highest: float = 0.0
) -> tuple[int, float, float] | None:
    """Return the first sudden rise, more than tenfold and above anything before.

    A return to a level that was there before, as in a warm restart, does not count.

    Arguments:
        levels: Levels of consecutive steps.
        before: The level of the step before them, or None.
        highest: The highest level before them.

    Returns:
        Its index among the levels, and the levels before and after it; or None.
    """
    for index, level in enumerate(levels):
        if before is not None and 0 < JUMP * before < level and level > highest:
            return index, before, level
        before, highest = level, max(highest, level)
    return None


def jumps(placed: Schedule) -> Iterator[Finding]:
    """Find a sudden rise of more than tenfold."""
    if placed._has_callbacks or (placed.length or 0) > _LOOKED:
        return
    found = jump(_values(placed).tolist())
    if found is not None:
        step, before, after = found
        yield Finding(
            "jump",
            f"it rises from {before:.6g} to {after:.6g} at once, at step {step}: write a "
            f"ramp between them, such as linear(100, to={after:.6g})",
        )


def ends(placed: Schedule) -> Iterator[Finding]:
    """Find a run that ends far above its end level, or within a cycle."""
    length = placed.length
    if length is None or length < 2 or placed._has_callbacks:
        return
    last, end = placed(math.ceil(length) - 1), placed.end
    highest = placed.bounds[1]
    if last - end > 0.2 * highest > 0:
        yield Finding(
            "end",
            f"the last update, at step {math.ceil(length) - 1}, uses {last:.6g}, far above the end "
            f"level {end:.6g}; write closed=True to put the end level on it",
        )
    elif last > 0.2 * highest > 0 and _repeats(placed) and length <= _LOOKED:
        lowest = float(_values(placed)[1:].min())
        if lowest < 0.2 * last:
            yield Finding(
                "end",
                f"the run ends within a cycle, at the level {last:.6g}: a whole number of cycles, "
                f"as hard_restarts(3) fits into any run, would end near {lowest:.6g}",
            )


def _repeats(schedule: Any) -> bool:
    """Return whether a schedule contains a repeat."""
    if isinstance(schedule, Sequence):
        return any(_repeats(part) for part in schedule.parts)
    inner = [getattr(schedule, name, None) for name in ("inner", "left", "right")]
    return isinstance(schedule, Repeat) or any(map(_repeats, filter(None, inner)))


def ranges(placed: Schedule) -> Iterator[Finding]:
    """Find values that the rate of an optimizer cannot take."""
    low, high = placed.bounds
    if low < 0 or math.isinf(high):
        yield Finding(
            "range",
            f"its values may lie from {low:g} to {high:g}; a learning rate's factor is finite and "
            "at least 0: write .clip(low=..., high=...) around it",
        )


def highest(placed: Schedule) -> float:
    """Return the highest value of a run, or of its first ten thousand steps."""
    if placed._has_callbacks or (placed.length or 0) > _LOOKED:
        return placed.bounds[1]
    return float(_values(placed).max())
