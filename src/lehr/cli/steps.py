"""Lengths as options of the command line: steps of a run, and seconds."""

from __future__ import annotations

from typing import Any

import click

from lehr.errors import ScheduleError
from lehr.time.duration import SECONDS, STEPS, Duration


class Steps(click.ParamType[int]):
    """Whole steps, as a number or in lehr's notation: 5000, 5e3, 5kst."""

    name = "steps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of steps."""
        length = _duration(_number(value))
        if length is None or length.unit != STEPS or length.amount < 1 or length.amount % 1:
            self.fail(
                f"{str(value)[:60]!r} is not a whole number of steps, at least 1; write 1000000, "
                "1e6 or 1Mst.",
                param,
                ctx,
            )
        return int(length.amount)


class Seconds(click.ParamType[float]):
    """A time that passes, in lehr's notation (90s, 30min, 2h), or as a number of seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number of seconds."""
        if isinstance(value, float):
            return value
        length = _duration(f"{value}s" if str(value).isdecimal() else value)
        if length is None or length.unit != SECONDS or not length.amount:
            self.fail(
                f"{str(value)[:60]!r} is not a time above 0; write 90s, 30min or 2h.", param, ctx
            )
        return float(length.amount)


def _duration(value: Any) -> Duration | None:
    try:
        return Duration.of(value)
    except ScheduleError:
        return None


def _number(value: Any) -> Any:
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else value
