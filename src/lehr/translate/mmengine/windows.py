"""The effect of one scheduler of mmengine on a number, step by step, in its window."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import Count, NotNegative
from lehr.translate.pieces import go, scaled, then

INF: Final = 10**9
"""The number that mmengine uses for no end."""
_OVERWRITTEN: Final = (
    "mmengine keeps the bounds of a OneCycleLR in the groups, where those of the last one in the "
    "list overwrite the others; here each has its own"
)


@dataclass(frozen=True, kw_only=True)
class MMBase:
    """The optimizer's own numbers, and whether to reproduce what is plainly wrong."""

    lr: float | None = None
    momentum: float | None = None
    faithful: bool = False


@dataclass(frozen=True, kw_only=True)
class MMWindow:
    """The arguments that say on which steps a scheduler acts."""

    begin: NotNegative = 0
    end: float = INF
    by_epoch: bool = True
    epoch_length: Count | None = None
    convert_to_iter_based: bool = False
    last_step: int = -1
    verbose: bool = False

    def __post_init__(self) -> None:
        if self.epoch_length is not None and not self.by_epoch:
            raise ScheduleError(f"epoch_length={self.epoch_length!r} needs by_epoch=True")
        if self.epoch_length is None and self.convert_to_iter_based:
            raise ScheduleError("convert_to_iter_based=True needs epoch_length")
        if self.last <= -1:
            raise ScheduleError(f"end={self.end!r} must be larger than begin={self.begin!r}")

    @property
    def per(self) -> int:
        """The steps of one unit of the arguments."""
        return 1 if self.epoch_length is None else self.epoch_length

    @property
    def first(self) -> int:
        """The first step of the window."""
        return int(self.begin * self.per)

    @property
    def after(self) -> int:
        """The first step after the window; ``INF`` if it has no end."""
        return INF if self.end == INF else int(self.end * self.per)

    @property
    def last(self) -> int:
        """The last step of the window, counted from its first."""
        return self.after - self.first - 1


class Effect(abc.ABC):
    """The effect of one scheduler on a number. Its steps are counted from the first of its window.

    After ``length`` steps it changes nothing, even where its window is longer.
    """

    def __init__(
        self, window: MMWindow, length: int | None = None, notes: Sequence[str] = ()
    ) -> None:
        size = window.last + 1 if length is None else min(window.last + 1, length)
        self.begin = window.first
        self.end = None if window.after == INF and length is None else window.first + size
        self.by_epoch = window.by_epoch and window.epoch_length is None
        self.notes = [note for note in notes if note]
        # The steps at which it begins anew, whatever it finds.
        self.starts = [0]
        # Whether it goes back to the optimizer's own number.
        self.needs_base = False
        # The least value that it gives, if it finds 0 or more; not finite if that is unknown.
        self.low = 0.0
        # Its factor on what it finds, if it has one; None if it goes to a floor of its own.
        self.factor: Schedule | None = None

    @abc.abstractmethod
    def apply(self, n: int, found: float) -> float:
        """Return the value at its step ``n``, given the one that it finds there."""

    @abc.abstractmethod
    def alone(self, n: int, found: float) -> Schedule | None:
        """Return its curve from step ``n`` on, if nothing else acts; None if it has no formula."""


class Affine(Effect):
    """A scheduler that moves what it finds towards a floor, by a share at each step.

    Arguments:
        window: The steps that it acts on.
        share: The share of the way to the floor that is left, from 1 before the first step.
        floor: The floor.
        shape: Called with the level at the top; returns the curve from there to the floor.
        length: The number of steps after which it changes nothing.
        notes: How it differs from mmengine.
        bounces: Whether it goes up again from the floor, to the optimizer's own number.
        zeroes: Whether it multiplies by 0 at a step after its first, if it ever does.
    """

    def __init__(
        self,
        window: MMWindow,
        share: Schedule,
        floor: float = 0.0,
        shape: Callable[[float], Schedule] | None = None,
        *,
        length: int | None = None,
        notes: Sequence[str] = (),
        bounces: bool = False,
        zeroes: Callable[[int], bool] = lambda _: False,
    ) -> None:
        super().__init__(window, length, notes)
        self._share, self._floor, self._bounces, self._zeroes = share, floor, bounces, zeroes
        self._shape = shape or self._scaled
        self.needs_base = bounces
        self.factor = None if floor or bounces else share

    def _scaled(self, top: float) -> Schedule:
        return scaled(self._share, top)

    def _left(self, n: int) -> float:
        return 1.0 if n < 0 else self._share(n)

    def apply(self, n: int, found: float) -> float:
        before = self._left(n - 1)
        if before == 0:
            if self._bounces:
                return found + (1.0 - self._floor) * self._left(n)
            return 0.0 if self._zeroes(n) else found
        return self._floor + (found - self._floor) * self._left(n) / before

    def alone(self, n: int, found: float) -> Schedule | None:
        before = self._left(n - 1)
        if n and (self._bounces or before == 0):
            return None
        top = self._floor + (found - self._floor) / before
        return self._shape(top)[n:] if n else self._shape(top)


class Restarting(Effect):
    """Cosines to a floor, each of its own length and from a level of its own."""

    def __init__(
        self, window: MMWindow, lengths: Sequence[int], levels: Sequence[float], floor: float
    ) -> None:
        # After the last period the rate stays at the value of its last step.
        super().__init__(window, sum(lengths))
        self._lengths, self._levels, self._floor = list(lengths), list(levels), floor
        self.starts = [sum(lengths[:index]) for index in range(len(lengths))]
        self.needs_base = True

    def _cosine(self, n: int, top: float) -> tuple[int, Schedule]:
        """Return the period's own step, and the period's curve from a level."""
        index = max(i for i, start in enumerate(self.starts) if start <= n)
        curve = go(self._lengths[index], frm=top, to=self._floor, ease="cosine")
        return n - self.starts[index], curve

    def apply(self, n: int, found: float) -> float:
        own, share = self._cosine(n, 1.0 + self._floor)
        if own == 0:
            return self._levels[self.starts.index(n)]
        left, before = (share(t) - self._floor for t in (own, own - 1))
        return self._floor + (found - self._floor) * left / before

    def alone(self, n: int, found: float) -> Schedule | None:
        if n in self.starts:
            index = self.starts.index(n)
            parts = zip(self._lengths[index:], self._levels[index:], strict=True)
            return then(go(size, frm=top, to=self._floor, ease="cosine") for size, top in parts)
        own, share = self._cosine(n, 1.0 + self._floor)
        before = share(own - 1) - self._floor
        return self._cosine(n, self._floor + (found - self._floor) / before)[1][own:]


class Assigning(Effect):
    """A scheduler that sets the number itself, whatever it finds."""

    def __init__(self, window: MMWindow, curve: Schedule, notes: Sequence[str]) -> None:
        super().__init__(window, None, notes)
        self._window, self._curve = window, curve
        # If faithful, the curve may go below 0 past its end, and others multiply that.
        self.low = 0.0 if curve.bounds[0] >= 0 else -math.inf

    def scaled(self, factor: float) -> Assigning:
        """Return the same with the number times a factor."""
        return Assigning(self._window, self._curve * factor, self.notes)

    def overwritten(self, last: Assigning, *, faithful: bool) -> Assigning:
        """Return this one; if ``faithful``, with the bounds of the last one in the list.

        mmengine keeps bounds in the groups. The value at step 0 is set before they are overwritten.
        """
        if self._curve == last._curve:
            return self
        if not faithful:
            return Assigning(self._window, self._curve, [*self.notes, _OVERWRITTEN])
        curve = last._curve if self.begin else hold(1, at=self._curve(0)) >> last._curve[1:]
        return Assigning(self._window, curve, last.notes)

    def apply(self, n: int, found: float) -> float:
        return self._curve(n)

    def alone(self, n: int, found: float) -> Schedule | None:
        return self._curve[n:] if n else self._curve


def placed(effect: Effect, curve: Schedule, before: float = 1.0) -> Schedule:
    """Return a curve in the window of an effect, a level before it, and its last value after it."""
    if effect.end is not None:
        last = effect.end - effect.begin - 1
        if curve.length is None or Fraction(curve.length) > last:
            curve = curve[:last]
    if not effect.begin:
        return curve
    return hold(effect.begin, at=before) >> hold(0, at=1.0) >> curve
