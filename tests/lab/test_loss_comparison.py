"""A comparison of a task that is measured by its loss, from its training to its report."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from lehr.cli import lehr
from lehr.lab import Metric, Pair, Plan, Results, Size
from lehr.lab.analysis.evaluation import evaluate
from lehr.lab.analysis.finished import FinishedPair
from lehr.lab.analysis.results import TaskFacts
from lehr.lab.store.store import Store
from lehr.lab.trial import Outcome, evaluation_steps

OWN = """
import torch
from torch import nn
from lehr.lab import Metric, Task

def make():
    torch.manual_seed(0)
    inputs = torch.randn(200, 4)
    kinds = (inputs.sum(1) > 0).long()
    return Task.from_tensors(
        inputs, kinds,
        lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)),
        nn.functional.cross_entropy,
        metric=Metric.loss(unit="nats"),
    )
"""
OPTIONS = [
    *("--optimizers", "sgd,adam", "--schedules", "linear,constant", "--steps", "20"),
    *("--seeds", "3", "--tuning-seeds", "2", "--peaks", "0.001,0.1,1e30", "--jobs", "1"),
    *("--target", "0.6"),
]


WIDE = {"COLUMNS": "100"}
"""The width of the terminal, which decides how many columns a ranking has."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loss")


@pytest.fixture(scope="module")
def shown(folder: Path) -> str:
    """The output of the comparison."""
    (folder / "own.py").write_text(OWN)
    words = ["compare", "--task", f"{folder / 'own.py'}:make", *OPTIONS, "--out", str(folder)]
    result = CliRunner().invoke(lehr, words, env=WIDE)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def found(folder: Path, shown: str) -> Results:
    return Results.from_json(json.loads((folder / "results.json").read_text()))


def test_the_lowest_loss_is_best_and_a_peak_that_diverges_is_not_chosen(found: Results) -> None:
    scores = [pair.score for pair in found.pairs]
    assert scores == sorted(scores)
    assert all(0 < score < 0.7 for score in scores)
    assert {pair.peak for pair in found.pairs} == {0.1}
    for pair in found.pairs:
        assert pair.sensitivity.mean[2] is None
        assert pair.sensitivity.mean[1] == pytest.approx(pair.validation, rel=1e-5)
        assert pair.width == 0
        assert pair.test_loss == pytest.approx(pair.score, rel=1e-5)


def test_numbers_follow_from_the_trials(folder: Path, found: Results) -> None:
    with Store(folder / "trials.db") as store:
        records = list(store.records())
    lost = [record.outcome for record in records if record.identity["peak"] == 1e30]
    assert len(lost) == 8
    for outcome in lost:
        assert outcome.diverged is not None
        assert (outcome.validation, outcome.test, outcome.validations[-1]) == (None, None, None)
    first, second = found.pairs[:2]
    assert first.behind is None
    assert second.behind is not None
    gaps = np.subtract(second.scores, first.scores)
    assert second.behind.mean == pytest.approx(gaps.mean())
    low, high = stats.t.interval(0.95, 2, gaps.mean(), stats.sem(gaps))
    assert (second.behind.low, second.behind.high) == pytest.approx((low, high))


def test_the_updates_to_a_loss(folder: Path, found: Results) -> None:
    with Store(folder / "trials.db") as store:
        records = list(store.records())
    at = evaluation_steps(20)
    for pair in found.pairs:
        curves = [
            record.outcome.validations
            for record in records
            if record.identity["seed"] < 3
            and record.identity["optimizer"] == pair.optimizer
            and record.identity["schedule"] == found.schedules[pair.schedule].text
        ]
        needed = [
            min((s for s, v in zip(at, c, strict=True) if v <= 0.6), default=99) for c in curves
        ]
        assert pair.target is not None
        assert pair.target.reached == sum(n < 99 for n in needed)
        assert (pair.target.updates or 99) == np.median(needed)


def test_every_output_says_nats(folder: Path, shown: str, found: Results) -> None:
    assert "test loss" in shown
    assert f"{found.pairs[0].score:.3f} nats" in shown
    assert "nats behind" in shown or "undecided" in shown
    page = (folder / "report.html").read_text()
    assert "Test loss in nats" in page
    assert "within 0.01 nats of the best" in page
    assert "nats; lower is better" in page
    assert "percent" not in page
    assert "A run that diverged has no score." in page


def test_results_from_the_store_are_the_same(folder: Path, shown: str) -> None:
    again = CliRunner().invoke(lehr, ["results", str(folder)], env=WIDE)
    assert again.exit_code == 0
    assert again.stdout.startswith(shown.partition("\nReport: ")[0].rstrip("\n"))


PLAN = Plan(
    optimizers=("sgd",),
    schedules=("constant", "linear", "cosine"),
    size=Size(steps=2, seeds=10, tuning_seeds=1, peaks=(0.1,)),
)


def made(*rows: list[float | None], metric: Metric) -> Results:
    """Evaluate made-up losses on the test data, a row for each pair of the plan."""

    def outcome(test: float | None) -> Outcome:
        return Outcome(None if test is not None else 1, (1.0, 1.0), (test, test), test, test, None)

    finished = [
        FinishedPair(
            pair := Pair("sgd", name),
            0.1,
            {0.1: [outcome(1.0)]},
            {2: list(map(outcome, row))},
            PLAN.scoring(pair, 0.1)[0],
            1.0,
            (0.1,),
        )
        for name, row in zip(PLAN.schedules, rows, strict=True)
    ]
    facts = TaskFacts("own", "", "", 1, 1, 1, 1, metric)
    return evaluate(PLAN, finished, task=facts, command="", versions={}, seconds=[])


def test_a_pair_with_a_run_that_diverged_ranks_behind_those_without() -> None:
    noise = np.random.default_rng(0).normal(0, 0.001, (3, 10))
    whole = (2 + noise[0]).tolist(), (2.001 + noise[1]).tolist()
    lossy = [None, *(1 + noise[2, 1:]).tolist()]
    found = made(lossy, *whole, metric=Metric.loss(unit="nats"))
    assert [pair.schedule for pair in found.pairs] == ["linear", "cosine", "constant"]
    assert [pair.standing for pair in found.pairs][::2] == ["best", "behind"]
    last = found.pairs[2]
    assert last.diverged == 1
    assert last.scores[0] is None
    assert last.score == pytest.approx(np.mean(lossy[1:]))
    assert last.behind is not None
    assert last.behind.mean == pytest.approx(np.subtract(lossy[1:], whole[0][1:]).mean())
    assert "sgd/constant" not in found.pairs[0].not_separated
    said = " ".join(found.summary)
    assert "diverged, and have no score, so that their pairs rank last: sgd/constant (1)." in said
    assert "constant is behind" in said


def test_pairs_without_any_score_are_undecided() -> None:
    found = made([None] * 10, [None] * 10, [None] * 10, metric=Metric.loss())
    assert [pair.score for pair in found.pairs] == [None] * 3
    assert [pair.standing for pair in found.pairs] == ["best", "undecided", "undecided"]
    assert found.summary[0] == "No pair has a score: all of the scoring runs diverged."
    assert Results.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_tie_stays_within_the_metrics_margin() -> None:
    noise = np.random.default_rng(1).normal(0, 0.003, (3, 10))
    rows = [(2 + row).tolist() for row in noise]
    ties = made(*rows, metric=Metric.loss(unit="nats"))
    assert [pair.standing for pair in ties.pairs] == ["best", "tie", "tie"]
    strict = made(*rows, metric=Metric.loss(unit="nats", tolerance=1e-4))
    assert [pair.standing for pair in strict.pairs] == ["best", "undecided", "undecided"]
    assert "by the interval of the nats behind" in strict.summary[1]
