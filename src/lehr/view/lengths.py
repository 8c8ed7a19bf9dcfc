"""The report's table of scores at other lengths of the run."""

from lehr.lab.analysis.pair_result import LengthScore
from lehr.lab.analysis.results import Results
from lehr.lab.metric import Metric
from lehr.view.markup import Markup, heads, row_head, scrolling, table, tag
from lehr.view.numbers import measured

FIRST = 12
"""Pairs shown from the top of the ranking; of the others, only those that are best at a length."""

_SIGNS = {"best": ("★", " best"), "tie": ("=", " a tie"), "undecided": ("?", " undecided")}


def _cell(at: LengthScore, metric: Metric) -> Markup:
    score = measured(metric, at.score, unit=False)
    ends = [measured(metric, end, unit=False) for end in (at.low, at.high) if end is not None]
    interval = tag("small", "–".join(ends)) if ends else ""
    if at.standing not in _SIGNS:
        return tag("td", score, interval, class_="soft")
    sign, words = _SIGNS[at.standing]
    signs = [tag("span", f" {sign}", aria_hidden="true"), tag("span", words, class_="unseen")]
    if at.standing == "best":
        return tag("td", tag("strong", score, *signs), interval)
    return tag("td", score, *signs, interval)


def lengths(results: Results) -> Markup:
    """Build the table: the first pairs of the ranking, and the best pair of each length."""
    shown = [
        pair
        for place, pair in enumerate(results.pairs)
        if pair.lengths and (place < FIRST or any(at.standing == "best" for at in pair.lengths))
    ]
    metric = results.metric
    rows = [
        tag(
            "tr",
            row_head(pair.optimizer, pair.schedule),
            *(_cell(at, metric) for at in pair.lengths),
        )
        for pair in shown
    ]
    head = tag("tr", tag("td"), *heads(f"{steps:,} updates" for steps in results.lengths))
    left = len(results.pairs) - len(shown)
    caption = (
        f"{metric.title}, with its interval. "
        "★ is the best of its column, = ties with it, ? is undecided; grey is behind."
        + (f" The other {left:,} pairs are not shown." if left else "")
    )
    return scrolling(table("lengths", caption, head, rows), "Lengths")
