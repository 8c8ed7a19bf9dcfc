"""The report's tables: the ranking, with its intervals drawn, and the map of all pairs."""

from collections.abc import Sequence

from lehr.lab.results import ComparedSchedule, PairResult, Results, TargetUpdates, present
from lehr.view.markup import Markup, breakable, join, tag
from lehr.view.numbers import NARROW, factor, percent, rate
from lehr.view.svg import Scale, line, nice_ticks, robust_low

__all__ = ["heat_map", "ranking"]

FIRST = 12
"""The number of pairs that the ranking shows at first."""

SHADES = 9
"""The number of colours of the map in the style sheet."""

_WHISKER, _ROW = 200.0, 34.0


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


def _score_scale(pairs: Sequence[PairResult]) -> Scale:
    scores = [pair.score for pair in pairs]
    # The axis shows the better half in full. The others' intervals may run off it: one pair with a
    # wide interval would otherwise squeeze the intervals that separate the best ones.
    better = pairs[: (len(scores) + 1) // 2]
    low = min([robust_low(scores), *(p.low for p in better if p.low is not None)])
    high = max([*scores, *(p.high for p in better if p.high is not None)])
    pad = max(0.04 * (high - low), 0.002)
    return Scale(100 * (low - pad), 100 * (high + pad), 8.0, _WHISKER - 8)


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


def _whisker(pair: PairResult, scale: Scale, ticks: Sequence[float]) -> Markup:
    """Draw the score as a dot on its interval, and each seed's score as a faint dot behind."""
    middle = _ROW / 2
    marks = [tag("line", x1=scale(t), x2=scale(t), y1=0.0, y2=_ROW, class_="grid") for t in ticks]
    scores = [100 * s for s in pair.scores]
    marks += [_dot(scale(s), "seed") for s in scores if scale.low <= s <= scale.high]
    if 100 * pair.score < scale.low:
        marks.append(tag("text", "◂ below this axis", x=4.0, y=middle + 4, class_="tick"))
    else:
        low = pair.score if pair.low is None else pair.low
        high = pair.score if pair.high is None else pair.high
        ends = [scale.clamp(100 * low), scale.clamp(100 * high)]
        marks.append(tag("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, class_="whisker"))
        marks.append(_dot(scale(100 * pair.score), "score-dot"))
    return _interval(*marks, height=_ROW)


def _axis(scale: Scale, ticks: Sequence[float]) -> Markup:
    texts = [
        tag("text", f"{t:g}", x=scale(t), y=12.0, text_anchor="middle", class_="tick middle")
        for t in ticks
    ]
    return _interval(*texts, height=16.0)


def _not_separated(pair: PairResult) -> Markup:
    if not pair.not_separated:
        return tag("span", "none", class_="soft")
    names = join(tag("li", name.replace("/", " + ", 1)) for name in pair.not_separated)
    text = f"{len(pair.not_separated)} {'pair' if len(pair.not_separated) == 1 else 'pairs'}"
    return tag("details", tag("summary", text), tag("ul", names))


def _row(pair: PairResult, results: Results, drawn: Markup) -> Markup:
    interval = (
        f"{percent(pair.low, unit=False)}–{percent(pair.high, unit=False)}"
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
    return tag(
        "tr",
        tag("td", str(pair.rank), class_="number rank"),
        tag("th", pair.optimizer, scope="row"),
        tag(
            "td",
            curve,
            pair.schedule if plain else breakable(pair.schedule),
            lost if pair.diverged else "",
            class_="name" if plain else "name long",
        ),
        tag("td", percent(pair.score), class_="number score"),
        tag("td", drawn, class_="drawn"),
        tag("td", interval, class_="number soft"),
        tag("td", _behind(pair), class_="number"),
        tag("td", rate(pair.peak), edge, class_="number"),
        tag("td", factor(pair.width), class_="number"),
        "" if pair.target is None else _updates(pair.target, pair, results),
        tag("td", _not_separated(pair), class_="ties"),
        class_="top" if pair.standing in ("best", "tie") else None,
    )


def _behind(pair: PairResult) -> Markup | str:
    gap = pair.behind
    if gap is None:
        return ""
    parts: list[Markup | str] = [_points(gap.mean)]
    if gap.low is not None and gap.high is not None:
        reach = f" ({_points(gap.low)} to {_points(gap.high)})"
        parts.append(tag("span", reach, class_="soft"))
    if pair.standing != "behind":
        parts.append(tag("span", pair.standing, class_="pill"))
    return join(parts)


def _points(share: float) -> str:
    # Adding zero turns a negative zero into a positive one.
    return f"{round(100 * share, 1) + 0:.1f}"


def _updates(target: TargetUpdates, pair: PairResult, results: Results) -> Markup:
    """Return the updates to the target, and how many seeds reach it if not all do."""
    last = results.settings.steps
    text = f"over {last}" if target.updates is None else f"{target.updates:,g}"
    if target.reached == pair.seeds:
        return tag("td", text, class_="number")
    some = tag("span", f" ({target.reached} of {pair.seeds})", class_="soft")
    return tag("td", text, some, class_="number")


def _columns(results: Results) -> str:
    """Explain the columns of the ranking."""
    text = (
        f"Score: {results.task.score_name}. The dot is the mean over the seeds, the bar its "
        "interval, the faint dots are the seeds one by one. Behind: by how many points, compared "
        "with the best seed by seed. Tie: the test does not separate it from the best, and "
        "the interval stays within one point. Undecided: the interval is wider, or a pair nearer "
        "to the best is behind. Room: the range of peak rates within one point of the best, "
        "as a factor. Edge: the best peak is the lowest or the highest one tried, and a better one "
        "may lie beyond. Not separated from: the pairs from which the test does not separate it."
    )
    target = results.settings.target
    if target is None:
        return text
    return (
        f"{text} Updates to {percent(target)}: the median over the seeds of the first evaluation, "
        "of some twenty in a run, with that validation score; a seed that never reaches it counts "
        "as more than the run has. If not all reach it, the number of those that do follows."
    )


def ranking(results: Results) -> Markup:
    """Draw every pair, best first, with its interval; all but the first few can be folded."""
    pairs = results.pairs
    scale = _score_scale(pairs)
    ticks = nice_ticks(scale.low, scale.high, 4)
    rows = [_row(pair, results, _whisker(pair, scale, ticks)) for pair in pairs]
    confidence = f"{100 * results.settings.confidence:g}{NARROW}%"
    target = results.settings.target
    head = tag(
        "tr",
        tag("th", "#", scope="col", class_="number"),
        tag("th", "Optimizer", scope="col"),
        tag("th", "Schedule", scope="col"),
        tag("th", "Score", scope="col", class_="number"),
        tag(
            "th",
            tag("span", "Score, drawn", class_="unseen"),
            _axis(scale, ticks),
            scope="col",
        ),
        tag("th", f"{confidence} interval", scope="col", class_="number"),
        tag("th", "Behind", scope="col", class_="number"),
        tag("th", "Peak rate", scope="col", class_="number"),
        tag("th", "Room", scope="col", class_="number"),
        ""
        if target is None
        else tag("th", f"Updates to {percent(target)}", scope="col", class_="number"),
        tag("th", "Not separated from", scope="col"),
    )
    caption = tag("caption", _columns(results))
    table = tag(
        "table",
        caption,
        tag("thead", head),
        tag("tbody", *rows[:FIRST]),
        tag("tbody", *rows[FIRST:], class_="rest") if len(rows) > FIRST else "",
        class_="ranking",
    )
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Ranking")
    if len(rows) <= FIRST:
        return join([thumbnails(results), scroll])
    more = tag(
        "p",
        tag("input", type="checkbox", id="every"),
        tag("label", f"Show all {len(rows)} pairs", for_="every"),
        class_="more",
    )
    return tag("div", thumbnails(results), scroll, more, class_="fold")


def _shade(score: float, low: float, high: float) -> int:
    """Return the shade of a score; equal scores all get the strongest."""
    share = (score - low) / (high - low) if high > low else 1.0
    return min(SHADES - 1, max(0, int(share * SHADES)))


def _cell(pair: PairResult | None, low: float, high: float, best: bool) -> Markup:
    if pair is None:
        return tag("td", tag("span", "not run", class_="soft"), class_="empty")
    value = percent(pair.score, unit=False)
    if best:
        star = [tag("span", "★", aria_hidden="true"), tag("span", " best", class_="unseen")]
        return tag("td", value, *star, class_=f"h{_shade(pair.score, low, high)} best")
    if pair.score < low:
        return tag("td", value, class_="below")
    return tag("td", value, class_=f"h{_shade(pair.score, low, high)}")


def _legend(low: float, high: float) -> Markup:
    swatches = [tag("i", class_=f"h{i}") for i in range(SHADES)]
    return tag(
        "p",
        tag("span", percent(low)),
        tag("span", *swatches, class_="ramp", aria_hidden="true"),
        tag("span", percent(high)),
        tag("span", "★ best schedule for that optimizer"),
        class_="key",
    )


def heat_map(results: Results) -> Markup:
    """Draw the scores, optimizers by schedules, as text and as a shade."""
    optimizers, schedules = results.order
    scores = [pair.score for pair in results.pairs]
    low, high = robust_low(scores), max(scores)
    rows: list[Markup] = []
    for optimizer in optimizers:
        cells = [results.find(optimizer, schedule) for schedule in schedules]
        top = max((c.score for c in cells if c is not None), default=None)
        rows.append(
            tag(
                "tr",
                tag("th", breakable(optimizer), scope="row"),
                *(_cell(c, low, high, c is not None and c.score == top) for c in cells),
            )
        )
    head = tag(
        "tr",
        tag("td"),
        *(tag("th", breakable(name), scope="col") for name in schedules),
    )
    below = any(score < low for score in scores)
    caption = tag(
        "caption",
        f"{results.score_title} in percent, optimizers by schedules."
        + (" Striped cells lie below the scale." if below else ""),
    )
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="heat")
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Map")
    return join([scroll, _legend(low, high) if high > low else ""])
