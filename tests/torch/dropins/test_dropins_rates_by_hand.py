"""``group["lr"]`` written by hand under a drop-in: what becomes of it is torch's rule.

What works out each rate from the base discards the change at the next step; what goes on from the
rate that is there goes on from the change. No scheduler writes ``initial_lr`` after it was built.
"""

from typing import Any

import pytest

from driving import make_optimizer, rates, read
from twins import ARGUMENTS, PLATEAU, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

AT = (0, 1, 3, 6)
"""After how many steps the rate is written: torch's first step, in the middle, at an event."""


def write(run: Run, value: float, only: int | None = None) -> None:
    """Write the rate of every group, or of one."""
    for index, group in enumerate(run.optimizer.param_groups):
        if only in (None, index):
            lr = group["lr"]
            if hasattr(lr, "fill_"):
                lr.fill_(value)
            else:
                group["lr"] = value


def initial(run: Run) -> list[float]:
    """Return the ``initial_lr`` of every group."""
    return [
        float(group["initial_lr"]) for group in run.optimizer.param_groups if "initial_lr" in group
    ]


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
@pytest.mark.parametrize("only", [None, 1])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_rate_written_once(name: str, only: int | None, kind: str, at: int):
    pair = [build(side, name, kind=kind) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(at)
        write(run, 0.02, only)
    expected, found = (run.steps(14) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_rate_written_at_every_step(name: str):
    """A clip, or a scale by the batch: the rate is changed after each step."""
    pair = [build(side, name) for side in ("torch", "lehr")]
    for _ in range(12):
        for run in pair:
            run.step()
        assert rates(pair[1].optimizer) == pytest.approx(rates(pair[0].optimizer), rel=1e-9)
        for run in pair:
            for group in run.optimizer.param_groups:
                group["lr"] = min(group["lr"], 0.12) * 0.9


@pytest.mark.parametrize("value", [0.0, 1e-12, 5.0, 1])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_extreme_rates(name: str, value: float):
    pair = [build(side, name) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(3)
        write(run, value)
    expected, found = (run.steps(12) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_base_is_not_written(name: str):
    """Neither ``initial_lr`` nor ``base_lrs`` follows what was written, at any time."""
    run = build("lehr", name)
    keys = [set(group) for group in run.optimizer.param_groups]
    before = initial(run), [float(lr) for lr in getattr(run.scheduler, "base_lrs", [])]
    for value in (0.02, 0.5, 0.0):
        run.steps(2)
        write(run, value)
        run.steps(2)
        saved(run)
        run.optimizer.state_dict()
        now = initial(run), [float(lr) for lr in getattr(run.scheduler, "base_lrs", [])]
        assert now == before
    assert [set(group) for group in run.optimizer.param_groups] == keys


@pytest.mark.parametrize("side", ["torch", "lehr"])
def test_the_loop_of_detectors(side: str):
    """A warmup that writes the rate per batch, and a ``LambdaLR`` stepped once an epoch."""
    optimizer = make_optimizer("sgd", [1.0])
    group = optimizer.param_groups[0]
    scheduler = scheduler_class(side, "LambdaLR")(optimizer, lambda epoch: 1 - epoch / 10)
    for epoch in range(5):
        for batch in range(4):
            done = epoch * 4 + batch
            if done < 6:
                group["lr"] = done / 6 * group["initial_lr"] * (1 - epoch / 10)
            optimizer.step()
        scheduler.step()
        assert group["lr"] == pytest.approx(1 - (epoch + 1) / 10, rel=1e-12)
        assert group["initial_lr"] == 1.0
        assert scheduler.base_lrs == [1.0]


@pytest.mark.parametrize("side", ["torch", "lehr"])
def test_the_reported_rate(side: str):
    optimizer = make_optimizer("sgd", [1.0])
    scheduler = scheduler_class(side, "LambdaLR")(optimizer, lambda epoch: 1.0)
    group = optimizer.param_groups[0]
    group["lr"] = 0.5
    optimizer.step()
    scheduler.step()
    assert (group["lr"], group["initial_lr"]) == (1.0, 1.0)


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != PLATEAU])
@pytest.mark.parametrize("container", ["SequentialLR", "ChainedScheduler"])
def test_under_a_container(container: str, name: str):
    """The first child alone, before the next one's turn; and alone in a chain."""
    if name == "SWALR":
        pytest.skip("torch's counts the step that a container undoes; lehr's chain refuses it")
    pair: list[Run] = []
    for side in ("torch", "lehr"):
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        child = scheduler_class(side, name)(optimizer, **ARGUMENTS[name])
        if container == "SequentialLR":
            other = scheduler_class(side, "ExponentialLR")(optimizer, gamma=0.95)
            tree = scheduler_class(side, container)(optimizer, [child, other], [30])
        else:
            tree = scheduler_class(side, container)([child])
        run = Run(optimizer, tree)
        run.steps(3)
        write(run, 0.02)
        pair.append(run)
    expected, found = (run.steps(12) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_written_saved_and_loaded(name: str):
    """The state says how to go on from what was written, with the optimizer's state beside it."""
    theirs, here = (build(side, name) for side in ("torch", "lehr"))
    for run in (theirs, here):
        run.steps(3)
        write(run, 0.02)
        run.steps(1)
    fresh = build("lehr", name)
    fresh.optimizer.load_state_dict(here.optimizer.state_dict())
    fresh.scheduler.load_state_dict(saved(here))
    fresh.made = here.made
    assert flat(fresh.steps(10)) == pytest.approx(flat(theirs.steps(10)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("first", ["LinearLR", "StepLR", "CosineAnnealingLR", "LambdaLR"])
@pytest.mark.parametrize("side", ["torch", "lehr"])
def test_a_drop_in_after_another_takes_the_first_ones_base(side: str, first: Any):
    """torch's rule: ``initial_lr`` is kept, whatever was written since."""
    run = build(side, first)
    run.steps(3)
    write(run, 0.02)
    second = scheduler_class(side, "LambdaLR")(run.optimizer, lambda epoch: 1.0)
    assert [float(lr) for lr in second.base_lrs] == [0.1, 0.3]
    assert initial(run) == [0.1, 0.3]


@pytest.mark.parametrize("written", [None, 0.5, 0.02])
@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - {"CyclicLR"}))
def test_built_on_an_optimizer_that_was_loaded(name: str, written: float | None):
    """Fine-tuning from a checkpoint: torch's recursive classes go on from the rate that is there.

    Of ``CyclicLR`` torch's first rate is that of the checkpoint, and not the lower bound.
    """
    found: list[list[float]] = []
    for side in ("torch", "lehr"):
        old = build(side, "CosineAnnealingLR")
        old.steps(4)
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        optimizer.load_state_dict(old.optimizer.state_dict())
        if written is not None:
            optimizer.param_groups[0]["lr"] = written
        run = Run(optimizer, scheduler_class(side, name)(optimizer, **ARGUMENTS[name]))
        found.append(flat([read(optimizer), *run.steps(8)]))
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)
