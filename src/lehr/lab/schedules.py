"""The schedules that can be compared: by a name in the catalogue, or as text."""

from __future__ import annotations

from typing import NamedTuple

from lehr.catalogue import find_entry
from lehr.errors import ScheduleError
from lehr.notation import parse
from lehr.schedule.base import Schedule


class Contender(NamedTuple):
    """A schedule in a comparison.

    Attributes:
        schedule: The factor on the peak rate over the run.
        momentum: The momentum (or beta1) over the run, if it changes with the rate.
        summary: One plain line about the schedule.
    """

    schedule: Schedule
    momentum: Schedule | None
    summary: str


def find_contender(name: str) -> Contender:
    """Return the schedule of this name.

    Arguments:
        name: A name in the catalogue, which means the entry's example; or the text of a schedule,
            for `lehr.parse`.

    Raises:
        UnknownSchedule: If it is a word that is not in the catalogue.
        ScheduleError: If it is not the text of a schedule.

    Example:
        >>> find_contender("cosine(to=0.1)").schedule.over(100)(100)
        0.1
    """
    if name.isidentifier():
        entry = find_entry(name)
        return Contender(entry.example, entry.momentum, entry.summary)
    return Contender(parse(name), None, "")


def check_contender(name: str, schedule: Schedule, steps: int) -> None:
    """Check that the schedule of this name can be placed over a run of `steps` updates.

    Raises:
        ScheduleError: If it cannot; the message names the schedule.
    """
    try:
        schedule.over(steps)(steps - 1)
    except ScheduleError as error:
        raise ScheduleError(
            f"schedule {name!r} cannot be placed over {steps} steps: {error}"
        ) from error
