"""The schedulers of torch that go down (or up) once, and its formulas."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from lehr.catalogue.decay.elementary import (
    constant,
    cosine,
    exponential,
    linear,
    multistep,
    polynomial,
    step,
)
from lehr.curves import functions
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula, hold, ramp
from lehr.time.duration import LONGEST
from lehr.translate.arguments import NotNegative, Share, StepCount, steps
from lehr.translate.registry import Translation, translates
from lehr.translate.torch.common import (
    TorchBase,
    bases,
    from_state,
    levels,
    many,
    needed,
    of_group,
    place,
)

FactorFunction = Callable[[int], float]


@translates("torch", "StepLR", state=from_state("step_size", "gamma"))
def step_lr(
    base: TorchBase, step_size: float, gamma: NotNegative = 0.1, faithful: bool = False
) -> Translation:
    """``gamma ** floor(t / step_size)``; independent of the optimizer's ``lr``."""
    size, notes = steps("step_size", step_size), []
    if size == 0:
        raise ScheduleError("step_size=0: torch divides by zero; write at least 1")
    if isinstance(size, Fraction):
        # torch checks whether the epoch is a multiple, which only whole multiples can be.
        seldom = Fraction(step_size).numerator
        if faithful:
            size = seldom if seldom < LONGEST else LONGEST
        else:
            notes = [f"torch falls only at epochs that are whole multiples of {step_size!r}"]
    falls = step(size, gamma) if gamma else _to_zero(size)
    return base.answer([falls], notes=notes)


def _multistep_state(state: Mapping[str, Any]) -> dict[str, Any]:
    # A Counter, whose keys JSON turns into text; lehr's own drop-in saves a list.
    times = [float(time) for time in Counter[Any](state["milestones"]).elements()]
    return {**from_state("gamma")(state), "milestones": times}


@translates("torch", "MultiStepLR", state=_multistep_state)
def multi_step_lr(
    base: TorchBase, milestones: Iterable[float], gamma: NotNegative = 0.1, faithful: bool = False
) -> Translation:
    """``gamma ** (how many milestones are at or before t)``, in any order and with repeats."""
    # Those before the first epoch are never reached.
    met = sorted(t for t in (number("milestones", time) for time in milestones) if t >= 0)
    odd, notes = [time for time in met if time != int(time)], []
    if odd and faithful:
        met = [time for time in met if time == int(time)]
    elif odd:
        notes = [f"torch never meets the milestones {odd}: it compares whole epochs with them"]
    times = [steps("milestones", time) for time in met]
    if not times:
        falls = constant()
    elif gamma == 0:
        falls = _to_zero(times[0])
    else:
        falls = multistep(times, gamma)
    return base.answer([falls], notes=notes)


def _to_zero(after: int | Fraction) -> Schedule:
    return hold(after, at=1.0) >> hold(at=0.0)


@translates("torch", "ConstantLR", state=from_state("factor", "total_iters"))
def constant_lr(
    base: TorchBase, factor: Share = 1.0 / 3, total_iters: float = 5, faithful: bool = False
) -> Translation:
    """``factor`` for ``total_iters`` steps, then 1."""
    notes: list[str] = []
    undone = number("total_iters", total_iters) > 0 and total_iters == int(total_iters)
    if not undone:
        if faithful:
            return base.answer([constant(factor)])
        notes.append(f"with total_iters={total_iters!r} torch stays at the factor indefinitely")
    elif factor == 0:
        notes.append(f"torch divides by zero at epoch {total_iters}, where the rate comes back")
    size = steps("total_iters", max(total_iters, 0))
    held = hold(size, at=factor) >> hold(at=1.0) if size and factor != 1 else constant()
    return base.answer([held], notes=notes)


@translates("torch", "LinearLR", state=from_state("start_factor", "end_factor", "total_iters"))
def linear_lr(
    base: TorchBase,
    start_factor: float = 1.0 / 3,
    end_factor: Share = 1.0,
    total_iters: float = 5,
    faithful: bool = False,
) -> Translation:
    """From ``start_factor`` to ``end_factor`` in a straight line, then held."""
    start = number("start_factor", start_factor, above=0, at_most=1)
    size, notes = steps("total_iters", max(number("total_iters", total_iters), 0)), []
    if start == end_factor:
        line = constant(start)
    elif size == 0:
        line = constant(start if faithful else end_factor)
        if not faithful:
            notes = [f"with total_iters={total_iters!r} torch stays at start_factor indefinitely"]
    else:
        line = linear(size, to=end_factor, start=None if start == 1 else start)
        line, notes = _stopped(line, size, "end_factor", faithful)
    return base.answer([line], notes=notes)


@translates("torch", "ExponentialLR", state=from_state("gamma"))
def exponential_lr(base: TorchBase, gamma: NotNegative) -> Translation:
    """``gamma ** t``."""
    return base.answer([exponential(gamma) if gamma else _to_zero(1)])


@translates("torch", "PolynomialLR", state=from_state("total_iters", "power"))
def polynomial_lr(
    base: TorchBase, total_iters: float = 5, power: NotNegative = 1.0, faithful: bool = False
) -> Translation:
    """``(1 - t / total_iters) ** power``, then 0."""
    size = steps("total_iters", max(number("total_iters", total_iters), 0))
    if size == 0 or power == 0:
        # torch leaves the rate as it is; there are no steps to go down in.
        return base.answer([constant()])
    path = linear(size) if power == 1 else polynomial(size, power=power)
    path, notes = _stopped(path, size, "0", faithful)
    return base.answer([path], notes=notes)


def _stopped(
    path: Schedule, size: int | Fraction, end: str, faithful: bool
) -> tuple[Schedule, list[str]]:
    """Return a path up to torch's last whole epoch if faithful, else whole and with a note."""
    last = math.floor(size)
    if last == size:
        return path, []
    if faithful:
        return path[:last], []
    return path, [f"torch stops at epoch {last}, before it is at {end}"]


@translates("torch", "CosineAnnealingLR", state=from_state("T_max", "eta_min"))
def cosine_annealing_lr(
    base: TorchBase, T_max: StepCount, eta_min: NotNegative = 0.0
) -> Translation:
    """A cosine from the base rate to ``eta_min`` in ``T_max`` steps, back up, and so on.

    ``lr`` is needed where ``eta_min`` is not 0, as that is a rate and not a factor.
    """
    if T_max == 0:
        raise ScheduleError("T_max=0: torch divides by zero; write at least 1")
    pairs, absolute = levels(base.lr, "eta_min", eta_min)
    return base.answer([_wave(T_max, *pair) for pair in pairs], absolute=absolute)


def _wave(half: int | Fraction, peak: float, floor: float) -> Schedule:
    if peak == floor:
        return constant(peak)
    down = cosine(half, to=floor, start=None if peak == 1 else peak)
    return (down >> cosine(half, to=peak)).repeat()


def _swa_state(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "anneal_epochs": state["anneal_epochs"],
        "anneal_strategy": state["_anneal_strategy"],
        **place(state),
        # It counts its steps rather than its epochs.
        "last_epoch": int(state["_step_count"]) - 2,
    }


@translates("torch", "SWALR", state=_swa_state)
def swa_lr(
    base: TorchBase,
    swa_lr: float | list[float],
    anneal_epochs: StepCount = 10,
    anneal_strategy: str = "cos",
) -> Translation:
    """From the base rate to ``swa_lr`` in ``anneal_epochs`` steps, then held; ``lr`` is needed."""
    if anneal_strategy not in ("cos", "linear"):
        raise ScheduleError(f"anneal_strategy={anneal_strategy!r} must be 'cos' or 'linear'")
    ease = "cosine" if anneal_strategy == "cos" else "linear"
    starts = [needed(rate, "swa_lr", swa_lr) for rate in bases(base.lr)]
    count = len(many(swa_lr) or starts)
    starts = starts * count if len(starts) == 1 else starts
    ends = [number("swa_lr", of_group(swa_lr, i), at_least=0) for i in range(len(starts))]
    # A base of 0 has no factors.
    absolute = 0.0 in starts
    curves: list[Schedule] = []
    for start, end in zip(starts, ends, strict=True):
        begin, to = (start, end) if absolute else (1.0, end / start)
        if begin == to or not anneal_epochs:
            curves.append(hold(at=to))
        else:
            curves.append(ramp(anneal_epochs, to=to, start=begin if absolute else None, ease=ease))
    return base.answer(curves, absolute=absolute)


@translates("torch", "LambdaLR", state=place)
def lambda_lr(
    base: TorchBase, lr_lambda: FactorFunction | list[FactorFunction], faithful: bool = False
) -> Translation:
    """The function itself; below 0 it is refused at its step, unless ``faithful``."""
    curves = [formula(fn, low=_lowest(faithful)) for fn in _functions(lr_lambda)]
    return base.answer(curves)


@translates("torch", "MultiplicativeLR", state=place)
def multiplicative_lr(
    base: TorchBase, lr_lambda: FactorFunction | list[FactorFunction], faithful: bool = False
) -> Translation:
    """The product of the function's values from step 1 to ``t``; see :func:`lambda_lr`."""
    curves = [formula(running_product(fn), low=_lowest(faithful)) for fn in _functions(lr_lambda)]
    return base.answer(curves)


def _functions(given: FactorFunction | list[FactorFunction]) -> list[FactorFunction]:
    each = many(given) or [given]
    for function in each:
        if not callable(function):
            raise ScheduleError(f"lr_lambda={function!r} cannot be called")
    # One function for all groups makes one curve.
    return each[:1] if all(fn == each[0] for fn in each) else each


def running_product(function: FactorFunction) -> RunningProduct:
    """Return the running product of a function.

    If the function is registered as ``name``, its product is registered as ``name.product``, so
    that schedules with it can be written as text. A program that reads them calls this first.
    """
    name = functions.name_of(function)
    label = f"{name}.product"
    if name is None or not functions.registered(name) or len(label) > 80:
        return RunningProduct(function)
    if not functions.registered(label):
        functions.register(label, RunningProduct(function))
    known = functions.lookup(label)
    # The name may have been given to another function.
    if isinstance(known, RunningProduct) and known.function is function:
        return known
    return RunningProduct(function)


def _lowest(faithful: bool) -> float:
    return -math.inf if faithful else 0.0


class RunningProduct:
    """The running product of a function's values at the whole steps from 1."""

    def __init__(self, function: FactorFunction) -> None:
        self.function = function
        self._products = [1.0]

    def __call__(self, t: float) -> float:
        while len(self._products) <= t:
            self._products.append(self._products[-1] * float(self.function(len(self._products))))
        return self._products[math.floor(t)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunningProduct) and self.function == other.function

    def __hash__(self) -> int:
        return hash((RunningProduct, self.function))
