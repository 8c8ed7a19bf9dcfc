"""Designs: the best schedule that a law knows, and a tie where it is one."""

import numpy as np
import pytest

import lehr
import transcribed_laws as true
from lehr.laws import Law, LawError, fit
from lehr.laws.falling import Coarse, falling
from transcribed_laws import logged

STEPS = 4000


@pytest.fixture(scope="module", params=["effective-rate", "power-time"])
def law(request: pytest.FixtureRequest) -> Law:
    form = request.param
    runs = [
        logged(k, 3000, form, noise=1e-3, seed=i)
        for i, k in enumerate(("constant", "cosine", "wsd20"))
    ]
    return fit(runs, law=form, optimizer="adamw", weight_decay=true.DECAY)


def test_nothing_among_many_schedules_is_better(law: Law) -> None:
    found = law.design(steps=STEPS)
    best = found.prediction.final
    for share in range(5, 100, 5):
        for tail in ("linear", "cosine"):
            text = f"warmup(50) >> hold() >> {tail}('{share}%')"
            other = law.predict(text, steps=STEPS)
            assert other.final > best - 1e-3 * best
    assert all(rival.final >= best for rival in found.rivals)


def test_it_is_a_schedule_that_can_be_driven(law: Law) -> None:
    found = law.design(steps=STEPS, warmup=100)
    run = lehr.parse(repr(found.schedule)).over(STEPS)
    values = run(np.arange(STEPS))
    assert values.max() == 1.0
    assert (np.diff(values[:100]) > 0).all()
    assert (np.diff(values[100:]) <= 0).all()
    assert law.predict(found.schedule, steps=STEPS).final == found.prediction.final


def test_gains_are_what_the_predictions_say(law: Law) -> None:
    found = law.design(steps=STEPS)
    for one in (*found.rivals, *found.ties):
        other = law.predict(one.schedule, steps=STEPS)
        assert one.gain.value == pytest.approx(other.final - found.prediction.final)
        assert one.gain.low <= one.gain.value <= one.gain.high
    assert found.ties
    assert all(one.gain.tie for one in found.ties)


def test_the_gradient_is_the_derivative(law: Law) -> None:
    for peak in (law.peak, 1.5 * law.peak):
        coarse = Coarse(law, STEPS, peak, 50)
        at = np.linspace(1.0, 0.1, 30)
        _, slopes = coarse.final(at)
        for i in range(0, 30, 7):
            step = np.zeros(30)
            step[i] = 1e-6
            numeric = (coarse.final(at + step)[0] - coarse.final(at - step)[0]) / 2e-6
            assert slopes[i] == pytest.approx(numeric, rel=1e-5, abs=1e-9)


def test_few_cells_give_the_final_of_every_update(law: Law) -> None:
    cells = 240
    at = np.linspace(1.0, 0.05, cells, endpoint=False) - 0.95 / cells / 2
    found, _ = Coarse(law, STEPS, law.peak, 50).final(at)
    expected = law.predict("warmup(50) >> linear(to=0.05)", steps=STEPS).final
    assert found == pytest.approx(expected, abs=3e-3)


def test_a_free_path_is_no_worse_than_families_and_is_not_a_staircase(law: Law) -> None:
    text = falling(law, STEPS, law.peak, 50)
    path = law.predict(text, steps=STEPS)
    assert path.final < law.design(steps=STEPS).prediction.final + 2e-3
    values = lehr.parse(text).over(STEPS)(np.arange(STEPS))
    # It falls in straight pieces: no step takes a large part of the fall.
    assert np.abs(np.diff(values[50:])).max() < 0.01


def test_a_law_that_favours_staircases_is_not_optimised_freely() -> None:
    runs = [logged(k, 3000) for k in ("constant", "cosine", "wsd20")]
    law = fit(runs, law="multi-power", optimizer="adamw", weight_decay=true.DECAY)
    found = law.design(steps=STEPS)
    assert any("not optimised freely" in note for note in found.notes)
    assert repr(found.schedule).count(">>") <= 2


@pytest.mark.parametrize("options", [{"steps": 10}, {"steps": 100, "warmup": 90}])
def test_a_run_too_short_is_refused(options: dict[str, int]) -> None:
    law = fit([logged("constant", 3000), logged("wsd20", 3000)], law="power-time", optimizer="sgd")
    with pytest.raises(LawError, match="too short"):
        law.design(**options)  # type: ignore[arg-type]
