"""The results of a comparison in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lehr.lab.analysis.influence import SEED
from lehr.lab.analysis.pair_result import PairResult
from lehr.lab.analysis.results import Results, Settings
from lehr.lab.metric import Metric
from lehr.lab.optimizers import find_optimizer

_NAMED = 3  # longer lists are summarised by their ends or their length
_NEAR = 2.0


def summarize(results: Results) -> list[str]:
    """Return the results in sentences, the most important first."""
    pairs = results.pairs
    if not pairs:
        if results.failed and results.settings.complete:
            return ["No pair has a result.", *_failures(results)]
        return ["Not finished: no pair has all its runs yet.", *_failures(results)]
    metric = results.metric
    first = f"{_best(results)}{_elsewhere(results)}"
    sentences = [first, *_undecided(pairs, results.settings.seeds, metric)]
    for optimizer in results.optimizers:
        own = [pair for pair in pairs if pair.optimizer == optimizer]
        if len(own) > 1:
            sentences.append(f"{optimizer}: {_of_optimizer(own, metric)}.")
    sentences += _mattering(results) + _serving(results)
    sentences += _steady(pairs, metric) + _fast(results) + _lasting(results) + _found(results)
    return sentences + _cautions(results)


def _best(results: Results) -> str:
    metric, (best, *others) = results.metric, results.pairs
    if best.score is None:
        return "No pair has a score: all of the scoring runs diverged."
    write = metric.text if metric.is_share else metric.number
    score = f"{'' if metric.is_share else f'a test {metric.name} of '}{metric.text(best.score)}"
    if best.low is not None and best.high is not None:
        score += f" ({write(best.low)} to {write(best.high)})"
    text = (
        f"Over {results.settings.steps:,} updates, {best.optimizer} with {best.schedule} at a peak "
        f"rate of {best.peak:g} scores best: {score}."
    )
    if not others:
        return text
    counts = Counter(pair.standing for pair in others)
    parts = [
        (counts[standing], one if counts[standing] == 1 else many)
        for standing, one, many in _VERBS
        if counts[standing]
    ]
    if len(parts) == 1:
        ((count, verb),) = parts
        return f"{text} The other {'pair' if count == 1 else count} {verb}."
    listed = _join([f"{count} {verb}" for count, verb in parts])
    return f"{text} Of the other {len(others)}, {listed}."


_VERBS = (
    ("tie", "ties with it", "tie with it"),
    ("undecided", "is undecided", "are undecided"),
    ("behind", "is behind", "are behind"),
)


def _elsewhere(results: Results) -> str:
    """Say whether the ranking depends on the number of updates."""
    best, *others = results.pairs
    places = [i for i, at in enumerate(best.lengths) if at.steps != results.settings.steps]
    if not others or not places or best.score is None:
        return ""
    lost = [i for i in places if best.lengths[i].standing == "behind"]
    unlike = lost or [i for i in places if best.lengths[i].standing != "best"]
    if not unlike:
        return f" It scores best at {_join([f'{best.lengths[i].steps:,}' for i in places])} too."
    leaders = [next(p.name for p in others if p.lengths[i].standing == "best") for i in unlike]
    ahead = [f"{n} at {best.lengths[i].steps:,}" for n, i in zip(leaders, unlike, strict=True)]
    if lost:
        return f" The order depends on the length: {_join(ahead)} {_are(ahead)} ahead of it."
    return (
        f" Whether the order depends on the length is open: {_join(ahead)} "
        f"{'scores' if len(ahead) == 1 else 'score'} better, but not by enough to tell."
    )


def _undecided(pairs: Sequence[PairResult], seeds: int, metric: Metric) -> list[str]:
    """Say why pairs are undecided, and how many seeds would decide them."""
    open_pairs = [pair for pair in pairs if pair.standing == "undecided"]
    gaps = {pair.name: pair.behind for pair in open_pairs if pair.behind is not None}
    ranges = {
        name: f"from {metric.difference(gap.low)} to {metric.difference(gap.high)}"
        for name, gap in gaps.items()
        if gap.low is not None and gap.high is not None
    }
    if not ranges:
        return []
    unit = f"{metric.units} ".lstrip() or "difference "
    if len(ranges) <= _NAMED:
        listed = _join([f"{name} ({reach})" for name, reach in ranges.items()])
        text = f"Undecided with {seeds} seeds, by the interval of the {unit}behind: {listed}."
    else:
        widest = max(gaps, key=lambda name: (gaps[name].high or 0) - (gaps[name].low or 0))
        text = (
            f"{len(ranges)} pairs are undecided with {seeds} seeds: the test does not separate "
            f"them from the best, but their intervals do not stay within {metric.near}. The widest "
            f"interval of the {unit}behind reaches {ranges[widest]} ({widest})."
        )
    needed = sorted(gap.seeds for gap in gaps.values() if gap.seeds is not None)
    if needed:
        enough = needed[len(needed) // 2]
        decided = sum(seeds <= enough for seeds in needed)
        which = "them" if decided == len(ranges) else f"{decided} of them"
        if len(ranges) == 1:
            which = "it"
        more = "1 more seed" if enough - seeds == 1 else f"{enough - seeds} more seeds"
        text += f" About {more} (--seeds {enough}) would decide {which}."
    return [text]


def _of_optimizer(pairs: Sequence[PairResult], metric: Metric) -> str:
    """Say how one optimizer's schedules compare with the best of them, which comes first."""
    best, rest = pairs[0], pairs[1:]
    tied, undecided, behind = (
        [pair for pair in rest if pair.standing_in_optimizer == standing]
        for standing in ("tie", "undecided", "behind")
    )
    if len(tied) == len(rest):
        return f"all {len(pairs)} schedules tie" if len(pairs) > 2 else f"{_list(pairs)} tie"
    if len(undecided) == len(rest):
        return f"{best.schedule} scores best, and the others are undecided"
    parts = [f"{_list([best, *tied])} tie" if tied else f"{best.schedule} scores best"]
    if undecided:
        parts.append(f"{_list(undecided)} {_are(undecided)} undecided")
    if behind:
        parts.append(_behind(best, behind, metric))
    return "; ".join(parts)


def _behind(best: PairResult, pairs: Sequence[PairResult], metric: Metric) -> str:
    gaps = [
        metric.difference(metric.cost(pair.score) - metric.cost(best.score))
        for pair in pairs
        if pair.score is not None and best.score is not None and pair.diverged <= best.diverged
    ]
    if len(gaps) < len(pairs):
        return f"{_list(pairs)} {_are(pairs)} behind"
    if len(pairs) == 1:
        return f"{pairs[0].schedule} is {gaps[0]}{metric.units} behind"
    if len(pairs) <= _NAMED:
        return f"{_list(pairs)} are {_join(gaps)}{metric.units} behind"
    return (
        f"{len(pairs)} are behind, from {pairs[0].schedule} by {gaps[0]} "
        f"to {pairs[-1].schedule} by {gaps[-1]}{metric.units}"
    )


def _mattering(results: Results) -> list[str]:
    """Say how strongly each choice affects the score."""
    metric, found = results.metric, results.influences
    if len(found) < 2:
        return []
    parts: list[str] = []
    for each in sorted(found, key=lambda each: -each.spread):
        part = f"{_CHOICES.get(each.name, each.name)} by {metric.difference(each.spread)}"
        if each.low is not None and each.high is not None:
            part += f" ({metric.difference(each.low)} to {metric.difference(each.high)})"
        parts.append(part)
    unit = f" in {metric.units.strip()}" if metric.unit else ""
    text = f"What moves the score, as a standard deviation{unit}: {_join(parts)}."
    if none := [_CHOICES.get(each.name, each.name) for each in found if each.low == 0]:
        reach = "the interval reaches" if len(none) == 1 else "the intervals reach"
        text += f" For {_join(none)} {reach} 0: no effect is possible too."
    return [text]


_CHOICES = {
    "optimizer": "the optimizer",
    "schedule": "the schedule",
    "optimizer x schedule": "how well the two suit each other",
    "peak rate": "the peak rate within a decade around the best",
    SEED: "the seed",
}


def _serving(results: Results) -> list[str]:
    """Say whether the best schedule depends on the optimizer."""
    optimizers, schedules = len(results.optimizers), len(results.schedules)
    if min(optimizers, schedules) < 2 or len(results.pairs) < optimizers * schedules:
        return []
    names = results.serving
    if not names:
        return [
            "The best schedule depends on the optimizer: each one is behind another with some "
            "optimizer."
        ]
    return [
        "The best schedule need not depend on the optimizer: "
        f"{_few(names, 'schedules')} {_are(names)} behind with none of them."
    ]


def _steady(pairs: Sequence[PairResult], metric: Metric) -> list[str]:
    """Name the pairs that are least sensitive to the peak rate, of those that tie for the best."""
    equals = [pair for pair in pairs if pair.standing in ("best", "tie")]
    widths = sorted({pair.width for pair in equals}, reverse=True)
    if len(widths) < 2:
        return []
    least = [pair for pair in equals if pair.width == widths[0]]
    if len(least) > _NAMED:
        return []
    names = _join([f"{pair.optimizer} with {pair.schedule}" for pair in least])
    return [
        f"Of those that tie for the best, {names} {_are(least)} least sensitive to the peak rate: "
        f"within {metric.near} over a factor of {10 ** widths[0]:.2g} in it."
    ]


def _fast(results: Results) -> list[str]:
    """Name the pairs that need the fewest updates to the target."""
    target = results.settings.target
    if target is None:
        return []
    goal = f"a validation {results.metric.name} of {results.metric.text(target)}"
    updates = {
        pair.name: pair.target.updates
        for pair in results.pairs
        if pair.target is not None and pair.target.updates is not None
    }
    if not updates:
        return [f"No pair reaches {goal} in half of its runs."]
    least = min(updates.values())
    names = [name for name, needed in updates.items() if needed == least]
    text = (
        f"{_few(names)} {'needs' if len(names) == 1 else 'need'} the fewest updates for {goal}: "
        f"{least:g}, the median over the seeds."
    )
    if late := len(results.pairs) - len(updates):
        verb = "pair does" if late == 1 else "pairs do"
        text += f" {late} {verb} not reach it in half of the runs."
    return [text]


def _lasting(results: Results) -> list[str]:
    """Say whether the best pair is also the best in shorter and longer runs."""
    pairs = results.pairs
    if len(pairs) < 2 or not pairs[0].lengths:
        return []
    first: dict[str, list[str]] = {}
    for i, at in enumerate(pairs[0].lengths):
        best = next(pair for pair in pairs if pair.lengths[i].standing == "best")
        first.setdefault(best.name, []).append(f"{at.steps:,}")
    leading = [f"{name} at {_join(steps)}" for name, steps in first.items()]
    text = (
        f"By length of the run, at the same peak rate, the best {_are(leading)} {_join(leading)} "
        "updates. "
    )
    every = [
        pair.name for pair in pairs if all(at.standing in ("best", "tie") for at in pair.lengths)
    ]
    if not every:
        return [text + "No pair is best or ties with the best in all of them."]
    names, ties = _few(every, f"of {len(pairs)} pairs"), "ties" if len(every) == 1 else "tie"
    return [text + f"{names} {_are(every)} best or {ties} with the best in all of them."]


def _found(results: Results) -> list[str]:
    """Say what the short runs cost, and how near the chosen peaks are to the ones they found."""
    if not results.settings.find:
        return []
    found = [(pair, pair.found.peak) for pair in results.pairs if pair.found and pair.found.peak]
    near = sum(1 / _NEAR < pair.peak / peak < _NEAR for pair, peak in found)
    text = f"Short runs of {results.settings.searched:,} updates found where tuning began"
    sentences = [
        f"{text}; the chosen peak is within a factor of {_NEAR:g} of that for {near} of "
        f"{len(found)} {'pair' if len(found) == 1 else 'pairs'}."
    ]
    if none := [pair.name for pair in results.pairs if not (pair.found and pair.found.peak)]:
        sentences.append(
            f"Short runs found no peak for {_few(none)}: tuning began in the middle of the "
            "optimizer's own grid."
        )
    return sentences


def _cautions(results: Results) -> list[str]:
    pairs, settings = results.pairs, results.settings
    notes = _failures(results)
    if not settings.complete:
        total = len(results.optimizers) * len(results.schedules)
        notes.append(f"Not finished: {len(pairs)} of {total} pairs; ranks and ties will change.")
    if settings.seeds == 1:
        notes.append("With one seed nothing can be told apart: every pair is undecided.")
    if taken := [f"{pair.name} ({pair.imported})" for pair in pairs if pair.imported]:
        source = settings.versions.get("imported", "a table")
        notes.append(
            f"Scoring runs were imported from {source}, not trained here: {_join(taken)}. If they "
            "also chose the peak, their scores are too good: import them without seeds into a new "
            "store, and new seeds score."
        )
    notes += _at_edge(pairs, settings)
    if lost := [f"{pair.name} ({pair.diverged})" for pair in pairs if pair.diverged]:
        guess, count = results.metric.guess, "have no score, so that their pairs rank last"
        if guess is not None:
            count = f"count as guessing ({results.metric.text(guess)})"
        notes.append(f"Scoring runs diverged, and {count}: {_join(lost)}.")
    cycling = [name for name, each in results.schedules.items() if each.momentum is not None]
    plain = [
        name for name in results.optimizers if not find_optimizer(name, check=False).has_momentum
    ]
    if cycling and plain:
        has, of = ("has", "its rate") if len(plain) == 1 else ("have", "their rates")
        change = "changes" if len(cycling) == 1 else "change"
        notes.append(f"{_join(plain)} {has} no momentum: {_join(cycling)} {change} {of} only.")
    return notes


def _failures(results: Results) -> list[str]:
    """Say which pairs have no result, or fewer peak rates, because some trials failed."""
    if not results.failed:
        return []
    lost = list(dict.fromkeys(run.pair for run in results.failed if run.is_lost))
    poorer = list(dict.fromkeys(run.pair for run in results.failed if not run.is_lost))
    count, first = len(results.failed), results.failed[0]
    trials = "1 trial" if count == 1 else f"{count} trials"
    parts: list[str] = []
    if lost:
        parts.append(f"{_few(lost)} {'has' if len(lost) == 1 else 'have'} no result")
    if poorer:
        parts.append(f"{_few(poorer)} {_are(poorer)} tuned without the peak rates that failed")
    return [
        f"{trials} of {results.task.name} failed: {_join(parts)}. The first is {first.trial}: "
        f"{first.reason}."
    ]


def _few(names: Sequence[str], kind: str = "pairs") -> str:
    return _join(names) if len(names) <= _NAMED else f"{len(names)} {kind}"


def _at_edge(pairs: Sequence[PairResult], settings: Settings) -> list[str]:
    """Say how to try peak rates beyond the grid, if the best peak of some pairs is at its edge."""
    edge = [pair for pair in pairs if pair.at_edge]
    if not edge:
        return []
    names = _few([pair.name for pair in edge])
    tried = f", after {settings.further} further ones" if settings.further else ""
    return [
        f"The best peak of {names} is at the edge of the rates tried{tried}, and a better one may "
        f"lie beyond: try --further {max(4, 2 * settings.further)}."
    ]


def _list(pairs: Sequence[PairResult]) -> str:
    return _join([pair.schedule for pair in pairs])


def _are(several: Sequence[object]) -> str:
    return "is" if len(several) == 1 else "are"


def _join(words: Sequence[str]) -> str:
    """Join words as in "A, b and c"."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
