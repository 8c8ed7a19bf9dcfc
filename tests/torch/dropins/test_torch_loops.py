"""Loops as people write them, with the import changed and nothing else."""

import math
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as theirs
from torch import nn
from torch.optim.lr_scheduler import SequentialLR

import lehr.torch as ours
from driving import drive, make_optimizer, rates, read, worst


def loader(batches: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(1)
    return [(torch.randn(8, 4), torch.randint(0, 3, (8,))) for _ in range(batches)]


def test_the_loop_that_sets_the_epoch_first(capsys: pytest.CaptureFixture[str]):
    """A call at the start of each epoch, before any update: nothing to warn of (and none is)."""
    from lehr.torch import TrapezoidalLR

    train_loader = loader(3)
    model = nn.Linear(4, 3)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)

    step_size, anneal_start_epoch = 5, 10
    total_epochs = anneal_start_epoch + step_size
    scheduler = TrapezoidalLR(
        optimizer, base_lr=0.001, max_lr=0.006, step_size=5, anneal_start_epoch=10
    )
    for epoch in range(total_epochs):
        scheduler.step(epoch)
        for inputs, target in train_loader:
            optimizer.zero_grad()
            output = model(inputs)
            loss = criterion(output, target)
            loss.backward()
            optimizer.step()
        print(f"Epoch: {epoch + 1}, LR: {scheduler.get_lr()[0]}")

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    for epoch, line in enumerate(lines):
        name, rate = line.split(", LR: ")
        assert name == f"Epoch: {epoch + 1}"
        height = min(epoch / 5, 1.0, 1 - (epoch - 10) / 5)
        assert float(rate) == pytest.approx(0.001 + 0.005 * height, rel=1e-12)


def test_the_loop_that_steps_each_batch():
    from lehr.torch import OneCycleLR

    num_epochs, train_loader = 5, loader(6)
    model = nn.Linear(4, 3)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = OneCycleLR(
        optimizer,
        max_lr=1.0,
        steps_per_epoch=len(train_loader),
        epochs=num_epochs,
        anneal_strategy="cos",
    )
    used = []
    for _epoch in range(num_epochs):
        for _batch_idx, (data, target) in enumerate(train_loader):
            optimizer.zero_grad()
            output = model(data)
            loss = criterion(output, target)
            loss.backward()
            used.append(read(optimizer)[0])
            optimizer.step()
            scheduler.step()

    # 30 batches; up to the step .3 * 30 - 1 = 8, down to the step 29.
    for t, (rate, momentum) in enumerate(used):
        u = t / 8 if t <= 8 else (t - 8) / 21
        up = (1 - math.cos(math.pi * u)) / 2
        rises = t <= 8
        low, high = (1 / 25, 1.0) if rises else (1.0, 1 / 25 / 1e4)
        assert rate == pytest.approx(low + (high - low) * up, abs=1e-12)
        start, to = (0.95, 0.85) if rises else (0.85, 0.95)
        assert momentum == pytest.approx(start + (to - start) * up, abs=1e-12)
    assert rates(optimizer) == [pytest.approx(1 / 25 / 1e4, rel=1e-9)]


def test_the_loop_of_warm_restarts_within_epochs():
    optimizer = make_optimizer()
    scheduler = ours.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    batches = loader(10)
    for epoch in range(6):
        for i, _ in enumerate(batches):
            optimizer.step()
            scheduler.step(epoch + i / len(batches))
            now = epoch + i / 10
            begin, length = (0, 2) if now < 2 else (2, 4)
            expected = 0.1 * (1 + math.cos(math.pi * (now - begin) / length)) / 2
            assert rates(optimizer) == [pytest.approx(expected)]


# Children of torch's SequentialLR, one level deep. The same classes of torch are the reference.
CHILDREN: list[tuple[list[tuple[str, dict[str, Any]]], list[int]]] = [
    ([("LinearLR", {"start_factor": 0.1, "total_iters": 10}), ("CosineAnnealingLR", {"T_max": 40})],
     [10]),
    ([("LinearLR", {"total_iters": 5}), ("ExponentialLR", {"gamma": 0.9})], [5]),
    ([("LinearLR", {"total_iters": 5}), ("StepLR", {"step_size": 4})], [8]),
    ([("ExponentialLR", {"gamma": 0.9}), ("MultiStepLR", {"milestones": [3, 6]}),
      ("PolynomialLR", {"total_iters": 10})], [7, 20]),
    ([("LinearLR", {"total_iters": 5}), ("CosineAnnealingWarmRestarts", {"T_0": 6, "T_mult": 2})],
     [5]),
    ([("StepLR", {"step_size": 3}), ("LinearLR", {"total_iters": 9}),
      ("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.01})], [6, 15]),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["sgd", "adamw", "sgd-tensor"])
@pytest.mark.parametrize(("children", "milestones"), CHILDREN)
def test_in_torchs_sequence(
    children: list[tuple[str, dict[str, Any]]], milestones: list[int], kind: str
):
    runs = []
    for module in (ours, theirs):
        optimizer = make_optimizer(kind, (0.1, 0.3))
        parts = [getattr(module, name)(optimizer, **arguments) for name, arguments in children]
        runs.append(drive(optimizer, SequentialLR(optimizer, parts, milestones), 60))
    assert worst(*runs) <= 1e-9


def test_in_torchs_sequence_a_one_cycle_follows_a_warmup():
    """torch's own would let the cycle rewrite the base that the first part begins from."""
    optimizer = make_optimizer()
    warm = ours.LinearLR(optimizer, start_factor=0.5, total_iters=4)
    cycle = ours.OneCycleLR(optimizer, max_lr=1.0, total_steps=20)
    scheduler = SequentialLR(optimizer, [warm, cycle], [4])
    found = [row[0][0] for row in drive(optimizer, scheduler, 23)]
    assert found[:4] == pytest.approx([0.1 * (0.5 + t / 8) for t in range(4)])
    alone = make_optimizer()
    expected = drive(alone, ours.OneCycleLR(alone, max_lr=1.0, total_steps=20), 19)
    assert found[4:] == pytest.approx([row[0][0] for row in expected])


def test_in_torchs_sequence_a_scheduler_is_a_child_too():
    import lehr

    optimizer = make_optimizer()
    parts = [
        ours.Scheduler(optimizer, lehr.warmup(5)),
        ours.Scheduler(optimizer, lehr.cosine(20)),
    ]
    scheduler = SequentialLR(optimizer, parts, [5])
    found = [row[0][0] for row in drive(optimizer, scheduler, 25)]
    expected = [0.1 * t / 5 for t in range(5)]
    expected += [0.1 * (1 + math.cos(math.pi * t / 20)) / 2 for t in range(21)]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("order", ["build optimizer scheduler", "optimizer build scheduler",
                                   "build scheduler optimizer"])  # fmt: skip
@pytest.mark.parametrize("position", [0, 3, 10, 11, 30])
def test_in_torchs_sequence_every_order_resumes(order: str, position: int):
    """torch's own children leave the rate scaled for good in the second of these orders."""

    def build(optimizer: torch.optim.Optimizer) -> SequentialLR:
        warm = ours.LinearLR(optimizer, start_factor=0.01, total_iters=10)
        return SequentialLR(optimizer, [warm, ours.CosineAnnealingLR(optimizer, T_max=40)], [10])

    optimizer = make_optimizer(rates=(0.1, 0.3))
    scheduler = build(optimizer)
    drive(optimizer, scheduler, position)
    saved, state = optimizer.state_dict(), scheduler.state_dict()
    wanted = drive(optimizer, scheduler, 15)
    fresh = make_optimizer(rates=(0.1, 0.3))
    built: Any = None
    for what in order.split():
        if what == "build":
            built = build(fresh)
        elif what == "optimizer":
            fresh.load_state_dict(saved)
        else:
            built.load_state_dict(state)
    assert drive(fresh, built, 15) == wanted
