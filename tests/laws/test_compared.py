"""A comparison's own runs: fit a law on some, predict another, and draw both."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="a comparison trains with torch")

from lehr.cli import lehr as command
from lehr.lab import Plan, Results, Size, compare
from lehr.laws import (
    LawError,
    agreement,
    compared_runs,
    fit,
    fit_compared,
    predict_compared,
    save,
)

STEPS = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def found(folder: Path) -> Results:
    plan = Plan(
        optimizers=("sgd",),
        schedules=("constant", "linear", "wsd", "cosine"),
        size=Size(steps=STEPS, seeds=2, tuning_seeds=1, peaks=(0.1,)),
    )
    return compare(plan, folder)


def test_each_run_has_its_rates_and_its_losses(found: Results) -> None:
    runs = compared_runs(found, "sgd")
    assert set(runs) == {"constant", "linear", "wsd", "cosine"}
    for pair in found.pairs:
        run = runs[pair.schedule]
        assert run.length == STEPS
        assert run.peak == pytest.approx(0.1, rel=0.02)
        assert run.losses.tolist() == list(pair.loss.mean)
        # Each loss lies in the middle of the updates that it is a mean of.
        assert run.steps[0] == pair.steps[0] // 2
        assert pair.steps[-2] < run.steps[-1] < pair.steps[-1]
    assert np.ptp(runs["constant"].rates) == 0
    assert runs["linear"].rates[-1] < 0.01


def test_some_predict_another_side_by_side(found: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    from lehr.view.laws import Drawn, draw_predictions

    runs = compared_runs(found, "sgd")
    out = runs.pop("cosine")
    law = fit(list(runs.values()), optimizer="sgd")
    seen = law.predict(out)
    assert np.isfinite(agreement(seen, out).mae)
    draw_predictions([Drawn("cosine", seen, out)], tmp_path / "cosine.svg")
    assert "<svg" in (tmp_path / "cosine.svg").read_text()


def test_an_optimizer_that_was_not_compared_is_refused(found: Results) -> None:
    with pytest.raises(LawError, match="'adam' has no finished runs in this comparison"):
        compared_runs(found, "adam")


def test_a_law_is_fitted_on_named_schedules_and_predicts_the_others(found: Results) -> None:
    law = fit_compared(found, "sgd", only=("constant", "linear", "wsd"))
    assert (law.optimizer, law.weight_decay) == ("sgd", 0.0)
    assert {run.name for run in law.fitted} == {"constant", "linear", "wsd"}
    seen = predict_compared(found, law)
    assert {one.run.name: one.is_fitted for one in seen} == {
        "constant": True,
        "linear": True,
        "wsd": True,
        "cosine": False,
    }
    for one in seen:
        assert one.prediction.steps.tolist() == one.run.steps.tolist()
    with pytest.raises(LawError, match="schedule 'step' has no finished runs with 'sgd'"):
        fit_compared(found, "sgd", only=("constant", "step"))


def call(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_the_report_has_the_predicted_beside_the_measured_curves(
    found: Results, folder: Path, tmp_path: Path
) -> None:
    law = tmp_path / "law.json"
    words = ("fit", str(folder), "--optimizer", "sgd", "--only", "constant,linear,wsd")
    result = call(*words, "--out", str(law))
    assert result.exit_code == 0
    assert re.search(r"cosine +measured [0-9.]+, predicted [0-9.]+ \(.*\)\n", result.output)
    assert re.search(r"linear +measured .*, fitted\n", result.output)
    assert json.loads(law.read_text())["optimizer"] == "sgd"
    assert call("results", str(folder), "--law", str(law)).exit_code == 0
    page = (folder / "report.html").read_text()
    assert "Predicted losses" in page
    for pair in found.pairs:
        assert f"{pair.schedule}: predicted and measured training loss" in page
    # Without a law it is as before.
    from lehr.view.report import render

    assert "Predicted losses" not in render(found)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--optimizer is missing: one of sgd"),
        (("--optimizer", "adam"), "--optimizer adam has no finished runs"),
        (("--optimizer", "sgd", "--only", "newton"), "schedule 'newton' has no finished runs"),
    ],
)
def test_a_store_that_cannot_be_fitted_is_refused(
    found: Results, folder: Path, words: tuple[str, ...], says: str
) -> None:
    result = call("fit", str(folder), *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_law_of_another_optimizer_leaves_the_report_as_it_was(
    found: Results, folder: Path, tmp_path: Path
) -> None:
    law = fit_compared(found, "sgd")
    path = tmp_path / "law.json"
    save(replace(law, optimizer="adamw"), path)
    (folder / "report.html").write_text("as it was")
    result = call("results", str(folder), "--law", str(path))
    assert result.exit_code == 2
    assert "'adamw' has no finished runs" in result.stderr
    assert (folder / "report.html").read_text() == "as it was"
