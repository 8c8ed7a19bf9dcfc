"""The last batch of an epoch: as a loader with `drop_last` cuts it, simulated batch by batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import lehr
from lehr import Horizon, NeedsHorizon, ScheduleError

Size = Callable[[int, int], int]


def loader(samples: int, size: Size, drop: bool) -> Iterator[list[int]]:
    """Yield the sizes of the batches of each epoch; ``size`` is a function of step and samples."""
    step = seen = 0
    while True:
        left, sizes = samples, list[int]()
        while left:
            batch = size(step, seen)
            if batch > left and drop:
                break
            batch = min(batch, left)
            sizes.append(batch)
            step, seen, left = step + 1, seen + batch, left - batch
        yield sizes


BATCHES: dict[str, tuple[Any, Size]] = {
    "32": (32, lambda step, seen: 32),
    "a divisor": (10, lambda step, seen: 10),
    "a list": ([8, 8, 16, 32, 50], lambda step, seen: [8, 8, 16, 32, 50][min(step, 4)]),
    "by steps": (
        lehr.hold(5, at=8) >> lehr.linear(11, to=30) >> lehr.hold(at=64),
        lambda step, seen: 8 if step < 5 else round_up(8 + 2 * (step - 5)) if step < 16 else 64,
    ),
    "by samples": (
        lehr.hold("250sa", at=8) >> lehr.hold("500sa", at=24) >> lehr.hold(at=40),
        lambda step, seen: 8 if seen < 250 else 24 if seen < 750 else 40,
    ),
}


def round_up(value: float) -> int:
    return int(value + 0.5)


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("samples", [100, 103, 64])
@pytest.mark.parametrize("epochs", [1, 3, 12])
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_steps_and_samples_are_those_of_the_loader(
    batch: tuple[Any, Size], epochs: int, samples: int, drop: bool
) -> None:
    given, size = batch
    sizes = list(itertools.islice(loader(samples, size, drop), epochs))
    horizon = Horizon(f"{epochs}ep", samples_per_epoch=samples, batch=given, drop_last=drop)
    steps = sum(map(len, sizes))
    assert horizon.steps == steps
    seen = [0, *itertools.accumulate(itertools.chain(*sizes))]
    assert [horizon.samples_before(step) for step in range(steps + 1)] == seen

    # Progress is counted by the samples seen, and an epoch ends where the loader's does.
    run = lehr.linear().over(horizon)
    expected = [1 - count / seen[-1] for count in seen]
    assert [run(step) for step in range(steps + 1)] == pytest.approx(expected, abs=1e-12)
    assert run(np.arange(steps + 1)).tolist() == pytest.approx(expected, abs=1e-12)
    if epochs > 1:
        stairs = (lehr.hold("1ep", at=0.5) >> lehr.hold("1ep", at=0.25) >> lehr.hold(at=0.1)).over(
            horizon
        )
        first, second = len(sizes[0]), len(sizes[0]) + len(sizes[1])
        assert [stairs(t) for t in (first - 1, first, second - 1)] == [0.5, 0.25, 0.25]
        if epochs > 2:
            assert stairs(second) == 0.1
            last = (lehr.hold(at=0.5) >> lehr.hold("1ep", at=0.25)).over(horizon)
            assert [last(steps - len(sizes[-1]) - 1), last(steps - len(sizes[-1]))] == [0.5, 0.25]


def test_without_it_batches_go_on_into_the_next_epoch() -> None:
    horizon = Horizon("3ep", samples_per_epoch=103, batch=32)
    assert horizon.steps == 10
    assert horizon.samples_before(4) == 128


def test_it_agrees_with_the_loader_of_torch() -> None:
    torch: Any = pytest.importorskip("torch")
    for drop in (True, False):
        data = torch.utils.data.DataLoader(range(103), batch_size=32, drop_last=drop)
        horizon = Horizon("3ep", samples_per_epoch=103, batch=32, drop_last=drop)
        assert horizon.steps == 3 * len(data)


@pytest.mark.parametrize("drop", [True, False])
def test_lengths_in_other_units(drop: bool) -> None:
    data: dict[str, Any] = {"samples_per_epoch": 103, "batch": [16, 32], "drop_last": drop}
    sizes = [size for epoch in itertools.islice(loader(103, lambda t, _: 32 if t else 16, drop), 9)
             for size in epoch]  # fmt: skip
    assert Horizon(7, **data).steps == 7
    assert [Horizon(9, **data).samples_before(t) for t in range(10)] == [
        sum(sizes[:t]) for t in range(10)
    ]
    for count in (1, 16, 17, 103, 250, 400):
        steps = next(t for t in range(99) if sum(sizes[:t]) >= count)
        assert Horizon(f"{count}sa", **data).steps == steps
        assert Horizon(f"{count * 5}tok", sequence=5, **data).steps == steps


@pytest.mark.parametrize("drop", [True, False, None])
def test_it_is_kept_by_text_and_dict(drop: bool | None) -> None:
    run = lehr.cosine().over("3ep", samples_per_epoch=103, batch=32, drop_last=drop)
    assert lehr.parse(repr(run)) == run
    assert lehr.from_json(run.to_json()) == run
    assert ("drop_last" in repr(run)) == (drop is not None)
    assert lehr.from_json(run.to_json()).length == run.length


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"drop_last": True}, ("drop_last=True", "samples_per_epoch=...", "batch=...")),
        ({"drop_last": True, "batch": 3}, ("samples_per_epoch=...",)),
        ({"drop_last": 1, "batch": 3, "samples_per_epoch": 9}, ("drop_last=1", "True, False")),
        (
            {"drop_last": True, "batch": 32, "samples_per_epoch": 31},
            ("31 samples", "no full batch of 32", "drop_last=False"),
        ),
        (
            {"drop_last": True, "batch": [8, 32], "samples_per_epoch": 31},
            ("31 samples", "no full batch of 32"),
        ),
    ],
)
def test_it_is_refused(arguments: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ScheduleError) as caught:
        Horizon("3ep", **arguments)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("length", ["50%", "90min"])
def test_it_needs_a_number_of_epochs(length: str) -> None:
    with pytest.raises(ScheduleError, match="length in epochs"):
        Horizon(length, samples_per_epoch=103, batch=32, drop_last=False)


def test_too_many_epochs_are_refused() -> None:
    with pytest.raises(ScheduleError, match="leave drop_last out"):
        Horizon("2000000ep", samples_per_epoch=3, batch=2, drop_last=False)
    # Where all batches are alike there is nothing to count.
    assert Horizon("2000000ep", samples_per_epoch=4, batch=2, drop_last=False).steps == 4_000_000
    assert Horizon("2000000ep", samples_per_epoch=3, batch=2, drop_last=True).steps == 2_000_000


def test_it_is_given_once() -> None:
    with pytest.raises(ScheduleError, match="drop_last=True is given twice"):
        lehr.cosine().over(Horizon(9), drop_last=True)


@pytest.mark.parametrize("name", ["linear()", "hold()", "cosine()", "linear().repeat(2)"])
def test_fixed_lengths_may_be_longer_than_the_run(name: str) -> None:
    rest = lehr.parse(name)
    run = (lehr.warmup(500) >> rest).over(10)
    assert [run(t) for t in range(11)] == [t / 500 for t in range(11)]
    behind = (lehr.hold(5) >> rest >> lehr.linear(500, to=2.0)).over(10)
    start = behind(5)
    assert behind(9) == pytest.approx(start + (2 - start) * 4 / 500)


def test_shares_may_not_be_longer_than_the_run() -> None:
    with pytest.raises(ScheduleError, match="asks for"):
        (lehr.warmup("60%") >> lehr.cosine() >> lehr.linear("60%", to=0.5)).over(100)
    with pytest.raises(NeedsHorizon, match="takes the rest"):
        (lehr.warmup(500) >> lehr.cosine())(3)


def test_a_cycle_is_exact_after_a_billion_others() -> None:
    s = lehr.linear("2.1st").repeat()
    t = 21 * 10**8
    expected = [1.0, float(1 - 1 / Fraction("2.1")), float(1 - 2 / Fraction("2.1"))]
    assert [s(t), s(t + 1), s(t + 2)] == pytest.approx(expected, abs=1e-15)
