"""Changing the plan of a scheduler in mid-run: the past stays, and a resumed run has the change."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from lehr.curves.easing import Ease
from lehr.errors import NeedsClock, ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.run import Run
from lehr.time.duration import Duration, DurationLike
from lehr.torch.plan import Planned

__all__ = ["Changeable"]


class Changeable(Planned):
    """A driver whose plan may change while it runs."""

    @property
    def history(self) -> list[dict[str, Any]]:
        """The changes of plan so far, in plain types: where, which, and with which arguments."""
        return [dict(change) for change in self._changes]

    def extend(self, steps: DurationLike, *, of: str = "lr") -> None:
        """Make the run longer from here on, by stretching what is left of the schedule.

        Arguments:
            steps: How many steps longer, at least 1; or a duration such as ``"10%"`` of the run.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If the schedule is at its end, or has none. Nothing is changed then.

        Example:
            >>> import lehr, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
            >>> scheduler = Scheduler(optimizer, lehr.linear(), over=100)
            >>> scheduler.seek(50)
            >>> scheduler.extend(100)
            >>> scheduler.seek(125)
            >>> scheduler.get_last_lr()
            [0.25]
        """
        self._change("extend", of, steps=self._whole("steps", steps))

    def cooldown(
        self, steps: DurationLike, *, to: float = 0.0, ease: str = "linear", of: str = "lr"
    ) -> None:
        """End the run from here: go down to a level, from whatever the level is now.

        Arguments:
            steps: In how many steps, at least 1.
            to: The level at the end, at least 0.
            ease: How it goes: a name from :class:`lehr.Ease`, such as ``"cosine"``, ``"1-sqrt"``.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If the schedule is at that level already. Nothing is changed then.

        Source: Hägele et al. (2024), Scaling Laws and Compute-Optimal Training Beyond Fixed
        Training Durations, arXiv:2405.18392.
        """
        if not isinstance(ease, str):
            raise ScheduleError(
                f"ease={ease!r} has no name to be saved by; write lehr.register('mine')(function) "
                "and ease='mine'"
            )
        Ease.of(ease)
        self._change("cooldown", of, steps=self._whole("steps", steps), to=float(to), ease=ease)

    def rewarm(
        self,
        steps: DurationLike,
        *,
        to: float = 1.0,
        then: Schedule | None = None,
        over: DurationLike | None = None,
        of: str = "lr",
    ) -> None:
        """Rise again from here, as for more data or a longer run.

        Arguments:
            steps: In how many steps, at least 1.
            to: The level that it rises to, greater than 0.
            then: What follows; it stays there without it. A part without length takes what is left.
            over: How long all of it lasts from here on; what is left of the run without it.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If it does not fit. Nothing is changed then.

        Source: Ibrahim et al. (2024), Simple and Scalable Strategies to Continually Pre-train Large
        Language Models, arXiv:2403.08763.
        """
        self._change(
            "rewarm",
            of,
            steps=self._whole("steps", steps),
            to=float(to),
            then=None if then is None else _text("then", then),
            over=None if over is None else self._whole("over", over),
        )

    def replace(
        self,
        schedule: Schedule,
        *,
        over: DurationLike | None = None,
        jump: bool = False,
        of: str = "lr",
    ) -> None:
        """Go on from here with another schedule.

        Arguments:
            schedule: What follows; where it says no start it goes on from the present level. Its
                shares are shares of what is left.
            over: How long it lasts; what is left of the run without it.
            jump: Whether it may begin at another level than the present one.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If it would jump and ``jump`` is False, or it does not fit. Nothing is
                changed then.
        """
        self._change(
            "replace",
            of,
            schedule=_text("schedule", schedule),
            over=None if over is None else self._whole("over", over),
            jump=bool(jump),
        )

    def scale(self, factor: float, *, steps: DurationLike = 0, of: str = "lr") -> None:
        """Multiply what is left of the schedule by a factor.

        Arguments:
            factor: Greater than 0.
            steps: Over how many steps the factor is reached in a straight line; 0 is at once.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If the factor is not positive. Nothing is changed then.
        """
        self._change("scale", of, factor=float(factor), steps=self._whole("steps", steps))

    def _whole(self, name: str, value: DurationLike) -> int:
        """Return a duration in whole steps of this run."""
        self._refuse_timed(f"{name}={value!r}")
        duration = Duration.of(value, name)
        here, run = Fraction(self.last_epoch), Run(here=Fraction(self.last_epoch))
        if self._horizon is not None:
            run = Run(self._horizon.units, Fraction(self._horizon.steps), here=here)
        return math.ceil(run.place(duration))

    def _refuse_timed(self, what: str) -> None:
        if self._walls:
            raise NeedsClock(
                f"{what}: {self!r} follows the time that passes, and its plan cannot be changed; "
                "build a new scheduler with what is to follow"
            )

    def _change(self, kind: str, of: str, **arguments: Any) -> None:
        if of not in self._choosers:
            raise ScheduleError(
                f"of={of!r} is not driven here; driven: {', '.join(self._choosers)}"
            )
        self._refuse_timed(kind)
        if self._fraction:
            raise ScheduleError(f"{kind}: the position lies between two steps; seek a whole one")
        before = self._changes
        change = {"at": self.last_epoch, "change": kind, "of": of, **arguments}
        self._adopt_changes([*before, change])
        self._attach().write()

    def _adopt_changes(self, changes: list[dict[str, Any]]) -> None:
        """Take a list of changes as those made so far."""
        before = self._changes
        self._changes = changes
        try:
            board = self._attach()
            self._noticed(board.notice())
            self._follow()
            self._replan()
        except Exception:
            self._changes = before
            self._follow()
            self._replan()
            raise


def _text(name: str, schedule: Schedule) -> str:
    if not isinstance(schedule, Schedule):
        raise ScheduleError(f"{name}={schedule!r} is not a schedule")
    # What cannot be saved is refused here rather than when the state is saved.
    schedule.to_dict()
    return repr(schedule)
