"""The state of everything that a search touches, kept so that it can be put back.

Tensors are restored in place, so that whatever refers to them (a compiled step, a captured graph, a
view) still does.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lehr.errors import ScheduleError
from lehr.torch.updates import Updates

Restore = Callable[[], object]

_PLAIN = (int, float, complex, bool, str, bytes, type(None), Enum, torch.dtype, torch.device)
_GENERATORS = (torch.Generator, np.random.Generator, random.Random)


class _Memory:
    """Remembers values, each mutable one once, however many refer to it.

    Attributes:
        parts: Functions that restore the values as they were remembered: a value's parts first,
            then the value itself.
    """

    def __init__(self) -> None:
        self.parts: list[Restore] = []
        # The values themselves are held, so that their ids are not reused.
        self._known: dict[int, Any] = {}

    def remember(self, value: Any) -> None:
        """Remember a value with all that it refers to."""
        if isinstance(value, _PLAIN) or callable(value) or id(value) in self._known:
            return
        # Registered before its parts are visited: they may refer to it.
        self._known[id(value)] = value
        if isinstance(value, dict):
            self._remember_container(value, value.values(), value.update)
        elif isinstance(value, set):
            self._remember_container(value, value, value.update)
        elif isinstance(value, list | deque):
            self._remember_container(value, value, value.extend)
        elif isinstance(value, tuple):
            for part in value:
                self.remember(part)
        elif isinstance(value, Tensor):
            self.parts.append(_tensor(value))
        elif isinstance(value, np.ndarray):
            self.put_back(partial(np.copyto, value), value.copy())
        elif isinstance(value, torch.Generator):
            self.put_back(value.set_state, value.get_state())
        elif isinstance(value, np.random.Generator):
            bits = value.bit_generator
            self.put_back(partial(setattr, bits, "state"), bits.state)
        elif isinstance(value, random.Random):
            self.put_back(value.setstate, value.getstate())
        elif hasattr(value, "__dict__"):
            self.remember(vars(value))

    def _remember_container(
        self, value: Any, parts: Iterable[Any], fill: Callable[[Any], object]
    ) -> None:
        for part in parts:
            self.remember(part)
        content = value.copy()

        def refill() -> None:
            value.clear()
            fill(content)

        self.parts.append(refill)

    def put_back(self, put: Callable[[Any], object], state: Any) -> None:
        """Have the state restored by calling ``put`` with it."""
        self.parts.append(partial(put, state))

    def remember_simple(self, owner: Any) -> None:
        """Remember an object's attributes that are numbers, strings or tensors, and no others."""

        def simple() -> dict[str, Any]:
            kinds = (*_PLAIN, *_GENERATORS, Tensor)
            return {name: value for name, value in vars(owner).items() if isinstance(value, kinds)}

        kept = simple()
        for value in kept.values():
            self.remember(value)

        def restore() -> None:
            for name in simple().keys() - kept.keys():
                del vars(owner)[name]
            vars(owner).update(kept)

        self.parts.append(restore)

    def remember_module(self, module: nn.Module) -> None:
        """Remember a module and its submodules: mode, counters and tensors, but no gradients."""
        for each in module.modules():
            self.remember_simple(each)
            self.remember(each._buffers)
            self.remember(each._parameters)

    def remember_optimizer(self, optimizer: Any) -> None:
        """Remember an optimizer's groups, its state, and the updates that schedulers count."""
        self.remember(optimizer.param_groups)
        self.remember(optimizer.state)
        self.remember_simple(optimizer)
        for hook in getattr(optimizer, "_optimizer_step_post_hooks", {}).values():
            if isinstance(hook, Updates):
                for name in Updates.__slots__:
                    self.put_back(partial(setattr, hook, name), getattr(hook, name))

    def remember_other(self, thing: Any) -> None:
        """Remember a gradient scaler, a scheduler, averaged weights, or any object with a state."""
        if isinstance(thing, nn.Module):
            self.remember_module(thing)
        elif isinstance(thing, torch.amp.GradScaler):
            self.remember(vars(thing))
        elif hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
            state = thing.state_dict()
            # In a separate memory: what loading changes elsewhere must be restored after it.
            inside = _Memory()
            inside.remember(state)
            self.parts += [*inside.parts, lambda: thing.load_state_dict(state)]
        else:
            self.remember(thing)

    def remember_loader(self, loader: Any) -> None:
        """Remember a loader's generators, its epoch, and its position if it has one.

        An iterator cannot be restored, nor can a data set that does not expose its position.
        """
        samplers = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
        inner = [getattr(sampler, "sampler", None) for sampler in samplers]
        for part in (loader, getattr(loader, "dataset", None), *samplers, *inner):
            if hasattr(part, "__dict__") and not isinstance(part, torch.utils.data.DataLoader):
                self.remember_simple(part)
        generator = getattr(loader, "generator", None)
        if isinstance(generator, torch.Generator):
            self.remember(generator)
        if hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict"):
            # Accelerate's loaders always have the methods, but a state only if configured.
            with suppress(AttributeError):
                self.put_back(loader.load_state_dict, loader.state_dict())

    def remember_randomness(self) -> None:
        """Remember the random states of torch, of its devices, of NumPy and of Python."""
        self.put_back(random.setstate, random.getstate())
        self.put_back(np.random.set_state, np.random.get_state())  # noqa: NPY002
        self.put_back(torch.set_rng_state, torch.get_rng_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            self.put_back(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        if torch.backends.mps.is_available():
            self.put_back(torch.mps.set_rng_state, torch.mps.get_rng_state())


def _tensor(value: Tensor) -> Restore:
    if nn.parameter.is_lazy(value):
        raise ScheduleError(
            "the model has parameters without a shape (a lazy module): run a batch through it "
            "before the search"
        )
    copied = value.detach().clone()

    @torch.no_grad()
    def restore() -> None:
        value.copy_(copied)

    return restore


class Kept:
    """The state of a training run: everything that an update may change.

    Arguments:
        modules: The models, with their submodules.
        optimizers: Their optimizers.
        others: Gradient scalers, schedulers, averaged weights and other objects with a state.
        loaders: The loaders that are read from.

    Raises:
        ScheduleError: If a parameter has no shape yet.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        optimizers: Iterable[Any],
        others: Iterable[Any] = (),
        loaders: Iterable[Any] = (),
    ) -> None:
        memory = _Memory()
        parameters: dict[int, Tensor] = {}
        for loader in loaders:
            memory.remember_loader(loader)
        memory.remember_randomness()
        for module in modules:
            memory.remember_module(module)
            parameters |= {id(p): p for p in module.parameters()}
        # Before the optimizers: a scheduler that loads its state writes its rate into the groups.
        for thing in others:
            memory.remember_other(thing)
        for optimizer in optimizers:
            memory.remember_optimizer(optimizer)
            for group in optimizer.param_groups:
                parameters |= {id(p): p for p in group["params"]}
        for parameter in parameters.values():
            memory.remember(parameter.grad)
            memory.put_back(partial(setattr, parameter, "grad"), parameter.grad)
        self._parts = memory.parts

    def restore(self) -> None:
        """Put everything back. It may be called any number of times."""
        for part in self._parts:
            part()
