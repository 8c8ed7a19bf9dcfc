"""Arguments that timm's schedulers share: a warmup, and cycles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import LONGEST, exact
from lehr.translate.arguments import share_of, steps
from lehr.translate.pieces import differing, go, then
from lehr.translate.registry import Translation, ignores

# Noise is refused, and without it these arguments make no difference.
ignores("timm", "noise_pct", "noise_std", "noise_seed", "noise_type", "initialize")


@dataclass(frozen=True, kw_only=True)
class TimmWarmup:
    """The arguments that all of timm's schedulers have, mostly for the warmup."""

    warmup_t: float = 0
    warmup_lr_init: float = 0.0
    t_in_epochs: bool = True
    noise_range_t: float | Sequence[float] | None = None
    lr: float | None = None

    def __post_init__(self) -> None:
        if self.noise_range_t is not None:
            raise ScheduleError(
                f"noise_range_t={self.noise_range_t!r}: timm draws noise at random, which a "
                "schedule does not; leave it out"
            )

    @property
    def length(self) -> int | Fraction:
        return steps("warmup_t", self.warmup_t)

    def floor(self, lr_min: float) -> float:
        """Return the lowest rate as a factor of the optimizer's."""
        return share_of(self.lr, lr_min=lr_min)[0]

    def before(self, body: Schedule, prefix: bool, to: float = 1.0) -> Schedule:
        """Return the warmup up to a level, with ``body`` after it, or begun under it."""
        if not self.length:
            return body
        (start,) = share_of(self.lr, warmup_lr_init=self.warmup_lr_init)
        return go(self.length, frm=start, to=to) >> (body if prefix else body[self.length :])


@dataclass(frozen=True, kw_only=True)
class TimmCycles:
    """The arguments of timm's schedulers that restart."""

    t_initial: float
    lr_min: float = 0.0
    cycle_mul: float = 1.0
    cycle_decay: float = 1.0
    cycle_limit: int = 1
    warmup_prefix: bool = False
    faithful: bool = False

    def translation(
        self, warmup: TimmWarmup, ease: str, top: float = 1.0, bottom: float = 0.0
    ) -> Translation:
        """Return the cycles with their warmup, and a note about the restarts that timm misses.

        Each cycle goes from the share ``top`` of its height to the share ``bottom``.
        """
        cycles = _Restarts(
            size=steps("t_initial", self.t_initial, at_least=1),
            growth=exact("cycle_mul", self.cycle_mul),
            decay=self.cycle_decay,
            limit=self.cycle_limit,
            floor=warmup.floor(self.lr_min),
            ease=ease,
            top=top,
            bottom=bottom,
        )
        missed = cycles.missed()
        body = cycles.path({*missed} if self.faithful else set())
        # A warmup over the cycles rises to the level at which it meets them.
        meets = top != 1 and not self.warmup_prefix
        to = body(float(warmup.length)) if meets else 1.0
        note = ""
        if missed and not self.faithful:
            late = ", ".join(str(begin) for begin in missed.values())
            note = (
                f"at step {late} of its cycles timm misses the restart by a rounding error and "
                "gives the end of the cycle before; here the next cycle begins"
            )
        return differing(warmup.before(body, self.warmup_prefix, to), note)


@dataclass(frozen=True)
class _Restarts:
    """At most ``limit`` cycles, from ``decay**i`` times the rate down to the floor, a factor.

    The first has ``size`` steps, and each ``growth`` times as many as the one before.
    """

    size: int | Fraction
    growth: Fraction
    decay: float
    limit: int
    floor: float
    ease: str
    top: float
    bottom: float

    def path(self, missed: set[int]) -> Schedule:
        """Return all cycles; those that are ``missed`` begin one step late."""
        if self.limit == 0:
            return hold(at=self.floor)
        if self.limit == 1 and not missed:
            body = self._one(0)
        elif missed or (self.floor and self.decay != 1):
            parts = [self._one(index) for index in range(self.limit)]
            for index in missed:
                late = hold(1, at=parts[index - 1].end)
                if index < self.limit:
                    parts[index] = late >> parts[index][1:]
                else:
                    parts.append(late)
            body = then(parts)
        else:
            body = self._one(0).repeat(self.limit, stretch=self.growth, scale=self.decay)
        return body >> hold(at=self.floor) if self.bottom else body

    def _one(self, index: int) -> Schedule:
        """Return the cycle of that number (from 0)."""
        height = self.decay**index - self.floor
        return go(
            self.size * self.growth**index,
            frm=self.floor + height * self.top,
            to=self.floor + height * self.bottom,
            ease=self.ease,
        )

    def missed(self) -> dict[int, int]:
        """Return the cycles, with their first step, whose start timm's logarithm misses."""
        missed: dict[int, int] = {}
        begin, length, growth = Fraction(0), self.size, float(self.growth)
        # The end of the last cycle shows only if it does not end at the floor.
        last = self.limit + (self.bottom > 0) if self.growth != 1 else 1
        for index in range(1, last):
            begin, length = begin + length, length * self.growth
            if begin > LONGEST or length < 1:
                break
            if begin.denominator == 1:
                elapsed = float(begin) / float(self.size)
                seen = math.floor(math.log(1 - elapsed * (1 - growth), growth))
                if seen < index:
                    missed[index] = begin.numerator
        return missed
