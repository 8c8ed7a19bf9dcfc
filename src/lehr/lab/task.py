"""What is trained: a task is data, a network and a loss, looked up by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["TASKS", "Data", "Split", "Task", "find_task"]


class Split(NamedTuple):
    """One part of the data.

    Attributes:
        inputs: (samples, ...) float.
        targets: (samples, ...), in whatever form the task's loss and score read.
    """

    inputs: Tensor
    targets: Tensor

    def to(self, device: str) -> Split:
        """The same data on a device, as torch names it."""
        return Split(self.inputs.to(device), self.targets.to(device))


class Data(NamedTuple):
    """All of the data.

    Attributes:
        train: What the updates see.
        validation: What the peak rate is chosen on.
        test: What the score is measured on; nothing is chosen on it.
    """

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True, eq=False)
class Task:
    """All of a training run that does not depend on the optimizer or the schedule.

    The process that plans a comparison and sums it up never trains, so a task's module imports
    torch and its data only inside the functions that need them.

    Attributes:
        name: As it is looked up.
        summary: One plain line about the data.
        network: One plain line about the network.
        train: Samples in the training data.
        validation: Samples in the validation data.
        test: Samples in the test data.
        batch_size: Samples per update, at most ``train``.
        score_name: What the score on the test data is called.
        chance: The score of one who guesses; a run that diverges gets it.
        load: Returns the data, the same object every time.
        model: Returns a network whose starting weights are drawn from this generator, and from
            nothing else. Networks are trained side by side under ``torch.vmap``, so it must have
            no buffers (running averages) and no randomness of its own (dropout).
        loss: (outputs, targets) -> the scalar to make small.
        score: (outputs, targets) -> a float64 scalar in [0, 1]; more is better.
    """

    name: str
    summary: str
    network: str
    train: int
    validation: int
    test: int
    batch_size: int
    score_name: str
    chance: float
    load: Callable[[], Data]
    model: Callable[[torch.Generator], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.train:
            raise ValueError(
                f"batch_size={self.batch_size} must be from 1 to the {self.train} training samples"
            )


# A name and the module that has its `TASK`: a new task is a new file and a line here.
_MODULES = {"digits": "lehr.lab.digits"}

TASKS = tuple(_MODULES)


def find_task(name: str) -> Task:
    """Return the task of this name.

    Raises:
        ValueError: If there is none; the message lists those there are.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown task {name!r}: choose from {', '.join(TASKS)}")
    return import_module(_MODULES[name]).TASK
