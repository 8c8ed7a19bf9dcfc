"""The state of everything that a search touches, kept so that it can be put back.

Tensors are restored in place, so that whatever refers to them (a compiled step, a captured graph, a
view) still does.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lehr.errors import ScheduleError
from lehr.torch.updates import Updates

Restore = Callable[[], Any]

_PLAIN = (int, float, complex, bool, str, bytes, type(None), Enum, torch.dtype, torch.device)


class _Memory:
    """Remembers values: each mutable one once, however many refer to it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Restore]] = {}

    def remember(self, value: Any) -> Restore:
        """Return a function that puts a value back into its state of now, and returns it."""
        if isinstance(value, _PLAIN) or callable(value):
            return lambda: value
        found = self._known.get(id(value))
        if found is None:
            # Known before its parts are looked at: they may refer to it.
            self._known[id(value)] = value, lambda: value
            found = self._known[id(value)] = value, self._new(value)
        return found[1]

    def _new(self, value: Any) -> Restore:
        if isinstance(value, Tensor):
            return _tensor(value)
        if isinstance(value, dict):
            parts = [(key, self.remember(part)) for key, part in value.items()]

            def refill() -> Any:
                fresh = [(key, restore()) for key, restore in parts]
                value.clear()
                value.update(fresh)
                return value

            return refill
        if isinstance(value, list | deque | set):
            members = [self.remember(part) for part in value]

            def replace() -> Any:
                fresh = [restore() for restore in members]
                value.clear()
                (value.update if isinstance(value, set) else value.extend)(fresh)
                return value

            return replace
        if isinstance(value, tuple):
            members = [self.remember(part) for part in value]
            return lambda: ([restore() for restore in members], value)[1]
        if isinstance(value, np.ndarray):
            copied = value.copy()
            return lambda: (np.copyto(value, copied), value)[1]
        if isinstance(value, torch.Generator):
            state = value.get_state()
            return lambda: (value.set_state(state), value)[1]
        if isinstance(value, np.random.Generator):
            drawn = value.bit_generator.state
            return lambda: (setattr(value.bit_generator, "state", drawn), value)[1]
        if isinstance(value, random.Random):
            place = value.getstate()
            return lambda: (value.setstate(place), value)[1]
        if hasattr(value, "__dict__"):
            attributes = self.remember(vars(value))
            return lambda: (attributes(), value)[1]
        return lambda: value


def _tensor(value: Tensor) -> Restore:
    if nn.parameter.is_lazy(value):
        raise ScheduleError(
            "the model has parameters without a shape (a lazy module): run a batch through it "
            "before the search"
        )
    copied = value.detach().clone()

    @torch.no_grad()
    def restore() -> Tensor:
        value.copy_(copied)
        return value

    return restore


def _simple(owner: Any, memory: _Memory) -> Restore:
    """Remember the attributes of an object that are numbers, texts or tensors, and no others."""
    kinds = (*_PLAIN, Tensor, torch.Generator, np.random.Generator, random.Random)

    def chosen() -> set[str]:
        return {name for name, value in vars(owner).items() if isinstance(value, kinds)}

    kept = {name: memory.remember(vars(owner)[name]) for name in chosen()}

    def restore() -> None:
        for name in chosen() - kept.keys():
            del vars(owner)[name]
        for name, part in kept.items():
            vars(owner)[name] = part()

    return restore


def _module(module: nn.Module, memory: _Memory) -> Iterator[Restore]:
    """Remember a module: mode, counters and own tensors; parameters, buffers and gradients."""
    yield _simple(module, memory)
    yield memory.remember(module._buffers)
    yield memory.remember(module._parameters)


def _gradient(parameter: Tensor, memory: _Memory) -> Restore:
    kept = None if parameter.grad is None else memory.remember(parameter.grad)

    def restore() -> None:
        parameter.grad = None if kept is None else kept()

    return restore


def _optimizer(optimizer: Any, memory: _Memory) -> Iterator[Restore]:
    """Remember an optimizer: its groups, its state, and what schedulers count of its updates."""
    yield memory.remember(optimizer.param_groups)
    yield memory.remember(optimizer.state)
    yield _simple(optimizer, memory)
    for hook in getattr(optimizer, "_optimizer_step_post_hooks", {}).values():
        if isinstance(hook, Updates):
            values = {name: getattr(hook, name) for name in Updates.__slots__}
            yield lambda hook=hook, values=values: [
                setattr(hook, name, value) for name, value in values.items()
            ]


def _other(thing: Any, memory: _Memory) -> Restore:
    """Remember a gradient scaler, a scheduler, averaged weights, or what has a state dict."""
    if isinstance(thing, nn.Module):
        parts = [part for module in thing.modules() for part in _module(module, memory)]
        return lambda: [restore() for restore in parts]
    if isinstance(thing, torch.amp.GradScaler):
        return memory.remember(vars(thing))
    if hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
        state = memory.remember(thing.state_dict())
        return lambda: thing.load_state_dict(state())
    return memory.remember(thing)


def _randomness() -> Restore:
    """Remember the random states of torch, of its devices, of NumPy and of Python."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    has_cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    cuda = torch.cuda.get_rng_state_all() if has_cuda else []
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None

    def restore() -> None:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)

    return restore


class Kept:
    """The state of a training: everything that an update may change.

    Arguments:
        modules: The models, with all that is inside them.
        optimizers: Their optimizers.
        others: Gradient scalers, schedulers, averaged weights and other objects with a state.

    Raises:
        ScheduleError: If a parameter has no shape yet.
    """

    def __init__(
        self, modules: Iterable[nn.Module], optimizers: Iterable[Any], others: Iterable[Any] = ()
    ) -> None:
        memory = _Memory()
        self._parts = [_randomness()]
        parameters: dict[int, Tensor] = {}
        for module in modules:
            for each in module.modules():
                self._parts += _module(each, memory)
            parameters |= {id(p): p for p in module.parameters()}
        # Before the optimizers: a scheduler that loads its state writes its rate into the groups.
        self._parts += [_other(thing, memory) for thing in others]
        for optimizer in optimizers:
            self._parts += _optimizer(optimizer, memory)
            for group in optimizer.param_groups:
                parameters |= {id(p): p for p in group["params"]}
        self._parts += [_gradient(parameter, memory) for parameter in parameters.values()]

    def restore(self) -> None:
        """Put everything back. It may be called any number of times."""
        for part in self._parts:
            part()


class KeptLoader:
    """The state of a loader: its generators, its epoch, and its position if it has one.

    An iterator cannot be put back, and neither can a data set that keeps its place to itself.
    """

    def __init__(self, loader: Any) -> None:
        memory = _Memory()
        self._parts: list[Restore] = []
        samplers = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
        inner = [getattr(sampler, "sampler", None) for sampler in samplers]
        for part in (loader, getattr(loader, "dataset", None), *samplers, *inner):
            if hasattr(part, "__dict__") and not isinstance(part, torch.utils.data.DataLoader):
                self._parts.append(_simple(part, memory))
        generator = getattr(loader, "generator", None)
        if isinstance(generator, torch.Generator):
            self._parts.append(memory.remember(generator))
        if hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict"):
            try:
                state = loader.state_dict()
            except AttributeError:
                # Accelerate's loaders have the methods, and a state only if asked for one.
                return
            self._parts.append(lambda: loader.load_state_dict(state))

    def restore(self) -> None:
        """Put the loader back."""
        for part in self._parts:
            part()
