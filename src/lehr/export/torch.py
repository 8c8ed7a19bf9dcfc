"""Schedules as torch's own schedulers, where those give the same values."""

from __future__ import annotations

import itertools
import math

from lehr.curves import Curve, Cycles, Exponential, Flat, Path, Ramp, Stairs
from lehr.curves.arithmetic import as_number
from lehr.curves.easing import COSINE, LINEAR
from lehr.export.python import comment, inside, lambda_lr, path_of, raises
from lehr.schedule.base import Schedule

TorchCall = tuple[str, str]
"""The name of a torch scheduler, and the text of its arguments after the optimizer."""


def code(schedule: Schedule) -> str:
    """Return code that makes a ``scheduler`` for an ``optimizer``."""
    made = None if raises(schedule) else _calls(path_of(schedule))
    if made is None:
        return lambda_lr(schedule)
    calls, milestones = made
    names = {name for name, _ in calls}
    if milestones:
        names.add("SequentialLR")
    head = f"from torch.optim.lr_scheduler import {', '.join(sorted(names))}"
    lines = [head, "", comment(schedule)]
    made_of = [f"{name}(optimizer, {text})" for name, text in calls]
    if not milestones:
        return "\n".join([*lines, f"scheduler = {made_of[0]}", ""])
    lines += ["scheduler = SequentialLR(", "    optimizer,", "    ["]
    lines += [f"        {call}," for call in made_of]
    return "\n".join([*lines, "    ],", f"    milestones={milestones},", ")", ""])


def _calls(path: Path) -> tuple[list[TorchCall], list[int]] | None:
    """Return the schedulers of a path and where each but the first begins, or None."""
    falls = _falls(path)
    if falls is not None:
        return [falls], []
    times = path.starts if path.length is None else [*path.starts, path.stop]
    if not all(isinstance(time, int) for time in times):
        return None
    calls: list[TorchCall] = []
    for part in path.parts:
        last = part is path.parts[-1] and part.length is None
        call = _call(part, last)
        if call is None:
            return None
        calls.append(call)
    begins = [int(start) for start in path.starts[1:]]
    # A LinearLR or PolynomialLR stays where it ends; the others would go on.
    if path.length is not None and not (calls and calls[-1][0] in ("LinearLR", "PolynomialLR")):
        calls.append(("LambdaLR", f"lambda step: {path.end!r}"))
        begins += [int(path.stop)] if path.parts else []
    return calls, begins


def _falls(path: Path) -> TorchCall | None:
    """Return the MultiStepLR of a staircase that falls by one factor."""
    levels = [part.low for part in path.parts if isinstance(part, Flat)]
    if path.length is not None or len(levels) < 2 or len(levels) != len(path.parts):
        return None
    if levels[0] != 1 or 0 in levels or not all(isinstance(at, int) for at in path.starts):
        return None
    gamma = levels[1]
    alike = all(
        math.isclose(after, before * gamma, rel_tol=1e-12)
        for before, after in itertools.pairwise(levels)
    )
    return ("MultiStepLR", f"milestones={path.starts[1:]}, gamma={gamma!r}") if alike else None


def _call(part: Curve, last: bool) -> TorchCall | None:
    """Return the scheduler of a part, counted from its own start; None where torch has none."""
    match part:
        case Flat():
            return _flat(part, last)
        case Ramp():
            return _ramp(part)
        case Exponential() if part.start == 1:
            return "ExponentialLR", f"gamma={part.gamma ** (1 / part.every)!r}"
        case Stairs():
            return _stairs(part)
        case Cycles():
            return _cycles(part)
        case _:
            return None


def _flat(part: Flat, last: bool) -> TorchCall | None:
    if last:
        return "LambdaLR", f"lambda step: {part.low!r}"
    # The next one takes over at the very step at which this one would end.
    if not 0 <= part.low <= 1:
        return None
    return "ConstantLR", f"factor={part.low!r}, total_iters={part.length}"


def _ramp(part: Ramp) -> TorchCall | None:
    start, to, steps = part.start, part.to, part.steps
    if not isinstance(steps, int) or part.log or part.ease.function is not None:
        return None
    if part.ease == LINEAR and 0 < start <= 1 and 0 <= to <= 1:
        return "LinearLR", f"start_factor={start!r}, end_factor={to!r}, total_iters={steps}"
    if (start, to) != (1, 0):
        return None
    if part.ease == COSINE:
        return "CosineAnnealingLR", f"T_max={steps}"
    if part.ease.name == "power":
        return "PolynomialLR", f"total_iters={steps}, power={part.ease.parameters[0]!r}"
    return None


def _stairs(part: Stairs) -> TorchCall | None:
    inner, every = inside(part), as_number(part.every)
    if not isinstance(every, int) or not isinstance(inner, Exponential):
        return None
    if inner.start != 1 or inner.every != every:
        return None
    return "StepLR", f"step_size={every}, gamma={inner.gamma!r}"


def _cycles(part: Cycles) -> TorchCall | None:
    if part.count is not None or part.scale != 1:
        return None
    cycle = part.curve
    legs = cycle.parts if isinstance(cycle, Path) else [cycle]
    size, stretch = as_number(part.size), as_number(part.stretch)
    falls = [leg for leg in legs if isinstance(leg, Ramp) and leg.ease == COSINE and not leg.log]
    levels = [(leg.start, leg.to) for leg in falls]
    if len(falls) != len(legs) or not isinstance(size, int) or not isinstance(stretch, int):
        return None
    if levels == [(1, 0)]:
        return "CosineAnnealingWarmRestarts", f"T_0={size}, T_mult={stretch}"
    if levels == [(1, 0), (0, 1)] and falls[0].length == falls[1].length and stretch == 1:
        return "CosineAnnealingLR", f"T_max={falls[0].steps}"
    return None
