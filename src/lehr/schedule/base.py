"""Schedules: immutable values that map a step to a number.

A schedule is built from four leaves,

* a *piece* goes from level to level: :func:`linear`, :func:`cosine`, :func:`ramp`, :func:`hold`;
* a *decay* has no end: :func:`exponential`, :func:`inverse`;
* a *table* has one value for each step: :func:`table`;
* a *formula* is a function of the step: :func:`formula`;

by seven operators: ``a >> b`` (then), ``a * b``, ``a + b`` (with numbers and schedules),
``s[a:b]`` (a slice), :meth:`~Schedule.repeat`, :meth:`~Schedule.every` and
:meth:`~Schedule.clip`. :meth:`~Schedule.over` places it over a run, which gives shares and epochs
their length.

>>> import lehr
>>> s = lehr.warmup(100) >> lehr.hold() >> lehr.cosine("20%", to=0.1)
>>> s
warmup(100) >> hold() >> cosine('20%', to=0.1)
>>> run = s.over(1_000)
>>> [round(run(t), 4) for t in (0, 50, 100, 800, 900, 1_000)]
[0.0, 0.5, 1.0, 1.0, 0.55, 0.1]

Conventions that hold for all schedules:

* The value at step ``t`` (from 0) is what update ``t`` uses. At a boundary the next piece takes
  over: a piece of ``n`` steps reaches its end level at ``t = n``.
* A piece without ``start`` begins at the end level of the piece before it; the first begins at 1.
  The level passes through ``>>``, slices, ``repeat`` (every cycle begins at the same entry
  level), ``every`` and ``clip``. It does not enter the operands of ``*`` and ``+``, nor a schedule
  placed by ``over``: those begin at 1.
* A share is always a share of the run, and only ``over`` makes a run.
* One part of a sequence may have no length: it takes the rest of the run.
* Past its end a schedule holds its end level.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, overload

from lehr.curves.arithmetic import as_number, prepare, scalars
from lehr.errors import ScheduleError, level, shown
from lehr.provided import PROVIDED
from lehr.schedule.arguments import checked
from lehr.schedule.batches import BatchLike
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.schedule.kinds import KINDS, to_plain
from lehr.schedule.node import Node
from lehr.time.duration import Duration, DurationLike, ExactLike

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


_JSON_SCHEMA = {
    "title": "Schedule",
    "description": "A learning-rate schedule of lehr, as a text.",
    "examples": ["warmup('10%') >> cosine(to=0.1)"],
}


class Schedule(Node):
    """A number for every step; see the module for how schedules are built and combined."""

    # Otherwise an array on the left of an operator would apply it element by element.
    __array_ufunc__ = None

    # ----- asking -------------------------------------------------------------------------------

    @overload
    def __call__(self, t: int | float) -> float: ...
    @overload
    def __call__(self, t: Any) -> Any: ...
    def __call__(self, t: Any) -> Any:
        """Return the value at step ``t``.

        Arguments:
            t: A step, at least 0, as a Python or NumPy number; or an array of steps of any array
                library, of any shape. Integers give the widest float type; real numbers keep their
                type. (float32 cannot hold every step above 2**24.)

        Returns:
            A float for a number; for an array, an array of the same kind and shape.

        Raises:
            NeedsHorizon: If it has shares, epochs or a part without a length: place it with
                ``over``.
            ScheduleError: If a step is negative (checked for numbers and NumPy arrays only).
            TypeError: If ``t`` is not a step.
        """
        if type(t) is int:
            if t < 0:
                raise ScheduleError(f"step t={shown(t)} is negative; the first is 0")
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
        # Loads NumPy, which plain numbers do not need.
        from lehr.curves import arrays

        prepare(self, "_path")
        return arrays.evaluate(self._path, t)

    def _finite(self, t: int | float) -> float:
        value = self._path.value(t, scalars)
        if not math.isfinite(value):
            raise ScheduleError(f"{self} has no finite value at step {t}")
        return value

    @property
    def length(self) -> int | float | None:
        """Its length in steps, or None if it has no end."""
        return None if self._path.length is None else as_number(self._path.length)

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of its values (not always the tightest); infinite where unknown."""
        return self._path.low, self._path.high

    @property
    def _has_callbacks(self) -> bool:
        """Whether it calls a user-defined function, which must not be called ahead of time."""
        return self._path.has_callbacks

    @property
    def end(self) -> float:
        """The level at which it ends, and which it holds from then on."""
        return self._path.end

    def values(self) -> NDArray[np.float64]:
        """Return the value of every step from 0 to its length, without the end.

        Raises:
            ScheduleError: If it has no end.
        """
        length = self.length
        if length is None:
            raise ScheduleError(f"{self} has no end; write .over(1000) first")
        import numpy as np

        return self(np.arange(math.ceil(length)))

    # ----- combining ----------------------------------------------------------------------------

    @checked
    def over(
        self,
        horizon: HorizonLike,
        *,
        steps_per_epoch: int | None = None,
        samples_per_epoch: int | None = None,
        batch: BatchLike | None = None,
        sequence: int | None = None,
        drop_last: bool | None = None,
        closed: bool = False,
        past: Literal["hold", "raise"] = "hold",
    ) -> Schedule:
        """Place the schedule over a run, which gives shares, epochs and open parts their length.

        Arguments:
            horizon: The run's length (steps, ``"30ep"``, ``"2Gtok"``, a
                :class:`~lehr.Horizon`), or its share of an outer run.
            steps_per_epoch: Updates in an epoch. This argument and the next four go with a bare
                length: see :class:`~lehr.Horizon`.
            samples_per_epoch: Samples in an epoch, instead of ``steps_per_epoch``.
            batch: Samples in an update: a number, one for each step, or a schedule.
            sequence: Tokens in a sample.
            drop_last: Whether the loader drops the last batch of an epoch if it is not full.
            closed: Whether the end level is on the last step of the run, rather than on the step
                after.
            past: Whether a step after the run gives the end level or raises :class:`PastEnd`.

        Raises:
            ScheduleError: If the schedule does not fit.

        Example:
            >>> import lehr
            >>> lehr.linear().over(4)(3), lehr.linear().over(4, closed=True)(3)
            (0.25, 0.0)
        """
        units = {
            "samples_per_epoch": samples_per_epoch,
            "batch": batch,
            "sequence": sequence,
            "drop_last": drop_last,
        }
        placed = Horizon.of(horizon, steps_per_epoch, **units)
        return KINDS["over"](self, placed, closed, past)

    @checked
    def repeat(
        self,
        times: int | None = None,
        *,
        stretch: ExactLike = 1,
        scale: float = 1.0,
    ) -> Schedule:
        """Repeat it in cycles: cycle ``k`` is ``scale**k`` as high and ``stretch**k`` as long.

        Arguments:
            times: The number of cycles, at least 1; None for as many as fit.
            stretch: Greater than 0; ``"4/3"`` is exact.
            scale: Greater than 0.

        Raises:
            ScheduleError: If a cycle has no length of its own, or no end.

        Example:
            >>> import lehr
            >>> s = lehr.linear(2).repeat(scale=0.5)
            >>> [s(t) for t in range(6)]
            [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
        """
        return KINDS["repeat"](self, times, Fraction(stretch), scale)

    @checked
    def every(self, steps: DurationLike) -> Schedule:
        """Make a staircase: hold each value from one multiple of ``steps`` to the next.

        Example:
            >>> import lehr
            >>> s = lehr.linear(6).every(3)
            >>> [s(t) for t in range(6)]
            [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
        """
        return KINDS["every"](self, Duration.of(steps))

    @checked
    def clip(self, low: float = -math.inf, high: float = math.inf) -> Schedule:
        """Keep the values between two levels.

        Raises:
            ScheduleError: If ``low`` is above ``high``, or neither is given.
        """
        return KINDS["clip"](self, low, high)

    def __rshift__(self, other: Schedule) -> Schedule:
        return KINDS["sequence"]((self, other)) if isinstance(other, Schedule) else NotImplemented

    def __mul__(self, other: Schedule | float) -> Schedule:
        return KINDS["product"](self, other) if _is_operand(other) else NotImplemented

    def __add__(self, other: Schedule | float) -> Schedule:
        return KINDS["sum"](self, other) if _is_operand(other) else NotImplemented

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
        divisor = level("operand", other)
        if divisor == 0:
            raise ScheduleError(f"{self} / 0 has no value")
        return self * (1 / divisor)

    def __getitem__(self, item: slice) -> Schedule:
        """Return a part of the schedule: ``s[a:b]``, where the bounds are durations.

        Bounds in shares and epochs are rounded to whole steps.
        """
        if not isinstance(item, slice):
            raise TypeError(
                f"[{shown(item)}]: write s({shown(item)}) for a value, s[a:b] for a slice"
            )
        if item.step is not None:
            raise ScheduleError(f"slice step {shown(item.step)}: a slice has no step; see .every()")
        start = Duration.of(0 if item.start is None else item.start, "slice start")
        stop = None if item.stop is None else Duration.of(item.stop, "slice stop")
        return KINDS["slice"](self, start, stop)

    def __iter__(self) -> Iterator[float]:
        # Without this, Python would try s[0], s[1], ... and fail with a puzzling message.
        raise TypeError("a schedule is not a list; write s.over(1000).values()")

    # ----- as a value ---------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return it as a plain dict, for JSON, YAML or TOML; :func:`lehr.from_dict` reads it.

        Raises:
            ScheduleError: If it holds a function without a name (see :func:`lehr.register`), or
                more than 200,000 values.

        Example:
            >>> import lehr
            >>> lehr.cosine("20%", to=0.1).to_dict()
            {'lehr': 1, 'kind': 'piece', 'steps': '20%', 'to': 0.1, 'ease': 'cosine'}
        """
        return to_plain(self)

    def to_json(self) -> str:
        """Return it as JSON text, one value per line; :func:`lehr.from_json` reads it.

        Raises:
            ScheduleError: If it holds a function without a name (see :func:`lehr.register`).
        """
        return json.dumps(to_plain(self), indent=2, allow_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Tell pydantic how to read a field of this type: as text, or in the dict form."""
        from pydantic_core import core_schema  # Loads pydantic, which calls this.

        def written(schedule: Schedule) -> str:
            to_plain(schedule)  # raises for a function without a name, which no text can express
            return repr(schedule)

        text = core_schema.str_schema(metadata={"pydantic_js_updates": _JSON_SCHEMA})
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(
                PROVIDED["read_schedule"],
                core_schema.union_schema([text, core_schema.dict_schema()]),
            ),
            python_schema=core_schema.no_info_plain_validator_function(PROVIDED["read_schedule"]),
            serialization=core_schema.plain_serializer_function_ser_schema(written),
        )

    # ----- as a picture -------------------------------------------------------------------------

    def plot(
        self,
        steps: int | None = None,
        *,
        axes: Axes | None = None,
        peak: float = 1.0,
        log: bool = False,
        **options: Any,
    ) -> Axes:
        """Draw it with matplotlib.

        Arguments:
            steps: The length of the run to draw; by default its own, or 1,000 if it has none.
            axes: Where to draw; by default pyplot's current axes.
            peak: The rate at 1: the values are multiplied by it.
            log: Whether the axis of the values is logarithmic.
            **options: Further arguments for ``Axes.plot``, such as ``color``. The default label is
                the schedule's text.

        Returns:
            The axes.

        Raises:
            NeedsHorizon: If it has epochs or tokens: place it with ``over``.
            ScheduleError: If it does not fit the run, or ``steps`` or ``peak`` is out of range.
            MissingExtra: If matplotlib is not installed.
        """
        return PROVIDED["plot"](self, steps, axes=axes, peak=peak, log=log, **options)

    def _repr_html_(self) -> str:
        """Return its picture and its text, for a notebook."""
        return PROVIDED["schedule_html"](self)


def _is_operand(value: Any) -> bool:
    return isinstance(value, Schedule | Real) and not isinstance(value, bool)
