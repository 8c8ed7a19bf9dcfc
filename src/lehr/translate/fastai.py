"""fastai: its annealers, and the schedules of ``fit_one_cycle`` and its kin.

fastai knows no steps, only how far the fit is: so do these, in shares of the run, which ``over``
gives a length. The values are rates. Where phases meet is not rounded to whole steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from lehr.catalogue.cyclic import warm_restarts
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import Duration
from lehr.translate.pieces import schedule_of, then
from lehr.translate.registry import Translation, translates

_MOMENTA: Final = (0.95, 0.85, 0.95)


@translates("fastai", "SchedLin", also=("sched_lin",))
def _linear(*, start: float, end: float) -> Translation:
    return _rates(_go(start, end, "linear"))


@translates("fastai", "SchedCos", also=("sched_cos",))
def _cosine(*, start: float, end: float) -> Translation:
    return _rates(_go(start, end, "cosine"))


@translates("fastai", "SchedNo", also=("sched_no",))
def _none(*, start: float, end: float | None = None) -> Translation:
    return _rates(hold(at=start))


@translates("fastai", "SchedExp", also=("sched_exp",))
def _exponential(*, start: float, end: float) -> Translation:
    number("start", start, above=0)
    return _rates(hold(at=start) if start == end else ramp(to=end, start=start, log=True))


@translates("fastai", "SchedPoly")
def _polynomial(*, start: float, end: float, power: float) -> Translation:
    return _rates(_go(start, end, f"complement({number('power', power, above=0)!r})"))


@translates("fastai", "combine_scheds")
def _combined(*, pcts: Sequence[float], scheds: Sequence[Schedule | Translation]) -> Translation:
    parts = [schedule_of(f"scheds[{i}]", part) for i, part in enumerate(scheds)]
    shares = [Fraction(str(number("pcts", pct, at_least=0))) for pct in pcts]
    if len(parts) != len(shares) or sum(shares) != 1:
        raise ScheduleError(
            f"pcts={list(pcts)!r} must sum to 1, one for each of {len(parts)} scheds"
        )
    return _rates(_phases(parts, shares))


@translates("fastai", "combined_cos")
def _combined_cos(*, pct: float, start: float, middle: float, end: float) -> Translation:
    return _rates(_cosines(pct, start, middle, end))


@translates("fastai", "fit_one_cycle")
def _fit_one_cycle(
    *,
    lr_max: float,
    div: float = 25.0,
    div_final: float = 1e5,
    pct_start: float = 0.25,
    moms: Sequence[float] | None = None,
) -> Translation:
    rates = _MOMENTA if moms is None else tuple(moms)
    if len(rates) != 3:
        raise ScheduleError(f"moms={moms!r} must be three: at the start, the middle, the end")
    first, middle, last = rates
    start = lr_max / number("div", div, above=0)
    end = lr_max / number("div_final", div_final, above=0)
    return Translation(
        _cosines(pct_start, start, lr_max, end),
        absolute=True,
        momentum=_cosines(pct_start, first, middle, last),
    )


@translates("fastai", "fit_flat_cos")
def _fit_flat_cos(*, lr: float, div_final: float = 1e5, pct_start: float = 0.75) -> Translation:
    end = lr / number("div_final", div_final, above=0)
    return _rates(_cosines(pct_start, lr, lr, end))


@translates("fastai", "fit_sgdr")
def _fit_sgdr(*, n_cycles: int, cycle_len: int, lr_max: float, cycle_mult: int = 2) -> Translation:
    count = whole("n_cycles", n_cycles, at_least=1)
    whole("cycle_len", cycle_len, at_least=1)
    growth = whole("cycle_mult", cycle_mult, at_least=2)
    first = Duration(Fraction(growth - 1, growth**count - 1), "%")
    return _rates(warm_restarts(first, growth, cycles=count, peak=lr_max))


@translates("fastai", "lr_find")
def _lr_find(*, start_lr: float = 1e-7, end_lr: float = 10.0, num_it: int = 100) -> Translation:
    steps = whole("num_it", num_it, at_least=1)
    return _rates(ramp(steps, start=start_lr, to=end_lr, log=True))


def _go(start: float, end: float, ease: str) -> Schedule:
    return hold(at=start) if start == end else ramp(to=end, start=start, ease=ease)


def _cosines(pct: float, start: float, middle: float, end: float) -> Schedule:
    share = Fraction(str(number("pct_start", pct, at_least=0, at_most=1)))
    parts = [_go(start, middle, "cosine"), _go(middle, end, "cosine")]
    return _phases(parts, [share, 1 - share])


def _phases(parts: Sequence[Schedule], shares: Sequence[Fraction]) -> Schedule:
    placed = [
        part.over(Duration(share, "%")) for part, share in zip(parts, shares, strict=True) if share
    ]
    # In a repeat, shares are not rounded to whole steps.
    return then(placed).repeat(1)


def _rates(schedule: Schedule) -> Translation:
    return Translation(schedule, absolute=True)
