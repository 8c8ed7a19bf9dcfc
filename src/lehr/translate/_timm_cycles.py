"""What timm's cosine, tanh and polynomial have in common: a warmup, and cycles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import LONGEST, exact
from lehr.translate._parts import differing, go, share_of, steps, then
from lehr.translate.registry import Translation

__all__ = ["Cycles", "Warmup"]


@dataclass(frozen=True)
class Warmup:
    """timm's warmup, and whether what follows waits for it."""

    length: int | Fraction
    start: float
    prefix: bool

    @classmethod
    def of(cls, length: float, rate: float, prefix: bool, lr: float | None) -> Warmup:
        count = steps("warmup_t", length)
        return cls(count, share_of(lr, warmup_lr_init=rate)[0] if count else 0.0, prefix)

    def before(self, body: Schedule, to: float = 1.0) -> Schedule:
        """Return the warmup with ``body`` after it, or under it."""
        if not self.length:
            return body
        return go(self.length, frm=self.start, to=to) >> (
            body if self.prefix else body[self.length :]
        )


@dataclass(frozen=True)
class Cycles:
    """Restarts of one ease, from ``decay**i`` times the rate down to the floor.

    Arguments:
        size: The length of the first cycle.
        mul: Each length over the one before.
        decay: Each peak over the one before.
        limit: How many; then the floor.
        floor: As a factor of the rate.
        ease: How each goes down.
        top: The share of the height that it begins at.
        bottom: The share of the height that it ends at.
    """

    size: int | Fraction
    mul: float
    decay: float
    limit: int
    floor: float
    ease: str
    top: float = 1.0
    bottom: float = 0.0

    def translation(self, rise: Warmup, faithful: bool, meet: bool = False) -> Translation:
        """Return the cycles with their warmup, and what differs.

        Arguments:
            rise: The warmup.
            faithful: Miss the restarts that timm misses.
            meet: Whether a warmup over the cycles goes to where it meets them.
        """
        missed = self._missed()
        body = self._body({*missed} if faithful else set())
        to = body(float(rise.length)) if meet and not rise.prefix else 1.0
        note = ""
        if missed and not faithful:
            late = ", ".join(str(begin) for begin in missed.values())
            note = (
                f"at step {late} of its cycles timm misses the restart by a rounding error and "
                "gives the end of the cycle before; here what comes next begins"
            )
        return differing(rise.before(body, to), note)

    def _body(self, missed: set[int]) -> Schedule:
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
            body = self._one(0).repeat(self.limit, stretch=self.mul, scale=self.decay)
        return body >> hold(at=self.floor) if self.bottom else body

    def _one(self, index: int) -> Schedule:
        """Return the cycle of that number (from 0)."""
        length = self.size * exact("cycle_mul", self.mul) ** index
        height = self.decay**index - self.floor
        return go(
            length,
            frm=self.floor + height * self.top,
            to=self.floor + height * self.bottom,
            ease=self.ease,
        )

    def _missed(self) -> dict[int, int]:
        """Return the cycles (with their first step) that timm's logarithm does not see begin."""
        missed: dict[int, int] = {}
        growth, begin, length = exact("cycle_mul", self.mul), Fraction(0), self.size
        # That the last cycle is over shows only where it does not end at the floor.
        last = self.limit + (self.bottom > 0) if self.mul != 1 else 1
        for index in range(1, last):
            begin, length = begin + length, length * growth
            if begin > LONGEST or length < 1:
                break
            if begin.denominator == 1:
                elapsed = float(begin) / float(self.size)
                seen = math.floor(math.log(1 - elapsed * (1 - self.mul), self.mul))
                if seen < index:
                    missed[index] = begin.numerator
        return missed
