"""The plan of a scheduler: which group gets which schedule, over which run, by which clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from lehr.catalogue.registry import Rule, State
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError
from lehr.schedule.horizon import Horizon
from lehr.torch.binding import Binding, Group, Slot, Track, plain
from lehr.torch.groups import Chooser, Meaning
from lehr.torch.guarding import Watched
from lehr.torch.plan_edits import Course, changed
from lehr.torch.timed import Timed, of_rank_zero
from lehr.walltime.wallclock import WallClock

__all__ = ["Planned"]

# A rate is meant relative to the one that its group was given; a momentum is meant as it is.
_ABSOLUTE: Final = ("momentum", "beta1", "beta2")
_AT_MOST: Final = {"momentum": 1.0, "beta1": 1.0, "beta2": 1.0}


class Planned(Watched):
    """A driver whose plan is made of schedules that are chosen for its groups."""

    _choosers: dict[str, Chooser]
    """What says which group gets which schedule, for each number that is driven."""
    _meant: dict[str, list[Meaning | None]]
    """What each group got, placed over the run."""
    _chosen: dict[str, list[Course | None]]
    """The same with the changes of plan so far."""
    _coupled: list[str]
    """The numbers that move in proportion to the rate."""
    _changes: list[dict[str, Any]]
    _walls: dict[Meaning, WallClock]
    _clock: Callable[[], float]
    _horizon: Horizon | None
    _rule: Rule | None
    _feedback: State
    _takes_up = False

    @staticmethod
    def _means_factor(name: str) -> bool:
        """Return whether bare schedules of a number are factors of what the group was given."""
        return name not in _ABSOLUTE

    def _choose(self) -> bool:
        """Ask which schedules the groups that are new get; return whether there were any."""
        groups = self.optimizer.param_groups
        found = False
        for name, chooser in self._choosers.items():
            meant = self._meant[name]
            if not meant:
                chooser.check_used(groups)
            # Groups mostly share a schedule, which is placed once.
            placed: dict[Meaning | None, Meaning | None] = {None: None}
            for index in range(len(meant), len(groups)):
                meaning = chooser.of(index, groups[index])
                if meaning is not None and meaning not in placed:
                    placed[meaning] = self._placed(name, meaning)
                meant.append(placed[meaning])
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

    def _may_ask(self) -> bool:
        # A clock is moved with each move, which is slow.
        return not self._walls

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


def _is_for(meant: list[Meaning | None], meaning: Meaning, index: int, group: Group) -> bool:
    return meant[index] == meaning
