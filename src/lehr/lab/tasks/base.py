"""What is trained: a task is data, a network and a loss, looked up by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = [
    "OTHERS",
    "TASKS",
    "Data",
    "Split",
    "Task",
    "TaskError",
    "find_task",
    "identity",
    "pinned",
]


class Split(NamedTuple):
    """One part of the data.

    Attributes:
        inputs: (samples, ...), numbers of any kind that the network reads.
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
    torch and its data only inside the functions that need them. `docs/tasks.md` tells how to write
    one; `Task.from_tensors` makes one of tensors.

    Attributes:
        name: As it is looked up.
        summary: One plain line about the data.
        network: One plain line about the network.
        train: Samples in the training data.
        validation: Samples in the validation data.
        test: Samples in the test data.
        batch_size: Samples per update, at most ``train``.
        score_name: What the score on the test data is called.
        chance: The score of one who guesses, in [0, 1]; a run that diverges gets it.
        load: Returns the data, the same object every time.
        model: Returns a network whose starting weights are drawn from this generator, or from
            torch's own randomness, which is seeded meanwhile. Networks that ``torch.vmap`` takes
            are trained side by side; others (running averages, dropout) one after another.
        loss: (outputs, targets) -> the scalar to make small.
        score: (outputs, targets) -> a scalar in [0, 1]; more is better. Scores are compared,
            averaged and told in points of a percent, so a loss is made into a share first:
            ``exp(-loss)`` is the geometric mean of the probabilities that a cross-entropy saw.

    Raises:
        ValueError: If the sizes or the chance cannot be.
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
        for name in ("validation", "test"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1 sample")
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance={self.chance} must be a share, from 0 to 1, as scores are")

    @classmethod
    def from_tensors(
        cls,
        inputs: Tensor,
        targets: Tensor,
        model: Callable[[], nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        score: Callable[[Tensor, Tensor], Tensor] | None = None,
        **parts: Any,
    ) -> Task:
        """Make a task of tensors: half of the samples train, a quarter each validates and tests.

        The split is random and always the same.

        Arguments:
            inputs: (samples, ...), at least 4.
            targets: (samples, ...).
            model: Returns a new network, with starting weights of torch's own randomness.
            loss: (outputs, targets) -> the scalar to make small.
            score: (outputs, targets) -> a scalar in [0, 1]; ``exp(-loss)`` where it is not given.
            **parts: Other attributes of a task. Unless given, ``batch_size`` is 32, or all where
                there are fewer, and ``chance`` is 0.

        Raises:
            TaskError: If the tensors do not belong together.

        Example:
            >>> import torch
            >>> from torch.nn import Linear, functional
            >>> x = torch.linspace(-1, 1, 200).view(-1, 1)
            >>> task = Task.from_tensors(x, 2 * x, lambda: Linear(1, 1), functional.mse_loss)
            >>> task.train, task.validation, task.test, task.score_name
            (100, 50, 50, 'exp(-test loss)')
        """
        from lehr.lab.tasks.from_tensors import task_of

        return task_of(inputs, targets, model, loss, score, parts)


class TaskError(ValueError):
    """A task that cannot be found or used; the message says what is wrong with it."""


# A name, and the module and the name there of its `Task`: a new one is a new file and a line here.
_KNOWN = {
    "digits": ("lehr.lab.tasks.digits", "TASK"),
    "digits-conv": ("lehr.lab.tasks.digits", "CONVOLUTIONAL"),
    "mnist5k": ("lehr.lab.tasks.mnist", "TASK"),
    "breast_cancer": ("lehr.lab.tasks.breast_cancer", "TASK"),
    "quadratic": ("lehr.lab.tasks.quadratic", "TASK"),
}

TASKS = tuple(_KNOWN)
"""The tasks that have a name of their own."""

OTHERS = "text:FILE, FILE.py:FUNCTION"
"""What else can be written for a task."""


def find_task(name: str) -> Task:
    """Return the task of this name.

    Arguments:
        name: One of `TASKS`; ``text:FILE`` for a text to learn; ``FILE.py:FUNCTION`` for a task
            that this function of a Python file makes (the file is run); or what `pinned` made.

    Raises:
        TaskError: If there is none; the message lists those there are. Or if its file cannot be
            used.
    """
    if name in _KNOWN:
        module, attribute = _KNOWN[name]
        return getattr(import_module(module), attribute)
    return _of_file(pinned(name))


def pinned(name: str) -> str:
    """Return the name with what its file holds made part of it, for another process to find it.

    The folder is made absolute, and a hash of the content follows. `find_task` refuses a file
    whose content has changed since.

    Raises:
        TaskError: If there is no such task.

    Example:
        >>> pinned("digits")
        'digits'
    """
    if name in _KNOWN or _PIN.search(name):
        return name
    kind, file = _parts(name)
    path = Path(file).expanduser().absolute()
    known = f"{kind}:{path}" if kind == _TEXT else f"{path}:{kind}"
    return f"{known}@{_hash(_content(path))}"


def identity(name: str) -> str:
    """Return what defines a task, wherever its file lies: part of every trial's identity.

    Raises:
        TaskError: If there is no such task.

    Example:
        >>> identity("text:/poems/sonnets.txt@0123456789abcdef")
        'text@0123456789abcdef'
    """
    if name in _KNOWN:
        return name
    known, _, pin = pinned(name).rpartition("@")
    return f"{_parts(known)[0]}@{pin}"


_TEXT = "text"
_PIN = re.compile("@[0-9a-f]{16}$")


def _parts(name: str) -> tuple[str, str]:
    """What kind a file is of (text, or the function that makes its task), and its path."""
    kind, _, file = name.partition(":")
    if kind == _TEXT and file:
        return kind, file
    file, _, function = name.rpartition(":")
    if file.endswith(".py") and function.isidentifier():
        return function, file
    known = ", ".join(TASKS)
    raise TaskError(f"unknown task {name!r}: choose from {known}; or write {OTHERS}")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"task file {str(path)!r} cannot be read: {error.strerror}") from error


@cache
def _of_file(name: str) -> Task:
    known, _, pin = name.rpartition("@")
    kind, file = _parts(known)
    content = _content(Path(file))
    if _hash(content) != pin:
        raise TaskError(
            f"task file {file!r} has changed since the comparison began: start the comparison again"
        )
    if kind == _TEXT:
        from lehr.lab.tasks.text_file import text_task

        return text_task(file, content)
    from lehr.lab.tasks.python_file import own_task

    return own_task(Path(file), content, kind)
