"""A comparison's own runs: fit a law on some, predict another, and draw both."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="a comparison trains with torch")

from lehr.lab import Plan, Results, Size, compare
from lehr.laws import LawError, agreement, compared_runs, fit

STEPS = 200


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Results:
    plan = Plan(
        optimizers=("sgd",),
        schedules=("constant", "linear", "wsd", "cosine"),
        size=Size(steps=STEPS, seeds=2, tuning_seeds=1, peaks=(0.1,)),
    )
    return compare(plan, tmp_path_factory.mktemp("compare"))


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
