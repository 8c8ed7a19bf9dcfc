"""Ctrl-C at any line of a step: the next step writes all values of its own position."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from torch.optim import Optimizer

import lehr
import lehr.torch as ours
from driving import make_optimizer, read

HERE = str(Path(ours.__file__).parent)

BUILDS: dict[str, tuple[str, tuple[float, ...], Callable[[Optimizer], Any]]] = {
    "one rate": ("sgd", (0.1, 0.1), lambda o: ours.Scheduler(o, lehr.linear(100))),
    "two rates": ("sgd", (0.1, 0.3), lambda o: ours.Scheduler(o, lehr.linear(100))),
    "a floor": (
        "sgd",
        (0.1, 0.3),
        lambda o: ours.Scheduler(o, ours.factor(lehr.linear(100), floor=[0.01, 0.02])),
    ),
    "rate and momentum": (
        "sgd",
        (0.1, 0.1),
        lambda o: ours.Scheduler(o, lehr.linear(100), momentum=lehr.linear(100, start=0.9)),
    ),
    "tensors": ("sgd-tensor", (0.1, 0.3), lambda o: ours.Scheduler(o, lehr.linear(100))),
    "a beta": (
        "adamw",
        (0.1, 0.3),
        lambda o: ours.Scheduler(o, lehr.linear(100), beta1=lehr.linear(100, start=0.9)),
    ),
    "StepLR": ("sgd", (0.1, 0.3), lambda o: ours.StepLR(o, 2, 0.5)),
    "CosineAnnealingLR": ("adamw", (0.1, 0.3), lambda o: ours.CosineAnnealingLR(o, 50, 0.01)),
    "LambdaLR": ("sgd", (0.1, 0.3), lambda o: ours.LambdaLR(o, lambda n: 1 / (1 + n))),
    "MultiplicativeLR": ("sgd", (0.1, 0.3), lambda o: ours.MultiplicativeLR(o, lambda n: 0.9)),
    "OneCycleLR": ("sgd", (0.1, 0.3), lambda o: ours.OneCycleLR(o, 1.0, 90)),
    "SequentialLR": (
        "sgd",
        (0.1, 0.3),
        lambda o: ours.SequentialLR(
            o, [ours.LinearLR(o, 0.5, total_iters=3), ours.ExponentialLR(o, 0.9)], [3]
        ),
    ),
}


def interrupted(call: Callable[[], object], line: int) -> bool:
    """Interrupt a call before the n-th line of the package; return whether it came so far."""
    passed = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal passed
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        if event == "line":
            passed += 1
            if passed == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("steps", [1, 2, 33])
@pytest.mark.parametrize("name", BUILDS)
def test_an_interrupted_step_is_healed_by_the_next(name: str, steps: int):
    kind, bases, build = BUILDS[name]
    reference = build(make_optimizer(kind, bases))
    wanted: dict[int, Any] = {}
    for position in (steps, steps + 1, steps + 2):
        reference.seek(position)
        wanted[position] = read(reference.optimizer)
    line, reached = 0, True
    while reached:
        line += 1
        optimizer = make_optimizer(kind, bases)
        scheduler = build(optimizer)
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
        optimizer.step()
        # Past the first of its fast steps, and where the values computed ahead run out.
        reached = interrupted(scheduler.step, line)
        assert scheduler.last_epoch in (steps, steps + 1)
        optimizer.step()
        scheduler.step()
        assert scheduler.last_epoch in (steps + 1, steps + 2)
        for found, right in zip(read(optimizer), wanted[scheduler.last_epoch], strict=True):
            assert found == pytest.approx(right, rel=1e-12)
        assert [group["initial_lr"] for group in optimizer.param_groups] == pytest.approx(bases)
        assert list(map(float, scheduler.base_lrs)) == pytest.approx(bases)
    assert line > 3


@pytest.mark.parametrize("own", [False, True])
def test_a_rate_set_by_hand_is_adopted_once_wherever_the_step_is_interrupted(own: bool):
    line, reached = 0, True
    while reached:
        line += 1
        optimizer = make_optimizer(rates=(0.1, 0.3 if own else 0.1))
        scheduler = ours.Scheduler(optimizer, lehr.linear(100), guards="off")
        for _ in range(5):
            optimizer.step()
            scheduler.step()
        optimizer.param_groups[1]["lr"] = 0.5
        optimizer.step()
        reached = interrupted(scheduler.step, line)
        optimizer.step()
        scheduler.step()
        level = 1 - scheduler.last_epoch / 100
        wanted = [0.1 * level, 0.5 / 0.95 * level]
        assert [rate for rate, _ in read(optimizer)] == pytest.approx(wanted)
    assert line > 30
