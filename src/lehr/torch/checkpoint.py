"""The saved state of a scheduler: what it holds, what it is compared with, how it is taken up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lehr.errors import ScheduleError, number
from lehr.torch.groups import Meaning

if TYPE_CHECKING:
    from lehr.torch.scheduler import Scheduler

__all__ = ["Saved"]

_FORMAT: Final = 1


@dataclass(frozen=True)
class Saved:
    """What a state holds, in plain types.

    Attributes:
        position: Updates made; not whole between two steps.
        steps: torch's ``_step_count``.
        plan: What drives each number: what :meth:`Meaning.saved` gave, or a list of those with one
            for each group where they differ; ``"lr"`` for a number that follows the rate.
        bases: What each group was given, for each number; None where that does not matter.
        changes: The changes of plan.
        highest: The highest level of the rate so far.
        clocks: The counters of what follows the time that passes.
        rule: The feedback rule as text, or None.
        feedback: Its state.
    """

    position: float
    steps: int
    plan: dict[str, Any]
    bases: dict[str, list[float | None]]
    changes: list[dict[str, Any]]
    highest: float
    clocks: list[dict[str, Any]]
    rule: str | None
    feedback: dict[str, Any]

    @classmethod
    def of(cls, scheduler: Scheduler) -> Saved:
        """Return the state of a scheduler."""
        return cls(
            position=scheduler.last_epoch + scheduler._fraction,
            steps=scheduler._step_count,
            plan=_plan(scheduler),
            bases=_bases(scheduler),
            changes=scheduler.history,
            highest=scheduler._reached,
            clocks=[wall.state_dict() for wall in scheduler._walls.values()],
            rule=None if scheduler._rule is None else repr(scheduler._rule),
            feedback=dict(scheduler._feedback),
        )

    def state(self) -> dict[str, Any]:
        """Return it as a plain dict."""
        whole = int(self.position // 1)
        state: dict[str, Any] = {
            "format": _FORMAT,
            "last_epoch": whole,
            "_step_count": self.steps,
            "plan": self.plan,
            "bases": self.bases,
            "changes": self.changes,
            "highest": self.highest,
        }
        if self.position != whole:
            state["fraction"] = self.position - whole
        if self.clocks:
            state["clocks"] = self.clocks
        if self.rule is not None:
            state |= {"rule": self.rule, "feedback": self.feedback}
        return state

    @classmethod
    def read(cls, state: Any) -> Saved:
        """Return what a state holds.

        Raises:
            ScheduleError: If it is no state of a scheduler.
        """
        try:
            version = state["format"]
            saved = cls(
                position=int(state["last_epoch"]) + float(state.get("fraction", 0.0)),
                steps=int(state["_step_count"]),
                plan=dict(state["plan"]),
                bases={
                    name: [
                        None if base is None else number(name, base, at_least=0) for base in bases
                    ]
                    for name, bases in state["bases"].items()
                },
                changes=[_change(change) for change in state["changes"]],
                highest=float(state["highest"]),
                clocks=list(state.get("clocks", [])),
                rule=state.get("rule"),
                feedback=dict(state.get("feedback", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScheduleError(f"this is no state of a lehr Scheduler: {error!r}") from None
        if version != _FORMAT:
            raise ScheduleError(f"state of format {version!r}; this lehr reads format {_FORMAT}")
        return saved

    def load_into(self, scheduler: Scheduler, adopt: Literal["saved", "here"] | None) -> None:
        """Take it up.

        Raises:
            ScheduleError: If it does not belong there. Nothing is changed then.
        """
        if adopt != "here":
            self._check_groups(scheduler)
        if adopt is None:
            self._check_same(scheduler)
        kept = ("_meant", "_changes", "_chosen", "_tracks", "_feedback", "_highest", "base_lrs")
        before = {name: getattr(scheduler, name) for name in kept}
        clocks = [wall.state_dict() for wall in scheduler._walls.values()]
        groups = [dict(group) for group in scheduler.optimizer.param_groups]
        try:
            if adopt == "saved":
                scheduler._meant = self._meant(scheduler)
            if adopt != "here":
                self._set_bases(scheduler)
                scheduler._changes = self.changes
            scheduler._follow()
            scheduler._replan()
            self._set_clocks(scheduler)
            if self.position != -1:
                scheduler._check_position(self.position)
            if scheduler._rule is not None and self.rule == repr(scheduler._rule):
                scheduler._take_up(self.feedback)
        except Exception:
            vars(scheduler).update(before)
            for wall, clock in zip(scheduler._walls.values(), clocks, strict=True):
                wall.load_state_dict(clock)
            for group, old in zip(scheduler.optimizer.param_groups, groups, strict=True):
                group.update(old)
            raise
        scheduler._highest = self.highest
        scheduler._resume(self.position, self.steps)

    def _meant(self, scheduler: Scheduler) -> dict[str, list[Meaning | None]]:
        found: dict[str, list[Meaning | None]] = {}
        size = len(scheduler.optimizer.param_groups)
        if set(self.plan) != set(_plan(scheduler)) or self.rule != (
            None if scheduler._rule is None else repr(scheduler._rule)
        ):
            raise ScheduleError(
                f"the state drives {', '.join(self.plan)}; a scheduler that takes it up must drive "
                "the same, with the same feedback rule"
            )
        for name, saved in self.plan.items():
            if name in scheduler._coupled:
                continue
            by_group = saved if isinstance(saved, list) else [saved] * size
            found[name] = [
                None if each is None else Meaning.load(each, scheduler._means_factor(name))
                for each in by_group
            ]
        return found

    def _set_bases(self, scheduler: Scheduler) -> None:
        for name, bases in self.bases.items():
            for index, base in enumerate(bases):
                if base is not None:
                    scheduler.optimizer.param_groups[index][f"initial_{name}"] = base
        scheduler.base_lrs = [
            group.get("initial_lr", lr)
            for group, lr in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True)
        ]

    def _set_clocks(self, scheduler: Scheduler) -> None:
        walls = list(scheduler._walls.values())
        if len(walls) != len(self.clocks):
            raise ScheduleError(
                f"the state has {len(self.clocks)} clocks; {len(walls)} schedules here follow the "
                "time that passes"
            )
        for wall, clock in zip(walls, self.clocks, strict=True):
            wall.load_state_dict(clock)

    def _check_same(self, scheduler: Scheduler) -> None:
        mine: dict[str, Any] = {**_plan(scheduler), "feedback": None}
        theirs: dict[str, Any] = {**self.plan, "feedback": self.rule}
        if scheduler._rule is not None:
            mine["feedback"] = repr(scheduler._rule)
        if mine == theirs:
            return
        raise ScheduleError(
            "the state belongs to other schedules:\n"
            + "".join(f"  saved  {name} = {text}\n" for name, text in theirs.items() if text)
            + "".join(f"  here   {name} = {text}\n" for name, text in mine.items() if text)
            + "build the scheduler as it was; or load with adopt='saved' to go on with the saved "
            "schedules, with adopt='here' to take up the position only"
        )

    def _check_groups(self, scheduler: Scheduler) -> None:
        groups = len(scheduler.optimizer.param_groups)
        if set(self.bases) != set(self.plan):
            raise ScheduleError(
                f"this is no state of a lehr Scheduler: its bases are of {', '.join(self.bases)}, "
                f"its schedules of {', '.join(self.plan)}"
            )
        for name, bases in self.bases.items():
            if len(bases) != groups:
                raise ScheduleError(
                    f"the state drives {name} in {len(bases)} groups; the optimizer has {groups}"
                )


def _change(change: Any) -> dict[str, Any]:
    if not isinstance(change, dict) or not isinstance(change["at"], int):
        raise TypeError(f"change {change!r}")
    return {"of": change["of"], "change": change["change"], **change}


def _plan(scheduler: Scheduler) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, meant in scheduler._meant.items():
        is_factor = scheduler._means_factor(name)
        texts = [None if m is None else m.saved(is_factor) for m in meant]
        found[name] = texts[0] if all(text == texts[0] for text in texts) else texts
    return {**found, **dict.fromkeys(scheduler._coupled, "lr")}


def _bases(scheduler: Scheduler) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    groups = scheduler.optimizer.param_groups
    for name in (*scheduler._meant, *scheduler._coupled):
        found[name] = [
            None if (base := group.get(f"initial_{name}")) is None else float(base)
            for group in groups
        ]
    return found
