"""Looking at a schedule before a run: what is probably not meant.

Nothing here is an error: a schedule that contradicts itself is refused when it is built. A finding
is what a person would like to be asked about before spending a month of compute on it.

>>> import lehr
>>> for finding in lehr.check(lehr.warmup(500) >> lehr.cosine(1_000), over=200):
...     print(finding)
warmup: the warmup of 500 steps is longer than the run of 200 steps: the peak is never reached
cut: its pieces last 1500 steps; the run ends after 200 steps, at the level 0.4
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from lehr.curves.arithmetic import as_number
from lehr.errors import NeedsHorizon, ScheduleError
from lehr.schedule.base import Reach, Schedule
from lehr.schedule.horizon import HorizonLike
from lehr.schedule.leaves import Piece
from lehr.schedule.run import Run
from lehr.schedule.sequence import Sequence
from lehr.schedule.times import Over, Repeat
from lehr.schedule.values import Product

__all__ = ["Finding", "check", "jump", "lengths"]

JUMP: Final = 10.0
"""A rise at once by more than this factor, to above anything before, is found."""

_LOOKED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a schedule that is probably not meant.

    Attributes:
        name: The guard of :class:`lehr.torch.Scheduler` that says it too, or a word of its own.
        message: What it is, in a sentence.
    """

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def check(
    schedule: Schedule, over: HorizonLike | None = None, optimizer: Any = None
) -> list[Finding]:
    """Return what is probably not meant about a schedule, most important first.

    Found are: a warmup longer than the run, or of no steps in it (``warmup``); pieces longer than
    the run (``cut``); a rate that rises at once by more than tenfold to above anything before
    (``jump``); a last update far above the end level, or a run that ends within a cycle (``end``);
    values that an optimizer's rate cannot take (``range``); groups whose rate is 0, which no factor
    can change, or that a scheduler has driven already (``base``).

    Arguments:
        schedule: A schedule.
        over: The run; not needed where the schedule has its own.
        optimizer: A torch optimizer, to look at its groups as well.

    Raises:
        NeedsHorizon: If the schedule needs a run and ``over`` is not given.
        ScheduleError: If it does not fit its run.
    """
    if not isinstance(schedule, Schedule):
        raise ScheduleError(f"check: schedule={schedule!r} is not a schedule")
    placed = schedule if over is None else schedule.over(over)
    placed(0)
    found = [*lengths(placed), *_jumps(placed), *_end(placed), *_range(placed)]
    return [*found, *_groups(optimizer)] if optimizer is not None else found


def lengths(placed: Schedule) -> Iterator[Finding]:
    """Find what does not fit into its run; this asks for no values."""
    if not isinstance(placed, Over):
        return
    try:
        around = Run()
        run = around.enter(placed.horizon, around.extent(placed.horizon))
        rise = _rise(placed.inner, run)
        fixed = placed.inner._reach is Reach.FIXED
        needs = placed.inner._span(run).steps if fixed else Fraction(0)
    except NeedsHorizon:
        return
    length = run.length
    assert length is not None
    ends = f"{as_number(length):g} {run.noun}"
    if rise is not None and rise > length:
        yield Finding(
            "warmup",
            f"the warmup of {as_number(rise):g} {run.noun} is longer than the run of {ends}: the "
            "peak is never reached",
        )
    if rise == 0:
        yield Finding("warmup", f"the warmup rounds to 0 of {ends}")
    if needs > length:
        yield Finding(
            "cut",
            f"its pieces last {as_number(needs):g} {run.noun}; the run ends after {ends}, at the "
            f"level {placed.end:.6g}",
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


def _steps(placed: Schedule) -> list[int]:
    length = placed.length
    last = 10_000 if length is None else max(math.ceil(length) - 1, 0)
    if last <= _LOOKED:
        return list(range(last + 1))
    return [last * i // _LOOKED for i in range(_LOOKED + 1)]


def jump(
    levels: list[float], before: float | None = None, highest: float = 0.0
) -> tuple[int, float, float] | None:
    """Return the first rise at once by more than tenfold to above anything before.

    Going back up to a level that was there before, as a warm restart does, is none.

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


def _jumps(placed: Schedule) -> Iterator[Finding]:
    if placed.calls:
        return
    length = placed.length
    if length is not None and length > _LOOKED:
        return
    import numpy as np

    steps = _steps(placed)
    found = jump(placed(np.asarray(steps)).tolist())
    if found is not None:
        index, before, after = found
        yield Finding(
            "jump", f"it rises from {before:.6g} to {after:.6g} at once, at step {steps[index]}"
        )


def _end(placed: Schedule) -> Iterator[Finding]:
    length = placed.length
    if length is None or length < 2 or placed.calls:
        return
    last, end = placed(math.ceil(length) - 1), placed.end
    highest = placed.bounds[1]
    if last - end > 0.2 * highest > 0:
        yield Finding(
            "end",
            f"the last update, at step {math.ceil(length) - 1}, uses {last:.6g}, far above the end "
            f"level {end:.6g}; closed=True puts the end level on it",
        )
    elif last > 0.2 * highest > 0 and _repeats(placed) and length <= _LOOKED:
        import numpy as np

        lowest = float(placed(np.asarray(_steps(placed)))[1:].min())
        if lowest < 0.2 * last:
            yield Finding(
                "end",
                f"the run ends within a cycle, at the level {last:.6g}: a whole number of cycles "
                f"would end near {lowest:.6g}",
            )


def _repeats(schedule: Any) -> bool:
    """Return whether there is a repeat in it."""
    if isinstance(schedule, Sequence):
        return any(_repeats(part) for part in schedule.parts)
    inner = [getattr(schedule, name, None) for name in ("inner", "left", "right")]
    return isinstance(schedule, Repeat) or any(map(_repeats, filter(None, inner)))


def _range(placed: Schedule) -> Iterator[Finding]:
    low, high = placed.bounds
    if low < 0 or math.isinf(high):
        yield Finding(
            "range",
            f"its values may lie from {low:g} to {high:g}; a learning rate's factor is finite and "
            "at least 0: write .clip(low=..., high=...) around it",
        )


def _groups(optimizer: Any) -> Iterator[Finding]:
    for index, group in enumerate(optimizer.param_groups):
        if float(group["lr"]) == 0:
            yield Finding("base", f"group {index} has the rate 0, which no factor can change")
        stale = group.get("initial_lr")
        if stale is not None and float(stale) != float(group["lr"]):
            yield Finding(
                "base",
                f"group {index} was given {float(stale):g} and stands at {float(group['lr']):g}: "
                "a scheduler has driven it already",
            )
