"""The predictions of a law, and how sure it is of them."""

from dataclasses import replace

import numpy as np
import pytest

import lehr
import transcribed_laws as true
from lehr.laws import Law, LawError, agreement, fit
from transcribed_laws import logged

TEXT = "warmup(50) >> cosine(to=0.1)"


@pytest.fixture(scope="module")
def law() -> Law:
    runs = [
        logged(k, 3000, noise=1e-3, seed=i) for i, k in enumerate(("constant", "cosine", "wsd20"))
    ]
    return fit(runs, law="effective-rate", optimizer="adamw", weight_decay=true.DECAY)


def test_a_schedule_its_text_and_its_rates_are_the_same(law: Law) -> None:
    by_text = law.predict(TEXT, steps=3000, peak=1e-3)
    schedule = lehr.parse(TEXT)
    by_schedule = law.predict(schedule, steps=3000, peak=1e-3)
    by_rates = law.predict([1e-3 * schedule.over(3000)(t) for t in range(3000)])
    assert np.array_equal(by_text.loss, by_schedule.loss)
    assert by_rates.loss == pytest.approx(by_text.loss, rel=1e-12)
    assert by_text.steps[-1] == 3000
    assert by_text.final == by_text.loss[-1]


def test_losses_are_predicted_where_they_are_asked_for(law: Law) -> None:
    found = law.predict(TEXT, steps=3000, at=[500, 1000, 3000])
    assert found.steps.tolist() == [500, 1000, 3000]
    whole = law.predict(TEXT, steps=3000)
    assert found.loss[1] == pytest.approx(np.interp(1000, whole.steps, whole.loss), abs=2e-3)


def test_no_law_is_about_the_warmup(law: Law) -> None:
    found = law.predict(TEXT, steps=3000, at=[1, 25, 50])
    assert found.loss == pytest.approx(found.loss[-1], rel=1e-9)
    run = logged("linear", 3000)
    whole = replace(
        run, steps=np.append([1, 30], run.steps), losses=np.append([11.0, 9.0], run.losses)
    )
    mae = agreement(law.predict(run), run).mae
    assert agreement(law.predict(whole), whole).mae == pytest.approx(mae, rel=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_intervals_widen_with_their_level(law: Law, level: float) -> None:
    found = law.predict(TEXT, steps=3000, level=level)
    wider = law.predict(TEXT, steps=3000, level=(1 + level) / 2)
    assert (wider.low < found.low).all()
    assert (found.low < found.loss).all()
    assert (found.loss < found.high).all()


def test_most_losses_of_runs_that_were_not_fitted_lie_inside(law: Law) -> None:
    for kind in ("linear", "wsd40", "cosine"):
        run = logged(kind, 4000, noise=1e-3, seed=9)
        assert agreement(law.predict(run), run).covered > 0.85


def test_a_longer_run_is_less_sure_and_says_so(law: Law) -> None:
    short, long = (law.predict(TEXT, steps=steps) for steps in (3000, 30_000))
    assert short.notes == ()
    assert "10 times longer" in long.notes[0]
    assert np.ptp(long.final_interval) > np.ptp(short.final_interval)


@pytest.mark.parametrize("peak", [5e-4, 2e-3])
def test_another_peak_is_less_sure_and_says_so(law: Law, peak: float) -> None:
    found = law.predict(TEXT, steps=3000, peak=peak)
    assert "was not fitted" in found.notes[0]
    assert np.ptp(found.final_interval) > 2 * np.ptp(law.predict(TEXT, steps=3000).final_interval)


def test_a_difference_is_surer_than_either(law: Law) -> None:
    cosine, linear = (law.predict(text, steps=6000) for text in (TEXT, "warmup(50) >> linear()"))
    found = cosine.minus(linear)
    assert found.value == pytest.approx(cosine.final - linear.final)
    assert found.high - found.low < np.ptp(cosine.final_interval)
    assert found.low < found.value < found.high
    back = linear.minus(cosine)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_a_schedule_ties_with_itself(law: Law) -> None:
    found = law.predict(TEXT, steps=3000)
    difference = found.minus(law.predict(TEXT, steps=3000))
    assert (difference.value, difference.tie) == (0.0, True)


def test_no_cooldown_does_not_tie_with_one(law: Law) -> None:
    constant = law.predict("warmup(50) >> hold()", steps=3000)
    cooled = law.predict("warmup(50) >> hold() >> linear('20%')", steps=3000)
    assert not constant.minus(cooled).tie
    assert constant.minus(cooled).low > 0


def test_predictions_of_two_laws_are_not_compared(law: Law) -> None:
    other = fit([logged("constant", 3000), logged("wsd20", 3000)], optimizer="sgd")
    with pytest.raises(LawError, match="by the same law"):
        law.predict(TEXT, steps=3000).minus(other.predict(TEXT, steps=3000))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs steps"),
        ({"steps": 1}, "steps=1 must be from 2 to"),
        ({"steps": 3000, "peak": 0.0}, "peak=0.0 must be"),
        ({"steps": 3000, "peak": float("nan")}, "peak=nan must be"),
        ({"steps": 3000, "at": [0, 3001]}, "from 1 to 3,000"),
        ({"steps": 3000, "at": []}, "at least one step"),
        ({"steps": 3000, "level": 1.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    law: Law, options: dict[str, object], words: str
) -> None:
    with pytest.raises(LawError, match=words):
        law.predict(TEXT, **options)  # type: ignore[arg-type]


def test_agreement_is_what_the_papers_print(law: Law) -> None:
    run = logged("linear", 3000, noise=2e-3, seed=4)
    found = law.predict(run)
    y, p = run.losses, found.loss
    agrees = agreement(found, run)
    errors = [abs(a - b) for a, b in zip(y, p, strict=True)]
    assert agrees.mae == pytest.approx(sum(errors) / len(errors))
    assert agrees.rmse == pytest.approx((sum(e**2 for e in errors) / len(errors)) ** 0.5)
    assert agrees.prede == pytest.approx(
        sum(e / a for e, a in zip(errors, y, strict=True)) / len(errors)
    )
    assert agrees.worste == pytest.approx(max(e / a for e, a in zip(errors, y, strict=True)))
    mean = sum(y) / len(y)
    assert agrees.r2 == pytest.approx(
        1 - sum(e**2 for e in errors) / sum((a - mean) ** 2 for a in y)
    )
    with pytest.raises(LawError, match="are measured"):
        agreement(found, y[:-1])
