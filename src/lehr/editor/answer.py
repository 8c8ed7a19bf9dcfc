"""The answer to a request of the page or the notebook: one pure function, without any state.

A request holds the whole sketch, and what is done to it; the answer holds the sketch after that,
its picture, and all that is shown beside it. Any answer may be lost and any request repeated.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from lehr.catalogue import ENTRIES
from lehr.check import check
from lehr.curves.easing import Ease
from lehr.editor import edits
from lehr.editor.code import KINDS, code
from lehr.editor.evidence import Evidence
from lehr.editor.handles import handles, place, seen
from lehr.editor.moving import move, nudge
from lehr.editor.numbers import numbers, plain
from lehr.editor.picture import (
    Layout,
    Stroke,
    alone,
    draw,
    layout,
    points,
    thumbnail,
    value_at,
)
from lehr.editor.sections import sections
from lehr.editor.sketch import Sketch
from lehr.errors import ScheduleError
from lehr.schedule.leaves import ramp
from lehr.schedule.problem import ParseError
from lehr.view import numbers as written

VERSION: Final = 1
"""The version of requests and answers."""

_NOTHING: Final = Evidence()
_CHECKED: Final = 1_000_000


def answer(request: Mapping[str, Any], evidence: Evidence = _NOTHING) -> dict[str, Any]:
    """Return the answer to a request; both are plain JSON types.

    A request has ``v`` (1), ``seq`` (returned as it is) and either ``gallery`` (true) or ``sketch``
    and ``size``. It may have ``code`` (the kind that is shown), ``act`` (what is done, by its
    ``kind``), ``frame`` (the axes of an earlier answer, kept while something is moved), ``slow``
    (true for what takes longer: findings and evidence) and ``file`` (true for a picture to save).

    Arguments:
        request: Anything; what is not understood is answered with ``error``.
        evidence: The law and the comparisons that are shown beside the picture.

    Returns:
        ``sketch``, ``picture`` and what belongs to them; or ``error``, with its ``line`` and its
        place there, ``at``. It never raises.
    """
    began = time.perf_counter()
    found: dict[str, Any]
    try:
        found = _answer(request, evidence)
    except _LineError as problem:
        found = _refused(problem.error) | {"line": problem.line}
    except (ScheduleError, ArithmeticError) as error:
        found = _refused(error)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        found = {"error": f"the request is not understood ({type(error).__name__})", "at": None}
    seq = request.get("seq") if isinstance(request, Mapping) else None
    spent = round((time.perf_counter() - began) * 1e3, 2)
    return {"v": VERSION, "seq": seq if isinstance(seq, int) else None, "ms": spent, **found}


class _LineError(Exception):
    """An error in the text of a line."""

    def __init__(self, line: int, error: Exception) -> None:
        super().__init__(str(error))
        self.line, self.error = line, error


def _refused(error: Exception) -> dict[str, Any]:
    at = error.place if isinstance(error, ParseError) and isinstance(error.place, int) else None
    return {"error": str(error)[:2000] or type(error).__name__, "at": at}


def _answer(request: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    if request.get("v") != VERSION:
        raise ScheduleError(f"v={request.get('v')!r}: this lehr answers version {VERSION}; reload")
    if request.get("gallery"):
        return _gallery()
    before = Sketch.of(request["sketch"])
    size = _size(request.get("size"))
    act, kept = request.get("act"), request.get("frame")
    sketch, bound, held = before, "", None
    if act is not None:
        index = _index(act, before)
        try:
            text, bound = _acted(act, before, index, size, kept)
        except ParseError as error:
            raise _LineError(index, error) from None
        sketch = before.with_text(index, text)
        held = index if act["kind"] == "drag" else None
    strokes = _strokes(sketch)
    where = layout(sketch, strokes, size, kept if held is not None else None)
    selected = strokes[sketch.selected]
    began = sketch if held is None else before
    words = _words(sketch, selected)
    found: dict[str, Any] = {
        "sketch": sketch.to_dict(),
        "size": list(size),
        "picture": draw(sketch, strokes, where),
        "frame": where.to_dict(),
        "bound": bound,
        "handles": [
            handle
            for index in _with_handles(sketch)
            for handle in _handles(began, sketch, index, strokes[index].length, where)
        ],
        "numbers": [_numbers(line.text) for line in sketch.lines],
        # Their buttons are not needed while something is held.
        "sections": None if held is not None else _sections(sketch, where),
        "readout": _readout(sketch, selected),
        "words": words,
        "code": code(sketch, str(request.get("code", KINDS[0]))),
        "predicted": evidence.predicted(sketch, selected.placed),
    }
    if request.get("slow"):
        found["findings"] = _findings(sketch, strokes)
        found["measured"] = evidence.measured(selected.placed)
    if request.get("file"):
        found["file"] = alone(sketch, strokes, where, words)
    return found


def _size(value: Any) -> tuple[float, float]:
    match value:
        case [int() | float() as width, int() | float() as height] if math.isfinite(width + height):
            return float(min(max(width, 240), 2400)), float(min(max(height, 160), 1600))
        case _:
            raise ScheduleError("size: a width and a height in pixels are needed")


def _index(act: Any, sketch: Sketch) -> int:
    index = act["line"]
    if isinstance(index, bool) or not isinstance(index, int):
        raise ScheduleError("act: line is a number")
    if not 0 <= index < len(sketch.lines):
        raise ScheduleError(f"act: line={index} is not one of {len(sketch.lines)} lines")
    return index


def _strokes(sketch: Sketch) -> list[Stroke]:
    found: list[Stroke] = []
    for index, line in enumerate(sketch.lines):
        try:
            found.append(points(place(line.text, sketch.horizon)))
        except ParseError as error:
            raise _LineError(index, error) from None
    return found


# ----- what is done -------------------------------------------------------------------------------


def _acted(
    act: Mapping[str, Any], sketch: Sketch, index: int, size: tuple[float, float], kept: Any
) -> tuple[str, str]:
    """Return the text of a line after something was done to it, and why that stopped short."""
    text, run = sketch.lines[index].text, sketch.horizon
    match act["kind"]:
        case "drag":
            return _dragged(act, sketch, index, size, kept)
        case "nudge":
            axis = "x" if act["axis"] == "x" else "y"
            made = nudge(text, run, str(act["handle"]), axis, int(act["by"]))
            return made.text, made.bound
        case "number":
            return edits.written(text, run, int(act["number"]), str(act["text"])[:60]), ""
        case "split":
            where = layout(sketch, _strokes(sketch), size)
            return edits.split(text, run, value_at(where.x, _pixel(act["px"]))), ""
        case "ease":
            return edits.eased(text, run, int(act["piece"]), str(act["ease"])[:80]), ""
        case "repeat":
            return edits.repeated(text, run, int(act["times"])), ""
        case "add":
            return edits.added(text, run), ""
        case "join" | "delete" | "apart" as kind:
            change = {"join": edits.joined, "delete": edits.deleted, "apart": edits.apart}[kind]
            return change(text, run, int(act["piece"])), ""
        case _:
            raise ScheduleError("act: its kind is unknown")


def _pixel(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ScheduleError("act: a place in pixels is needed")
    return float(value)


def _dragged(
    act: Mapping[str, Any], sketch: Sketch, index: int, size: tuple[float, float], kept: Any
) -> tuple[str, str]:
    line, only = sketch.lines[index], act.get("only")
    if not isinstance(kept, Mapping):
        raise ScheduleError("act: a drag needs the frame that it began with")
    where = layout(sketch, [], size, cast("Mapping[str, Any]", kept))
    y_scale = where.panels[line.role]
    x_pixel, y_pixel = _pixel(act["px"]), _pixel(act["py"])
    x = min(max(value_at(where.x, x_pixel), where.x.low), where.x.high)
    y_pixel = min(max(y_pixel, y_scale.stop), y_scale.start)
    y = value_at(y_scale, y_pixel)
    near = abs(value_at(y_scale, y_pixel - 0.5) - value_at(y_scale, y_pixel + 0.5))
    made = move(
        line.text,
        sketch.horizon,
        str(act["handle"]),
        None if only == "y" else x,
        None if only == "x" else y,
        tolerance=((where.x.high - where.x.low) / (where.x.stop - where.x.start), near),
        ripple=bool(act.get("ripple")),
    )
    return made.text, made.bound


# ----- what is shown ------------------------------------------------------------------------------


def _with_handles(sketch: Sketch) -> list[int]:
    """Return the lines that have handles: the selected one, and the first of each other role."""
    chosen: dict[str, int] = {}
    for index, line in enumerate(sketch.lines):
        if index == sketch.selected or line.role not in chosen:
            chosen[line.role] = index
    return sorted(chosen.values())


def _handles(
    before: Sketch, sketch: Sketch, index: int, length: float, where: Layout
) -> list[dict[str, Any]]:
    """Return the handles that a line had when a drag began, where they are now."""
    line = sketch.lines[index]
    role, y_scale, base = line.role, where.panels[line.role], sketch.base_of(line.role)
    steps, unit = sketch.step_of_axis(where.x.high)
    now = seen(line.text, sketch.horizon)
    known = handles(before.lines[index].text, before.horizon)
    shown = [one for one in known if one.knot in now]
    count = sum(not one.bend for one in shown)
    number = 0
    found: list[dict[str, Any]] = []
    for one in shown:
        number += not one.bend
        label = "Bend" if one.bend else f"Knot {number} of {count}"
        x, y = float(now[one.knot].x), one.of(now[one.knot])
        at = f"{written.plain(x / steps, 6)}%" if unit == "%" else written.plain(x / steps, 6)
        across = bool(one.x_numbers)
        found.append(
            {
                "id": one.id,
                "line": index,
                "cx": round(where.x.clamp(x), 2),
                "cy": round(y_scale.clamp(y), 2),
                "bend": one.bend,
                "axes": ("x" if across else "") + ("y" if one.y_number is not None else ""),
                "label": f"{label} of {role}; {one.words}",
                "valuetext": f"{'share' if unit == '%' else unit} {at}, "
                f"{role} {written.plain(y * base)}",
                "now": x if across else y,
                "min": 0 if across else min(y_scale.low, y),
                "max": max(length, x) if across else max(y_scale.high, y),
            }
        )
    return found


def _numbers(text: str) -> list[dict[str, Any]]:
    return [
        {
            "name": number.name,
            "text": text[number.start + len(number.before) : number.stop]
            .removesuffix("'")
            .removesuffix('"')
            if number.written
            else plain(number, number.value),
            "written": number.written,
        }
        for number in numbers(text)
    ]


def _sections(sketch: Sketch, where: Layout) -> list[dict[str, Any]]:
    found = sections(sketch.lines[sketch.selected].text, sketch.horizon)
    return [
        {
            "text": section.text if len(section.text) <= 60 else f"{section.text[:57]}...",
            "start": section.start,
            "ease": section.ease,
            "begin": None if section.begin is None else round(where.x.clamp(section.begin), 1),
            "end": None if section.end is None else round(where.x.clamp(section.end), 1),
        }
        for section in found[:100]
    ]


def _readout(sketch: Sketch, stroke: Stroke) -> dict[str, str]:
    base = sketch.base_of(sketch.lines[sketch.selected].role)
    values = stroke.values[np.isfinite(stroke.values)]
    peak = float(values.max(initial=-math.inf)) if len(values) else math.nan
    mean = float(values.mean()) if len(values) else math.nan
    if stroke.length > len(stroke.values):
        xs, ys = stroke.points
        known = np.array([math.nan if y is None else y for y in ys])
        mean = float(np.trapezoid(known, xs) / stroke.length)
    shown = {"peak": peak, "mean": mean, "end": stroke.placed.end, "area": mean * stroke.length}
    found = {name: _number(value * base) for name, value in shown.items()}
    return found | {"steps": f"{stroke.length:,.0f}"}


def _number(value: float) -> str:
    return written.plain(value) if math.isfinite(value) else "?"


def _words(sketch: Sketch, stroke: Stroke) -> str:
    shown = _readout(sketch, stroke)
    first = next((y for y in stroke.points[1] if y is not None), 0.0)
    role = sketch.lines[sketch.selected].role
    start = _number(first * sketch.base_of(role))
    return (
        f"The {role} over {shown['steps']} steps: from {start} to {shown['end']}, "
        f"peak {shown['peak']}, mean {shown['mean']}"
    )


def _findings(sketch: Sketch, strokes: Sequence[Stroke]) -> list[dict[str, Any]]:
    """Return the probable mistakes, each with its place in the text."""
    found: list[dict[str, Any]] = []
    for index, (line, stroke) in enumerate(zip(sketch.lines, strokes, strict=True)):
        if line.role != "rate" or stroke.length > _CHECKED:
            continue
        for finding in check(stroke.placed):
            parts = sections(line.text, sketch.horizon)
            start = parts[-1 if finding.name in ("end", "cut") else 0].start
            found.append({"line": index, "message": str(finding), "at": start})
    return found


def _gallery() -> dict[str, Any]:
    shown = [
        {
            "name": entry.name,
            "family": entry.family,
            "summary": entry.summary,
            "text": entry.call,
            "momentum": repr(entry.momentum) if entry.momentum else "",
            "picture": thumbnail(entry.example),
        }
        for entry in ENTRIES.values()
    ]
    eases = [
        {"name": name, "picture": thumbnail(ramp(to=0.0, ease=Ease.of(name)))}
        for name in edits.EASES
    ]
    return {"gallery": shown, "eases": eases, "codes": list(KINDS)}
