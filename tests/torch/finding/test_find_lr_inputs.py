"""Loaders of all kinds, losses of all kinds, and optimizers that keep two sets of weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest

import lehr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lehr.torch import find_lr  # noqa: E402

FEW = 7


def data(count: int) -> list[Any]:
    generator = torch.Generator().manual_seed(5)
    centres = torch.randn(4, 8, generator=generator)
    found: list[Any] = []
    for _ in range(count):
        targets = torch.randint(4, (32,), generator=generator)
        noise = torch.randn(32, 8, generator=generator)
        found.append((centres[targets] + 0.3 * noise, targets))
    return found


class Stream(torch.utils.data.IterableDataset[Any]):
    """Samples one after another; nobody knows how many."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        for inputs, targets in self.batches:
            yield from zip(inputs, targets, strict=True)


class Again:
    """An iterable without a length that begins anew each time."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        yield from self.batches


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def found(batches: Any, **options: Any) -> Any:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return find_lr(
        model, batches, nn.functional.cross_entropy, optimizer, schedule="cosine()", steps=300,
        **options,
    )  # fmt: skip


def test_a_loader_without_a_length() -> None:
    whole = data(130)
    loader = torch.utils.data.DataLoader(Stream(whole), batch_size=32)
    with pytest.raises(TypeError):
        len(loader)
    assert found(loader).curve == found(whole).curve


@pytest.mark.parametrize("form", ["iterable", "stream", "generator"])
def test_batches_that_end_early_are_used_again(form: str) -> None:
    few = data(FEW)
    expected = found(few)
    if form == "generator":
        with pytest.warns(UserWarning, match="give the loader itself"):
            assert found(batch for batch in few).curve == expected.curve
        return
    stream = torch.utils.data.DataLoader(Stream(few), batch_size=32)
    assert found(Again(few) if form == "iterable" else stream).curve == expected.curve


def test_of_large_batches_fewer_are_kept_but_as_many_as_one_run_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lehr.torch.finding import training

    whole = data(130)
    assert len(training._record(Again(whole), 120)) == 120
    monkeypatch.setattr(training, "_MOST_BYTES", 1000)
    kept = training._record(Again(whole), 120)
    assert [batch[0] is given[0] for batch, given in zip(kept, whole, strict=False)] == [True] * 40
    assert len(training._record(Again(data(FEW)), 120)) == 40


def test_all_tensors_of_a_batch_go_to_the_device_of_the_model() -> None:
    from lehr.torch.finding import training

    one = torch.zeros(1)
    moved = training._moved({"x": one, "more": [one, (one, "text")]}, torch.device("meta"))
    tensors = [moved["x"], moved["more"][0], moved["more"][1][0]]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved["more"][1][1] == "text"


def test_an_accumulated_update_may_reach_over_the_end_of_the_data() -> None:
    few = data(FEW)
    halves = [(x[part], y[part]) for x, y in few for part in (slice(16), slice(16, None))]
    assert found(Again(halves), accumulate=2).peak == pytest.approx(
        found(Again(few)).peak, rel=0.02
    )


@pytest.mark.parametrize("form", ["number", "tensor", "dict", "object", "several", "named"])
def test_what_a_step_may_return(form: str) -> None:
    def step_of(model: nn.Module, optimizer: Any) -> Any:
        def step(batch: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            return {
                "number": loss.item(),
                "tensor": loss,
                "dict": {"loss": loss, "accuracy": 0.1},
                "object": type("Output", (), {"loss": loss}),
                "several": [0.5 * loss, 0.5 * loss.item()],
                "named": {"classes": 0.25 * loss, "others": 0.75 * loss},
            }[form]

        return step

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    whole = data(130)
    suggestion = find_lr(
        model, whole, optimizer=optimizer, schedule="cosine()", steps=300,
        train_step=step_of(model, optimizer),
    )  # fmt: skip
    assert suggestion.peak == pytest.approx(found(whole).peak, rel=1e-3)


def test_a_step_that_returns_no_loss_is_an_error() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with pytest.raises(lehr.ScheduleError, match="train_step returned None, not a loss"):
        find_lr(
            model, data(3), optimizer=optimizer, schedule="cosine()", steps=300,
            train_step=lambda _: None,
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["SGDScheduleFree", "AdamWScheduleFree", "RAdamScheduleFree"])
def test_real_schedule_free_optimizers(kind: str) -> None:
    package = pytest.importorskip("schedulefree")
    model = network()
    optimizer = getattr(package, kind)(model.parameters(), lr=0.01)
    optimizer.train()
    inputs, targets = data(1)[0]
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    optimizer.eval()
    before = copy.deepcopy((optimizer.state_dict(), model.state_dict()))
    suggestion = find_lr(
        model, data(130), nn.functional.cross_entropy, optimizer, schedule="constant()", steps=300,
        budget=1_400, validation=data(3),
    )  # fmt: skip
    assert suggestion.peak is not None
    assert 1e-4 < suggestion.peak < 30
    after = optimizer.state_dict(), model.state_dict()
    assert same(before, after)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def test_a_closure_that_is_called_many_times_is_one_update() -> None:
    """LBFGS evaluates the loss several times an update; the first one is recorded."""
    model, whole = network(), data(130)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
    suggestion = find_lr(
        model, whole, nn.functional.cross_entropy, optimizer, schedule="cosine()", steps=300
    )
    assert math.isfinite(suggestion.start_loss)
    with torch.no_grad():
        first = [float(nn.functional.cross_entropy(model(x), y)) for x, y in whole[:10]]
    # The mean of the last two of ten updates at the rate 0.
    assert suggestion.start_loss == pytest.approx(sum(first[-2:]) / 2, rel=1e-5)
