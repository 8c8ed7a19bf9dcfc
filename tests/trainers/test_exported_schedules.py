"""Exported code runs with the transformers library itself, and gives the schedule's values."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import lehr
from lehr import ENTRIES, Schedule, export

pytest.importorskip("transformers", reason="transformers: `make trainers` has it")

SHAPES: dict[str, Schedule] = {
    **{name: entry.example.over(120) for name, entry in ENTRIES.items()},
    "linear with warmup": lehr.warmup(10) >> lehr.linear(80),
    "cosine with a floor": lehr.warmup(10) >> lehr.cosine(80, to=0.1),
    "a root": lehr.warmup(10) >> lehr.inverse(30, power=0.5),
    "a power": lehr.warmup(5) >> lehr.polynomial(60, power=2.5),
    "restarts": lehr.warmup(10) >> lehr.cosine(20).repeat(4),
    **{f"{n} restarts": lehr.cosine(10).repeat(n) for n in range(2, 30)},
    "stable": lehr.wsd(10, 20).over(100),
    "stable, to a line": lehr.warmup(10) >> lehr.hold(50) >> lehr.linear(30),
    "stable, with a floor": lehr.warmup(10, start=0.1) >> lehr.hold(50) >> lehr.cosine(30, to=0.1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_library_gives_the_same_values(name: str) -> None:
    schedule = SHAPES[name]
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    scope: dict[str, Any] = {"optimizer": optimizer}
    exec(compile(export(schedule, "transformers"), "exported", "exec"), scope)
    steps = 100 if schedule.length is None else int(schedule.length)
    for step in range(steps):
        expected = 0.3 * schedule(step)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9, abs=1e-12), step
        optimizer.step()
        scope["scheduler"].step()


def test_the_trainer_takes_what_the_comment_says(tmp_path: Any) -> None:
    from transformers import TrainingArguments

    code = export(lehr.warmup(10) >> lehr.cosine(80, to=0.1), "transformers")
    given = code.partition("TrainingArguments(")[2].partition(", ...)")[0]
    arguments = eval(f"dict({given})")
    made = TrainingArguments(output_dir=str(tmp_path), report_to="none", use_cpu=True, **arguments)
    assert (made.warmup_steps, made.max_steps) == (10, 90)
    assert made.lr_scheduler_kwargs == {"min_lr_rate": 0.1}
