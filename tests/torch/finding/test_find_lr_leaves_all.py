"""A search leaves everything as it found it, whatever ends it."""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lehr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

from lehr.torch import Scheduler, find_lr, range_test  # noqa: E402

SCHEDULE = lehr.warmup("10%") >> lehr.cosine()
Batch = tuple[torch.Tensor, torch.Tensor]


class Noisy(Dataset[Any]):
    """Draws from NumPy's and Python's own randomness for each sample."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        shift = np.random.rand() + random.random()  # noqa: NPY002
        generator = torch.Generator().manual_seed(index)
        return torch.randn(1, 6, 6, generator=generator) + shift, index % 3


class Stateful(DataLoader):  # type: ignore[type-arg]
    """A loader that keeps its place, as torchdata's does."""

    place = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in super().__iter__():
            self.place += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.place = state["place"]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(64, 3)
        self.frozen = nn.BatchNorm1d(64)
        self.register_buffer("scratch", torch.zeros(1), persistent=False)
        self.calls = 0
        self.plain = torch.zeros(2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.plain += 1
        self.scratch = self.scratch + 1
        return self.head(self.drop(self.frozen(self.body(inputs))))


class Bench:
    """A warm training with everything in it that an update changes."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = Network()
        self.model.frozen.eval()
        parts = [
            {"params": list(self.model.body.parameters()), "lr": 1e-3},
            {"params": list(self.model.head.parameters()), "lr": torch.tensor(1e-2)},
        ]
        self.optimizer = torch.optim.Adam(parts)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
        self.theirs = torch.optim.lr_scheduler.StepLR(self.optimizer, 3)
        self.average = torch.optim.swa_utils.AveragedModel(self.model)
        self.loader = Stateful(
            Noisy(), batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(3)
        )
        for batch in self.loader:
            self.step(batch)
        self.model.drop.eval()
        self.optimizer._opt_called = False
        self.steps = 0

    def step(self, batch: Any) -> torch.Tensor:
        inputs, targets = batch
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(inputs), targets)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update_parameters(self.model)
        # A search writes its own rate over the scheduler's.
        self.theirs.step()
        self.model.train()
        return loss

    def rows(self) -> dict[str, Any]:
        """Return all there is to compare, by what it is."""
        model, optimizer = self.model, self.optimizer
        return copy.deepcopy(
            {
                "parameters": [p.detach() for p in model.parameters()],
                "buffers": [b.detach() for b in model.buffers()],
                "own numbers": (model.calls, model.plain),
                "gradients": [p.grad for p in model.parameters()],
                "modes": [m.training for m in model.modules()],
                "optimizer state": optimizer.state_dict()["state"],
                "groups": optimizer.state_dict()["param_groups"],
                "optimizer attributes": getattr(optimizer, "_opt_called", None),
                "scaler": self.scaler.state_dict(),
                "scheduler": self.theirs.state_dict(),
                "averaged weights": self.average.state_dict(),
                "torch randomness": torch.get_rng_state(),
                "numpy randomness": np.random.get_state(),  # noqa: NPY002
                "python randomness": random.getstate(),
                "loader generator": self.loader.generator.get_state(),
                "loader place": self.loader.place,
            }
        )

    def find(self, step: Callable[[Any], Any]) -> Any:
        return find_lr(
            self.model,
            self.loader,
            optimizer=self.optimizer,
            schedule=SCHEDULE,
            steps=500,
            train_step=step,
            scaler=self.scaler,
            others=[self.theirs, self.average],
        )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if not same(before[name], after[name])]


def test_a_step_changes_every_row() -> None:
    # Else the tests below would prove nothing.
    bench = Bench()
    before = bench.rows()
    for group in bench.optimizer.param_groups:
        group["lr"] = 7.0
    for batch in bench.loader:
        bench.step(batch)
    assert changed(before, bench.rows()) == list(before)


def test_after_a_search() -> None:
    bench = Bench()
    before, identities = bench.rows(), [p.data_ptr() for p in bench.model.parameters()]
    rate = bench.optimizer.param_groups[1]["lr"]
    assert bench.find(bench.step).peak > 0
    assert changed(before, bench.rows()) == []
    # What refers to the tensors still does.
    assert [p.data_ptr() for p in bench.model.parameters()] == identities
    assert bench.optimizer.param_groups[1]["lr"] is rate


@pytest.mark.parametrize(
    "error", [RuntimeError, KeyboardInterrupt, torch.OutOfMemoryError, MemoryError]
)
@pytest.mark.parametrize("at", [0, 17, 90])
def test_after_an_error(error: type[BaseException], at: int) -> None:
    bench = Bench()
    before = bench.rows()

    def step(batch: Any) -> Any:
        bench.steps += 1
        loss = bench.step(batch)
        if bench.steps > at:
            raise error
        return loss

    with pytest.raises(error):
        bench.find(step)
    assert changed(before, bench.rows()) == []


def test_after_losses_that_are_not_finite() -> None:
    bench = Bench()
    before = bench.rows()

    def step(batch: Any) -> Any:
        bench.steps += 1
        return bench.step(batch) * (float("nan") if bench.steps > 30 else 1)

    bench.find(step)
    assert changed(before, bench.rows()) == []


def test_after_an_error_of_the_loader() -> None:
    bench = Bench()
    before = bench.rows()

    def batches() -> Iterator[Any]:
        for number, batch in enumerate(bench.loader):
            if number == 2:
                raise OSError
            yield batch

    with pytest.raises(OSError), pytest.warns(UserWarning, match="iterator"):  # noqa: PT011
        find_lr(
            bench.model, batches(), optimizer=bench.optimizer, schedule=SCHEDULE, steps=500,
            train_step=bench.step,
        )  # fmt: skip
    # The generator's own loader is out of reach.
    assert set(changed(before, bench.rows())) <= {"loader generator", "loader place"}


def test_an_interrupt_while_the_state_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from lehr.torch.finding.kept import Kept

    bench = Bench()
    before, restore, times = bench.rows(), Kept.restore, [0]

    def interrupted(kept: Kept) -> None:
        times[0] += 1
        if times[0] == 3:  # after the recording, before the first run, and now
            for part in kept._parts[:3]:
                part()
            raise KeyboardInterrupt
        restore(kept)

    def step(batch: Any) -> Any:
        bench.step(batch)
        raise RuntimeError

    monkeypatch.setattr(Kept, "restore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.find(step)
    assert changed(before, bench.rows()) == []


def test_after_a_range_test() -> None:
    bench = Bench()
    before = bench.rows()
    range_test(
        bench.model, bench.loader, optimizer=bench.optimizer, train_step=bench.step,
        scaler=bench.scaler, others=[bench.theirs, bench.average], updates=30,
    )  # fmt: skip
    assert changed(before, bench.rows()) == []


def test_a_scheduler_of_ours_goes_on_as_if_nothing_had_happened() -> None:
    def rates(search: bool) -> list[float]:
        torch.manual_seed(0)
        model = nn.Linear(2, 1)
        data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = Scheduler(optimizer, lr=lehr.warmup(4) >> lehr.cosine(), over=12)
        found = []
        for step in range(12):
            if search and step in (0, 5):
                find_lr(model, data, nn.functional.mse_loss, optimizer, schedule=SCHEDULE, steps=99)
            optimizer.step()
            scheduler.step()
            found.append(optimizer.param_groups[0]["lr"])
        return found

    assert rates(True) == rates(False)


def test_what_a_scheduler_of_ours_counts_is_put_back() -> None:
    model = nn.Linear(2, 1)
    data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Scheduler(optimizer, lr=lehr.cosine(), over=12)
    (updates,) = optimizer._optimizer_step_post_hooks.values()
    optimizer.step()
    find_lr(model, data, nn.functional.mse_loss, optimizer, schedule=SCHEDULE, steps=99)
    assert updates.count == 1


def test_a_fresh_scaler_is_fresh_again() -> None:
    model = nn.Linear(2, 1)
    data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    before = {key: value for key, value in vars(scaler).items() if key != "_per_optimizer_states"}
    find_lr(
        model, data, nn.functional.mse_loss, optimizer, schedule=SCHEDULE, steps=99, scaler=scaler
    )
    after = {key: value for key, value in vars(scaler).items() if key != "_per_optimizer_states"}
    assert before == after
    assert not scaler._per_optimizer_states
    assert model.weight.grad is None
    assert not optimizer.state


def test_a_lazy_model_is_refused() -> None:
    model = nn.LazyLinear(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(lehr.ScheduleError, match="run a batch through it"):
        find_lr(model, [], optimizer=optimizer, schedule=SCHEDULE, steps=99)


def test_any_object_whose_state_a_step_changes_is_put_back() -> None:
    """Numbers, arrays and generators, also inside of tuples."""

    class Counter:
        def __init__(self) -> None:
            self.updates, self.array = 0, np.zeros(2)
            self.drawn = np.random.default_rng(0), random.Random(0)

    counter, model = Counter(), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def rows() -> Any:
        numpy, python = counter.drawn
        state = numpy.bit_generator.state, python.getstate()
        return copy.deepcopy((counter.updates, counter.array, state))

    def step(batch: Batch) -> Any:
        counter.updates += 1
        counter.array += 1
        counter.drawn[0].random()
        counter.drawn[1].random()
        model.added = counter.updates
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss

    data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]
    before = rows()
    find_lr(
        model, data, optimizer=optimizer, schedule=SCHEDULE, steps=99, train_step=step,
        others=[counter],
    )  # fmt: skip
    assert same(before, rows())
    assert not hasattr(model, "added")


def test_the_random_states_of_cuda_devices_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from lehr.torch.finding.kept import Kept

    states = [torch.zeros(2)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [s.clone() for s in states])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state_all", lambda given: states.__setitem__(0, given[0])
    )
    kept = Kept([nn.Linear(1, 1)], [])
    states[0] += 1
    kept.restore()
    assert torch.equal(states[0], torch.zeros(2))


def test_the_random_state_of_an_mps_device_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from lehr.torch.finding.kept import Kept

    states = [torch.zeros(2)]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: states[0].clone())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda given: states.__setitem__(0, given))
    kept = Kept([nn.Linear(1, 1)], [])
    states[0] += 1
    kept.restore()
    assert torch.equal(states[0], torch.zeros(2))


class Turning:
    """A sampler that counts its epochs, as a distributed one does."""

    def __init__(self, epoch: int = 0) -> None:
        self.epoch, self.drawn = epoch, random.Random(epoch)

    def __iter__(self) -> Iterator[int]:
        self.epoch += 1
        self.drawn.random()
        return iter(range(24))

    def __len__(self) -> int:
        return 24


class Counted(Noisy):
    reads = 0

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.reads += 1
        return super().__getitem__(index)


class Whole(Dataset[Any]):
    """A data set of whole batches."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(8, 1, 6, 6), torch.arange(8) % 3

    def __len__(self) -> int:
        return 24


class Plain:
    """A user's own loader, with a counter and nothing else."""

    def __init__(self, data: Any) -> None:
        self.data, self.rounds = data, 0

    def __iter__(self) -> Iterator[Any]:
        self.rounds += 1
        return iter(self.data)


def searched_on(loader: Any) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    find_lr(model, loader, nn.functional.cross_entropy, optimizer, schedule=SCHEDULE, steps=99)


def test_the_generator_of_a_loader_whose_sampler_has_none() -> None:
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(Noisy(), batch_size=8, sampler=Turning(), generator=generator)
    before = generator.get_state()
    next(iter(loader))
    assert not torch.equal(generator.get_state(), before)  # it draws a seed for its workers
    before = generator.get_state()
    searched_on(loader)
    assert torch.equal(generator.get_state(), before)


def test_samplers_and_data_sets_and_loaders_of_ones_own_are_put_back() -> None:
    first, second, third, data = Turning(3), Turning(5), Turning(7), Counted()
    batched = torch.utils.data.BatchSampler(second, 8, False)
    plain = Plain([(torch.randn(8, 1, 6, 6), torch.arange(8) % 3) for _ in range(4)])
    before = [(each.epoch, each.drawn.getstate()) for each in (first, second, third)]
    for loader in (
        DataLoader(data, batch_size=8, sampler=first),
        DataLoader(data, batch_sampler=batched),
        DataLoader(Whole(), batch_size=None, sampler=third),
        plain,
    ):
        searched_on(loader)
    assert [(each.epoch, each.drawn.getstate()) for each in (first, second, third)] == before
    assert data.reads == 0
    assert plain.rounds == 0


def test_parameters_that_only_the_optimizer_has() -> None:
    model, free = nn.Linear(2, 1), nn.Parameter(torch.ones(2))
    unused = nn.Parameter(torch.ones(1))
    unused.grad = torch.full((1,), 3.0)
    optimizer = torch.optim.SGD([*model.parameters(), free, unused], lr=0.1, momentum=0.9)
    data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]

    def step(batch: Batch) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(batch[0] * free), batch[1]) + unused.square().sum()
        loss.backward()
        optimizer.step()
        return loss

    find_lr(
        model, data, optimizer=optimizer, schedule=SCHEDULE, steps=99, train_step=step
    )  # fmt: skip
    assert torch.equal(free, torch.ones(2))
    assert free.grad is None
    assert torch.equal(unused, torch.ones(1))
    assert torch.equal(unused.grad, torch.full((1,), 3.0))


def test_other_optimizers_and_schedulers_are_put_back() -> None:
    """Those that a step moves beside the searched one, with their counts and their rates."""
    model, critic = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    other = torch.optim.Adam(critic.parameters(), lr=0.01)
    theirs = torch.optim.lr_scheduler.StepLR(other, 2)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
    third = torch.optim.SGD(critic.parameters(), lr=1e-3)
    ours = Scheduler(third, lr=lehr.cosine(), over=50)
    data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]

    def step(batch: Batch) -> Any:
        loss = nn.functional.mse_loss(model(batch[0]) + critic(batch[0]), batch[1])
        for each in (optimizer, other, third):
            each.zero_grad()
        loss.backward()
        for each in (optimizer, other, third, theirs, cosine, ours):
            each.step()
        return loss

    def rows() -> Any:
        things = (optimizer, other, third, theirs, cosine, ours, critic)
        return copy.deepcopy([each.state_dict() for each in things])

    step(data[0])
    before = rows()
    find_lr(
        model, data, optimizer=optimizer, schedule=SCHEDULE, steps=99, train_step=step,
        others=[other, third, theirs, cosine, ours, critic],
    )  # fmt: skip
    assert same(before, rows())


def test_what_a_step_adds_to_containers_is_gone() -> None:
    """Keys, members and replaced values, also of an optimizer that keeps its own."""

    class Log:
        def __init__(self) -> None:
            self.by_name = {"kept": [1]}
            self.seen, self.last, self.rows = {1}, deque([1], 2), [torch.zeros(1)]
            self.pair = (torch.zeros(1), {"n": 0})
            self.generator = torch.Generator().manual_seed(1)

        def add(self) -> None:
            number = len(self.rows)
            self.by_name["kept"].append(number)
            self.by_name[str(number)] = [number]
            self.seen.add(-number)
            self.last.append(number)
            self.rows[0] += 1
            self.rows.append(torch.zeros(1))
            self.pair[0].add_(1)
            self.pair[1]["n"] += 1
            torch.rand(1, generator=self.generator)

    log, model = Log(), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(8)]

    def step(batch: Batch) -> Any:
        log.add()
        optimizer.steps_made = getattr(optimizer, "steps_made", 0) + 1
        optimizer.param_groups[0]["seen"] = True
        return optimizer.step(lambda: backward(batch))

    def backward(batch: Batch) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(batch[0]), batch[1])
        loss.backward()
        return loss

    state = log.generator.get_state()
    find_lr(
        model, data, optimizer=optimizer, schedule=SCHEDULE, steps=99, train_step=step, others=[log]
    )  # fmt: skip
    assert log.by_name == {"kept": [1]}
    assert (log.seen, list(log.last), len(log.rows)) == ({1}, [1], 1)
    assert torch.equal(log.rows[0], torch.zeros(1))
    assert torch.equal(log.pair[0], torch.zeros(1))
    assert log.pair[1] == {"n": 0}
    assert torch.equal(log.generator.get_state(), state)
    assert not hasattr(optimizer, "steps_made")
    assert "seen" not in optimizer.param_groups[0]


def test_the_loader_is_put_back_at_the_end_too() -> None:
    """A step may draw from the generator of its loader."""
    generator = torch.Generator().manual_seed(3)
    data = torch.utils.data.TensorDataset(torch.randn(24, 2), torch.randn(24, 1))
    loader = DataLoader(data, 8, shuffle=True, generator=generator)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(batch: Batch) -> Any:
        torch.rand(1, generator=generator)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss

    before = generator.get_state()
    find_lr(model, loader, optimizer=optimizer, schedule=SCHEDULE, steps=99, train_step=step)
    assert torch.equal(generator.get_state(), before)
