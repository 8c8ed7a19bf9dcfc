"""Changes by frameworks and people to an optimizer or a scheduler in mid-run, beside torch.

Each of these was taken from a public report about a scheduler or a trainer.
"""

import copy
import gc
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as theirs

from driving import make_optimizer
from twins import ARGUMENTS, PLATEAU, SIDES, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

Event = Callable[[Run], Any]


def groups(run: Run) -> list[dict[str, Any]]:
    """Return the groups of a run's optimizer."""
    return run.optimizer.param_groups


def swapped(run: Run, load: bool) -> None:
    """Put a new optimizer into the scheduler, as trainers do, with the old one's numbers."""
    new = make_optimizer("sgd", (0.1, 0.3))
    if load:
        new.load_state_dict(run.optimizer.state_dict())
    else:
        for group, old in zip(new.param_groups, groups(run), strict=True):
            group.update({key: value for key, value in old.items() if key != "params"})
    run.scheduler.optimizer = run.optimizer = new
    new.step()


def search_beside(run: Run, kept: bool) -> Any:
    """Search a rate with another scheduler, and put the optimizer back."""
    state = copy.deepcopy(run.optimizer.state_dict())
    ramp = theirs.LambdaLR(run.optimizer, lambda epoch: 1.5**epoch)
    for _ in range(4):
        run.optimizer.step()
        ramp.step()
    run.optimizer.load_state_dict(state)
    return ramp if kept else None


def pickled(run: Run) -> None:
    """Save and load both as a whole."""
    file = io.BytesIO()
    torch.save((run.optimizer, run.scheduler), file)
    file.seek(0)
    run.optimizer, run.scheduler = torch.load(file, weights_only=False)


def rolled_back(run: Run, both: bool) -> None:
    """Go on for a while, then back to the best checkpoint, of the optimizer alone or of both."""
    states, made = copy.deepcopy((run.optimizer.state_dict(), saved(run))), run.made
    run.steps(3)
    run.optimizer.load_state_dict(states[0])
    if both:
        run.scheduler.load_state_dict(states[1])
        run.made = made
    else:
        for group in groups(run):
            group["lr"] *= 0.5


def each(run: Run, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change every group."""
    for group in groups(run):
        change(group)


def replace_groups(run: Run, **numbers: float) -> None:
    """Give the optimizer new dicts for its groups."""
    run.optimizer.param_groups = [{**group, **numbers} for group in groups(run)]


def weights_only(run: Run) -> None:
    """Restore the state in a new pair, from a file that is loaded without pickled objects."""
    file = io.BytesIO()
    torch.save((run.optimizer.state_dict(), saved(run)), file)
    file.seek(0)
    side = "lehr" if type(run.scheduler).__module__.startswith("lehr") else "torch"
    new = build(side, type(run.scheduler).__name__)
    for target, state in zip(
        (new.optimizer, new.scheduler), torch.load(file, weights_only=True), strict=True
    ):
        target.load_state_dict(state)
    run.optimizer, run.scheduler = new.optimizer, new.scheduler


def deep_copied(run: Run) -> None:
    """Go on with a copy of both."""
    run.optimizer, run.scheduler = copy.deepcopy((run.optimizer, run.scheduler))


def tensor_rate(group: dict[str, Any]) -> None:
    """Make the rate a tensor, as for a compiled step."""
    group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float64)


EVENTS: dict[str, Event] = {
    "a new optimizer is loaded and put in": lambda run: swapped(run, True),
    "a new optimizer is put in": lambda run: swapped(run, False),
    "lists of parameters are replaced": lambda run: each(
        run, lambda group: group.update(params=[torch.zeros(2, requires_grad=True)])
    ),
    "lists of parameters are emptied": lambda run: each(run, lambda group: group["params"].clear()),
    "groups are replaced": replace_groups,
    "both are copied": deep_copied,
    "both are pickled": pickled,
    "a state is loaded without pickled objects": weights_only,
    "rates are asked for": lambda run: run.scheduler.get_last_lr(),
    "a search beside is over": lambda run: search_beside(run, False),
    "a search beside is kept": lambda run: search_beside(run, True),
    "back to the best": lambda run: rolled_back(run, True),
    "the optimizer back to the best, at half the rate": lambda run: rolled_back(run, False),
    "rates become tensors": lambda run: each(run, tensor_rate),
    "keys are added": lambda run: each(run, lambda g: g.update(name="x", lr_scale=0.5)),
    "rates are whole numbers": lambda run: each(run, lambda group: group.update(lr=1)),
}


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event(event: str, name: str):
    runs = [build(side, name) for side in SIDES]
    rows: list[Any] = []
    for run in runs:
        run.steps(2)
        kept = EVENTS[event](run)
        gc.collect()
        rows.append(run.steps(8))
        del kept
    assert flat(rows[1]) == pytest.approx(flat(rows[0]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - {PLATEAU}))
def test_several_steps_an_update(name: str):
    """As trainers of several processes do: each calls the same scheduler."""
    runs = [build(side, name) for side in SIDES]
    found: list[Any] = []
    for run in runs:
        rows: list[Any] = []
        for _ in range(4):
            run.optimizer.step()
            run.scheduler.step()
            run.scheduler.step()
            rows.append([(float(rate), 0.0) for rate in run.scheduler.get_last_lr()])
        found.append(rows)
    assert flat(found[1]) == pytest.approx(flat(found[0]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_new_scheduler_for_each_stage(name: str):
    found: list[Any] = []
    for side in SIDES:
        optimizer, rows = make_optimizer("sgd", (0.1, 0.3)), list[Any]()
        for _ in range(3):
            run = Run(optimizer, scheduler_class(side, name)(optimizer, **ARGUMENTS[name]))
            rows += run.steps(3)
            for group in groups(run):
                group["lr"] = 0.05
                group.pop("initial_lr", None)
            del run
            gc.collect()
        found.append(rows)
    assert flat(found[1]) == pytest.approx(flat(found[0]), rel=1e-9, abs=1e-12)
