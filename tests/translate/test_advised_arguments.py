"""What the refusal of an argument says to write is itself accepted."""

from __future__ import annotations

import re
from typing import Any

import pytest

import lehr
from lehr import ScheduleError
from lehr.translate import names, translate

ROWS: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
    ("torch", "StepLR", {"step_size": 0}, "write at least 1", {"step_size": 1}),
    ("torch", "CosineAnnealingLR", {"T_max": 0}, "write at least 1", {"T_max": 1}),
    ("torch", "CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}, "as in lr=0.1", {"lr": 0.1}),
    (
        "torch",
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1, "step_size_up": 4, "mode": "x"},
        "'triangular'",
        {"mode": "triangular"},
    ),
    (
        "torch",
        "ChainedScheduler",
        {"schedulers": ["LinearLR"]},
        "write ('LinearLR', {'total_iters': 5})",
        {"schedulers": [("LinearLR", {"total_iters": 5})]},
    ),
    (
        "torch",
        "OneCycleLR",
        {"max_lr": 1.0},
        "epochs and steps_per_epoch",
        {"epochs": 2, "steps_per_epoch": 9},
    ),
    ("torch", "SWALR", {"swa_lr": 0.1}, "as in lr=0.1", {"lr": 0.1}),
    (
        "composer",
        "StepScheduler",
        {"step_size": "3ep"},
        "give dataloader_len",
        {"dataloader_len": 9},
    ),
    (
        "composer",
        "StepScheduler",
        {"step_size": "0.5dur"},
        "give max_duration",
        {"max_duration": "9ba"},
    ),
    (
        "mmengine",
        "StepLR",
        {"step_size": 3, "convert_to_iter_based": True},
        "needs epoch_length",
        {"epoch_length": 5},
    ),
    ("mmengine", "StepMomentum", {"step_size": 3}, "give momentum=0.9", {"momentum": 0.9}),
    ("mmengine", "OneCycleLR", {"eta_max": 1.0, "begin": 3, "end": 9}, "lr=0.1", {"lr": 0.1}),
    (
        "olmo_core",
        "wsd",
        {"warmup": 3, "t_max": 20, "decay": 3},
        "write decay_fraction=None",
        {"decay_fraction": None},
    ),
    (
        "transformers",
        "warmup_stable_decay",
        {"num_warmup_steps": 1, "num_decay_steps": 9},
        "give num_training_steps or num_stable_steps",
        {"num_stable_steps": 5},
    ),
    (
        "transformers",
        "cosine_with_min_lr",
        {"num_warmup_steps": 1, "num_training_steps": 9, "min_lr": 0.01},
        "as in lr=0.1",
        {"lr": 0.1},
    ),
    (
        "ignite",
        "LinearCyclicalScheduler",
        {"start_value": 0, "end_value": 1, "cycle_size": 4, "warmup_duration": 3},
        "needs monotonic=True",
        {"monotonic": True},
    ),
    ("deepspeed", "WarmupLR", {}, "give it, or lr", {"lr": 0.1}),
    ("fastai", "fit_one_cycle", {}, "give it, or lr", {"lr": 0.1}),
    ("fastai", "fit_sgdr", {"n_cycles": 2, "cycle_len": 1}, "give it, or lr", {"lr": 0.1}),
    (
        "keras",
        "PiecewiseConstantDecay",
        {"boundaries": [5, 2], "values": [1, 2, 3]},
        "write faithful=True",
        {"faithful": True},
    ),
    (
        "levanter",
        "cosine",
        {"num_train_steps": 10, "warmup": 1.5},
        "a number of steps, which is whole",
        {"warmup": 2},
    ),
]


@pytest.mark.parametrize(("library", "name", "given", "advice", "mended"), ROWS)
def test_translate(
    library: str, name: str, given: dict[str, Any], advice: str, mended: dict[str, Any]
) -> None:
    with pytest.raises(ScheduleError, match=re.escape(advice)):
        translate(library, name, **given)
    assert isinstance(translate(library, name, **{**given, **mended}).schedule, lehr.Schedule)


def test_times_of_composer() -> None:
    with pytest.raises(ScheduleError) as caught:
        translate("composer", "StepScheduler", step_size="5")
    advised = re.findall(r"'([^']+)'", str(caught.value).partition("write ")[2])
    assert len(advised) == 4
    for time in advised:
        run: dict[str, Any] = {"max_duration": "100ep", "dataloader_len": 9}
        translate("composer", "StepScheduler", step_size=time, **run)


@pytest.mark.parametrize("name", ["StepL", "CosineAnneal", "nothing"])
def test_names(name: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        translate("torch", name)
    for advised in re.findall(r"\w+", str(caught.value).partition("write one of ")[2]):
        assert advised in names("torch")


def test_exports() -> None:
    with pytest.raises(ScheduleError) as caught:
        lehr.export(lehr.cosine(), "torhc")
    targets = re.findall(r"\w+", str(caught.value).partition("write one of ")[2])
    assert targets
    for target in targets:
        assert lehr.export(lehr.constant(0.5), target)
    with pytest.raises(ScheduleError, match=re.escape("write .over(1000) first")):
        lehr.export(lehr.cosine(), "torch")
    assert lehr.export(lehr.cosine().over(1000), "torch")


def test_a_function_is_exported_as_the_table_that_is_advised() -> None:
    schedule = lehr.formula(lambda t: 1 / (1 + t), low=0, high=1)
    with pytest.raises(ScheduleError, match=re.escape("lehr.table(schedule.over(1000).values())")):
        lehr.export(schedule, "torch")
    assert lehr.export(lehr.table(schedule.over(1000).values()), "torch")


def test_checks() -> None:
    number: Any = 0.1
    with pytest.raises(ScheduleError, match=re.escape("write lehr.constant(0.1)")):
        lehr.check(number, 100)
    lehr.check(lehr.constant(0.1), 100)
    with pytest.raises(ScheduleError, match="write 100 for steps"):
        lehr.check(lehr.cosine(), 100.0)
    lehr.check(lehr.cosine(), 100)
    with pytest.raises(ScheduleError, match=re.escape("write .over(1000) first")):
        lehr.check(lehr.cosine())
    lehr.check(lehr.cosine().over(1000))
