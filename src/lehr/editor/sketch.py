"""A design in progress: the texts of its lines, and the run that they are drawn over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, cast

from lehr.errors import ScheduleError
from lehr.schedule.horizon import Horizon

ROLES: Final = ("rate", "momentum", "weight decay")
"""The numbers of an optimizer that a line may drive."""

AXES: Final = ("steps", "epochs", "tokens", "shares")
"""The units that the time axis may have."""

LONGEST: Final = 20_000
"""The most characters of a text."""

_OVERLAID: Final = 4
_UNITS: Final = ("steps_per_epoch", "batch", "sequence")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the picture.

    Attributes:
        role: The number of the optimizer that it drives.
        text: The text of its schedule.
    """

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Sketch:
    """The lines of a picture and its run: everything that a link holds.

    Attributes:
        lines: At least one, and at most four of a role.
        run: The length of the run, as it is typed: ``"10_000"``, ``"90ep"``.
        units: What is known of the run's epochs, batches and tokens, as pairs.
        axis: The unit of the time axis.
        log: Whether rates have a log axis.
        base: The rate that the numbers are factors of; it only changes labels and read-outs.
        selected: The line that has handles.
    """

    lines: tuple[Line, ...]
    run: str = "10_000"
    units: tuple[tuple[str, int], ...] = ()
    axis: str = "steps"
    log: bool = False
    base: float = 1.0
    selected: int = 0

    @classmethod
    def of(cls, value: Any) -> Sketch:
        """Read a sketch from its dict, which may come from a stranger's link.

        Raises:
            ScheduleError: If it is anything else, or holds too much.
        """
        given = _mapping("sketch", value)
        lines = tuple(map(_line, _list("lines", given.get("lines"))))
        for role in ROLES:
            if sum(line.role == role for line in lines) > _OVERLAID:
                raise ScheduleError(f"lines: at most {_OVERLAID} are {role}")
        units = _mapping("units", given.get("units") or {})
        base, selected = given.get("base", 1.0), given.get("selected", 0)
        if not _is_number(base) or not 0 < base < math.inf:
            raise ScheduleError(f"base={_short(base)} must be a number greater than 0")
        if not isinstance(selected, int) or not 0 <= selected < len(lines):
            raise ScheduleError(f"selected={_short(selected)} is not one of {len(lines)} lines")
        axis = given.get("axis", "steps")
        if axis not in AXES:
            raise ScheduleError(f"axis={_short(axis)} is unknown; write one of {', '.join(AXES)}")
        counts = tuple((name, _count(name, units[name])) for name in _UNITS if units.get(name))
        run = str(given.get("run", "10_000"))[:40]
        return cls(lines, run, counts, axis, bool(given.get("log")), float(base), selected)

    def to_dict(self) -> dict[str, Any]:
        """Return the design as a dict of plain JSON types."""
        plain = asdict(self)
        return plain | {"lines": list(plain["lines"]), "units": dict(self.units)}

    def with_text(self, index: int, text: str) -> Sketch:
        """Return a copy with another text for one of its lines."""
        lines = list(self.lines)
        lines[index] = Line(lines[index].role, text)
        return replace(self, lines=tuple(lines))

    @property
    def horizon(self) -> Horizon:
        """The run that the lines are placed over.

        Raises:
            ScheduleError: If it is not a length.
        """
        digits = self.run.strip().replace("_", "")
        length = int(digits) if digits.isdecimal() else self.run
        units: dict[str, Any] = dict(self.units)
        return Horizon(length, **units)

    def base_of(self, role: str) -> float:
        """Return the number that 1 means on the lines of a role."""
        return self.base if role == "rate" else 1.0

    def step_of_axis(self, length: float) -> tuple[float, str]:
        """Return the steps in a unit of the time axis, and its name, in a run of `length` steps.

        Raises:
            ScheduleError: If the run has no such unit.
        """
        units = dict(self.units)
        if self.axis == "epochs":
            if "steps_per_epoch" not in units:
                raise ScheduleError("axis='epochs' needs the steps of an epoch; write them")
            return float(units["steps_per_epoch"]), "epoch"
        if self.axis == "tokens":
            if "batch" not in units or "sequence" not in units:
                raise ScheduleError("axis='tokens' needs the batch and the sequence; write both")
            return 1 / (units["batch"] * units["sequence"]), "tokens"
        return (length / 100, "%") if self.axis == "shares" else (1.0, "step")


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ScheduleError(f"{name}={_short(value)} must be an object with names")
    return cast("Mapping[str, Any]", value)


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ScheduleError(f"{name}={_short(value)} must be a list of at least one")
    return cast("list[Any]", value)[: len(ROLES) * _OVERLAID]


def _line(value: Any) -> Line:
    given = _mapping("line", value)
    role, text = given.get("role", "rate"), given.get("text")
    if role not in ROLES:
        raise ScheduleError(f"role={_short(role)} is unknown; write one of {', '.join(ROLES)}")
    if not isinstance(text, str) or len(text) > LONGEST:
        raise ScheduleError(f"text={_short(text)} must be a string of at most {LONGEST} characters")
    return Line(role, text)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**12:
        raise ScheduleError(f"{name}={_short(value)} must be a whole number of at least 1")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
