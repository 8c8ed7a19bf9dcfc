"""Validation data in a search: they decide between the longer runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import lehr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lehr.torch import find_lr  # noqa: E402

STEPS = 150


class Overfitting:
    """Twenty-four noisy samples and a network that learns them by heart at a high rate."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        direction = torch.randn(12, 1)
        self.inputs, self.unseen = torch.randn(24, 12), torch.randn(400, 12)
        self.targets = self.inputs @ direction * 0.3 + torch.randn(24, 1)
        self.truth = self.unseen @ direction * 0.3 + torch.randn(400, 1)
        self.train = list(zip(self.inputs.split(8), self.targets.split(8), strict=True))
        self.validation = list(zip(self.unseen.split(100), self.truth.split(100), strict=True))
        self.model = nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Dropout(0.1), nn.Linear(64, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)

    def find(self, **options: Any) -> Any:
        return find_lr(
            self.model, self.train, nn.functional.mse_loss, self.optimizer,
            schedule="cosine()", steps=STEPS, **options,
        )  # fmt: skip

    def trained(self, rate: float) -> float:
        """Return the validation loss after a whole run."""
        torch.manual_seed(5)
        self.model.train()
        start = [p.detach().clone() for p in self.model.parameters()]
        optimizer = torch.optim.SGD(self.model.parameters(), lr=rate, momentum=0.9)
        schedule = lehr.cosine().over(STEPS)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = rate * schedule(step)
            optimizer.zero_grad()
            inputs, targets = self.train[step % 3]
            nn.functional.mse_loss(self.model(inputs), targets).backward()
            optimizer.step()
        self.model.eval()
        with torch.no_grad():
            loss = float(nn.functional.mse_loss(self.model(self.unseen), self.truth))
            for parameter, value in zip(self.model.parameters(), start, strict=True):
                parameter.copy_(value)
        return loss


def test_a_network_that_overfits_gets_a_lower_and_better_peak() -> None:
    bench = Overfitting()
    blind, judged = bench.find(budget=6_000), bench.find(budget=6_000, validation=bench.validation)
    assert judged.decided_by == "runs"
    assert judged.peak < blind.peak / 3
    assert bench.trained(judged.peak) < 0.9 * bench.trained(blind.peak)
    values = {run.validation for run in judged.curve if run.updates == STEPS}
    assert None not in values
    assert len(values) > 3


def test_evaluating_leaves_no_trace() -> None:
    bench = Overfitting()
    bench.model[2].eval()
    generator = torch.Generator().manual_seed(0)
    data = torch.utils.data.TensorDataset(bench.unseen, bench.truth)
    loader = torch.utils.data.DataLoader(data, 100, shuffle=True, generator=generator)
    before = (
        generator.get_state(),
        torch.get_rng_state(),
        [m.training for m in bench.model.modules()],
    )
    bench.find(budget=2_500, validation=loader)
    after = (
        generator.get_state(),
        torch.get_rng_state(),
        [m.training for m in bench.model.modules()],
    )
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert before[2] == after[2]


def test_the_model_is_in_its_evaluation_mode() -> None:
    bench, seen = Overfitting(), set[tuple[bool, bool]]()

    class Watched:
        def __iter__(self) -> Iterator[Any]:
            seen.add((bench.model.training, torch.is_grad_enabled()))
            yield from bench.validation

    bench.find(budget=2_500, validation=Watched())
    assert seen == {(False, False)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"budget=400 leaves no longer runs, and validation= .* write budget=1360 or more"),
        ({"budget": 2_000, "score": lambda: 1.0}, "validation= and score= both say"),
        ({"budget": 2_000, "validation": iter([])}, "validation= is an iterator"),
        ({"budget": 2_000, "validation": []}, "validation is empty"),
    ],
)
def test_what_cannot_decide_is_refused(options: dict[str, Any], words: str) -> None:
    bench = Overfitting()
    with pytest.raises(lehr.ScheduleError, match=words):
        bench.find(**{"validation": bench.validation, **options})


def test_a_step_of_ones_own_needs_a_score() -> None:
    bench = Overfitting()
    with pytest.raises(lehr.ScheduleError, match="write score= for a function"):
        find_lr(
            bench.model, bench.train, optimizer=bench.optimizer, schedule="cosine()", steps=STEPS,
            train_step=lambda _: 1.0, validation=bench.validation, budget=2_000,
        )  # fmt: skip
