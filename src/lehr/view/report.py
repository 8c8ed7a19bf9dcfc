"""The results of a comparison as one page of HTML, without any request to a network."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lehr.files import write_whole
from lehr.lab.analysis.results import Results
from lehr.view.curves import curves, readout
from lehr.view.downloads import downloads
from lehr.view.influences import influences
from lehr.view.lengths import lengths
from lehr.view.markup import Markup, described, tag
from lehr.view.numbers import count, day, duration, measured, rate
from lehr.view.peaks import sensitivity
from lehr.view.predicted import predicted
from lehr.view.shapes import schedules
from lehr.view.tables import heat_map, ranking

if TYPE_CHECKING:
    from lehr.laws import Law


def write_report(results: Results, folder: Path, law: Law | None = None) -> None:
    """Write the page of these results, `report.html`, into a folder.

    Arguments:
        results: The results of a comparison, finished or not.
        folder: Where `report.html` is written.
        law: A loss law, whose predictions are drawn beside the measured curves.

    Raises:
        LawError: If the comparison has no finished runs of the law's optimizer.

    Example:
        ``lehr.lab.compare(plan, folder, report=write_report)`` writes it when the comparison ends.
    """
    write_whole(folder / "report.html", render(results, law))


def render(results: Results, law: Law | None = None) -> str:
    """Return the page of these results.

    Arguments:
        results: The results of a comparison, finished or not.
        law: A loss law, whose predictions are drawn beside the measured curves.

    Returns:
        A whole HTML document. It holds its own style and script, the only ones that its content
        security policy allows; names and texts from `results` are escaped.
    """
    return document(
        f"Schedules and optimizers on {results.task.name}",
        results.lehr,
        *_body(results, law),
        rules=_choices(results),
    )


def document(title: str, version: str, *body: str, rules: str = "") -> str:
    """Return a whole HTML document that needs no network.

    Arguments:
        title: Its title.
        version: The version of lehr that made its numbers.
        body: Its content.
        rules: Further rules of style.
    """
    style = Markup(_asset("page.css") + rules)
    script = Markup(_asset("page.js") + _asset("table.js"))
    footer = tag("footer", f"Made by lehr {version}. This page makes no requests.")
    page = tag(
        "html",
        _head(title, version, style, script),
        tag("body", *body, footer, tag("script", script)),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


def _asset(name: str) -> str:
    return files("lehr.view").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _choices(results: Results) -> str:
    """Return the style rules that make the radio buttons and boxes work without the script."""
    optimizers, names = results.order
    rules = [
        f".learning:has(#o{i}:checked) .panel:not(.o{i}){{display:none}}"
        for i in range(len(optimizers))
    ]
    rules += [
        f".learning:has(#k{i}:not(:checked)) .panel .k{i}{{display:none}}"
        for i in range(len(names))
    ]
    return "\n".join(rules)


def _head(title: str, version: str, style: Markup, script: Markup) -> Markup:
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"lehr {version}"),
        tag("title", f"{title} · lehr"),
        tag("style", style),
    )


def _body(results: Results, law: Law | None) -> list[str]:
    sections = _sections(results, law) if results.pairs else []
    links = [tag("a", words, href=f"#{name}") for name, words, _ in sections]
    content = [drawn for *_, drawn in sections]
    if not results.pairs:
        nothing = tag("p", "Nothing to show yet: no pair has been trained.", class_="notice")
        content = [nothing, _method(results)]
    # "</script>" would end a data block, so it has no "<".
    data = Markup(json.dumps(readout(results), allow_nan=False).replace("<", "\\u003c"))
    return [
        tag("a", "Skip to the results", href="#ranking", class_="skip"),
        _opening(results),
        tag("nav", *links, aria_label="Sections") if links else "",
        tag("main", *content),
        tag("script", data, type="application/json", id="numbers"),
    ]


def _opening(results: Results) -> Markup:
    mark = tag(
        "svg",
        tag("path", d="M2 4C12 4 14 20 30 20"),
        viewBox="0 0 32 24",
        class_="mark",
        aria_hidden="true",
    )
    first, *rest = results.summary or ("No pair has been scored yet.",)
    return tag(
        "header",
        tag("p", mark, "lehr", tag("span", "a comparison by training"), class_="brand"),
        tag("h1", f"Schedules and optimizers on {results.task.name}"),
        tag("p", first, class_="lede"),
        tag("div", tag("pre", tag("code", results.pairs[0].code)), class_="recipe")
        if results.pairs
        else "",
        tag("ul", *(tag("li", sentence) for sentence in rest), class_="summary") if rest else "",
        _progress(results),
        _facts(results),
    )


def _progress(results: Results) -> Markup | str:
    if results.settings.complete:
        return ""
    every = len(results.optimizers) * len(results.schedules)
    return tag(
        "p",
        tag("strong", "Not finished. "),
        f"{len(results.pairs)} of {count(every, 'pair')} so far; ranks and intervals will change. "
        "Run the same command again to continue.",
        class_="notice",
        role="note",
    )


def _facts(results: Results) -> Markup:
    settings = results.settings
    facts: list[tuple[str, str]] = []
    if results.pairs:
        metric = results.metric
        facts.append((measured(metric, results.pairs[0].score), f"best test {metric.name}"))
        ties = sum(pair.standing == "tie" for pair in results.pairs)
        facts.append((str(ties), "pair ties with it" if ties == 1 else "pairs tie with it"))
        if undecided := sum(pair.standing == "undecided" for pair in results.pairs):
            facts.append((str(undecided), "undecided"))
    facts.append((f"{len(results.pairs):,}", "pair" if len(results.pairs) == 1 else "pairs"))
    facts.append((f"{settings.trials:,}", "training runs"))
    facts.append((duration(settings.seconds), "of computing"))
    return described("facts", [(words, value) for value, words in facts])


def section(name: str, title: str, words: str, *content: str) -> Markup:
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        tag("p", words, class_="words") if words else "",
        *content,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _sections(results: Results, law: Law | None) -> list[tuple[str, str, Markup]]:
    """Return the sections in order, each with its id and the text of its link."""
    found: list[tuple[str, str, Markup]] = []

    def add(name: str, title: str, words: str, *content: Markup, link: str | None = None) -> None:
        found.append((name, link or title, section(name, title, words, *content)))

    add(
        "ranking",
        "Ranking",
        "Best first. Pairs that tie with the best have a bar at their left.",
        ranking(results),
        downloads(results),
    )
    if len(results.influences) > 1:
        add("mattered", "What mattered", _serving(results), influences(results))
    add("map", "Map", "Which schedule suits which optimizer.", heat_map(results))
    add(
        "schedules",
        "Schedules",
        "The factor on the peak rate over the run.",
        schedules(results),
    )
    add(
        "learning",
        "Learning curves",
        "At the chosen peak rate. A line is the mean over the seeds, its band the interval. All "
        "optimizers share the same axes. At first only the best schedules are drawn; the boxes add "
        "others.",
        curves(results),
    )
    add(
        "peaks",
        "How much the peak rate matters",
        f"Validation {results.metric.name} against the peak rate. Where the curve is flat, a wrong "
        "peak rate costs little; where it is steep, it costs much.",
        sensitivity(results),
        link="Peak rate",
    )
    if results.lengths:
        add(
            "lengths",
            "Length of the run",
            "The same pairs at the peak rates that were chosen for "
            f"{count(results.settings.steps, 'update')}, with the schedule placed over fewer or "
            "more. A pair that stays best does not depend on that choice.",
            lengths(results),
        )
    if law:
        add(
            "predicted",
            "Predicted losses",
            f"The training loss with {law.optimizer} as the {law.form.title} law predicts it "
            "(smooth, with its interval), and as it was measured.",
            predicted(results, law),
        )
    return [*found, ("method", "How it was run", _method(results))]


def _serving(results: Results) -> str:
    """Return which schedules are good with every optimizer, if there are several of both."""
    if min(len(results.optimizers), len(results.schedules)) < 2:
        return ""
    if not results.serving:
        return "Each schedule is behind another with some optimizer, so the best depends on it."
    names = ", ".join(results.serving)
    return f"No test separates {names} from the best schedule of any optimizer."


def _statistics(results: Results) -> str:
    settings, test = results.settings, results.task.test
    confidence, name = 100 * settings.confidence, results.metric.name
    text = (
        f"Each pair's peak rate is the one with the best mean validation {name} over "
        f"{count(settings.tuning_seeds, 'tuning seed')}; its score is then the mean test {name} "
        f"over {count(settings.seeds, 'other seed')} at that peak, and the "
        f"{confidence:g} % interval says how far this mean could change with other seeds, that "
        "is with other initial weights and another order of the batches. Pairs are compared seed "
        "by seed. A pair is behind another if, by chance, even the largest of all the differences "
        f"would be as large as theirs in at most {100 - confidence:g} % of cases. "
    )
    if results.metric.guess is None:
        text += (
            "A run that diverged has no score. A pair with such runs ranks behind those with "
            "fewer, without a test, and its mean and interval are those of its other runs. "
        )
    if test < 2:
        return text
    return (
        f"{text}None of this covers the choice of the {test:,} test samples, which are the same "
        "for every pair: other samples could change all scores together, and a difference of a few "
        "samples may not carry over."
    )


def _tried(results: Results) -> str:
    """Return the peak rates, and how many of them were tried with how many seeds."""
    peaks = ", ".join(rate(peak) for peak in results.settings.peaks)
    rungs, further = results.settings.rungs, results.settings.further
    if results.settings.find:
        searched = f"short runs of {results.settings.searched:,} updates"
        peaks = f"for each pair the peak that {searched} found, and 1.8 times less and more"
    elif len(results.settings.peaks) > rungs[0][0]:
        peaks = f"{rungs[0][0]} for each optimizer, of {peaks}"
    if further:
        peaks += f"; then {further} further ones, around the best or beyond the edge"
    if len(rungs) < 2:
        return peaks
    first, *rest = [f"{tried} with {count(seeds, 'tuning seed')}" for tried, seeds in rungs]
    return f"{peaks}; by halving: {first}, then the best {', '.join(rest)}, for every pair"


def _method(results: Results) -> Markup:
    settings, task = results.settings, results.task
    versions = ", ".join(f"{k} {v}" for k, v in settings.versions.items())
    finished = "" if settings.finished is None else day(settings.finished)
    rows = [
        ("Task", f"{task.name}: {task.summary}"),
        (
            "Samples",
            f"{task.train:,} to train, {task.validation:,} to choose the peak rate, "
            f"{task.test:,} to score"
            if task.train
            else "",
        ),
        ("Network", task.network),
        (
            "Training",
            count(settings.steps, "update")
            + (f" with batches of {task.batch_size}" if task.batch_size else ""),
        ),
        ("Peak rates tried", _tried(results)),
        ("Finished", finished),
        ("Versions", versions),
    ]
    named = [(name, tag("code", text)) for name, text in results.optimizers.items()]
    return section(
        "method",
        "How it was run",
        _statistics(results),
        described("method", rows),
        tag("h3", "Optimizers"),
        described("method", named),
        tag("h3", "Command"),
        tag("pre", tag("code", settings.command)),
    )
