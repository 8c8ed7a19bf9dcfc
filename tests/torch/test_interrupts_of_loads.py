"""Ctrl-C at a line of a load or of a constructor: nothing is half-changed.

The interrupt is raised at lines of lehr's own files in turn. Afterwards either all is as before,
or all is as after; and the steps that follow, or a scheduler that is built again, show it.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from test_interrupts_every_class import BUILDS, bases, interrupted, new

from driving import make_optimizer, read
from twins import Run, saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FEW, EACH = 61, 1
"""Every so many lines; a prime meets all kinds of lines."""


def numbers(run: Run) -> Any:
    """Return all that a load may change, in plain types."""
    groups = [
        {k: v for k, v in group.items() if k != "params"} for group in run.optimizer.param_groups
    ]
    plain = [{k: float(v) if hasattr(v, "item") else v for k, v in g.items()} for g in groups]
    return plain, saved(run)


def each_line(stride: int, attempt: Callable[[int], bool]) -> None:
    """Attempt something with an interrupt at one line after the other, until it is not reached."""
    for line in range(0, 20_000, stride):
        if not attempt(line):
            assert line > 10
            return


def load_interrupted(name: str, what: str, kind: str, stride: int) -> None:
    """Interrupt a load of the scheduler or of the optimizer."""
    old = new(name, kind, 6)
    states = {"scheduler": saved(old), "optimizer": copy.deepcopy(old.optimizer.state_dict())}
    outcomes = [new(name, kind, 3), new(name, kind, 3)]
    getattr(outcomes[1], what).load_state_dict(copy.deepcopy(states[what]))
    expected = [(numbers(run), run.steps(3)) for run in outcomes]

    def attempt(line: int) -> bool:
        run = new(name, kind, 3)
        state = copy.deepcopy(states[what])
        came = interrupted(lambda: getattr(run, what).load_state_dict(state), line)
        found = numbers(run), run.steps(3)
        if what == "scheduler":
            assert found in expected, f"line {line}"
        else:
            # torch's own part is done by then: the next step heals the rest.
            assert found[1][1:] in [rows[1:] for _, rows in expected], f"line {line}"
        return came

    each_line(stride, attempt)


def build_interrupted(name: str, kind: str, stride: int) -> None:
    """Interrupt a constructor: the optimizer is as before, and may be given to another one."""
    clean = new(name, kind, 0)
    expected = bases(clean), [read(clean.optimizer), *clean.steps(3)]

    def attempt(line: int) -> bool:
        optimizer = make_optimizer(kind, (0.1, 0.3))
        for group in optimizer.param_groups:
            group["weight_decay"] = 0.02
        before = [dict(group) for group in optimizer.param_groups], read(optimizer)
        held: list[Any] = []
        came = interrupted(lambda: held.append(BUILDS[name](optimizer)), line)
        if held:
            return came
        if came:
            keys = [set(group) for group in optimizer.param_groups]
            wanted = [set(group) for group in before[0]]
            containers = name in ("SequentialLR", "ChainedScheduler")
            if not containers:  # their children are built by then
                assert (keys, read(optimizer)) == (wanted, before[1]), f"line {line}"
        run = Run(optimizer, BUILDS[name](optimizer))
        assert (bases(run), [read(optimizer), *run.steps(3)]) == expected, f"line {line}"
        return came

    each_line(stride, attempt)


@pytest.mark.parametrize("what", ["scheduler", "optimizer"])
@pytest.mark.parametrize("name", BUILDS)
def test_a_load_that_is_interrupted_at_some_lines(name: str, what: str):
    load_interrupted(name, what, "sgd", FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
@pytest.mark.parametrize("what", ["scheduler", "optimizer"])
@pytest.mark.parametrize("name", BUILDS)
def test_a_load_that_is_interrupted_at_each_line(name: str, what: str, kind: str):
    load_interrupted(name, what, kind, EACH)


@pytest.mark.parametrize("name", BUILDS)
def test_a_constructor_that_is_interrupted_at_some_lines(name: str):
    build_interrupted(name, "sgd", FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
@pytest.mark.parametrize("name", BUILDS)
def test_a_constructor_that_is_interrupted_at_each_line(name: str, kind: str):
    build_interrupted(name, kind, EACH)
