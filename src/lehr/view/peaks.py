"""The report's sensitivity to the peak rate: a small panel for each pair, on shared axes."""

from dataclasses import dataclass

from lehr.lab.analysis.pair_result import PairResult, present
from lehr.lab.analysis.results import Results
from lehr.lab.metric import Metric
from lehr.view.markup import Markup, breakable, heads, scrolling, table, tag
from lehr.view.numbers import measured, rate
from lehr.view.svg import Scale, band, chart, line, nice_ticks
from lehr.view.tables import layout, pair_at

_WIDTH, _HEIGHT = 96.0, 76.0
_TOP, _BOTTOM = 8.0, 68.0

DEPTH = 20.0
"""How far the axis goes below the best, in margins of a tie: a peak below that is plainly wrong."""


@dataclass(frozen=True)
class _Axes:
    x: Scale
    y: Scale
    ticks: list[float]
    metric: Metric

    def grid(self) -> list[Markup]:
        lines = [(tick, "grid") for tick in self.ticks] + [(self.y.low, "axis")]
        return [
            tag("line", x1=2.0, x2=_WIDTH - 2, y1=self.y(at), y2=self.y(at), class_=look)
            for at, look in lines
        ]

    def labels(self) -> Markup:
        """Return the numbers of the vertical axis, as the cell in front of a row of panels."""
        texts = [
            tag("text", f"{t:g}", x=30.0, y=self.y(t) + 4, text_anchor="end", class_="tick")
            for t in self.ticks
        ]
        drawn = tag("svg", *texts, viewBox=f"0 0 34 {_HEIGHT:g}", aria_hidden="true")
        return tag("td", drawn, class_="scale")


def _ends(results: Results) -> tuple[float, float]:
    """Return the lowest and the highest peak rate of all."""
    peaks = [*results.settings.peaks, *(peak for pair in results.pairs for peak in pair.peaks)]
    return min(peaks), max(peaks)


def _axes(results: Results) -> _Axes | None:
    peaks = _ends(results)
    metric = results.metric
    costs = [metric.cost(v) for pair in results.pairs for v in present(pair.sensitivity.mean)]
    if not costs:
        return None
    best = min(costs)
    margin = metric.margin(best) or 1e-12
    ends = [
        metric.cost(c) for c in (best - margin, min(max(costs), best + DEPTH * margin) + margin)
    ]
    if metric.is_share:
        ends = [min(max(end, 0.0), 1.0) for end in ends]
    low, high = sorted(metric.gain * end for end in ends)
    return _Axes(
        Scale(min(peaks) / 1.5, max(peaks) * 1.5, 2.0, _WIDTH - 2, log=True),
        Scale(low, high, _BOTTOM, _TOP),
        nice_ticks(low, high, 2),
        metric,
    )


def _panel(pair: PairResult, name: str, axes: _Axes) -> Markup:
    x, y, values = axes.x, axes.y, pair.sensitivity.times(axes.metric.gain)
    points = list(zip(pair.peaks, values.mean, strict=True))
    failed = [
        tag("text", "×", x=x(p), y=_BOTTOM - 1, text_anchor="middle", class_="failed")
        for p, v in points
        if v is None
    ]
    chosen = [
        tag("circle", cx=x(p), cy=y.clamp(v), r=3.6, class_="dot")
        for p, v in points
        if v is not None and p == pair.peak
    ]
    box = tag("rect", x=0.0, y=_TOP - 4, width=_WIDTH, height=_BOTTOM - _TOP + 4)
    words = "; ".join(
        f"{rate(p)}: {'diverged' if v is None else measured(axes.metric, v / axes.metric.gain)}"
        for p, v in points
    )
    return chart(
        _WIDTH,
        _HEIGHT,
        *axes.grid(),
        tag("clipPath", box, id=f"{name}-c"),
        tag(
            "g",
            band(pair.peaks, values.low, values.high, x, y, class_="band"),
            line(pair.peaks, values.mean, x, y, class_="curve"),
            clip_path=f"url(#{name}-c)",
        ),
        *failed,
        *chosen,
        name=name,
        title=f"{pair.optimizer} with {pair.schedule}; chosen peak {rate(pair.peak)}",
        text=f"Validation {axes.metric.name} by peak rate: {words}.",
        class_="chart tiny",
    )


def _cell(pair: PairResult | None, name: str, axes: _Axes) -> Markup:
    if pair is None:
        return tag("td", tag("span", "not run", class_="soft"))
    return tag("td", _panel(pair, name, axes))


def sensitivity(results: Results) -> Markup:
    """Draw the validation metric against the peak rate, pair by pair, as in the map."""
    axes = _axes(results)
    if axes is None:
        return tag("p", "No peak rate has been tried yet.", class_="soft")
    across, down = layout(results)
    rows = [
        tag(
            "tr",
            tag("th", breakable(row), scope="row"),
            axes.labels(),
            *(
                _cell(pair_at(results, row, column), f"peak-{i}-{j}", axes)
                for j, column in enumerate(across)
            ),
        )
        for i, row in enumerate(down)
    ]
    ends = [tag("span", rate(peak)) for peak in _ends(results)]
    head = tag("tr", tag("td"), tag("td"), *heads(map(breakable, across)))
    foot = tag(
        "tr",
        tag("th", "peak rate", scope="row"),
        tag("td"),
        *(tag("td", *ends, class_="ends") for _ in across),
    )
    metric = results.metric
    lost = "a run" if metric.guess is None else "every run"
    caption = (
        "Every panel has the same axes: the peak rate on a log scale, and the validation "
        f"{metric.name} ({metric.direction}), from {axes.y.low:.3g} to {axes.y.high:.3g}. The dot "
        f"is the chosen peak; × is a peak at which {lost} diverged. The band is the interval over "
        "the tuning seeds, which are few."
    )
    return scrolling(table("peaks", caption, head, rows, tag("tfoot", foot)), "Peak rates")
