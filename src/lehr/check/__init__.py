"""Checking a schedule before a run for what is probably a mistake.

Nothing here is an error: a schedule that contradicts itself is refused when it is built. A finding
is a question that a colleague would ask before a month of compute is spent, and says what to write
instead.

>>> import lehr
>>> for finding in lehr.check(lehr.warmup(500) >> lehr.hold(), over=200):
...     print(finding)
warmup: the warmup of 500 steps is longer than the run of 200 steps: the peak is never reached; \
write warmup('10%'), or a run of more than 500 steps
"""

from __future__ import annotations

from typing import Any

from lehr.check.optimizers import groups, peaks, schedule_free, several, unscheduled
from lehr.check.schedules import (
    JUMP,
    Finding,
    ends,
    jump,
    jumps,
    lengths,
    partial_batches,
    ranges,
    still,
    too_long,
)
from lehr.errors import NeedsHorizon, ScheduleError
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.horizon import Horizon, HorizonLike

__all__ = ["JUMP", "Finding", "check", "jump", "lengths"]


def check(
    schedule: ScheduleLike,
    over: HorizonLike | None = None,
    optimizer: Any = None,
    *,
    scheduler: Any = None,
) -> list[Finding]:
    """List probable mistakes in a schedule, the most important first.

    It finds: a warmup longer than the run, or of no steps in it (``warmup``); pieces longer than
    the run (``cut``); a sudden rise, more than tenfold and above anything before (``jump``); a last
    update far above the end level, or a run that ends within a cycle (``end``);
    a rate that would change only after the run (``still``); a run in epochs whose number of steps
    depends on the loader's last batch (``partial``); values that an optimizer's rate cannot take,
    or that are all 0 (``range``); groups whose rate is 0, which no factor can change, or that a
    scheduler has driven already (``base``); a peak rate that is not usual for the optimizer
    (``peak``); a schedule that decays under a schedule-free optimizer, which averages weights in
    its place (``schedule_free``); groups and optimizers that no scheduler drives
    (``unscheduled``).

    The usual peak rates are a hint, about a decade around what is published: 0.1 for 256 samples,
    and in proportion, for SGD (Goyal et al. 2017, arXiv:1706.02677); 0.001 for Adam (Kingma and Ba
    2014, arXiv:1412.6980), from 6e-4 down to 6e-5 in large language models (Brown et al. 2020,
    arXiv:2005.14165) and 2e-5 in fine-tuning (Devlin et al. 2018, arXiv:1810.04805); three to ten
    times less than Adam's for Lion, which follows signs (Chen et al. 2023, arXiv:2302.06675); 0.02
    for Muon (Jordan et al. 2024); 1 for those that find their own, such as Prodigy (Mishchenko and
    Defazio 2023, arXiv:2306.06101). A range test has the last word.

    Arguments:
        schedule: A schedule or its text; a factor of the groups' rates where an optimizer is given.
        over: The run; not needed where the schedule has its own.
        optimizer: An optimizer, or several, whose groups are checked as well: any object with
            ``param_groups``.
        scheduler: The scheduler, or several, that drive the optimizers, to find what they do not
            drive: any object with ``param_groups`` (those that it drives), ``optimizer`` or
            ``optimizers``.

    Raises:
        NeedsHorizon: If the schedule needs a run and ``over`` is not given.
        ScheduleError: If it does not fit its run, for another reason than its warmup; or if an
            optimizer or a scheduler has no groups.
    """
    if hasattr(schedule, "param_groups") or hasattr(schedule, "optimizer"):
        raise ScheduleError(
            f"check: schedule={type(schedule).__name__} is not a schedule: write "
            "lehr.check(schedule, 1000, optimizer, scheduler=scheduler)"
        )
    schedule = as_schedule("schedule", schedule)
    try:
        placed = schedule if over is None else schedule.over(over)
        placed(0)
    except NeedsHorizon:
        raise
    except ScheduleError:
        found = [] if over is None else list(too_long(schedule, Horizon.of(over)))
        if not found:
            raise
        return found
    found = [*lengths(placed), *jumps(placed), *ends(placed), *ranges(placed)]
    found += partial_batches(placed)
    if not found:
        found += still(placed)
    optimizers = several(optimizer)
    for each in optimizers:
        found += [*groups(each), *peaks(placed, each), *schedule_free(placed, each)]
    return [*found, *unscheduled(optimizers, scheduler)]
