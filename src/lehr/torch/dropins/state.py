"""The state of a drop-in: how it is restored, copied, and put back after an error."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

from lehr.errors import ScheduleError, number
from lehr.torch import copies
from lehr.torch.checkpoint import short
from lehr.torch.copies import attributes_of, set_attributes
from lehr.torch.dropins.arguments import counted, rates_of
from lehr.torch.dropins.recursion import Carried, rates_in
from lehr.torch.membership import Membership
from lehr.torch.plan import DrivePlan


def with_own(drop_in: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with its position and this scheduler's own parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = drop_in.state_dict()
    own.pop("rates", None)
    position = ("last_epoch", "_step_count", "fraction")
    return {**own, **{name: state[name] for name in position if name in state}}


def load(drop_in: Any, state: dict[str, Any]) -> None:
    """Restore a state, of which nothing is kept when this fails."""
    saved = drop_in._parameters.saved
    missing = [n for n in ("last_epoch", "base_lrs", *saved) if n not in state]
    if missing:
        advice = "" if "last_epoch" in missing else "; adopt='here' restores the position only"
        raise ScheduleError(
            f"not a state of a {type(drop_in).__name__}: {', '.join(missing)} missing{advice}"
        )
    whole_steps = counted("last_epoch", state["last_epoch"], at_least=-1)
    fraction = number("fraction", state.get("fraction", 0.0), at_least=0, at_most=1)
    position = whole_steps + fraction
    count = counted("_step_count", state.get("_step_count", whole_steps + 1), at_least=0)
    before = dict(vars(drop_in))
    drop_in.base_lrs = rates_of("base_lrs", state["base_lrs"])
    drop_in._parameters.load(drop_in, state, len(drop_in._known))
    if not drop_in._own_base:
        for group, base in zip(drop_in.groups, drop_in.base_lrs, strict=True):
            group["initial_lr"] = base
    with drop_in._parameters.blamed(drop_in, before, position):
        drop_in._replan()
        if position != -1:
            drop_in._check_loaded(position)
        drop_in.check_plan(position)
    drop_in._resume_from(state.get("rates"), position, count)


def check_plan(drop_in: Any, position: float) -> None:
    """Raise ScheduleError unless the present parameters give finite rates at a position."""
    plan = drop_in._resolve()
    shares = plan.contributions(position) if position >= 0 else []
    if not all(math.isfinite(share.value) for _, _, share in shares):
        raise ScheduleError(f"the schedule has no finite value at position {position:g}")


def resume_from(drop_in: Any, rates: Any, position: float, count: int) -> None:
    """Restore a position, and the rates to go on from where the state has them."""
    drop_in._carried = None
    if rates is None and not drop_in._has_rule:
        drop_in._resume(position, count)
        return
    found = rates_in(drop_in.groups) if rates is None else tuple(rates_of("rates", rates))
    if len(found) != len(drop_in._known):
        raise ScheduleError(
            f"the state has rates={short(rates)}; the optimizer has {len(drop_in._known)} groups"
        )
    # A user's own rule gives rates only: the other numbers stay as they are.
    plan = DrivePlan() if drop_in._has_rule or position < 0 else drop_in.plan
    drop_in._carried = replace(Carried.of_plan(plan, position, drop_in._known), rates=found)
    drop_in._attach().forget()
    drop_in._place(position)
    drop_in.membership.silent = position < 0
    drop_in._step_count = count
    drop_in._attach().write()


def copied(drop_in: Any) -> Any:
    """Return a scheduler that writes into the same optimizer beside this one, as torch's does.

    The original treats rates that the copy has written as if they were written by hand.
    """
    kind: Any = type(drop_in)
    twin = kind.__new__(kind)
    set_attributes(twin, attributes_of(drop_in))
    twin._known, twin._guards = list(drop_in._known), copy(drop_in._guards)
    twin._ahead, twin._owner = drop_in._ahead.emptied(drop_in._position), None
    twin.membership = Membership(silent=False)
    twin._apart, twin._shared = True, drop_in._attach().beside()
    twin._shared.join(twin)
    if drop_in._recursive or drop_in._has_rule:
        twin._carried = Carried(rates_in(drop_in.groups))
    return twin


def snapshot(drop_in: Any) -> Callable[[], None]:
    """Return a function that puts all attributes back, and those of callable objects."""
    functions = [each for functions in drop_in.callables().values() for each in functions]
    owned = [(each, dict(vars(each))) for each in functions if hasattr(each, "__dict__")]
    restore_own = copies.snapshot(drop_in)

    def restore() -> None:
        for each, before in owned:
            vars(each).clear()
            vars(each).update(before)
        restore_own()

    return restore
