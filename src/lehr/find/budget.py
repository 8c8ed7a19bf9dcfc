"""The updates that a search may make: a number, or a share of the planned run."""

from __future__ import annotations

from fractions import Fraction

from lehr.errors import ScheduleError
from lehr.find.ladder import BUDGET
from lehr.time.duration import STEPS, Duration

LEAST = 60
"""The fewest updates that a search can do with."""


def updates_of(budget: int | str, steps: int) -> int:
    """Return a budget in updates.

    Arguments:
        budget: A number of updates, or a share of the run: 400, ``"10%"``.
        steps: The length of the planned run.

    Raises:
        ScheduleError: If it is neither, a number below 60, or a share that the short runs alone may
            exceed.

    Example:
        >>> updates_of(400, 1_000), updates_of("10%", 20_000)
        (400, 2000)
    """
    given = int(budget) if isinstance(budget, str) and budget.isdecimal() else budget
    wanted = (
        f"budget={budget!r:.80} is not a number of updates: write {BUDGET}, or '10%' of the run"
    )
    try:
        length = Duration.of(given)
    except ScheduleError:
        raise ScheduleError(wanted) from None
    if not length.is_share and length.unit != STEPS:
        raise ScheduleError(wanted)
    updates = int(length.amount * (steps if length.is_share else Fraction(1)))
    if length.is_share and updates < BUDGET:
        raise ScheduleError(
            f"budget={budget!r} is {updates} of {steps} updates, and short runs alone may take "
            f"{BUDGET}: write budget={BUDGET}, or '{-(-100 * BUDGET // steps)}%' or more"
        )
    if updates < LEAST:
        raise ScheduleError(
            f"budget={budget!r} is too small: a search needs at least {LEAST} updates; write "
            f"budget={BUDGET}"
        )
    return updates
