"""The driven numbers, by name, as TensorBoard reads them back."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
from running import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorboard") is None,
        reason="tensorboard: `make trainers` has it",
    ),
]


def test_tensorboard_shows_what_each_update_used(tmp_path: Path) -> None:
    run("log_tensorboard.py", "--out", tmp_path, warnings="default")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    log.Reload()
    assert set(log.Tags()["scalars"]) == {
        "lr/body", "lr/head", "momentum/body", "momentum/head", "loss"
    }  # fmt: skip

    def logged(name: str) -> list[float]:
        events = log.Scalars(name)
        assert [event.step for event in events] == list(range(100))
        return [event.value for event in events]

    heights = [
        t / 10 if t < 10 else 0.1 + 0.9 * (1 + math.cos(math.pi * (t - 10) / 90)) / 2
        for t in range(100)
    ]
    # TensorBoard keeps 32 bits.
    assert logged("lr/body") == pytest.approx([0.01 * height for height in heights], rel=1e-6)
    assert logged("lr/head") == pytest.approx([0.1 * height for height in heights], rel=1e-6)
    momenta = [0.95 - 0.1 * (1 - t / 100) for t in range(100)]
    assert logged("momentum/body") == logged("momentum/head") == pytest.approx(momenta, rel=1e-6)
    assert logged("loss")[-1] < logged("loss")[0]
