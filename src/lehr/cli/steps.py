"""The length of a run, as an option of the command line."""

from __future__ import annotations

from typing import Any

import click

from lehr.errors import ScheduleError
from lehr.time.duration import STEPS, Duration

__all__ = ["Steps"]


class Steps(click.ParamType[int]):
    """Whole steps, as a number or in lehr's notation: 5000, 5e3, 5kst."""

    name = "steps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of steps."""
        try:
            length = Duration.of(_number(value))
        except ScheduleError:
            length = None
        if length is None or length.unit != STEPS or length.amount < 1 or length.amount % 1:
            self.fail(
                f"{str(value)[:60]!r} is not a whole number of steps, at least 1; write 1000000, "
                "1e6 or 1Mst.",
                param,
                ctx,
            )
        return int(length.amount)


def _number(value: Any) -> Any:
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else value
