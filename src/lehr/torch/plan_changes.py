"""The changes of plan that people make: the methods of a scheduler that cut its schedule.

Each of them checks its arguments and writes them down in plain types, as they are saved;
:mod:`lehr.torch.plan_edits` makes the new schedule of them.
"""

from __future__ import annotations

from typing import Any

from lehr.curves.easing import Ease
from lehr.errors import ScheduleError, number
from lehr.notation import ScheduleLike, as_schedule
from lehr.time.duration import DurationLike
from lehr.torch.binding import flag


def extend(scheduler: Any, steps: DurationLike, *, of: str = "lr") -> None:
    """Make the run longer from now on, by stretching what is left of the schedule.

    Arguments:
        steps: How many steps longer, at least 1; or a duration such as ``"10%"`` of the run.
        of: Which driven number's schedule.

    Raises:
        ScheduleError: If the schedule is at its end, or has none. Nothing is changed then.

    Example:
        >>> import lehr, torch
        >>> from lehr.torch import Scheduler
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = Scheduler(optimizer, lehr.linear(), over=100)
        >>> scheduler.seek(50)
        >>> scheduler.extend(100)
        >>> scheduler.seek(125)
        >>> scheduler.get_last_lr()
        [0.25]
    """
    scheduler._change("extend", of, steps=scheduler._whole("steps", steps))


def cooldown(
    scheduler: Any, steps: DurationLike, *, to: float = 0.0, ease: str = "linear", of: str = "lr"
) -> None:
    """End the run from here: go down from the present level to another.

    Arguments:
        steps: In how many steps, at least 1.
        to: The level at the end, at least 0.
        ease: How it goes: a name from :class:`lehr.Ease`, such as ``"cosine"``, ``"1-sqrt"``.
        of: Which driven number's schedule.

    Raises:
        ScheduleError: If the schedule is at that level already. Nothing is changed then.

    Source: Hägele et al. (2024), Scaling Laws and Compute-Optimal Training Beyond Fixed
    Training Durations, arXiv:2405.18392.
    """
    if not isinstance(ease, str):
        raise ScheduleError(
            f"ease={ease!r} has no name to be saved by; write lehr.register('mine')(function) "
            "and ease='mine'"
        )
    Ease.of(ease)
    scheduler._change(
        "cooldown", of, steps=scheduler._whole("steps", steps), to=number("to", to), ease=ease
    )


def rewarm(
    scheduler: Any,
    steps: DurationLike,
    *,
    to: float = 1.0,
    then: ScheduleLike | None = None,
    over: DurationLike | None = None,
    of: str = "lr",
) -> None:
    """Rise again from here, as for more data or a longer run.

    Arguments:
        steps: In how many steps, at least 1.
        to: The level that it rises to, greater than 0.
        then: What follows; it stays there without it. A part without length takes what is left.
        over: How long all of it lasts from now on; what is left of the run without it.
        of: Which driven number's schedule.

    Raises:
        ScheduleError: If it does not fit. Nothing is changed then.

    Source: Ibrahim et al. (2024), Simple and Scalable Strategies to Continually Pre-train Large
    Language Models, arXiv:2403.08763.
    """
    scheduler._change(
        "rewarm",
        of,
        steps=scheduler._whole("steps", steps),
        to=number("to", to),
        then=None if then is None else _saved_schedule("then", then),
        over=None if over is None else scheduler._whole("over", over),
    )


def replace(
    scheduler: Any,
    schedule: ScheduleLike,
    *,
    over: DurationLike | None = None,
    jump: bool = False,
    of: str = "lr",
) -> None:
    """Go on from here with another schedule.

    Arguments:
        schedule: The schedule that follows; without a start of its own it begins at the present
            level. Its shares are shares of what is left.
        over: How long it lasts; what is left of the run without it.
        jump: Whether it may begin at another level than the present one.
        of: Which driven number's schedule.

    Raises:
        ScheduleError: If it would jump and ``jump`` is False, or it does not fit. Nothing is
            changed then.
    """
    scheduler._change(
        "replace",
        of,
        schedule=_saved_schedule("schedule", schedule),
        over=None if over is None else scheduler._whole("over", over),
        jump=flag("jump", jump),
    )


def scale(scheduler: Any, factor: float, *, steps: DurationLike = 0, of: str = "lr") -> None:
    """Multiply what is left of the schedule by a factor.

    Arguments:
        factor: Greater than 0.
        steps: Over how many steps the factor is reached in a straight line; 0 is at once.
        of: Which driven number's schedule.

    Raises:
        ScheduleError: If the factor is not positive. Nothing is changed then.
    """
    scheduler._change(
        "scale", of, factor=number("factor", factor), steps=scheduler._whole("steps", steps)
    )


def _saved_schedule(name: str, schedule: ScheduleLike) -> dict[str, Any]:
    """Return a schedule's dict form: one that cannot be saved is refused at once."""
    return as_schedule(name, schedule).to_dict()
