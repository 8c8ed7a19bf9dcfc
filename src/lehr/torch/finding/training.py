"""A user's training, one update at a time, with its rates, batches and loss."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lehr.errors import ScheduleError, whole
from lehr.find.margins import OptimizerFamily, family_of
from lehr.torch.binding import LR, warn
from lehr.torch.finding.kept import Kept

TrainStep = Callable[[Any], Any]

_MOST_BYTES = 2**30  # of recorded batches; beyond that they are reused in order
_FEWEST = 40


def sequence_of(name: str, given: Any) -> list[Any]:
    """Return one or several objects as a list, which must not be empty."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    if not several or None in several:
        raise ScheduleError(f"{name}={given!r}: give the {name}, or a list of them")
    return several


class TrainingLoop:
    """How a user trains: the ordinary loop with a loss, or a user-defined step.

    The arguments are those of :func:`lehr.torch.find_lr`.

    Attributes:
        step: Makes one update, or a part of one, with a batch; returns the loss.
        others: Other objects with a state that an update changes.

    Raises:
        ScheduleError: If both are given, or several models are given without a step.
    """

    def __init__(
        self,
        model: nn.Module | Sequence[nn.Module],
        loss: Callable[..., Any] | None,
        optimizer: Any,
        train_step: TrainStep | None,
        accumulate: int,
        scaler: Any,
        autocast: torch.dtype | None,
        others: Sequence[Any],
    ) -> None:
        self.modules: list[nn.Module] = sequence_of("model", model)
        self.optimizers = sequence_of("optimizer", optimizer)
        self.accumulate = whole("accumulate", accumulate, at_least=1)
        self.others = [*others, *([] if scaler is None else [scaler])]
        self._loss, self._autocast, self._scaler = loss, autocast, scaler
        self.is_own = train_step is not None
        if train_step is not None:
            given = {"loss": loss, "autocast": autocast}
            if twice := [name for name, value in given.items() if value is not None]:
                raise ScheduleError(
                    f"{twice[0]}= and train_step= both say how to train; leave {twice[0]} out"
                )
        elif len(self.modules) > 1:
            raise ScheduleError("model is a list of several models: write train_step= for them")
        parameters = (p for module in self.modules for p in module.parameters())
        self.device = next((p.device for p in parameters), torch.device("cpu"))
        self.step = train_step or self._ordinary_step()

    def _ordinary_step(self) -> TrainStep:
        model, optimizers, scaler = self.modules[0], self.optimizers, self._scaler
        accumulating = accumulated(
            self._forward,
            lambda loss: (loss if scaler is None else scaler.scale(loss)).backward(),
            optimizers,
            self.accumulate,
            scaler,
        )

        def step(batch: Any) -> Any:
            if not model.training:
                model.train()
            for optimizer in optimizers:
                getattr(optimizer, "train", lambda: None)()  # of schedule-free ones

            def closure() -> Tensor:
                optimizers[0].zero_grad()
                loss = self._forward(batch)
                loss.backward()
                return loss

            with torch.enable_grad():
                if len(optimizers) == 1 and scaler is None and self.accumulate == 1:
                    return optimizers[0].step(closure)
                return accumulating(batch)

        return step

    def _forward(self, batch: Any) -> Tensor:
        kind, enabled = self._autocast or torch.float32, self._autocast is not None
        with torch.autocast(self.device.type, kind, enabled=enabled):
            return _forward(self.modules[0], self._loss, _moved(batch, self.device))

    def validate(self, batches: Iterable[Any]) -> float:
        """Return the mean loss on batches; leave model and optimizers in evaluation mode."""
        self.modules[0].eval()
        for optimizer in self.optimizers:
            getattr(optimizer, "eval", lambda: None)()  # of schedule-free ones
        with torch.no_grad():
            losses = [float(self._forward(batch)) for batch in batches]
        if not losses:
            raise ScheduleError("validation is empty: give a loader with at least one batch")
        return math.fsum(losses) / len(losses)

    def epoch_of(self, batches: Iterable[Any]) -> float | None:
        """Return the number of updates in an epoch of a loader; None if it has no length."""
        try:
            return len(batches) / self.accumulate or None  # pyright: ignore[reportArgumentType]
        except TypeError:
            return None

    @property
    def family(self) -> OptimizerFamily | None:
        """The family of the first optimizer, whose rate is the reported peak."""
        first = self.optimizers[0]
        # One for hidden matrices and one for the rest, joined into one.
        first = next(iter(getattr(first, "parts", ())), first)
        return family_of(base.__name__ for base in type(first).__mro__)


def accumulated(
    loss_of: Callable[[Any], Tensor],
    backward: Callable[[Tensor], object],
    optimizers: Sequence[Any],
    parts: int,
    scaler: Any = None,
    clip: Callable[[Any], object] | None = None,
) -> TrainStep:
    """Return a step that adds up the gradients of several batches, then updates.

    Arguments:
        loss_of: Returns the loss of a batch.
        backward: Called with the loss divided by the number of batches in an update.
        optimizers: The optimizers, stepped one after another.
        parts: The number of batches in one update.
        scaler: The gradient scaler, or None.
        clip: Called with each optimizer before its step, to clip its gradients.
    """
    done = 0

    def step(batch: Any) -> Tensor:
        nonlocal done
        if done % parts == 0:
            for optimizer in optimizers:
                optimizer.zero_grad()
        loss = loss_of(batch)
        backward(loss / parts)
        done += 1
        if done % parts == 0:
            for optimizer in optimizers:
                if clip is not None:
                    if scaler is not None:
                        scaler.unscale_(optimizer)
                    clip(optimizer)
                optimizer.step() if scaler is None else scaler.step(optimizer)
            if scaler is not None:
                scaler.update()
        return loss.detach()

    return step


class Rates:
    """The rates of all groups, multiplied by one factor so that their ratios are kept.

    Attributes:
        first: The rate of the first group that has one; a peak rate is given in terms of it.

    Raises:
        ScheduleError: If a group has no rate, or all have the rate 0.
    """

    def __init__(self, optimizers: Sequence[Any]) -> None:
        self._groups = [group for one in optimizers for group in one.param_groups]
        if any("lr" not in group for group in self._groups):
            raise ScheduleError("optimizer has a group without a rate: there is nothing to find")
        # A scheduler that is already attached has put its own rate into "lr".
        self._bases = [float(group.get("initial_lr", group["lr"])) for group in self._groups]
        if not any(0 < base < math.inf for base in self._bases):
            raise ScheduleError(
                f"the rates of the optimizer's groups are {self._bases}: build it with a rate "
                "above 0, such as 0.01, to begin with"
            )
        self.first = next(base for base in self._bases if base > 0)

    def at(self, rate: float) -> tuple[float, ...]:
        """Return the rate of each group when the first group has this rate."""
        return tuple(base / self.first * rate for base in self._bases)

    def write(self, rate: float) -> None:
        """Give the first group a rate, and the others theirs in proportion."""
        for group, value in zip(self._groups, self.at(rate), strict=True):
            LR.write(group, value)


class Training:
    """The updates of a search: all its runs start from one state and share their batches.

    As a context manager, it restores everything on exit, however the block ends.

    Arguments:
        loop: Makes the updates.
        batches: A loader, or any iterable of batches.
        updates: The number of updates to record batches for.
        loaders: Other loaders that are read from; their state is restored after each run.
    """

    def __init__(
        self,
        loop: TrainingLoop,
        batches: Iterable[Any],
        updates: int,
        loaders: Sequence[Iterable[Any]] = (),
    ) -> None:
        self.rates = Rates(loop.optimizers)
        self._loop, self._batches = loop, batches
        self._kept = Kept(loop.modules, loop.optimizers, loop.others, (batches, *loaders))
        self._needed = updates * loop.accumulate
        self._recorded: list[Any] = []

    def __enter__(self) -> Training:
        try:
            self._recorded = _record(self._batches, self._needed)
        finally:
            self._kept.restore()
        return self

    def __exit__(self, *_: object) -> None:
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                self._kept.restore()
                break
            except KeyboardInterrupt as error:
                # Otherwise half of the state would be that of the last run.
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def run(self, rates: Iterable[float], first: int = 0) -> Generator[float]:
        """Start again from the original state; yield the loss of each update.

        Arguments:
            rates: The rate of each update.
            first: The index of the first update among those with recorded batches.
        """
        self._kept.restore()
        parts = self._loop.accumulate
        for number, rate in enumerate(rates, first):
            self.rates.write(rate)
            losses = [
                number_of(self._loop.step(_copied(self._batch(number * parts + part))))
                for part in range(parts)
            ]
            yield averaged(math.fsum(losses) / parts, self._loop.device)

    def _batch(self, number: int) -> Any:
        return self._recorded[number % len(self._recorded)]


def averaged(value: float, device: torch.device) -> float:
    """Return the mean of a value over the processes that train together."""
    spread = torch.distributed
    if not (spread.is_available() and spread.is_initialized() and spread.get_world_size() > 1):
        return value
    total = torch.tensor([value], dtype=torch.float64, device=device)
    spread.all_reduce(total)
    return float(total) / spread.get_world_size()


def _record(batches: Iterable[Any], needed: int) -> list[Any]:
    """Record batches, starting over if the loader has too few."""
    if isinstance(batches, Iterator):
        warn(
            f"batches is an iterator: the {needed} batches that the search takes are gone from it "
            "afterwards; give the loader itself"
        )
    found: list[Any] = []
    size = 0
    while len(found) < needed:
        before = len(found)
        for batch in itertools.islice(batches, needed - before):
            found.append(batch)
            size += _bytes(batch)
            if size > _MOST_BYTES and len(found) >= _FEWEST:
                return found
        if len(found) == before or isinstance(batches, Sequence | Iterator):
            break
    if not found:
        raise ScheduleError("batches is empty: give a loader with at least one batch")
    return found


def _bytes(batch: Any) -> int:
    if isinstance(batch, Tensor):
        return batch.numel() * batch.element_size()
    if isinstance(batch, Mapping):
        return sum(map(_bytes, batch.values()))
    return sum(map(_bytes, batch)) if isinstance(batch, list | tuple) else 0


def _copied(batch: Any) -> Any:
    """Return a batch in new containers, since a step may remove items from them."""
    if isinstance(batch, dict):
        return {key: _copied(part) for key, part in batch.items()}
    return [_copied(part) for part in batch] if isinstance(batch, list) else batch


def _forward(model: nn.Module, loss: Callable[..., Any] | None, batch: Any) -> Tensor:
    if loss is None:
        found = _called(model, batch)
    else:
        if not (isinstance(batch, list | tuple) and len(batch) == 2):
            raise ScheduleError(
                f"loss needs batches of inputs and targets, and a batch is a "
                f"{type(batch).__name__}: leave loss out if the model returns its loss, or write "
                "train_step="
            )
        found = loss(_called(model, batch[0]), batch[1])
    return _total(found)


def _called(model: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, list | tuple) else model(inputs)


def _total(found: Any) -> Tensor:
    """Return an output's loss, or the sum of several losses, as a tensor."""
    if isinstance(found, Tensor):
        return _scalar(found)
    if isinstance(getattr(found, "loss", None), Tensor):
        return found.loss
    if isinstance(found, Mapping) and "loss" in found:
        return found["loss"]
    parts = list(found.values()) if isinstance(found, Mapping) else found
    if isinstance(parts, list | tuple) and parts and all(isinstance(p, Tensor) for p in parts):
        return torch.stack([part.sum() for part in parts]).sum()
    raise ScheduleError(
        f"the loss is a {type(found).__name__}: it must be a tensor, several tensors, or an output "
        "with a loss; or write train_step="
    )


def _moved(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: _moved(part, device) for key, part in batch.items()}
    if isinstance(batch, list | tuple):
        return [_moved(part, device) for part in batch]
    return batch


def number_of(loss: Any) -> float:
    """Return a loss as a number: several losses count as their sum."""
    if isinstance(loss, Tensor):
        return float(_scalar(loss).detach())
    if hasattr(loss, "loss"):
        return number_of(loss.loss)
    if isinstance(loss, Mapping):
        return number_of(loss["loss"]) if "loss" in loss else sum(map(number_of, loss.values()))
    if isinstance(loss, Sequence) and not isinstance(loss, str):
        return sum(map(number_of, loss))
    try:
        return float(loss)
    except (TypeError, ValueError):
        raise ScheduleError(
            f"train_step returned {loss!r:.80}, not a loss: return the loss of the batch, a number "
            "or a tensor"
        ) from None


def _scalar(loss: Tensor) -> Tensor:
    if loss.numel() != 1:
        raise ScheduleError(
            f"the loss is a tensor of shape {tuple(loss.shape)}: return its mean, loss.mean()"
        )
    return loss
