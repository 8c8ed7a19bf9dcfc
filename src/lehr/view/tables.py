"""The report's tables: the ranking, with its intervals drawn, and the map of all pairs."""

import math
from collections.abc import Sequence

from lehr.lab.analysis.pair_result import PairResult, TargetUpdates, present
from lehr.lab.analysis.results import ComparedSchedule, Results
from lehr.lab.metric import Metric
from lehr.view.markup import Markup, breakable, heads, join, scrolling, table, tag
from lehr.view.numbers import NARROW, count, duration, factor, measured, ranks, rate
from lehr.view.numbers import plain as plain_number
from lehr.view.svg import Scale, line, nice_ticks, robust_low

FIRST = 12
"""The number of pairs that the ranking shows at first."""

SHADES = 9
"""The number of colours of the map in the style sheet."""

_WHISKER, _ROW, _RANKS = 200.0, 34.0, 72.0


def thumbnails(results: Results) -> Markup:
    """Return the curves of the schedules at the size of a word, for use in the rows."""
    drawn = [_thumbnail(schedule, i) for i, schedule in enumerate(results.schedules.values())]
    return tag("svg", *drawn, class_="unseen", aria_hidden="true")


def _thumbnail(schedule: ComparedSchedule, index: int) -> Markup:
    xs, ys = schedule.rate
    steps, numbers = present(xs), present(ys)
    x = Scale(steps[0], max(steps[-1], steps[0] + 1), 1.5, 46.5)
    y = Scale(min([0.0, *numbers]), max([*numbers, 1e-12]), 16.5, 1.5)
    return tag("symbol", line(xs, ys, x, y), id=f"thumb-{index}", viewBox="0 0 48 18")


def _score_scale(pairs: Sequence[PairResult], metric: Metric) -> Scale:
    scores = [pair.score for pair in pairs if pair.score is not None]
    if not scores:
        return Scale(0.0, 1.0, 8.0, _WHISKER - 8)
    # The axis shows the better half in full. The others' intervals may run off it: one pair with a
    # wide interval would otherwise squeeze the intervals that separate the best ones.
    better = pairs[: (len(scores) + 1) // 2]
    worst, best = reach(scores, metric)
    ends = [e for p in better for e in (p.low, p.high) if e is not None]
    low, high = min([worst, best, *ends]), max([worst, best, *ends])
    pad = max(0.04 * (high - low), 0.2 * metric.margin(best), 1e-12)
    return Scale(metric.gain * (low - pad), metric.gain * (high + pad), 8.0, _WHISKER - 8)


def reach(values: Sequence[float], metric: Metric) -> tuple[float, float]:
    """Return the worst and the best value that an axis should show."""
    if metric.higher:
        return robust_low(values), max(values)
    return -robust_low([-value for value in values]), min(values)


def _interval(*drawn: str, height: float) -> Markup:
    """Return a strip of the score axis; when the page narrows it, only positions change."""
    return tag(
        "svg",
        *drawn,
        viewBox=f"0 0 {_WHISKER:g} {height:g}",
        preserveAspectRatio="none",
        height=height,
        class_="interval",
        aria_hidden="true",
    )


def _dot(x: float, look: str) -> Markup:
    # A line of length zero with round caps: unlike a circle, it stays round in a narrowed strip.
    return tag("path", d=f"M{x:.1f} {_ROW / 2:g}h0", class_=look)


def _whisker(pair: PairResult, metric: Metric, scale: Scale, ticks: Sequence[float]) -> Markup:
    """Draw the score as a dot on its interval, and each seed's score as a faint dot behind."""
    middle = _ROW / 2
    marks = [tag("line", x1=scale(t), x2=scale(t), y1=0.0, y2=_ROW, class_="grid") for t in ticks]
    gain = metric.gain
    scores = [gain * s for s in pair.scores if s is not None]
    marks += [_dot(scale(s), "seed") for s in scores if scale.low <= s <= scale.high]
    if pair.score is None:
        return _interval(*marks, height=_ROW)
    at = gain * pair.score
    if scale.low <= at <= scale.high:
        ends = [scale.clamp(at if end is None else gain * end) for end in (pair.low, pair.high)]
        marks.append(tag("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, class_="whisker"))
        marks.append(_dot(scale(at), "score-dot"))
    else:
        text, x, anchor = (
            ("◂ below this axis", 4.0, None)
            if at < scale.low
            else ("above this axis ▸", _WHISKER - 4, "end")
        )
        marks.append(tag("text", text, x=x, y=middle + 4, text_anchor=anchor, class_="tick"))
    return _interval(*marks, height=_ROW)


def _axis(scale: Scale, ticks: Sequence[float]) -> Markup:
    texts = [
        tag("text", f"{t:g}", x=scale(t), y=12.0, text_anchor="middle", class_="tick middle")
        for t in ticks
    ]
    return _interval(*texts, height=16.0)


def _cell_of(name: str, *content: str, key: float | str | None, look: str) -> Markup:
    """Return a cell of the ranking, with its name for narrow pages and its key for sorting."""
    if isinstance(key, float):
        key = f"{key:.9g}".replace("inf", "Infinity")  # as JavaScript reads it
    return tag("td", *content, class_=look, role="cell", data_label=name or None, data_key=key)


def _row(pair: PairResult, results: Results, drawn: Markup) -> Markup:
    metric = results.metric
    interval = (
        f"{metric.number(pair.low)}–{metric.number(pair.high)}"
        if pair.low is not None and pair.high is not None
        else ""
    )
    number = list(results.schedules).index(pair.schedule)
    curve = tag(
        "svg",
        tag("use", href=f"#thumb-{number}"),
        viewBox="0 0 48 18",
        class_="thumb",
        aria_hidden="true",
    )
    plain = pair.schedule.isidentifier()
    edge = tag("span", "edge", class_="pill") if pair.at_edge else ""
    lost = tag("span", f"{pair.diverged} of {pair.seeds} diverged", class_="pill")
    gap = math.inf if pair.behind is None else pair.behind.mean
    return tag(
        "tr",
        _cell_of("", str(pair.rank), key=float(pair.rank), look="number rank"),
        tag("th", breakable(pair.optimizer), scope="row", role="rowheader"),
        _cell_of(
            "",
            curve,
            pair.schedule if plain else breakable(pair.schedule),
            lost if pair.diverged else "",
            key=pair.schedule,
            look="name" if plain else "name long",
        ),
        _cell_of(
            "",
            measured(metric, pair.score),
            tag("small", " ", interval) if interval else "",
            key=math.inf if pair.score is None else metric.cost(pair.score),
            look="number score",
        ),
        tag("td", drawn, class_="drawn", role="cell"),
        _cell_of(
            "behind", _behind(pair, metric), key=-math.inf if pair.rank == 1 else gap, look="number"
        ),
        _cell_of(
            "could rank",
            tag("span", ranks(pair.ranks)),
            _reach(pair, len(results.pairs)),
            key=sum(pair.ranks) / 2,
            look="ranks",
        ),
        _cell_of("peak rate", rate(pair.peak), edge, key=pair.peak, look="number"),
        _cell_of("room", factor(pair.width), key=-pair.width, look="number"),
        _cell_of("time per run", duration(pair.seconds), key=pair.seconds, look="number"),
        "" if pair.target is None else _updates(pair.target, pair, results),
        *(_number(name, pair) for name in results.numbers),
        class_="top" if pair.standing in ("best", "tie") else None,
        role="row",
    )


def _reach(pair: PairResult, count: int) -> Markup:
    """Draw the ranks that are left open to a pair as a bar from the first to the last."""
    first, last = pair.ranks
    scale = Scale(0.0, float(count), 0.0, _RANKS)
    bar = tag(
        "rect",
        x=scale(first - 1.0),
        y=2.0,
        width=scale(float(last)) - scale(first - 1.0),
        height=6.0,
        rx=2.0,
        class_="bar",
    )
    size = f"0 0 {_RANKS:g} 10"
    return tag("svg", bar, viewBox=size, width=_RANKS, height=10, class_="open", aria_hidden="true")


def _number(name: str, pair: PairResult) -> Markup:
    mean = pair.numbers.get(name)
    value = None if mean is None else mean.mean
    key = math.inf if value is None else value
    return _cell_of(name, plain_number(value), key=key, look="number")


def _behind(pair: PairResult, metric: Metric) -> Markup | str:
    gap = pair.behind
    if gap is None:
        return ""
    parts: list[Markup | str] = [metric.difference(gap.mean)]
    if gap.low is not None and gap.high is not None:
        parts.append(
            tag("small", f" ({metric.difference(gap.low)} to {metric.difference(gap.high)})")
        )
    if pair.standing != "behind":
        parts.insert(0, tag("span", pair.standing, class_="pill"))
    if gap.seeds is not None and pair.standing == "undecided":
        parts.append(tag("small", f" {count(gap.seeds - pair.seeds, 'more seed')}"))
    return join(parts)


def _updates(target: TargetUpdates, pair: PairResult, results: Results) -> Markup:
    """Return the updates to the target, and how many seeds reach it if not all do."""
    last = results.settings.steps
    text = f"over {last}" if target.updates is None else f"{target.updates:,g}"
    key = math.inf if target.updates is None else target.updates
    name = f"updates to {measured(results.metric, results.settings.target)}"
    some = tag("span", f" ({target.reached} of {pair.seeds})", class_="soft")
    return _cell_of(
        name, text, "" if target.reached == pair.seeds else some, key=key, look="number"
    )


def _columns(results: Results) -> str:
    """Explain the columns of the ranking."""
    metric = results.metric
    text = (
        f"Score: test {metric.name} ({metric.direction}). The dot is the mean over the seeds, the "
        f"bar its {100 * results.settings.confidence:g}{NARROW}% interval, the faint dots are the "
        "seeds one by one. Behind: the "
        f"{f'number of {metric.units.strip()}' if metric.unit else 'difference'}, compared with "
        "the best seed by seed. Tie: the test does not separate it from the best, and the interval "
        f"stays within {metric.near}. Undecided: the interval is wider, or a pair nearer to the "
        "best is behind; beside it, about how many more seeds would decide. Could rank: the ranks "
        "that the test leaves open to a pair, "
        f"{100 * results.settings.confidence:g}{NARROW}% sure for all at once. Room: the range of "
        f"peak rates within {metric.near}, as a factor. Edge: the best peak is the lowest or the "
        "highest one tried, and a better one may lie beyond. Time per run: seconds of one core, on "
        "average over the scoring runs."
    )
    target = results.settings.target
    if target is None:
        return text
    return (
        f"{text} Updates to {measured(metric, target)}: the median over the seeds of the first "
        f"evaluation, of some twenty in a run, with that validation {metric.name} or a better one; "
        "a seed that never reaches it counts as longer than the run. If not all reach it, the "
        "number of those that do follows."
    )


def ranking(results: Results) -> Markup:
    """Draw every pair, best first, with its interval; all but the first few can be folded."""
    pairs = results.pairs
    metric = results.metric
    scale = _score_scale(pairs, metric)
    ticks = nice_ticks(scale.low, scale.high, 4)
    rows = [_row(pair, results, _whisker(pair, metric, scale, ticks)) for pair in pairs]
    target = results.settings.target
    numbers = {"class_": "number", "data_sort": "number"}
    titles: list[tuple[str, dict[str, str]]] = [
        ("#", numbers),
        ("Optimizer", {"data_sort": "text"}),
        ("Schedule", {"data_sort": "text"}),
        ("Score", numbers),
        (join([tag("span", "Score, drawn", class_="unseen"), _axis(scale, ticks)]), {}),
        ("Behind", numbers),
        ("Could rank", {"data_sort": "number"}),
        ("Peak rate", numbers),
        ("Room", numbers),
        ("Time per run", numbers),
    ]
    if target is not None:
        titles.append((f"Updates to {measured(metric, target)}", numbers))
    titles += [(name, numbers) for name in results.numbers]
    head = tag(
        "tr",
        *(tag("th", title, scope="col", role="columnheader", **parts) for title, parts in titles),
        role="row",
    )
    whole = tag(
        "table",
        tag("caption", _columns(results)),
        tag("thead", head, role="rowgroup"),
        tag("tbody", *rows[:FIRST], role="rowgroup"),
        tag("tbody", *rows[FIRST:], class_="rest", role="rowgroup") if len(rows) > FIRST else "",
        class_="ranking",
        role="table",
    )
    scroll = scrolling(whole, "Ranking")
    if len(rows) <= FIRST:
        return join([thumbnails(results), scroll])
    more = tag(
        "p",
        tag("input", type="checkbox", id="every"),
        tag("label", f"Show all {len(rows)} pairs", for_="every"),
        class_="more",
    )
    return tag("div", thumbnails(results), scroll, more, class_="fold")


def _shade(score: float, worst: float, best: float) -> int:
    """Return the shade of a score; equal scores all get the strongest."""
    share = (score - worst) / (best - worst) if best != worst else 1.0
    return min(SHADES - 1, max(0, int(share * SHADES)))


def _cell(
    pair: PairResult | None, metric: Metric, ends: tuple[float, float], is_best: bool
) -> Markup:
    if pair is None:
        return tag("td", tag("span", "not run", class_="soft"), class_="empty")
    value = measured(metric, pair.score, unit=False)
    if pair.score is None:
        return tag("td", value, class_="below")
    look = f"h{_shade(pair.score, *ends)}"
    if is_best:
        star = [tag("span", "★", aria_hidden="true"), tag("span", " best", class_="unseen")]
        return tag("td", value, *star, class_=f"{look} best")
    return tag("td", value, class_=look if metric.reaches(pair.score, ends[0]) else "below")


def _legend(metric: Metric, worst: float, best: float) -> Markup:
    swatches = [tag("i", class_=f"h{i}") for i in range(SHADES)]
    return tag(
        "p",
        tag("span", measured(metric, worst)),
        tag("span", *swatches, class_="ramp", aria_hidden="true"),
        tag("span", measured(metric, best)),
        tag("span", "★ best schedule for that optimizer"),
        class_="key",
    )


def layout(results: Results) -> tuple[list[str], list[str]]:
    """Return the names across and down a map, with the fewer across, so that it stays narrow."""
    optimizers, schedules = results.order
    return (optimizers, schedules) if len(optimizers) <= len(schedules) else (schedules, optimizers)


def pair_at(results: Results, row: str, column: str) -> PairResult | None:
    """Return the pair in a cell of a map that has this `layout`."""
    found = results.find(column, row) if column in results.optimizers else None
    return found or results.find(row, column)


def heat_map(results: Results) -> Markup:
    """Draw the scores of all pairs, as text and as a shade."""
    metric = results.metric
    scores = [pair.score for pair in results.pairs if pair.score is not None]
    ends = reach(scores, metric) if scores else (0.0, 0.0)
    tops = {p.optimizer: p.rank for p in reversed(results.pairs)}
    across, down = layout(results)
    rows: list[Markup] = []
    for row in down:
        pairs = [pair_at(results, row, column) for column in across]
        cells = [
            _cell(pair, metric, ends, pair is not None and pair.rank == tops[pair.optimizer])
            for pair in pairs
        ]
        rows.append(tag("tr", tag("th", breakable(row), scope="row"), *cells))
    head = tag("tr", tag("td"), *heads(map(breakable, across)))
    below = not all(metric.reaches(pair.score, ends[0]) for pair in results.pairs)
    caption = f"{metric.title}, of each schedule with each optimizer." + (
        " Striped cells are worse than the scale reaches." if below else ""
    )
    shown = scrolling(table("heat", caption, head, rows), "Map")
    return join([shown, _legend(metric, *ends) if ends[0] != ends[1] else ""])
