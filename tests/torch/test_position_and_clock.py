"""A state keeps how far the run is in its own clock: samples, tokens or epochs."""

from typing import Any

import pytest

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates
from twins import Run

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CLOCKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "samples, a batch twice as large": (
        {"length": "1000sa", "batch": 10},
        {"length": "1000sa", "batch": 20},
    ),
    "samples, a batch half as large": (
        {"length": "1000sa", "batch": 10},
        {"length": "1000sa", "batch": 5},
    ),
    "epochs": (
        {"length": "10ep", "steps_per_epoch": 10},
        {"length": "10ep", "steps_per_epoch": 20},
    ),
    "epochs by samples": (
        {"length": "10ep", "samples_per_epoch": 100, "batch": 10},
        {"length": "10ep", "samples_per_epoch": 100, "batch": 20},
    ),
    "tokens": (
        {"length": "128000tok", "batch": 10, "sequence": 128},
        {"length": "128000tok", "batch": 20, "sequence": 128},
    ),
}


def new(clock: dict[str, Any]) -> Run:
    """Return a run down a line over a horizon."""
    optimizer = make_optimizer("sgd", [1.0])
    given = dict(clock)
    run = lehr.Horizon(given.pop("length"), **given)
    return Run(optimizer, ours.Scheduler(optimizer, lr=lehr.linear(), over=run, guards="off"))


@pytest.mark.parametrize(("steps", "resumed"), [(37, 19), (38, 19), (39, 20), (41, 21)])
def test_a_half_step_is_rounded_up_as_everywhere(steps: int, resumed: int):
    before, after = CLOCKS["samples, a batch twice as large"]
    run, fresh = new(before), new(after)
    run.steps(steps)
    fresh.scheduler.load_state_dict(run.scheduler.state_dict(), adopt="here")
    assert fresh.scheduler.last_epoch == resumed


@pytest.mark.parametrize("name", CLOCKS)
def test_half_of_the_run_is_half_of_the_run(name: str):
    """50 of 100 steps, resumed with steps of another size: half-way, and on at the new pace."""
    before, after = CLOCKS[name]
    run = new(before)
    run.steps(50)
    assert rates(run.optimizer) == pytest.approx([0.5])
    fresh = new(after)
    fresh.scheduler.load_state_dict(run.scheduler.state_dict(), adopt="here")
    assert rates(fresh.optimizer) == pytest.approx([0.5])
    given = dict(after)
    step = 1 / lehr.Horizon(given.pop("length"), **given).steps
    fresh.steps(5)
    assert rates(fresh.optimizer) == pytest.approx([0.5 - 5 * step])


@pytest.mark.parametrize("name", CLOCKS)
@pytest.mark.parametrize("adopt", [None, "here", "saved"])
def test_the_same_clock_resumes_exactly(adopt: Any, name: str):
    before, _ = CLOCKS[name]
    run = new(before)
    run.steps(37)
    fresh = new(before)
    fresh.scheduler.load_state_dict(run.scheduler.state_dict(), adopt=adopt)
    for _ in range(10):
        run.step()
        fresh.step()
        assert rates(fresh.optimizer) == rates(run.optimizer)


def test_a_run_that_is_changed_twice():
    """Three batches: the samples that were seen are counted at each pace."""
    state, seen, fresh = None, 0, new(CLOCKS["samples, a batch twice as large"][0])
    for batch, steps in ((10, 30), (20, 10), (5, 40)):
        fresh = new({"length": "1000sa", "batch": batch})
        if state is not None:
            fresh.scheduler.load_state_dict(state, adopt="here")
        fresh.steps(steps)
        seen += batch * steps
        assert rates(fresh.optimizer) == pytest.approx([1 - seen / 1000])
        state = fresh.scheduler.state_dict()


@pytest.mark.parametrize(("text", "left"), [("500sa", 0.5), ("0sa", 1.0), ("0.25ksa", 0.75)])
def test_seeking_a_moment_of_the_clock(text: Any, left: float):
    run = new({"length": "1000sa", "batch": 10})
    run.scheduler.seek(text)
    assert rates(run.optimizer) == pytest.approx([left])


def test_seeking_epochs():
    run = new({"length": "10ep", "steps_per_epoch": 10})
    run.scheduler.seek("2.5ep")  # pyright: ignore[reportArgumentType]
    assert rates(run.optimizer) == pytest.approx([0.75])


def test_seeking_a_moment_of_another_clock_is_refused_by_name():
    run = new({"length": "10ep", "steps_per_epoch": 10})
    with pytest.raises(lehr.ScheduleError, match="64ksa"):
        run.scheduler.seek("64ksa")  # pyright: ignore[reportArgumentType]
    assert rates(run.optimizer) == [1.0]


def test_the_state_of_thousands_of_pieces_is_adopted():
    """State that lehr wrote is state that lehr reads, whatever its length."""
    pieces = lehr.piecewise([(i, 0.5 + (i % 7) / 20) for i in range(1, 10_001)])
    optimizer = make_optimizer("sgd", [1.0])
    run = Run(optimizer, ours.Scheduler(optimizer, lr=pieces, over=10_000, guards="off"))
    run.scheduler.seek(1_234)
    fresh = make_optimizer("sgd", [1.0])
    again = ours.Scheduler(fresh, lr=lehr.linear(), over=10_000, guards="off")
    again.load_state_dict(run.scheduler.state_dict(), adopt="saved")
    assert rates(fresh) == rates(optimizer)
    again.seek(9_876)
    assert rates(fresh) == pytest.approx([pieces(9_876)])
