"""Checks of the metrics and states that are given to rules."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from lehr.catalogue.registry import State
from lehr.errors import ScheduleError, number, shown, whole


def real(metric: Any) -> float:
    """Return a metric, which may be a tensor of one number, as a float."""
    try:
        if isinstance(metric, str | bytes):
            raise TypeError
        return float(metric)
    except Exception:  # whatever somebody's class raises
        raise ScheduleError(f"metric={shown(metric)} is not a number") from None


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of finite numbers, even if their sum would overflow; 0 if there are none."""
    try:
        return math.fsum(values) / max(len(values), 1)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)


def keys(state: Any, own: State) -> State:
    """Return a copy of a state, which must have the keys of the rule's own state."""
    if not isinstance(state, Mapping):
        raise ScheduleError(f"state={shown(state)} must be a dict, as the rule's init() returns it")
    given = dict(cast("Mapping[Any, Any]", state))
    for name in own:
        if name not in given:
            raise ScheduleError(f"state has no {name!r}; it must have {', '.join(own)}")
    for name in given:
        if name not in own:
            raise ScheduleError(
                f"state has an unknown {shown(name)}; it must have {', '.join(own)} alone"
            )
    return {name: copy.copy(value) for name, value in given.items()}


def check_best(state: State) -> None:
    """Check the best metric of a state: None or a finite number."""
    if state["best"] is not None:
        number("state['best']", state["best"])


def check_counts(state: State, *names: str, at_least: int = 0, at_most: int = 2**53) -> None:
    """Check that the named numbers of a state are counts."""
    for name in names:
        whole(f"state[{name!r}]", state[name], at_least=at_least, at_most=at_most)
