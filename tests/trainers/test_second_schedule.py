"""A second schedule beside lehr's is refused, whichever argument of a trainer it comes from.

The trainers here are stand-ins with the attributes that the real ones have, so that the arguments
of several releases can be tried without installing any of them.
"""

from __future__ import annotations

import json
import warnings
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import lehr
from lehr.errors import ScheduleError
from lehr.interop.deepspeed import factory
from lehr.interop.transformers import Scheduled
from lehr.torch import Scheduler


def configured(*arguments: Any, **named: Any) -> Any:
    """Call Lightning's helper, where Lightning is installed."""
    pytest.importorskip("lightning", reason="lightning: `make trainers` has it")
    from lehr.interop.lightning import configured

    return configured(*arguments, **named)


class Kind(Enum):
    LINEAR = "linear"
    COSINE = "cosine"


class Arguments:
    """The relevant part of transformers.TrainingArguments; defaults are class attributes."""

    lr_scheduler_type: Any = Kind.LINEAR
    lr_scheduler_kwargs: Any = None
    warmup_steps: float = 0
    optim: Any = "adamw_torch"

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


class Version4(Arguments):
    """Before version 5, the warmup could also be a share of the run."""

    warmup_ratio: float = 0.0


class Tuned(Arguments):
    """Arguments of a library on top of it, with another default."""

    lr_scheduler_type: Any = Kind.COSINE


class Bare:
    """The part of a Trainer that the mix-in needs."""

    def __init__(self, args: Any, optimizers: Any = (None, None)) -> None:
        self.args = args
        self.optimizer, self.lr_scheduler = optimizers

    def training_step(self, batch: int) -> int:
        return batch + 1


class Trainer(Scheduled, Bare):
    """As in the docs."""


def sgd() -> Any:
    return torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)


DEEPSPEED = SimpleNamespace(config={"scheduler": {"type": "WarmupLR", "params": {}}})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (Arguments(warmup_steps=100), r"^warmup_steps=100 .* write schedule=lehr\.warmup"),
        (Arguments(warmup_steps=0.1), r"^warmup_steps=0\.1 "),
        (Version4(warmup_ratio=0.05), r"^warmup_ratio=0\.05 .* write schedule=lehr\.warmup"),
        (Arguments(lr_scheduler_type=Kind.COSINE), "^lr_scheduler_type='cosine' .* leave it out"),
        (Tuned(lr_scheduler_type=Kind.LINEAR), "^lr_scheduler_type='linear' "),
        (Arguments(lr_scheduler_kwargs={"a": 1}), r"^lr_scheduler_kwargs=\{'a': 1\} .*leave it"),
        (Arguments(lr_scheduler_kwargs='{"a": 1}'), "^lr_scheduler_kwargs="),
        (Arguments(optim="galore_adamw_layerwise"), "use optim='galore_adamw'"),
        (Arguments(optim="schedule_free_radam", warmup_steps=9), "^warmup_steps=9 "),
        (Arguments(hf_deepspeed_config=DEEPSPEED), r'"scheduler" .*WarmupLR.* delete that key'),
        (
            Arguments(deepspeed_plugin=SimpleNamespace(hf_ds_config=DEEPSPEED)),
            r'"scheduler" .*WarmupLR',
        ),
    ],
)
def test_training_arguments(arguments: Any, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        Trainer(arguments, schedule=lehr.linear())


@pytest.mark.parametrize(
    "arguments",
    [
        Arguments(),
        Version4(),
        # A default is nobody's choice.
        Tuned(),
        # This one goes to the optimizer, which warms up by itself.
        Arguments(optim="schedule_free_adamw", warmup_steps=9),
        Arguments(hf_deepspeed_config=SimpleNamespace(config={"optimizer": {}})),
    ],
)
def test_training_arguments_without_another_schedule(arguments: Any) -> None:
    trainer = Trainer(arguments, optimizers=(sgd(), None), schedule=lehr.linear())
    scheduler = trainer.create_scheduler(10)
    assert isinstance(scheduler, Scheduler)
    assert trainer.training_step(1) == 2


def test_a_scheduler_beside_the_schedule() -> None:
    optimizer = sgd()
    other = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    with pytest.raises(ScheduleError, match=r"give optimizers=\(optimizer, None\)"):
        Trainer(Arguments(), optimizers=(optimizer, other), schedule=lehr.linear())


def test_a_trainer_that_builds_a_scheduler_in_another_way() -> None:
    """Some releases do where DeepSpeed makes the optimizer."""
    trainer = Trainer(Arguments(), optimizers=(sgd(), None), schedule=lehr.linear())
    trainer.lr_scheduler = SimpleNamespace(
        scheduler=torch.optim.lr_scheduler.StepLR(trainer.optimizer, 3)
    )
    with pytest.raises(ScheduleError, match="would step a StepLR and ignore schedule="):
        trainer.training_step(1)
    trainer.lr_scheduler = None
    trainer.lr_scheduler = SimpleNamespace(scheduler=trainer.create_scheduler(10))
    assert trainer.training_step(1) == 2


def test_a_deepspeed_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(DEEPSPEED.config))
    for config in (DEEPSPEED.config, path, str(path)):
        with pytest.raises(ScheduleError, match=r"'WarmupLR'.* delete that key"):
            factory(lr=lehr.linear(), over=10, config=config)
    for config in ({}, {"optimizer": {"type": "Adam"}}, {"scheduler": None}):
        build = factory(lr=lehr.linear(), over=10, config=config)
        assert build(sgd()).get_last_lr() == [0.5]


class Module:
    """The part of a LightningModule that `configured` needs."""

    automatic_optimization = True

    def __init__(self, **trainer: Any) -> None:
        self.trainer = SimpleNamespace(
            estimated_stepping_batches=12,
            num_training_batches=4,
            accumulate_grad_batches=1,
            **{"strategy": SimpleNamespace(), "callbacks": [], **trainer},
        )


class StochasticWeightAveraging:
    """A callback by this name; lightning and pytorch_lightning each have one."""


class Averaging(StochasticWeightAveraging):
    """A callback of a user's."""


def test_lightning_without_another_schedule() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = configured(Module(callbacks=[object()]), sgd(), lr=lehr.linear())
    assert found["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize("callback", [StochasticWeightAveraging(), Averaging()])
def test_lightnings_weight_averaging_replaces_the_schedule(callback: object) -> None:
    with pytest.warns(UserWarning, match="replaces this schedule .*WeightAveraging"):
        configured(Module(callbacks=[callback]), sgd(), lr=lehr.linear())


def test_lightning_steps_nothing_where_a_module_optimizes_manually() -> None:
    module = Module()
    module.automatic_optimization = False
    with pytest.warns(UserWarning, match=r"self\.lr_schedulers\(\)\.step\(\) after each update"):
        configured(module, sgd(), lr=lehr.linear())


def test_lightnings_deepspeed_strategy() -> None:
    module = Module(strategy=SimpleNamespace(config=DEEPSPEED.config))
    with pytest.raises(ScheduleError, match=r"'WarmupLR'.* delete that key"):
        configured(module, sgd(), lr=lehr.linear())
