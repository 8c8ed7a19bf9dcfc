"""One update of a user's training: at which rates, on which batches, with which loss."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lehr.errors import ScheduleError
from lehr.find.margins import OptimizerFamily, family_of
from lehr.torch.finding.kept import Kept, KeptLoader

TrainStep = Callable[[Any], Any]

_MOST_BYTES = 2**30  # of recorded batches; beyond, they are used again in turn
_FEWEST = 40


def number_of(loss: Any) -> float:
    """Return a loss as a number: several losses count as their sum.

    Raises:
        ScheduleError: If it is neither a number nor made of numbers.
    """
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


def averaged(loss: float, device: torch.device) -> float:
    """Return the mean of a loss over the processes that train together."""
    spread = torch.distributed
    if not (spread.is_available() and spread.is_initialized() and spread.get_world_size() > 1):
        return loss
    both = torch.tensor([loss], dtype=torch.float64, device=device)
    spread.all_reduce(both)
    return float(both) / spread.get_world_size()


class Rates:
    """The rates of all groups of some optimizers, moved by one factor so that ratios are kept.

    Attributes:
        first: The rate of the first group that has one: what a peak rate stands for.

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
        """Return the rate of each group where the first one has this rate."""
        return tuple(base / self.first * rate for base in self._bases)

    def write(self, rate: float) -> None:
        """Give the first group a rate, and the others theirs in proportion."""
        for group, value in zip(self._groups, self.at(rate), strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value


def family(optimizers: Sequence[Any]) -> OptimizerFamily | None:
    """Return the family of the optimizers: that of the first one, whose rate is the peak."""
    first = optimizers[0]
    # Those of hidden matrices and of the rest, joined into one.
    first = next(iter(getattr(first, "parts", ())), first)
    return family_of(base.__name__ for base in type(first).__mro__)


def epoch_of(batches: Iterable[Any], accumulate: int) -> float | None:
    """Return the updates in which a loader gives all of its batches; None if it has no length."""
    try:
        return len(batches) / accumulate or None  # pyright: ignore[reportArgumentType]
    except TypeError:
        return None


class Training:
    """The updates of a search: all its runs start from one state and share their batches.

    Used as a context, it puts everything back at its end, whatever ends it.

    Arguments:
        modules: The models.
        optimizers: Their optimizers.
        batches: A loader, or any iterable of batches.
        step: Makes one update, or a part of one, with a batch; returns the loss.
        others: Other objects with a state that an update changes.
        loaders: Other loaders that are read, whose state is put back after each run.
        accumulate: The batches of one update.
        updates: The number of updates to record batches for.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        optimizers: Sequence[Any],
        batches: Iterable[Any],
        step: TrainStep,
        *,
        others: Sequence[Any] = (),
        loaders: Sequence[Any] = (),
        accumulate: int = 1,
        updates: int,
    ) -> None:
        self.rates = Rates(optimizers)
        self._step, self._accumulate = step, accumulate
        self._loader = batches
        self._device = next(
            (p.device for module in modules for p in module.parameters()), torch.device("cpu")
        )
        self._kept = Kept(modules, optimizers, others)
        self._kept_loaders = [KeptLoader(each) for each in (batches, *loaders)]
        self._needed = updates * accumulate
        self._recorded: list[Any] = []

    def __enter__(self) -> Training:
        try:
            self._recorded = _record(self._loader, self._needed)
        finally:
            self._restore()
        return self

    def _restore(self) -> None:
        for kept in self._kept_loaders:
            kept.restore()
        self._kept.restore()

    def __exit__(self, *_: object) -> None:
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                self._restore()
                break
            except KeyboardInterrupt as error:
                # Half of the state would be that of the last run.
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def run(self, rates: Iterable[float], first: int = 0) -> Generator[float]:
        """Start again from the state that was found; yield the loss of each update.

        Arguments:
            rates: The rate of each update.
            first: The number of the first update among those that batches were recorded for.
        """
        self._restore()
        for number, rate in enumerate(rates, first):
            self.rates.write(rate)
            losses = [
                number_of(self._step(_copied(self._batch(number * self._accumulate + part))))
                for part in range(self._accumulate)
            ]
            yield self.averaged(math.fsum(losses) / len(losses))

    def averaged(self, value: float) -> float:
        """Return the mean of a value over the processes that train together."""
        return averaged(value, self._device)

    def _batch(self, number: int) -> Any:
        return self._recorded[number % len(self._recorded)]


def _record(batches: Iterable[Any], needed: int) -> list[Any]:
    """Take batches, from the start again where there are fewer.

    Raises:
        ScheduleError: If there is none.
    """
    if isinstance(batches, Iterator):
        warnings.warn(
            f"batches is an iterator: the {needed} batches that the search takes are gone from it "
            "afterwards; give the loader itself",
            stacklevel=4,
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
    """Return a batch in containers of its own: a step may take parts out of them."""
    if isinstance(batch, dict):
        return {key: _copied(part) for key, part in batch.items()}
    return [_copied(part) for part in batch] if isinstance(batch, list) else batch


def own_step(
    model: nn.Module,
    loss: Callable[..., Any] | None,
    optimizers: Sequence[Any],
    scaler: Any,
    autocast: torch.dtype | None,
    accumulate: int,
) -> TrainStep:
    """Return the update of an ordinary training loop.

    Arguments:
        model: The model.
        loss: (outputs, targets) -> the loss; None if the model returns it.
        optimizers: The optimizers, stepped one after another.
        scaler: The gradient scaler, or None.
        autocast: The type that the model computes in, or None.
        accumulate: The batches of one update.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    done = 0

    def forward(batch: Any) -> Any:
        with torch.autocast(device.type, autocast or torch.float32, enabled=autocast is not None):
            found = _forward(model, loss, _moved(batch, device))
        return found / accumulate

    def step(batch: Any) -> Any:
        nonlocal done
        if not model.training:
            model.train()
        for optimizer in optimizers:
            getattr(optimizer, "train", lambda: None)()  # of schedule-free ones
        with torch.enable_grad():
            if len(optimizers) == 1 and scaler is None and accumulate == 1:
                return optimizers[0].step(lambda: _backward(optimizers, forward(batch)))
            if done % accumulate == 0:
                for optimizer in optimizers:
                    optimizer.zero_grad()
            found = forward(batch)
            (found if scaler is None else scaler.scale(found)).backward()
            done += 1
            if done % accumulate == 0:
                _update(optimizers, scaler)
            return found.detach() * accumulate

    return step


def validation_loss(
    model: nn.Module,
    loss: Callable[..., Any] | None,
    optimizers: Sequence[Any],
    autocast: torch.dtype | None,
    batches: Iterable[Any],
) -> Callable[[], float]:
    """Return a function that evaluates a model on all batches of its validation data.

    Each call leaves model and optimizers in their evaluation mode.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))

    def mean() -> float:
        model.eval()
        for optimizer in optimizers:
            getattr(optimizer, "eval", lambda: None)()  # of schedule-free ones
        enabled = autocast is not None
        with (
            torch.no_grad(),
            torch.autocast(device.type, autocast or torch.float32, enabled=enabled),
        ):
            found = [float(_forward(model, loss, _moved(batch, device))) for batch in batches]
        if not found:
            raise ScheduleError("validation is empty: give a loader with at least one batch")
        return math.fsum(found) / len(found)

    return mean


def _backward(optimizers: Sequence[Optimizer], loss: Tensor) -> Tensor:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    return loss


def _update(optimizers: Sequence[Optimizer], scaler: Any) -> None:
    for optimizer in optimizers:
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
    if scaler is not None:
        scaler.update()


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
    """Return one number as a tensor: the loss of an output, or the sum of several losses."""
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
