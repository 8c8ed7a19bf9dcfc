"""The peak for each momentum, weight decay or batch size, in a user's own training."""

from __future__ import annotations

import json
from typing import Any

import pytest

import lehr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lehr.find.value_sweep import TRIES  # noqa: E402
from lehr.torch import find_lr, sweep_lr  # noqa: E402

OPTIONS: dict[str, Any] = {"schedule": "cosine()", "steps": 500}


class Bench:
    def __init__(self, optimizer: Any = torch.optim.SGD, **settings: Any) -> None:
        torch.manual_seed(0)
        self.inputs = torch.randn(960, 8)
        self.targets = self.inputs[:, :3].sum(1, keepdim=True).sin()
        self.model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
        self.optimizer = optimizer(self.model.parameters(), lr=0.01, **settings)

    def batches(self, size: int = 16) -> list[Any]:
        return list(zip(self.inputs.split(size), self.targets.split(size), strict=True))

    def sweep(self, name: str, values: list[Any], batches: Any = None, **options: Any) -> Any:
        return sweep_lr(
            name, values, self.model, batches or self.batches(), nn.functional.mse_loss,
            self.optimizer, **(OPTIONS | options),
        )  # fmt: skip


def test_each_value_gets_the_peak_that_a_search_with_it_gets() -> None:
    bench = Bench(momentum=0.5)
    swept = bench.sweep("momentum", [0.0, 0.9])
    assert bench.optimizer.param_groups[0]["momentum"] == 0.5
    for row in swept.rows:
        bench.optimizer.param_groups[0]["momentum"] = float(row.value)
        alone = find_lr(
            bench.model, bench.batches(), nn.functional.mse_loss, bench.optimizer, **OPTIONS
        )
        assert row.found.peak == alone.peak
        assert row.found.spent == alone.spent + TRIES * 40
        assert len(row.losses) == TRIES
    plain, heavy = swept.rows
    # An update with momentum m is about 1 / (1 - m) gradients.
    assert 3 < plain.found.peak / heavy.found.peak < 30


def test_the_losses_are_those_of_short_runs_at_the_peak() -> None:
    bench = Bench(momentum=0.9)
    (row,) = bench.sweep("momentum", [0.9]).rows
    data = bench.batches()
    shape = lehr.cosine().over(500)
    for first, loss in enumerate(row.losses):
        torch.manual_seed(0)
        model = Bench().model
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
        losses = []
        for step in range(40):
            optimizer.param_groups[0]["lr"] = row.found.peak * shape((2 * step + 1) * 500 // 80)
            optimizer.zero_grad()
            inputs, targets = data[(40 * first + step) % len(data)]
            found = nn.functional.mse_loss(model(inputs), targets)
            found.backward()
            optimizer.step()
            losses.append(found.item())
        assert loss == pytest.approx(sum(losses[-8:]) / 8, rel=1e-4)


def test_a_batch_size_is_given_to_a_function() -> None:
    bench, sizes = Bench(), []

    def loader(size: int) -> list[Any]:
        sizes.append(size)
        return bench.batches(size)

    swept = bench.sweep("batch", [8, 64], loader)
    assert sizes == [8, 64]
    assert any("larger batches have seen more samples" in note for note in swept.notes)
    same = bench.sweep("batch", [8, 64], lambda _: bench.batches())
    assert any("the size seems to be ignored" in note for note in same.notes)


def test_the_table_and_the_dict_say_the_same() -> None:
    swept = Bench(torch.optim.AdamW).sweep("weight_decay", [0.0, 1e-5])
    lines = str(swept).splitlines()
    assert lines[0].split() == ["weight_decay", "peak", "loss", "spent"]
    found = json.loads(json.dumps(swept.to_dict(), allow_nan=False))
    assert list(found) == ["name", "values", "leading", "notes", "spent"]
    for line, value in zip(lines[1:], found["values"], strict=False):
        assert line.split()[:3] == [value["value"], f"{value['peak']:.2g}", f"{value['loss']:.4g}"]
    # Forty updates do not tell weights that hardly decay from those that do not.
    assert len(swept.leading) == 2
    assert "not told apart from it" in str(swept)
    assert any("a weight decay acts over whole runs" in note for note in swept.notes)
    assert found["spent"] == sum(value["spent"] for value in found["values"])


def test_values_are_put_back_after_an_error() -> None:
    bench = Bench(momentum=0.5)

    def loss(outputs: Any, targets: Any) -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        sweep_lr("momentum", [0.9], bench.model, bench.batches(), loss, bench.optimizer, **OPTIONS)
    assert bench.optimizer.param_groups[0]["momentum"] == 0.5


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("beta", [0.1], r"name='beta' must be one of .*momentum.*, or 'batch'"),
        ("lr", [0.1], "name='lr' must be one of"),
        ("batch", [8], "batches must be a function of the batch size"),
        ("momentum", [], "values is empty"),
    ],
)
def test_what_cannot_be_swept_is_refused(name: str, values: list[Any], words: str) -> None:
    with pytest.raises(lehr.ScheduleError, match=words):
        Bench().sweep(name, values)
