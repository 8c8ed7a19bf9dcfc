"""composer: its schedulers, with their own arguments and time strings.

The values are factors of the optimizer's rate. Composer makes whole batches of every time, by
cutting, and needs the run for that: give its ``max_duration``, and ``dataloader_len`` (the batches
of an epoch) where epochs are used. All times of a scheduler must come to one unit: batches, or
samples, or tokens, and that is what a step of the schedule is. ``ssr`` is the trainer's
``scale_schedule_ratio``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from lehr.catalogue.cyclic import warm_restarts
from lehr.catalogue.decay.elementary import exponential, step
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import cycles, differing, go, staircase
from lehr.translate.registry import Translation, translates

_TIME: Final = re.compile(
    r"\s*(\d{1,18}(?:\.\d{0,18})?(?:e[+-]?\d{1,2})?)\s*(dur|ep|ba|sp|tok)\s*", re.I | re.A
)
_NAMES: Final = {"ba": "batches", "sp": "samples", "tok": "tokens"}


@dataclass
class _Clock:
    """Turns composer's times into whole numbers of one unit.

    Arguments:
        max_duration: The run's length.
        dataloader_len: The batches of an epoch.
        ssr: What every time but a share of the run is multiplied by.
        units: The units of the times that it was asked for.
    """

    max_duration: str | None
    dataloader_len: int | None
    ssr: float
    units: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, name: str, time: str, *, scale: bool = True) -> int:
        """Return a time in whole batches, samples or tokens.

        Raises:
            ScheduleError: If it is no time, needs a run that is not known, or is in another unit
                than the times before.
        """
        amount, unit = _read(name, time)
        if unit == "dur":
            if self.max_duration is None:
                raise ScheduleError(f"{name}={time!r} is a share of the run: give max_duration")
            run, unit = _read("max_duration", self.max_duration)
            # A product of floats, cut: 0.29 of 100 batches is 28.
            value = int(float(amount) * self._in_batches(unit) * int(run))
        else:
            # Composer converts to batches before it scales.
            value = int(amount) * self._in_batches(unit)
            value = int(value * self.ssr) if scale else value
        unit = "ba" if unit == "ep" else unit
        self.units[unit] = f"{name}={time!r}"
        if len(self.units) > 1:
            raise ScheduleError(
                f"{' and '.join(self.units.values())} are counted in different units; write both "
                "in one, such as 'ba'"
            )
        return value

    def translation(self, schedule: Schedule, *notes: str) -> Translation:
        """Return the schedule with its notes, and what a step is where it is no batch."""
        unit = next(iter(self.units), "ba")
        kind = "" if unit == "ba" else f"a step of the schedule is one of its {_NAMES[unit]}"
        return differing(schedule, kind, *notes)

    def _in_batches(self, unit: str) -> int:
        if unit != "ep":
            return 1
        if self.dataloader_len is None:
            raise ScheduleError("epochs are counted in batches: give dataloader_len")
        return whole("dataloader_len", self.dataloader_len, at_least=1)


def _read(name: str, time: str) -> tuple[Fraction, str]:
    match = _TIME.fullmatch(time) if isinstance(time, str) else None
    if match is None:
        raise ScheduleError(
            f"{name}={time!r} is not a time of a schedule; write '100ba', '3ep', '0.5dur', '1e6tok'"
        )
    amount, unit = Fraction(match[1]), match[2].lower()
    if unit != "dur" and amount.denominator != 1:
        raise ScheduleError(f"{name}={time!r}: composer takes only whole numbers of {unit!r}")
    return amount, unit


@translates("composer", "StepScheduler")
def _step(
    *,
    step_size: str,
    gamma: float = 0.1,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    return clock.translation(step(clock.of("step_size", step_size), gamma))


@translates("composer", "MultiStepScheduler")
def _multistep(
    *,
    milestones: Sequence[str],
    gamma: float = 0.1,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    return clock.translation(_falls(clock, milestones, gamma))


@translates("composer", "ConstantScheduler")
def _constant(
    *,
    alpha: float = 1.0,
    t_max: str = "1dur",
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    return clock.translation(staircase([clock.of("t_max", t_max)], [alpha, 1.0]))


@translates("composer", "LinearScheduler")
def _linear(
    *,
    alpha_i: float = 1.0,
    alpha_f: float = 0.0,
    t_max: str = "1dur",
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    return clock.translation(go(clock.of("t_max", t_max), frm=alpha_i, to=alpha_f))


@translates("composer", "ExponentialScheduler")
def _exponential(
    *,
    gamma: float,
    decay_period: str = "1ep",
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    every = clock.of("decay_period", decay_period)
    return clock.translation(exponential(gamma, every=every))


@translates("composer", "CosineAnnealingScheduler")
def _cosine(
    *,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    return clock.translation(go(clock.of("t_max", t_max), frm=1.0, to=alpha_f, ease="cosine"))


@translates("composer", "CosineAnnealingWarmRestartsScheduler")
def _cosine_restarts(
    *,
    t_0: str,
    t_mult: float = 1.0,
    alpha_f: float = 0.0,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    first, growth = clock.of("t_0", t_0), number("t_mult", t_mult, above=0)
    if growth == int(growth) and alpha_f != 1:
        return clock.translation(warm_restarts(first, int(growth), floor=alpha_f))
    # Every length is cut to whole steps before it grows again.
    return clock.translation(
        *cycles(
            first, growth, lambda _index, size, _back: go(size, frm=1.0, to=alpha_f, ease="cosine")
        )
    )


@translates("composer", "PolynomialScheduler")
def _polynomial(
    *,
    power: float,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    return clock.translation(go(clock.of("t_max", t_max), frm=1.0, to=alpha_f, ease=_power(power)))


@translates("composer", "MultiStepWithWarmupScheduler")
def _multistep_with_warmup(
    *,
    t_warmup: str,
    milestones: Sequence[str],
    gamma: float = 0.1,
    scale_warmup: bool = False,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
    faithful: bool = False,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    rise = _Rise.of(clock, t_warmup, scale_warmup, faithful)
    after = _falls(clock, milestones, gamma)[rise.length :]
    return clock.translation(rise.to(1.0) >> after, rise.note)


@translates("composer", "ConstantWithWarmupScheduler")
def _constant_with_warmup(
    *,
    t_warmup: str,
    alpha: float = 1.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
    faithful: bool = False,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    rise = _Rise.of(clock, t_warmup, scale_warmup, faithful)
    return clock.translation(rise.to(alpha) >> hold(at=alpha), rise.note)


@translates("composer", "LinearWithWarmupScheduler")
def _linear_with_warmup(
    *,
    t_warmup: str,
    alpha_i: float = 1.0,
    alpha_f: float = 0.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
    faithful: bool = False,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    rise = _Rise.of(clock, t_warmup, scale_warmup, faithful)
    return _decaying(clock, rise, t_max, alpha_i, alpha_f, "linear")


@translates("composer", "CosineAnnealingWithWarmupScheduler")
def _cosine_with_warmup(
    *,
    t_warmup: str,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    scale_warmup: bool = False,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
    faithful: bool = False,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    rise = _Rise.of(clock, t_warmup, scale_warmup, faithful)
    return _decaying(clock, rise, t_max, 1.0, alpha_f, "cosine")


@translates("composer", "PolynomialWithWarmupScheduler")
def _polynomial_with_warmup(
    *,
    t_warmup: str,
    power: float = 2.0,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    scale_warmup: bool = False,
    max_duration: str | None = None,
    dataloader_len: int | None = None,
    ssr: float = 1.0,
    faithful: bool = False,
) -> Translation:
    clock = _Clock(max_duration, dataloader_len, ssr)
    rise = _Rise.of(clock, t_warmup, scale_warmup, faithful)
    return _decaying(clock, rise, t_max, 1.0, alpha_f, _power(power))


@dataclass(frozen=True)
class _Rise:
    """A warmup: how long it lasts, and in how many steps it would reach its end.

    Composer scales only the second by ``ssr``, when it is told to scale the warmup.
    """

    length: int
    ramp: int
    note: str = ""

    @classmethod
    def of(cls, clock: _Clock, time: str, scale: bool, faithful: bool) -> _Rise:
        length, ramp = clock.of("t_warmup", time, scale=False), clock.of("t_warmup", time)
        if not scale or length == ramp:
            return cls(length, length)
        if faithful:
            return cls(length, ramp)
        return cls(
            ramp,
            ramp,
            f"composer scales the slope of the warmup but not its end: it would last {length} "
            f"steps and reach its level in {ramp}; here both are {ramp}",
        )

    def to(self, level: float) -> Schedule:
        return go(self.ramp, frm=0.0, to=level)[: self.length]


def _decaying(
    clock: _Clock, rise: _Rise, t_max: str, start: float, end: float, ease: str
) -> Translation:
    left = clock.of("t_max", t_max) - rise.length
    # A decay that would have no time stays where it begins.
    after = go(left, frm=start, to=end, ease=ease) if left > 0 else hold(at=start)
    return clock.translation(rise.to(start) >> after, rise.note)


def _falls(clock: _Clock, milestones: Sequence[str], gamma: float) -> Schedule:
    times = sorted(clock.of("milestones", milestone) for milestone in milestones)
    return staircase(times, [gamma**count for count in range(len(times) + 1)])


def _power(power: float) -> str:
    return "linear" if power == 1 else f"power({number('power', power, above=0)!r})"
