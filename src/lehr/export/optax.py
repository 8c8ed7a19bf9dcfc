"""Schedules as optax's own functions, joined, where those give the same values."""

from __future__ import annotations

from lehr.curves import Curve, Exponential, Flat, Ramp, Stairs
from lehr.curves.arithmetic import as_number
from lehr.curves.easing import COSINE, LINEAR
from lehr.errors import ScheduleError
from lehr.export.code import Text, Writer, number
from lehr.export.python import comment, inside, layout, needed, path_of, raises
from lehr.schedule.base import Schedule


def code(schedule: Schedule) -> str:
    """Return code that makes ``lr``, a function of the count of updates."""
    if raises(schedule):
        raise ScheduleError(
            "past='raise' cannot be kept: what JAX traces cannot raise; write .over(...) without it"
        )
    path = path_of(schedule)
    writer = Writer("jnp")
    functions: list[str] = []
    calls: list[str] = []
    for part in path.parts:
        call = _call(part)
        if call is None:
            call = f"piece_{len(functions) + 1}"
            functions.append(_function(call, part, writer))
        calls.append(call)
    begins = path.starts[1:]
    # optax's own ramps stay where they end; the others would go on.
    stays = any(isinstance(part, Ramp) and _ramp(part) is not None for part in path.parts[-1:])
    if path.length is not None and not stays:
        calls.append(f"optax.constant_schedule({path.end!r})")
        begins = [*begins, path.stop] if path.parts else begins
    joined = f"lr = {calls[0]}"
    if len(calls) > 1:
        listed = "".join(f"        {call},\n" for call in calls)
        joined = f"lr = optax.join_schedules(\n    [\n{listed}    ],\n    boundaries={begins},\n)"
    imports = ["import jax.numpy as jnp"] if functions else []
    imports += ["import optax"] if "optax." in joined else []
    return layout(imports, writer.tables, [*functions, f"{comment(schedule)}\n{joined}\n"])


def _function(name: str, part: Curve, writer: Writer) -> str:
    """Return a JAX function for a part, of the steps since the part began."""
    writer.begin()
    value = number(part.value(Text("step"), writer)).text.replace("math.pi", "jnp.pi")
    lines = [line.replace("math.pi", "jnp.pi") for line in needed(writer.lines, value)]
    body = "".join(f"    {line}\n" for line in [*lines, f"return {value}"])
    return f"def {name}(step):\n    step = jnp.asarray(step)\n{body}"


def _call(part: Curve) -> str | None:
    """Return the optax function of a part; None where optax has none."""
    match part:
        case Flat():
            return f"optax.constant_schedule({part.low!r})"
        case Ramp():
            return _ramp(part)
        case Exponential():
            return _exponential(part, staircase=False)
        case Stairs():
            inner = inside(part)
            if isinstance(inner, Exponential) and inner.every == as_number(part.every):
                return _exponential(inner, staircase=True)
            return None
        case _:
            return None


def _exponential(part: Exponential, *, staircase: bool) -> str:
    given = f"{part.start!r}, transition_steps={part.every!r}, decay_rate={part.gamma!r}"
    return f"optax.exponential_decay({given}{', staircase=True' if staircase else ''})"


def _ramp(part: Ramp) -> str | None:
    if part.log or part.ease.function is not None:
        return None
    ends = f"{part.start!r}, {part.to!r}"
    if part.ease == LINEAR:
        return f"optax.linear_schedule({ends}, transition_steps={part.steps!r})"
    if part.ease == COSINE and part.start != 0:
        given = f"{part.start!r}, decay_steps={part.steps!r}, alpha={part.to / part.start!r}"
        return f"optax.cosine_decay_schedule({given})"
    if part.ease.name == "power":
        given = f"{ends}, power={part.ease.parameters[0]!r}, transition_steps={part.steps!r}"
        return f"optax.polynomial_schedule({given})"
    return None
