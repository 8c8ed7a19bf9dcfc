"""Megatron-core: ``OptimizerParamScheduler``, by its decay style and its own arguments.

The values are rates. The steps are Megatron's own, those that ``step(increment)`` counts: its
training loop passes the samples of a batch. With that ``increment``, a step of the schedule is an
update. ``lr_decay_steps`` include the warmup; a boundary belongs to the phase before it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, level, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import as_written
from lehr.translate.arguments import Count, NotNegative, StepCount, one_of
from lehr.translate.pieces import go, rates
from lehr.translate.registry import Translation, ignores, translates

_STYLES: Final = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
# How a checkpoint's arguments and these are reconciled when a run resumes.
ignores("megatron", "use_checkpoint_opt_param_scheduler", "override_opt_param_scheduler")
_WSD: Final = {
    "linear": "linear",
    "cosine": "cosine",
    "exponential": "exponential(0.5)",
    "minus_sqrt": "1-sqrt",
}


@dataclass(frozen=True, kw_only=True)
class MegatronRate:
    """The arguments of the rate, and those of the weight decay, which it does not depend on."""

    max_lr: float
    lr_decay_steps: StepCount
    init_lr: float = 0.0
    min_lr: NotNegative = 0.0
    lr_warmup_steps: StepCount = 0
    wsd_decay_steps: StepCount | None = None
    lr_wsd_decay_style: str | None = None
    start_wd: float | None = None
    end_wd: float | None = None
    wd_incr_steps: int | None = None
    wd_incr_style: str = "constant"
    increment: Count = 1

    @property
    def decay_note(self) -> str:
        if self.start_wd == self.end_wd:
            return ""
        return (
            f"the weight decay goes from {self.start_wd!r} to {self.end_wd!r} beside the rate: "
            "translate('megatron', 'weight_decay', ...) is its schedule"
        )


def _lr(lr_decay_style: str, given: MegatronRate) -> Translation:
    one_of("lr_decay_style", lr_decay_style, _STYLES)
    per, low = given.increment, given.min_lr
    peak = number("max_lr", given.max_lr, at_least=max(low, level("init_lr", given.init_lr)))
    rise, total = Fraction(given.lr_warmup_steps), Fraction(given.lr_decay_steps)
    if rise >= total:
        raise ScheduleError(
            f"lr_warmup_steps={as_written(rise)} must be less than "
            f"lr_decay_steps={as_written(total)}"
        )
    # The last step still counts: a fall to min_lr comes with the step after it.
    until = total // per + 1 - rise / per
    before = go(rise / per, frm=given.init_lr, to=peak) if rise else None
    if lr_decay_style == "constant":
        body = hold(at=peak)
    elif lr_decay_style == "inverse-square-root":
        body = _inverse_sqrt(peak, rise, per).clip(low=low)[:until] >> hold(at=low)
    elif lr_decay_style == "WSD":
        if given.wsd_decay_steps is None:
            raise ScheduleError(
                "wsd_decay_steps is missing: write wsd_decay_steps=100, or how many"
            )
        fall = given.wsd_decay_steps
        body = hold(until, at=peak) >> hold(at=low)
        last = total // per * per
        # The style makes no difference where no update is in the decay.
        if last > total - fall and (last > rise or not rise):
            ease = _WSD[one_of("lr_wsd_decay_style", given.lr_wsd_decay_style, list(_WSD))]
            decay = go(Fraction(fall) / per, frm=peak, to=low, ease=ease)
            stable = (total - rise - fall) / per
            begun = stable < 0
            body = _begun(decay, -stable, rise / per) if begun else hold(stable, at=peak) >> decay
    else:
        body = go((total - rise) / per, frm=peak, to=low, ease=lr_decay_style)
    return rates(body if before is None else before >> body, given.decay_note)


@translates("megatron", "OptimizerParamScheduler")
def _scheduler(given: MegatronRate, lr_decay_style: str) -> Translation:
    return _lr(lr_decay_style, given)


for _style in _STYLES:
    translates("megatron", _style)(functools.partial(_lr, _style))


@translates("megatron", "weight_decay")
def _weight_decay(
    start_wd: NotNegative,
    end_wd: float,
    wd_incr_steps: StepCount,
    wd_incr_style: str = "constant",
    increment: Count = 1,
) -> Translation:
    one_of("wd_incr_style", wd_incr_style, ("constant", "linear", "cosine"))
    end = number("end_wd", end_wd, at_least=start_wd)
    if wd_incr_style == "constant":
        if start_wd != end:
            raise ScheduleError(
                f"start_wd={start_wd!r}, end_wd={end_wd!r} are not constant: write "
                "wd_incr_style='linear' or 'cosine'"
            )
        return rates(hold(at=end))
    return rates(go(Fraction(wd_incr_steps) / increment, frm=start_wd, to=end, ease=wd_incr_style))


def _inverse_sqrt(peak: float, rise: Fraction, per: int) -> Schedule:
    if rise:
        return inverse(rise / per, power=0.5, start=peak)
    # Without a warmup the root counts from 1, and step 0 is at the peak too.
    return hold(1, at=peak) >> inverse(1, power=0.5, start=peak * per**-0.5)


def _begun(decay: Schedule, since: Fraction, rise: Fraction) -> Schedule:
    """Return a decay that began under the warmup, which keeps its last step."""
    if not rise or rise.denominator > 1:
        return decay[since:]
    return hold(1) >> decay[since + 1 :]
