"""Schedules as a function of Python's own numbers."""

from __future__ import annotations

import re
import textwrap
from fractions import Fraction
from typing import Final

from lehr.curves import Combined, Curve, Exponential, Flat, Path, Ramp, Stairs
from lehr.curves.arithmetic import as_number
from lehr.export.code import Text, Writer, number
from lehr.schedule.base import Schedule
from lehr.schedule.times import Over

_INDENT: Final = "    "


def path_of(schedule: Schedule) -> Path:
    """Return a schedule's path; a factor or summand of the whole is moved into its parts."""
    return _spread(schedule._path)


def _spread(path: Path) -> Path:
    whole = path.parts[0] if len(path.parts) == 1 else None
    if not isinstance(whole, Combined) or isinstance(whole.right, Curve):
        return path
    left = _spread(whole.left if isinstance(whole.left, Path) else Path([whole.left]))
    moved = [_moved(part, whole.right, product=whole.product) for part in left.parts]
    parts = [part for part in moved if part is not None]
    if not parts or len(parts) < len(moved) or left.length != path.length:
        return path
    return Path(parts, None if path.length is None else path.end)


def _moved(part: Curve, by: float, *, product: bool) -> Curve | None:
    """Return a part multiplied by a number, or with it added; None where that is another kind."""
    match part:
        case Flat():
            return Flat(part.length, part.low * by if product else part.low + by)
        case Ramp() if part.length is not None and not part.log:
            ends = (part.start * by, part.to * by) if product else (part.start + by, part.to + by)
            return Ramp(part.length, *ends, part.ease, log=False)
        case Exponential() if product:
            every = Fraction(part.every)
            return Exponential(part.length, part.start * by, part.gamma, every)
        case _:
            return None


def raises(schedule: Schedule) -> bool:
    """Return whether a schedule has no value past its end."""
    return isinstance(schedule, Over) and schedule.past == "raise"


def inside(stairs: Stairs) -> Curve:
    """Return the curve whose values a staircase holds."""
    curve = stairs.curve
    return curve.parts[0] if isinstance(curve, Path) and len(curve.parts) == 1 else curve


def comment(schedule: Schedule) -> str:
    """Return a schedule's own text as a comment, of one line."""
    return f"# {textwrap.shorten(repr(schedule), 200, placeholder=' ...')}"


def code(schedule: Schedule) -> str:
    """Return the function ``lr(step)``."""
    imports, tables, function = parts(schedule)
    return layout(imports, tables, [function])


def parts(schedule: Schedule) -> tuple[list[str], list[str], str]:
    """Return the imports and the tables of the function ``lr(step)``, and the function."""
    writer = Writer("math")
    body = [comment(schedule)]
    path = path_of(schedule)
    if raises(schedule) and path.length is not None:
        length = as_number(path.length)
        body += [
            f"if step > {length!r}:",
            f'{_INDENT}raise ValueError(f"step {{step}} is after the run\'s {length!r} steps")',
        ]
    body += _branches(path, writer)
    text = "\n".join(["def lr(step):", *(_INDENT + line for line in body)]) + "\n"
    used = [module for module in ("bisect", "math") if f"{module}." in text]
    return [f"import {module}" for module in used], writer.tables, text


def lambda_lr(schedule: Schedule, *notes: str) -> str:
    """Return code that makes a ``LambdaLR`` of the function ``lr(step)``, below notes."""
    imports, tables, function = parts(schedule)
    gap = [""] if imports else []
    imports = [*imports, *gap, "from torch.optim.lr_scheduler import LambdaLR"]
    made = "\n".join([*notes, "scheduler = LambdaLR(optimizer, lr)"])
    return layout(imports, tables, [function, made])


def layout(imports: list[str], tables: list[str], rest: list[str]) -> str:
    """Return a program of imports, tables, and functions or statements, with the usual gaps."""
    head = "\n\n".join("\n".join(lines) for lines in (imports, tables) if lines)
    return "\n\n\n".join(part.strip("\n") for part in (head, *rest) if part) + "\n"


def _branches(path: Path, writer: Writer) -> list[str]:
    """Return the lines of a function, a branch for each part of the path."""
    lines: list[str] = []
    stops = [*path.starts[1:], path.stop]
    # A path of no steps has an end and no parts.
    for part, start, stop in zip(path.parts, path.offsets, stops, strict=False):
        writer.begin()
        value = number(part.value(writer.minus(Text("step"), start), writer))
        branch = [*needed(writer.lines, value.text), f"return {value.text}"]
        if part is path.parts[-1] and path.length is None:
            return [*lines, *branch]
        lines += [f"if step < {stop!r}:", *(_INDENT + line for line in branch)]
    return [*lines, f"return {path.end!r}"]


def needed(lines: list[str], result: str) -> list[str]:
    """Return the lines that the result uses by name, directly or through other lines."""
    kept: list[str] = []
    used = set(re.findall(r"\w+", result))
    for line in reversed(lines):
        name, _, value = line.partition(" = ")
        if name in used:
            kept.insert(0, line)
            used |= set(re.findall(r"\w+", value))
    return kept
