"""The scheduler: any schedule on any optimizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from torch.optim import Optimizer

from lehr.catalogue.decay.elementary import constant
from lehr.catalogue.registry import Rule, State
from lehr.errors import ScheduleError, whole
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.torch.changeable import Changeable
from lehr.torch.checkpoint import Saved
from lehr.torch.groups import Chooser, Given
from lehr.torch.guards import Mode

__all__ = ["Scheduler"]


class Scheduler(Changeable):
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
    0, the base is what was set). It is seen at the next step (docs/drive.md tells of one limit).
    Numbers that a schedule gives as they are, such as a momentum, are assigned again at the next
    step.

    Arguments:
        optimizer: A torch optimizer. Numbers and tensors of one number are driven alike; a tensor
            is filled, never replaced.
        lr: The schedule of the learning rate. For schedules that differ by group: a list with one
            for each, a mapping from indices and ``"name"`` of groups (``"*"`` is the rest), or a
            function of the group; None leaves a group alone.
        over: The run that the schedules are placed over: updates, or a
            :class:`~lehr.Horizon`. Not needed where they have lengths of their own.
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
            ``eps``, ``beta2`` or a key of your own, also one number of a tuple:
            ``**{"nus[1]": schedule}``. ``"lr"`` stands for: in proportion to the rate.

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
        self._chosen, self._meant = {}, {name: [] for name in self._choosers}
        self._changes, self._walls = [], {}
        self._clock = clock
        self._watch(guards, scaler)
        super().__init__(optimizer, whole("last_epoch", last_epoch, at_least=-1))
        self._look_ahead()

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
