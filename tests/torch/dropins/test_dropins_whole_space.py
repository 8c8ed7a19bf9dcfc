"""The drop-ins over the whole space of their arguments: torch's class is the reference throughout.

Where torch's class fails in the middle of a run, or is wrong by its own closed form, the table in
docs/drop-ins.md says what the drop-in does instead; each such case is named here.
"""

import itertools
import math
from typing import Any

import pytest

import lehr
from twins import Run, build, flat, scheduler_class

STEPS = 26

SHARES = [i / 20 for i in range(21)] + [1e-9, 0.01, 0.99]


def grid(**choices: list[Any]) -> list[dict[str, Any]]:
    """Return every combination of the choices."""
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


SPACE: dict[str, list[dict[str, Any]]] = {
    "StepLR": grid(step_size=[1, 2, 3, 25, 1000], gamma=[0.1, 0.5, 1.0, 1.5]),
    "MultiStepLR": grid(
        milestones=[[], [0], [0, 0], [1], [3, 3, 3], [9, 2], [25], [100], range(1, 6), (4, 8)],
        gamma=[0.1, 1.0, 1.5],
    ),
    "ExponentialLR": grid(gamma=[1e-3, 0.5, 0.999, 1.0, 1.01]),
    "ConstantLR": grid(factor=[1e-6, 1 / 3, 0.5, 1.0], total_iters=[1, 2, 5, 25, 1000]),
    "LinearLR": grid(
        start_factor=[1e-6, 1 / 3, 1.0],
        end_factor=[0.0, 1e-6, 1 / 3, 1.0],
        total_iters=[1, 2, 3, 25, 1000],
    ),
    "PolynomialLR": grid(total_iters=[1, 2, 3, 25, 1000], power=[0.25, 0.5, 1.0, 2.0, 7.0]),
    "CosineAnnealingLR": grid(
        T_max=[1, 1.5, 2, 3, 2.25, 25, 1000], eta_min=[0.0, 1e-9, 0.05, 0.1, 0.7]
    ),
    "CosineAnnealingWarmRestarts": grid(
        T_0=[1, 2, 3, 25, 1000], T_mult=[1, 2, 3, 7], eta_min=[0.0, 0.05, 0.1, 0.7, 0, 1]
    ),
    "CyclicLR": [
        *grid(
            base_lr=[0.0, 0.01],
            max_lr=[0.5],
            step_size_up=[0.25, 0.5, 1, 1.5, 2, 7, 2000],
            step_size_down=[None, 0.25, 1, 3, 2000],
            mode=["triangular", "triangular2", "exp_range"],
            gamma=[0.9],
        ),
        *grid(base_lr=[0.5], max_lr=[0.5, 0.1, 0.0], step_size_up=[1, 3], gamma=[1.0, 0.5]),
        *grid(base_lr=[0.1], max_lr=[0.5], step_size_up=[1, 4], step_size_down=[0]),
        *grid(
            base_lr=[0.1],
            max_lr=[0.5],
            step_size_up=[3],
            base_momentum=[0.0, 0.8, 0.9],
            max_momentum=[0.0, 0.8, 0.9],
        ),
    ],
    "OneCycleLR": [
        *grid(
            max_lr=[0.2],
            total_steps=[1, 2, 3, 4, 5, 7, 10, 33],
            pct_start=SHARES,
            three_phase=[False, True],
            anneal_strategy=["cos", "linear"],
        ),
        *grid(
            max_lr=[0.2],
            total_steps=[1, 2, 3, 12],
            pct_start=[0.0, 0.3, 1.0],
            div_factor=[0.5, 1.0, 25.0],
            final_div_factor=[0.5, 1.0, 1e4, 1e12],
            three_phase=[False, True],
        ),
        *grid(max_lr=[0.2, 0.0], epochs=[1, 2, 5], steps_per_epoch=[1, 3]),
    ],
    "SWALR": grid(
        swa_lr=[0.0, 0.05, 0.1, 0.7], anneal_epochs=[0, 1, 2, 10], anneal_strategy=["cos", "linear"]
    ),
    "ReduceLROnPlateau": [
        *grid(factor=[0.0, 1e-3, 0.5, 0.999], patience=[0, 1, 3, 100], cooldown=[0, 1, 4]),
        *grid(min_lr=[0, 0.05, 0.2, 7.0], eps=[0, 1e-8, 0.04, 1.0], patience=[0], factor=[0.5]),
        *grid(
            mode=["min", "max"],
            threshold=[0.0, 1e-4, 0.2],
            threshold_mode=["rel", "abs"],
            patience=[1],
        ),
    ],
    "LambdaLR": grid(
        lr_lambda=[
            lambda epoch: 1,
            lambda epoch: 0,
            lambda epoch: epoch // 3,
            lambda epoch: 0.5 ** (epoch >= 4),
            lambda epoch: min(1.0, epoch / 5),
            lambda epoch: 1e-300,
        ]
    ),
    "MultiplicativeLR": grid(
        lr_lambda=[lambda epoch: 1, lambda epoch: 0, lambda epoch: 0.9, lambda epoch: 2 - epoch % 2]
    ),
}

CASES = [(name, arguments) for name, space in SPACE.items() for arguments in space]


def rows_of(run: Run, steps: int) -> tuple[list[Any], Exception | None]:
    """Return the values of a run as far as it goes, and what ended it."""
    rows = [read_all(run)]
    for _ in range(steps):
        try:
            run.step()
        except Exception as error:
            return rows, error
        rows.append(read_all(run))
    return rows, None


def read_all(run: Run) -> list[tuple[float, float]]:
    """Return the rate and the momentum of every group."""
    return [(float(g["lr"]), float(g["momentum"])) for g in run.optimizer.param_groups]


def last_step(name: str, arguments: dict[str, Any]) -> int:
    """Return how many steps are compared: torch's one-cycle is wrong after its end."""
    if name != "OneCycleLR":
        return STEPS
    return arguments.get("total_steps") or arguments["epochs"] * arguments["steps_per_epoch"]


@pytest.mark.parametrize("name", SPACE)
def test_every_point_is_torchs(name: str):
    """Every rate and momentum of every combination, wherever torch's class runs."""
    wrong: list[str] = []
    compared = 0
    for arguments in SPACE[name]:
        steps = last_step(name, arguments) - (name == "OneCycleLR")
        try:
            expected, end = rows_of(build("torch", name, arguments), steps)
        except ZeroDivisionError:
            continue  # the drop-in's own rule holds there: see below
        assert end is None or isinstance(end, ZeroDivisionError)
        compared += 1
        try:
            found, failed = rows_of(build("lehr", name, arguments), steps)
        except Exception as error:
            wrong.append(f"{arguments}: torch runs; {type(error).__name__}: {error}")
            continue
        if failed is not None and end is None:
            wrong.append(f"{arguments}: torch goes on; {type(failed).__name__}: {failed}")
        elif flat(found[: len(expected)]) != pytest.approx(flat(expected), rel=1e-9, abs=1e-12):
            wrong.append(f"{arguments}: {found[:3]}, torch {expected[:3]}")
    assert compared > 0
    assert not wrong, f"{len(wrong)} of {compared}:\n" + "\n".join(wrong[:8])


@pytest.mark.parametrize("name", SPACE)
def test_where_torch_divides_by_zero_the_drop_in_goes_on(name: str):
    for arguments in SPACE[name]:
        steps = last_step(name, arguments)
        found, failed = rows_of(build("lehr", name, arguments), steps)
        assert failed is None, f"{arguments}: {failed!r}"
        assert all(math.isfinite(value) for value in flat(found)), arguments


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor", "adamw"])
def test_the_reported_one_cycle(kind: str):
    """A rise that is shorter than one step: torch starts on the way down already."""
    arguments = {"max_lr": 0.2, "total_steps": 33, "pct_start": 0.0}
    run = build("lehr", "OneCycleLR", arguments, kind, [0.1])
    group = run.optimizer.param_groups[0]
    share = (1 + math.cos(math.pi / 33)) / 2
    lowest = 0.2 / 25 / 1e4
    assert float(group["lr"]) == pytest.approx(lowest + (0.2 - lowest) * share, rel=1e-12)
    assert float(group["lr"]) == pytest.approx(0.199547, abs=1e-6)
    momentum = group["betas"][0] if "betas" in group else group["momentum"]
    assert float(momentum) == pytest.approx(0.95 - 0.1 * share, rel=1e-12)
    assert float(momentum) == pytest.approx(0.850226, abs=1e-6)


# ----- where torch's own closed form says that its steps are wrong --------------------------------


@pytest.mark.parametrize("factor", [0.0, 1e-6, 0.25, 1.0])
@pytest.mark.parametrize("total", [0, 1, 3])
def test_constant_is_torchs_closed_form(factor: float, total: int):
    """``factor=0`` comes back, and no epochs are none: torch's steps fail, its formula does not."""
    run = build("lehr", "ConstantLR", {"factor": factor, "total_iters": total}, bases=[0.1])
    for epoch in range(6):
        formula = 0.1 * (factor + (epoch >= total) * (1 - factor))
        assert run.optimizer.param_groups[0]["lr"] == pytest.approx(formula, rel=1e-12)
        run.step()


@pytest.mark.parametrize("start", [0.1, 1.0])
@pytest.mark.parametrize("end", [0.0, 0.5, 1.0])
def test_linear_over_no_epochs_is_at_its_end(start: float, end: float):
    arguments = {"start_factor": start, "end_factor": end, "total_iters": 0}
    run = build("lehr", "LinearLR", arguments, bases=[0.1])
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * end, rel=1e-12)
    assert flat(run.steps(4)) == pytest.approx([0.1 * end, 0.9] * 4, rel=1e-12)


# ----- two answers to one question ----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SPACE if name != "ReduceLROnPlateau"])
def test_the_translation_of_the_same_arguments_agrees(name: str):
    """Degenerate arguments too: ``total_iters=0``, a factor of 0, a phase that ends at step 0."""
    more = {
        "ConstantLR": grid(factor=[0.0, 0.5], total_iters=[0, 1, 4]),
        "LinearLR": grid(start_factor=[0.5, 1.0], end_factor=[0.0, 0.5], total_iters=[0]),
        "OneCycleLR": grid(max_lr=[0.2], total_steps=[2, 4, 10], three_phase=[False, True])
        + [{"max_lr": 0.2, "total_steps": n, "pct_start": 1 / n} for n in (1, 2, 4, 5, 8, 10)],
    }
    wrong: list[str] = []
    for arguments in SPACE[name] + more.get(name, []):
        steps = last_step(name, arguments)
        try:
            found, _ = rows_of(build("lehr", name, arguments, bases=[0.1]), steps)
        except ValueError as refusal:
            wrong.append(f"{arguments}: refused: {refusal}")
            continue
        translated = lehr.translate("torch", name, lr=0.1, **arguments)
        base = 1.0 if translated.absolute else 0.1
        expected = [base * translated.schedule(n) for n in range(steps + 1)]
        if [rows[0][0] for rows in found] != pytest.approx(expected, rel=1e-9, abs=1e-12):
            wrong.append(f"{arguments}: {[r[0][0] for r in found][:4]}, translated {expected[:4]}")
        if translated.momentum is not None:
            momenta = [translated.momentum(n) for n in range(steps + 1)]
            if [rows[0][1] for rows in found] != pytest.approx(momenta, rel=1e-9, abs=1e-12):
                wrong.append(f"{arguments}: momentum {found[:3]}, translated {momenta[:3]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:8])


# ----- what torch refuses -------------------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("ConstantLR", {"factor": 1.1}),
    ("ConstantLR", {"factor": -0.1}),
    ("LinearLR", {"start_factor": 0.0}),
    ("LinearLR", {"start_factor": 1.5}),
    ("LinearLR", {"start_factor": -0.5}),
    ("LinearLR", {"end_factor": 1.5}),
    ("LinearLR", {"end_factor": -0.5}),
    *[("CosineAnnealingWarmRestarts", {"T_0": bad}) for bad in (0, -1, 2.0, 2.5)],
    *[("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": bad}) for bad in (0, -1, 1.5, 2.0)],
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "eta_min": "0.1"}),
    *[("OneCycleLR", {"max_lr": 1.0, "total_steps": bad}) for bad in (0, -1, 10.0, 2.5)],
    *[
        ("OneCycleLR", {"max_lr": 1.0, "epochs": a, "steps_per_epoch": b})
        for a, b in ((0, 3), (3, 0), (2.0, 3), (3, 2.0), (-1, -1), (None, 3), (3, None))
    ],
    ("OneCycleLR", {"max_lr": 1.0}),
    *[("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": p}) for p in (-0.1, 1.1, 1, 0)],
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "cosine"}),
    *[("OneCycleLR", {"max_lr": bad, "total_steps": 9}) for bad in ([1.0], [1.0] * 3, (), [])],
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "base_momentum": [0.8] * 3}),
    *[("CyclicLR", {"base_lr": 0.1, "max_lr": bad}) for bad in ([1.0], [1.0] * 3, [])],
    ("CyclicLR", {"base_lr": [0.1], "max_lr": 1.0}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "triangle"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "max_momentum": [0.9]}),
    ("SWALR", {"swa_lr": [0.1]}),
    ("SWALR", {"swa_lr": 0.1, "anneal_epochs": -1}),
    ("SWALR", {"swa_lr": 0.1, "anneal_epochs": 2.0}),
    ("SWALR", {"swa_lr": 0.1, "anneal_strategy": "cosine"}),
    ("LambdaLR", {"lr_lambda": [abs]}),
    ("LambdaLR", {"lr_lambda": [abs] * 3}),
    ("MultiplicativeLR", {"lr_lambda": [abs]}),
    ("MultiplicativeLR", {"lr_lambda": 0.5}),
    ("MultiplicativeLR", {"lr_lambda": [abs, 0.5]}),
    ("ReduceLROnPlateau", {"factor": 1.0}),
    ("ReduceLROnPlateau", {"factor": 1.5}),
    ("ReduceLROnPlateau", {"mode": "best"}),
    ("ReduceLROnPlateau", {"threshold_mode": "ratio"}),
    ("ReduceLROnPlateau", {"min_lr": [0.1]}),
    *[
        (name, {**arguments, "last_epoch": 3})
        for name, arguments in (
            ("StepLR", {"step_size": 2}),
            ("CosineAnnealingLR", {"T_max": 9}),
            ("LambdaLR", {"lr_lambda": abs}),
            ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "cycle_momentum": False}),
            ("SWALR", {"swa_lr": 0.1}),
        )
    ],
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_torch_refuses_is_refused_with_the_same_error(number: int):
    name, arguments = REFUSED[number]
    with pytest.raises((ValueError, TypeError, KeyError)) as torchs:
        build("torch", name, arguments)
    with pytest.raises(type(torchs.value)):
        build("lehr", name, arguments)


@pytest.mark.parametrize("name", SPACE)
@pytest.mark.parametrize("optimizer", [None, "sgd", [], object()])
def test_what_is_no_optimizer_is_refused_as_torch_refuses_it(name: str, optimizer: Any):
    arguments = {**SPACE[name][0], **({"total_steps": 9} if name == "OneCycleLR" else {})}
    with pytest.raises((TypeError, AttributeError)):
        scheduler_class("torch", name)(optimizer, **arguments)
    with pytest.raises(TypeError, match="Optimizer"):
        scheduler_class("lehr", name)(optimizer, **arguments)
