"""Corner arguments of the libraries, which their own tests leave out, against the libraries.

Phases that overlap or have no steps, milestones in no order or before step 0, factors of 0, lengths
that are not whole.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import translate

LR = 0.2
STEPS = 40


def olmo_core(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_olmo_core")
    name, given = case
    own = dict(given)
    run = own.pop("t_max")
    made = live.made((name, own))
    # Its first update is step 1, and at its step 0 it may divide by zero.
    return [made.get_lr(LR, t, run) for t in range(1, STEPS)], {"lr": LR}, 1


def keras(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_keras")
    schedule = getattr(live.keras.optimizers.schedules, case[0])(**case[1])
    return [float(schedule(t)) for t in range(STEPS)], {}, 0


def megatron(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_megatron")
    still = {**live.STILL, "min_lr": 0.0}
    return live.live({**still, **case[1]}, "lr")[:STEPS], {}, 0


def mmengine(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_mmengine")
    name, given = case
    configs = [case]
    if name == "param_scheduler":
        configs = [
            (config["type"], {key: config[key] for key in config if key != "type"})
            for config in given["schedulers"]
        ]
    return live.live(configs)[:STEPS], {"lr": live.LR}, 0


def levanter(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_levanter")
    name, given = case
    rest = dict(given)
    run = rest.pop("num_train_steps")
    kind = live.config.LrSchedule.known[name]
    made = live.config.AdamConfig(learning_rate=LR, lr_schedule=kind(), **rest)
    with live.jax.enable_x64(True):
        curve = made.lr_scheduler(run)
        rates = [float(curve(live.jax.numpy.asarray(t))) for t in range(run)]
    return rates, {"learning_rate": LR}, 0


def ignite(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_ignite")
    name, given = case
    if name.endswith("StateScheduler"):
        made = getattr(live.states, name)(param_name="x", **given)
        rates: list[float] = []
        for event in range(STEPS):
            made.event_index = event
            rates.append(made.get_param())
        return rates, {}, 0
    return live.curve(getattr(live.handlers, name)(live.optimizer(), "lr", **given)), {}, 0


def optax(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_optax")
    name, given = case
    own = dict(given)
    if name == "join_schedules":
        own["schedules"] = [
            live.optax.linear_schedule(init_value=1.0, end_value=0.5, transition_steps=5)
        ] * len(given["schedules"])
    return live.curve(getattr(live.optax, name)(**own)), {}, 0


def timm(case: Case) -> tuple[list[float], dict[str, Any], int]:
    live = importlib.import_module("live_timm")
    return live.live(case, STEPS), {}, 0


PEERS: dict[str, Callable[[Case], tuple[list[float], dict[str, Any], int]]] = {
    peer.__name__: peer
    for peer in (olmo_core, keras, megatron, mmengine, levanter, ignite, optax, timm)
}

LINE = translate(
    "optax", "linear_schedule", init_value=1.0, end_value=0.5, transition_steps=5
).schedule
RATE = {"initial_learning_rate": 0.1, "end_learning_rate": 0.01}
WSD = {"max_lr": 0.1, "lr_decay_style": "WSD", "lr_decay_steps": 20}
FADE = {"decay_fraction": None, "t_max": 20}


def several(*configs: dict[str, Any]) -> Case:
    return "param_scheduler", {"schedulers": list(configs)}


CORNERS: list[tuple[str, Case]] = [
    ("olmo_core", ("wsd", {"warmup": 12, "decay": 12, **FADE})),
    ("olmo_core", ("wsd", {"warmup": 12, "decay": 25, "decay_min_lr": 0.01, **FADE})),
    ("olmo_core", ("wsd", {"warmup": 25, "decay": 5, **FADE})),
    ("olmo_core", ("wsd", {"warmup_fraction": 0.9, "decay_fraction": 0.3, "t_max": 20})),
    ("olmo_core", ("power_lr", {"warmup": 12, "decay": 12, **FADE})),
    ("olmo_core", ("power_lr", {"warmup": 25, "decay": 8, "b": -1.0, **FADE})),
    ("olmo_core", ("cos_with_warmup", {"warmup": 25, "t_max": 20})),
    ("olmo_core", ("linear_with_warmup", {"warmup": 20, "t_max": 20})),
    ("olmo_core", ("half_cos_with_warmup", {"warmup": 25, "alpha_f": 0.3, "t_max": 20})),
    ("olmo_core", ("cos_with_warmup_and_linear_decay", {"warmup": 12, "decay": 12, **FADE})),
    ("olmo_core", ("inv_sqrt_with_warmup", {"warmup": 0, "alpha_f": 0.3, "t_max": 20})),
    ("keras", ("PolynomialDecay", {**RATE, "decay_steps": 7.5, "cycle": True})),
    ("keras", ("PolynomialDecay", {**RATE, "decay_steps": 0.5, "cycle": True})),
    ("keras", ("PolynomialDecay", {**RATE, "decay_steps": 4.25, "power": 2.0, "cycle": True})),
    ("keras", ("PiecewiseConstantDecay", {"boundaries": [9, 3], "values": [1.0, 0.5, 0.25]})),
    (
        "keras",
        ("PiecewiseConstantDecay", {"boundaries": [3, 9, 6], "values": [1.0, 0.5, 2.0, 4.0]}),
    ),
    ("keras", ("PiecewiseConstantDecay", {"boundaries": [-0.5, 5.5], "values": [1.0, 0.5, 0.25]})),
    ("megatron", ("OptimizerParamScheduler", {**WSD, "wsd_decay_steps": 0})),
    ("megatron", ("OptimizerParamScheduler", {**WSD, "wsd_decay_steps": 2, "increment": 18})),
    ("mmengine", ("StepLR", {"step_size": 0, "begin": 3, "end": 4})),
    ("mmengine", ("StepLR", {"step_size": -3, "gamma": 0.5})),
    ("mmengine", ("MultiStepLR", {"milestones": [-2, 4, 4, 0], "gamma": 0.5})),
    ("mmengine", ("CosineAnnealingLR", {"T_max": 0, "end": 9, "eta_min": 0.01})),
    ("mmengine", ("CosineAnnealingLR", {"T_max": -9, "end": 9, "eta_min": 0.01})),
    (
        "mmengine",
        ("CosineRestartLR", {"periods": [0, 4], "restart_weights": [1, 0.5], "eta_min": 0.0}),
    ),
    (
        "mmengine",
        several(
            {"type": "ExponentialLR", "gamma": 0.0},
            {"type": "CosineAnnealingLR", "T_max": 9, "end": 9, "eta_min": 0.01},
        ),
    ),
    (
        "mmengine",
        several(
            {"type": "OneCycleLR", "eta_max": 0.3, "total_steps": 500},
            {"type": "OneCycleLR", "eta_max": 0.1, "end": 9, "div_factor": 5.0},
        ),
    ),
    ("levanter", ("linear", {"num_train_steps": 20, "warmup": 0.5, "decay": 0.8})),
    ("levanter", ("cosine", {"num_train_steps": 30, "cycles": 2, "warmup": 9, "decay": 12})),
    ("levanter", ("linear", {"num_train_steps": 20, "warmup": 30})),
    ("levanter", ("inv_sqrt", {"num_train_steps": 20, "warmup": 12, "decay": 12})),
    (
        "ignite",
        ("MultiStepStateScheduler", {"initial_value": 1.0, "gamma": 0.5, "milestones": [5, 0]}),
    ),
    ("ignite", ("PiecewiseLinear", {"milestones_values": [(-4, 1.0), (6, 0.5), (9, 0.1)]})),
    (
        "ignite",
        (
            "LinearCyclicalScheduler",
            {"start_value": 0.5, "end_value": 1.0, "cycle_size": 6, "end_value_mult": 0.0},
        ),
    ),
    ("optax", ("join_schedules", {"schedules": [LINE] * 3, "boundaries": [9, 4]})),
    ("optax", ("join_schedules", {"schedules": [LINE] * 3, "boundaries": [-3, 8]})),
    (
        "optax",
        (
            "piecewise_interpolate_schedule",
            {
                "interpolate_type": "linear",
                "init_value": 1.0,
                "boundaries_and_scales": {-3: 0.5, 6: 0.5},
            },
        ),
    ),
    (
        "optax",
        (
            "warmup_cosine_decay_schedule",
            {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": -2, "decay_steps": 9},
        ),
    ),
    ("timm", ("StepLRScheduler", {"decay_t": 0.2, "decay_rate": 0.9})),
    ("timm", ("MultiStepLRScheduler", {"decay_t": [9, 2, 5], "decay_rate": 0.5})),
]


@pytest.mark.parametrize(
    ("library", "case"), CORNERS, ids=[f"{library},{case_id(case)}" for library, case in CORNERS]
)
def test_live_corner(library: str, case: Case) -> None:
    rates, more, first = PEERS[library](case)
    name, given = case
    ours = translate(library, name, **given, **more, faithful=True)
    scale = 1.0 if ours.absolute else more.get("lr", 1.0)
    assert_curve((ours.schedule * scale)[first:], rates, LIVE)
