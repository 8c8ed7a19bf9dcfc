"""Containers that torch runs in a way of its own, replayed by torch itself.

This is the only module of the translations that imports torch.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim import lr_scheduler, swa_utils

from lehr.errors import ScheduleError
from lehr.schedule.leaves import formula
from lehr.translate.registry import Translation
from lehr.translate.torch.common import TorchBase, bases, needed


def replayed(
    name: str, schedulers: Iterable[Any], milestones: list[int] | None, *, base: TorchBase
) -> Translation:
    """Return the translation whose values are those of a fresh torch scheduler, step by step."""
    rates = [needed(rate, name, 1.0) for rate in bases(base.lr)]
    arguments = {"schedulers": list(schedulers), "milestones": milestones}
    run = _TorchRun(rates, name, arguments)
    curves = [formula(_RecordedValue(run, index)) for index in range(len(rates))]
    drives = any(child in str(arguments) for child in ("CyclicLR", "OneCycleLR"))
    return TorchBase(lr=rates, last_epoch=base.last_epoch).answer(
        curves, absolute=True, momentum=formula(_RecordedValue(run, -1)) if drives else None
    )


class _TorchRun:
    """A torch scheduler that is stepped as far as values are needed, and those values."""

    def __init__(self, rates: list[float], name: str, arguments: Mapping[str, Any]) -> None:
        groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in rates]
        self._optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
        # A container steps its children while it is built, and warns about that order itself.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._scheduler = _built(name, arguments, self._optimizer)
        self._values = [self._read()]

    def _read(self) -> list[float]:
        groups = self._optimizer.param_groups
        return [*(float(group["lr"]) for group in groups), float(groups[0]["momentum"])]

    def at(self, t: int) -> list[float]:
        """Return the rates of the groups at a step, and the momentum of the first."""
        while len(self._values) <= t:
            self._optimizer.step()
            try:
                self._scheduler.step()
            except (ArithmeticError, ValueError, NotImplementedError) as error:
                raise ScheduleError(
                    f"torch itself fails at step {len(self._values)}: {error!r}"
                ) from error
            self._values.append(self._read())
        return self._values[t]


class _RecordedValue:
    """One number of a run, as a function of the step."""

    def __init__(self, run: _TorchRun, index: int) -> None:
        self._run, self._index = run, index

    def __call__(self, t: float) -> float:
        return self._run.at(int(t))[self._index]


def _built(name: str, arguments: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> Any:
    """Return a scheduler of torch's, with its children."""
    kind: Any = swa_utils.SWALR if name == "SWALR" else getattr(lr_scheduler, name)
    given = dict(arguments)
    if "schedulers" in given:
        children = [_built(child, own, optimizer) for child, own in given["schedulers"]]
        if name == "ChainedScheduler":
            return kind(children, optimizer=optimizer)
        return kind(optimizer, schedulers=children, milestones=list(given["milestones"]))
    if given.get("initial_lr") is not None and given.get("min_lr") is not None:
        top, start, end = (_first(given[key]) for key in ("max_lr", "initial_lr", "min_lr"))
        given |= {"div_factor": top / start, "final_div_factor": start / end}
    # Arguments of lehr's own, and those of a saved state, are not torch's.
    known = set(inspect.signature(kind).parameters) - {"last_epoch"}
    return kind(optimizer, **{key: value for key, value in given.items() if key in known})


def _first(value: Any) -> float:
    return float(value[0] if isinstance(value, list | tuple) else value)
