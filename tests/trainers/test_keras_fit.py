"""Keras 3: the rates are the schedule's under jit, and the schedule is saved with its model."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest
from running import check_learns, check_rates, check_resume

import lehr
from lehr.errors import NeedsHorizon, ScheduleError

if importlib.util.find_spec("jax") is None or importlib.util.find_spec("keras") is None:
    pytest.skip("keras and jax: `make trainers` has them", allow_module_level=True)
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from lehr.interop.keras import LearningRate

pytestmark = pytest.mark.slow

SCHEDULE = lehr.warmup("10%") >> lehr.cosine(to=0.1)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_resumed_is_uninterrupted(tmp_path: Path, backend: str) -> None:
    rows = check_resume(
        "train_keras.py", tmp_path, stop=17, total=40, warnings="default", KERAS_BACKEND=backend
    )
    # JAX has 32 bits unless it is set otherwise.
    check_rates(rows, 1e-2, 40, within=1e-12 if backend == "torch" else 1e-6)
    check_learns(rows)


@pytest.mark.parametrize("accumulated", [None, 3])
def test_fit_uses_the_rate_of_each_update(accumulated: int | None) -> None:
    """With plain descent on a loss whose gradient is 1, the weight falls by the sum of rates."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    schedule = SCHEDULE.over(20)
    model.compile(
        keras.optimizers.SGD(
            LearningRate(schedule, 0.5, accumulated), gradient_accumulation_steps=accumulated
        ),
        loss=lambda _, y: keras.ops.mean(y),
    )
    before = float(np.asarray(model.get_weights()[0])[0, 0])
    model.fit(np.ones((12, 1)), np.ones((12, 1)), batch_size=1, epochs=1, verbose=0)
    moved = before - float(np.asarray(model.get_weights()[0])[0, 0])
    assert moved == pytest.approx(
        0.5 * sum(schedule(t) for t in range(12 // (accumulated or 1))), rel=1e-5
    )


def test_it_is_the_same_after_json() -> None:
    rate = LearningRate(SCHEDULE.over(1_000), base=3e-4, gradient_accumulation_steps=4)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(rate)))
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, LearningRate)
    assert again.get_config() == rate.get_config()
    assert again.schedule == rate.schedule


def test_what_it_refuses() -> None:
    with pytest.raises(NeedsHorizon):
        LearningRate(SCHEDULE)
    with pytest.raises(ScheduleError, match="is not a schedule"):
        LearningRate(0.1)  # type: ignore[arg-type]
    with pytest.raises(ScheduleError, match="base=-1"):
        LearningRate(SCHEDULE.over(10), base=-1)
    with pytest.raises(ScheduleError, match="gradient_accumulation_steps=-2"):
        LearningRate(SCHEDULE.over(10), gradient_accumulation_steps=-2)
    with pytest.raises(ScheduleError, match=r"clip\(low=0\)"):
        LearningRate(lehr.linear(10) - 0.5)
