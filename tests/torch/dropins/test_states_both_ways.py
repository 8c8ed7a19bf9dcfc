"""States across: lehr's read by torch's class, and torch's read by lehr's, in the middle of a run.

What is read goes on with the right values, or is refused; never silently wrong.
"""

import copy
import math
from typing import Any

import pytest

from driving import make_optimizer
from twins import ARGUMENTS, PLATEAU, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

AT = (0, 1, 3, 4, 7, 12)
"""Before, at and after the events of the usual arguments."""


def handed_over(name: str, at: int, writer: str, reader: str, *, optimizer_first: bool) -> None:
    """Assert that the reader goes on as the writer does."""
    run = build(writer, name)
    run.steps(at)
    states = copy.deepcopy((run.optimizer.state_dict(), saved(run)))
    fresh = build(reader, name)
    try:
        if optimizer_first:
            fresh.optimizer.load_state_dict(states[0])
        fresh.scheduler.load_state_dict(states[1])
        # torch's own rule: the optimizer comes last, since the constructor has written there.
        fresh.optimizer.load_state_dict(states[0])
        fresh.made = at
        found = fresh.steps(12)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        pytest.fail(f"{reader} cannot read what {writer} wrote: {error!r}")
    reference = build("torch", name)
    reference.steps(at)
    assert flat(found) == pytest.approx(flat(reference.steps(12)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_torch_reads_what_torch_wrote(name: str, at: int):
    """The reference of this file: the way by which torch's own states are right."""
    handed_over(name, at, "torch", "torch", optimizer_first=False)


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "OneCycleLR"])
def test_torch_reads_what_lehr_wrote(name: str, at: int):
    """Not OneCycleLR's: torch's keeps its start in the optimizer, where lehr's has the base."""
    if (name, at) == (PLATEAU, 0):
        pytest.skip("before the first metric there is no best one, for which torch saves infinity")
    handed_over(name, at, "lehr", "torch", optimizer_first=False)


@pytest.mark.parametrize("optimizer_first", [False, True])
@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_lehr_reads_what_torch_wrote(name: str, at: int, optimizer_first: bool):
    handed_over(name, at, "torch", "lehr", optimizer_first=optimizer_first)


def tree(side: str, container: str, second: str) -> Run:
    """Return a run of a container with a warmup and another child."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    warmup = scheduler_class(side, "LinearLR")(optimizer, 0.1, total_iters=4)
    other = scheduler_class(side, second)(optimizer, **ARGUMENTS[second])
    if container == "SequentialLR":
        built = scheduler_class(side, container)(optimizer, [warmup, other], [4])
    else:
        built = scheduler_class(side, container)([warmup, other])
    return Run(optimizer, built)


@pytest.mark.parametrize("writer", ["torch", "lehr"])
@pytest.mark.parametrize("at", [0, 2, 4, 5, 9])
@pytest.mark.parametrize(
    ("container", "second"),
    [
        *[
            ("SequentialLR", n)
            for n in ARGUMENTS
            if n not in (PLATEAU, "SWALR", "MultiplicativeLR")
        ],
        *[("ChainedScheduler", n) for n in ("StepLR", "MultiStepLR", "ExponentialLR")],
    ],
)
def test_containers(container: str, second: str, at: int, writer: str):
    reader = "lehr" if writer == "torch" else "torch"
    if (second, reader) == ("OneCycleLR", "torch"):
        pytest.skip("torch's keeps its start in the optimizer, where lehr's has the base")
    run = tree(writer, container, second)
    run.steps(at)
    fresh = tree(reader, container, second)
    try:
        fresh.scheduler.load_state_dict(copy.deepcopy(saved(run)))
        fresh.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
        found = fresh.steps(10)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        pytest.fail(f"{reader} cannot read what {writer} wrote: {error!r}")
    reference = tree("torch", container, second)
    reference.steps(at)
    assert flat(found) == pytest.approx(flat(reference.steps(10)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "OneCycleLR"])
def test_a_state_read_by_torch_keeps_its_length(name: str) -> Any:
    """Not only the next steps: up to the end of what is there, a restart and a turn further."""
    run = build("lehr", name)
    run.steps(3)
    fresh = build("torch", name)
    fresh.scheduler.load_state_dict(copy.deepcopy(saved(run)))
    fresh.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    fresh.made = 3
    reference = build("torch", name)
    reference.steps(3)
    expected, found = flat(reference.steps(30)), flat(fresh.steps(30))
    assert all(math.isfinite(value) for value in found)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


# ----- loading a position and keeping the arguments -----------------------------------------------

OTHER: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 3, "gamma": 0.7},
    "ExponentialLR": {"gamma": 0.95},
    "PolynomialLR": {"total_iters": 40, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 25, "eta_min": 0.02},
    "CosineAnnealingWarmRestarts": {"T_0": 6, "T_mult": 3},
    "OneCycleLR": {"max_lr": 2.0, "total_steps": 60},
}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("adopt", ["here", "saved"])
def test_a_drop_in_says_which_arguments_it_goes_on_with(name: str, adopt: str):
    """``adopt=`` as ``Scheduler`` has it: the position alone, or the saved arguments too."""
    run = build("lehr", name)
    run.steps(5)
    fresh = build("lehr", name, OTHER[name])
    fresh.scheduler.load_state_dict(saved(run), adopt=adopt)
    reference = build("lehr", name, OTHER[name] if adopt == "here" else None)
    reference.steps(5)
    assert flat(fresh.steps(10)) == pytest.approx(flat(reference.steps(10)), rel=1e-12)
