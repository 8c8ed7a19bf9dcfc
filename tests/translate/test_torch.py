"""Whole curves of torch's own schedulers against their translations.

The expectations are what torch's live schedulers give when they are stepped from 0.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as sched
from torch.optim.swa_utils import SWALR

import lehr
from lehr import ScheduleError
from lehr.translate import Translation, translate, translates

STEPS = 120
Make = Callable[[torch.optim.Optimizer], Any]


def optimizer(rates: list[float], *, adam: bool = False) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.Adam(groups) if adam else torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def stepped(scheduler: Any, steps: int = STEPS) -> tuple[list[list[float]], list[float]]:
    """Return the rates of every step, one list a group, and the momentum of the first group."""
    groups = scheduler.optimizer.param_groups
    rates: list[list[float]] = [[] for _ in groups]
    momenta: list[float] = []
    for _ in range(steps):
        for row, group in zip(rates, groups, strict=True):
            row.append(float(group["lr"]))
        first = groups[0]
        momenta.append(first["betas"][0] if "betas" in first else first["momentum"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates, momenta


def same(schedule: lehr.Schedule, wanted: list[float], *, begin: int = 0) -> None:
    """Check a whole curve: within 1e-9 of its peak, by numbers and by array."""
    peak = max(map(abs, wanted)) or 1.0
    got = [schedule(begin + t) for t in range(len(wanted))]
    assert got == pytest.approx(wanted, rel=0, abs=1e-9 * peak)


def compare(make: Make, rates: list[float], *, steps: int = STEPS, **kwargs: Any) -> Translation:
    """Check the translation of a scheduler, read new and in the middle of its run."""
    fresh = translate(make(optimizer(rates)), **kwargs)
    live = make(optimizer(rates))
    wanted, momenta = stepped(live, steps)
    assert fresh.position == 0
    check(fresh, wanted, momenta, rates)
    middle = make(optimizer(rates))
    stepped(middle, steps // 3)
    read = translate(middle, **kwargs)
    assert read.position == steps // 3
    check(read, wanted, momenta, rates)
    return fresh


def check(
    t: Translation, wanted: list[list[float]], momenta: list[float], rates: list[float]
) -> None:
    assert len(t.groups) == len(rates)
    for schedule, row in zip(t.groups, wanted, strict=True):
        same(schedule, row)
    same(t.schedule if t.absolute else t.schedule * rates[0], wanted[0])
    if t.momentum is not None:
        same(t.momentum, momenta)
    else:
        assert set(momenta) == {0.9}


# ----- the classes ------------------------------------------------------------------------------


def _rates(r: random.Random) -> list[float]:
    return [round(r.uniform(1e-3, 1), 4) for _ in range(r.choice([1, 1, 2, 3]))]


def _halving(n: int) -> float:
    return 0.5 ** (n / 40)


def _inverse(n: int) -> float:
    return 1 / (1 + 0.1 * n)


def _ratio(n: int) -> float:
    return 0.97 if n % 3 else 1.01


LEAVES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "StepLR": lambda r: {"step_size": r.randint(1, 60), "gamma": r.uniform(0.05, 1.02)},
    "MultiStepLR": lambda r: {
        "milestones": [r.randint(0, 130) for _ in range(r.randint(0, 6))],
        "gamma": r.uniform(0.1, 1.1),
    },
    "ConstantLR": lambda r: {"factor": r.uniform(0.01, 1), "total_iters": r.randint(1, 140)},
    "LinearLR": lambda r: {
        "start_factor": r.choice([1.0, r.uniform(0.001, 1)]),
        "end_factor": r.choice([0.0, 1.0, r.uniform(0, 1)]),
        "total_iters": r.randint(1, 140),
    },
    "ExponentialLR": lambda r: {"gamma": r.uniform(0.9, 1.01)},
    "PolynomialLR": lambda r: {"total_iters": r.randint(1, 140), "power": r.uniform(0.3, 3)},
    "CosineAnnealingLR": lambda r: {
        "T_max": r.randint(2, 150),
        "eta_min": r.choice([0.0, r.uniform(0, 0.1)]),
    },
    "CosineAnnealingWarmRestarts": lambda r: {
        "T_0": r.randint(1, 40),
        "T_mult": r.randint(1, 3),
        "eta_min": r.choice([0.0, r.uniform(0, 0.1)]),
    },
    "CyclicLR": lambda r: {
        "base_lr": r.uniform(0, 0.1),
        "max_lr": r.uniform(0.2, 1),
        "step_size_up": r.choice([r.randint(1, 40), r.uniform(1, 40)]),
        "step_size_down": r.choice([None, r.randint(1, 40)]),
        "mode": r.choice(["triangular", "triangular2", "exp_range"]),
        "gamma": r.uniform(0.95, 1),
        "cycle_momentum": r.choice([True, False]),
    },
    "OneCycleLR": lambda r: {
        "max_lr": r.uniform(0.1, 2),
        "total_steps": r.randint(STEPS + 1, 300),
        "pct_start": r.choice([0.0, 0.3, r.uniform(0.02, 1)]),
        "anneal_strategy": r.choice(["cos", "linear"]),
        "div_factor": r.uniform(2, 30),
        "final_div_factor": r.uniform(2, 1e4),
        "three_phase": r.choice([True, False]),
        "cycle_momentum": r.choice([True, False]),
    },
    "LambdaLR": lambda r: {"lr_lambda": r.choice([_halving, _inverse])},
    "MultiplicativeLR": lambda r: {"lr_lambda": r.choice([_ratio, _halving])},
    "SWALR": lambda r: {
        "swa_lr": r.uniform(0.001, 0.5),
        "anneal_epochs": r.randint(0, 140),
        "anneal_strategy": r.choice(["cos", "linear"]),
    },
}


def build(name: str, arguments: dict[str, Any], opt: torch.optim.Optimizer) -> Any:
    kind = SWALR if name == "SWALR" else getattr(sched, name)
    return kind(opt, **arguments)


@pytest.mark.parametrize("name", LEAVES)
def test_live_schedulers_give_their_whole_curve(name: str) -> None:
    r = random.Random(name)
    for _ in range(25):
        arguments, rates = LEAVES[name](r), _rates(r)
        t = compare(lambda opt, a=arguments: build(name, a, opt), rates)
        assert t.notes == () or name == "OneCycleLR", arguments


@pytest.mark.parametrize("name", LEAVES)
def test_names_and_arguments_give_the_same(name: str) -> None:
    r = random.Random(f"{name} by name")
    for _ in range(15):
        arguments, rate = LEAVES[name](r), round(r.uniform(0.01, 1), 3)
        wanted, momenta = stepped(build(name, arguments, optimizer([rate])))
        t = translate("torch", name, lr=rate, **arguments)
        same(t.schedule if t.absolute else t.schedule * rate, wanted[0])
        if t.momentum is not None:
            same(t.momentum, momenta)


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - {"LambdaLR", "MultiplicativeLR"}))
def test_saved_states_give_the_same(name: str) -> None:
    r = random.Random(f"{name} state")
    for _ in range(10):
        arguments, rates = LEAVES[name](r), _rates(r)
        wanted, _ = stepped(build(name, arguments, optimizer(rates)))
        live = build(name, arguments, optimizer(rates))
        stepped(live, 50)
        # A state carries no function, and JSON is what many checkpoints are.
        state = json.loads(json.dumps(live.state_dict()))
        missing = ("max_lr", "final_div_factor", "swa_lr")
        rest = {key: value for key, value in arguments.items() if key in missing}
        t = translate("torch", name, state=state, **rest)
        assert t.position == 50
        assert len(t.groups) == len(rates)
        for schedule, row in zip(t.groups, wanted, strict=True):
            same(schedule, row)


def test_without_a_rate_the_values_are_factors() -> None:
    t = translate("torch", "StepLR", step_size=30, gamma=0.5)
    assert not t.absolute
    assert t.groups == ()
    assert t.schedule == lehr.step(30, 0.5)
    assert (t.position, t.momentum, t.notes) == (None, None, ())


def test_an_absolute_floor_needs_the_rate() -> None:
    with pytest.raises(ScheduleError, match=r"eta_min=0.01 is a rate.*lr=0.1"):
        translate("torch", "CosineAnnealingLR", T_max=10, eta_min=0.01)
    t = translate("torch", "CosineAnnealingLR", T_max=10, eta_min=0.01, lr=0.1)
    assert t.schedule(10) == pytest.approx(0.1)


def test_groups_with_floors_of_their_own_are_absolute() -> None:
    t = compare(lambda opt: sched.CosineAnnealingLR(opt, 50, eta_min=0.01), [0.1, 0.5])
    assert t.absolute
    t = compare(lambda opt: sched.CosineAnnealingLR(opt, 50), [0.1, 0.5])
    assert not t.absolute


def test_a_group_that_starts_at_zero() -> None:
    t = compare(lambda opt: sched.CosineAnnealingLR(opt, 50, eta_min=0.01), [0.0, 0.5])
    assert t.groups[0](50) == pytest.approx(0.01)


def test_lists_are_one_a_group() -> None:
    compare(lambda opt: sched.LambdaLR(opt, [_halving, _inverse]), [0.1, 0.2])
    compare(lambda opt: sched.MultiplicativeLR(opt, [_ratio, _halving]), [0.1, 0.2])
    compare(lambda opt: sched.OneCycleLR(opt, [0.1, 0.3], total_steps=200), [1.0, 1.0])
    compare(lambda opt: sched.CyclicLR(opt, [0.1, 0.3], [0.5, 0.4], 9), [1.0, 1.0])
    compare(lambda opt: SWALR(opt, [0.05, 0.3], 20), [1.0, 0.1])


def test_tensor_rates_are_read() -> None:
    opt = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.1, dtype=torch.float64))
    t = translate(sched.StepLR(opt, 10))
    assert t.groups[0](0) == pytest.approx(0.1)
    assert isinstance(t.groups[0](0), float)


def test_adam_has_its_first_beta_driven() -> None:
    opt = optimizer([0.1], adam=True)
    t = translate(sched.OneCycleLR(opt, 1.0, total_steps=200))
    _, betas = stepped(sched.OneCycleLR(optimizer([0.1], adam=True), 1.0, total_steps=200))
    assert t.momentum is not None
    same(t.momentum, betas)


@pytest.mark.parametrize("mode", ["cycle", "iterations"])
def test_a_scale_of_ones_own(mode: Any) -> None:
    scale = {"cycle": lambda c: 1 / c, "iterations": lambda t: 0.99**t}[mode]
    make = lambda opt: sched.CyclicLR(  # noqa: E731
        opt, 0.01, 0.1, 7, 5, scale_fn=scale, scale_mode=mode
    )
    opt = optimizer([1.0])
    t = translate(make(opt))
    wanted, momenta = stepped(make(optimizer([1.0])))
    same(t.schedule, wanted[0])
    assert t.momentum is not None
    same(t.momentum, momenta)
    assert t.schedule.bounds[0] >= 0


def test_a_negative_lambda_is_refused_at_its_step_unless_faithful() -> None:
    down = lambda n: 1 - n / 10  # noqa: E731
    with pytest.raises(ScheduleError, match="stay between low=0"):
        translate("torch", "LambdaLR", lr_lambda=down).schedule(11)
    faithful = translate("torch", "LambdaLR", lr_lambda=down, faithful=True)
    assert faithful.schedule(11) == pytest.approx(-0.1)


def test_a_registered_function_has_text_in_both() -> None:
    lehr.register("translate-test-ratio", _ratio)
    plain = translate("torch", "LambdaLR", lr_lambda=_ratio).schedule
    product = translate("torch", "MultiplicativeLR", lr_lambda=_ratio).schedule
    for schedule in (plain, product):
        assert lehr.parse(repr(schedule)) == schedule
        assert lehr.from_json(schedule.to_json()) == schedule
    assert repr(product) == "formula('translate-test-ratio.product', low=0.0)"
    wanted, _ = stepped(sched.MultiplicativeLR(optimizer([1.0]), _ratio))
    same(lehr.parse(repr(product)), wanted[0])
    # Each function has its own, and again the same one.
    assert translate("torch", "MultiplicativeLR", lr_lambda=_ratio).schedule == product
    assert "<" in repr(translate("torch", "MultiplicativeLR", lr_lambda=_halving).schedule)


# ----- what torch does wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "intended"),
    [
        ("LinearLR", {"start_factor": 0.1, "total_iters": 0}, [1.0] * STEPS),
        ("ConstantLR", {"factor": 0.1, "total_iters": 0}, [1.0] * STEPS),
        ("StepLR", {"step_size": 2.5, "gamma": 0.9}, [0.9 ** (2 * t // 5) for t in range(STEPS)]),
        (
            "MultiStepLR",
            {"milestones": [2.5, 9]},
            [1.0 if t < 2.5 else 0.1 if t < 9 else 0.01 for t in range(STEPS)],
        ),
        (
            "LinearLR",
            {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 4.5},
            [max(0.0, 1 - t / 4.5) for t in range(STEPS)],
        ),
        ("PolynomialLR", {"total_iters": 4.5}, [max(0.0, 1 - t / 4.5) for t in range(STEPS)]),
        ("ConstantLR", {"factor": 0.5, "total_iters": 3.5}, [0.5] * 4 + [1.0] * (STEPS - 4)),
    ],
)
def test_slips_are_put_right_and_said_or_kept(
    name: str, arguments: dict[str, Any], intended: list[float]
) -> None:
    wanted, _ = stepped(build(name, arguments, optimizer([1.0])))
    right = translate("torch", name, **arguments)
    same(right.schedule, intended)
    assert len(right.notes) == 1
    assert "torch" in right.notes[0]
    kept = translate("torch", name, faithful=True, **arguments)
    same(kept.schedule, wanted[0])
    assert kept.notes == ()
    same(translate(build(name, arguments, optimizer([1.0])), faithful=True).groups[0], wanted[0])


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [True, False])
def test_one_cycle_past_its_end(strategy: Any, three_phase: bool) -> None:
    make = lambda: sched.OneCycleLR(  # noqa: E731
        optimizer([1.0]), 1.0, 40, anneal_strategy=strategy, three_phase=three_phase
    )
    wanted, momenta = stepped(make(), 40)
    beyond = make()
    stepped(beyond, 40)
    t = translate(make())
    same(t.schedule, [*wanted[0], wanted[0][-1], wanted[0][-1]])
    assert t.schedule.bounds[0] > 0
    assert any("past its end" in note for note in t.notes)
    kept = translate(make(), faithful=True)
    past = beyond.optimizer.param_groups[0]
    same(kept.schedule, [*wanted[0], past["lr"]])
    assert kept.momentum is not None
    same(kept.momentum, [*momenta, past["momentum"]])
    with pytest.raises(ValueError, match="Tried to step"):
        stepped(beyond, 2)
    assert any("raises" in note for note in kept.notes)


def test_one_cycle_of_few_steps() -> None:
    r = random.Random(7)
    for total in range(1, 14):
        for three_phase in (True, False):
            pct = r.choice([0.0, 0.15, 0.35, 0.6, 0.95])
            arguments = {"max_lr": 1.0, "pct_start": pct, "three_phase": three_phase}
            make = lambda a=arguments, n=total: sched.OneCycleLR(  # noqa: E731
                optimizer([1.0]), total_steps=n, **a
            )
            wanted, _ = stepped(make(), total - 1) if total > 1 else ([[]], [])
            live = make()
            stepped(live, total - 1)
            same(translate(make()).schedule, [*wanted[0], live.get_last_lr()[0]])


def test_one_cycle_where_torch_divides_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        sched.OneCycleLR(optimizer([1.0]), 1.0, 10, pct_start=0.1)
    t = translate("torch", "OneCycleLR", max_lr=1.0, total_steps=10, pct_start=0.1)
    assert t.schedule(0) == 1.0
    assert any("divides by zero at step 0" in note for note in t.notes)


def test_restarts_that_torch_lost() -> None:
    live = sched.CosineAnnealingWarmRestarts(optimizer([1.0]), 5, 3, eta_min=0.1)
    # 605 is where a cycle begins; torch's logarithm gives the one before.
    live.step(605)
    assert live.get_last_lr()[0] == pytest.approx(0.1)
    right, kept = translate(live), translate(live, faithful=True)
    wanted = stepped(live, 1600)[0][0]
    assert right.position == kept.position == 605
    assert right.schedule(605) == 1.0
    assert "lost its place" in right.notes[0]
    same(kept.schedule, wanted, begin=605)
    assert kept.notes == ()


def test_restarts_after_a_resumed_constructor() -> None:
    opt = optimizer([1.0])
    opt.param_groups[0]["initial_lr"] = 1.0
    live = sched.CosineAnnealingWarmRestarts(opt, 5, 2, last_epoch=22)
    kept = translate(live, faithful=True)
    assert kept.position == 23
    assert "lost its place" in translate(live).notes[0]
    same(kept.schedule, stepped(live, 300)[0][0], begin=23)


def test_a_rate_that_something_else_wrote_is_told() -> None:
    opt = optimizer([1.0])
    live = sched.ExponentialLR(opt, 0.9)
    assert translate(live).notes == ()
    opt.param_groups[0]["lr"] = 0.3
    assert "group 0 is at 0.3" in translate(live).notes[0]


def test_swa_goes_on_from_the_rate_that_it_found() -> None:
    opt = optimizer([1.0])
    main, swa = sched.ExponentialLR(opt, 0.9), SWALR(opt, 0.05, anneal_epochs=10)
    stepped(main, 20)
    t = translate(swa)
    wanted, _ = stepped(swa, 30)
    same(t.groups[0], wanted[0])
    assert t.schedule(0) * 1.0 == pytest.approx(1.0)


# ----- containers -------------------------------------------------------------------------------

SIMPLE = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR"]


def _pairs(r: random.Random, choice: list[str], count: int) -> list[tuple[str, dict[str, Any]]]:
    return [(name, LEAVES[name](r)) for name in r.choices(choice, k=count)]


def sequence(
    pairs: list[tuple[str, dict[str, Any]]], milestones: list[int], opt: torch.optim.Optimizer
) -> Any:
    return sched.SequentialLR(opt, [build(n, a, opt) for n, a in pairs], milestones)


def test_sequences_of_anything() -> None:
    r = random.Random(11)
    choice = [name for name in LEAVES if name != "OneCycleLR"]
    for _ in range(70):
        pairs = _pairs(r, choice, r.randint(1, 4))
        milestones = sorted(r.randint(0, STEPS) for _ in pairs[1:])
        t = compare(lambda opt, p=pairs, m=milestones: sequence(p, m, opt), _rates(r))
        assert all("starts from the base rate" in note for note in t.notes), (pairs, t.notes)


def test_sequences_with_one_cycle() -> None:
    r = random.Random(12)
    for _ in range(40):
        pairs = _pairs(r, [*SIMPLE, "CosineAnnealingLR", "OneCycleLR"], 3)
        milestones = sorted(r.sample(range(1, STEPS), 2))
        compare(lambda opt, p=pairs, m=milestones: sequence(p, m, opt), _rates(r))


def test_sequences_by_name() -> None:
    r = random.Random(13)
    for _ in range(60):
        pairs = _pairs(r, [*SIMPLE, "CosineAnnealingLR", "OneCycleLR", "CyclicLR"], 3)
        milestones = sorted(r.sample(range(1, STEPS), 2))
        wanted, momenta = stepped(sequence(pairs, milestones, optimizer([0.3])))
        t = translate("torch", "SequentialLR", schedulers=pairs, milestones=milestones, lr=0.3)
        if any("overwrites the bounds" in note for note in t.notes):
            t = translate(
                *("torch", "SequentialLR"),
                schedulers=pairs,
                milestones=milestones,
                lr=0.3,
                faithful=True,
            )
        same(t.schedule if t.absolute else t.schedule * 0.3, wanted[0])
        if t.momentum is not None:
            same(t.momentum, momenta)


def test_a_sequence_of_factors_reads_as_one() -> None:
    t = translate(
        "torch",
        "SequentialLR",
        schedulers=[
            ("LinearLR", {"start_factor": 0.01, "total_iters": 100}),
            ("PolynomialLR", {"total_iters": 900, "power": 2.0}),
        ],
        milestones=[100],
    )
    assert not t.absolute
    assert t.schedule == lehr.warmup(100, start=0.01) >> lehr.polynomial(900, power=2.0)


def test_a_sequence_from_its_state() -> None:
    r = random.Random(14)
    for _ in range(20):
        pairs = _pairs(r, [*SIMPLE, "CosineAnnealingLR", "CyclicLR"], 3)
        milestones = sorted(r.sample(range(1, STEPS), 2))
        # A CyclicLR among the children rewrites what the first starts from, which no state says.
        if pairs[0][0] != "CyclicLR" and any(name == "CyclicLR" for name, _ in pairs):
            continue
        wanted, _ = stepped(sequence(pairs, milestones, optimizer([0.3, 0.1])))
        live = sequence(pairs, milestones, optimizer([0.3, 0.1]))
        stepped(live, 30)
        t = translate("torch", "SequentialLR", state=json.loads(json.dumps(live.state_dict())))
        assert t.position == 30
        for schedule, row in zip(t.groups, wanted, strict=True):
            same(schedule, row)


def test_chains_of_factors_are_their_product() -> None:
    r = random.Random(15)
    for _ in range(60):
        pairs = _pairs(r, [*SIMPLE, "MultiplicativeLR"], r.randint(1, 4))
        make = lambda opt, p=pairs: sched.ChainedScheduler(  # noqa: E731
            [build(n, a, opt) for n, a in p]
        )
        assert compare(make, _rates(r)).notes == ()


def test_a_chain_with_a_cosine_is_the_product_until_its_lowest() -> None:
    make = lambda opt: sched.ChainedScheduler(  # noqa: E731
        [sched.ExponentialLR(opt, 0.98), sched.CosineAnnealingLR(opt, STEPS + 1)]
    )
    assert "forgets the others" in compare(make, [0.3]).notes[0]


NESTED: dict[str, Make] = {
    "sequence in a sequence": lambda opt: sched.SequentialLR(
        opt,
        [
            sched.SequentialLR(
                opt, [sched.ConstantLR(opt, 0.5, 99), sched.ExponentialLR(opt, 0.95)], [9]
            ),
            sched.StepLR(opt, 7, 0.5),
        ],
        [40],
    ),
    "chain in a sequence": lambda opt: sched.SequentialLR(
        opt,
        [
            sched.ChainedScheduler([sched.ExponentialLR(opt, 0.95), sched.StepLR(opt, 5, 0.5)]),
            sched.LinearLR(opt, 0.5, 1.0, 9),
        ],
        [40],
    ),
    "restarts in a chain": lambda opt: sched.ChainedScheduler(
        [sched.CosineAnnealingWarmRestarts(opt, 10), sched.ExponentialLR(opt, 0.95)]
    ),
    "floor in a chain": lambda opt: sched.ChainedScheduler(
        [sched.LinearLR(opt, 0.1, 1.0, 20), sched.CosineAnnealingLR(opt, 50, eta_min=0.05)]
    ),
    "sequence in a chain": lambda opt: sched.ChainedScheduler(
        [
            sched.ExponentialLR(opt, 0.95),
            sched.SequentialLR(
                opt, [sched.ConstantLR(opt, 0.5, 99), sched.StepLR(opt, 9, 0.5)], [20]
            ),
        ]
    ),
    "a cycle in a chain": lambda opt: sched.ChainedScheduler(
        [sched.CyclicLR(opt, 0.1, 0.5, 9), sched.ExponentialLR(opt, 0.95)]
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_containers_that_torch_gets_wrong_are_told_or_replayed(name: str) -> None:
    make = NESTED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = translate(make(optimizer([0.3, 0.1])))
        assert right.notes
        compare(make, [0.3, 0.1], faithful=True)
        with pytest.raises(AssertionError):
            check(right, *stepped(make(optimizer([0.3, 0.1]))), [0.3, 0.1])


def test_nested_containers_mean_what_they_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        t = translate(NESTED["sequence in a sequence"](optimizer([0.3])))
        chain = translate(NESTED["chain in a sequence"](optimizer([0.3])))
        product = translate(NESTED["restarts in a chain"](optimizer([0.3])))
    first = [0.5 if n < 9 else 0.95 ** (n - 9) for n in range(40)]
    same(t.schedule, first + [0.5 ** ((n - 40) // 7) for n in range(40, STEPS)])
    first = [0.95**n * 0.5 ** (n // 5) for n in range(40)]
    same(chain.schedule, first + [min(1, 0.5 + 0.5 * (n - 40) / 9) for n in range(40, STEPS)])
    cosine = translate("torch", "CosineAnnealingWarmRestarts", T_0=10).schedule
    same(product.schedule, [cosine(n) * 0.95**n for n in range(STEPS)])


def test_a_nested_child_that_torch_cannot_start() -> None:
    pairs = [
        ("ConstantLR", {"factor": 0.5, "total_iters": 99}),
        ("ChainedScheduler", {"schedulers": [("ExponentialLR", {"gamma": 0.9})]}),
    ]
    arguments: dict[str, Any] = {"schedulers": pairs, "milestones": [5], "lr": 1.0}
    t = translate("torch", "SequentialLR", **arguments)
    same(t.schedule, [0.5] * 5 + [0.9**n for n in range(10)])
    kept = translate("torch", "SequentialLR", faithful=True, **arguments)
    assert kept.schedule(4) == 0.5
    with pytest.raises(ScheduleError, match=r"torch itself fails at step 5: NotImplementedError"):
        kept.schedule(5)


def test_unsorted_milestones() -> None:
    pairs = [
        ("StepLR", {"step_size": 3}),
        ("StepLR", {"step_size": 4}),
        ("StepLR", {"step_size": 5}),
    ]
    arguments: dict[str, Any] = {"schedulers": pairs, "milestones": [50, 20], "lr": 0.3}
    with pytest.raises(ScheduleError, match="not in rising order"):
        translate("torch", "SequentialLR", **arguments)
    kept = translate("torch", "SequentialLR", faithful=True, **arguments)
    same(kept.schedule, stepped(sequence(pairs, [50, 20], optimizer([0.3])))[0][0])


def test_a_negative_lambda_in_a_container() -> None:
    down = lambda n: 1 - n / 10  # noqa: E731
    pairs = [("StepLR", {"step_size": 3}), ("LambdaLR", {"lr_lambda": down})]
    arguments: dict[str, Any] = {"schedulers": pairs, "milestones": [5], "lr": 1.0}
    with pytest.raises(ScheduleError, match="stay between low=0"):
        translate("torch", "SequentialLR", **arguments).schedule(20)
    kept = translate("torch", "SequentialLR", faithful=True, **arguments)
    same(kept.schedule, stepped(sequence(pairs, [5], optimizer([1.0])))[0][0])


# ----- what cannot be read ----------------------------------------------------------------------


def test_plateau_is_refused_by_name_and_live() -> None:
    live = sched.ReduceLROnPlateau(optimizer([0.1]), patience=3)
    for call in (
        lambda: translate(live),
        lambda: translate("torch", "ReduceLROnPlateau", patience=3),
    ):
        with pytest.raises(ScheduleError, match=r"follows a metric.*lehr.plateau\(.*patience=3"):
            call()


def test_a_class_of_ones_own_is_refused_where_it_computes() -> None:
    class Mine(sched.StepLR):
        def get_lr(self) -> list[float | torch.Tensor]:
            return [0.1 for _ in self.base_lrs]

    class Named(sched.StepLR):
        pass

    with pytest.raises(ScheduleError, match="Mine has a get_lr of its own"):
        translate(Mine(optimizer([0.1]), 5))
    assert translate(Named(optimizer([0.1]), 5)).schedule == lehr.step(5)


def test_lehrs_own_schedulers_are_read() -> None:
    shape = lehr.warmup(10) >> lehr.cosine(90)
    own = lehr_scheduler(shape)
    t = translate(own)
    assert (t.schedule, t.absolute, t.position) == (shape, False, 0)
    assert t.groups[0](10) == pytest.approx(0.2)


def lehr_scheduler(shape: lehr.Schedule) -> Any:
    from lehr.torch import Scheduler

    return Scheduler(optimizer([0.2]), lr=shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: translate("torhc", "StepLR"), "did you mean 'torch'"),
        (lambda: translate("torch"), "needs a name.*StepLR"),
        (lambda: translate("torch", "StepLr", step_size=3), "did you mean 'StepLR'"),
        (lambda: translate("torch", "StepLR", stepsize=3), "did you mean 'step_size'"),
        (lambda: translate("torch", "StepLR"), "step_size is missing"),
        (lambda: translate("torch", "StepLR", step_size=0), "step_size=0"),
        (lambda: translate("torch", "StepLR", step_size=-2), "step_size=-2"),
        (lambda: translate("torch", "StepLR", step_size=3, gamma=-1), "gamma=-1"),
        (lambda: translate("torch", "CosineAnnealingLR", T_max=0), "T_max=0"),
        (lambda: translate("torch", "CyclicLR", base_lr=0, max_lr=1, mode="x"), "mode='x'"),
        (lambda: translate("torch", "OneCycleLR", max_lr=1), "total_steps"),
        (
            lambda: translate("torch", "OneCycleLR", max_lr=1, total_steps=9, pct_start=2),
            "pct_start",
        ),
        (lambda: translate("torch", "StepLR", state={"gamma": 0.1}), "lacks step_size"),
        (lambda: translate("torch", "StepLR", state=3), "not a saved state"),
        (lambda: translate("torch", "SequentialLR", schedulers=[], milestones=[]), "empty"),
        (
            lambda: translate("torch", "SequentialLR", schedulers=["a"], milestones=[]),
            "not a child",
        ),
        (
            lambda: translate(
                "torch", "SequentialLR", schedulers=[("StepLR", {"step_size": 2})], milestones=[3]
            ),
            "one less",
        ),
        (lambda: translate("torch", "SWALR", swa_lr=0.1), "give the optimizer's own"),
        (lambda: translate(3), "cannot be read"),
    ],
)
def test_mistakes_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        call()


def test_a_translation_is_registered_once() -> None:
    with pytest.raises(ScheduleError, match="torch has two translations of 'StepLR'"):
        translates("torch", "mine", "StepLR")(lambda: lehr.constant())


def test_names_and_arguments_do_not_import_torch() -> None:
    code = (
        "import sys; from lehr.translate import translate; translate('torch', 'StepLR', "
        "step_size=3); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_state_alone_does_not_say_of_what_it_is() -> None:
    with pytest.raises(ScheduleError, match=r"write translate\('torch', 'StepLR', state="):
        lehr.translate({"step_size": 3, "gamma": 0.1})
