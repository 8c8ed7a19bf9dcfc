"""The optimizers that a driver drives: those that it was given, or those inside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from torch.optim import Optimizer

from lehr.errors import ScheduleError
from lehr.torch.binding import Group

_INNER: Final = (
    *("optimizer", "optim", "base_optimizer", "inner_optimizer"),
    *("_optimizer", "_optim", "_base_optimizer", "_inner_optimizer"),
)
"""The attributes in which wrappers keep the optimizer that they wrap."""


class Optimizers(Sequence[Any]):
    """The optimizers whose groups are driven: the given ones, or those that they wrap.

    Arguments:
        given: One or several, as the user gave them.
        any_optimizer: Whether to accept an object that only has ``param_groups``.

    Attributes:
        source: An object whose ``param_groups`` are those of all; the optimizer itself if it is
            alone.

    Raises:
        ScheduleError: If there are none, or one of them is given twice.
        TypeError: If one of them is not an optimizer.
    """

    def __init__(self, given: Sequence[Any], any_optimizer: bool) -> None:
        if not given:
            raise ScheduleError("optimizer=[]: no optimizer is given")
        for each in given:
            if not any_optimizer:
                check_optimizer(each)
            elif not isinstance(getattr(each, "param_groups", None), list):
                kind = type(each).__name__
                raise TypeError(f"{kind} is not an optimizer: it has no param_groups")
        self.given, self._driven = list(given), [_inner_of(each) for each in given]
        if len({id(each) for each in self._driven}) < len(given):
            raise ScheduleError("optimizer: one of the optimizers is given twice")
        self.source: Any = self._driven[0] if len(given) == 1 else self

    def __getitem__(self, index: Any) -> Any:
        return self._driven[index]

    def __len__(self) -> int:
        return len(self._driven)

    @property
    def param_groups(self) -> list[Group]:
        """The groups, one optimizer after the other."""
        return [group for optimizer in self._driven for group in optimizer.param_groups]


def check_optimizer(optimizer: Any) -> None:
    """Raise TypeError unless ``optimizer`` is a torch Optimizer."""
    if isinstance(optimizer, Optimizer):
        return
    kind = type(optimizer).__name__
    for name in _INNER:
        if isinstance(getattr(optimizer, name, None), Optimizer):
            raise TypeError(
                f"{kind} is not an Optimizer: pass the inner optimizer, its attribute `.{name}`"
            )
    if isinstance(getattr(optimizer, "param_groups", None), list):
        raise TypeError(
            f"{kind} is not an Optimizer, although it has param_groups: to drive these all the "
            "same, write Scheduler(..., any_optimizer=True)"
        )
    raise TypeError(f"{kind} is not an Optimizer: pass one of torch.optim, or a subclass of it")


def _inner_of(optimizer: Any) -> Any:
    """Return the innermost optimizer that does a wrapper's work, or the optimizer itself.

    A wrapper's own groups may date from before the last load. An inner optimizer does not count if
    its parameters differ from the wrapper's, or if the wrapper copies its own groups into it before
    each update, as torch's ZeroRedundancyOptimizer does.
    """
    if copies_its_groups(optimizer):
        return optimizer
    for name in _INNER:
        inner = getattr(optimizer, name, None)
        if isinstance(inner, Optimizer) and inner is not optimizer and _alike(optimizer, inner):
            return _inner_of(inner)
    return optimizer


def copies_its_groups(optimizer: Any) -> bool:
    """Return whether a wrapper copies its own groups into the inner ones before each update."""
    return hasattr(optimizer, "_sync_param_groups")


def _alike(outer: Any, inner: Any) -> bool:
    """Return whether two optimizers have the same parameters."""
    if outer.param_groups is inner.param_groups:
        return True
    mine, others = (
        [id(p) for group in each.param_groups for p in group["params"]] for each in (outer, inner)
    )
    return mine == others
