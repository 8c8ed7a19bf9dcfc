"""composer: its schedulers, with their own arguments and time strings.

The values are factors of the optimizer's rate. Composer cuts every time to whole batches, and needs
the run for that: give its ``max_duration``, and ``dataloader_len`` (the batches of an epoch) where
epochs are used. All times of a scheduler must come to one unit (batches, samples or tokens), which
is then a step of the schedule. ``ssr`` is the second argument of a scheduler's call, whose
``max_duration`` is scaled already; ``scale_schedule_ratio`` is the ``Trainer``'s, which scales its
``max_duration`` too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from lehr.catalogue.cyclic import warm_restarts
from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import Count, Positive, power_ease
from lehr.translate.pieces import cycles, decayed, differing, falls, go, polynomial, staircase
from lehr.translate.registry import Translation, translates

_TIME: Final = re.compile(
    r"\s*(\d{1,18}(?:\.\d{0,18})?(?:e[+-]?\d{1,2})?)\s*(dur|ep|ba|sp|tok)\s*", re.I | re.A
)
_NAMES: Final = {"ba": "batches", "sp": "samples", "tok": "tokens"}


@dataclass(frozen=True, kw_only=True)
class ComposerClock:
    """The run of a scheduler, which converts its times into whole numbers of one unit.

    Every time but a share of the run is multiplied by ``ssr`` or ``scale_schedule_ratio``, and
    ``units`` collects their units.
    """

    max_duration: str | None = None
    dataloader_len: Count | None = None
    ssr: Positive = 1.0
    scale_schedule_ratio: Positive = 1.0
    units: dict[str, str] = field(default_factory=dict[str, str], init=False)

    def of(self, name: str, time: str, *, scale: bool = True) -> int:
        """Return a time in whole batches, samples or tokens, in the unit of all times before."""
        amount, unit = _read(name, time)
        if unit == "dur":
            if self.max_duration is None:
                raise ScheduleError(f"{name}={time!r} is a share of the run: give max_duration")
            run, unit = _read("max_duration", self.max_duration)
            # A product of floats, cut: 0.29 of 100 batches is 28.
            value = int(float(amount) * self._in_batches(unit) * self._scaled_run(int(run)))
        else:
            # Composer converts to batches before it scales.
            value = int(amount) * self._in_batches(unit)
            value = int(value * self._ratio) if scale else value
        unit = "ba" if unit == "ep" else unit
        self.units[unit] = f"{name}={time!r}"
        if len(self.units) > 1:
            raise ScheduleError(
                f"{' and '.join(self.units.values())} are counted in different units; write both "
                "in one, such as 'ba'"
            )
        return value

    @property
    def _ratio(self) -> float:
        if self.ssr != 1 and self.scale_schedule_ratio != 1:
            raise ScheduleError(
                f"ssr={self.ssr!r}, scale_schedule_ratio={self.scale_schedule_ratio!r}: give one; "
                "the second scales max_duration too"
            )
        return self.ssr * self.scale_schedule_ratio

    def _scaled_run(self, run: int) -> int:
        scaled = int(run * self.scale_schedule_ratio) if self._ratio else run
        if scaled == 0:
            raise ScheduleError(
                f"scale_schedule_ratio={self.scale_schedule_ratio!r} leaves nothing of "
                f"max_duration={self.max_duration!r}"
            )
        return scaled

    def translation(self, schedule: Schedule, *notes: str) -> Translation:
        """Return the schedule with its notes, and the unit of a step unless it is a batch."""
        unit = next(iter(self.units), "ba")
        kind = "" if unit == "ba" else f"a step of the schedule is one of its {_NAMES[unit]}"
        of_run = ""
        if self.ssr != 1 and self.max_duration is not None:
            of_run = (
                f"max_duration={self.max_duration!r} is taken for the state's, which the Trainer "
                "has scaled already; for the Trainer's own, write scale_schedule_ratio in place "
                "of ssr"
            )
        return differing(schedule, kind, of_run, *notes)

    def _in_batches(self, unit: str) -> int:
        if unit != "ep":
            return 1
        if self.dataloader_len is None:
            raise ScheduleError("epochs are counted in batches: give dataloader_len")
        return self.dataloader_len


@dataclass(frozen=True, kw_only=True)
class ComposerWarmup:
    """The arguments of a warmup.

    With ``scale_warmup``, composer scales the steps in which it would reach its end, but not the
    step at which it ends.
    """

    t_warmup: str
    scale_warmup: bool = False
    faithful: bool = False

    def steps(self, clock: ComposerClock) -> tuple[int, int, str]:
        """Return how long it lasts, the steps of its slope, and a note if they should be equal."""
        length = clock.of("t_warmup", self.t_warmup, scale=False)
        slope = clock.of("t_warmup", self.t_warmup)
        if not self.scale_warmup or length == slope:
            return length, length, ""
        if self.faithful:
            return length, slope, ""
        note = (
            f"composer scales the slope of the warmup but not its end: it would last {length} "
            f"steps and reach its level in {slope}; here both are {slope}"
        )
        return slope, slope, note

    def before(self, clock: ComposerClock, level: float, after: Schedule) -> Translation:
        """Return the warmup up to a level, with a schedule after it."""
        length, slope, note = self.steps(clock)
        return clock.translation(go(slope, frm=0.0, to=level)[:length] >> after, note)

    def decaying(
        self, clock: ComposerClock, t_max: str, start: float, end: float, ease: str
    ) -> Translation:
        """Return the warmup and a decay that ends at ``t_max``."""
        left = clock.of("t_max", t_max) - self.steps(clock)[0]
        # A decay without any time stays where it begins.
        after = go(left, frm=start, to=end, ease=ease) if left > 0 else hold(at=start)
        return self.before(clock, start, after)


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
def _step(clock: ComposerClock, step_size: str, gamma: float = 0.1) -> Translation:
    return clock.translation(decayed(gamma, every=clock.of("step_size", step_size), stairs=True))


@translates("composer", "MultiStepScheduler")
def _multistep(clock: ComposerClock, milestones: Sequence[str], gamma: float = 0.1) -> Translation:
    return clock.translation(_falls(clock, milestones, gamma))


@translates("composer", "ConstantScheduler")
def _constant(clock: ComposerClock, alpha: float = 1.0, t_max: str = "1dur") -> Translation:
    return clock.translation(staircase([clock.of("t_max", t_max)], [alpha, 1.0]))


@translates("composer", "LinearScheduler")
def _linear(
    clock: ComposerClock, alpha_i: float = 1.0, alpha_f: float = 0.0, t_max: str = "1dur"
) -> Translation:
    return clock.translation(go(clock.of("t_max", t_max), frm=alpha_i, to=alpha_f))


@translates("composer", "ExponentialScheduler")
def _exponential(clock: ComposerClock, gamma: float, decay_period: str = "1ep") -> Translation:
    return clock.translation(decayed(gamma, every=clock.of("decay_period", decay_period)))


@translates("composer", "CosineAnnealingScheduler")
def _cosine(clock: ComposerClock, t_max: str = "1dur", alpha_f: float = 0.0) -> Translation:
    return clock.translation(go(clock.of("t_max", t_max), frm=1.0, to=alpha_f, ease="cosine"))


@translates("composer", "CosineAnnealingWarmRestartsScheduler")
def _cosine_restarts(
    clock: ComposerClock, t_0: str, t_mult: Positive = 1.0, alpha_f: float = 0.0
) -> Translation:
    first = clock.of("t_0", t_0)
    if t_mult == int(t_mult) and alpha_f != 1:
        return clock.translation(warm_restarts(first, int(t_mult), floor=alpha_f))

    def cycle(_index: int, size: int, _back: int) -> Schedule:
        return go(size, frm=1.0, to=alpha_f, ease="cosine")

    # Every length is cut to whole steps before it grows again.
    return clock.translation(*cycles(first, t_mult, cycle))


@translates("composer", "PolynomialScheduler")
def _polynomial(
    clock: ComposerClock, power: float, t_max: str = "1dur", alpha_f: float = 0.0
) -> Translation:
    return clock.translation(polynomial(clock.of("t_max", t_max), power, frm=1.0, to=alpha_f))


@translates("composer", "MultiStepWithWarmupScheduler")
def _multistep_with_warmup(
    clock: ComposerClock,
    warmup: ComposerWarmup,
    milestones: Sequence[str],
    gamma: float = 0.1,
) -> Translation:
    after = _falls(clock, milestones, gamma)[warmup.steps(clock)[0] :]
    return warmup.before(clock, 1.0, after)


@translates("composer", "ConstantWithWarmupScheduler", ignores=("t_max",))
def _constant_with_warmup(
    clock: ComposerClock, warmup: ComposerWarmup, alpha: float = 1.0
) -> Translation:
    return warmup.before(clock, alpha, hold(at=alpha))


@translates("composer", "LinearWithWarmupScheduler")
def _linear_with_warmup(
    clock: ComposerClock,
    warmup: ComposerWarmup,
    alpha_i: float = 1.0,
    alpha_f: float = 0.0,
    t_max: str = "1dur",
) -> Translation:
    return warmup.decaying(clock, t_max, alpha_i, alpha_f, "linear")


@translates("composer", "CosineAnnealingWithWarmupScheduler")
def _cosine_with_warmup(
    clock: ComposerClock, warmup: ComposerWarmup, t_max: str = "1dur", alpha_f: float = 0.0
) -> Translation:
    return warmup.decaying(clock, t_max, 1.0, alpha_f, "cosine")


@translates("composer", "PolynomialWithWarmupScheduler")
def _polynomial_with_warmup(
    clock: ComposerClock,
    warmup: ComposerWarmup,
    power: float = 2.0,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
) -> Translation:
    if power == 0:
        return warmup.before(clock, 1.0, hold(at=1.0))
    return warmup.decaying(clock, t_max, 1.0, alpha_f, power_ease("power", power))


def _falls(clock: ComposerClock, milestones: Sequence[str], gamma: float) -> Schedule:
    return falls(sorted(clock.of("milestones", time) for time in milestones), gamma)
