"""The tasks: data that is split honestly, networks that the seed decides."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lehr.lab.task import TASKS, find_task


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_what_it_says(name: str) -> None:
    task = find_task(name)
    data = task.load()
    assert task.name == name
    assert (task.train, task.validation, task.test) == tuple(len(s.inputs) for s in data)
    assert all(len(split.inputs) == len(split.targets) for split in data)
    assert task.load() is data
    outputs = task.model(torch.Generator().manual_seed(0))(data.test.inputs)
    assert torch.isfinite(task.loss(outputs, data.test.targets))
    assert 0 <= task.score(outputs, data.test.targets) <= 1


@pytest.mark.parametrize("name", TASKS)
def test_the_generator_alone_decides_the_weights(name: str) -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(torch.seed())
        return list(find_task(name).model(torch.Generator().manual_seed(seed)).parameters())

    assert all(torch.equal(a, b) for a, b in zip(weights(4), weights(4), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights(4), weights(5), strict=True))


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"^unknown task 'digit': choose from digits$"):
        find_task("digit")


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
    assert task.score(certain, targets) == 1
    blind = torch.zeros_like(certain)
    assert float(task.score(blind, targets)) == pytest.approx(task.chance, abs=0.01)
