"""Schedules over wall-clock time: ``cosine().over("90min")``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NoReturn, cast

from lehr.errors import NeedsClock, ScheduleError, number, whole
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.arguments import checked
from lehr.time.duration import LONGEST, SECONDS, STEPS
from lehr.walltime.node import node_of
from lehr.walltime.parts import Counts, OuterRun, Walk


class WallClock:
    """A schedule that follows wall-clock time.

    Its value is not a function of the step: it depends on how long the updates took. So it is not
    called with steps; instead, call :meth:`advance` after each update, which returns the value for
    the next one. Parts in seconds and parts in steps may follow each other: in ``warmup(50) >>
    hold() >> cosine("20s")`` over ``"100s"`` the warmup takes 50 updates, the cosine begins at 80
    s, and the hold fills the time between.

    A part ends by its own clock. The parts after the one without a length are counted back from the
    run's end; if they are entered late they run faster to end in time, and if no time is left they
    are a jump. The run's clock stops at its end.

    Arguments:
        schedule: A schedule with lengths in seconds. Lengths in steps may come before or after
            these with ``>>``, or in other factors and summands.
        clock: Returns seconds, from any zero. If it goes back, no time counts as passed.
        agree: Called at each update with the seconds counted by this process; returns the seconds
            that all processes use, such as the broadcast count of rank 0. The count never
            decreases: a lower answer is ignored.

    Raises:
        NeedsClock: If it mixes seconds and steps where that has no meaning: in a repeat, a slice, a
            staircase, or in steps after the part that takes the rest of the time.
        NeedsHorizon: If it takes the rest of a run, but has no run: write ``.over("90min")``.
        ScheduleError: If it does not fit its run, or grows without a bound.

    Example:
        >>> import lehr
        >>> seconds = iter([0, 5, 10, 40, 60])
        >>> wall = WallClock(lehr.linear().over("1min"), clock=lambda: next(seconds))
        >>> wall.value
        1.0
        >>> [round(wall.advance(), 3) for update in range(4)]
        [0.917, 0.833, 0.333, 0.0]
        >>> wall.state_dict()
        {'counters': {'st': 4, 's': 60.0}, 'marks': None}
    """

    @checked
    def __init__(
        self,
        schedule: ScheduleLike,
        *,
        clock: Callable[[], float] = time.monotonic,
        agree: Callable[[float], float] | None = None,
    ) -> None:
        schedule = as_schedule("schedule", schedule)
        self.schedule = schedule
        self._clock, self._agree = clock, agree
        self._node = node_of(schedule, OuterRun())
        self._bounds, _ = self._node.bounds((1.0, 1.0), None)
        if not all(math.isfinite(bound) for bound in self._bounds):
            raise ScheduleError(
                f"{schedule} lies between {self._bounds[0]:g} and {self._bounds[1]:g}: a schedule "
                "over time needs finite bounds; write .clip(low, high), or give a formula its low "
                "and high"
            )
        self._now = Counts()
        self._walk = self._enter()
        self._value = self._walk.value(self._now)
        self._read = 0.0
        self._read = self._reading()

    @property
    def value(self) -> float:
        """The value that the next update uses."""
        return self._value

    @property
    def counters(self) -> dict[str, int | float]:
        """The updates (``"st"``) and the seconds (``"s"``) that have passed."""
        return {STEPS: self._now.steps, SECONDS: self._now.seconds}

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of its values, whatever the clock does."""
        return self._bounds

    def advance(self, steps: int = 1) -> float:
        """Count the updates made and the time since the last count; return the new value.

        Arguments:
            steps: The number of updates made, at least 0.

        Raises:
            ScheduleError: If it is not a whole number, or negative.
        """
        steps = whole("steps", steps, at_least=0)
        reading = self._reading()
        passed = max(reading - self._read, 0.0)
        seconds = self._agreed(min(self._now.seconds + passed, float(LONGEST)))
        now = Counts(self._now.steps + steps, seconds)
        value = self._walk.value(now)
        if not math.isfinite(value):
            raise ScheduleError(f"{self.schedule} has no finite value after {seconds} s")
        self._read, self._now, self._value = reading, now, value
        return value

    def skip(self) -> None:
        """Ignore the time since the last count, as for an evaluation, a checkpoint or a pause."""
        self._read = self._reading()

    def state_dict(self) -> dict[str, Any]:
        """Return the counters and the marks, as plain values for JSON.

        The marks are the running piece, and the counters and level at which it was entered; they
        are None if the counters alone determine the value. The time until the state is loaded does
        not count.
        """
        return {"counters": self.counters, "marks": self._walk.marks()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state; time counts from now on.

        Raises:
            ScheduleError: If it is not a state of this schedule. Nothing changes then.
        """
        if not isinstance(state, dict) or set(state) != {"counters", "marks"}:
            raise ScheduleError(f"state={str(state)[:80]} must have the keys counters and marks")
        counters = cast("dict[str, Any]", state["counters"])
        if not isinstance(counters, dict) or set(counters) != {STEPS, SECONDS}:
            raise ScheduleError(f"counters={str(counters)[:80]} must have the keys st and s")
        steps = whole("counters['st']", counters[STEPS], at_least=0)
        seconds = number("counters['s']", counters[SECONDS], at_least=0, at_most=LONGEST)
        now, walk = Counts(steps, seconds), self._enter()
        walk.restore(state["marks"])
        value = walk.value(now)
        self._now, self._walk, self._value = now, walk, value
        self._read = self._reading()

    def seek(self, step: int) -> NoReturn:
        """Raise NeedsClock, because it is not known how long steps take."""
        raise NeedsClock(
            f"step {step}: {self.schedule} follows elapsed time, so no step has a "
            "value; load a state that was saved there, with load_state_dict(state)"
        )

    def __call__(self, t: Any) -> NoReturn:
        self.seek(t)

    def __repr__(self) -> str:
        return f"WallClock({self.schedule!r})"

    def _enter(self) -> Walk:
        return self._node.enter(Counts(), 1.0, None)

    def _reading(self) -> float:
        reading = float(self._clock())
        # A clock that does not return a finite number has not moved.
        return reading if math.isfinite(reading) else self._read

    def _agreed(self, seconds: float) -> float:
        if self._agree is None:
            return seconds
        agreed = float(self._agree(seconds))
        if not self._now.seconds <= agreed <= LONGEST:
            return self._now.seconds
        return agreed
