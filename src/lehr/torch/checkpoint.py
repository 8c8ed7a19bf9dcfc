"""Saving and restoring: the state of a scheduler, and what an error must leave as it was."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from torch import Tensor

from lehr.errors import ScheduleError, number
from lehr.torch.assignment import Assignment
from lehr.torch.binding import Group

__all__ = ["Saved", "groups_restored_on_error", "loading", "restored_on_error", "short"]

_FORMAT: Final = 1


# ----- restoring after an error -------------------------------------------------------------------


class Restorable(Protocol):
    """A scheduler whose attributes can be put back."""

    @property
    def groups(self) -> Sequence[Group]:
        """The groups that it drives."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return all attributes, with copies of those that change in place."""
        ...

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put all attributes back."""
        ...


@contextmanager
def groups_restored_on_error(groups: Sequence[Group]) -> Generator[None]:
    """Restore each group's entries, with the content of tensors, if the block fails.

    Entries that were absent are removed again.
    """
    groups = list(groups)
    entries = [dict(group) for group in groups]
    tensors = [(t, t.detach().clone()) for group in groups for t in _tensors(group)]
    try:
        yield
    except BaseException:
        for group, old in zip(groups, entries, strict=True):
            group.clear()
            group.update(old)
        for tensor, content in tensors:
            if not bool((tensor == content).all()):
                tensor.detach().copy_(content)
        raise


@contextmanager
def restored_on_error(scheduler: Restorable) -> Generator[None]:
    """Restore a scheduler and all numbers of its groups if the block fails.

    Everything is covered that loading a state or changing the plan touches: the scheduler's
    attributes, its plan and its position, and each group's entries.
    """
    before = scheduler.snapshot()
    with groups_restored_on_error(scheduler.groups):
        try:
            yield
        except BaseException:
            scheduler.restore(before)
            raise


@contextmanager
def loading(scheduler: Restorable) -> Generator[None]:
    """Load a state in the block: if it fails, restore everything.

    Raises:
        ScheduleError: For the error that reading something else than a state has raised.
    """
    with restored_on_error(scheduler):
        try:
            yield
        except (TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError) as error:
            kind = type(scheduler).__name__
            raise ScheduleError(f"not a state of a {kind}: {error!r}") from None


def _tensors(group: Group) -> Iterator[Tensor]:
    """Yield the tensors among a group's numbers."""
    for key, value in group.items():
        if key != "params":
            items = value if isinstance(value, tuple | list) else (value,)
            yield from (item for item in items if isinstance(item, Tensor))


def short(value: Any) -> str:
    """Return a value as a text of at most one line, for messages."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# ----- the state of a Scheduler -------------------------------------------------------------------


@dataclass(frozen=True)
class Saved:
    """The content of a state, in plain types.

    Attributes:
        position: Updates made; between two steps if not whole.
        steps: torch's ``_step_count``.
        plan: What drives each number, as :meth:`Assignment.to_dict` writes it.
        bases: What each group was given, for each number; None where that does not matter.
        changes: The changes of plan.
        highest: The highest level of the rate so far.
        clocks: The counters of schedules that follow the time that passes.
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

    def to_dict(self) -> dict[str, Any]:
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
    def from_dict(cls, state: Any) -> Saved:
        """Return the content of a state.

        Raises:
            ScheduleError: If it is not the state of a scheduler.
        """
        try:
            version = state["format"]
            saved = cls(
                position=int(state["last_epoch"]) + float(state.get("fraction", 0.0)),
                steps=int(state["_step_count"]),
                plan=dict(state["plan"]),
                bases={name: _bases(name, bases) for name, bases in state["bases"].items()},
                changes=[_change(change) for change in state["changes"]],
                highest=float(state["highest"]),
                clocks=list(state.get("clocks", [])),
                rule=state.get("rule"),
                feedback=dict(state.get("feedback", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise ScheduleError(f"not a state of a lehr Scheduler: {error!r}") from None
        if version != _FORMAT:
            raise ScheduleError(f"state of format {version!r}; this lehr reads format {_FORMAT}")
        return saved

    def check_groups(self, groups: int) -> None:
        """Raise ScheduleError unless the state has this number of groups."""
        if set(self.bases) != set(self.plan):
            raise ScheduleError(
                f"not a state of a lehr Scheduler: its bases are of {', '.join(self.bases)}, "
                f"its schedules of {', '.join(self.plan)}"
            )
        for name, bases in self.bases.items():
            if len(bases) != groups:
                raise ScheduleError(
                    f"the state drives {name} in {len(bases)} groups; the optimizer has {groups}"
                )

    def check_same(self, plan: Mapping[str, Any], rule: str | None) -> None:
        """Raise ScheduleError, with both plans, unless the state belongs to a plan."""
        mine: dict[str, Any] = {**plan, "feedback": rule}
        theirs: dict[str, Any] = {**self.plan, "feedback": self.rule}
        if mine == theirs:
            return
        raise ScheduleError(
            "the state belongs to other schedules:\n"
            + "".join(f"  saved  {name} = {_shown(v)}\n" for name, v in theirs.items() if v)
            + "".join(f"  here   {name} = {_shown(v)}\n" for name, v in mine.items() if v)
            + "build the scheduler as it was; or load with adopt='saved' to go on with the saved "
            "schedules, with adopt='here' to restore the position only"
        )

    def assignment(self, here: Assignment, rule: str | None, groups: int) -> Assignment:
        """Return the saved schedules, in place of those that a scheduler has.

        Raises:
            ScheduleError: If they do not drive the same numbers, or cannot be read back.
        """
        if set(self.plan) != set(here.to_dict()) or self.rule != rule:
            raise ScheduleError(
                f"the state drives {', '.join(self.plan)}; a scheduler that restores it must drive "
                "the same, with the same feedback rule"
            )
        try:
            return here.from_dict(self.plan, groups)
        except (KeyError, TypeError, AttributeError) as error:
            raise ScheduleError(f"not a state of a lehr Scheduler: plan: {error!r}") from None


def _bases(name: str, bases: Any) -> list[float | None]:
    return [None if base is None else number(name, base, at_least=0) for base in bases]


def _change(change: Any) -> dict[str, Any]:
    if not isinstance(change, dict) or not isinstance(change["at"], int):
        raise TypeError(f"change {change!r}")
    return {"of": change["of"], "change": change["change"], **change}


def _shown(saved: Any) -> str:
    """Return a saved plan entry as a text for a message."""
    return Assignment.show(saved)
