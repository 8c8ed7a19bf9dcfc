"""Arguments of the wrong kind are refused by their name, and right ones keep all their digits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

import lehr
from lehr.errors import ScheduleError

COSINE = {"num_warmup_steps": 5, "num_training_steps": 50, "lr": 0.1}
DECAY = {"initial_learning_rate": 0.1, "decay_steps": 100}


@pytest.mark.parametrize(
    ("library", "name", "given", "wrong"),
    [
        ("transformers", "cosine_with_min_lr", COSINE, {"min_lr": ""}),
        ("transformers", "cosine_with_min_lr", COSINE, {"min_lr": False}),
        ("transformers", "cosine_with_min_lr", COSINE, {"min_lr": []}),
        ("keras", "CosineDecay", DECAY, {"warmup_target": "0.2"}),
        ("keras", "CosineDecay", DECAY, {"warmup_target": 10**400}),
        ("keras", "CosineDecay", {"decay_steps": 100}, {"initial_learning_rate": "0.1"}),
        ("keras", "ExponentialDecay", {**DECAY, "decay_rate": 0.5}, {"staircase": "no"}),
        ("torch", "CyclicLR", {"base_lr": 0.1, "max_lr": 1.0}, {"cycle_momentum": "False"}),
        ("optax", "warmup_cosine_decay_schedule", {}, {"init_value": "0"}),
    ],
)
def test_a_wrong_argument_is_named(
    library: str, name: str, given: dict[str, Any], wrong: dict[str, Any]
) -> None:
    (argument,) = wrong
    needed = {"peak_value": 1.0, "warmup_steps": 2, "decay_steps": 9} if library == "optax" else {}
    with pytest.raises(ScheduleError, match=rf"^{argument}="):
        lehr.translate(library, name, **given, **needed, **wrong)


def test_none_is_accepted_where_the_library_accepts_it() -> None:
    given = {"lr": 0.1, "t_max": 20, "warmup": 2, "decay": 5}
    found = lehr.translate("olmo_core", "wsd", decay_fraction=None, **given)
    assert found.schedule(20) == 0.0


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("ExponentialDecay", {"decay_rate": 0.5}, "'1/3st'"),
        ("PolynomialDecay", {"end_learning_rate": 0.0}, "'1/3st'"),
        ("CosineDecay", {}, "'1/3st'"),
    ],
)
def test_a_fraction_of_a_step_stays_exact(name: str, given: dict[str, Any], text: str) -> None:
    third = {"initial_learning_rate": 0.1, "decay_steps": Fraction(1, 3)}
    assert text in repr(lehr.translate("keras", name, **third, **given).schedule)


@pytest.mark.parametrize(
    ("library", "name", "given", "said"),
    [
        (
            "transformers",
            "cosine_warmup_with_min_lr",
            {**COSINE, "num_warmup_steps": 12.5, "min_lr": 0.01},
            "num_warmup_steps=12.5 must be a whole number",
        ),
        (
            "megatron",
            "cosine",
            {"max_lr": 0.1, "lr_decay_steps": 10.25, "lr_warmup_steps": 12.5},
            "lr_warmup_steps=12.5 must be less than lr_decay_steps=10.25",
        ),
        ("mmengine", "LinearLR", {"begin": 3, "end": 2}, "end=2 must be larger than begin=3"),
        (
            "olmo_core",
            "composable",
            {"lr": 0.1, "stages": [{"duration": 5, "end_lr": 0.1}, {"duration": 7}]},
            r"stages\[1\]={'duration': 7}: give end_lr",
        ),
    ],
)
def test_a_message_shows_what_was_typed(
    library: str, name: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScheduleError, match=said):
        lehr.translate(library, name, **given)
