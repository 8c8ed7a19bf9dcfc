"""The children of a container, as schedules that can be composed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from lehr.curves import Curve, Path
from lehr.curves.path import Window
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.schedule.node import ATOM, Length, Reach, Site
from lehr.schedule.run import Run
from lehr.torch.binding import Binding, Slot
from lehr.torch.driver import Driver


@dataclass(frozen=True, repr=False)
class Switch(Schedule):
    """Endless schedules one after the other, each from its own beginning.

    Unlike in a sequence, no level passes from one to the next, and no user-defined function is
    called for a value that is not used.
    """

    parts: tuple[Schedule, ...]
    milestones: tuple[int, ...]

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS

    def _span(self, run: Run) -> Length | None:
        return None

    def _place(self, at: Site) -> Curve:
        lengths = [b - a for a, b in zip((0, *self.milestones), self.milestones, strict=False)]
        curves = [
            Window(part._path, Fraction(0), None if length is None else Fraction(length))
            for part, length in zip(self.parts, [*lengths, None], strict=True)
        ]
        return Path(curves)

    def _text(self) -> tuple[str, int]:
        return f"switch({list(self.parts)}, {list(self.milestones)})", ATOM


@dataclass(frozen=True)
class Part:
    """A child's value of one number of one group: ``offset + gain * schedule(position)``.

    Attributes:
        absolute: Whether it is independent of what the group was given.
    """

    schedule: Schedule
    binding: Binding
    absolute: bool = False

    @property
    def value(self) -> Schedule:
        """The number itself, as a schedule."""
        if self.binding == Binding():
            return self.schedule
        return self.schedule * self.binding.gain + self.binding.offset

    def ratio(self, base: float) -> Schedule | None:
        """Return the number over the group's base; None where that is not finite."""
        if self.binding == Binding(gain=base):
            return self.schedule
        scale, high = 1 / base if base else math.inf, self.value.bounds[1]
        overflows = scale == math.inf or (high * scale == math.inf > high)
        return None if overflows else self.value * scale

    def at(self, position: int, base: float) -> Part:
        """Return it held at the value of one position."""
        level = float(self.value(position))
        return Part(hold(at=1.0), Binding(gain=level), self.absolute or level != base)


def part_of(child: Driver, slot: Slot, index: int) -> Part | None:
    """Return a child's value of a number of a group; None if it does not drive that."""
    driven = child.plan.of_slot(slot, index)
    if driven is None:
        return None
    offset, gain = driven.line(index)
    return Part(driven.levels.schedule, Binding(gain, offset), driven.absolute)


def still(level: float) -> Part:
    """Return a constant number."""
    return Part(hold(at=1.0), Binding(gain=level))
