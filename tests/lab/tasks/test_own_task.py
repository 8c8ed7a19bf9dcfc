"""A task from a user's file: that it trains, and that an error names what is wrong with it."""

import re
from pathlib import Path

import pytest
import torch
from torch.nn import Linear, functional

from lehr.lab import Metric, Plan, Task, TaskError
from lehr.lab.plan import Pair, Size
from lehr.lab.tasks.registry import find_task, identity
from lehr.lab.training.population import train_population
from lehr.lab.training.stacked import Stack
from plain import ROUNDING, assert_rounding, float64, in_float64, loop

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_task.py"
HEAD = """
import torch
from torch import nn
from lehr.lab import Task, Data, Metric, Split
inputs, targets = torch.randn(40, 3), torch.randint(2, (40,))
def model(): return nn.Linear(3, 2)
loss = nn.functional.cross_entropy
"""


def test_the_example_trains_as_a_plain_loop_does() -> None:
    size = Size(steps=50, seeds=4, tuning_seeds=1, peaks=(0.01,))
    plan = Plan(task=f"{EXAMPLE}:make_task", size=size)
    trials = plan.scoring(Pair("adam", "cosine"), 0.02)
    task = find_task(plan.pinned)
    assert task.name == "own_task.py:make_task"
    assert task.network == "Sequential, 275 weights"
    assert (task.train, task.validation, task.test) == (90, 44, 44)
    with float64():
        exact = in_float64(task)
        stack = Stack(trials, exact)
        together = torch.stack([stack.update() for _ in range(50)])
        for i, trial in enumerate(trials):
            alone = torch.tensor([loss for _, loss in loop(trial, exact)])
            assert_rounding(together[:, i], alone, ROUNDING)
    assert min(outcome.test for outcome in train_population(trials)) > 0.85


def test_the_shortest_task_is_measured_by_its_loss() -> None:
    x = torch.linspace(-1, 1, 60).view(-1, 1)
    task = Task.from_tensors(x, 3 * x, lambda: Linear(1, 1), functional.mse_loss, batch_size=5)
    outputs, targets = torch.tensor([[1.0]]), torch.tensor([[3.0]])
    assert task.measures(outputs, targets) == (4.0, 4.0)
    assert task.metric == Metric.loss()
    assert task.batch_size == 5
    data = task.load()
    assert torch.cat([split.inputs for split in data]).sort(0).values.equal(x)
    assert all(split.targets.equal(3 * split.inputs) for split in data)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("inputs.numpy(), targets, model, loss", "inputs is a ndarray, not a torch.Tensor"),
        ("inputs, list(targets), model, loss", "targets is a list, not a torch.Tensor"),
        ("inputs[:9], targets, model, loss", "inputs has the shape (9, 3) and targets (40,)"),
        ("inputs[:3], targets[:3], model, loss", "the same number of samples in front, at least 4"),
        ("inputs, targets, model, loss, speed=1", "has no part 'speed'"),
        ("inputs, targets, model, loss, batch_size=99", "batch_size=99 must be from 1 to the 20"),
        ("inputs, targets, model, loss, metric=Metric.score(guess=2)", "guess=2 must be a share"),
        ("inputs, targets, model, loss, metric='loss'", "its metric is 'loss': write Metric.sco"),
        ("inputs / 0, targets, model, loss", "the inputs of the train data are not all finite"),
        ("inputs, targets, lambda: 7, loss", "model returns a int, not a torch.nn.Module"),
        ("inputs, targets, lambda x: x, loss", "model fails: TypeError: "),
        ("inputs, targets, nn.Identity, loss", "its network has no parameter to train"),
        ("inputs, targets, restless, loss", "two networks of one seed differ"),
        (
            "inputs, targets, lambda: nn.Linear(4, 2), loss",
            "given inputs of (20, 3) float32, fails",
        ),
        ("inputs.double(), targets, model, loss", "given inputs of (20, 3) float64, fails"),
        (
            "inputs, targets, model, lambda o, t: o @ t",
            "loss(outputs, targets) fails: RuntimeError",
        ),
        ("inputs, targets, model, lambda o, t: 1.0", "must return a scalar tensor that depends"),
        ("inputs, targets, model, lambda o, t: o", "not a tensor of shape (20, 2)"),
        ("inputs, targets, model, lambda o, t: o.sum() / 0", "before any update"),
        ("inputs, targets, model, loss, lambda o, t: 5 + 0 * o.sum()", "a new network is 5: a sco"),
        ("inputs, targets, model, loss, lambda o, t: -loss(o, t)", "must be from 0 to 1"),
        ("inputs, targets, model, loss, lambda o, t: o", "must be one number, not a tensor of sha"),
        (
            "inputs, targets, model, loss, lambda o, t: o.nope",
            "score(outputs, targets) fails: Attr",
        ),
    ],
)
def test_what_is_wrong_with_it_is_named(arguments: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    restless = "import os\ndef restless():\n    torch.manual_seed(int.from_bytes(os.urandom(4)))\n"
    restless += "    return nn.Linear(3, 2)\n"
    make = f"def make():\n    return Task.from_tensors({arguments})\n"
    path.write_text(HEAD + restless + make)
    with pytest.raises(TaskError) as caught:
        find_task(f"{path}:make")
    assert words in str(caught.value)
    assert "mine.py:make" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def make(:", "mine.py cannot be run: SyntaxError"),
        ("import nothing_of_the_kind", "mine.py cannot be run: ModuleNotFoundError"),
        ("x = 1", "mine.py has no function 'make'"),
        ("make = 1", "mine.py has no function 'make'"),
        ("def make(): return {}", "mine.py:make returns a dict, not a task"),
        ("def make(): return 1 / 0", "mine.py:make fails: ZeroDivisionError: division by zero"),
        ("def make(): raise KeyboardInterrupt", None),
    ],
)
def test_an_error_in_the_file_is_named(source: str, words: str | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    if words is None:
        with pytest.raises(KeyboardInterrupt):
            find_task(f"{path}:make")
        return
    with pytest.raises(TaskError, match=re.escape(words)):
        find_task(f"{path}:make")


def test_a_changed_file_is_another_task(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    source = HEAD + "metric = Metric.loss(guess=0.5)\n"
    source += "def make(): return Task.from_tensors(inputs, targets, model, loss, metric=metric)"
    path.write_text(source)
    name = f"{path}:make"
    before, was = find_task(name), identity(name)
    assert re.fullmatch("make@[0-9a-f]{16}", was)
    # As long as before and within the same second: what Python keeps of a compiled file would not
    # notice.
    path.write_text(source.replace("0.5", "0.4"))
    assert (before.metric.guess, find_task(name).metric.guess) == (0.5, 0.4)
    assert identity(name) != was


def test_whole_tasks_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        HEAD
        + "import dataclasses\n"
        + "whole = Task.from_tensors(inputs, targets, model, loss, batch_size=4)\n"
        + "def sizes(): return dataclasses.replace(whole, test=11)\n"
        + "def fresh(): return dataclasses.replace(whole, load=lambda: Data(*whole.load()))\n"
        + "def none(): return dataclasses.replace(whole, load=lambda: None)\n"
    )
    for function, words in [
        (
            "sizes",
            "the inputs of the test data are a tensor of shape (10, 3), not a tensor of test",
        ),
        ("fresh", "load() must return the same data every time"),
        ("none", "load() must return Data(train, validation, test)"),
    ]:
        with pytest.raises(TaskError, match=re.escape(words)):
            find_task(f"{path}:{function}")
