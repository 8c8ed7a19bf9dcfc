"""Schedules: immutable values that map a step to a number.

A schedule is built from four leaves,

* a *piece* goes from level to level: :func:`linear`, :func:`cosine`, :func:`ramp`, :func:`hold`;
* a *law* goes on for ever: :func:`exponential`, :func:`inverse`;
* a *table* has one value a step: :func:`table`;
* a *formula* is a function of the step: :func:`formula`;

by seven operators: ``a >> b`` (then), ``a * b``, ``a + b`` (with numbers and schedules),
``s[a:b]`` (a slice), :meth:`~Schedule.repeat`, :meth:`~Schedule.every` and
:meth:`~Schedule.clip`. :meth:`~Schedule.over` places one over a run, which gives shares and epochs
their length.

>>> import lehr
>>> s = lehr.warmup(100) >> lehr.hold() >> lehr.cosine("20%", to=0.1)
>>> s
warmup(100) >> hold() >> cosine('20%', to=0.1)
>>> run = s.over(1_000)
>>> [round(run(t), 4) for t in (0, 50, 100, 800, 900, 1_000)]
[0.0, 0.5, 1.0, 1.0, 0.55, 0.1]

Conventions, the same for all:

* The value at step ``t`` (from 0) is what update ``t`` uses. At a boundary the next piece speaks:
  a piece of ``n`` steps reaches its end level at ``t = n``.
* A piece without ``start`` begins at the end level of the piece before it; the first begins at 1.
  The level passes through ``>>``, slices, ``repeat`` (every cycle begins at the same entry
  level), ``every`` and ``clip``. It does not enter the operands of ``*`` and ``+``, nor a schedule
  placed by ``over``: those begin at 1.
* A share is a share of the run, wherever it stands, and only ``over`` makes a run.
* One part of a sequence may have no length: it takes what the others leave.
* Past its end a schedule holds the level that it ended at.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import fields
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from lehr.curves import Curve, Path
from lehr.curves.arithmetic import as_number, scalars, untraced
from lehr.errors import ScheduleError
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.schedule.run import Run
from lehr.time.duration import Duration, DurationLike, exact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BatchLike", "Reach", "Schedule", "Span"]


class Reach(Enum):
    """How a schedule's length is known, before it is placed."""

    FIXED = "fixed"
    """By its own durations."""
    FLEXIBLE = "flexible"
    """It takes what is left, and needs that to be known."""
    ENDLESS = "endless"
    """It takes what is left, and goes on for ever where nothing ends it."""


class Span(NamedTuple):
    """The length of a fixed part, in steps.

    Attributes:
        steps: Not rounded.
        rounds: Whether the boundary that it ends at is rounded to a whole step.
        shares: Whether it asks for a share of the run, which it can then ask too much of.
    """

    steps: Fraction
    rounds: bool
    shares: bool


class Schedule(ABC):
    """A number for every step; see the module for how they are built and combined."""

    # ----- asking -------------------------------------------------------------------------------

    @overload
    def __call__(self, t: int | float) -> float: ...
    @overload
    def __call__(self, t: Any) -> Any: ...
    def __call__(self, t: Any) -> Any:
        """Return the value at step ``t``.

        Arguments:
            t: A step, at least 0, as a Python or NumPy number; or an array of steps of any array
                library, of any shape. Integers give the widest float that there is, real numbers
                keep their type. (A float32 step above 2**24 is not the step that was meant.)

        Returns:
            A float for a number, an array of the same kind and shape for an array.

        Raises:
            NeedsHorizon: If it has shares, epochs or a part without length: place it by ``over``.
            ScheduleError: If a step is negative (seen for numbers and NumPy arrays).
            TypeError: If ``t`` is not a step.
        """
        if type(t) is int:
            if t < 0:
                raise ScheduleError(f"step t={t} is negative; the first is 0")
            return self._finite(t)
        if type(t) is float:
            if not math.isfinite(t) or t < 0:
                raise ScheduleError(f"step t={t!r} must be a finite number of at least 0")
            return self._finite(t)
        if isinstance(t, bool):
            raise TypeError(f"t={t!r} is a bool, not a step")
        if hasattr(t, "param_groups"):
            raise TypeError(
                "a schedule is only a number at each step; to drive an optimizer write "
                "lehr.torch.Scheduler(optimizer, lr=schedule, over=steps)"
            )
        # Imported here because it needs NumPy, which plain numbers do without.
        from lehr.curves import arrays

        _prepare(self)
        return arrays.evaluate(self._path, t)

    def _finite(self, t: int | float) -> float:
        value = self._path.value(t, scalars)
        if not math.isfinite(value):
            raise ScheduleError(f"{self} has no finite value at step {t}")
        return value

    @property
    def length(self) -> int | float | None:
        """Its length in steps, or None where it has no end."""
        return None if self._path.length is None else as_number(self._path.length)

    @property
    def bounds(self) -> tuple[float, float]:
        """Two numbers that all its values lie between (not always the tightest)."""
        return self._path.low, self._path.high

    @property
    def calls(self) -> bool:
        """Whether it calls a function of the user's, which is then not asked ahead of time."""
        return self._path.calls

    @property
    def end(self) -> float:
        """The level that it ends at and holds from then on."""
        return self._path.end

    def values(self) -> NDArray[np.float64]:
        """Return the values of every step of the run, from 0 to its length, without the end.

        Raises:
            ScheduleError: If it has no end.
        """
        length = self.length
        if length is None:
            raise ScheduleError(f"{self} has no end; write .over(1000) first")
        import numpy as np

        return self(np.arange(math.ceil(length)))

    # ----- combining ----------------------------------------------------------------------------

    def over(
        self,
        horizon: HorizonLike,
        *,
        steps_per_epoch: int | None = None,
        samples_per_epoch: int | None = None,
        batch: BatchLike | None = None,
        sequence: int | None = None,
        closed: bool = False,
        past: Literal["hold", "raise"] = "hold",
    ) -> Schedule:
        """Place the schedule over a run, which gives shares, epochs and open parts their length.

        Arguments:
            horizon: The run's length (steps, ``"30ep"``, ``"2Gtok"``, a
                :class:`~lehr.Horizon`), or its share of the run that this one is part of.
            steps_per_epoch: Updates in an epoch; this and the next three, where ``horizon`` does
                not say it: see :class:`~lehr.Horizon`.
            samples_per_epoch: Samples in an epoch, in its place.
            batch: Samples in an update: a number, one for each step, or a schedule.
            sequence: Tokens in a sample.
            closed: Put the end level on the last step of the run, rather than on the step after.
            past: What a step after the run gives: the end level, or :class:`PastEnd`.

        Raises:
            ScheduleError: If the schedule does not fit.

        Example:
            >>> import lehr
            >>> lehr.linear().over(4)(3), lehr.linear().over(4, closed=True)(3)
            (0.25, 0.0)
        """
        from lehr.schedule.times import Over

        units = {"samples_per_epoch": samples_per_epoch, "batch": batch, "sequence": sequence}
        return Over(self, Horizon.of(horizon, steps_per_epoch, **units), closed, past)

    def repeat(
        self,
        times: int | None = None,
        *,
        stretch: int | float | Fraction | str = 1,
        scale: float = 1.0,
    ) -> Schedule:
        """Do it again and again: cycle ``k`` is ``scale**k`` as high and ``stretch**k`` as long.

        Arguments:
            times: How many cycles, at least 1; None for as many as there is room for.
            stretch: Greater than 0; ``"4/3"`` is exact.
            scale: Greater than 0.

        Raises:
            ScheduleError: If one cycle has no length of its own, or no end.

        Example:
            >>> import lehr
            >>> s = lehr.linear(2).repeat(scale=0.5)
            >>> [s(t) for t in range(6)]
            [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
        """
        from lehr.schedule.times import Repeat

        return Repeat(self, times, exact("stretch", stretch), scale)

    def every(self, steps: DurationLike) -> Schedule:
        """Make a staircase: hold each value from one multiple of ``steps`` to the next.

        Example:
            >>> import lehr
            >>> s = lehr.linear(6).every(3)
            >>> [s(t) for t in range(6)]
            [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
        """
        from lehr.schedule.values import Every

        return Every(self, Duration.of(steps))

    def clip(self, low: float = -math.inf, high: float = math.inf) -> Schedule:
        """Keep the values between two levels.

        Raises:
            ScheduleError: If ``low`` is above ``high``, or neither is given.
        """
        from lehr.schedule.values import Clip

        return Clip(self, low, high)

    def __rshift__(self, other: Schedule) -> Schedule:
        from lehr.schedule.sequence import Sequence

        return Sequence((self, other)) if isinstance(other, Schedule) else NotImplemented

    def __mul__(self, other: Schedule | float) -> Schedule:
        from lehr.schedule.values import Product

        return Product(self, other) if _is_operand(other) else NotImplemented

    def __add__(self, other: Schedule | float) -> Schedule:
        from lehr.schedule.values import Sum

        return Sum(self, other) if _is_operand(other) else NotImplemented

    __rmul__ = __mul__
    __radd__ = __add__

    def __neg__(self) -> Schedule:
        return self * -1.0

    def __sub__(self, other: Schedule | float) -> Schedule:
        return self + -other if _is_operand(other) else NotImplemented

    def __rsub__(self, other: float) -> Schedule:
        return -self + other if _is_operand(other) else NotImplemented

    def __truediv__(self, other: float) -> Schedule:
        if not _is_operand(other) or isinstance(other, Schedule):
            return NotImplemented
        if other == 0:
            raise ScheduleError(f"{self} / 0 has no value")
        return self * (1 / float(other))

    def __getitem__(self, item: slice) -> Schedule:
        if not isinstance(item, slice):
            raise TypeError(f"[{item!r}]: write s({item!r}) for a value, s[a:b] for a stretch")
        if item.step is not None:
            raise ScheduleError(f"slice step {item.step!r}: a stretch has none; see .every()")
        from lehr.schedule.times import Slice

        start = Duration.of(0 if item.start is None else item.start, "slice start")
        return Slice(self, start, None if item.stop is None else Duration.of(item.stop, "stop"))

    def __iter__(self) -> Iterator[float]:
        # Without this, Python would try s[0], s[1], ... and fail with a puzzling message.
        raise TypeError("a schedule is not a list; write s.over(1000).values()")

    # ----- placing ------------------------------------------------------------------------------

    @cached_property
    def _path(self) -> Path:
        curve = self._place(Run(), 1.0, None)
        return curve if isinstance(curve, Path) else Path([curve])

    @property
    @abstractmethod
    def _reach(self) -> Reach:
        """How its length is known."""

    @abstractmethod
    def _span(self, run: Run) -> Span:
        """Return the length of a fixed schedule in a run."""

    @abstractmethod
    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        """Return its curve.

        Arguments:
            run: Where durations become steps.
            entry: The level at which a piece without a start begins.
            room: What an open schedule may take, or None where nothing ends it.
            size: The length of a piece, where its sequence has rounded it.
        """

    # ----- as a value ---------------------------------------------------------------------------

    @abstractmethod
    def _text(self) -> tuple[str, int]:
        """Return its text and how strongly that binds: one of the levels below."""

    def __repr__(self) -> str:
        return self._text()[0]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a plain dict, for JSON, YAML or TOML; :func:`lehr.from_dict` reads it.

        Raises:
            ScheduleError: If it holds a function without a name (see :func:`lehr.register`).

        Example:
            >>> import lehr
            >>> lehr.cosine("20%", to=0.1).to_dict()
            {'lehr': 1, 'kind': 'piece', 'steps': '20%', 'to': 0.1, 'ease': 'cosine'}
        """
        from lehr.notation import to_dict

        return to_dict(self)

    def to_json(self) -> str:
        """Return it as JSON text, in lines that compare well; :func:`lehr.from_json` reads it.

        Raises:
            ScheduleError: If it holds a function without a name (see :func:`lehr.register`).
        """
        from lehr.notation import to_json

        return to_json(self)

    def __getstate__(self) -> dict[str, Any]:
        # The placed curve is only a cache.
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


BatchLike = int | Iterable[int] | Schedule


@untraced
def _prepare(schedule: Schedule) -> bool:
    return bool(schedule._path.parts)


# How strongly a text binds, as Python's own operators do.
THEN, PLUS, TIMES, ATOM = 1, 2, 3, 4


def bracketed(schedule: Schedule, strength: int) -> str:
    """Return a schedule's text for use inside an operator, in brackets where it needs them."""
    text, own = schedule._text()
    return text if own >= strength else f"({text})"


def call(function: str, *given: tuple[str, Any, Any]) -> str:
    """Write a call with the arguments (name, value, default) that differ from their default.

    One without a name is positional.
    """
    parts = [
        f"{name}={value}" if name else str(value)
        for name, value, default in given
        if value != default
    ]
    return f"{function}({', '.join(parts)})"


def _is_operand(value: Any) -> bool:
    return isinstance(value, Schedule | int | float) and not isinstance(value, bool)
