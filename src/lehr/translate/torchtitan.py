"""torchtitan: its one schedule, with the fields of its configuration.

The values are factors of the optimizer's rate. The first update already takes one step of the
warmup, and the decay would reach its end one step after the last: ``training_steps`` updates never
run at ``min_lr_factor`` itself.
"""

from __future__ import annotations

from typing import Final

from lehr.catalogue.warmup import warmup
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import Count, Natural, NotNegative, one_of
from lehr.translate.pieces import differing, go
from lehr.translate.registry import Translation, translates

_EASES: Final = {"linear": "linear", "sqrt": "1-sqrt", "cosine": "cosine"}
_PAST: Final = (
    "past the end torchtitan goes on along the curve, below its floor and below 0 "
    "(or, with a cosine, up again); here the rate holds"
)


@translates("torchtitan", "LRSchedulersContainer", "lr_scheduler", "build_lr_schedulers")
def _schedule(
    training_steps: Count,
    warmup_steps: Natural = 200,
    total_steps: Count | None = None,
    decay_ratio: NotNegative | None = None,
    decay_type: str = "linear",
    min_lr_factor: NotNegative = 0.0,
    faithful: bool = False,
) -> Translation:
    one_of("decay_type", decay_type, list(_EASES))
    total = training_steps if total_steps is None else total_steps
    rise, floor = min(warmup_steps, total), min_lr_factor
    fall = total - rise
    if decay_ratio is not None:
        fall = min(fall, round(total * decay_ratio))
    # Counted from 1: the warmup ends one step early, and the peak lasts that much longer.
    before = warmup(rise)[1:] >> hold(total - fall - rise + 1) if rise else hold(total - fall, at=1)
    if fall == 0:
        return differing(before)
    decay = go(fall, frm=1.0, to=floor, ease=_EASES[decay_type])
    if faithful:
        return differing(before >> _endless(decay_type, fall, floor))
    return differing(before >> decay, _PAST)


def _endless(kind: str, length: int, floor: float) -> Schedule:
    """Return the decay without its end, for a million times its length."""
    if kind == "cosine":
        down, up = (go(length, frm=a, to=b, ease="cosine") for a, b in ((1.0, floor), (floor, 1.0)))
        return (down >> up).repeat()
    share = 10**6 if kind == "linear" else 10**3  # the line, or the root, of a million
    return go(length * 10**6, frm=1.0, to=1.0 - (1.0 - floor) * share, ease=_EASES[kind])
