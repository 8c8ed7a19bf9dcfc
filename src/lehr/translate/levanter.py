"""levanter: ``OptimizerConfig.lr_scheduler``, by the name of its schedule and its own fields.

The values are rates. The run is divided into cycles, each with a warmup, a stable phase and a decay
by the schedule that gives the name. ``warmup``, ``rewarmup``, ``decay``, ``cycle_length`` and
``cooldown`` are steps if above 1; from 0 to 1 they are shares of the cycle (``cycle_length`` and
``cooldown``: of the run). Shares are cut to whole steps, and ``warmup=1`` is the whole cycle, not
one step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import (
    Count,
    Negative,
    NotNegative,
    Positive,
    cosine_ease,
    one_of,
    power_ease,
)
from lehr.translate.pieces import go, joined, rates
from lehr.translate.registry import Translation, ignores, translate, translates

# Fields of an optimizer's configuration that its learning rate does not depend on.
ignores(
    "levanter",
    *("weight_decay", "weight_decay_modules", "default_weight_decay_mask", "adamc_weight_decay"),
    *("beta1", "beta2", "epsilon", "max_grad_norm", "nesterov", "update_rms_clipping"),
    *("clip_update_norm", "skip_bad_steps", "update_interval"),
)
_FAR: Final = 10**12
_CUT: Final = (
    "warmup and decay do not fit into a cycle; they are cut to fit, as levanter has done since "
    "2026 (release 1.2 begins the decay under the warmup, which faithful=True keeps)"
)


@dataclass(frozen=True)
class CyclePhase:
    """The decay of one cycle, from ``peak`` to ``floor``; a long warmup leaves it no steps."""

    peak: float
    floor: float
    warmup: int
    steps: int


BuildDecay = Callable[[CyclePhase], Schedule]


@dataclass(frozen=True, kw_only=True)
class LevanterRun:
    """The fields that all of levanter's schedules share, and the length of the run."""

    num_train_steps: Count
    learning_rate: float = 6e-4
    override_lr: float | None = None
    min_lr_ratio: NotNegative = 0.1
    warmup: float = 0.01
    decay: float | None = None
    rewarmup: float = 0.0
    cooldown: float | None = None
    cycle_length: float | Sequence[int] | None = None
    cycles: int | Sequence[int] | None = None
    haps: Sequence[int] | None = None
    faithful: bool = False

    def translation(self, decay: BuildDecay) -> Translation:
        """Return the cycles with their warmups, stable phases and decays."""
        total = self.num_train_steps
        cooldown = 0 if self.cooldown is None else _count("cooldown", self.cooldown, total)
        if cooldown > total:
            raise ScheduleError(f"cooldown={self.cooldown!r} must be at most {total}, the run")
        given = self.learning_rate if self.override_lr is None else self.override_lr
        peak = number("learning_rate", given, above=0)
        floor = peak * self.min_lr_ratio
        points = self._ends(total - cooldown)
        parts: list[tuple[int, Schedule]] = []
        level, cut = 0.0, False
        for index, (begin, end) in enumerate(itertools.pairwise(points)):
            rise, fall, over = self._phases(index, end - begin)
            cut = cut or over
            if rise:
                parts.append((begin, go(rise, frm=level, to=peak)))
            if begin + rise != end - fall:
                parts.append((begin + rise, hold(at=peak)))
            body = decay(CyclePhase(peak, floor, rise, fall))
            if fall <= 0 and not self.faithful:
                cut = cut or body != hold(at=peak)
                body = hold(at=peak)
            parts.append((end - fall, body))
            level = body(max(fall, 0))
        if cooldown:
            parts.append((total - cooldown, go(cooldown, frm=level, to=floor)))
        return rates(joined(parts), _CUT if cut and not self.faithful else "")

    def _phases(self, index: int, size: int) -> tuple[int, int, bool]:
        """Return the steps of a cycle's warmup and decay, and whether they overlap or are cut."""
        name, given = ("rewarmup", self.rewarmup) if index else ("warmup", self.warmup)
        rise = _count(name, given, size)
        fall = size - rise if self.decay is None else _count("decay", self.decay, size)
        over = rise > size or rise + fall > size
        if over and not self.faithful:
            rise = min(rise, size)
            fall = min(max(fall, 0), size - rise)
        return rise, fall, over

    def _ends(self, total: int) -> list[int]:
        """Return the step at which the first cycle begins, and those at which each ends."""
        given = {"cycle_length": self.cycle_length, "cycles": self.cycles, "haps": self.haps}
        known = [f"{name}={value!r}" for name, value in given.items() if value is not None]
        if len(known) > 1:
            raise ScheduleError(f"{' and '.join(known)}: give at most one of {', '.join(given)}")
        ends = self._inner_ends(total)
        if any(after <= before for before, after in itertools.pairwise([0, *ends])):
            raise ScheduleError(f"{known[0]}: cycles must end at rising steps, above 0: {ends}")
        if ends and ends[-1] > total:
            raise ScheduleError(f"{known[0]} is more than the {total} steps of the run")
        return [0, *ends] if ends and ends[-1] == total else [0, *ends, total]

    def _inner_ends(self, total: int) -> list[int]:
        if isinstance(self.cycle_length, Sequence):
            lengths = [whole("cycle_length", length, at_least=1) for length in self.cycle_length]
            return list(itertools.accumulate(lengths))
        if self.cycle_length is not None:
            size = _count("cycle_length", self.cycle_length, total)
            if size == 0:
                raise ScheduleError(f"cycle_length={self.cycle_length!r} comes to 0 of {total}")
            # What is left over belongs to the last cycle.
            return [size * index for index in range(1, total // size)]
        if isinstance(self.cycles, int):
            count = whole("cycles", self.cycles, at_least=1)
            return [int(total / count * index) for index in range(1, count)]
        return [whole("cycles", end, at_least=1) for end in self.cycles or self.haps or ()]


@translates("levanter", "OptimizerConfig", "AdamConfig", "LionConfig")
def _by_configuration(
    run: LevanterRun, lr_schedule: str | Mapping[str, Any] = "cosine"
) -> Translation:
    """Translate a configuration whose ``lr_schedule`` is a name, or a dict with its ``type``."""
    fields: dict[str, Any] = {"type": lr_schedule}
    if not isinstance(lr_schedule, str):
        fields = dict(lr_schedule)
    name = one_of("lr_schedule", fields.pop("type", None), _SCHEDULES)
    return translate("levanter", name, **vars(run), **fields)


@translates("levanter", "constant", "ConstantLrSchedule")
def _constant(run: LevanterRun) -> Translation:
    return run.translation(lambda phase: hold(at=phase.peak))


@translates("levanter", "cosine", "CosineLrSchedule")
def _cosine(run: LevanterRun, exponent: float = 1.0) -> Translation:
    if exponent == 0:
        return _constant(run)
    return run.translation(lambda phase: _down(phase, cosine_ease("exponent", exponent)))


@translates("levanter", "linear", "LinearLrSchedule")
def _linear(run: LevanterRun) -> Translation:
    return run.translation(lambda phase: _down(phase, "linear"))


@translates("levanter", "polynomial", "PolynomialLrSchedule")
def _polynomial(run: LevanterRun, power: float = 2.0) -> Translation:
    if power == 0:
        return _constant(run)
    return run.translation(lambda phase: _down(phase, power_ease("power", power)))


@translates("levanter", "inv_sqrt", "InvSqrtLrSchedule")
def _inverse_sqrt(run: LevanterRun, timescale: float = 10000) -> Translation:
    scale = Fraction(str(number("timescale", timescale, at_least=1)))

    def decay(phase: CyclePhase) -> Schedule:
        # The root counts the warmup's steps, and is at most 1.
        root = inverse(scale, power=0.5, start=phase.peak)
        wait = scale - phase.warmup
        whole_root = hold(wait, at=phase.peak) >> root if wait > 0 else root[-wait:]
        return _above(phase, whole_root)

    return run.translation(decay)


@translates("levanter", "inv", "InvLrSchedule")
def _inverse(run: LevanterRun) -> Translation:
    number("min_lr_ratio", run.min_lr_ratio, above=0, at_most=1)

    def decay(phase: CyclePhase) -> Schedule:
        if phase.floor == phase.peak or phase.steps == 0:
            return hold(at=phase.floor)
        tau = Fraction(phase.steps) / Fraction(phase.peak / phase.floor - 1)
        if tau < 0:
            return hold(-tau, at=phase.peak) >> hold(at=phase.floor)
        body = inverse(tau, power=1.0, start=phase.peak)
        # It counts from 1; its step 0 has the value of step 1.
        return _above(phase, hold(1, at=body(1)) >> body[1:])

    return run.translation(decay)


@translates("levanter", "inv_sqrt_decay", "InvSqrtDecayLrSchedule")
def _inverse_sqrt_decay(run: LevanterRun, decay_constant: Positive = 28.6) -> Translation:
    rate = Fraction(str(decay_constant))

    def decay(phase: CyclePhase) -> Schedule:
        if phase.steps <= 0:
            return hold(at=phase.peak)
        return _above(phase, inverse(phase.steps / rate, power=0.5, start=phase.peak))

    return run.translation(decay)


@translates("levanter", "power", "PowerLrSchedule")
def _power(
    run: LevanterRun, batch_size: Count, seq_length: Count, a: Positive = 4.6, b: Negative = -0.51
) -> Translation:
    tokens, height = batch_size * seq_length, batch_size * a

    def decay(phase: CyclePhase) -> Schedule:
        # The steps, counted from the decay's own start, until the power falls below the peak.
        met = (phase.peak / height) ** (1 / b) / tokens
        if met >= _FAR:
            return hold(at=phase.peak)
        stays = hold(Fraction(met), at=phase.peak)
        return stays >> inverse(Fraction(met), power=-b, start=phase.peak)

    found = run.translation(decay)
    if run.num_train_steps * tokens < 2**31:
        return found
    note = (
        "levanter counts tokens in 32-bit integers, and its rate is not a number once they "
        f"overflow, {2**31 // tokens} steps after a decay began; here it goes on"
    )
    return replace(found, notes=(*found.notes, note))


_SCHEDULES: Final = (
    *("constant", "cosine", "linear", "polynomial"),
    *("inv_sqrt", "inv", "inv_sqrt_decay", "power"),
)


def _down(phase: CyclePhase, ease: str) -> Schedule:
    if phase.steps <= 0:
        return hold(at=phase.peak)
    return go(phase.steps, frm=phase.peak, to=phase.floor, ease=ease)


def _above(phase: CyclePhase, body: Schedule) -> Schedule:
    """Return a decay that is cut off at the floor."""
    return body.clip(low=phase.floor) if phase.floor else body


def _count(name: str, given: float, total: int) -> int:
    """Return the steps that levanter derives from a number of steps, or a share of ``total``."""
    amount = number(name, given, at_least=0)
    if amount <= 1:
        return int(amount * total)
    if amount != int(amount):
        raise ScheduleError(f"{name}={given!r}: above 1 it is a number of steps, which is whole")
    return int(amount)
