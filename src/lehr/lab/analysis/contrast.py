"""Two comparisons side by side."""

from __future__ import annotations

from dataclasses import dataclass

from lehr.lab.analysis.pair_result import Mean, PairResult
from lehr.lab.analysis.results import Results
from lehr.lab.analysis.statistics import interval


@dataclass(frozen=True)
class PairContrast:
    """A pair in two comparisons.

    Attributes:
        optimizer: The name of its optimizer.
        schedule: The name of its schedule.
        first: Its result in the first comparison; None if it is not in it.
        second: Its result in the second comparison, likewise.
        gain: The mean improvement from the first to the second, seed by seed, in the metric's unit:
            above 0 if the second is better. None if they share no seed.
    """

    optimizer: str
    schedule: str
    first: PairResult | None
    second: PairResult | None
    gain: Mean | None


@dataclass(frozen=True)
class Contrast:
    """Two comparisons side by side.

    Attributes:
        first: The first comparison.
        second: The second one.
        differences: The differences between them, in words, the most important first.
        comparable: Whether task and metric agree, so that scores are compared seed by seed.
        pairs: The pairs of both, in the order of the first's ranking.
    """

    first: Results
    second: Results
    differences: tuple[str, ...]
    comparable: bool
    pairs: tuple[PairContrast, ...]

    @property
    def note(self) -> str:
        """An explanation of how the two are compared, in a sentence or two."""
        text = f"They differ in: {'; '.join(self.differences)}. " if self.differences else ""
        if not self.comparable:
            return (
                f"{text}Task or metric differ, so the scores are not compared, only shown side by "
                "side."
            )
        count = sum(pair.gain is not None for pair in self.pairs)
        return (
            f"{text}{count} {'pair is' if count == 1 else 'pairs are'} compared seed by seed. Each "
            "interval is for one pair alone: among many, one that excludes zero is not yet a proof."
        )


def contrast(first: Results, second: Results) -> Contrast:
    """Compare two comparisons, pair by pair.

    If task and metric agree, runs with the same seed start from the same network and see the same
    batches in both; so the difference is taken seed by seed, over the seeds that both have.
    """
    a, b = first.settings, second.settings
    facts = [
        (f"task {first.task.name} and {second.task.name}", first.task.name != second.task.name),
        (
            "data, network or batches of the task",
            first.task.name == second.task.name and first.task != second.task,
        ),
        (f"{a.steps:,} and {b.steps:,} updates", a.steps != b.steps),
        (f"{a.seeds} and {b.seeds} seeds", a.seeds != b.seeds),
        ("the peak rates tried", a.peaks != b.peaks),
        ("the versions", a.versions != b.versions),
    ]
    comparable = first.task == second.task
    names = dict.fromkeys(
        (pair.optimizer, pair.schedule) for each in (first, second) for pair in each.pairs
    )
    pairs: list[PairContrast] = []
    for name in names:
        both = first.find(*name), second.find(*name)
        gain = _gain(first, *both) if comparable else None
        pairs.append(PairContrast(*name, *both, gain))
    different = tuple(words for words, is_so in facts if is_so)
    return Contrast(first, second, different, comparable, tuple(pairs))


def _gain(results: Results, first: PairResult | None, second: PairResult | None) -> Mean | None:
    if first is None or second is None:
        return None
    cost = results.metric.cost
    found = [
        cost(a) - cost(b)
        # One of them may have fewer seeds; both count from 0.
        for a, b in zip(first.scores, second.scores, strict=False)
        if a is not None and b is not None
    ]
    return Mean(*interval(found)) if found else None
