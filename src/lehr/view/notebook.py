"""Schedules, entries of the catalogue and results as HTML, which notebooks show by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lehr.errors import ScheduleError
from lehr.provided import PROVIDED
from lehr.view.numbers import measured, ranks, rate
from lehr.view.scales import evenly, own_steps

if TYPE_CHECKING:
    from lehr.catalogue import Entry, RuleEntry
    from lehr.lab.analysis.pair_result import PairResult
    from lehr.lab.analysis.results import Results
    from lehr.schedule.base import Schedule
    from lehr.view.markup import Markup


_ROWS = 10
"""The number of pairs that a notebook shows."""

_POINTS = 500
"""The most points of a curve."""

_RUN = 1000
"""The length of the run in the picture of a schedule that has none of its own."""


def schedule_html(schedule: Schedule) -> str:
    """Draw a schedule over its run, with its text below.

    One without a length is drawn over 1,000 steps. If it cannot be drawn, the reason is below it.
    """
    from lehr.view.markup import tag  # Loads html.

    drawn, note = _drawn(schedule, repr(schedule))
    return tag("figure", drawn, _caption(repr(schedule), note), style="margin:0;max-width:40em")


def entry_html(entry: Entry | RuleEntry) -> str:
    """Draw the example of an entry, with its momentum, its call and its source below."""
    from lehr.view.markup import tag  # Loads html.

    heading = tag("div", tag("b", entry.name), f" · {entry.family} · {entry.summary}")
    parts: list[str] = []
    example: Any = entry.example
    for name, schedule in (("rate", example), ("momentum", getattr(entry, "momentum", None))):
        if schedule is not None and hasattr(schedule, "over"):
            rates = name == "rate"
            parts.append(_drawn(schedule, f"{entry.name}: {name}", from_zero=rates)[0])
    source = f"Source: {entry.paper}" if entry.paper else ""
    caption = _caption(repr(example), source)
    return tag("figure", heading, *parts, caption, style="margin:0;max-width:60em")


def results_html(results: Results) -> str:
    """Show the answer of a comparison: its first sentence, the best pair's code, the first rows."""
    from lehr.view.markup import heads, tag  # Loads html.

    parts: list[str] = [tag("p", tag("b", text)) for text in results.summary[:1]]
    if results.pairs:
        parts.append(tag("pre", tag("code", results.pairs[0].code), style="white-space:pre-wrap"))
        score = f"test {results.metric.name}"
        names = ("#", "optimizer", "schedule", "peak rate", score, "could rank", "")
        head = tag("thead", tag("tr", *heads(names)))
        rows = [_row(results, pair) for pair in results.pairs[:_ROWS]]
        parts.append(tag("table", head, tag("tbody", *rows)))
    if len(results.pairs) > _ROWS:
        parts.append(tag("p", f"The other {len(results.pairs) - _ROWS} pairs are not shown."))
    return tag("div", *parts)


def _row(results: Results, pair: PairResult) -> Markup:
    from lehr.view.markup import tag  # Loads html.

    texts = (
        str(pair.rank),
        pair.optimizer,
        pair.schedule,
        rate(pair.peak),
        measured(results.metric, pair.score),
        ranks(pair.ranks),
        "" if pair.standing == "behind" else pair.standing,
    )
    return tag("tr", *(tag("td", text) for text in texts))


def _caption(text: str, note: str) -> Markup:
    from lehr.view.markup import tag  # Loads html.

    code = tag("code", text, style="white-space:pre-wrap;overflow-wrap:anywhere")
    return tag("figcaption", code, tag("div", note, style="opacity:.75") if note else "")


def _drawn(schedule: Schedule, title: str, *, from_zero: bool = True) -> tuple[str, str]:
    """Return the picture of a schedule, and a note on its run; only a note if it has none."""
    from lehr.view.picture import picture  # Loads html.

    try:
        own = own_steps(schedule)
        steps = own or _RUN
        placed = schedule if own else schedule.over(steps)
        at = evenly(steps, min(steps, _POINTS))
        values = [placed(step) for step in at]
    except ScheduleError as error:
        return "", f"Not drawn: {error}"
    note = "" if own else f"Drawn over {steps:,} steps."
    return picture(title, at, {title: values}, from_zero=from_zero), note


def _plot(schedule: Schedule, *arguments: Any, **options: Any) -> Any:
    from lehr.view.plot import plot  # Loads NumPy, and matplotlib when it draws.

    return plot(schedule, *arguments, **options)


PROVIDED.update(
    schedule_html=schedule_html, entry_html=entry_html, results_html=results_html, plot=_plot
)
