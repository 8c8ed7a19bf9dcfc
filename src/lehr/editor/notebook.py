"""`lehr.studio`: a schedule designed by hand in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lehr.editor.evidence import Evidence
from lehr.editor.sketch import Line, Sketch
from lehr.errors import ScheduleError
from lehr.notation import parse
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.schedule.times import Over

if TYPE_CHECKING:
    from lehr.editor.widget import Studio
    from lehr.laws import Law


def studio(
    schedule: Schedule | str = "warmup('5%') >> hold() >> cosine('20%', to=0.1)",
    *,
    over: HorizonLike = 10_000,
    momentum: Schedule | str | None = None,
    weight_decay: Schedule | str | None = None,
    law: Law | None = None,
) -> Studio:
    """Return a notebook widget in which a schedule is designed by hand.

    Its ``.schedule`` follows what is done there. On the command line, ``lehr studio`` is the same
    as a page.

    Arguments:
        schedule: The schedule of the rate to begin with, or its text, which stays as it is written.
        over: The run that it is drawn over: a length, or a :class:`lehr.Horizon` whose batch, if it
            has one, is a number. A schedule with a run of its own is drawn over that.
        momentum: The schedule of the momentum, or its text.
        weight_decay: The schedule of the weight decay, or its text.
        law: A fitted law that predicts the final loss while something is moved.

    Raises:
        ScheduleError: If a text is not a schedule, or the run cannot be drawn.
        MissingExtra: If anywidget is not installed.

    Example::

        widget = lehr.studio("warmup('5%') >> cosine()", over=10_000)
        widget              # drag, and then in the next cell
        widget.schedule
    """
    from lehr.editor.widget import Studio  # Loads NumPy and the notebook's packages.

    given = {"rate": schedule, "momentum": momentum, "weight decay": weight_decay}
    lines = tuple(Line(role, _text(role, one)) for role, one in given.items() if one is not None)
    if isinstance(schedule, Over) and not schedule.horizon.length.is_share:
        over = schedule.horizon
    horizon = Horizon.of(over)
    sketch = Sketch(lines, str(horizon.length).removesuffix("st"), _units(horizon))
    return Studio(sketch, Evidence(law))


def _text(role: str, given: Schedule | str) -> str:
    if isinstance(given, Schedule):
        text = repr(given)
        parse(text)
        return text
    if not isinstance(given, str):
        name = "schedule" if role == "rate" else role.replace(" ", "_")
        raise ScheduleError(f"{name}={given!r} must be a schedule or its text")
    parse(given)
    return given


def _units(horizon: Horizon) -> tuple[tuple[str, int], ...]:
    if horizon.samples_per_epoch is not None or not isinstance(horizon.batch, int | None):
        raise ScheduleError(
            f"over={horizon!r} cannot be drawn: write steps_per_epoch=..., and a batch that is a "
            "number"
        )
    names = ("steps_per_epoch", "batch", "sequence")
    return tuple((name, getattr(horizon, name)) for name in names if getattr(horizon, name))
