"""ignite: its parameter schedulers, with their own arguments.

The values are rates. The length of a cycle is cut to whole steps each time it grows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lehr.errors import ScheduleError, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula, hold
from lehr.translate.arguments import (
    Count,
    Natural,
    NotNegative,
    Positive,
    one_less,
    own_rate,
    schedule_of,
    schedules_of,
)
from lehr.translate.pieces import cycles, decayed, falls, go, joined, piecewise, rates, scaled
from lehr.translate.plateau import ReduceOnPlateau
from lehr.translate.registry import Translation, ignores, translates

CycleShape = Callable[[int, float, float], Schedule]

ignores("ignite", "param_name", "save_history", "param_group_index", "create_new", "trainer")


@dataclass(frozen=True, kw_only=True)
class IgniteCycles:
    """The arguments of the cyclical schedulers."""

    start_value: float
    end_value: float
    cycle_size: int
    cycle_mult: Positive = 1.0
    start_value_mult: NotNegative = 1.0
    end_value_mult: NotNegative = 1.0
    warmup_duration: Natural = 0

    def start(self, cycle: int) -> float:
        """Return the level that a cycle begins at."""
        return self.start_value * self.start_value_mult**cycle

    def end(self, cycle: int) -> float:
        """Return the level that a cycle goes to."""
        return self.end_value * self.end_value_mult**cycle

    def translation(self, shape: CycleShape) -> Translation:
        """Return the cycles, each of a shape, with the way back to the start of the next."""
        size = whole("cycle_size", self.cycle_size, at_least=2)
        growth, back = self.cycle_mult, self.warmup_duration
        if growth == int(growth):
            return rates(self._regular(shape, size, int(growth), back))

        def cycle(index: int, length: int, rise: int) -> Schedule:
            body = shape(length, self.start(index), self.end(index))
            if not rise:
                return body
            return body >> go(rise, frm=self.end(index), to=self.start(index + 1))

        return rates(*cycles(size, growth, cycle, back))

    def _regular(self, shape: CycleShape, size: int, growth: int, back: int) -> Schedule:
        """Return endless cycles of whole lengths.

        They are the sum of two repeats, one for each level, which is 0 where the other is reached.
        """
        start, end = self.start(0), self.end(0)

        def again(first: Schedule, scale: float) -> Schedule:
            return first.repeat(stretch=growth, scale=scale) if scale else first >> hold(at=0.0)

        if self.start_value_mult == self.end_value_mult == 1:
            body = shape(size, start, end)
            if back:
                body = body >> go(back, frm=end, to=start)
            return body.repeat(stretch=growth)
        begins, ends = shape(size, 1.0, 0.0), shape(size, 0.0, 1.0)
        if back:
            begins = begins >> go(back, frm=0.0, to=self.start_value_mult)
            ends = ends >> go(back, frm=1.0, to=0.0)
        begins, ends = again(begins, self.start_value_mult), again(ends, self.end_value_mult)
        if not (start and end):
            return scaled(begins, start) if start else scaled(ends, end)
        return scaled(begins, start) + scaled(ends, end)


@translates("ignite", "LinearCyclicalScheduler")
def _linear_cyclical(given: IgniteCycles, monotonic: bool = False) -> Translation:
    if given.warmup_duration and not monotonic:
        raise ScheduleError(f"warmup_duration={given.warmup_duration!r} needs monotonic=True")

    def there(size: int, start: float, end: float) -> Schedule:
        return go(size, frm=start, to=end)

    def there_and_back(size: int, start: float, end: float) -> Schedule:
        half = Fraction(size, 2)
        return go(half, frm=start, to=end) >> go(half, frm=end, to=start)

    return given.translation(there if monotonic else there_and_back)


@translates("ignite", "CosineAnnealingScheduler")
def _cosine_annealing(given: IgniteCycles) -> Translation:
    return given.translation(lambda size, start, end: go(size, frm=start, to=end, ease="cosine"))


@translates("ignite", "PiecewiseLinear", "PiecewiseLinearStateScheduler")
def _piecewise_linear(milestones_values: Sequence[tuple[int, float]]) -> Translation:
    points = [(whole("milestone", t), value) for t, value in milestones_values]
    if not points or any(b[0] < a[0] for a, b in itertools.pairwise(points)):
        raise ScheduleError(
            f"milestones_values={list(milestones_values)!r}: write at least one, in rising order"
        )
    return rates(piecewise(points))


@translates("ignite", "ConcatScheduler")
def _concat(schedulers: Sequence[Schedule | Translation], durations: Sequence[int]) -> Translation:
    parts = schedules_of("schedulers", schedulers)
    one_less("durations", durations, parts, "schedulers")
    lengths = [whole("durations", duration, at_least=0) for duration in durations]
    if 0 in lengths:
        raise ScheduleError(
            f"durations={lengths!r}: ignite never leaves a part whose duration is 0; write at "
            "least 1, or leave out what follows it"
        )
    begins = itertools.accumulate(lengths, initial=0)
    return rates(joined(list(zip(begins, parts, strict=True))))


@translates("ignite", "create_lr_scheduler_with_warmup", ignores=("output_simulated_values",))
def _with_warmup(
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
    end = own_rate("warmup_end_value", warmup_end_value, lr)
    count = whole("warmup_duration", warmup_duration, at_least=2)
    # The warmup's last step is at its end; a scheduler that begins at that level shares the step.
    rise = go(count - 1, frm=warmup_start_value, to=end)
    return rates(rise >> body if body(0) == end else rise >> hold(1, at=end) >> body)


@translates("ignite", "ExpStateScheduler")
def _exp_state(initial_value: float, gamma: float) -> Translation:
    return rates(decayed(gamma, start=initial_value))


@translates("ignite", "StepStateScheduler")
def _step_state(initial_value: float, gamma: float, step_size: Count) -> Translation:
    return rates(decayed(gamma, every=step_size, start=initial_value, stairs=True))


@translates("ignite", "MultiStepStateScheduler")
def _multistep_state(initial_value: float, gamma: float, milestones: Sequence[int]) -> Translation:
    times = [max(whole("milestones", time), 0) for time in milestones]
    return rates(scaled(falls(times, gamma), initial_value))


@translates("ignite", "LambdaStateScheduler")
def _lambda_state(lambda_obj: Callable[[Any], float]) -> Translation:
    return rates(formula(lambda_obj))


@translates("ignite", "ParamGroupScheduler", ignores=("names",))
def _param_groups(schedulers: Sequence[Schedule | Translation]) -> Translation:
    parts = schedules_of("schedulers", schedulers)
    if not parts:
        raise ScheduleError("schedulers=[] is empty; write one for each parameter group")
    return Translation(parts[0], absolute=True, groups=tuple(parts))


@translates("ignite", "ReduceLROnPlateauScheduler", ignores=("metric_name", "verbose"))
def _reduce_on_plateau(given: ReduceOnPlateau) -> Schedule:
    raise given.error("ignite ReduceLROnPlateauScheduler")
