"""Megatron-core: ``OptimizerParamScheduler``, by its decay style and its own arguments.

The values are rates. The steps are Megatron's own: those that ``step(increment)`` counts, which its
training loop hands the samples of a batch. Give that ``increment`` and a step of the schedule is an
update. ``lr_decay_steps`` include the warmup; a boundary belongs to the phase before it.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Final, TypeVar

from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, level, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import go, one_of, steps
from lehr.translate.registry import Translation, translates

T = TypeVar("T")

_STYLES: Final = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
_WSD: Final = {
    "linear": "linear",
    "cosine": "cosine",
    "exponential": "exponential(0.5)",
    "minus_sqrt": "1-sqrt",
}


def _lr(
    lr_decay_style: str,
    *,
    max_lr: float,
    lr_decay_steps: int,
    init_lr: float = 0.0,
    min_lr: float = 0.0,
    lr_warmup_steps: int = 0,
    wsd_decay_steps: int | None = None,
    lr_wsd_decay_style: str | None = None,
    increment: int = 1,
) -> Translation:
    one_of("lr_decay_style", lr_decay_style, _STYLES)
    per = whole("increment", increment, at_least=1)
    low = number("min_lr", min_lr, at_least=0)
    peak = number("max_lr", max_lr, at_least=max(low, level("init_lr", init_lr)))
    rise = Fraction(steps("lr_warmup_steps", lr_warmup_steps))
    total = Fraction(steps("lr_decay_steps", lr_decay_steps))
    if rise >= total:
        raise ScheduleError(
            f"lr_warmup_steps={lr_warmup_steps!r} must be less than lr_decay_steps={lr_decay_steps}"
        )
    before = go(rise / per, frm=init_lr, to=peak) if rise else None
    if lr_decay_style == "constant":
        body = hold(at=peak)
    elif lr_decay_style == "inverse-square-root":
        # Its last step still counts: the fall to min_lr comes with the step after it.
        until = total // per + 1 - rise / per
        body = _inverse_sqrt(peak, rise, per).clip(low=low)[:until] >> hold(at=low)
    elif lr_decay_style == "WSD":
        fall = steps("wsd_decay_steps", _given("wsd_decay_steps", wsd_decay_steps))
        kind = _given("lr_wsd_decay_style", lr_wsd_decay_style)
        ease = _WSD[one_of("lr_wsd_decay_style", kind, list(_WSD))]
        decay = go(Fraction(fall) / per, frm=peak, to=low, ease=ease)
        stable = (total - rise - fall) / per
        body = hold(stable, at=peak) >> decay if stable >= 0 else _begun(decay, -stable, rise / per)
    else:
        body = go((total - rise) / per, frm=peak, to=low, ease=lr_decay_style)
    return Translation(body if before is None else before >> body, absolute=True)


for _style in _STYLES:
    translates("megatron", _style)(functools.partial(_lr, _style))


@translates("megatron", "OptimizerParamScheduler")
def _scheduler(
    *,
    lr_decay_style: str,
    max_lr: float,
    lr_decay_steps: int,
    init_lr: float = 0.0,
    min_lr: float = 0.0,
    lr_warmup_steps: int = 0,
    wsd_decay_steps: int | None = None,
    lr_wsd_decay_style: str | None = None,
    increment: int = 1,
) -> Translation:
    return _lr(
        lr_decay_style,
        max_lr=max_lr,
        lr_decay_steps=lr_decay_steps,
        init_lr=init_lr,
        min_lr=min_lr,
        lr_warmup_steps=lr_warmup_steps,
        wsd_decay_steps=wsd_decay_steps,
        lr_wsd_decay_style=lr_wsd_decay_style,
        increment=increment,
    )


@translates("megatron", "weight_decay")
def _weight_decay(
    *,
    start_wd: float,
    end_wd: float,
    wd_incr_steps: int,
    wd_incr_style: str = "constant",
    increment: int = 1,
) -> Translation:
    one_of("wd_incr_style", wd_incr_style, ("constant", "linear", "cosine"))
    start = number("start_wd", start_wd, at_least=0)
    end = number("end_wd", end_wd, at_least=start)
    if wd_incr_style == "constant":
        if start != end:
            raise ScheduleError(f"start_wd={start_wd!r}, end_wd={end_wd!r} are not constant")
        return Translation(hold(at=end), absolute=True)
    length = Fraction(steps("wd_incr_steps", wd_incr_steps)) / whole(
        "increment", increment, at_least=1
    )
    return Translation(go(length, frm=start, to=end, ease=wd_incr_style), absolute=True)


def _inverse_sqrt(peak: float, rise: Fraction, per: int) -> Schedule:
    if rise:
        return inverse(rise / per, power=0.5, start=peak)
    # Without a warmup the root counts from 1, and step 0 is at the peak too.
    return hold(1, at=peak) >> inverse(1, power=0.5, start=peak * per**-0.5)


def _begun(decay: Schedule, since: Fraction, rise: Fraction) -> Schedule:
    """Return a decay that began under the warmup, whose last step is still its own."""
    if rise.denominator > 1:
        return decay[since:]
    return hold(1) >> decay[since + 1 :]


def _given(name: str, value: T | None) -> T:
    if value is None:
        raise ScheduleError(f"{name} is missing; WSD needs it")
    return value
