"""Evidence beside the picture: the loss that a law predicts, and what a store has measured."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy: lehr[laws] has it")

from tests.view.conftest import make_results

from lehr import laws
from lehr.editor.answer import answer
from lehr.editor.evidence import Evidence
from lehr.lab.analysis.results import Results


@pytest.fixture(scope="module")
def law() -> laws.Law:
    """A law that is fitted on three made-up runs."""
    runs = [
        laws.LoggedRun(name, rates, steps, losses, 0, "training")
        for name, rates, steps, losses in map(
            made, ("cosine()", "hold() >> linear('20%')", "hold()")
        )
    ]
    return laws.fit(runs, optimizer="adamw", weight_decay=0.1)


def made(text: str) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    from lehr.laws.runs import rates_of

    rates = rates_of(text, 2000, 1e-3)
    steps = np.arange(20, 2001, 20)
    progress = np.cumsum(rates)[steps - 1] / 1e-3
    losses = 2.0 + 6.0 * progress**-0.4 + 20 * rates[steps - 1]
    return text, rates, steps, losses


def ask(evidence: Evidence, text: str, **given: Any) -> dict[str, Any]:
    sketch = {"lines": [{"role": "rate", "text": text}], "run": "2000", **given}
    found = answer({"v": 1, "sketch": sketch, "size": [700, 400], "slow": True}, evidence)
    assert "error" not in found, found
    return found


def test_a_law_predicts_the_final_loss_with_its_interval(law: laws.Law) -> None:
    found = ask(Evidence(law), "hold() >> linear('30%')")["predicted"]
    expected = law.predict("hold() >> linear('30%')", steps=2000, at=[2000])
    assert found["loss"] == pytest.approx(expected.final)
    assert (found["low"], found["high"]) == pytest.approx(expected.final_interval)
    assert found["low"] < found["loss"] < found["high"]
    assert found["words"].startswith("Predicted final loss ")
    assert "(90% of runs), at the peak rate 0.001." in found["words"]


def test_the_base_rate_is_the_peak_that_is_predicted_for(law: laws.Law) -> None:
    usual = ask(Evidence(law), "cosine()")["predicted"]
    higher = ask(Evidence(law), "cosine()", base=0.002)["predicted"]
    assert higher["loss"] != usual["loss"]
    assert higher["notes"]


def test_a_run_that_is_too_long_says_so(law: laws.Law) -> None:
    found = ask(Evidence(law), "cosine()", run="1_000_000")["predicted"]
    assert found == {"words": "A loss is predicted for runs of up to 200,000 steps."}


def test_without_a_law_nothing_is_predicted() -> None:
    assert ask(Evidence(), "cosine()")["predicted"] is None


def test_a_store_says_what_training_gave_for_the_same_shape() -> None:
    content = make_results(2, 3)
    renamed = copy.deepcopy(content)
    renamed["schedules"]["constant"]["text"] = "hold(at=1.0)"
    evidence = Evidence(None, (Results.from_json(renamed),))
    found = ask(evidence, "constant()  # the same, written in another way")["measured"]
    assert len(found) == 2
    assert all(line.startswith("digits, ") and "900 updates: " in line for line in found)
    assert ask(evidence, "cosine(to=0.3)")["measured"] == []
