"""Every argument that a library's scheduler has is accepted, or refused with a reason."""

from __future__ import annotations

import inspect

import pytest
from signatures import SIGNATURES
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from lehr import ScheduleError
from lehr.translate import libraries, translate

SCHEDULERS = [(library, name) for library, known in SIGNATURES.items() for name in known]


@pytest.mark.parametrize(("library", "name"), SCHEDULERS)
def test_every_argument_is_known(library: str, name: str) -> None:
    # The first unknown one is refused, so all before it are known.
    given = dict.fromkeys([*SIGNATURES[library][name].split(), "no_such_argument"], 1)
    with pytest.raises(ScheduleError, match="no_such_argument=1 is not an argument"):
        translate(library, name, **given)


@pytest.mark.parametrize(("library", "name"), SCHEDULERS)
def test_the_optimizer_is_refused_with_a_reason(library: str, name: str) -> None:
    with pytest.raises(ScheduleError, match="optimizer: a schedule needs only its rate"):
        translate(library, name, optimizer=object())


def test_every_library_is_here() -> None:
    assert set(SIGNATURES) == set(libraries())


def test_torch_has_these() -> None:
    base = lr_scheduler.LRScheduler
    classes = [SWALR, *vars(lr_scheduler).values()]
    found = {
        kind.__name__: set(inspect.signature(kind).parameters) - {"optimizer"}
        for kind in classes
        if inspect.isclass(kind) and issubclass(kind, base) and not kind.__name__.startswith("_")
    }
    del found["LRScheduler"]
    assert found == {name: set(own.split()) for name, own in SIGNATURES["torch"].items()}


@pytest.mark.parametrize(
    ("library", "name", "given", "ignored"),
    [
        (
            "transformers",
            "constant_with_warmup",
            {"num_warmup_steps": 3},
            {"num_training_steps": 100, "last_epoch": -1},
        ),
        ("transformers", "constant", {}, {"num_warmup_steps": 3, "num_training_steps": 100}),
        ("transformers", "inverse_sqrt", {"num_warmup_steps": 3}, {"num_training_steps": 100}),
        (
            "fastai",
            "fit_one_cycle",
            {"lr_max": 0.1},
            {"n_epoch": 3, "wd": 0.1, "cbs": None, "reset_opt": True, "start_epoch": 0},
        ),
        (
            "olmo_core",
            "cos_with_warmup",
            {"warmup": 3, "t_max": 100},
            {"units": "steps", "lr_field": "lr", "initial_lr_field": "initial_lr"},
        ),
        (
            "megatron",
            "cosine",
            {"max_lr": 0.1, "lr_decay_steps": 100},
            {
                "start_wd": 0.1,
                "end_wd": 0.1,
                "wd_incr_steps": 10,
                "wd_incr_style": "constant",
                "use_checkpoint_opt_param_scheduler": False,
            },
        ),
        (
            "timm",
            "cosine",
            {"num_epochs": 100, "lr": 0.1},
            {"noise_pct": 0.5, "noise_std": 2.0, "noise_seed": 1, "cooldown_epochs": 10},
        ),
        (
            "mmengine",
            "LinearLR",
            {"end": 20},
            {"param_name": "lr", "verbose": True, "last_step": -1},
        ),
    ],
)
def test_ignored_arguments_change_nothing(
    library: str, name: str, given: dict[str, object], ignored: dict[str, object]
) -> None:
    assert translate(library, name, **given, **ignored) == translate(library, name, **given)


@pytest.mark.parametrize(
    ("library", "name", "given", "note"),
    [
        (
            "olmo_core",
            "cos_with_warmup",
            {"warmup": 3, "t_max": 100, "units": "tokens"},
            "a step of the schedule is a token",
        ),
        (
            "megatron",
            "linear",
            {"max_lr": 0.1, "lr_decay_steps": 100, "start_wd": 0.01, "end_wd": 0.1},
            "the weight decay goes from 0.01 to 0.1",
        ),
        (
            "composer",
            "LinearScheduler",
            {"max_duration": "100ba", "ssr": 0.5},
            "write scale_schedule_ratio in place of ssr",
        ),
    ],
)
def test_arguments_that_matter_are_noted(
    library: str, name: str, given: dict[str, object], note: str
) -> None:
    assert note in translate(library, name, **given).notes[0]


def test_get_scheduler_passes_its_arguments_on() -> None:
    counts = {"num_warmup_steps": 10, "num_training_steps": 100}
    for name, own, lr in (
        ("constant", {}, {}),
        ("cosine", {"num_cycles": 1.5}, {}),
        ("inverse_sqrt", {}, {"lr": 0.1}),
        ("polynomial", {"power": 2.0, "lr_end": 0.01}, {"lr": 0.1}),
    ):
        found = translate(
            "transformers",
            "get_scheduler",
            name=name,
            scheduler_specific_kwargs=own,
            **counts,
            **lr,
        )
        needs = lr if name == "polynomial" else {}
        assert found == translate("transformers", name, **counts, **own, **needs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"warmup_steps": -1}, "warmup_steps=-1 must be at least 0"),
        ({"warmup_steps": None}, "warmup_steps=None must be a whole number"),
        ({"total_steps": 0}, "total_steps=0 must be at least 1"),
        ({"min_lr_factor": "x"}, "min_lr_factor='x' is not a number but a string"),
    ],
)
def test_an_argument_is_checked_by_its_annotation(given: dict[str, object], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        translate("torchtitan", "lr_scheduler", training_steps=10, **given)


def test_none_is_kept_where_it_is_the_default() -> None:
    given = {"training_steps": 10, "total_steps": None, "decay_ratio": None}
    assert translate("torchtitan", "lr_scheduler", **given) == translate(
        "torchtitan", "lr_scheduler", training_steps=10
    )
