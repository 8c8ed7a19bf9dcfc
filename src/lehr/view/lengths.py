"""The report's table of scores at other lengths of the run."""

from lehr.lab.metric import Metric
from lehr.lab.pair_result import LengthScore, PairResult
from lehr.lab.results import Results
from lehr.view.markup import Markup, breakable, tag
from lehr.view.numbers import measured

FIRST = 12
"""Pairs shown from the top of the ranking; of the others, only those that are best at a length."""


def _cell(at: LengthScore, metric: Metric) -> Markup:
    score = measured(metric, at.score, unit=False)
    ends = [measured(metric, end, unit=False) for end in (at.low, at.high) if end is not None]
    interval = tag("small", "–".join(ends)) if ends else ""
    if at.standing == "best":
        star = [tag("span", " ★", aria_hidden="true"), tag("span", " best", class_="unseen")]
        return tag("td", tag("strong", score, *star), interval)
    if at.standing == "tie":
        sign = [tag("span", " =", aria_hidden="true"), tag("span", " a tie", class_="unseen")]
        return tag("td", score, *sign, interval)
    if at.standing == "undecided":
        sign = [tag("span", " ?", aria_hidden="true"), tag("span", " undecided", class_="unseen")]
        return tag("td", score, *sign, interval)
    return tag("td", score, interval, class_="soft")


def _row(pair: PairResult, metric: Metric) -> Markup:
    return tag(
        "tr",
        tag("th", pair.optimizer, " ", tag("b", breakable(pair.schedule)), scope="row"),
        *(_cell(at, metric) for at in pair.lengths),
    )


def lengths(results: Results) -> Markup:
    """Build the table: the first pairs of the ranking, and the best pair of each length."""
    shown = [
        pair
        for place, pair in enumerate(results.pairs)
        if pair.lengths and (place < FIRST or any(at.standing == "best" for at in pair.lengths))
    ]
    head = tag(
        "tr",
        tag("td"),
        *(tag("th", f"{steps:,} updates", scope="col") for steps in results.lengths),
    )
    left = len(results.pairs) - len(shown)
    caption = tag(
        "caption",
        f"{results.metric.title}, with its interval. "
        "★ is the best of its column, = ties with it, ? is undecided; grey is behind."
        + (f" The other {left:,} pairs are not shown." if left else ""),
    )
    table = tag(
        "table",
        caption,
        tag("thead", head),
        tag("tbody", *(_row(pair, results.metric) for pair in shown)),
        class_="lengths",
    )
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Lengths")
