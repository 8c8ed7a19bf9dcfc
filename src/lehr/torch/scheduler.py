# pyright: basic
"""The scheduler: any schedule on any optimizer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from torch.optim import Optimizer

from lehr.catalogue.decay import constant
from lehr.catalogue.registry import Rule, State
from lehr.errors import NeedsHorizon, ScheduleError, whole
from lehr.horizon import Horizon, HorizonLike
from lehr.schedule import Schedule
from lehr.torch.driver import Driver
from lehr.torch.track import Binding, Group, Slot, Track, plain

__all__ = ["Scheduler", "absolute", "factor"]

_FORMAT: Final = 1

# A rate is meant relative to the one that its group was given; a momentum is meant as it is.
_ABSOLUTE: Final = ("momentum", "beta1", "beta2")
_AT_MOST: Final = {"momentum": 1.0, "beta1": 1.0, "beta2": 1.0}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A schedule together with what its numbers mean: made by :func:`absolute`, :func:`factor`."""

    schedule: Schedule
    is_factor: bool


def absolute(schedule: Schedule) -> Meaning:
    """Say that a schedule's values are to be used as they are.

    Example:
        >>> import lehr, torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> rates = lehr.trapezoid(5, hold_for=5, floor=0.001, peak=0.006)
        >>> scheduler = Scheduler(optimizer, lr=absolute(rates))
        >>> scheduler.get_last_lr()
        [0.001]
    """
    return Meaning(schedule, is_factor=False)


def factor(schedule: Schedule) -> Meaning:
    """Say that a schedule's values are factors of what each group was given."""
    return Meaning(schedule, is_factor=True)


class Scheduler(Driver):
    """Drive an optimizer's learning rate, and any other number of its groups, with schedules.

    At position ``n`` (the number of updates made) each group's value is
    ``base * schedule(n)`` for ``lr``, ``weight_decay`` and other keys, where ``base`` is what the
    group was given; and ``schedule(n)`` for ``momentum``, ``beta1`` and ``beta2``.
    :func:`absolute` and :func:`factor` say otherwise. Values are assigned, never multiplied into
    what is there, so building and loading in any order resumes exactly.

    Call :meth:`step` after each ``optimizer.step()``. Building it assigns the values of the first
    update.

    Arguments:
        optimizer: A torch optimizer. Numbers and tensors of one number are driven alike; a tensor
            is filled, never replaced.
        lr: The schedule of the learning rate.
        over: The run that the schedules are placed over: updates, or a
            :class:`~lehr.horizon.Horizon`. Not needed where they have lengths of their own.
        momentum: The schedule of the momentum, or of the first beta where there are betas.
        feedback: A rule that follows a metric, such as :func:`lehr.plateau`: its factor joins that
            of ``lr`` (1, where none is given). Tell it the metric by :meth:`report`.
        last_epoch: The position before the first; -1 for a new run. (torch's own name.)
        **others: Schedules for other keys of the parameter groups, such as ``weight_decay``,
            ``eps``, ``beta2`` or a key of your own.

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
        lr: Schedule | Meaning | None = None,
        over: HorizonLike | None = None,
        *,
        momentum: Schedule | Meaning | None = None,
        feedback: Rule | None = None,
        last_epoch: int = -1,
        **others: Schedule | Meaning,
    ) -> None:
        if feedback is not None and lr is None:
            lr = constant()
        self._rule = feedback
        self._feedback: State = {} if feedback is None else feedback.init()
        given = {"lr": lr, "momentum": momentum, **others}
        if all(meaning is None for meaning in given.values()):
            raise ScheduleError("nothing is driven; write Scheduler(optimizer, lr=schedule)")
        self._horizon = None if over is None else Horizon.of(over)
        self._meanings = {
            name: self._placed(name, meaning)
            for name, meaning in given.items()
            if meaning is not None
        }
        super().__init__(optimizer, whole("last_epoch", last_epoch, at_least=-1))

    def _placed(self, name: str, given: Schedule | Meaning) -> Meaning:
        if isinstance(given, Schedule):
            given = Meaning(given, is_factor=name not in _ABSOLUTE)
        if not isinstance(given, Meaning):
            raise ScheduleError(f"{name}={given!r} is not a schedule; write constant({given!r})")
        schedule = given.schedule if self._horizon is None else given.schedule.over(self._horizon)
        try:
            schedule(0)
        except NeedsHorizon as error:
            raise NeedsHorizon(
                f"{name}={schedule}: {error}, or give Scheduler(..., over=1000)"
            ) from None
        return Meaning(schedule, given.is_factor)

    def _plan(self) -> list[Track]:
        tracks: list[Track] = []
        for name, meaning in self._meanings.items():
            slot = Slot.find(name, self.optimizer)
            for other in tracks:
                if (other.slot.key, other.slot.index) == (slot.key, slot.index):
                    raise ScheduleError(
                        f"{other.slot.name} and {name} are the same number of this optimizer; "
                        "give one of them"
                    )
            high = math.nextafter(_AT_MOST[name], 0) if name in _AT_MOST else math.inf
            track = Track(slot, meaning.schedule, low=0.0, high=high)
            if name == "lr" and self._rule is not None:
                track.scale = self._rule.value(self._feedback)
            tracks.append(track)
        return tracks

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
        if not self._meanings[slot.name].is_factor:
            return Binding()
        # The base is kept in the group, as torch keeps that of the rate.
        base = group.setdefault(f"initial_{slot.name}", plain(slot.read(group)))
        return Binding(gain=plain(base))

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
        self._take_up(self._rule.update(self._feedback, metric))
        self.seek(self.last_epoch)

    def _take_up(self, feedback: State) -> None:
        """Take a state of the rule as the present one."""
        assert self._rule is not None
        for track in self._tracks:
            if track.slot.name == "lr":
                track.scale = self._rule.value(feedback)
        self._feedback = feedback
        self._forget()

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the position, and what it belongs to, in plain types.

        The schedules are there as text, only to be compared when the state is loaded.
        """
        return {
            "format": _FORMAT,
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            **({"fraction": self._fraction} if self._fraction else {}),
            "plan": {name: repr(meaning.schedule) for name, meaning in self._meanings.items()},
            "bindings": {
                track.slot.name: [[b.gain, b.offset] for b in track.bindings]
                for track in self._tracks
            },
            **(
                {} if self._rule is None else {"rule": repr(self._rule), "feedback": self._feedback}
            ),
        }

    def load_state_dict(self, state_dict: dict[str, Any], *, position_only: bool = False) -> None:
        """Take up a saved position, and assign its values at once.

        Arguments:
            state_dict: What :meth:`state_dict` gave.
            position_only: Keep this scheduler's own schedules and base values where the saved ones
                differ.

        Raises:
            ScheduleError: If the state is no such state, or belongs to other schedules or other
                groups. Nothing is changed then.
        """
        try:
            version, position = state_dict["format"], int(state_dict["last_epoch"])
            fraction = float(state_dict.get("fraction", 0.0))
            count, plan = int(state_dict["_step_count"]), dict(state_dict["plan"])
            rule, feedback = state_dict.get("rule"), dict(state_dict.get("feedback", {}))
            bindings = {
                name: [Binding(float(gain), float(offset)) for gain, offset in pairs]
                for name, pairs in state_dict["bindings"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScheduleError(f"this is no state of a lehr Scheduler: {error!r}") from None
        if version != _FORMAT:
            raise ScheduleError(f"state of format {version!r}; this lehr reads format {_FORMAT}")
        if position != -1:
            self._check_position(position + fraction)
        if not position_only:
            self._check_same({**plan, "feedback": rule}, bindings)
            for track in self._tracks:
                track.bindings = bindings[track.slot.name]
        if self._rule is not None and rule == repr(self._rule):
            self._take_up(feedback)
        self._resume(position + fraction, count)

    def _check_same(self, plan: dict[str, str | None], bindings: dict[str, list[Binding]]) -> None:
        mine: dict[str, str | None] = {
            name: repr(meaning.schedule) for name, meaning in self._meanings.items()
        }
        mine["feedback"] = None if self._rule is None else repr(self._rule)
        if plan != mine:
            raise ScheduleError(
                "the state belongs to other schedules:\n"
                + "".join(f"  saved  {name} = {text}\n" for name, text in plan.items())
                + "".join(f"  here   {name} = {text}\n" for name, text in mine.items())
                + "build the scheduler as it was, or load with position_only=True to go on with "
                "the schedules that are here"
            )
        groups = len(self.optimizer.param_groups)
        for track in self._tracks:
            name = track.slot.name
            saved = bindings.get(name, [])
            if len(saved) != groups:
                raise ScheduleError(
                    f"the state drives {name} in {len(saved)} groups; the optimizer has {groups}"
                )
            track.check(saved)

    def __repr__(self) -> str:
        driven = ", ".join(f"{name}={m.schedule!r}" for name, m in self._meanings.items())
        return f"Scheduler({type(self.optimizer).__name__}, {driven}, at {self.last_epoch})"
