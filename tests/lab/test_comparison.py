"""A whole comparison: its numbers, what it keeps, and how it goes on."""

import dataclasses
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import lehr
from lehr.lab import Pair, Plan, Progress, Results, RunPlace, Size, Store, compare, stored_results
from lehr.lab.analysis.pair_result import PairResult
from lehr.lab.training.population import train_population
from lehr.lab.trial import FinishedTrial, Outcome, evaluation_steps
from lehr.view.report import write_report

PLAN = Plan(
    optimizers=("sgd", "adam"),
    schedules=("step", "one_cycle"),
    size=Size(steps=8, seeds=3, tuning_seeds=2, peaks=(0.01, 0.1, 1e30)),
)
EACH = 3 * 2 + 3


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished comparison."""
    out = tmp_path_factory.mktemp("compare") / "out"
    compare(PLAN, out, report=write_report)
    return out


@pytest.fixture(scope="module")
def found(out: Path) -> Results:
    """The results file of the finished comparison."""
    return read(out)


def read(out: Path) -> Results:
    """Read the results in a folder strictly."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    text = (out / "results.json").read_text()
    return Results.from_json(json.loads(text, parse_constant=refuse))


def stored(path: Path) -> Results:
    """Return the results of the comparison in a store that was started last."""
    with Store(path) as store:
        return stored_results(store)[-1]


def outcomes(out: Path, optimizer: str, schedule: str) -> dict[tuple[float, int], Outcome]:
    """The kept outcomes of a pair by peak and seed, read without the store."""
    text = repr(lehr.find_entry(schedule).example)
    found: dict[tuple[float, int], Outcome] = {}
    for identity, peak, seed, curves, *rest in rows(out):
        kind = json.loads(identity)
        if (kind["optimizer"], kind["schedule"]) == (optimizer, text):
            loss, accuracy = np.frombuffer(zlib.decompress(curves)).reshape(2, -1).tolist()
            loss = tuple(None if math.isnan(value) else value for value in loss)
            found[peak, seed] = Outcome(rest[0], loss, tuple(accuracy), *rest[1:4])
    return found


def rows(out: Path) -> list[tuple[Any, ...]]:
    """Return the answer of SQLite itself to a query."""
    with closing(sqlite3.connect(out / "trials.db")) as link:
        return link.execute(
            "SELECT identity, peak, seed, curves, diverged, validation, test, test_loss, seconds "
            "FROM trials JOIN kinds ON kinds.id = kind"
        ).fetchall()


def test_the_head_says_what_was_done(found: Results) -> None:
    assert found.lehr == lehr.__version__
    assert found.task.name == "digits"
    assert found.task.train + found.task.validation + found.task.test == 1797
    settings = found.settings
    assert settings.steps == 8
    assert (settings.seeds, settings.tuning_seeds) == (3, 2)
    assert settings.peaks == (0.01, 0.1, 1e30)
    assert settings.confidence == 0.95
    assert settings.trials == 4 * EACH
    assert settings.complete
    assert settings.command == PLAN.command()
    assert {"lehr", "python", "torch", "device"} <= settings.versions.keys()
    assert list(found.optimizers) == ["sgd", "adam"]
    assert found.optimizers["adam"] == "Adam(betas=(0.9, 0.999))"


def test_schedules_are_drawn_as_they_were_driven(found: Results) -> None:
    for name in PLAN.schedules:
        entry, drawn = lehr.find_entry(name), found.schedules[name]
        assert drawn.text == repr(entry.example)
        assert drawn.summary == entry.summary
        steps, rate = drawn.rate
        assert steps == tuple(range(8))
        assert rate == pytest.approx(entry.example.over(8)(np.arange(8)), rel=1e-5)
    assert found.schedules["step"].momentum is None
    cycle = lehr.find_entry("one_cycle").momentum.over(8)(np.arange(8))
    assert found.schedules["one_cycle"].momentum[1] == pytest.approx(cycle, rel=1e-5)


def test_pairs_are_ranked_and_complete(found: Results) -> None:
    assert [p.rank for p in found.pairs] == [1, 2, 3, 4]
    assert [p.score for p in found.pairs] == sorted((p.score for p in found.pairs), reverse=True)
    assert {Pair(p.optimizer, p.schedule) for p in found.pairs} == set(PLAN.pairs)


@pytest.mark.parametrize("pair", PLAN.pairs, ids=str)
def test_a_pairs_numbers_follow_from_its_trials(pair: Pair, out: Path, found: Results) -> None:
    row = found.find(*pair)
    kept = outcomes(out, *pair)
    tuning = {p: [o for (q, seed), o in kept.items() if q == p and seed >= 3] for p in (0.01, 0.1)}
    means = {p: sum(o.validation for o in os) / 2 for p, os in tuning.items()}
    best = max(means, key=means.__getitem__)
    scored = [kept[best, seed] for seed in range(3)]

    assert len(kept) == EACH
    assert row.peak == best
    assert row.validation == means[best]
    assert row.at_edge is (best == 0.01)
    assert list(row.scores) == [o.test for o in scored]
    assert row.seeds == 3
    low, high = stats.t.interval(0.95, 2, np.mean(row.scores), stats.sem(row.scores))
    assert (row.score, row.low, row.high) == pytest.approx(
        (np.mean(row.scores), low, high), rel=1e-9
    )
    assert row.test_loss == pytest.approx(np.mean([o.test_loss for o in scored]), rel=1e-5)


@pytest.mark.parametrize("pair", PLAN.pairs, ids=str)
def test_a_pairs_curves_follow_from_its_trials(pair: Pair, out: Path, found: Results) -> None:
    row = found.find(*pair)
    kept = outcomes(out, *pair)
    band = row.sensitivity
    assert row.peaks == (0.01, 0.1, 1e30)
    # At a peak of 1e30 every run diverged: there is no validation score.
    assert [band.mean[2], band.low[2], band.high[2]] == [None] * 3
    tuned = [o.validation for (p, seed), o in kept.items() if p == 0.01 and seed >= 3]
    low, high = stats.t.interval(0.95, 1, np.mean(tuned), stats.sem(tuned))
    assert band.mean[0] == pytest.approx(np.mean(tuned), rel=1e-5)
    assert (band.low[0], band.high[0]) == pytest.approx((low, high), rel=1e-4)
    close = abs(band.mean[0] - band.mean[1]) <= 0.01
    assert row.width == pytest.approx(1.0 if close else 0.0)

    assert list(row.steps) == evaluation_steps(8)
    scored = [kept[row.peak, seed] for seed in range(3)]
    assert row.loss.mean == pytest.approx(np.mean([o.loss for o in scored], 0), rel=1e-5)
    accuracy = np.array([o.validations for o in scored])
    assert row.validations.mean == pytest.approx(accuracy.mean(0), rel=1e-5)
    half = stats.t.ppf(0.975, 2) * stats.sem(accuracy)
    assert row.validations.high == pytest.approx(accuracy.mean(0) + half, rel=1e-5)


def test_pairs_are_separated_by_the_paired_test_both_ways(found: Results) -> None:
    named = {pair.name: pair for pair in found.pairs}
    for name, pair in named.items():
        expected = {
            other
            for other, o in named.items()
            if other != name and stats.ttest_rel(pair.scores, o.scores).pvalue >= 0.05 / 6
        }
        assert set(pair.not_separated) == expected
        assert all(name in named[other].not_separated for other in pair.not_separated)


def test_a_standing_follows_from_the_test_and_the_interval(found: Results) -> None:
    best, *others = found.pairs
    assert best.standing == "best"
    for pair in others:
        if best.name not in pair.not_separated:
            assert pair.standing == "behind"
        elif pair.standing == "tie":
            assert max(pair.behind.high, -pair.behind.low) <= 0.01
        else:
            assert pair.standing == "undecided"


def test_the_store_alone_gives_the_same_results(out: Path, found: Results) -> None:
    assert stored(out / "trials.db") == found


WIDE = dataclasses.replace(
    PLAN,
    schedules=("linear", "cosine(to=0.1)"),
    size=Size(8, 9, 2, (0.001, 0.01, 0.1), halving=True, lengths=(4, 12)),
    target=0.25,
)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Results, Store]]:
    """A comparison with every option, and its store."""
    out = tmp_path_factory.mktemp("wide") / "out"
    found = compare(WIDE, out)
    with Store(out / "trials.db") as store:
        yield found, store


def scored(store: Store, row: PairResult, steps: int) -> list[Outcome]:
    trials = WIDE.scoring(Pair(row.optimizer, row.schedule), row.peak, steps)
    finished = store.ended(trials)
    return [finished[trial.digest].outcome for trial in trials]


def test_halving_lengths_and_target_come_back_from_json_and_from_the_store(
    wide: tuple[Results, Store],
) -> None:
    found, store = wide
    assert Results.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert stored_results(store) == [found]


def test_updates_to_the_target_are_the_median_of_the_first_evaluations(
    wide: tuple[Results, Store],
) -> None:
    found, store = wide
    assert found.settings.target == 0.25
    seen = set()
    for row in found.pairs:
        first = [
            min(
                [at for at, a in zip(evaluation_steps(8), o.validations, strict=True) if a >= 0.25]
                or [99]
            )
            for o in scored(store, row, 8)
        ]
        middle = sorted(first)[4]
        assert row.target.reached == sum(at < 99 for at in first)
        assert row.target.updates == (None if middle == 99 else middle)
        seen.add(middle == 99)
    assert False in seen


def test_lengths_are_scored_at_the_peak_that_was_chosen(wide: tuple[Results, Store]) -> None:
    found, store = wide
    assert found.lengths == (4, 8, 12)
    table = np.array([[at.score for at in row.lengths] for row in found.pairs])
    for row in found.pairs:
        assert [at.steps for at in row.lengths] == [4, 8, 12]
        for at in row.lengths:
            tests = [o.test for o in scored(store, row, at.steps)]
            assert at.score == pytest.approx(np.mean(tests), rel=1e-12)
            assert min(tests) <= at.low <= at.score <= at.high <= max(tests)
        assert row.lengths[1].score == row.score
    best = [[row.lengths[i].standing for row in found.pairs].index("best") for i in range(3)]
    assert best == table.argmax(0).tolist()


def test_a_pair_is_compared_with_the_best_seed_by_seed(wide: tuple[Results, Store]) -> None:
    best, *others = wide[0].pairs
    assert best.behind is None
    for row in others:
        gaps = np.subtract(best.scores, row.scores)
        assert row.behind.mean == pytest.approx(gaps.mean(), abs=1e-15)
        assert gaps.min() <= row.behind.low <= row.behind.high <= gaps.max()


def test_halving_records_how_many_seeds_a_peak_had(wide: tuple[Results, Store]) -> None:
    found, _ = wide
    assert found.settings.rungs == ((3, 1), (2, 2))
    for row in found.pairs:
        assert sorted(row.peak_seeds) == [1, 2, 2]
        assert row.peak_seeds[row.peaks.index(row.peak)] == 2
        # One run has a score and no interval.
        lone = row.peak_seeds.index(1)
        assert row.sensitivity.mean[lone] is not None
        assert row.sensitivity.low[lone] is None


def test_two_names_of_one_schedule_are_trained_once_and_tie(tmp_path: Path) -> None:
    plan = Plan(
        optimizers=("sgd",), schedules=("cosine", "cosine(to=0.0)"), size=Size(4, 2, 1, (0.1,))
    )
    seen: list[Progress] = []
    first, second = compare(plan, tmp_path, watch=seen.append).pairs
    assert first.scores == second.scores
    assert (first.standing, second.standing) == ("best", "tie")
    assert first.not_separated == ("sgd/cosine(to=0.0)",)
    assert seen[-1] == Progress(reused=0, trained=3, total=3)


def test_the_report_is_written(out: Path, found: Results) -> None:
    page = (out / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert found.pairs[0].schedule in page
    assert sorted(p.name for p in out.iterdir()) == ["report.html", "results.json", "trials.db"]


def without_clock(found: Results) -> Results:
    """Return results without the time, which another run cannot repeat."""
    settings = dataclasses.replace(found.settings, seconds=0.0, finished=None)
    pairs = tuple(dataclasses.replace(pair, seconds=0.0) for pair in found.pairs)
    return dataclasses.replace(found, settings=settings, pairs=pairs)


def test_a_finished_comparison_is_not_trained_again(out: Path, found: Results) -> None:
    seen: list[Progress] = []
    before = rows(out)
    again = compare(PLAN, out, watch=seen.append)
    assert seen == [Progress(reused=4 * EACH, trained=0, total=4 * EACH)]
    assert again == found
    assert rows(out) == before


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, found: Results) -> None:
    def stop(progress: Progress) -> None:
        # Both of the first optimizer's pairs are tuned and scored.
        if progress.trained >= 2 * EACH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(PLAN, tmp_path, report=write_report, watch=stop)
    halfway = read(tmp_path)
    assert not halfway.settings.complete
    assert {Pair(p.optimizer, p.schedule) for p in halfway.pairs} == set(PLAN.pairs[:2])
    assert stored(tmp_path / "trials.db") == halfway
    assert "Not finished" in (tmp_path / "report.html").read_text()

    kept = halfway.settings.trials
    assert EACH < kept < 4 * EACH
    seen: list[Progress] = []
    resumed = compare(PLAN, tmp_path, watch=seen.append)
    assert seen[0] == Progress(kept, 0, 4 * EACH)
    assert seen[-1] == Progress(kept, 4 * EACH - kept, 4 * EACH)
    assert len(rows(tmp_path)) == 4 * EACH
    assert without_clock(resumed) == without_clock(found)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from lehr.lab import RunPlace, compare
from test_comparison import EACH, PLAN

def watch(progress):
    if progress.trained > EACH:
        os.kill(os.getpid(), signal.SIGKILL)

compare(PLAN, Path({out!r}), watch=watch)
"""


def test_it_goes_on_where_kill_9_left_it(tmp_path: Path, found: Results) -> None:
    code = KILLED.format(folder=str(Path(__file__).parent), out=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    kept = len(rows(tmp_path))
    assert EACH < kept < 4 * EACH
    seen: list[Progress] = []
    resumed = compare(PLAN, tmp_path, watch=seen.append)
    assert seen[0] == Progress(kept, 0, 4 * EACH)
    assert seen[-1] == Progress(kept, 4 * EACH - kept, 4 * EACH)
    assert without_clock(resumed) == without_clock(found)


SHARED = """
import json, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from lehr.lab import RunPlace, compare
from test_comparison import PLAN

seen = []
print("ready", flush=True)
sys.stdin.readline()
found = compare(PLAN, RunPlace(Path(sys.argv[1]), store=Path({store!r})), watch=seen.append)
print(json.dumps([seen[-1], found.to_json()["pairs"]]))
"""


def test_two_runs_at_once_share_the_work(tmp_path: Path, found: Results) -> None:
    store = tmp_path / "trials.db"
    code = SHARED.format(folder=str(Path(__file__).parent), store=str(store))
    pipe = subprocess.PIPE
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(out)], stdin=pipe, stdout=pipe)
        for out in (tmp_path / "one", tmp_path / "two")
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
    for run in runs:
        assert run.stdin is not None
        os.write(run.stdin.fileno(), b"\n")
    answers = [json.loads(run.communicate()[0]) for run in runs]
    # Each trial was trained by one of them, and both know all of them.
    assert sum(progress[1] for progress, _ in answers) == 4 * EACH
    assert [sum(progress[:2]) for progress, _ in answers] == [4 * EACH] * 2
    for _, pairs in answers:
        own = [pair | {"seconds": 0.0} for pair in pairs]
        assert own == [pair | {"seconds": 0.0} for pair in found.to_json()["pairs"]]
    assert len(rows(tmp_path)) == 4 * EACH


def test_any_missing_trials_are_trained_alone(tmp_path: Path, out: Path, found: Results) -> None:
    store = tmp_path / "trials.db"
    store.write_bytes((out / "trials.db").read_bytes())
    with closing(sqlite3.connect(store)) as link, link:
        link.execute("DELETE FROM trials WHERE id % 3 != 1")
    kept = len(rows(tmp_path))
    seen: list[Progress] = []
    again = compare(PLAN, tmp_path, watch=seen.append)
    assert seen[-1].total == 4 * EACH
    assert 0 < seen[0].reused <= kept
    assert without_clock(again) == without_clock(found)
    assert len(rows(tmp_path)) == 4 * EACH


def test_other_settings_share_what_they_can(tmp_path: Path, out: Path) -> None:
    store = tmp_path / "shared" / "trials"
    store.parent.mkdir()
    store.write_bytes((out / "trials.db").read_bytes())
    other = dataclasses.replace(
        PLAN, schedules=("step", "linear"), size=dataclasses.replace(PLAN.size, seeds=4)
    )
    seen: list[Progress] = []
    found = compare(other, RunPlace(tmp_path / "out", store=store), watch=seen.append)
    assert seen[0].reused == 2 * EACH  # all of "step" but its fourth seeds
    assert seen[-1].trained == 2 * (EACH + 1) + 2
    assert {p.schedule for p in found.pairs} == {"step", "linear"}
    assert all(p.seeds == 4 for p in found.pairs)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["results.json"]
    # The store now has two comparisons, and the results of each.
    with Store(store) as kept:
        assert [each.settings.seeds for each in stored_results(kept)] == [3, 4]


def test_a_run_waits_for_what_another_is_training(tmp_path: Path, found: Results) -> None:
    """It trains the rest first; what the other leaves undone, it does."""
    other = Store(tmp_path / "trials.db", write=True)
    first = PLAN.tuning(PLAN.pairs[0], 0.01) + PLAN.tuning(PLAN.pairs[0], 1e30)
    assert other.claim(first) == first
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.waiting and progress.reused == 0:
            kept = train_population(first[:2])
            other.add(zip(first, [FinishedTrial(outcome, 0.5) for outcome in kept], strict=False))
        elif progress.waiting:
            other.close()

    shared = compare(PLAN, tmp_path, watch=watch)
    at = [progress.waiting for progress in seen].index(True)
    assert seen[at] == Progress(0, 3 * EACH + 2, 4 * EACH, waiting=True)
    assert seen[-1] == Progress(2, 4 * EACH - 2, 4 * EACH)
    assert without_clock(shared) == without_clock(found)


def test_with_one_seed_everything_is_undecided(tmp_path: Path) -> None:
    size = Size(steps=2, seeds=1, tuning_seeds=1, peaks=(0.01, 1e30))
    found = compare(dataclasses.replace(PLAN, size=size), tmp_path)
    assert [pair.standing for pair in found.pairs] == ["best", *["undecided"] * 3]
    for pair in found.pairs:
        assert len(pair.not_separated) == 3
        assert pair.low is pair.high is None
        assert pair.loss.low == (None, None)
        assert pair.sensitivity.low == (None, None)
    assert any("With one seed nothing can be told apart" in s for s in found.summary)


def test_what_diverged_counts_as_guessing(tmp_path: Path) -> None:
    size = Size(steps=8, seeds=2, tuning_seeds=1, peaks=(1e30,))
    found = compare(Plan(optimizers=("sgd",), schedules=("linear",), size=size), tmp_path)
    (pair,) = found.pairs
    assert pair.scores == (0.1, 0.1)
    assert pair.score == 0.1
    assert pair.test_loss is None
    assert pair.sensitivity.mean == (None,)
    assert pair.loss.mean[-1] is None
    assert any("diverged" in s and "sgd/linear (2)" in s for s in found.summary)


def test_no_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs=0 must be from 1 to 10,000"):
        compare(PLAN, RunPlace(tmp_path, jobs=0))


def test_the_seconds_are_those_of_the_store(out: Path, found: Results) -> None:
    total = math.fsum(row[-1] for row in rows(out))
    assert found.settings.seconds == pytest.approx(total, abs=0.06)
