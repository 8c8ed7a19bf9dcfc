"""Base rates, groups and positions, which all translations of torch's schedulers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from lehr.errors import ScheduleError, level
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import Decay, Piece, hold
from lehr.schedule.sequence import Sequence
from lehr.schedule.times import Repeat, Slice
from lehr.schedule.values import Clip, Every
from lehr.translate.pieces import scaled
from lehr.translate.registry import Translation

GroupRates = float | list[float] | tuple[float, ...] | None
"""The optimizer's rate: one for all groups, a list with one a group, or unknown."""


def plain(value: Any) -> Any:
    """Return a number, or a tensor of one element, as a Python number; other things as they are."""
    return value.item() if hasattr(value, "item") else value


def many(value: Any) -> list[Any] | None:
    """Return the values of a list, one a group; None where one is given for all."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else None


def bases(lr: GroupRates) -> list[float | None]:
    """Return the base rate of each group; a single None where none is given."""
    if lr is None:
        return [None]
    listed = many(lr)
    if listed is not None:
        return [level(f"lr[{i}]", plain(rate)) for i, rate in enumerate(listed)]
    return [level("lr", plain(lr))]


def needed(lr: float | None, name: str, value: object) -> float:
    """Return the base rate, which an absolute argument needs."""
    if lr is None:
        raise ScheduleError(
            f"{name}={value!r} is a rate, not a factor: give the optimizer's own, as in lr=0.1"
        )
    return lr


def of_group(value: Any, group: int) -> Any:
    """Return an argument's value for a group: its own in a list, or the one for all."""
    listed = many(value)
    return plain(value if listed is None else listed[group])


def levels(lr: GroupRates, name: str, low: float) -> tuple[list[tuple[float, float]], bool]:
    """Return the level that each group begins at and the one that it goes to.

    They are factors of the base rates; or rates, as the second result says, if one of the base
    rates is 0 and so has no factors.
    """
    if low == 0:
        return [(1.0, 0.0)] * len(bases(lr)), False
    known = [needed(base, name, low) for base in bases(lr)]
    if 0.0 in known:
        return [(base, low) for base in known], True
    return [(1.0, low / base) for base in known], False


def after(before: Schedule, then: Schedule) -> Schedule:
    """Return one schedule after another, where the second begins at 1 whatever the first left."""
    if before.end == 1 or not _enters(then):
        return before >> then
    return before >> hold(0, at=1.0) >> then


def _enters(schedule: Schedule) -> bool:
    """Return whether the level before a schedule makes a difference to it."""
    match schedule:
        case Piece() | Decay():
            return schedule.start is None
        case Sequence():
            return _enters(schedule.parts[0])
        case Slice() | Repeat() | Every() | Clip():
            return _enters(schedule.inner)
        case _:
            return False


@dataclass(frozen=True, kw_only=True)
class TorchBase:
    """The base rates and the position, which all of torch's schedulers share.

    Arguments:
        lr: The base rates; a list makes the groups known.
        last_epoch: The position before the one that the scheduler is at; -1 for a new one, None
            if no run is known.
    """

    lr: GroupRates = None
    last_epoch: int | None = None

    def answer(
        self,
        curves: list[Schedule],
        *,
        absolute: bool = False,
        notes: Iterable[str] = (),
        momentum: Schedule | None = None,
    ) -> Translation:
        """Return the translation of curves, one a group or one for all.

        They are factors of the groups' base rates, or ``absolute``: the rates themselves.
        """
        rates = bases(self.lr)
        count = max(len(curves), len(rates))
        spread = list(curves) * count if len(curves) == 1 else list(curves)
        groups: list[Schedule] = []
        if absolute:
            groups = spread if isinstance(self.lr, list | tuple) or len(curves) > 1 else []
        elif isinstance(self.lr, list | tuple):
            known = [needed(rate, "lr", 0.0) for rate in rates]
            known = known * count if len(known) == 1 else known
            groups = [scaled(curve, rate) for curve, rate in zip(spread, known, strict=True)]
        alike = all(curve == curves[0] for curve in curves)
        said = list(notes)
        if not alike and not groups:
            said.append(
                "its groups differ, and this is the curve of the first; give lr=[...], one a group"
            )
        use_first = bool(groups) and not alike
        return Translation(
            groups[0] if use_first else spread[0],
            absolute=absolute or use_first,
            notes=tuple(said),
            momentum=momentum,
            groups=tuple(groups),
            position=None if self.last_epoch is None else self.last_epoch + 1,
        )


def from_state(*own: str) -> Any:
    """Return a reader of saved states that hold some arguments under their own names."""

    def read(state: Mapping[str, Any]) -> dict[str, Any]:
        missing = [name for name in own if name not in state]
        if missing:
            raise ScheduleError(f"the state lacks {', '.join(missing)}: it is of another class")
        return {**{name: plain(state[name]) for name in own}, **place(state)}

    return read


def place(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base rates and the position of a state, as arguments."""
    found: dict[str, Any] = {}
    if "base_lrs" in state:
        found["lr"] = [plain(rate) for rate in state["base_lrs"]]
    if "last_epoch" in state:
        found["last_epoch"] = int(state["last_epoch"]) - 1
    return found
