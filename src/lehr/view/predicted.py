"""The report's loss curves as a law predicts them, beside the measured ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lehr.lab.analysis.results import Results
from lehr.laws import Law, PredictedRun, predict_compared
from lehr.view.markup import Markup, breakable, heads, scrolling, table, tag
from lehr.view.numbers import plain
from lehr.view.svg import Frame, Scale, band, chart, line, log_ticks, nice_ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 232.0, 8.0, 128.0


def predicted(results: Results, law: Law) -> Markup:
    """Draw the predicted curves beside the measured ones, and list their ends.

    Raises:
        LawError: If the comparison has no finished runs of the law's optimizer.
    """
    found = predict_compared(results, law)
    cards = [_card(number, one) for number, one in enumerate(found)]
    return tag("div", tag("div", *cards, class_="cards"), _table(found))


def _card(number: int, one: PredictedRun) -> Markup:
    run, seen = one.run, one.prediction
    name = f"predicted-{number}"
    caption = tag("figcaption", tag("h3", breakable(run.name)), tag("p", _fitted(one)))
    # The first tenth of a run would stretch the axis and hide how far the curves are apart.
    late = run.steps > run.length // 10
    known = np.concatenate([run.losses[late], seen.loss[late]])
    top = float(np.nanmax(known)) * 1.1
    bottom = max(float(np.nanmin(known)) / 1.1, top / 1e4)
    x = Scale(0.0, float(run.length), _LEFT, _RIGHT)
    y = Scale(bottom, top, _BOTTOM, _TOP, log=True)
    frame = Frame(x, y, nice_ticks(0.0, x.high, 4), log_ticks(bottom, top, 4))
    steps = [float(step) for step in run.steps]
    rows = (seen.loss, seen.low, seen.high, run.losses)
    loss, low, high, measured = ([_inside(v, bottom, top) for v in row.tolist()] for row in rows)
    drawn = chart(
        240,
        150,
        frame.grid(),
        band(steps, low, high, x, y, class_="band"),
        line(steps, loss, x, y, class_="curve"),
        line(steps, measured, x, y, class_="series c1"),
        name=name,
        title=f"{run.name}: predicted and measured training loss",
        text=f"At the end {plain(seen.final)} is predicted, {plain(run.losses[-1])} was measured.",
        class_="chart shape",
    )
    return tag("figure", drawn, caption, class_="card")


def _inside(value: float, low: float, high: float) -> float | None:
    return None if np.isnan(value) else min(max(value, low), high)


def _fitted(one: PredictedRun) -> str:
    return "the law was fitted on it" if one.is_fitted else "predicted only"


def _table(found: Sequence[PredictedRun]) -> Markup:
    head = tag("tr", tag("td"), *heads(("measured", "predicted", "interval", "")))
    caption = (
        "The training loss at the last point of the curve, and the interval in which nine of ten "
        "measured ones should lie."
    )
    return scrolling(table("lengths", caption, head, map(_row, found)), "Predicted")


def _row(one: PredictedRun) -> Markup:
    low, high = one.prediction.final_interval
    return tag(
        "tr",
        tag("th", breakable(one.run.name), scope="row"),
        tag("td", plain(float(one.run.losses[-1]))),
        tag("td", plain(one.prediction.final)),
        tag("td", f"{plain(low)} to {plain(high)}"),
        tag("td", _fitted(one)),
    )
