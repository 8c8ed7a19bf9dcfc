"""mmengine: its parameter schedulers, alone and in a list, with their own arguments.

The values are factors of the optimizer's rate (``OneCycleLR`` gives rates). A scheduler acts on the
steps from ``begin`` up to, not with, ``end``; outside, the rate stays as it is: a cosine over its
own window never shows its end, and is held one step before it. An absolute ``eta_min`` becomes a
factor by ``lr``. ``epoch_length`` makes steps of epochs, as ``convert_to_iter_based`` does.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from lehr.catalogue.decay.elementary import exponential, step
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import (
    differing,
    follows_a_metric,
    go,
    one_of,
    share_of,
    staircase,
    steps,
    then,
)
from lehr.translate.registry import Translation, translates

INF: Final = 10**9
"""mmengine's own for no end."""

_EASES: Final = {"cos": "cosine", "linear": "linear"}


class _Window:
    """The steps that a scheduler acts on.

    Arguments:
        begin: The first.
        end: The one after the last.
        epoch_length: The steps of an epoch, where the arguments are in epochs.
        by_epoch: Whether they are.
    """

    def __init__(self, begin: float, end: float, epoch_length: int | None, by_epoch: bool) -> None:
        self.per = 1
        if epoch_length is not None:
            if not by_epoch:
                raise ScheduleError(f"epoch_length={epoch_length!r} needs by_epoch=True")
            self.per = whole("epoch_length", epoch_length, at_least=1)
        self.begin = int(number("begin", begin, at_least=0) * self.per)
        self.ends = end != INF
        self.end = int(number("end", end) * self.per) if self.ends else INF
        if self.end <= self.begin:
            raise ScheduleError(f"end={end!r} must be larger than begin={begin!r}")

    @property
    def last(self) -> int:
        """The number of its last step, counted from its first."""
        return self.end - self.begin - 1

    def place(self, body: Schedule) -> Schedule:
        """Return 1 before the window, the body in it, and its last value after it."""
        if self.ends:
            body = body[: self.last]
        return hold(self.begin, at=1.0) >> hold(0, at=1.0) >> body if self.begin else body


@translates("mmengine", "StepLR", also=("StepParamScheduler",))
def _step(
    *,
    step_size: int,
    gamma: float = 0.1,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
) -> Schedule:
    window = _Window(begin, end, epoch_length, by_epoch)
    return window.place(step(whole("step_size", step_size, at_least=1) * window.per, gamma))


@translates("mmengine", "MultiStepLR", also=("MultiStepParamScheduler",))
def _multistep(
    *,
    milestones: Sequence[int],
    gamma: float = 0.1,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
) -> Schedule:
    window = _Window(begin, end, epoch_length, by_epoch)
    counts = Counter(whole("milestones", time, at_least=0) * window.per for time in milestones)
    times = sorted(counts.elements())
    return window.place(staircase(times, [gamma**count for count in range(len(times) + 1)]))


@translates("mmengine", "ConstantLR", also=("ConstantParamScheduler",))
def _constant(
    *,
    factor: float = 1.0 / 3,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
) -> Schedule:
    window = _Window(begin, end, epoch_length, by_epoch)
    number("factor", factor, at_least=0, at_most=1)
    if not window.last:
        return window.place(hold(at=factor))
    return window.place(staircase([window.last], [factor, 1.0]))


@translates("mmengine", "ExponentialLR", also=("ExponentialParamScheduler",))
def _exponential(
    *,
    gamma: float,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
) -> Schedule:
    # The conversion to steps leaves gamma as it is.
    window = _Window(begin, end, epoch_length, by_epoch)
    return window.place(exponential(gamma, start=1.0))


@translates("mmengine", "CosineAnnealingLR", also=("CosineAnnealingParamScheduler",))
def _cosine(
    *,
    T_max: int | None = None,
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    window = _Window(begin, end, epoch_length, by_epoch)
    length = window.last + 1
    if T_max is not None:
        length = whole("T_max", T_max, at_least=1) * window.per
    low = _floor(eta_min, eta_min_ratio, lr)
    down = go(length, frm=1.0, to=low, ease="cosine")
    if length >= window.last:
        return differing(window.place(down))
    if faithful:
        wave = (down >> go(length, frm=low, to=1.0, ease="cosine")).repeat()
        return differing(window.place(wave))
    note = "after T_max mmengine follows the cosine back up; here the rate stays at its floor"
    return differing(window.place(down), note)


@translates("mmengine", "LinearLR", also=("LinearParamScheduler",))
def _linear(
    *,
    start_factor: float = 1.0 / 3,
    end_factor: float = 1.0,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
) -> Schedule:
    window = _Window(begin, end, epoch_length, by_epoch)
    start = number("start_factor", start_factor, at_least=0, at_most=1)
    to = number("end_factor", end_factor, at_least=0, at_most=1)
    if not window.last:
        return window.place(hold(at=start))
    return window.place(go(window.last, frm=start, to=to))


@translates("mmengine", "PolyLR", also=("PolyParamScheduler",))
def _poly(
    *,
    eta_min: float = 0.0,
    power: float = 1.0,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
    lr: float | None = None,
) -> Schedule:
    window = _Window(begin, end, epoch_length, by_epoch)
    (low,) = share_of(lr, eta_min=eta_min)
    if not window.last:
        return window.place(hold(at=1.0))
    ease = f"power({number('power', power, above=0)!r})"
    return window.place(go(window.last, frm=1.0, to=low, ease=ease))


@translates("mmengine", "CosineRestartLR", also=("CosineRestartParamScheduler",))
def _cosine_restart(
    *,
    periods: Sequence[int],
    restart_weights: Sequence[float] = (1,),
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
    lr: float | None = None,
) -> Schedule:
    window = _Window(begin, end, epoch_length, by_epoch)
    if (eta_min is None) == (eta_min_ratio is None):
        raise ScheduleError(
            f"eta_min={eta_min!r}, eta_min_ratio={eta_min_ratio!r}: give one of them"
        )
    if not periods or len(periods) != len(restart_weights):
        raise ScheduleError(
            f"restart_weights={list(restart_weights)!r}: write one for each of "
            f"periods={list(periods)!r}"
        )
    low = _floor(eta_min, eta_min_ratio, lr)
    lengths = [whole("periods", period, at_least=1) * window.per for period in periods]
    parts = [
        go(length, frm=float(weight), to=low, ease="cosine")
        for length, weight in zip(lengths, restart_weights, strict=True)
    ]
    # After the last period the rate stays where its last step was, not where it would have gone.
    return window.place(then(parts)[: sum(lengths) - 1])


@translates("mmengine", "OneCycleLR", also=("OneCycleParamScheduler",))
def _one_cycle(
    *,
    eta_max: float,
    total_steps: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
    begin: float = 0,
    end: float = INF,
    by_epoch: bool = True,
    epoch_length: int | None = None,
) -> Translation:
    window = _Window(begin, end, epoch_length, by_epoch)
    total = window.last + 1
    if total_steps is not None:
        total = whole("total_steps", total_steps, at_least=1) * window.per
    ease = _EASES[one_of("anneal_strategy", anneal_strategy, list(_EASES))]
    number("pct_start", pct_start, at_least=0, at_most=1)
    if window.begin:
        raise ScheduleError(f"begin={begin!r}: before it OneCycleLR leaves a rate that it changed")
    first = eta_max / number("div_factor", div_factor, above=0)
    final = first / number("final_div_factor", final_div_factor, above=0)
    # The peak stands a step before its share of the run, the end on the last step.
    points = [(Fraction(0), first), (steps("peak", float(pct_start * total) - 1), eta_max)]
    if three_phase:
        points.append((steps("second peak", float(2 * pct_start * total) - 2), first))
    points.append((Fraction(total - 1), final))
    body = then(
        [
            go(Fraction(stop) - Fraction(start), frm=a, to=b, ease=ease)
            for (start, a), (stop, b) in itertools.pairwise(points)
        ]
    )
    return differing(window.place(body), absolute=True)


@translates("mmengine", "ReduceOnPlateauLR", also=("ReduceOnPlateauParamScheduler",))
def _reduce_on_plateau(
    *,
    factor: float = 0.1,
    patience: int = 10,
    rule: str = "less",
    threshold: float = 1e-4,
    threshold_rule: str = "rel",
    cooldown: int = 0,
    min_value: float = 0.0,
    lr: float | None = None,
    **arguments: Any,
) -> Schedule:
    raise follows_a_metric(
        "mmengine ReduceOnPlateauLR",
        "plateau",
        lr,
        {"floor": min_value},
        mode="min" if rule == "less" else "max",
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_rule,
        cooldown=cooldown,
    )


@translates("mmengine", "param_scheduler")
def _list(*, schedulers: Sequence[Mapping[str, Any]], lr: float | None = None) -> Translation:
    """A list as a configuration has it: what one leaves, the next goes on from."""
    made = [_one(config, lr) for config in schedulers]
    if not made:
        raise ScheduleError("schedulers=[] is empty; write at least one dict with its type")
    notes = [note for translation in made for note in translation.notes]
    product = functools.reduce(operator.mul, (translation.schedule for translation in made))
    return differing(product, *notes)


# What goes on from any level in proportion; the others go to a floor of their own.
_PROPORTIONAL: Final[dict[str, Callable[..., Schedule]]] = {
    "StepLR": _step,
    "MultiStepLR": _multistep,
    "ConstantLR": _constant,
    "ExponentialLR": _exponential,
    "LinearLR": _linear,
}
_FALLING: Final[dict[str, Callable[..., Translation | Schedule]]] = {
    "CosineAnnealingLR": _cosine,
    "PolyLR": _poly,
}


def _one(config: Mapping[str, Any], lr: float | None) -> Translation:
    given = dict(config)
    kind = one_of("type", given.pop("type", None), [*_PROPORTIONAL, *_FALLING])
    if given.pop("convert_to_iter_based", False) and "epoch_length" not in given:
        raise ScheduleError(f"{kind}: convert_to_iter_based needs epoch_length")
    function = _PROPORTIONAL.get(kind) or _FALLING[kind]
    known = inspect.signature(function).parameters
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ScheduleError(f"{kind}: {unknown[0]} is no argument; write one of {list(known)}")
    if "lr" in known:
        given["lr"] = lr
    result = function(**given)
    return result if isinstance(result, Translation) else Translation(result)


def _floor(eta_min: float | None, eta_min_ratio: float | None, lr: float | None) -> float:
    if eta_min is not None and eta_min_ratio is not None:
        raise ScheduleError(
            f"eta_min={eta_min!r}, eta_min_ratio={eta_min_ratio!r}: give at most one"
        )
    if eta_min_ratio is not None:
        return number("eta_min_ratio", eta_min_ratio, at_least=0)
    return share_of(lr, eta_min=eta_min or 0.0)[0]
