"""Ctrl-C at any line inside ``step()``: the next steps are those of a run that was not interrupted.

The interrupt is raised at each line of lehr's own files in turn, as a signal's handler raises it.
What was interrupted is healed by the steps that follow: one that was interrupted before its end may
be made or not, but the rates are those of the position that the scheduler says it is at.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lehr
import lehr.torch as ours
from driving import make_optimizer, read
from twins import ARGUMENTS, Run, flat, saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ROOM = str(Path(ours.__file__).parent)


def tree(container: str) -> Callable[[Any], Any]:
    """Return a function that builds a container over an optimizer."""

    def make(optimizer: Any) -> Any:
        parts = [ours.LinearLR(optimizer, total_iters=4), ours.CosineAnnealingLR(optimizer, 12)]
        if container == "SequentialLR":
            return ours.SequentialLR(optimizer, parts, [4])
        return ours.ChainedScheduler(parts)

    return make


def drop_in(name: str) -> Callable[[Any], Any]:
    """Return a function that builds a drop-in over an optimizer."""
    return lambda optimizer: getattr(ours, name)(optimizer, **ARGUMENTS[name])


BUILDS: dict[str, Callable[[Any], Any]] = {
    **{name: drop_in(name) for name in ARGUMENTS},
    "TrapezoidalLR": lambda o: ours.TrapezoidalLR(o, 0.01, 0.5),
    "SequentialLR": tree("SequentialLR"),
    "ChainedScheduler": tree("ChainedScheduler"),
    "Scheduler": lambda o: ours.Scheduler(o, lr=lehr.warmup(3) >> lehr.cosine(30), guards="off"),
    "Scheduler of two numbers": lambda o: ours.Scheduler(
        o, lr=lehr.linear(30), momentum=lehr.linear(30, start=0.5, to=0.9), guards="off"
    ),
    "Scheduler of unlike groups": lambda o: ours.Scheduler(
        o, lr=[lehr.linear(30), lehr.cosine(30)], weight_decay="lr", guards="off"
    ),
}


class Interrupter:
    """Raises KeyboardInterrupt at the n-th line that runs in lehr's own files."""

    def __init__(self, at: int) -> None:
        self.left, self.raised = at, False

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        """Be the trace function: of a frame of ours, look at each line."""
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line" and not self.raised:
            if self.left == 0:
                self.raised = True
                raise KeyboardInterrupt
            self.left -= 1
        return self


def interrupted(step: Callable[[], None], at: int) -> bool:
    """Run a step with an interrupt at a line; return whether it came to that line."""
    interrupter, before = Interrupter(at), sys.gettrace()
    sys.settrace(interrupter)
    try:
        step()
    except KeyboardInterrupt:
        pass  # as the user pressed it
    finally:
        sys.settrace(before)
    return interrupter.raised


def new(name: str, kind: str, steps: int) -> Run:
    """Return a run of so many steps."""
    optimizer = make_optimizer(kind, (0.1, 0.3))
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.02
    run = Run(optimizer, BUILDS[name](optimizer))
    run.steps(steps)
    return run


def bases(run: Run) -> Any:
    """Return the values that a run must not have changed for good."""
    return [group.get("initial_lr") for group in run.optimizer.param_groups], [
        float(lr) for lr in run.scheduler.base_lrs
    ]


CASES = [(0, "sgd"), (5, "sgd"), (5, "sgd-tensor")]


@pytest.mark.parametrize(("made", "kind"), CASES)
@pytest.mark.parametrize("name", BUILDS)
def test_an_interrupt_at_some_lines_of_a_step(name: str, made: int, kind: str):
    """``made=0`` is the first, slow step; the others are inside a block."""
    # The lines between are those of the same functions; a stride that is prime meets all kinds.
    interrupt_at(name, made, kind, 7)


@pytest.mark.slow
@pytest.mark.parametrize(("made", "kind"), CASES)
@pytest.mark.parametrize("name", BUILDS)
def test_an_interrupt_at_each_line_of_a_step(name: str, made: int, kind: str):
    interrupt_at(name, made, kind, 1)


def interrupt_at(name: str, made: int, kind: str, stride: int) -> None:
    """Interrupt a step at one line after the other, and look at the steps that follow."""
    wrong: list[str] = []
    twins = [read(run.optimizer) for run in (new(name, kind, n) for n in range(made, made + 5))]
    fresh = bases(new(name, kind, made))
    for line in range(0, 10_000, stride):
        run = new(name, kind, made)
        came = interrupted(run.step, line)
        done = run.scheduler.last_epoch
        if came and done not in (made, made + 1):
            wrong.append(f"line {line}: last_epoch={done} instead of {made} or {made + 1}")
            continue
        run.made = done
        run.step()
        if run.scheduler.last_epoch != done + 1:
            wrong.append(f"line {line}: after one more step {run.scheduler.last_epoch}")
            continue
        expected = twins[done + 1 - made]
        if flat([read(run.optimizer)]) != pytest.approx(flat([expected]), rel=1e-12):
            wrong.append(f"line {line}: {read(run.optimizer)} instead of {expected}")
        elif bases(run) != fresh:
            wrong.append(f"line {line}: bases {bases(run)} instead of {fresh}")
        elif "fraction" in saved(run):
            wrong.append(f"line {line}: between two steps")
        if not came:
            assert line > 7, "the interrupts never came"
            break
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:12])
