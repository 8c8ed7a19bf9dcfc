"""The feedback rules that refusals advise are valid, and do what the refused schedulers do."""

from __future__ import annotations

import ast
import random
import re
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

import lehr
from lehr import ScheduleError
from lehr.translate import translate

LR = 0.125
RATES = {"lr": LR, "min_lr": 0.0125, "eps": 1e-3}


def advised(*source: Any, **given: Any) -> list[Any]:
    """Return the rules in the refusal of a scheduler, each made as it stands there."""
    with pytest.raises(ScheduleError, match="follows a metric") as caught:
        translate(*source, **given)
    rules = [made(text) for text in re.findall(r"lehr\.\w+\([^)]*\)", str(caught.value))]
    assert rules
    return rules


def made(text: str) -> Any:
    tree = ast.parse(text, mode="eval").body
    assert isinstance(tree, ast.Call)
    assert isinstance(tree.func, ast.Attribute)
    given = {word.arg: ast.literal_eval(word.value) for word in tree.keywords if word.arg}
    return getattr(lehr, tree.func.attr)(**given)


@pytest.mark.parametrize(
    ("library", "name", "given"),
    [
        ("torch", "ReduceLROnPlateau", RATES | {"patience": 3}),
        ("transformers", "reduce_lr_on_plateau", RATES | {"patience": 3}),
        ("ignite", "ReduceLROnPlateauScheduler", RATES | {"patience": 3, "metric_name": "loss"}),
        (
            "mmengine",
            "ReduceOnPlateauLR",
            {"lr": LR, "min_value": 0.0125, "eps": 1e-3, "patience": 3, "monitor": "loss"},
        ),
        (
            "timm",
            "PlateauLRScheduler",
            {"lr": LR, "lr_min": 0.0125, "patience_t": 3, "mode": "min"},
        ),
        (
            "timm",
            "plateau",
            {"lr": LR, "min_lr": 0.0125, "patience_epochs": 3, "plateau_mode": "min"},
        ),
    ],
)
def test_each_library_s_advice_is_valid(library: str, name: str, given: dict[str, Any]) -> None:
    eps = given.get("eps", 1e-8) / LR
    assert advised(library, name, **given) == [lehr.plateau(patience=3, floor=0.1, eps=eps)]
    # Without rates, the rate of the optimizer is not needed.
    bare = {key: value for key, value in given.items() if "min" not in key and key != "eps"}
    del bare["lr"]
    assert len(advised(library, name, **bare)) == 1


def test_greedy_advice_is_valid() -> None:
    rules = advised("transformers", "greedy", lr=0.5, min_lr=0.01, max_lr=2.0, smooth=True)
    assert rules == [lehr.greedy(floor=0.02, ceiling=4.0, smooth=True, eps=2e-8)]


def test_a_list_in_mmengine_advises_too() -> None:
    config = {"type": "ReduceOnPlateauLR", "patience": 3}
    assert advised("mmengine", "param_scheduler", schedulers=[config]) == [lehr.plateau(patience=3)]


def test_groups_that_differ_have_a_rule_each() -> None:
    rules = advised("torch", "ReduceLROnPlateau", lr=[0.125, 0.25], min_lr=0.0125)
    assert [rule.floor for rule in rules] == [0.1, 0.05]
    with pytest.raises(ScheduleError, match="write one a group in both"):
        translate("torch", "ReduceLROnPlateau", lr=[0.1, 0.2], min_lr=[0.1, 0.1, 0.1])


@pytest.mark.parametrize("seed", range(5))
def test_the_advice_does_what_torch_does(seed: int) -> None:
    r = random.Random(seed)
    given: dict[str, Any] = {
        "factor": r.uniform(0.3, 0.9),
        "patience": r.randint(0, 3),
        "cooldown": r.randint(0, 2),
        "min_lr": r.choice([0.0, 0.004]),
        "eps": r.choice([1e-8, 2e-3]),
        "threshold_mode": r.choice(["rel", "abs"]),
    }
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    live = ReduceLROnPlateau(optimizer, **given)
    (rule,) = advised(live)
    assert [rule] == advised("torch", "ReduceLROnPlateau", lr=LR, **given)
    state = rule.init()
    for _ in range(60):
        loss = r.uniform(1.0, 2.0)
        optimizer.step()
        live.step(loss)
        state = rule.update(state, loss)
        assert rule.value(state) * LR == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
