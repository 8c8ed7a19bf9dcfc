"""The programs of `examples/own_script` under trainers: their numbers, as command, and resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.plain_trial import OWN_SCRIPT, PlainTrial, example

PROGRAMS = ("with_accelerate", "with_lightning", "with_transformers", "with_optax")


@pytest.fixture(autouse=True)
def needed(name: str) -> None:
    """Skip a program whose library is not installed."""
    library = name.removeprefix("with_")
    pytest.importorskip(library, reason=f"{library}: `make trainers` has it")


def compared(folder: Path, option: str, what: str) -> dict[str, Any]:
    """Compare one pair, of one peak, and return the results."""
    subprocess.run(
        [
            *(sys.executable, "-m", "lehr", "compare", option, what),
            *("--optimizers", "adamw", "--schedules", "cosine", "--peaks", "0.01"),
            *("--steps", "20", "--seeds", "1", "--tuning-seeds", "1", "--jobs", "2"),
            *("--out", str(folder)),
        ],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=600,
    )
    return json.loads((folder / "results.json").read_text())


def plain_outcome(name: str, folder: Path, seed: int) -> float:
    """Train as the program does, by torch's or optax's own optimizer and schedule."""
    rate = None
    if name == "with_optax":
        import optax

        rate = optax.cosine_decay_schedule(0.01, 20)
    return example(name).train(PlainTrial(folder, seed, 20, 0.01, rate=rate))["test"]["loss"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_function_and_command_train_what_the_trainer_alone_would(name: str, tmp_path: Path) -> None:
    file = OWN_SCRIPT / f"{name}.py"
    function = compared(tmp_path / "function", "--train", f"{file}:train")
    command = compared(tmp_path / "command", "--command", f"{sys.executable} {file}")
    (score,) = function["pairs"][0]["scores"]
    assert command["pairs"][0]["scores"] == [pytest.approx(score, rel=1e-5)]
    assert plain_outcome(name, tmp_path / "plain", 0) == pytest.approx(score, rel=1e-5)
    assert None not in function["pairs"][0]["loss"]["mean"]


class Killed(BaseException):
    """The error that ends a trial in the middle, in this test."""


@pytest.mark.parametrize("name", ["with_lightning", "with_transformers"])
def test_a_trial_that_was_killed_continues_at_its_last_checkpoint(
    name: str, tmp_path: Path
) -> None:
    class Dying(PlainTrial):
        def report(self, step: int, loss: float) -> None:
            super().report(step, loss)
            if step >= 70:
                raise Killed

    train = example(name).train
    first = Dying(tmp_path / "trial", steps=80)
    with pytest.raises(Killed):
        train(first)
    second = PlainTrial(tmp_path / "trial", steps=80, resumed=True)
    outcome = train(second)
    # Both programs write a checkpoint after each 50 updates.
    assert min(step for step, _ in second.reported) in (51, 52)
    whole = PlainTrial(tmp_path / "whole", steps=80)
    loss = train(whole)["test"]["loss"]
    assert outcome["test"]["loss"] == pytest.approx(loss, rel=0.05)
