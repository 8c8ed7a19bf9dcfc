"""Live schedulers of torch: their class and arguments, read from their attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.translate.pieces import scaled
from lehr.translate.plateau import ReduceOnPlateau
from lehr.translate.registry import Translation, arguments_of, names, reads, translate, translates
from lehr.translate.torch.common import plain
from lehr.translate.torch.containers import CONTAINERS, OWN_RATES

_MODULES: Final = ("torch.optim.lr_scheduler", "torch.optim.swa_utils")
_MAKES_VALUES: Final = ("get_lr", "_get_closed_form_lr", "step", "_update_lr", "_initial_step")


@reads("torch")
def read(scheduler: Any, *, faithful: bool) -> Translation:
    """Translate a live scheduler: its whole curve, and the step that it is at."""
    if _is_of_lehr(scheduler):
        return _of_lehr(scheduler)
    name, arguments = _described(scheduler)
    if name == "ReduceLROnPlateau":
        return translate("torch", name, **arguments)
    known = translate("torch", name, faithful=faithful, **arguments)
    return replace(known, notes=(*known.notes, *_strayed(scheduler, known)))


def _is_of_lehr(scheduler: Any) -> bool:
    """Return whether a scheduler is lehr's, by name: an import would go up and load torch."""
    return any(kind.__module__ == "lehr.torch.driver" for kind in type(scheduler).__mro__)


def _described(scheduler: Any) -> tuple[str, dict[str, Any]]:
    """Return a live scheduler's class, and arguments that would build an equal one."""
    name = _class_name(scheduler)
    attributes: dict[str, Any] = dict(scheduler.__dict__)
    groups = scheduler.optimizer.param_groups
    if name == "ReduceLROnPlateau":
        own = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
        found = {key: attributes[key] for key in own}
        rates = _from_groups(groups, "lr")["lr"]
        return name, {**found, "min_lr": list(scheduler.min_lrs), "lr": rates}
    if name in CONTAINERS:
        return name, _container(scheduler, name, groups)
    if name not in names("torch"):
        raise ScheduleError(f"torch has no scheduler {name!r} that can be translated")
    if name in ("LambdaLR", "MultiplicativeLR"):
        attributes.pop("lr_lambdas")
    arguments = arguments_of("torch", name, attributes)
    if name in ("LambdaLR", "MultiplicativeLR"):
        arguments["lr_lambda"] = list(scheduler.lr_lambdas)
    elif name == "CyclicLR":
        arguments["scale_fn"] = scheduler._scale_fn_custom
    elif name == "OneCycleLR":
        arguments |= _from_groups(groups, "initial_lr", "max_lr", "min_lr")
        if scheduler.cycle_momentum:
            arguments |= _from_groups(groups, "max_momentum", "base_momentum")
    elif name == "SWALR":
        arguments |= _from_groups(groups, "swa_lr")
        arguments["lr"] = _swa_starts(scheduler, arguments)
    return name, arguments


def _container(scheduler: Any, name: str, groups: list[dict[str, Any]]) -> dict[str, Any]:
    children = [_described(child) for child in scheduler._schedulers]
    start = _from_groups(groups, "initial_lr")["initial_lr"]
    first = children[0][1]
    arguments: dict[str, Any] = {"schedulers": children, "lr": start}
    if name == "ChainedScheduler":
        # It counts nothing itself.
        return {**arguments, "last_epoch": first.get("last_epoch")}
    if children[0][0] not in (*OWN_RATES, *CONTAINERS):
        # It starts again from the groups, once all are built.
        first["lr"] = start
    milestones = list(scheduler._milestones)
    return {**arguments, "milestones": milestones, "last_epoch": int(scheduler.last_epoch) - 1}


def _class_name(scheduler: Any) -> str:
    """Return a scheduler's torch class, or the one that it inherits its computation from."""
    kind: type[Any] = scheduler.__class__
    base = next((cls for cls in kind.__mro__ if cls.__module__ in _MODULES), None)
    if base is None:
        raise ScheduleError(f"a {kind.__name__} is not a scheduler; give translate(scheduler)")
    for method in _MAKES_VALUES:
        if getattr(kind, method, None) is not getattr(base, method, None):
            raise ScheduleError(
                f"{kind.__name__} has a {method} of its own, which cannot be read; write its "
                "values as lehr.formula(function), or record them in lehr.table([...])"
            )
    return base.__name__


def _from_groups(groups: list[dict[str, Any]], *keys: str) -> dict[str, Any]:
    return {key: [plain(group[key]) for group in groups] for key in keys}


def _swa_starts(scheduler: Any, arguments: Mapping[str, Any]) -> list[float]:
    """Return the rates from which the way to ``swa_lr`` began, which need not be the base rates.

    They follow from the groups' rates now; once ``swa_lr`` is reached, they are the base rates.
    """
    size, done = arguments["anneal_epochs"], scheduler._step_count - 1
    u = min(done / size, 1.0) if size else 1.0
    share = (1 - math.cos(math.pi * u)) / 2 if arguments["anneal_strategy"] == "cos" else u
    if share == 1:
        return [float(plain(rate)) for rate in scheduler.base_lrs]
    rates = _from_groups(scheduler.optimizer.param_groups, "lr")["lr"]
    return [
        (rate - share * end) / (1 - share)
        for rate, end in zip(rates, arguments["swa_lr"], strict=True)
    ]


def _strayed(scheduler: Any, known: Translation) -> list[str]:
    """Return a note for each group whose rate is not that of its schedule."""
    notes: list[str] = []
    if known.position is None:
        return notes
    groups = scheduler.optimizer.param_groups
    for index, (group, schedule) in enumerate(zip(groups, known.groups, strict=False)):
        found, expected = float(plain(group["lr"])), float(schedule(known.position))
        # Rates kept as float32 tensors are multiplied up with an error of their own.
        if abs(found - expected) > 1e-4 * max(
            abs(found), abs(expected), float(plain(group["initial_lr"]))
        ):
            notes.append(
                f"group {index} is at {found:.6g} at step {known.position}, where the scheduler's "
                f"own arguments give {expected:.6g}: something else wrote it, and torch goes on "
                "from it"
            )
    return notes


def _of_lehr(driver: Any) -> Translation:
    """Return the schedules by which a scheduler of lehr's own drives the rate."""
    driven = next((each for each in driver.plan.driven if each.slot.name == "lr"), None)
    if driven is None:
        raise ScheduleError(f"{driver!r} drives no learning rate")
    lines = [driven.line(index) for index in driven.groups]
    schedule = driven.levels.schedule
    groups: list[Schedule] = []
    for offset, gain in lines:
        rate = scaled(schedule, gain)
        groups.append(rate + offset if offset else rate)
    as_factor = all(offset == 0 and gain != 1 for offset, gain in lines)
    return Translation(
        schedule if as_factor else groups[0],
        absolute=not as_factor,
        groups=tuple(groups),
        position=driver.last_epoch,
    )


@translates("torch", "ReduceLROnPlateau")
def reduce_lr_on_plateau(given: ReduceOnPlateau) -> Translation:
    """Raise an error: it follows a metric."""
    raise given.error("torch ReduceLROnPlateau")
