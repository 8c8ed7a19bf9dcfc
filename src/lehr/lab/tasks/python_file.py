"""A task made by a function of a user's Python file, checked before it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lehr.lab.errors import TaskError, describe
from lehr.lab.metric import Metric
from lehr.lab.python_source import exits_raise, module_of
from lehr.lab.tasks.base import Data, Part, Split, Task
from lehr.lab.tasks.seeding import network

# `sys.exit` in a user's file would end lehr, with the exit code of a success.
_CAUGHT = (Exception, SystemExit)


@exits_raise()
def task_of_file(path: Path, content: bytes, function: str) -> Task:
    """Run a user's file and return the task that its function makes, or raise TaskError."""
    where = f"{path.name}:{function}"
    try:
        module = module_of(path, content, f"lehr_task_{path.stem}")
    except _CAUGHT as error:
        raise TaskError(f"{path.name} cannot be run: {describe(error)}") from error
    make = getattr(module, function, None)
    if not callable(make):
        raise TaskError(f"{path.name} has no function {function!r} that makes a task")
    try:
        task = make()
    except _CAUGHT as error:
        raise TaskError(f"{where} fails: {describe(error)}") from error
    if not isinstance(task, Task):
        raise TaskError(
            f"{where} returns a {type(task).__name__}, not a task: return "
            "lehr.lab.Task.from_tensors(...)"
        )
    check_task(task, where)
    made = _try(where, "model", network, task, 0)
    weights = sum(p.numel() for p in made.parameters() if p.requires_grad)
    described = f"{type(made).__name__}, {weights:,} weights"
    return replace(task, name=task.name or where, network=task.network or described)


def check_task(task: Task, where: str) -> None:
    """Raise TaskError unless a task, named `where` in messages, meets the contract of `Task`."""
    if not isinstance(task.metric, Metric):
        raise TaskError(
            f"{where}: its metric is {task.metric!r:.60}: write Metric.score('accuracy')"
        )
    texts = {name: getattr(task, name) for name in ("name", "summary", "network")}
    texts |= {"metric.name": task.metric.name, "metric.unit": task.metric.unit}
    for name, text in texts.items():
        _check_text(where, name, text)
    data = _try(where, "load()", task.load)
    if not isinstance(data, Data):
        raise TaskError(
            f"{where}: load() must return Data(train, validation, test) of Splits or loaders"
        )
    if _try(where, "load()", task.load) is not data:
        raise TaskError(
            f"{where}: load() must return the same data every time: use functools.cache"
        )
    for name, part in zip(Data._fields, data, strict=True):
        if isinstance(part, Split):
            _check_split(where, name, part, getattr(task, name))
        else:
            _check_batches(where, name, part)
    made = [_try(where, "model", network, task, 0) for _ in range(2)]
    if not isinstance(made[0], nn.Module):
        raise TaskError(f"{where}: model returns a {type(made[0]).__name__}, not a torch.nn.Module")
    if not any(p.requires_grad for p in made[0].parameters()):
        raise TaskError(f"{where}: its network has no parameter to train")
    states = [one.state_dict() for one in made]
    if any(not torch.equal(states[0][key], states[1][key]) for key in states[0]):
        raise TaskError(
            f"{where}: two networks of one seed differ: draw starting weights from torch's own "
            "randomness and from nothing else"
        )
    _check_numbers(where, task, made[0], data)


def _check_text(where: str, name: str, text: object) -> None:
    if not isinstance(text, str):
        raise TaskError(f"{where}: its {name} is {text!r:.60}, not a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TaskError(
            f"{where}: its {name} {text!r:.60} has a surrogate at place {error.start}, which no "
            "file can hold: write whole characters"
        ) from None


def _check_split(where: str, name: str, split: Split, size: int) -> None:
    for part, tensor in zip(Split._fields, split, strict=True):
        if not isinstance(tensor, torch.Tensor) or tensor.dim() < 1 or len(tensor) != size:
            raise TaskError(
                f"{where}: the {part} of the {name} data are {_shown(tensor)}, not a tensor of "
                f"{name}={size} samples"
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise TaskError(f"{where}: the {part} of the {name} data are not all finite")


def _check_batches(where: str, name: str, part: Any) -> None:
    """Check that data other than tensors are an iterable of batches."""
    what = f"{where}: the {name} data, a {type(part).__name__},"
    if not isinstance(part, Iterable):
        raise TaskError(f"{what} are neither a Split of tensors nor an iterable of batches")
    if iter(part) is part:
        raise TaskError(
            f"{what} can be read once only: give a DataLoader, a list, or an object whose "
            "__iter__ starts anew"
        )
    first: Any = _try(where, f"the first batch of the {name} data", next, iter(part), None)
    if not isinstance(first, tuple | list) or len(first) != 2:
        raise TaskError(
            f"{what} give {_shown(first)} where a batch, a pair of inputs and targets, is needed"
        )


def _first(part: Part, size: int | None) -> tuple[Any, Any]:
    """Return the first samples of tensors, or the first batch of an iterable."""
    if isinstance(part, Split):
        return part.inputs[:size], part.targets[:size]
    inputs, targets = next(iter(part))
    return inputs, targets


def _check_numbers(where: str, task: Task, one: nn.Module, data: Data) -> None:
    inputs, targets = _first(data.train, task.batch_size)
    shape = _shown(inputs)
    if isinstance(inputs, torch.Tensor):
        shape = f"{tuple(inputs.shape)} {str(inputs.dtype).removeprefix('torch.')}"
    outputs = _try(where, f"its network, given inputs of {shape},", one, inputs)
    loss = _try(where, "loss(outputs, targets)", task.loss, outputs, targets)
    if not isinstance(loss, torch.Tensor) or loss.dim() or not loss.requires_grad:
        raise TaskError(
            f"{where}: loss(outputs, targets) must return a scalar tensor that depends on the "
            f"network, not {_shown(loss)}"
        )
    if not loss.isfinite():
        raise TaskError(f"{where}: the loss of the first batch is {loss.item()} before any update")
    one.eval()
    inputs, targets = _first(data.test, None)
    with torch.no_grad():
        outputs = _try(where, "its network, given the test data,", one, inputs)
        if task.score is None:
            return
        score = _try(where, "score(outputs, targets)", task.score, outputs, targets)
    if isinstance(score, torch.Tensor) and score.numel() != 1:
        raise TaskError(f"{where}: score(outputs, targets) must be one number, not {_shown(score)}")
    value = _try(where, "score(outputs, targets)", float, score)
    if task.metric.is_share and not 0 <= value <= 1:
        raise TaskError(
            f"{where}: the score of a new network is {value:g}: a score must be from 0 to 1, "
            "higher being better; for other numbers write metric=Metric.loss(...)"
        )


def _try(where: str, what: str, call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except _CAUGHT as error:
        raise TaskError(f"{where}: {what} fails: {describe(error)}") from error


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
