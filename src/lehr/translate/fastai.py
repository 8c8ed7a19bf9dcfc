"""fastai: its annealers, and the schedules of ``fit_one_cycle`` and similar methods.

fastai counts no steps, only the progress of the fit, so these are in shares of the run, whose
length ``over`` gives. The values are rates. Boundaries of phases are not rounded to whole steps.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from lehr.catalogue.cyclic import warm_restarts
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import Duration
from lehr.translate.arguments import Count, Positive, own_rate, schedule_of, schedules_of
from lehr.translate.pieces import in_shares, rates, then, whole_run
from lehr.translate.registry import Translation, translates

_MOMENTA: Final = (0.95, 0.85, 0.95)
# ``over`` gives the length of the fit; the others do not affect the rate.
_FIT: Final = ("n_epoch", "start_epoch", "cbs", "reset_opt", "wd")


@translates("fastai", "SchedLin", "sched_lin", ignores=("pos",))
def _linear(start: float, end: float) -> Translation:
    return rates(whole_run(start, end, "linear"))


@translates("fastai", "SchedCos", "sched_cos", ignores=("pos",))
def _cosine(start: float, end: float) -> Translation:
    return rates(whole_run(start, end, "cosine"))


@translates("fastai", "SchedNo", "sched_no", ignores=("pos",))
def _none(start: float, end: float | None = None) -> Translation:
    return rates(hold(at=start))


@translates("fastai", "SchedExp", "sched_exp", ignores=("pos",))
def _exponential(start: Positive, end: float) -> Translation:
    if end == 0:
        return rates(hold(1, at=start) >> hold(at=0.0))
    return rates(hold(at=start) if start == end else ramp(to=end, start=start, log=True))


@translates("fastai", "SchedPoly")
def _polynomial(start: float, end: float, power: float) -> Translation:
    if power == 0:
        return rates(hold(at=end))
    return rates(whole_run(start, end, f"complement({number('power', power, above=0)!r})"))


@translates("fastai", "combine_scheds")
def _combined(pcts: Sequence[float], scheds: Sequence[Schedule | Translation]) -> Translation:
    parts = schedules_of("scheds", scheds)
    shares = [Fraction(str(number("pcts", pct, at_least=0))) for pct in pcts]
    if len(parts) != len(shares) or sum(shares) != 1:
        raise ScheduleError(
            f"pcts={list(pcts)!r} must sum to 1, one for each of {len(parts)} scheds"
        )
    return rates(in_shares(parts, shares))


@translates("fastai", "combined_cos")
def _combined_cos(pct: float, start: float, middle: float, end: float) -> Translation:
    return rates(_cosines(pct, start, middle, end))


@translates("fastai", "ParamScheduler")
def _param_scheduler(scheds: Mapping[str, Schedule | Translation]) -> Translation:
    """Translate the callback, which drives numbers by their names."""
    made = {name: schedule_of(f"scheds[{name!r}]", part) for name, part in scheds.items()}
    if "lr" not in made:
        raise ScheduleError(f"scheds={sorted(made)}: it drives no 'lr'; translate each alone")
    return Translation(made["lr"], absolute=True, momentum=made.get("mom"))


@translates("fastai", "fit_one_cycle", ignores=_FIT)
def _fit_one_cycle(
    lr_max: float | None = None,
    div: Positive = 25.0,
    div_final: Positive = 1e5,
    pct_start: float = 0.25,
    moms: Sequence[float] | None = None,
    lr: float | None = None,
) -> Translation:
    momenta = _MOMENTA if moms is None else tuple(moms)
    if len(momenta) != 3:
        raise ScheduleError(f"moms={moms!r} must be three: at the start, the middle, the end")
    peak = _peak("lr_max", lr_max, lr)
    return Translation(
        _cosines(pct_start, peak / div, peak, peak / div_final),
        absolute=True,
        momentum=_cosines(pct_start, *momenta),
    )


@translates("fastai", "fit_flat_cos", ignores=_FIT)
def _fit_flat_cos(lr: float, div_final: Positive = 1e5, pct_start: float = 0.75) -> Translation:
    return rates(_cosines(pct_start, lr, lr, lr / div_final))


@translates("fastai", "fit_sgdr", ignores=_FIT)
def _fit_sgdr(
    n_cycles: Count,
    cycle_len: Count,
    lr_max: float | None = None,
    cycle_mult: int = 2,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    growth = whole("cycle_mult", cycle_mult, at_least=2)
    peak = _peak("lr_max", lr_max, lr)
    if peak == 0:
        return rates(hold(at=0.0))
    first = Duration(Fraction(growth - 1, growth**n_cycles - 1), "%")
    late = _missed_restarts([cycle_len * growth**index for index in range(n_cycles)])
    if not (late and faithful):
        epochs = ", ".join(map(str, late.values()))
        note = (
            f"fastai compares positions with 32 bits and misses the restart at epoch {epochs}: "
            "its first update has the rate 0; here it has the peak"
        )
        restarts = warm_restarts(first, growth, cycles=n_cycles, peak=peak)
        return rates(restarts, *([note] if late else []))
    parts: list[Schedule] = []
    for index in range(n_cycles):
        share = Duration(first.amount * growth**index, "%")
        cycle = ramp(to=0.0, start=peak, ease="cosine").over(share)
        parts.append(hold(1, at=0.0) >> cycle[1:] if index in late else cycle)
    # In a repeat, shares are not rounded to whole steps.
    return rates(then(parts).repeat(1))


@translates("fastai", "lr_find", "LRFinder", ignores=("stop_div", "show_plot", "suggest_funcs"))
def _lr_find(start_lr: float = 1e-7, end_lr: float = 10.0, num_it: Count = 100) -> Translation:
    return rates(ramp(num_it, start=start_lr, to=end_lr, log=True))


def _peak(name: str, value: float | None, lr: float | None) -> float:
    return number(name, own_rate(name, value, lr), at_least=0)


def _missed_restarts(lengths: Sequence[int]) -> dict[int, int]:
    """Return the cycles, with their first epoch, whose start fastai's positions do not reach.

    It rounds the shares of the cycles to 32 bits, and their sums once more, and compares these with
    a position that is rounded once.
    """
    missed: dict[int, int] = {}
    total, summed, epoch = sum(lengths), 0.0, 0
    for index, length in enumerate(lengths[:-1], start=1):
        summed += _single(length / total)
        epoch += length
        if _single(epoch / total) < _single(summed):
            missed[index] = epoch
    return missed


def _single(value: float) -> float:
    """Return a number rounded to 32 bits."""
    return struct.unpack("f", struct.pack("f", value))[0]


def _cosines(pct: float, start: float, middle: float, end: float) -> Schedule:
    share = Fraction(str(number("pct_start", pct, at_least=0, at_most=1)))
    parts = [whole_run(start, middle, "cosine"), whole_run(middle, end, "cosine")]
    return in_shares(parts, [share, 1 - share])
