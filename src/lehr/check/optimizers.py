"""Checks of the optimizers that a schedule is for, and of what drives them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from lehr.check.schedules import Finding, highest, steps
from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule


class _Usual(NamedTuple):
    """The peak rates that are usual for an optimizer: the lowest, the highest, and a first try."""

    low: float
    high: float
    first: float


_ADAM = _Usual(1e-7, 0.03, 1e-3)
_SIGN = _Usual(1e-8, 3e-3, 1e-4)
_STEP_FREE = _Usual(0.05, 10.0, 1.0)

# A decade or so around what papers and libraries use; see check() for them.
_USUAL: Final = {
    "sgd": _Usual(1e-5, 10.0, 0.1),
    "asgd": _Usual(1e-5, 10.0, 0.01),
    "lars": _Usual(1e-3, 100.0, 1.0),
    **dict.fromkeys(("adam", "adamw", "adamax", "nadam", "radam", "sparseadam", "amsgrad"), _ADAM),
    **dict.fromkeys(("adabelief", "adan", "lamb", "rmsprop", "shampoo", "soap"), _ADAM),
    "adafactor": _Usual(1e-7, 0.1, 1e-3),
    "muon": _Usual(1e-5, 0.3, 0.02),
    **dict.fromkeys(("lion", "signum", "signsgd", "sophia", "sophiag", "tiger"), _SIGN),
    "adagrad": _Usual(1e-5, 1.0, 0.01),
    "adadelta": _Usual(1e-3, 10.0, 1.0),
    **dict.fromkeys(("prodigy", "dadaptadam", "dadaptsgd", "dadaptlion"), _STEP_FREE),
}
# What libraries add to the name of an optimizer that they reimplement.
_VARIANT = re.compile(r"^(fused|paged|deepspeedcpu|cpu|distributed|foreach)|(8bit|4bit|32bit|fp8)$")
_SCHEDULE_FREE = "schedulefree"


def several(given: Any) -> list[Any]:
    """Return the optimizers that were given: none, one, or several in a list or a tuple."""
    if given is None:
        return []
    optimizers = list(cast("Iterable[Any]", given)) if isinstance(given, list | tuple) else [given]
    for optimizer in optimizers:
        if not _is_driven(optimizer):
            raise ScheduleError(
                f"check: optimizer={type(optimizer).__name__} has no param_groups; write the "
                "optimizer itself, such as torch.optim.AdamW(...)"
            )
    return optimizers


def _is_driven(optimizer: Any) -> bool:
    return isinstance(getattr(optimizer, "param_groups", None), list | tuple)


def groups(optimizer: Any) -> Iterator[Finding]:
    for index, group in enumerate(optimizer.param_groups):
        lr = _rate(group)
        if lr is None:
            yield Finding("base", f"group {index} has no number 'lr': write one, such as 'lr': 0.1")
        elif lr == 0:
            yield Finding(
                "base",
                f"group {index} has the rate 0, which no factor can change: write the peak rate "
                "there, such as 'lr': 0.1",
            )
        stale = _rate(group, "initial_lr")
        if lr is not None and stale is not None and stale != lr:
            yield Finding(
                "base",
                f"group {index} had the rate {stale:g} and has {lr:g} now: a scheduler has driven "
                "it already; write group['lr'] = group['initial_lr'] before another one does",
            )


def _rate(group: Mapping[str, Any], key: str = "lr") -> float | None:
    """Return a number of a group, which may be a tensor; None where it has none."""
    try:
        value = float(group[key])
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError):  # torch raises the last
        return None
    return value if math.isfinite(value) else None


def _kind(optimizer: Any) -> str:
    """Return the name by which an optimizer's usual rates are known."""
    name = type(optimizer).__name__.casefold()
    while (plain := _VARIANT.sub("", name)) != name:
        name = plain
    return name


def peaks(placed: Schedule, optimizer: Any) -> Iterator[Finding]:
    usual, top = _USUAL.get(_kind(optimizer)), highest(placed)
    if usual is None or not math.isfinite(top):
        return
    found: set[float] = set()
    for index, group in enumerate(optimizer.param_groups):
        base = _rate(group) or 0.0
        peak = base * top
        if peak <= 0 or usual.low <= peak <= usual.high or peak in found:
            continue
        found.add(peak)
        side = "above" if peak > usual.high else "below"
        yield Finding(
            "peak",
            f"group {index} of {type(optimizer).__name__} has a peak rate of {peak:g}, {side} the "
            f"usual {usual.low:g} to {usual.high:g}: "
            + (
                f"the schedule's values, up to {top:g}, are factors of the group's lr={base:g}; "
                "write them with a peak of 1"
                if top != 1 and usual.low <= base <= usual.high
                else f"write lr={usual.first:g} as a first try"
            ),
        )


def schedule_free(placed: Schedule, optimizer: Any) -> Iterator[Finding]:
    kinds = [kind.__name__.casefold() for kind in type(optimizer).__mro__]
    if not any(_SCHEDULE_FREE in kind for kind in kinds):
        return
    last = placed(max(steps(placed)[-1], 0))
    if last < 0.9 * highest(placed):
        yield Finding(
            "schedule_free",
            f"{type(optimizer).__name__} averages weights in place of a decay, and its rate must "
            f"not decay, but falls to {last:.6g} of its base: write warmup('5%') >> hold()",
        )


def unscheduled(optimizers: list[Any], scheduler: Any) -> Iterator[Finding]:
    """Find the groups, or whole optimizers, that none of the given schedulers drives."""
    if scheduler is None:
        return
    many = isinstance(scheduler, list | tuple)
    schedulers = list(cast("Iterable[Any]", scheduler)) if many else [scheduler]
    driven = {id(group) for each in schedulers for group in _driven(each)}
    for number, optimizer in enumerate(optimizers):
        name = type(optimizer).__name__ + (f" ({number})" if len(optimizers) > 1 else "")
        left = [i for i, group in enumerate(optimizer.param_groups) if id(group) not in driven]
        if not left:
            continue
        if len(left) == len(optimizer.param_groups):
            what, advice = f"{name} is", "pass it to a Scheduler as well"
        else:
            groups = ", ".join(map(str, left))
            what = (
                f"group {groups} of {name} is"
                if len(left) == 1
                else f"groups {groups} of {name} are"
            )
            advice = "give each group a schedule, such as lr=[cosine(), hold()]"
        yield Finding("unscheduled", f"{what} driven by no scheduler: its rate stays; {advice}")


def _driven(scheduler: Any) -> list[Any]:
    """Return the groups that a scheduler drives."""
    if _is_driven(scheduler):
        return list(scheduler.param_groups)
    optimizers = getattr(scheduler, "optimizers", None)
    if not isinstance(optimizers, list | tuple):
        optimizers = [getattr(scheduler, "optimizer", None)]
    found = list(cast("Iterable[Any]", optimizers))
    if not all(map(_is_driven, found)):
        raise ScheduleError(
            f"check: scheduler={type(scheduler).__name__} has neither param_groups nor an "
            "optimizer; write the scheduler, such as lehr.torch.Scheduler(...)"
        )
    return [group for optimizer in found for group in optimizer.param_groups]
