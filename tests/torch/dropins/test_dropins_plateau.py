"""ReduceLROnPlateau: torch's numbers on its own class face, resumable in every order."""

from __future__ import annotations

import copy
import io
import json
import math
import random
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer

import lehr.torch as ours
from driving import KINDS, make_optimizer, rates

kinds = st.sampled_from(KINDS)
TOLERANCE = 1e-12


@st.composite
def arguments(draw: st.DrawFn, groups: int) -> dict[str, Any]:
    floors = st.just(0.0) | st.floats(0.0, 0.5)
    return {
        "mode": draw(st.sampled_from(["min", "max"])),
        "factor": draw(st.floats(0.05, 0.95)),
        "patience": draw(st.integers(0, 4)),
        "threshold": draw(st.sampled_from([0.0, 1e-4, 0.05, 0.3])),
        "threshold_mode": draw(st.sampled_from(["rel", "abs"])),
        "cooldown": draw(st.integers(0, 3)),
        "min_lr": draw(floors | st.lists(floors, min_size=groups, max_size=groups)),
        "eps": draw(st.sampled_from([0.0, 1e-8, 0.05])),
    }


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], dict[str, Any], list[float]]:
    base = draw(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=3))
    # Above zero: below it, torch has the sign of a relative threshold wrong.
    metrics = draw(st.lists(st.floats(0.5, 2.0) | st.just(math.nan), min_size=5, max_size=40))
    return base, draw(arguments(len(base))), metrics


def follow(
    module: Any, optimizer: Optimizer, given: dict[str, Any], metrics: list[float], beside: Any
) -> tuple[list[list[float]], Any]:
    """Drive with a plateau and perhaps another scheduler; return the rates and the counters."""
    scheduler = module.ReduceLROnPlateau(optimizer, **given)
    other = beside(module, optimizer) if beside else None
    rows = [rates(optimizer)]
    for metric in metrics:
        optimizer.step()
        scheduler.step(metric)
        rows.append(rates(optimizer))
        if other is not None:
            other.step()
            rows.append(rates(optimizer))
    counters = (
        scheduler.best,
        scheduler.num_bad_epochs,
        scheduler.cooldown_counter,
        scheduler.in_cooldown,
        scheduler.last_epoch,
    )
    return rows, counters


def assert_same(kind: str, case: Any, beside: Any = None) -> None:
    base, given, metrics = case
    mine, my_counters = follow(ours, make_optimizer(kind, base), given, metrics, beside)
    torchs, their_counters = follow(theirs, make_optimizer(kind, base), given, metrics, beside)
    for found, expected in zip(mine, torchs, strict=True):
        assert found == pytest.approx(expected, rel=0, abs=TOLERANCE * max(base))
    assert my_counters == their_counters


@settings(max_examples=300)
@given(kinds, cases())
def test_alone(kind: str, case: Any):
    assert_same(kind, case)


@settings(max_examples=150)
@given(kinds, cases(), st.integers(1, 6), st.floats(0.3, 0.95))
def test_beside_another_scheduler(kind: str, case: Any, size: int, gamma: float):
    """The reductions and another scheduler's factors multiply."""
    assert_same(kind, case, lambda m, o: m.StepLR(o, size, gamma))
    assert_same(kind, case, lambda m, o: m.LinearLR(o, gamma, total_iters=size))


@pytest.mark.parametrize("kind", KINDS)
def test_built_it_changes_nothing(kind: str):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    for group in optimizer.param_groups:
        group["initial_lr"] = 7.0  # what another scheduler may have left
    ours.ReduceLROnPlateau(optimizer)
    assert rates(optimizer) == [0.1, 0.3]


def test_a_rate_is_kept_that_was_set_by_hand():
    """Its reductions begin from what is there, as torch's do."""
    for module in (ours, theirs):
        optimizer = make_optimizer()
        scheduler = module.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
        scheduler.step(1.0)
        optimizer.param_groups[0]["lr"] = 0.8
        scheduler.step(0.5)
        assert rates(optimizer) == [0.8]
        scheduler.step(1.0)
        assert rates(optimizer) == [0.4]


def reload(state: Any) -> Any:
    """Save and load as trainers do: nothing but plain types passes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


GIVEN: dict[str, Any] = {"factor": 0.5, "patience": 2, "cooldown": 1, "min_lr": [0.01, 0.02]}
METRICS = [random.Random(7).uniform(0.9, 1.1) for _ in range(60)]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_order_resumes(kind: str, beside: bool):
    def build(optimizer: Optimizer) -> list[Any]:
        built: list[Any] = [ours.ReduceLROnPlateau(optimizer, **GIVEN)]
        return [*built, ours.ExponentialLR(optimizer, 0.99)] if beside else built

    def go(optimizer: Optimizer, built: list[Any], metrics: list[float]) -> list[list[float]]:
        rows = [rates(optimizer)]
        for metric in metrics:
            optimizer.step()
            built[0].step(metric)
            for other in built[1:]:
                other.step()
            rows.append(rates(optimizer))
        return rows

    for position in (0, 1, 7, 20):
        optimizer = make_optimizer(kind, (0.1, 0.3))
        built = build(optimizer)
        go(optimizer, built, METRICS[:position])
        saved = reload(optimizer.state_dict())
        states = [reload(scheduler.state_dict()) for scheduler in built]
        expected = go(optimizer, built, METRICS[position : position + 15])
        for order in ("build optimizer scheduler", "build scheduler optimizer",
                      "optimizer build scheduler"):  # fmt: skip
            fresh = make_optimizer(kind, (0.1, 0.3))
            again: list[Any] = []
            for what in order.split():
                if what == "build":
                    again = build(fresh)
                elif what == "optimizer":
                    fresh.load_state_dict(copy.deepcopy(saved))
                else:
                    for scheduler, state in zip(again, states, strict=True):
                        scheduler.load_state_dict(copy.deepcopy(state))
            found = go(fresh, again, METRICS[position : position + 15])
            assert found == expected, (order, position)


def test_the_state_passes_strict_json():
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    scheduler = ours.ReduceLROnPlateau(optimizer, **GIVEN)
    for metrics in ([], METRICS[:9]):
        for metric in metrics:
            scheduler.step(metric)
        state = json.loads(json.dumps(scheduler.state_dict(), allow_nan=False))
        again = ours.ReduceLROnPlateau(make_optimizer("sgd", (0.1, 0.3)), **GIVEN)
        again.load_state_dict(state)
        assert again.state_dict() == scheduler.state_dict()
        assert again.best == scheduler.best


@pytest.mark.parametrize("position", [0, 20])
def test_torchs_own_state_loads(position: int):
    """Torch's has infinities, and leaves the rates to the optimizer's own state."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    reference = theirs.ReduceLROnPlateau(optimizer, **GIVEN)
    for metric in METRICS[:position]:
        reference.step(metric)
    saved, state = copy.deepcopy(optimizer.state_dict()), reload(reference.state_dict())
    for optimizer_first in (True, False):
        fresh = make_optimizer("sgd", (0.1, 0.3))
        built = ours.ReduceLROnPlateau(fresh, mode="max", factor=0.9)
        if optimizer_first:
            fresh.load_state_dict(copy.deepcopy(saved))
        built.load_state_dict(copy.deepcopy(state))
        if not optimizer_first:
            fresh.load_state_dict(copy.deepcopy(saved))
        original = copy.deepcopy((optimizer, reference))
        for metric in METRICS[20:40]:
            original[1].step(metric)
            built.step(metric)
            assert rates(fresh) == pytest.approx(rates(original[0]), rel=1e-13)


def test_a_group_that_is_added_joins():
    optimizer = make_optimizer()
    scheduler = ours.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, min_lr=0.04)
    scheduler.step(1.0)
    scheduler.step(1.0)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    scheduler.step(1.0)
    assert rates(optimizer) == [0.04, 0.15]
    assert scheduler.min_lrs == [0.04, 0.04]


def test_a_group_that_is_added_to_a_list_of_bounds_is_refused_when_it_matters():
    optimizer = make_optimizer()
    scheduler = ours.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.01])
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    scheduler.step(1.0)
    before = rates(optimizer), scheduler.state_dict()
    with pytest.raises(RuntimeError, match="number of param groups"):
        scheduler.step(2.0)
    assert (rates(optimizer), scheduler.state_dict()) == before
    scheduler.min_lrs.append(0.2)
    scheduler.step(2.0)
    assert rates(optimizer) == pytest.approx([0.01, 0.2], rel=1e-14)


def test_below_zero_worse_is_not_better():
    """A relative threshold is of the metric's size: torch takes -0.95 after -1 for better."""
    for module, bad in ((ours, 3), (theirs, 0)):
        scheduler = module.ReduceLROnPlateau(make_optimizer(), threshold=0.1)
        for metric in (-1.0, -0.95, -0.9, -0.85):
            scheduler.step(metric)
        assert scheduler.num_bad_epochs == bad


def test_its_face_is_torchs():
    import inspect

    mine = inspect.signature(ours.ReduceLROnPlateau).parameters
    wanted = inspect.signature(theirs.ReduceLROnPlateau).parameters
    assert list(mine) == list(wanted)
    assert [p.default for p in mine.values()] == [p.default for p in wanted.values()]
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    scheduler = ours.ReduceLROnPlateau(optimizer, "max", 0.3, 4, cooldown=2, min_lr=0.01)
    reference = theirs.ReduceLROnPlateau(optimizer, "max", 0.3, 4, cooldown=2, min_lr=0.01)
    # Trainers ask whether it is one, to hand it the metric.
    assert isinstance(scheduler, theirs.ReduceLROnPlateau)
    for name in vars(reference):
        assert getattr(scheduler, name) == getattr(reference, name), name
    assert scheduler.in_cooldown is False
    assert scheduler.get_last_lr() == rates(optimizer)


@pytest.mark.parametrize("eps", [0.25, 0.5, 0.75])
def test_a_reduction_by_no_more_than_eps_is_not_made(eps: float):
    found: list[list[float]] = []
    for module in (ours, theirs):
        optimizer = make_optimizer(rates=(1.0, 2.0))
        scheduler = module.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, eps=eps)
        for _ in range(2):
            scheduler.step(1.0)
        found.append(rates(optimizer))
    assert found[0] == found[1] == [0.5 if eps < 0.5 else 1.0, 1.0]


def test_its_attributes_may_be_changed():
    """People reset the counters, or change the patience, in the middle of a run."""
    for module in (ours, theirs):
        optimizer = make_optimizer()
        scheduler = module.ReduceLROnPlateau(optimizer, patience=5, factor=0.5)
        scheduler.step(1.0)
        scheduler.step(2.0)
        scheduler.patience = 1
        scheduler.step(2.0)
        assert rates(optimizer) == [0.05]
        scheduler._reset()
        assert scheduler.best == math.inf
        scheduler.step(5.0)
        assert scheduler.best == 5.0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"factor": 1.0}, "Factor|factor"),
        ({"factor": -0.1}, "factor"),
        ({"mode": "least"}, "mode"),
        ({"threshold_mode": "share"}, "threshold_mode|threshold mode"),
        ({"patience": -1}, "patience"),
        ({"cooldown": 1.5}, "cooldown"),
        ({"min_lr": [0.1, 0.1]}, "min_lr"),
        ({"min_lr": -0.1}, "min_lr"),
        ({"eps": math.nan}, "eps"),
    ],
)
def test_refused(change: dict[str, Any], text: str):
    with pytest.raises(ValueError, match=text):
        ours.ReduceLROnPlateau(make_optimizer(), **change)


@pytest.mark.parametrize("metric", [None, "low", [1.0]])
def test_a_metric_that_is_no_number_is_refused_and_changes_nothing(metric: Any):
    scheduler = ours.ReduceLROnPlateau(make_optimizer())
    before = scheduler.state_dict()
    with pytest.raises((ValueError, TypeError), match="metric"):
        scheduler.step(metric)
    assert scheduler.state_dict() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.clear(),
        lambda state: state.pop("patience"),
        lambda state: state.update(factor=2.0),
        lambda state: state.update(mode="least"),
        lambda state: state.update(best="low"),
        lambda state: state.update(num_bad_epochs=-1),
        lambda state: state.update(min_lrs=[0.1]),
        lambda state: state.update(cooldown_counter=None),
        lambda state: state.update(last_epoch="soon"),
    ],
)
def test_a_load_that_fails_changes_nothing(damage: Any):
    source = ours.ReduceLROnPlateau(make_optimizer("sgd", (0.1, 0.3)), **GIVEN)
    for metric in METRICS[:9]:
        source.step(metric)
    state = source.state_dict()
    damage(state)
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    scheduler = ours.ReduceLROnPlateau(optimizer, patience=1)
    for metric in METRICS[:4]:
        scheduler.step(metric)
    before = copy.deepcopy(scheduler.state_dict()), rates(optimizer)
    with pytest.raises((ValueError, TypeError)):
        scheduler.load_state_dict(state)
    assert (scheduler.state_dict(), rates(optimizer)) == before
