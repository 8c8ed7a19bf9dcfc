"""A comparison whose pairs start from the peaks that short runs find."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")
pytest.importorskip("click")

from click.testing import CliRunner

from lehr.cli import lehr as command
from lehr.lab import (
    Plan,
    Progress,
    Results,
    RunPlace,
    Size,
    Store,
    compare,
    find_peak,
    stored_results,
    within,
)
from lehr.lab.comparison import Comparison
from lehr.lab.metric import Metric
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Outcome, Trial

SIZE = Size(steps=100, seeds=2, tuning_seeds=1, find=True)
PLAN = Plan(optimizers=("momentum", "adamw"), schedules=("cosine",), size=SIZE)
EDGE = {"momentum": 0.2, "adamw": 0.01}


def outcome(trial: Trial, edge: float) -> FinishedTrial:
    """Return the outcome of a run that learns with the rate, and breaks above an edge."""
    count = min(20, trial.steps)
    if trial.peak > edge:
        lost = Outcome(3, (2.0, *[None] * (count - 1)), (0.1,) * count, 0.1, 0.1, None)
        return FinishedTrial(lost, 0.0)
    fall = min(1.0, trial.peak / edge * 1.5) * min(1.0, trial.steps / 40)
    losses = tuple(2 - fall * (i + 1) / count for i in range(count))
    score = 0.5 + fall / 4
    return FinishedTrial(Outcome(None, losses, (score,) * count, score, score, 1.0), 0.0)


def finish(
    plan: Plan, fail: Callable[[Trial], bool] = lambda _: False
) -> tuple[Comparison, list[Trial]]:
    """Give a comparison all outcomes that it asks for; return it and its trials in their order."""
    search, made = Comparison(plan, Metric.score(guess=0.1)), list[Trial]()
    while needed := list(search.next()):
        trial = needed[0]
        made.append(trial)
        ended: Ended = outcome(trial, EDGE[trial.optimizer.partition("(")[0]])
        search.tell(trial, FailedTrial("ValueError: no", "") if fail(trial) else ended)
    return search, made


def peaks(made: list[Trial], optimizer: str) -> list[float]:
    """Return the peaks of the tuning runs, in the order in which they were asked for."""
    tuning = [t.peak for t in made if t.optimizer == optimizer and 1_000_000 <= t.seed < 2_000_000]
    return list(dict.fromkeys(tuning))


def test_tuning_begins_at_the_found_peak_and_beside_it(tmp_path: Path) -> None:
    search, made = finish(PLAN)
    for optimizer in PLAN.optimizers:
        own = [trial for trial in made if trial.optimizer == optimizer]
        kinds = [trial.steps for trial in own]
        assert set(kinds) == {10, 40, 100}
        assert kinds == sorted(kinds)  # the short runs come first
        tuned = peaks(made, optimizer)
        low, middle, high = tuned[:3]
        assert middle / low == pytest.approx(1.8, rel=0.06)
        assert high / middle == pytest.approx(1.8, rel=0.06)
        assert low < EDGE[optimizer] / 3 < high
        assert len(tuned) == 5  # two more, around the best one or beyond
    assert search.total == len(made)


def test_each_choice_of_tuned_numbers_has_its_own_search() -> None:
    plan = replace(PLAN, optimizers=("momentum",), tune=("weight_decay=0,0.1",))
    _, made = finish(plan)
    short = {trial.optimizer for trial in made if trial.steps == 40}
    assert len(short) == 2
    assert all("weight_decay=" in text for text in short)


def test_a_failed_short_run_leaves_the_pair_its_own_grid() -> None:
    search, made = finish(PLAN, lambda t: t.steps == 40 and t.optimizer == "adamw")
    failed = [run for _, pair in search._pairs for run in pair.failed]
    assert [trial.optimizer for trial, _ in failed] == ["adamw"]
    assert not any(pair.is_lost for _, pair in search._pairs)
    # The middle of the grid of AdamW, at the same cost as for the other pair.
    assert peaks(made, "adamw")[:3] == [0.003, 0.01, 0.03]
    full = [sum(t.optimizer == o and t.steps == 100 for t in made) for o in PLAN.optimizers]
    assert full == [5 + 2] * 2


def test_the_cost_of_the_searches_counts_in_a_budget() -> None:
    usual = replace(PLAN, size=replace(SIZE, find=False))
    assert PLAN.searches == 1
    assert usual.searches == 0
    # Of 60 trials a pair has 30, of which its search costs 400 updates: as much as 4 of them.
    found = within(PLAN, 60).size
    assert found.tuning_seeds * (3 + 2) + found.seeds == 26
    with pytest.raises(ValueError, match="give at least 18"):
        within(PLAN, 17)  # 4 to search, 3 to tune and 2 to score, twice
    assert within(PLAN, 18).size.seeds == 2


def test_given_peaks_contradict_it() -> None:
    with pytest.raises(ValueError, match=r"peaks=\(0.1,\) and find=True .* leave one out"):
        Size(steps=100, seeds=1, tuning_seeds=1, peaks=(0.1,), find=True)


def test_a_schedule_without_a_peak_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    plan = replace(PLAN, schedules=("0 * cosine()",))
    with pytest.raises(ValueError, match="somewhere above it"):
        compare(plan, tmp_path / "new")
    assert not (tmp_path / "new").exists()


DIGITS = Plan(
    optimizers=("momentum",),
    schedules=("cosine", "constant"),
    size=Size(steps=60, seeds=2, tuning_seeds=1, find=True),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results, list[str]]:
    out, lines = tmp_path_factory.mktemp("found"), list[str]()
    return out, compare(DIGITS, out, notify=lines.append), lines


def test_the_plan_and_the_results_say_what_was_found(
    trained: tuple[Path, Results, list[str]],
) -> None:
    out, results, lines = trained
    assert "about 24 short runs to find its peak (at most 400 updates), 5 trials" in lines[0]
    again = json.loads((out / "results.json").read_text())
    assert again["settings"]["find"] is True
    assert again["settings"]["searched"] == sum(pair["found"]["spent"] for pair in again["pairs"])
    assert set(again["pairs"][0]["found"]) == {
        "peak", "as_good", "best_within", "spent", "decided_by", "confidence", "warnings",
    }  # fmt: skip
    assert "--find" in results.settings.command
    for pair in results.pairs:
        assert pair.found is not None
        assert pair.found.peak is not None
        assert pair.found.spent < 420
        # Half of the best rate of the digits or more, and below where training breaks.
        assert 0.05 < pair.found.peak < 0.6
        assert float(f"{pair.found.peak:.2g}") in pair.peaks
    assert any(text.startswith("Short runs of ") for text in results.summary)


def test_the_peaks_are_those_of_lehr_find(trained: tuple[Path, Results, list[str]]) -> None:
    out, results, _ = trained
    seen: list[Progress] = []
    found = find_peak("digits", "momentum", "cosine", 60, out, watch=seen.append)
    pair = results.find("momentum", "cosine")
    assert pair is not None
    assert pair.found is not None
    assert pair.found.peak == found.peak
    assert seen[-1].trained == 0  # its trials are in the store


@pytest.mark.parametrize("at", [5, 30])
def test_a_stopped_comparison_does_not_search_again(
    trained: tuple[Path, Results, list[str]], tmp_path: Path, at: int
) -> None:
    progress: list[Progress] = []

    def stop(now: Progress) -> None:
        if now.trained >= at:
            raise KeyboardInterrupt

    place = RunPlace(tmp_path, engine="population")
    with pytest.raises(KeyboardInterrupt):
        compare(DIGITS, place, watch=stop)
    with Store(tmp_path / "trials.db") as store:
        (partly,) = stored_results(store)
    assert not partly.settings.complete
    found = compare(DIGITS, place, watch=progress.append)
    assert progress[0].reused >= at
    assert same(found, trained[1])
    with Store(tmp_path / "trials.db") as store:
        assert stored_results(store)[-1].pairs == found.pairs


def same(a: Results, b: Results) -> bool:
    """Return whether results are the same but for what they cost."""
    return [replace(pair, seconds=0) for pair in a.pairs] == [
        replace(pair, seconds=0) for pair in b.pairs
    ]


OWN = """\
import json, math, os, sys

def train(trial):
    broken = trial.peak > 0.3
    learned = min(1, 4 * trial.peak) * min(1, trial.steps / 40)
    for step in range(1, trial.steps + 1):
        trial.report(step, loss=math.inf if broken else 2 - learned * step / trial.steps)
    loss = math.inf if broken else 2 - learned
    return {"validation": {"loss": loss}, "test": {"loss": loss}}

if __name__ == "__main__":
    from lehr.lab import current_trial
    trial = current_trial()
    trial.finish(train(trial))
"""


@pytest.mark.skipif(os.name != "posix", reason="own trainings need POSIX")
@pytest.mark.parametrize(("kind", "engine"), [("train", "population"), ("command", "processes")])
def test_trainings_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, engine: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    own = "own.py:train" if kind == "train" else f"{sys.executable} own.py"
    words = [f"--{kind}", own, "--optimizers", "momentum", "--schedules", "constant", "--find"]
    words += ["--steps", "60", "--seeds", "1", "--tuning-seeds", "1", "--further", "0", "--json"]
    result: Any = CliRunner().invoke(
        command, ["compare", *words, "--engine", engine, "--jobs", "1"]
    )
    assert result.exit_code == 0, result.output
    (pair,) = json.loads(result.stdout)["pairs"]
    assert 0.03 < pair["found"]["peak"] < 0.3
    assert pair["peaks"] == [
        float(f"{pair['found']['peak'] * factor:.2g}") for factor in (1 / 1.8, 1, 1.8)
    ]
    assert math.isfinite(pair["score"])


@pytest.mark.skipif(os.name != "posix", reason="own trainings need POSIX")
def test_a_training_that_gives_no_loss_has_nothing_to_search_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    half = '{"validation": {"score": 0.5}, "test": {"score": 0.5}}'
    Path("own.py").write_text(f"def train(trial):\n    return {half}\n")
    words = ["--train", "own.py:train", "--optimizers", "momentum", "--schedules", "cosine,wsd"]
    words += ["--steps", "60", "--find"]
    result: Any = CliRunner().invoke(command, ["compare", *words])
    assert result.exit_code == 1
    assert "No pair has a result." in result.output
    assert "gives no loss: call trial.report(step, loss=...)" in " ".join(result.output.split())
