"""How many networks fit into the memory that is allowed."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import lehr
from lehr.lab.errors import EngineError
from lehr.lab.plan import Pair, Plan
from lehr.lab.tasks.registry import find_task
from lehr.lab.training import footprint as module
from lehr.lab.training.footprint import MOST, Footprint, fitting, footprint
from lehr.lab.training.population import train_population

TASK = find_task("digits")
TRIAL = dataclasses.replace(Plan().scoring(Pair("adam", "cosine"), 0.01)[0], steps=20)
MEBI = 2**20


def test_a_stack_takes_more_with_every_network() -> None:
    some = Footprint(fixed=1000, training=100, measuring=10)
    assert [some.of(n) for n in (1, 16, 17, 100)] == [1110, 2760, 2860, 11160]
    assert [some.most(m) for m in (0, 1109, 1110, 2760, 11_160)] == [0, 0, 1, 16, 100]
    assert some.most(10**9) == MOST


def test_it_is_what_weights_and_activations_take() -> None:
    found = footprint(TRIAL, TASK, "cpu")
    weights = 4 * 2410
    # The weights, their gradients, the directions and Adam's two memories are there at once, and
    # what the hidden layer keeps of a batch.
    least = 5 * weights + 4 * 32 * (64 + 32)
    assert least < found.training < 6 * least
    assert 4 * 450 * 32 < found.measuring < 16 * 4 * 450 * 32


def test_what_an_optimizer_remembers_counts() -> None:
    sgd, adam = (
        footprint(dataclasses.replace(TRIAL, optimizer=name), TASK, "cpu").training
        for name in ("sgd", "adam")
    )
    assert adam - sgd > 2 * 4 * 2410


def test_without_a_bound_small_networks_are_trained_by_the_hundred() -> None:
    assert fitting(TRIAL, TASK, None) == MOST


def test_a_bound_makes_smaller_stacks_and_the_same_outcomes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "own_bytes", lambda: 5 * MEBI)
    made: list[int] = []
    stack = module.Stack

    class Counted(stack):
        def __init__(self, trials: list[object], *others: object) -> None:
            made.append(len(trials))
            super().__init__(trials, *others)

    trials = [dataclasses.replace(TRIAL, seed=seed) for seed in range(8)]
    free = train_population(trials)
    alike = dataclasses.replace(TRIAL, peak=1.0, seed=0, schedule=lehr.constant(), momentum=None)
    bound = 5 * MEBI + footprint(alike, TASK, "cpu").of(3)
    assert abs(fitting(TRIAL, TASK, bound) - 3) <= 1
    monkeypatch.setattr("lehr.lab.training.population.Stack", Counted)
    assert train_population(trials, memory=bound) == free
    assert sum(made) == 8
    assert max(made) <= 4
    assert max(made) - min(made) <= 1


def test_too_little_memory_is_refused_with_the_memory_that_would_do() -> None:
    with pytest.raises(EngineError, match=r"memory=1,048,576 bytes are too little") as caught:
        train_population([TRIAL], memory=MEBI)
    (least,) = (int(word[:-3]) for word in str(caught.value).split() if word.endswith("MiB"))
    assert train_population([TRIAL], memory=least * MEBI)[0].diverged is None


# A network takes megabytes, beside which what varies from machine to machine is little.
LARGE = """
import torch
from torch import nn
from lehr.lab import Task

def make():
    inputs = torch.rand(200, 64, generator=torch.Generator().manual_seed(0))
    network = lambda: nn.Sequential(nn.Linear(64, 4000), nn.ReLU(), nn.Linear(4000, 1))
    return Task.from_tensors(inputs, inputs[:, :1], network, nn.functional.mse_loss)
"""
BOUNDED = """
import dataclasses, sys
from lehr.lab import Plan
from lehr.lab.resources import own_bytes
from lehr.lab.training.population import train_population

plan = Plan(task=sys.argv[1], optimizers=("adam",))
trial = dataclasses.replace(plan.scoring(plan.pairs[0], 0.01)[0], steps=3)
train_population([trial])
peak = own_bytes.__wrapped__
bound = peak() + 150 * 2**20
trials = [dataclasses.replace(trial, seed=seed) for seed in range(60)]
taken = []
for memory in (bound, None):
    train_population(trials, memory=memory)
    taken.append(peak())
print(bound, *taken)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's record of a process's peak")
def test_a_process_stays_within_its_bound(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(LARGE)
    program = [sys.executable, "-c", BOUNDED, f"{tmp_path / 'own.py'}:make"]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bound, bounded, free = map(int, done.stdout.split())
    assert bounded <= bound < free
