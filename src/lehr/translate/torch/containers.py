"""torch's containers, ``SequentialLR`` and ``ChainedScheduler``, nested to any depth."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

from lehr.errors import ScheduleError, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.schedule.node import Reach
from lehr.translate.arguments import one_less
from lehr.translate.pieces import scaled
from lehr.translate.registry import Translation, arguments_of, translate, translates
from lehr.translate.torch.common import (
    GroupRates,
    TorchBase,
    after,
    bases,
    many,
    needed,
    of_group,
    plain,
)

Child = tuple[str, Mapping[str, Any]]

CONTAINERS: Final = ("SequentialLR", "ChainedScheduler")
OWN_RATES: Final = ("CyclicLR", "OneCycleLR")
"""Those that bring rates of their own, whatever the optimizer's rate is."""

# Those that assign a rate, where the others multiply what they find.
_ASSIGNING: Final = (*OWN_RATES, "LambdaLR", "CosineAnnealingWarmRestarts")
# Those that, when their turn comes in a sequence, go on from the rate that they find.
_GOING_ON: Final = ("MultiplicativeLR", "SWALR")


@dataclass(frozen=True)
class _ChildPart:
    """A child of a container: its translation, and the base rates that it starts from."""

    name: str
    arguments: dict[str, Any]
    lr: GroupRates
    translation: Translation

    def base(self, group: int) -> float:
        rates = bases(self.lr)
        return needed(rates[group if len(rates) > 1 else 0], self.name, 1.0)

    def rate(self, group: int) -> Schedule:
        """Return the rate of a group."""
        known = self.translation
        if known.groups:
            return known.groups[group if len(known.groups) > 1 else 0]
        return known.schedule if known.absolute else scaled(known.schedule, self.base(group))

    def factor(self, group: int) -> Schedule:
        """Return the factor of a group's base rate."""
        known = self.translation
        return self.rate(group) * (1 / self.base(group)) if known.absolute else known.schedule


def _child_state(state: Mapping[str, Any]) -> Child:
    """Return a child by the parameters in its state, which does not say its class."""
    signs = {
        "_milestones": "SequentialLR",
        "_schedulers": "ChainedScheduler",
        "_schedule_phases": "OneCycleLR",
        "total_size": "CyclicLR",
        "T_0": "CosineAnnealingWarmRestarts",
        "T_max": "CosineAnnealingLR",
        "step_size": "StepLR",
        "milestones": "MultiStepLR",
        "start_factor": "LinearLR",
        "factor": "ConstantLR",
        "power": "PolynomialLR",
        "anneal_epochs": "SWALR",
        "gamma": "ExponentialLR",
    }
    name = next((name for sign, name in signs.items() if sign in state), None)
    if name is None:
        raise ScheduleError(
            "a child's state does not say what it is (a LambdaLR or MultiplicativeLR keeps no "
            "parameters); translate the live scheduler, or give schedulers=[(name, arguments), ...]"
        )
    return name, arguments_of("torch", name, state)


def _sequential_state(state: Mapping[str, Any]) -> dict[str, Any]:
    children = [_child_state(child) for child in state["_schedulers"]]
    return {
        "schedulers": children,
        "milestones": list(state["_milestones"]),
        "last_epoch": int(state["last_epoch"]) - 1,
        "lr": children[0][1].get("lr"),
    }


def _chained_state(state: Mapping[str, Any]) -> dict[str, Any]:
    children = [_child_state(child) for child in state["_schedulers"]]
    # It counts nothing itself.
    first = children[0][1]
    return {"schedulers": children, "last_epoch": first.get("last_epoch"), "lr": first.get("lr")}


@translates("torch", "SequentialLR", state=_sequential_state)
def sequential_lr(
    base: TorchBase,
    schedulers: Iterable[Child],
    milestones: Iterable[int],
    faithful: bool = False,
) -> Translation:
    """One after the other, each from its own step 0; children are pairs ``(name, arguments)``.

    Where torch's next child goes on from the rate that it finds, this does so too.
    """
    parts, notes = _parts(schedulers, base.lr, first=True, faithful=faithful)
    times = [whole("milestones", plain(time), at_least=-(2**62)) for time in milestones]
    one_less("milestones", times, parts, "schedulers")
    sorted_times = times == sorted(times)
    for index, part in enumerate(parts):
        if part.name in CONTAINERS:
            what = "cannot start a" if index else "starts one step into a"
            notes.append(f"torch {what} {part.name} inside a SequentialLR; here it starts at 0")
    if faithful and (notes or not sorted_times):
        # Loads torch.
        from lehr.translate.torch.replay import replayed

        return replayed("SequentialLR", _given(parts), times, base=base)
    if not sorted_times:
        raise ScheduleError(
            f"milestones={times} are not in rising order, in which torch looks them up; sort them "
            "with their schedulers"
        )
    begins = [0, *(max(time, 0) for time in times)]
    turns = [
        _Turn(part, begin, end)
        for part, begin, end in zip(parts, begins, [*begins[1:], None], strict=True)
        if end is None or end > begin
    ]
    absolute = _mixed(parts, base.lr)
    curves = [_joined(turns, group, absolute) for group in range(_groups(parts, base.lr, absolute))]
    return base.answer(curves, absolute=absolute, notes=notes, momentum=_momentum(parts, turns))


@dataclass(frozen=True)
class _Turn:
    """A child's turn in a sequence: its first step and its end; the last turn has no end."""

    part: _ChildPart
    begin: int
    end: int | None

    def of(self, curve: Schedule) -> Schedule:
        """Return the stretch of a curve that is seen."""
        if self.end is None:
            return curve
        length = Fraction(self.end - self.begin)
        own = curve._path.length if curve._reach is Reach.FIXED else None
        if own is None or own > length:
            return curve[:length]
        return curve if own == length else curve >> hold(length - own)


def _joined(turns: list[_Turn], group: int, absolute: bool) -> Schedule:
    """Return the children's curves for a group, one after the other."""
    path: Schedule | None = None
    for turn in turns:
        part = turn.part
        curve = part.rate(group) if absolute else part.translation.schedule
        if path is not None and part.name in _GOING_ON:
            curve = _going_on(part, group, float(path(turn.begin - 1)), curve, absolute)
        seen = turn.of(curve)
        path = seen if path is None else after(path, seen)
    assert path is not None
    return path


def _going_on(
    part: _ChildPart, group: int, found: float, curve: Schedule, absolute: bool
) -> Schedule:
    """Return the curve of a child that goes on from the rate that the one before left."""
    base = part.base(group) if absolute or part.name == "SWALR" else 1.0
    if part.name == "MultiplicativeLR":
        first = float(of_group(part.arguments["lr_lambda"], group)(0))
        return curve * (found * first / base) if base else curve
    size, strategy = part.arguments.get("anneal_epochs", 10), part.arguments.get("anneal_strategy")
    end = float(of_group(part.arguments["swa_lr"], group)) / (1.0 if absolute else base)
    if end == found or size == 0:
        return hold(at=end)
    return ramp(size, start=found, to=end, ease="linear" if strategy == "linear" else "cosine")


def _momentum(parts: list[_ChildPart], turns: list[_Turn]) -> Schedule | None:
    """Return the momentum of the child whose turn it is, or else what the last one left."""
    built = [part.translation.momentum for part in parts if part.translation.momentum is not None]
    if not built:
        return None
    path: Schedule | None = None
    for turn in turns:
        own = turn.part.translation.momentum
        # Building a child writes its first value, so the value now is that of the last one built.
        found = float(built[-1](0)) if path is None else float(path(turn.begin - 1))
        seen = turn.of(hold(at=found) if own is None else own)
        path = seen if path is None else path >> seen
    return path


@translates("torch", "ChainedScheduler", state=_chained_state)
def chained_scheduler(
    base: TorchBase, schedulers: Iterable[Child], faithful: bool = False
) -> Translation:
    """The product of what each child does to the base rate."""
    parts, notes = _parts(schedulers, base.lr, first=False, faithful=faithful)
    notes += _chain_notes(parts)
    if faithful and notes:
        # Loads torch.
        from lehr.translate.torch.replay import replayed

        return replayed("ChainedScheduler", _given(parts), None, base=base)
    own = [part for part in parts if part.name in OWN_RATES]
    if len(own) > 1:
        raise ScheduleError(
            f"{own[0].name} and {own[1].name} both bring rates of their own, and the last one of "
            "a chain overwrites the others; translate it alone, or with faithful=True"
        )
    absolute = bool(own) or _mixed(parts, base.lr)
    curves: list[Schedule] = []
    for group in range(_groups(parts, base.lr, absolute)):
        factors = [part.factor(group) for part in parts if part not in own]
        leader = [own[0].rate(group)] if own else []
        product = functools.reduce(operator.mul, [*leader, *factors])
        curves.append(product if own or not absolute else scaled(product, parts[0].base(group)))
    momenta = [part.translation.momentum for part in parts if part.translation.momentum]
    return base.answer(
        curves, absolute=absolute, notes=notes, momentum=momenta[-1] if momenta else None
    )


def _chain_notes(parts: list[_ChildPart]) -> list[str]:
    """Return where a chain of torch is not the product of its children."""
    notes: list[str] = []
    if len(parts) == 1:
        return notes
    for part in parts:
        if part.name in _ASSIGNING:
            notes.append(
                f"torch's {part.name} overwrites what the others of its chain did; here the "
                "chain is the product"
            )
        elif part.name in ("SequentialLR", "SWALR"):
            notes.append(
                f"torch's {part.name} loses what the others of its chain did; here it does not"
            )
        elif part.name == "CosineAnnealingLR":
            floor = part.arguments.get("eta_min", 0.0) != 0
            what = "is off the product" if floor else "forgets the others after T_max"
            notes.append(f"torch's chain with a CosineAnnealingLR {what}; here it is not")
    return notes


def _parts(
    schedulers: Iterable[Child], lr: GroupRates, *, first: bool, faithful: bool
) -> tuple[list[_ChildPart], list[str]]:
    """Return the children, each with the base rate that torch builds it with, and the notes.

    In a sequence the ``first`` one starts again once all are built.
    """
    children = [_checked(child) for child in schedulers]
    if not children:
        raise ScheduleError("schedulers=[] is empty; give at least one")
    starts, notes = _starts(children, lr, first=first)
    notes += _overwritten(children)
    parts: list[_ChildPart] = []
    for (name, arguments), start in zip(children, starts, strict=True):
        given: dict[str, Any] = {**arguments, "lr": start}
        # Whatever else is faithful is replayed with the whole container.
        free = faithful and name in ("LambdaLR", "MultiplicativeLR")
        known = translate("torch", name, faithful=free, **given)
        parts.append(_ChildPart(name, arguments, start, known))
        notes += [f"{name}: {note}" for note in known.notes]
    return parts, notes


def _starts(
    children: list[tuple[str, dict[str, Any]]], lr: GroupRates, *, first: bool
) -> tuple[list[GroupRates], list[str]]:
    """Return the base rate that each child starts from; see :func:`_parts`."""
    starts: list[GroupRates] = []
    initial = lr
    for index, (name, arguments) in enumerate(children):
        starts.append(arguments.get("lr", initial))
        # OneCycleLR overwrites the base rate that those built after it find.
        if name == "OneCycleLR" and "initial_lr" not in arguments:
            initial = _divided(arguments)
        elif name == "CyclicLR" and index == 0:
            initial = arguments.get("base_lr")
    name, arguments = children[0]
    if not first or initial is lr or name in _ASSIGNING:
        return starts, []
    if "lr" not in arguments:
        starts[0] = initial
    if lr is None or len(children) == 1:
        return starts, []
    return starts, [f"{name} starts from the base rate that a later child wrote"]


def _overwritten(children: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the notes on bounds that torch keeps in the groups, where a later child writes too."""
    notes: list[str] = []
    for index, (name, arguments) in enumerate(children):
        # Those of a live one are read from the groups, and are what torch uses.
        if name != "OneCycleLR" or "initial_lr" in arguments:
            continue
        for later, others in children[index + 1 :]:
            both = arguments.get("cycle_momentum", True) and others.get("cycle_momentum", True)
            if later == "OneCycleLR" or (later == "CyclicLR" and both):
                notes.append(f"torch's {later} overwrites the bounds of the OneCycleLR before it")
    return notes


def _checked(child: Any) -> tuple[str, dict[str, Any]]:
    match child:
        case (str(name), Mapping()):
            return name, dict(cast("Child", child)[1])
        case _:
            raise ScheduleError(
                f"schedulers: {child!r} is not a child; write ('LinearLR', {{'total_iters': 5}})"
            )


def _given(parts: list[_ChildPart]) -> list[Child]:
    """Return the children as they were given."""
    return [(part.name, part.arguments) for part in parts]


def _divided(arguments: Mapping[str, Any]) -> GroupRates:
    top, factor = arguments.get("max_lr"), arguments.get("div_factor", 25.0)
    listed = many(top)
    if listed is not None:
        return [float(rate) / factor for rate in listed]
    return None if top is None else float(top) / factor


def _mixed(parts: list[_ChildPart], lr: GroupRates) -> bool:
    """Return whether the children have no base rate in common that they are factors of."""
    return any(part.translation.absolute or bases(part.lr) != bases(lr) for part in parts)


def _groups(parts: list[_ChildPart], lr: GroupRates, absolute: bool) -> int:
    """Return how many groups have curves of their own."""
    if not absolute:
        return 1
    return max(len(bases(lr)), *(len(part.translation.groups) for part in parts), 1)
