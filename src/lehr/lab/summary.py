"""What a comparison found, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lehr.lab.optimizers import find_optimizer

__all__ = ["summarize"]

_NAMED = 3  # a longer list of stragglers is told by its ends


def summarize(results: Mapping[str, Any]) -> list[str]:
    """Tell what the results say, the most important first.

    Arguments:
        results: As `lehr.lab.results.results` makes them, except for the summary itself.
    """
    pairs: list[Mapping[str, Any]] = results["pairs"]
    if not pairs:
        return ["Not finished: no pair has all its runs yet."]
    sentences = [_best(pairs)]
    for optimizer in results["optimizers"]:
        own = [pair for pair in pairs if pair["optimizer"] == optimizer]
        if len(own) > 1:
            sentences.append(f"{optimizer}: {_standing(own)}.")
    return sentences + _steady(pairs) + _fast(results) + _lasting(results) + _cautions(results)


def _best(pairs: Sequence[Mapping[str, Any]]) -> str:
    best = pairs[0]
    score = f"{_percent(best['score'])}"
    if best["low"] is not None:
        score += f" ({_percent(best['low'])} to {_percent(best['high'])})"
    text = (
        f"{best['optimizer']} with {best['schedule']} at a peak rate of {best['peak_lr']:g} "
        f"scores best: {score}"
    )
    others, tied = len(pairs) - 1, len(best["ties"])
    if not others:
        return f"{text}."
    if not tied:
        return f"{text}. No other pair ties with it."
    if others == 1:
        return f"{text}. The other pair ties with it."
    return f"{text}. Of the other {others}, {tied} {'ties' if tied == 1 else 'tie'} with it."


def _standing(pairs: Sequence[Mapping[str, Any]]) -> str:
    """How one optimizer's schedules stand to the best of them, which is the first."""
    best, rest = pairs[0], pairs[1:]
    tied = [pair for pair in rest if _name(pair) in best["ties"]]
    behind = [pair for pair in rest if _name(pair) not in best["ties"]]
    if not behind:
        return f"all {len(pairs)} schedules tie" if len(pairs) > 2 else f"{_list(pairs)} tie"
    first = f"{_list([best, *tied])} tie" if tied else f"{best['schedule']} is alone in front"
    return f"{first}; {_behind(best, behind)}"


def _behind(best: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]]) -> str:
    gaps = [f"{100 * (best['score'] - pair['score']):.1f}" for pair in pairs]
    if len(pairs) == 1:
        return f"{pairs[0]['schedule']} is {gaps[0]} points behind"
    if len(pairs) <= _NAMED:
        return f"{_list(pairs)} are {_join(gaps)} points behind"
    return (
        f"{len(pairs)} are behind, from {pairs[0]['schedule']} by {gaps[0]} "
        f"to {pairs[-1]['schedule']} by {gaps[-1]} points"
    )


def _steady(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of those that tie with the best, the one that cares least about its peak rate."""
    equals = [pairs[0], *(pair for pair in pairs if _name(pair) in pairs[0]["ties"])]
    widths = sorted({pair["sensitivity"]["width"] for pair in equals}, reverse=True)
    if len(widths) < 2:
        return []
    least = [pair for pair in equals if pair["sensitivity"]["width"] == widths[0]]
    if len(least) > _NAMED:
        return []
    names = _join([f"{pair['optimizer']} with {pair['schedule']}" for pair in least])
    verb = "cares" if len(least) == 1 else "care"
    return [
        f"Of those that tie for the best, {names} {verb} least about the peak rate: within a "
        f"point of the best over {widths[0]:.1f} decades."
    ]


def _fast(results: Mapping[str, Any]) -> list[str]:
    """Who needs the fewest updates for the target."""
    pairs, target = results["pairs"], results["settings"].get("target")
    if target is None:
        return []
    goal = f"a validation score of {_percent(target)}"
    there = [pair for pair in pairs if pair["target"]["updates"] is not None]
    if not there:
        return [f"No pair has {goal} in half of its runs."]
    least = min(pair["target"]["updates"] for pair in there)
    names = [_name(pair) for pair in there if pair["target"]["updates"] == least]
    first = _join(names) if len(names) <= _NAMED else f"{len(names)} pairs"
    text = f"{first} {'needs' if len(names) == 1 else 'need'} the fewest updates for {goal}: "
    text += f"{least:g}, the median over the seeds."
    if late := len(pairs) - len(there):
        text += f" {late} {'pair does' if late == 1 else 'pairs do'} not have it in half of the "
        text += "runs."
    return [text]


def _lasting(results: Mapping[str, Any]) -> list[str]:
    """Whether the best is the best in shorter and longer runs too."""
    pairs = results["pairs"]
    if len(pairs) < 2 or len(pairs[0].get("lengths", ())) < 2:
        return []
    first: dict[str, list[str]] = {}
    for i, at in enumerate(pairs[0]["lengths"]):
        best = next(pair for pair in pairs if pair["lengths"][i]["best"])
        first.setdefault(_name(best), []).append(f"{at['steps']:,}")
    every = [pair for pair in pairs if all(at["ties"] for at in pair["lengths"])]
    told = [f"{name} at {_join(steps)}" for name, steps in first.items()]
    verb = "is" if len(told) == 1 else "are"
    text = f"By length of the run, at the same peak rate, the best {verb} {_join(told)} updates. "
    if not every:
        return [text + "No pair is best or ties with the best in all of them."]
    names = _join([_name(pair) for pair in every])
    if len(every) > _NAMED:
        names = f"{len(every)} of {len(pairs)} pairs"
    verb = "is" if len(every) == 1 else "are"
    return [
        text + f"{names} {verb} best or {'ties' if len(every) == 1 else 'tie'} with the best "
        "in all of them."
    ]


def _cautions(results: Mapping[str, Any]) -> list[str]:
    pairs, settings = results["pairs"], results["settings"]
    notes: list[str] = []
    if not settings["complete"]:
        total = len(results["optimizers"]) * len(results["schedules"])
        notes.append(f"Not finished: {len(pairs)} of {total} pairs; ranks and ties will move.")
    if settings["seeds"] == 1:
        notes.append("With one seed nothing can be told apart: every pair counts as a tie.")
    if edge := [_name(pair) for pair in pairs if pair["at_edge"]]:
        notes.append(
            f"The best peak of {_join(edge)} is at the edge of the rates tried: a better one may "
            "lie beyond."
        )
    if lost := [f"{_name(pair)} ({pair['diverged']})" for pair in pairs if pair["diverged"]]:
        notes.append(f"Scoring runs diverged, and count as guessing: {_join(lost)}.")
    schedules: Mapping[str, Any] = results["schedules"]
    cycling = [name for name, drawn in schedules.items() if drawn["momentum"] is not None]
    plain = [name for name in results["optimizers"] if not find_optimizer(name).cycles]
    if cycling and plain:
        notes.append(f"{_join(plain)} has no momentum: {_join(cycling)} moves its rate only.")
    return notes


def _name(pair: Mapping[str, Any]) -> str:
    return f"{pair['optimizer']}/{pair['schedule']}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _list(pairs: Sequence[Mapping[str, Any]]) -> str:
    return _join([pair["schedule"] for pair in pairs])


def _join(words: Sequence[str]) -> str:
    """A, b and c."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
