"""ignite: its parameter schedulers, with their own arguments.

The values are rates. A cycle's length is cut to whole steps each time that it grows.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from lehr.catalogue.decay.elementary import exponential, multistep, step
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import (
    cycles,
    differing,
    follows_a_metric,
    go,
    piecewise,
    scaled,
    schedule_of,
    then,
)
from lehr.translate.registry import Translation, translates

Shape = Callable[[int, float, float], Schedule]


@translates("ignite", "LinearCyclicalScheduler")
def _linear_cyclical(
    *,
    start_value: float,
    end_value: float,
    cycle_size: int,
    cycle_mult: float = 1.0,
    start_value_mult: float = 1.0,
    end_value_mult: float = 1.0,
    warmup_duration: int = 0,
    monotonic: bool = False,
    param_name: str = "lr",
) -> Translation:
    if warmup_duration > 0 and not monotonic:
        raise ScheduleError(f"warmup_duration={warmup_duration!r} needs monotonic=True")

    def there(size: int, start: float, end: float) -> Schedule:
        return go(size, frm=start, to=end)

    def there_and_back(size: int, start: float, end: float) -> Schedule:
        half = Fraction(size, 2)
        return go(half, frm=start, to=end) >> go(half, frm=end, to=start)

    shape = there if monotonic else there_and_back
    levels = _Levels(start_value, end_value, start_value_mult, end_value_mult)
    return _cyclical(shape, levels, cycle_size, cycle_mult, warmup_duration)


@translates("ignite", "CosineAnnealingScheduler")
def _cosine_annealing(
    *,
    start_value: float,
    end_value: float,
    cycle_size: int,
    cycle_mult: float = 1.0,
    start_value_mult: float = 1.0,
    end_value_mult: float = 1.0,
    warmup_duration: int = 0,
    param_name: str = "lr",
) -> Translation:
    levels = _Levels(start_value, end_value, start_value_mult, end_value_mult)
    return _cyclical(
        lambda size, start, end: go(size, frm=start, to=end, ease="cosine"),
        levels,
        cycle_size,
        cycle_mult,
        warmup_duration,
    )


@translates("ignite", "PiecewiseLinear", also=("PiecewiseLinearStateScheduler",))
def _piecewise_linear(
    *, milestones_values: Sequence[tuple[int, float]], param_name: str = "lr"
) -> Translation:
    points = [(whole("milestone", t, at_least=0), value) for t, value in milestones_values]
    if not points or any(b[0] < a[0] for a, b in itertools.pairwise(points)):
        raise ScheduleError(f"milestones_values={list(milestones_values)!r} must rise, from 0")
    return _rates(piecewise(points))


@translates("ignite", "ConcatScheduler")
def _concat(
    *, schedulers: Sequence[Schedule | Translation], durations: Sequence[int]
) -> Translation:
    parts = [schedule_of(f"schedulers[{i}]", part) for i, part in enumerate(schedulers)]
    if len(parts) != len(durations) + 1:
        raise ScheduleError(
            f"durations={list(durations)!r} must be one less than the {len(parts)} schedulers"
        )
    lengths = [whole("durations", duration, at_least=1) for duration in durations]
    cut = [part[:length] for part, length in zip(parts, lengths, strict=False)]
    return _rates(then([*cut, parts[-1]]))


@translates("ignite", "create_lr_scheduler_with_warmup")
def _with_warmup(
    *,
    lr_scheduler: Schedule | Translation,
    warmup_start_value: float,
    warmup_duration: int,
    warmup_end_value: float | None = None,
    lr: float | None = None,
) -> Translation:
    body = schedule_of("lr_scheduler", lr_scheduler)
    if not isinstance(lr_scheduler, Translation) or not lr_scheduler.absolute:
        if lr is None:
            raise ScheduleError("lr_scheduler gives factors of the optimizer's rate: give lr")
        body = scaled(body, lr)
    end = lr if warmup_end_value is None else warmup_end_value
    if end is None:
        raise ScheduleError("warmup_end_value is the optimizer's rate: give it, or lr")
    count = whole("warmup_duration", warmup_duration, at_least=2)
    # The warmup's last step is its end. Where the scheduler begins there, that is its first step.
    rise = go(count - 1, frm=warmup_start_value, to=end)
    return _rates(rise >> body if body(0) == end else rise >> hold(1, at=end) >> body)


@translates("ignite", "ExpStateScheduler")
def _exp_state(*, initial_value: float, gamma: float, param_name: str = "") -> Translation:
    return _rates(exponential(gamma, start=initial_value))


@translates("ignite", "StepStateScheduler")
def _step_state(
    *, initial_value: float, gamma: float, step_size: int, param_name: str = ""
) -> Translation:
    return _rates(scaled(step(whole("step_size", step_size, at_least=1), gamma), initial_value))


@translates("ignite", "MultiStepStateScheduler")
def _multistep_state(
    *, initial_value: float, gamma: float, milestones: Sequence[int], param_name: str = ""
) -> Translation:
    return _rates(scaled(multistep(sorted(milestones), gamma), initial_value))


@translates("ignite", "ReduceLROnPlateauScheduler")
def _reduce_on_plateau(
    *, metric_name: str = "", lr: float | None = None, min_lr: float = 0.0, **arguments: Any
) -> Schedule:
    label = "ignite ReduceLROnPlateauScheduler"
    raise follows_a_metric(label, "plateau", lr, {"floor": min_lr}, **arguments)


class _Levels:
    """The levels of each cycle.

    Arguments:
        start: That it begins at.
        end: That it goes to.
        start_mult: What the first is multiplied by from cycle to cycle.
        end_mult: What the second is multiplied by.
    """

    def __init__(self, start: float, end: float, start_mult: float, end_mult: float) -> None:
        self._start, self._end = number("start_value", start), number("end_value", end)
        self.start_mult = number("start_value_mult", start_mult, above=0)
        self.end_mult = number("end_value_mult", end_mult, above=0)
        self.alike = self.start_mult == self.end_mult == 1

    def start(self, cycle: int) -> float:
        return self._start * self.start_mult**cycle

    def end(self, cycle: int) -> float:
        return self._end * self.end_mult**cycle


def _cyclical(
    shape: Shape, levels: _Levels, cycle_size: int, cycle_mult: float, warmup_duration: int
) -> Translation:
    size = whole("cycle_size", cycle_size, at_least=2)
    growth = number("cycle_mult", cycle_mult, above=0)
    back = whole("warmup_duration", warmup_duration, at_least=0)
    if growth == int(growth):
        return _rates(_regular(shape, levels, size, int(growth), back))

    def cycle(index: int, length: int, rise: int) -> Schedule:
        body = shape(length, levels.start(index), levels.end(index))
        if not rise:
            return body
        return body >> go(rise, frm=levels.end(index), to=levels.start(index + 1))

    return differing(*cycles(size, growth, cycle, back), absolute=True)


def _regular(shape: Shape, levels: _Levels, size: int, growth: int, back: int) -> Schedule:
    """Return endless cycles, each level as a repeat of its own that is 0 where the other is not."""
    if levels.alike:
        body = shape(size, levels.start(0), levels.end(0))
        if back:
            body = body >> go(back, frm=levels.end(0), to=levels.start(0))
        return body.repeat(stretch=growth)
    begins, ends = shape(size, 1.0, 0.0), shape(size, 0.0, 1.0)
    if back:
        begins = begins >> go(back, frm=0.0, to=levels.start_mult)
        ends = ends >> go(back, frm=1.0, to=0.0)
    parts = [
        (levels.start(0), begins.repeat(stretch=growth, scale=levels.start_mult)),
        (levels.end(0), ends.repeat(stretch=growth, scale=levels.end_mult)),
    ]
    moving = [scaled(part, value) for value, part in parts if value]
    return functools.reduce(lambda a, b: a + b, moving) if moving else hold(at=0.0)


def _rates(schedule: Schedule) -> Translation:
    return Translation(schedule, absolute=True)
