# pyright: basic
"""The scheduler: any schedule on any optimizer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Final, Literal

from torch.optim import Optimizer

from lehr.catalogue.decay import constant
from lehr.catalogue.registry import Rule, State
from lehr.duration import Duration, DurationLike
from lehr.easing import Ease
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError, whole
from lehr.horizon import Horizon, HorizonLike
from lehr.placing import Run
from lehr.schedule import Schedule
from lehr.torch.course import Course, changed
from lehr.torch.guards import Mode
from lehr.torch.meaning import Chooser, Given, Meaning
from lehr.torch.state import Saved
from lehr.torch.timed import Timed, of_rank_zero
from lehr.torch.track import Binding, Group, Slot, Track, plain
from lehr.torch.watch import Watched
from lehr.wallclock import WallClock

__all__ = ["Scheduler"]

# A rate is meant relative to the one that its group was given; a momentum is meant as it is.
_ABSOLUTE: Final = ("momentum", "beta1", "beta2")
_AT_MOST: Final = {"momentum": 1.0, "beta1": 1.0, "beta2": 1.0}


class Scheduler(Watched):
    """Drive an optimizer's learning rate, and any other number of its groups, with schedules.

    At position ``n`` (the number of updates made) each group's value is
    ``base * schedule(n)`` for ``lr``, ``weight_decay`` and other keys, where ``base`` is what the
    group was given; and ``schedule(n)`` for ``momentum``, ``beta1`` and ``beta2``.
    :func:`absolute` and :func:`factor` say otherwise. Values are assigned, never multiplied into
    what is there, so building and loading in any order resumes exactly.

    Call :meth:`step` after each ``optimizer.step()``. Building it assigns the values of the first
    update.

    A rate that is set by hand, ``group["lr"] = 0.01``, takes the scheduled one's place: the group's
    base becomes the one from which the schedule would have come to it (where the schedule stands at
    0, the base is what was set). It is seen at the next step with up to eight groups; with more, at
    the next step where the first or the last group was changed, and otherwise at the latest where
    a block of values ends (every 1,024 steps), or when a state is saved or loaded. Numbers that a
    schedule gives as they are, such as a momentum, are assigned again at the next step.

    Arguments:
        optimizer: A torch optimizer. Numbers and tensors of one number are driven alike; a tensor
            is filled, never replaced.
        lr: The schedule of the learning rate. For schedules that differ by group: a list with one
            for each, a mapping from indices and ``"name"`` of groups (``"*"`` is the rest), or a
            function of the group; None leaves a group alone.
        over: The run that the schedules are placed over: updates, or a
            :class:`~lehr.horizon.Horizon`. Not needed where they have lengths of their own.
        momentum: The schedule of the momentum, or of the first beta where there are betas.
        feedback: A rule that follows a metric, such as :func:`lehr.plateau`: its factor joins that
            of ``lr`` (1, where none is given). Tell it the metric by :meth:`report`.
        guards: What to do about mistakes that can be seen while training: ``"warn"``, ``"error"``
            or ``"off"``, for all or by name; the names are those of ``lehr.torch.GUARDS``.
        scaler: The gradient scaler, if there is one: where it skips an update, the schedule does
            not move. Without it this is seen only from gradients that are still there.
        clock: Returns seconds, for schedules over a time such as ``"90min"``: these follow the time
            that passes (:class:`lehr.WallClock`), and cannot be sought or changed. Where processes
            train together, all go by the clock of rank 0.
        last_epoch: The position before the first; -1 for a new run. (torch's own name.)
        **others: Schedules for other keys of the parameter groups, such as ``weight_decay``,
            ``eps``, ``beta2`` or a key of your own; or ``"lr"``, to move in proportion to the rate.

    Raises:
        ScheduleError: If nothing is driven, a schedule does not fit its run, could give a negative
            rate or a momentum of 1 or more, or the optimizer has no such number.
        NeedsHorizon: If a schedule needs a run and ``over`` is not given.

    Example:
        >>> import lehr, torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
        >>> scheduler = Scheduler(optimizer, lr=lehr.warmup(2) >> lehr.linear(), over=4)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     print(scheduler.get_last_lr())
        ...     scheduler.step()
        [0.0]
        [0.05]
        [0.1]
        [0.05]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr: Given | None = None,
        over: HorizonLike | None = None,
        *,
        momentum: Given | None = None,
        feedback: Rule | None = None,
        guards: Mode | Mapping[str, Mode] = "warn",
        scaler: Any = None,
        clock: Callable[[], float] = time.monotonic,
        last_epoch: int = -1,
        **others: Given | str,
    ) -> None:
        if feedback is not None and lr is None:
            lr = constant()
        self._rule = feedback
        self._feedback: State = {} if feedback is None else feedback.init()
        given: dict[str, Any] = {"lr": lr, "momentum": momentum, **others}
        given = {name: value for name, value in given.items() if value is not None}
        if not given:
            raise ScheduleError("nothing is driven; write Scheduler(optimizer, lr=schedule)")
        self._horizon = None if over is None else Horizon.of(over)
        self._coupled = [name for name, value in given.items() if value == "lr" and name != "lr"]
        if self._coupled and "lr" not in given:
            raise ScheduleError(f"{self._coupled[0]}='lr' follows the rate, which is not driven")
        self._choosers = {
            name: Chooser(name, value, self._means_factor(name))
            for name, value in given.items()
            if name not in self._coupled
        }
        self._chosen: dict[str, list[Course | None]] = {}
        self._meant: dict[str, list[Meaning | None]] = {name: [] for name in self._choosers}
        self._changes: list[dict[str, Any]] = []
        self._clock = clock
        self._walls: dict[Meaning, WallClock] = {}
        self._takes_up = False
        self._watch(guards, scaler)
        super().__init__(optimizer, whole("last_epoch", last_epoch, at_least=-1))
        self._look_ahead()

    @staticmethod
    def _means_factor(name: str) -> bool:
        """Return whether bare schedules of a number are factors of what the group was given."""
        return name not in _ABSOLUTE

    # ----- the plan -----------------------------------------------------------------------------

    def _choose(self) -> bool:
        """Ask which schedules the groups that are new get; return whether there were any."""
        groups = self.optimizer.param_groups
        found = False
        for name, chooser in self._choosers.items():
            meant = self._meant[name]
            if not meant:
                chooser.check_used(groups)
            for index in range(len(meant), len(groups)):
                meaning = chooser.of(index, groups[index])
                meant.append(None if meaning is None else self._placed(name, meaning))
                found = True
        if found:
            self._follow()
        return found

    def _placed(self, name: str, given: Meaning) -> Meaning:
        schedule = given.schedule if self._horizon is None else given.schedule.over(self._horizon)
        placed = Meaning(schedule, given.is_factor, given.floor)
        try:
            schedule(0)
        except NeedsClock:
            if placed not in self._walls:
                wall = WallClock(schedule, clock=self._clock, agree=of_rank_zero)
                self._walls[placed] = wall
        except NeedsHorizon as error:
            raise NeedsHorizon(
                f"{name}={schedule}: {error}, or give Scheduler(..., over=1000)"
            ) from None
        return placed

    def _follow(self) -> None:
        """Make each group's course: its schedule, with the changes of plan so far."""
        self._chosen = {}
        for name, meant in self._meant.items():
            courses: dict[Meaning, Course] = {}
            for meaning in meant:
                if meaning is not None and meaning not in courses:
                    course = Course(meaning.schedule)
                    for change in self._changes:
                        if change["of"] == name:
                            course = changed(course, change)
                    courses[meaning] = course
            self._chosen[name] = [
                None if meaning is None else courses[meaning] for meaning in meant
            ]

    def _plan(self) -> list[Track]:
        self._choose()
        tracks: list[Track] = []
        for name in self._choosers:
            tracks += self._tracks_of(name, name)
        for name in self._coupled:
            tracks += self._tracks_of(name, "lr")
        if not tracks:
            raise ScheduleError("nothing is driven: no group is given a schedule")
        for track in tracks:
            for other in tracks:
                if other.slot.place == track.slot.place and other.slot.name != track.slot.name:
                    raise ScheduleError(
                        f"{other.slot.name} and {track.slot.name} are the same number of this "
                        "optimizer; give one of them"
                    )
        return tracks

    def _tracks_of(self, name: str, like: str) -> list[Track]:
        """Return what drives a number: a track for each schedule that is chosen for it."""
        courses, meant = self._chosen[like], self._meant[like]
        driven = [
            group
            for group, m in zip(self.optimizer.param_groups, meant, strict=True)
            if m is not None
        ]
        slot = Slot.find(name, self.optimizer, driven)
        high = math.nextafter(_AT_MOST[name], 0) if name in _AT_MOST else math.inf
        tracks: list[Track] = []
        for meaning in dict.fromkeys(m for m in meant if m is not None):
            course = courses[meant.index(meaning)]
            assert course is not None
            how: dict[str, Any] = {
                "slot": slot,
                "low": 0.0,
                "high": high,
                "absolute": not meaning.is_factor and name == like,
                "takes": partial(_is_for, meant, meaning),
            }
            if meaning in self._walls:
                track = Timed(self._walls[meaning], **how)
            else:
                track = Track(schedule=course.schedule, **how)
            if like == "lr" and self._rule is not None:
                track.scale = self._rule.value(self._feedback)
            tracks.append(track)
        return tracks

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
        coupled = slot.name in self._coupled
        meaning = self._meant["lr" if coupled else slot.name][index]
        assert meaning is not None
        if not coupled and not meaning.is_factor:
            return Binding()
        # The base is kept in the group, as torch keeps that of the rate.
        base = plain(group.setdefault(f"initial_{slot.name}", plain(slot.read(group))))
        floor = meaning.floor_of(index)
        if coupled:
            rate = plain(group.setdefault("initial_lr", plain(group["lr"])))
            of_rate = base / rate if rate else 0.0
            gain = rate - floor if meaning.is_factor else 1.0
            return Binding(gain * of_rate, floor * of_rate)
        return Binding(base - floor, floor)

    def _join(self) -> None:
        if len(self.optimizer.param_groups) > len(next(iter(self._meant.values()))):
            before = {name: list(meant) for name, meant in self._meant.items()}
            try:
                self._replan()
            except Exception:
                self._meant = before
                self._follow()
                raise
        super()._join()

    # ----- the time that passes -----------------------------------------------------------------

    def skip_time(self) -> None:
        """Leave out the time since the last step: an evaluation, the writing of a checkpoint."""
        for wall in self._walls.values():
            wall.skip()

    def _move(self, position: float) -> None:
        last = self.last_epoch
        for wall in self._walls.values():
            if self._takes_up or position == last or position == last + 1 == 0:
                continue
            if position != last + 1 or self._step_count == 0:
                wall.seek(int(position))
            wall.advance()
        super()._move(position)

    def _resume(self, position: float, step_count: int) -> None:
        self._takes_up = True
        try:
            super()._resume(position, step_count)
        finally:
            self._takes_up = False

    # ----- feedback -----------------------------------------------------------------------------

    def report(self, metric: Any) -> None:
        """Tell the feedback rule a metric, and assign the rates that follow from it at once.

        Arguments:
            metric: What the rule reads: a number for most, such as a validation loss.

        Raises:
            ScheduleError: If there is no rule, or the metric is none that it reads.
        """
        if self._rule is None:
            raise ScheduleError(
                f"report({metric!r}): nothing listens; write "
                "Scheduler(..., feedback=lehr.plateau())"
            )
        feedback = self._rule.update(self._feedback, metric)
        board = self._attach()
        self._noticed(board.notice())
        self._take_up(feedback)
        board.write()

    def _take_up(self, feedback: State) -> None:
        """Take a state of the rule as the present one."""
        assert self._rule is not None
        for track in self._tracks:
            if track.slot.name == "lr" or track.slot.name in self._coupled:
                track.scale = self._rule.value(feedback)
        self._feedback = feedback
        self._settle()

    # ----- changing the plan --------------------------------------------------------------------

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
            ease: How it goes: a name from :mod:`lehr.easing`, such as ``"cosine"``, ``"1-sqrt"``.
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

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the position, the changes of plan, and what they belong to, in plain types.

        The schedules are there as text, to be compared when the state is loaded.
        """
        board = self._attach()
        if board.notice():
            board.write()
        return Saved.of(self).state()

    def load_state_dict(
        self, state_dict: dict[str, Any], *, adopt: Literal["saved", "here"] | None = None
    ) -> None:
        """Take up a saved position with its changes of plan, and assign its values at once.

        Arguments:
            state_dict: What :meth:`state_dict` gave.
            adopt: What to do where the state belongs to other schedules or bases: go on with the
                ``"saved"`` ones, or keep those that are ``"here"`` and take up the position only.

        Raises:
            ScheduleError: If the state is no such state, or belongs to other schedules or other
                groups and ``adopt`` does not say what to do. Nothing is changed then.
        """
        if adopt not in (None, "saved", "here"):
            raise ScheduleError(f"adopt={adopt!r} must be 'saved', 'here' or None")
        Saved.read(state_dict).load_into(self, adopt)

    def __repr__(self) -> str:
        driven = ", ".join(f"{name}={text}" for name, text in self._driven().items())
        return f"Scheduler({type(self.optimizer).__name__}, {driven}, at {self.last_epoch})"

    def _driven(self) -> dict[str, str]:
        """Return the text of what drives each number now."""
        found: dict[str, str] = {}
        for name, courses in self._chosen.items():
            texts = [None if course is None else repr(course.schedule) for course in courses]
            found[name] = texts[0] if len(set(texts)) == 1 and texts[0] else str(texts)
        return {**found, **dict.fromkeys(self._coupled, "'lr'")}


def _is_for(meant: list[Meaning | None], meaning: Meaning, index: int, group: Group) -> bool:
    return meant[index] == meaning


def _text(name: str, schedule: Schedule) -> str:
    if not isinstance(schedule, Schedule):
        raise ScheduleError(f"{name}={schedule!r} is not a schedule")
    # What cannot be saved is refused here rather than when the state is saved.
    schedule.to_dict()
    return repr(schedule)
