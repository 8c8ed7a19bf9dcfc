"""Two comparisons beside each other as one page of HTML."""

from pathlib import Path

from lehr.files import write_whole
from lehr.lab.analysis.contrast import Contrast, PairContrast
from lehr.lab.analysis.pair_result import PairResult
from lehr.lab.analysis.results import Results
from lehr.lab.metric import Metric
from lehr.view.markup import Markup, described, heads, row_head, table, tag
from lehr.view.numbers import MISSING, day, measured, rate
from lehr.view.report import document, section


def write(found: Contrast, path: Path) -> None:
    """Write the page of two comparisons into a file."""
    write_whole(path, render(found))


def render(found: Contrast) -> str:
    """Return the page of two comparisons: a whole HTML document, as a report is."""
    title = f"Two comparisons: {found.first.task.name}"
    if found.second.task.name != found.first.task.name:
        title += f" and {found.second.task.name}"
    return document(
        title,
        found.second.lehr,
        tag("header", tag("h1", title), tag("p", found.note, class_="lede")),
        tag(
            "main",
            section("pairs", "Pair by pair", "", _table(found)),
            section("first", "First", "", _facts(found.first)),
            section("second", "Second", "", _facts(found.second)),
        ),
    )


def gain(pair: PairContrast, metric: Metric) -> str:
    """Write an improvement with its interval; a dash if there is none."""
    mean = pair.gain
    if mean is None:
        return MISSING
    text = metric.difference(mean.mean)
    if mean.low is not None and mean.high is not None:
        text += f" ({metric.difference(mean.low)} to {metric.difference(mean.high)})"
    return text


def _table(found: Contrast) -> Markup:
    metric = found.first.metric
    rows = [
        tag(
            "tr",
            row_head(pair.optimizer, pair.schedule),
            _result(pair.first, metric),
            _result(pair.second, found.second.metric),
            tag("td", gain(pair, metric), class_="number") if found.comparable else "",
        )
        for pair in found.pairs
    ]
    unit = f", {metric.units.strip()}" if metric.unit else ""
    columns = ["Pair", "First", "Second"]
    if found.comparable:
        columns.append(f"Second is better by{unit}")
    caption = "Test scores with the rank and the peak rate in each of the two comparisons."
    return table("lengths", caption, tag("tr", *heads(columns)), rows)


def _result(pair: PairResult | None, metric: Metric) -> Markup:
    if pair is None:
        return tag("td", MISSING, class_="soft")
    text = f"#{pair.rank} at {rate(pair.peak)}"
    return tag("td", measured(metric, pair.score), tag("small", text))


def _facts(results: Results) -> Markup:
    finished = results.settings.finished
    rows = [
        ("Answer", next(iter(results.summary), "")),
        ("Task", f"{results.task.name}: {results.task.summary}"),
        ("Command", results.settings.command),
        ("Finished", "" if finished is None else day(finished)),
        ("Versions", ", ".join(f"{k} {v}" for k, v in results.settings.versions.items())),
    ]
    return described("method", rows)
