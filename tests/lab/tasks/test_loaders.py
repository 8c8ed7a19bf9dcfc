"""Data that come in batches: loaders and other iterables, augmentation, dropout."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.lab import Data, Pair, Plan, Size, Split, Task, TaskError, compare
from lehr.lab.tasks.python_file import check_task
from lehr.lab.tasks.seeding import Randomness
from lehr.lab.training import population, suitable
from lehr.lab.training.population import train_population
from lehr.lab.training.streaming import Stream, pieces
from lehr.lab.training.suitable import obstacle
from lehr.lab.trial import Trial

X = torch.randn(96, 5, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()
PARTS = [TensorDataset(X[a:b], Y[a:b]) for a, b in ((0, 48), (48, 72), (72, 96))]


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(-1) == targets).double().mean()


def noisy(batch: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Augment a batch with all three kinds of randomness."""
    inputs = torch.stack([x for x, _ in batch])
    inputs = inputs + 0.1 * torch.randn_like(inputs) + 0.01 * random.random()
    return inputs + 0.01 * np.random.rand(), torch.stack([y for _, y in batch])  # noqa: NPY002


def task(train: Any = None, score: Callable[..., Tensor] | None = accuracy, **parts: Any) -> Task:
    if train is None:
        train = DataLoader(PARTS[0], 8, shuffle=True, collate_fn=noisy, drop_last=True)
    loaders = [DataLoader(part, 10) for part in PARTS[1:]]
    return Task.from_loaders(
        train, *loaders, model, functional.cross_entropy, score, name="loaded", **parts
    )


def use(monkeypatch: pytest.MonkeyPatch, found: Task) -> None:
    obstacle.cache_clear()
    for module in (population, suitable):
        monkeypatch.setattr(module, "find_task", lambda name: found)


TRIALS = [
    Trial("digits", "sgd", lehr.cosine(), None, steps=20, peak=0.3, seed=seed) for seed in (0, 1)
]


def test_trials_on_loaders_are_trained_one_by_one_and_depend_on_their_seed_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, task())
    assert obstacle("digits", "sgd") == "its data come in batches of their own"
    found = train_population(TRIALS)
    assert found[0] != found[1]
    assert all(o.diverged is None and o.test > 0.4 for o in found)
    torch.manual_seed(5)
    random.seed(6)
    np.random.seed(7)  # noqa: NPY002
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert train_population(TRIALS[1:]) == found[1:]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]  # noqa: NPY002


def test_generators_of_ones_own_start_anew_with_each_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = DataLoader(PARTS[0], 8, shuffle=True, generator=torch.Generator().manual_seed(3))
    use(monkeypatch, task(loader))
    first = train_population(TRIALS)
    assert train_population(TRIALS) == first


def test_batches_depend_on_the_seed_and_not_on_what_the_network_draws() -> None:
    loader = DataLoader(PARTS[0], 8, shuffle=True, collate_fn=noisy)
    drawn: list[list[Tensor]] = []
    for draws in (0, 3):
        stream = Stream(loader, 11)
        batches: list[Tensor] = []
        for _ in range(15):  # more than two epochs
            batches.append(stream.next()[0])
            torch.rand(draws)
        drawn.append(batches)
    assert all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))
    assert not torch.equal(drawn[0][0], drawn[0][6])
    assert not torch.equal(Stream(loader, 12).next()[0], drawn[0][0])


def test_a_part_in_batches_measures_as_it_does_in_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = task(samples=(48, 24, 24))
    whole = dataclasses.replace(
        loaded, load=lambda: data, model=lambda _: nn.Sequential(nn.Linear(5, 2), nn.Dropout(0.1))
    )
    data = Data(loaded.load().train, *(Split(X[a:b], Y[a:b]) for a, b in ((48, 72), (72, 96))))
    loaded = dataclasses.replace(loaded, model=whole.model)
    outcomes = []
    for each in (loaded, whole):
        use(monkeypatch, each)
        outcomes.append(train_population(TRIALS[:1])[0])
    one, other = outcomes
    assert one.loss == other.loss
    assert one.validations == pytest.approx(other.validations)
    assert (one.test, one.test_loss) == pytest.approx((other.test, other.test_loss))


def test_an_evaluation_sees_the_same_batches_each_time() -> None:
    loader = DataLoader(PARTS[1], 7, shuffle=True, collate_fn=noisy)
    first, second = ([x for x, _, _ in pieces(loader, "cpu")] for _ in range(2))
    assert [len(x) for x in first] == [7, 7, 7, 3]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class Dicts:
    """Batches with inputs in a dict, without a length."""

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        for at in range(0, 48, 12):
            yield {"x": X[at : at + 12]}, Y[at : at + 12]


class TakesDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 2)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.layer(inputs["x"])


def test_any_iterable_of_pairs_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Task.from_loaders(
        Dicts(),
        Dicts(),
        Dicts(),
        TakesDict,
        functional.cross_entropy,
        samples=(48, 48, 48),
        name="d",
    )
    check_task(made, "here")
    use(monkeypatch, made)
    assert train_population(TRIALS[:1])[0].diverged is None
    with pytest.raises(TaskError, match="the train data, a Dicts, do not say how many samples"):
        Task.from_loaders(Dicts(), Dicts(), Dicts(), TakesDict, functional.cross_entropy)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (iter([(X, Y)]), "can be read once only: give a DataLoader"),
        (X[0], "where a batch, a pair of inputs and targets, is needed"),
        ([], "where a batch, a pair of inputs and targets, is needed"),
        (3, "are neither a Split of tensors nor an iterable of batches"),
    ],
)
def test_what_gives_no_batches_is_refused(train: Any, words: str) -> None:
    with pytest.raises(TaskError) as caught:
        check_task(task(train, samples=(48, 24, 24)), "here")
    assert words in str(caught.value)


def test_a_loader_says_its_sizes() -> None:
    made = task()
    assert (made.train, made.validation, made.test, made.batch_size) == (48, 24, 24, 8)


OWN = """
from test_loaders import task


def make():
    return task()
"""


def test_a_comparison_on_loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    file = tmp_path / "own.py"
    file.write_text(OWN)
    size = Size(steps=10, seeds=2, tuning_seeds=1, peaks=(0.1, 0.3))
    plan = Plan(f"{file}:make", ("sgd", "adam"), ("cosine",), size)
    notices: list[str] = []
    found = compare(plan, tmp_path / "out", notify=notices.append)
    assert len(found.pairs) == 2
    assert "sgd is trained one run at a time: its data come in batches of their own" in notices
    assert Pair("sgd", "cosine") in plan.pairs


def test_randomness_goes_on_where_it_was() -> None:
    own, other = Randomness(3), Randomness(3)
    with own.used():
        first = [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002
    random.seed(1)
    with own.used():
        first += [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002
    with other.used():
        second = [
            f()
            for _ in range(2)
            for f in (random.random, np.random.rand, lambda: float(torch.rand(())))
        ]
    assert first == second
    assert len(set(islice(first, 6))) == 6
