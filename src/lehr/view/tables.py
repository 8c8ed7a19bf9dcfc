"""The report's tables: the ranking, with its intervals drawn, and the map of all pairs."""

from collections.abc import Sequence

from lehr.view.markup import Markup, breakable, join, tag
from lehr.view.numbers import NARROW, factor, percent, rate
from lehr.view.results import Contender, Pair, Results, present
from lehr.view.svg import Scale, line, nice_ticks, robust_low

__all__ = ["heat_map", "ranking"]

FIRST = 12
"""How many pairs the ranking shows before the reader asks for all of them."""

SHADES = 9
"""How many steps the colours of the map have; the style sheet gives each one."""

_WHISKER, _ROW = 200.0, 34.0


def thumbnails(results: Results) -> Markup:
    """The schedules' curves, as small as a word: defined once, used in every row."""
    drawn = [_thumbnail(schedule, i) for i, schedule in enumerate(results.schedules.values())]
    return tag("svg", *drawn, class_="unseen", aria_hidden="true")


def _thumbnail(contender: Contender, index: int) -> Markup:
    xs, ys = contender.rate
    steps, numbers = present(xs) or [0.0], present(ys) or [0.0]
    x = Scale(steps[0], max(steps[-1], steps[0] + 1), 1.5, 46.5)
    y = Scale(min([0.0, *numbers]), max([*numbers, 1e-12]), 16.5, 1.5)
    return tag("symbol", line(xs, ys, x, y), id=f"thumb-{index}", viewBox="0 0 48 18")


def _score_scale(pairs: Sequence[Pair]) -> Scale | None:
    scores = [p.score for p in pairs if p.score is not None]
    if not scores:
        return None
    # The better half must be seen whole. The others' intervals may run off the axis: one pair with
    # a wide interval would otherwise squeeze all those that are told apart by theirs.
    better = [p for p in pairs if p.score is not None][: (len(scores) + 1) // 2]
    low = min([robust_low(scores), *(p.low for p in better if p.low is not None)])
    high = max([*scores, *(p.high for p in better if p.high is not None)])
    pad = max(0.04 * (high - low), 0.002)
    return Scale(100 * (low - pad), 100 * (high + pad), 8.0, _WHISKER - 8)


def _interval(*drawn: str, height: float) -> Markup:
    """A strip of the score's axis, which the page may narrow: only positions follow its width."""
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
    # A line of no length with round caps: unlike a circle, it stays round in a narrowed strip.
    return tag("path", d=f"M{x:.1f} {_ROW / 2:g}h0", class_=look)


def _whisker(pair: Pair, scale: Scale, ticks: Sequence[float]) -> Markup:
    """The score as a dot on its interval, each seed's score as a faint dot behind them."""
    middle = _ROW / 2
    marks = [tag("line", x1=scale(t), x2=scale(t), y1=0.0, y2=_ROW, class_="grid") for t in ticks]
    scores = [100 * s for s in pair.scores if s is not None]
    marks += [_dot(scale(s), "seed") for s in scores if scale.low <= s <= scale.high]
    if pair.score is None:
        marks.append(tag("text", "no score", x=8.0, y=middle + 4, class_="tick"))
    elif 100 * pair.score < scale.low:
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


def _ties(pair: Pair, best: Pair) -> Markup:
    if not pair.ties:
        return tag("span", "none", class_="soft")
    names = join(tag("li", name.replace("/", " + ", 1)) for name in pair.ties)
    text = f"{len(pair.ties)} {'pair' if len(pair.ties) == 1 else 'pairs'}"
    details = tag("details", tag("summary", text), tag("ul", names))
    with_best = tag("span", ", the best among them", class_="unseen")
    return join([details, with_best]) if best.name in pair.ties else details


def _row(pair: Pair, best: Pair, results: Results, drawn: Markup) -> Markup:
    top = pair is best or best.name in pair.ties
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
        "" if results.target is None else tag("td", *_updates(pair, results), class_="number"),
        tag("td", _ties(pair, best), class_="ties"),
        class_="top" if top else None,
    )


def _behind(pair: Pair) -> Markup | str:
    # Adding nothing makes a negative zero a zero.
    mean, low, high = (None if v is None else f"{round(100 * v, 1) + 0:.1f}" for v in pair.behind)
    if mean is None:
        return ""
    return mean if low is None else join([mean, tag("span", f" ({low} to {high})", class_="soft")])


def _updates(pair: Pair, results: Results) -> list[str]:
    """The median number of updates to the target; of how many seeds, where not all got there."""
    last = results.settings.get("steps")
    text = f"over {last}" if pair.updates is None else f"{pair.updates:,g}"
    if pair.reached is None or pair.reached == pair.seeds:
        return [text]
    return [text, tag("span", f" ({pair.reached} of {pair.seeds})", class_="soft")]


def _told(results: Results) -> str:
    """What the columns of the ranking are."""
    text = (
        f"Score: {results.score_name}. The dot is the mean over the seeds, the bar its interval, "
        "the faint dots are the seeds one by one. Behind: by how many points, compared with the "
        "best seed by seed. Room: how wide the range of peak rates is, as a factor, that stays "
        "within one point of the best. Edge: the best peak was the lowest or the highest one "
        "tried, so a better one may lie beyond."
    )
    if results.target is None:
        return text
    return (
        f"{text} Updates to {percent(results.target)}: the median over the seeds of the first "
        "look, of some twenty in a run, at which the validation score is there; a seed that never "
        "gets there counts as more than the run has. Where not all do, it says how many did."
    )


def ranking(results: Results) -> Markup:
    """Every pair, best first, with its interval drawn; all but the first few can be folded."""
    pairs = results.pairs
    scale = _score_scale(pairs)
    ticks = nice_ticks(scale.low, scale.high, 4) if scale else []
    rows = [
        _row(p, pairs[0], results, _whisker(p, scale, ticks) if scale else Markup()) for p in pairs
    ]
    confidence = f"{100 * float(results.settings.get('confidence') or 0.95):g}{NARROW}%"
    head = tag(
        "tr",
        tag("th", "#", scope="col", class_="number"),
        tag("th", "Optimizer", scope="col"),
        tag("th", "Schedule", scope="col"),
        tag("th", "Score", scope="col", class_="number"),
        tag(
            "th",
            tag("span", "Score, drawn", class_="unseen"),
            _axis(scale, ticks) if scale else "",
            scope="col",
        ),
        tag("th", f"{confidence} interval", scope="col", class_="number"),
        tag("th", "Behind", scope="col", class_="number"),
        tag("th", "Peak rate", scope="col", class_="number"),
        tag("th", "Room", scope="col", class_="number"),
        ""
        if results.target is None
        else tag("th", f"Updates to {percent(results.target)}", scope="col", class_="number"),
        tag("th", "Ties with", scope="col"),
    )
    caption = tag("caption", _told(results))
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
    """Which of the shades a score gets; equal scores all get the strongest."""
    share = (score - low) / (high - low) if high > low else 1.0
    return min(SHADES - 1, max(0, int(share * SHADES)))


def _cell(pair: Pair | None, low: float, high: float, best: bool) -> Markup:
    if pair is None:
        return tag("td", tag("span", "not run", class_="soft"), class_="empty")
    if pair.score is None:
        return tag("td", tag("span", "no score", class_="soft"), class_="empty")
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
    """Optimizer by schedule: the score in each cell, as text and as a shade."""
    optimizers, schedules = results.order
    scores = [p.score for p in results.pairs if p.score is not None]
    low, high = (robust_low(scores), max(scores)) if scores else (0.0, 1.0)
    rows: list[Markup] = []
    for optimizer in optimizers:
        cells = [results.find(optimizer, schedule) for schedule in schedules]
        scored = [c.score for c in cells if c is not None and c.score is not None]
        top = max(scored, default=None)
        rows.append(
            tag(
                "tr",
                tag("th", breakable(optimizer), scope="row"),
                *(
                    _cell(c, low, high, c is not None and c.score is not None and c.score == top)
                    for c in cells
                ),
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
