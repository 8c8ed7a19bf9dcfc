"""The report's learning curves: the reader picks the optimizer and which schedules are drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from lehr.lab.analysis.pair_result import Band, PairResult, Row, present
from lehr.lab.analysis.results import Results
from lehr.view.markup import Markup, shortened, tag
from lehr.view.svg import (
    Frame,
    Scale,
    band,
    chart,
    line,
    log_ticks,
    nice_ticks,
    spread,
)
from lehr.view.tables import reach

BANDS = 3
"""How many of the best schedules show their bands at first: more would hide the lines."""

CHOSEN = 4
"""How many schedules show their lines at first, at least; the others on demand."""

COLOURS, DASHES = 6, 3
"""How many colours and dash patterns the style sheet has; together they tell lines apart."""

_WIDTH, _HEIGHT = 500.0, 322.0
_LABEL = 13  # characters that fit at the right, also on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 388.0, 14.0, 292.0


@dataclass(frozen=True)
class _Quantity:
    """The quantity of a panel and its axis, which is the same for every optimizer."""

    key: str
    title: str
    note: str
    curve: Callable[[PairResult], Band]
    scale: Scale
    ticks: Sequence[float]


def _look(index: int) -> str:
    """Return the CSS classes that give schedule number `index` its colour and dashes."""
    return f"k{index} c{index % COLOURS} d{index // COLOURS % DASHES}"


def _loss(pairs: Sequence[PairResult]) -> _Quantity | None:
    rows = [row for p in pairs if (row := [v for v in present(p.loss.mean) if v > 0])]
    if not rows:
        return None
    low, tops = min(map(min, rows)), [max(row) for row in rows]
    # A run that diverges can reach any value; the others begin near the median of the tops.
    high = max(min(max(tops), 2 * median(tops), low * 1e4), low * 2)
    scale = Scale(low / 1.15, high * 1.15, _BOTTOM, _TOP, log=True)
    ticks = log_ticks(scale.low, scale.high)
    note = "log scale; lower is better"
    return _Quantity("loss", "Training loss", note, lambda pair: pair.loss, scale, ticks)


def _validations(results: Results) -> _Quantity | None:
    metric = results.metric

    def curve(pair: PairResult) -> Band:
        return pair.validations.times(metric.gain)

    # The first eighth of training would stretch the axis and hide what tells curves apart.
    numbers = [v for p in results.pairs for v in present(curve(p).mean[len(p.steps) // 8 :])]
    if not numbers:
        return None
    low, high = sorted(reach(numbers, metric))
    pad = max(0.06 * (high - low), 0.5 * metric.gain * metric.margin(high / metric.gain), 1e-12)
    low, high = low - pad, high + pad
    if metric.is_share:
        low, high = max(0.0, low), min(100.0, high)
    scale = Scale(low, high, _BOTTOM, _TOP)
    ticks = nice_ticks(scale.low, scale.high, 5)
    title = f"Validation {metric.name}"
    return _Quantity("validations", title, metric.direction, curve, scale, ticks)


def _ends(ends: Sequence[tuple[int, str, float, float]]) -> list[Markup]:
    """Write the lines' names beside their right ends, moved apart, each connected to its line."""
    places = spread([y for *_, y in ends], 16.0, _TOP, _BOTTOM - 8)
    return [
        tag(
            "g",
            tag("path", d=f"M{x:.1f} {y:.1f}L{_RIGHT + 4:g} {y:.1f}L{_RIGHT + 12:g} {to:.1f}"),
            tag("text", shortened(name, _LABEL), x=_RIGHT + 16, y=to, dominant_baseline="central"),
            class_=f"end {_look(index)}",
        )
        for (index, name, x, y), to in zip(ends, places, strict=True)
    ]


def _panel(
    optimizer: str,
    number: int,
    pairs: Sequence[PairResult],
    names: Sequence[str],
    metric: _Quantity,
) -> Markup:
    last = max([1.0, *(float(step) for p in pairs for step in p.steps)])
    x, y = Scale(0.0, last, _LEFT, _RIGHT), metric.scale
    frame = Frame(x, y, nice_ticks(0.0, last, 4), metric.ticks)
    bands: list[Markup] = []
    lines: list[Markup] = []
    ends: list[tuple[int, str, float, float]] = []
    # The best is drawn last, so it lies on top.
    for place, pair in reversed(list(enumerate(pairs))):
        index, curve = names.index(pair.schedule), metric.curve(pair)
        look = f"band {_look(index)}{' lead' if place < BANDS else ''}"
        bands.append(band(pair.steps, curve.low, curve.high, x, y, class_=look))
        lines.append(line(pair.steps, curve.mean, x, y, class_=f"series {_look(index)}"))
        points = list(zip(pair.steps, curve.mean, strict=True))
        known = [(step, v) for step, v in points if v is not None]
        ends += [(index, pair.schedule, x(step), y.clamp(v)) for step, v in known[-1:]]
    name = f"{metric.key}-{number}"
    clip = tag(
        "clipPath",
        tag("rect", x=_LEFT, y=_TOP - 2, width=_RIGHT - _LEFT + 1, height=_BOTTOM - _TOP + 3),
        id=f"{name}-c",
    )
    return chart(
        _WIDTH,
        _HEIGHT,
        frame.grid(),
        tag("text", "update", x=_RIGHT + 16, y=_BOTTOM + 18, class_="tick"),
        clip,
        tag("g", *bands, *lines, clip_path=f"url(#{name}-c)"),
        *_ends(ends),
        name=name,
        title=f"{optimizer}: {metric.title.lower()}",
        text=f"One line for each of {len(pairs)} schedules, with its interval over the seeds. "
        "The ranking has the final scores.",
        class_="chart curves",
        metric=metric.key,
        panel=str(number),
        plot=f"{_LEFT:g} {_RIGHT:g} {_TOP:g} {_BOTTOM:g}",
        x=f"{x.low:g} {x.high:g}",
        y=f"{y.low:g} {y.high:g} {'log' if y.log else 'linear'}",
    )


def _optimizer(
    results: Results, number: int, names: Sequence[str], metrics: Sequence[_Quantity]
) -> Markup:
    optimizer = results.order[0][number]
    pairs = [p for p in results.pairs if p.optimizer == optimizer and p.steps]
    figures = [
        tag(
            "figure",
            tag("figcaption", metric.title, tag("span", metric.note)),
            _panel(optimizer, number, pairs, names, metric),
        )
        for metric in metrics
        if pairs
    ]
    return tag(
        "div",
        tag("h3", optimizer, tag("code", results.optimizers[optimizer])),
        tag("div", *figures, class_="two")
        if figures
        else tag("p", "No finished run with this optimizer yet.", class_="soft"),
        class_=f"panel o{number}",
    )


def _choice(look: str, legend: str, inputs: Sequence[Markup], labels: Sequence[Markup]) -> Markup:
    """Build a group of radio buttons or boxes, which work without the script."""
    options = [tag("span", *option) for option in zip(inputs, labels, strict=True)]
    return tag("fieldset", tag("legend", legend), tag("div", *options), class_=look)


def _controls(results: Results) -> list[Markup]:
    """Build the groups that offer more than one choice."""
    optimizers, names = results.order
    found: list[Markup] = []
    if len(optimizers) > 1:
        inputs = [
            tag("input", type="radio", name="optimizer", id=f"o{i}", checked=i == 0)
            for i in range(len(optimizers))
        ]
        labels = [tag("label", name, for_=f"o{i}") for i, name in enumerate(optimizers)]
        found.append(_choice("picker", "Optimizer", inputs, labels))
    if len(names) > 1:
        visible = chosen(results)
        inputs = [
            tag("input", type="checkbox", id=f"k{i}", checked=name in visible)
            for i, name in enumerate(names)
        ]
        labels = [tag("label", _swatch(i), name, for_=f"k{i}") for i, name in enumerate(names)]
        found.append(_choice("toggles", "Schedules", inputs, labels))
    if len(names) > BANDS:
        box = tag("input", type="checkbox", id="bands")
        words = f"all of them, not only the best {BANDS}"
        found.append(_choice("toggles", "Intervals", [box], [tag("label", words, for_="bands")]))
    return found


def chosen(results: Results) -> list[str]:
    """Return the schedules that are drawn at first: each optimizer's best, and the best overall."""
    optimizers, names = results.order
    best = {pair.optimizer: pair.schedule for pair in reversed(results.pairs)}
    first = list(dict.fromkeys(best[name] for name in optimizers if name in best))
    more = [name for name in names if name not in first]
    return first[:COLOURS] + more[: max(0, CHOSEN - len(first))]


def _swatch(index: int) -> Markup:
    drawn = tag("path", d="M1 5H27", class_=f"series {_look(index)}")
    return tag("svg", drawn, viewBox="0 0 28 10", class_="swatch", aria_hidden="true")


def curves(results: Results) -> Markup:
    """Draw the learning curves: two panels for each optimizer, one optimizer at a time."""
    optimizers, names = results.order
    metrics = [m for m in (_loss(results.pairs), _validations(results)) if m is not None]
    return tag(
        "div",
        *_controls(results),
        *(_optimizer(results, i, names, metrics) for i in range(len(optimizers))),
        class_="learning",
    )


def readout(results: Results) -> dict[str, object]:
    """Return the numbers behind the learning curves, for the script that displays them.

    Returns:
        `names`, the schedules in order; `pairs`: under `"optimizer/schedule"` (their positions in
        the page's order) the steps and the means of training loss and validation metric; `unit`,
        the metric's unit; and `decimals`, how many of its decimals to show, or None.
    """
    optimizers, names = results.order
    return {
        "names": names,
        "unit": "\u202f%" if results.metric.is_share else f" {results.metric.unit}".rstrip(),
        "decimals": 1 if results.metric.is_share else None,
        "pairs": {
            f"{optimizers.index(pair.optimizer)}/{names.index(pair.schedule)}": {
                "step": pair.steps,
                "loss": _short(pair.loss.mean),
                "validations": _short(pair.validations.times(results.metric.gain).mean),
            }
            for pair in results.pairs
            if pair.steps
        },
    }


def _short(row: Row) -> list[float | None]:
    return [None if value is None else float(f"{value:.4g}") for value in row]
