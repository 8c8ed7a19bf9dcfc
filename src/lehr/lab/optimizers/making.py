"""Optimizers from their entries, for the parameters of a network."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.optim import Optimizer

from lehr.lab.errors import TaskError, describe
from lehr.lab.optimizers.entry import OptimizerEntry, find_optimizer
from lehr.lab.optimizers.installed import content_of, file_of
from lehr.lab.optimizers.text import Named, nearest
from lehr.lab.python_source import fingerprint, module_of
from lehr.lab.schedules import find_contender
from lehr.schedule.base import Schedule


class Joined(Optimizer):
    """Several optimizers as one: their groups, one after another.

    A scheduler drives the groups of all of them; saving and loading keeps the state of each.
    """

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        # The groups are the parts' own dicts, so the parts read what a scheduler writes into them.
        super().__init__([group for part in parts for group in part.param_groups], {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Let each part make its update; the closure is called once, before all of them."""
        found = None
        if closure is not None:
            with torch.enable_grad():
                found = closure()
        for part in self.parts:
            part.step()
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each part."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of each part."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        # Loading gives the parts new groups.
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def make(
    entry: OptimizerEntry, parameters: Any, lr: float, options: Mapping[str, Any]
) -> Optimizer:
    """Build an optimizer; see `OptimizerEntry.make`."""
    if entry.rest is not None:
        return _joined(entry, parameters, lr, entry.rest)
    given = parameters.parameters() if isinstance(parameters, nn.Module) else parameters
    kind = _class_of(entry)
    settings = {name: _setting(value) for name, value in entry.settings.items()}
    if entry.inner is not None:
        return kind(entry.inner.make(given, lr, **options), **settings)
    taken = inspect.signature(kind).parameters
    settings |= {name: value for name, value in options.items() if name in taken}
    if "lr" in taken or any(each.kind is each.VAR_KEYWORD for each in taken.values()):
        settings["lr"] = lr
    return kind(given, **settings)


def _joined(entry: OptimizerEntry, network: Any, lr: float, rest: OptimizerEntry) -> Optimizer:
    if not isinstance(network, nn.Module):
        raise ValueError(
            f"{entry.kind} trains hidden matrices, and {rest.kind} the rest: it needs the network "
            f"itself, not a {type(network).__name__}"
        )
    hidden = hidden_matrices(network)
    if not hidden:
        raise ValueError(
            f"the network has no hidden matrix for {entry.kind} to train: it needs two layers "
            "with matrices, the last of which is the output's"
        )
    known = set(map(id, hidden))
    others = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    alone = OptimizerEntry(entry.kind, entry.settings, entry.place, entry.inner)
    return Joined(alone.make(hidden, lr), rest.make(others, lr * entry.rest_ratio))


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the matrices between the input and the output of a network, in its own order.

    These are its trained two-dimensional weights, except embeddings and the last one, which belongs
    to the output layer: those are left to AdamW, as the authors of Muon advise.
    """
    tables = {
        id(p)
        for module in network.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for p in module.parameters()
    }
    matrices = [p for p in network.parameters() if p.requires_grad and p.dim() == 2]
    last = matrices[-1:]
    return [p for p in matrices[:-1] if id(p) not in tables and all(p is not q for q in last)]


def _setting(value: Any) -> Any:
    """Return a setting in the form that the class expects."""
    match value:
        case Named(name=name):
            return getattr(torch.optim, name)
        case OptimizerEntry():
            settings = {name: _setting(each) for name, each in value.settings.items()}
            return partial(_class_of(value), **settings)
        case list():
            items: list[Any] = value
            return tuple(map(_setting, items))
        case _:
            return value


def _class_of(entry: OptimizerEntry) -> Callable[..., Optimizer]:
    if not entry.place:
        return getattr(torch.optim, entry.kind)
    module = _module(entry.place)
    found = getattr(module, entry.kind, None)
    if not isinstance(found, type):
        near = nearest(entry.kind, [n for n in dir(module) if n[:1].isupper()], "it has")
        raise ValueError(f"{entry.place} has no class {entry.kind!r}: {near}")
    return cast("Callable[..., Optimizer]", found)


@cache
def _module(place: str) -> Any:
    path, pin, _ = file_of(f"{place}:")
    if pin or place.endswith(".py"):
        return _module_of_file(Path(path or place), pin.removeprefix("@"))
    try:
        return importlib.import_module(place)
    except ImportError as error:
        raise ValueError(f"module {place!r} cannot be imported: {error}") from error


def rates(entry: OptimizerEntry, optimizer: Any, schedule: Schedule) -> Schedule | list[Schedule]:
    """Return the rate's schedule for `Scheduler`: a list if the rest has its own."""
    if entry.rest_schedule is None or not isinstance(optimizer, Joined):
        return schedule
    others = find_contender(entry.rest_schedule).schedule
    groups = [len(part.param_groups) for part in optimizer.parts]
    return [schedule] * groups[0] + [others] * groups[1]


def _module_of_file(path: Path, pin: str) -> Any:
    content = content_of(str(path))
    if pin and fingerprint(content) != pin:
        raise TaskError(f"optimizer file {str(path)!r} has changed since the comparison began")
    try:
        return module_of(path, content, f"lehr_optimizer_{path.stem}")
    # `sys.exit` in a user's file would end lehr, with the exit code of a success.
    except (Exception, SystemExit) as error:
        raise TaskError(f"{path.name} cannot be run: {describe(error)}") from error


@cache
def needs_closure(text: str) -> bool:
    """Return whether an optimizer's step needs a function that computes the loss again.

    This is tested by a step without one, on a small network.
    """
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = find_optimizer(text).make(network, 0.01)
    set_training(optimizer, True)
    network(torch.ones(2, 3)).sum().backward()
    try:
        optimizer.step()
    # LBFGS raises a TypeError, others an AssertionError or a RuntimeError.
    except Exception:
        return True
    return False


def set_training(optimizer: Any, training: bool) -> None:
    """Switch the training mode of an optimizer on or off, if it has one.

    Schedule-free optimizers have one: in evaluation mode their weights are averages.
    """
    for part in getattr(optimizer, "parts", (optimizer,)):
        change = getattr(part, "train" if training else "eval", None)
        if callable(change):
            change()
