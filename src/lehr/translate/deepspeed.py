"""DeepSpeed: every scheduler of ``deepspeed.runtime.lr_schedules``.

The first update runs at the rate that the scheduler sets when it is built, and the second at its
step 0: both are the lowest rate of a warmup. ``WarmupCosineLR`` gives factors of the optimizer's
rate, the others rates; ``WarmupLR`` uses the optimizer's rate, ``lr``, unless it has its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from lehr.catalogue.decay.elementary import inverse
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import Count, Natural, NotNegative, one_of, own_rate
from lehr.translate.pieces import differing, go, line, rates, then
from lehr.translate.registry import Translation, ignores, translates

# Where a run resumes.
ignores("deepspeed", "last_batch_iteration")


@dataclass(frozen=True, kw_only=True)
class DeepSpeedWarmup:
    """The length of a warmup, and its shape."""

    warmup_num_steps: Count = 1000
    warmup_type: str = "log"

    @property
    def count(self) -> int:
        return max(2, self.warmup_num_steps)

    def rise(self, low: float, high: float) -> Schedule:
        """Return the warmup; a logarithmic one ends a step early."""
        one_of("warmup_type", self.warmup_type, ("log", "linear"))
        if self.warmup_type == "linear":
            return go(self.count, frm=low, to=high)
        ease = f"log({self.count})"
        return go(self.count - 1, frm=low, to=high, ease=ease) >> hold(1, at=high)


@translates("deepspeed", "WarmupLR")
def _warmup(
    warmup: DeepSpeedWarmup,
    warmup_min_lr: float = 0.0,
    warmup_max_lr: float | None = None,
    lr: float | None = None,
) -> Translation:
    peak = own_rate("warmup_max_lr", warmup_max_lr, lr)
    return rates(hold(1, at=warmup_min_lr) >> warmup.rise(warmup_min_lr, peak))


@translates("deepspeed", "WarmupDecayLR")
def _warmup_decay(
    warmup: DeepSpeedWarmup,
    total_num_steps: Count,
    warmup_min_lr: float = 0.0,
    warmup_max_lr: float = 0.001,
) -> Translation:
    left = max(total_num_steps - warmup.count, 0)
    rise = hold(1, at=warmup_min_lr) >> warmup.rise(warmup_min_lr, warmup_max_lr)
    return rates(rise >> go(left, frm=warmup_max_lr, to=warmup_min_lr))


@translates("deepspeed", "WarmupCosineLR")
def _warmup_cosine(
    warmup: DeepSpeedWarmup,
    total_num_steps: Count,
    warmup_min_ratio: float = 0.0,
    cos_min_ratio: float = 0.0001,
) -> Translation:
    left = max(total_num_steps - warmup.count, 1)
    rise = warmup.rise(warmup_min_ratio, 1.0)[: warmup.count]
    # The cosine counts from 1, so a linear warmup never quite reaches the peak.
    decay = go(left, frm=1.0, to=cos_min_ratio, ease="cosine")[1:]
    return differing(hold(1, at=0.0) >> rise >> decay)


@translates("deepspeed", "LRRangeTest")
def _range_test(
    lr_range_test_min_lr: NotNegative = 1e-3,
    lr_range_test_step_size: Count = 2000,
    lr_range_test_step_rate: float = 1.0,
    lr_range_test_staircase: bool = False,
) -> Translation:
    low, size = lr_range_test_min_lr, lr_range_test_step_size
    rising = line(low, low * lr_range_test_step_rate / size)
    return rates(rising.every(size) if lr_range_test_staircase else rising)


@translates("deepspeed", "OneCycle")
def _one_cycle(
    cycle_min_lr: float,
    cycle_max_lr: float,
    decay_lr_rate: float = 0.0,
    cycle_first_step_size: Count = 2000,
    cycle_second_step_size: Natural | None = None,
    cycle_first_stair_count: Natural = 0,
    cycle_second_stair_count: Natural | None = None,
    decay_step_size: int = 0,
    cycle_momentum: bool = True,
    cycle_min_mom: float = 0.8,
    cycle_max_mom: float = 0.9,
    decay_mom_rate: float = 0.0,
    faithful: bool = False,
) -> Translation:
    first, second = cycle_first_step_size, cycle_second_step_size
    second = first if second is None else second
    stairs, back = cycle_first_stair_count, cycle_second_stair_count
    back = stairs if back is None else back
    low, high = cycle_min_lr, cycle_max_lr
    tail = hold(at=low)
    if decay_step_size and decay_lr_rate:
        tau = Fraction(decay_step_size) / Fraction(str(decay_lr_rate))
        tail = inverse(tau, power=1.0, start=low)
    result = rates(_up(first, stairs, low, high) >> _down(second, back, high, low) >> tail)
    if not cycle_momentum:
        return result
    rest, least = cycle_max_mom, cycle_min_mom
    after = hold(at=rest)
    if decay_step_size and decay_mom_rate:
        after = line(rest, rest * decay_mom_rate / decay_step_size)
    momentum = _up(first, stairs, rest, least) >> _down(second, back, least, rest) >> after
    if faithful:
        return replace(result, momentum=hold(1, at=least) >> momentum[1:])
    note = (
        f"DeepSpeed begins with the lowest momentum, {least}, for one update, where its cycle has "
        f"the highest; here it begins with {rest}"
    )
    return replace(result, momentum=momentum, notes=(note,))


def _up(length: int, stairs: int, low: float, high: float) -> Schedule:
    rise = go(length, frm=low, to=high)
    return rise.every(Fraction(length, stairs)) if stairs else rise


def _down(length: int, stairs: int, high: float, low: float) -> Schedule:
    if not stairs or not length:
        return go(length, frm=high, to=low)
    # A stair includes the step at which it ends, so the peak lasts for one step.
    ends = [0, *(length * stair // stairs for stair in range(1, stairs + 1))]
    levels = [low + (high - low) * (stairs - stair) / stairs for stair in range(stairs + 1)]
    begins = [0, *(end + 1 for end in ends)]
    parts = [
        hold(stop - start, at=level)
        for start, stop, level in zip(begins, begins[1:], levels, strict=False)
    ]
    return then(parts)[:length]
