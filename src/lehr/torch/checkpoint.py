"""Saving and restoring: the state of a scheduler, and how changes are undone after an error."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

from lehr.errors import ScheduleError, number, several, whole
from lehr.schedule.tree import from_dict
from lehr.torch.assignment import Assignment
from lehr.torch.binding import Group
from lehr.torch.progress import check_reading

_FORMAT: Final = 1
_KEYS: Final = ("format", "last_epoch", "_step_count", "plan", "bases", "changes", "highest")
_MOST: Final = 2**53
_SHOWN: Final = 500


# ----- restoring after an error -------------------------------------------------------------------


def snapshot_of(groups: Sequence[Group]) -> Callable[[], None]:
    """Return a function that puts back each group's entries, with the content of tensors.

    Entries that were absent are removed again.
    """
    groups = list(groups)
    entries = [dict(group) for group in groups]
    tensors = [(t, t.detach().clone()) for group in groups for t in _tensors(group)]

    def restore() -> None:
        for group, old in zip(groups, entries, strict=True):
            group.clear()
            group.update(old)
        for tensor, content in tensors:
            if not bool((tensor == content).all()):
                tensor.detach().copy_(content)

    return restore


@contextmanager
def groups_restored_on_error(groups: Sequence[Group]) -> Generator[None]:
    """Restore each group's entries, with the content of tensors, if the block fails."""
    restore = snapshot_of(groups)
    try:
        yield
    except BaseException:
        restore()
        raise


@contextmanager
def restored_on_error(scheduler: Any) -> Generator[None]:
    """Restore a scheduler and all numbers of its groups if the block fails.

    This covers everything that loading a state or changing the plan touches: the scheduler's
    attributes, its plan and its position, and each group's entries.
    """
    restore_scheduler, restore_groups = scheduler.snapshot(), snapshot_of(scheduler.groups)
    try:
        yield
    except BaseException:
        restore_groups()
        restore_scheduler()
        raise


@contextmanager
def loading(scheduler: Any, state: Any) -> Generator[None]:
    """Load a state in the block: if it fails, restore everything.

    Raises:
        ScheduleError: If the state is not a dict, or what was loaded is not a state.
    """
    kind = type(scheduler).__name__
    if not isinstance(state, dict):
        raise ScheduleError(f"the state of a {kind} is a dict, not {short(state)}")
    with restored_on_error(scheduler):
        try:
            yield
        except ScheduleError:
            raise
        except ValueError as error:
            raise ScheduleError(f"the state does not fit: {error}") from None
        except (TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError) as error:
            raise ScheduleError(f"not a state of a {kind}: {error!r}") from None


def _tensors(group: Group) -> Iterator[Tensor]:
    """Yield the tensors among a group's numbers."""
    for key, value in group.items():
        if key != "params":
            items = value if isinstance(value, tuple | list) else (value,)
            yield from (item for item in items if isinstance(item, Tensor))


def check_adopt(adopt: Any, *allowed: str | None) -> None:
    """Raise ScheduleError unless ``adopt`` is one of its allowed values."""
    if not isinstance(adopt, str | None) or adopt not in allowed:
        choice = " or ".join(map(repr, allowed))
        raise ScheduleError(f"adopt={short(adopt)} must be {choice}")


def short(value: Any) -> str:
    """Return a value as text of at most one line, for messages."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def attributes_of(scheduler: Any) -> dict[str, Any]:
    """Return all attributes of an object, those in slots included."""
    slots = [name for kind in type(scheduler).__mro__ for name in vars(kind).get("__slots__", ())]
    in_slots = {name: getattr(scheduler, name) for name in slots if hasattr(scheduler, name)}
    return {**vars(scheduler), **in_slots}


def set_attributes(scheduler: Any, attributes: Mapping[str, Any]) -> None:
    """Replace all attributes of an object."""
    vars(scheduler).clear()
    for name, value in attributes.items():
        setattr(scheduler, name, value)


def kept(value: Any) -> Any:
    """Return a value with copies of the lists and dicts in it."""
    if type(value) is list:
        return [kept(item) for item in value]
    if type(value) is dict:
        return {key: kept(item) for key, item in value.items()}
    return value


# ----- the state of a Scheduler -------------------------------------------------------------------


@dataclass(frozen=True)
class Saved:
    """The content of a state, in plain types.

    Attributes:
        position: The number of updates made; not whole if it lies between two steps.
        progress: How far the run is in its own units, as
            :func:`lehr.torch.progress.reading` gives it.
        steps: torch's ``_step_count``.
        plan: What drives each number, as :meth:`Assignment.to_dict` writes it.
        bases: For each number, each group's base; None where the base does not matter.
        changes: The changes of plan.
        highest: The highest level of the rate so far.
        clocks: The counters of the schedules that follow elapsed time.
        rule: The feedback rule as text, or None.
        feedback: The rule's state.
    """

    position: float
    progress: dict[str, int | float]
    steps: int
    plan: dict[str, Any]
    bases: dict[str, list[float | None]]
    changes: list[dict[str, Any]]
    highest: float
    clocks: list[dict[str, Any]]
    rule: str | None
    feedback: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the content as a plain dict."""
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
        if self.progress:
            state["progress"] = self.progress
        if self.clocks:
            state["clocks"] = self.clocks
        if self.rule is not None:
            state |= {"rule": self.rule, "feedback": self.feedback}
        return state

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Saved:
        """Return the content of a state.

        Raises:
            ScheduleError: If it is not the state of a scheduler.
        """
        missing = [name for name in _KEYS if name not in state]
        if missing:
            raise ScheduleError(f"not a state of a lehr Scheduler: {', '.join(missing)} missing")
        if state["format"] != _FORMAT or isinstance(state["format"], bool):
            raise ScheduleError(
                f"format={short(state['format'])}: this lehr reads states of format {_FORMAT}"
            )
        fraction = fraction_in(state)
        rule = state.get("rule")
        if not isinstance(rule, str | None):
            raise ScheduleError(f"rule={short(rule)} must be a string")
        bases = _dict("bases", state["bases"])
        return cls(
            position=_count("last_epoch", state["last_epoch"]) + fraction,
            progress=check_reading(state.get("progress", {})),
            steps=_count("_step_count", state["_step_count"]),
            plan=_dict("plan", state["plan"]),
            bases={name: _bases(name, each) for name, each in bases.items()},
            changes=[_change(each) for each in several("changes", state["changes"])],
            highest=number("highest", state["highest"]),
            clocks=several("clocks", state.get("clocks", [])),
            rule=rule,
            feedback=_dict("feedback", state.get("feedback", {})),
        )

    def check_groups(self, groups: int) -> None:
        """Raise ScheduleError unless the state has this number of groups."""
        if set(self.bases) != set(self.plan):
            raise ScheduleError(
                f"not a state of a lehr Scheduler: plan has {', '.join(self.plan) or 'nothing'}, "
                f"bases has {', '.join(self.bases) or 'nothing'}"
            )
        for name, bases in self.bases.items():
            if len(bases) != groups:
                raise ScheduleError(
                    f"the state drives {name} in {len(bases)} groups; the optimizer has {groups}"
                )

    def check_same(self, plan: Mapping[str, Any], rule: str | None) -> None:
        """Raise ScheduleError, showing both plans, unless the state belongs to this plan."""
        mine: dict[str, Any] = {**plan, "rule": rule}
        theirs: dict[str, Any] = {**self.plan, "rule": self.rule}
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
        """Return the saved schedules, to replace those that a scheduler has.

        Raises:
            ScheduleError: If they do not drive the same numbers, or cannot be read back.
        """
        if set(self.plan) != set(here.to_dict()) or self.rule != rule:
            raise ScheduleError(
                f"the state drives {', '.join(self.plan)}; a scheduler that restores it must drive "
                "the same, with the same feedback rule"
            )
        return here.with_saved(self.plan, groups)


def _shown(saved: Any) -> str:
    """Return an entry of the dict form as text, for messages."""
    if isinstance(saved, list):
        return f"[{', '.join(_shown(item) for item in saved)}]"
    if isinstance(saved, dict) and "schedule" in saved:
        text = f"{saved.get('as')}({_shown(saved['schedule'])}, {saved.get('floor')})"
    elif isinstance(saved, dict):
        try:
            text = repr(from_dict(saved))
        except ScheduleError:
            text = repr(saved)
    else:
        text = str(saved)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def fraction_in(state: Mapping[str, Any]) -> float:
    """Return the fractional part of a saved position."""
    fraction = number("fraction", state.get("fraction", 0.0), at_least=0)
    if fraction >= 1:
        raise ScheduleError(f"fraction={fraction!r} must be below 1")
    return fraction


def _dict(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScheduleError(f"{name}={short(value)} must be a dict")
    return dict(value)


def _count(name: str, value: Any) -> int:
    """Return a count of steps; a float is accepted if it is whole."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MOST:
        value = int(value)
    count = whole(name, value, at_least=0)
    if count >= _MOST:
        raise ScheduleError(f"{name}={short(value)} must be below 2**53")
    return count


def _bases(name: str, bases: Any) -> list[float | None]:
    name = f"bases[{name!r}]"
    return [
        None if base is None else number(f"{name}[{index}]", base, at_least=0)
        for index, base in enumerate(several(name, bases))
    ]


def _change(change: Any) -> dict[str, Any]:
    """Check a saved change of plan, and return a copy."""
    if not isinstance(change, dict):
        raise ScheduleError(f"changes: {short(change)} must be a dict")
    missing = [name for name in ("at", "change", "of") if name not in change]
    if missing:
        raise ScheduleError(f"changes: {', '.join(missing)} missing in {short(change)}")
    for name in ("change", "of"):
        if not isinstance(change[name], str):
            raise ScheduleError(f"changes: {name}={short(change[name])} must be a string")
    at = whole("changes: at", change["at"], at_least=0)
    if at >= _MOST:
        raise ScheduleError(f"changes: at={short(at)} must be below 2**53")
    return {**change, "at": at}
