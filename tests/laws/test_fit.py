"""Fitting: laws that are known come back, and what is wrong with a run is said."""

from dataclasses import replace

import numpy as np
import pytest

import transcribed_laws as true
from lehr.laws import Law, LawError, LoggedRun, fit
from lehr.laws.forms import FORMS
from lehr.laws.solve import Problem, solve
from transcribed_laws import logged

ADAMW = {"optimizer": "adamw", "weight_decay": true.DECAY}
KINDS = ("constant", "cosine", "wsd20")


def three(noise: float = 0.0, law: str = "effective-rate") -> list[LoggedRun]:
    return [logged(kind, 3000, law, noise=noise, seed=i) for i, kind in enumerate(KINDS)]


@pytest.fixture(scope="module")
def law() -> Law:
    return fit(three(1e-3), **ADAMW)


@pytest.mark.parametrize("form", ["effective-rate", "power-time"])
def test_a_law_is_found_again(form: str) -> None:
    found = (
        fit(three(law=form), law=form, **ADAMW)
        if form == "effective-rate"
        else fit(three(law=form), law=form, optimizer="sgd")
    )
    for kind in ("linear", "wsd40"):
        for steps in (3000, 6000):
            run = logged(kind, steps, form)
            errors = np.abs(found.predict(run).loss - run.losses)
            assert errors.mean() < 2e-3 * run.losses.mean()
    assert found.fitted[0].error < 2e-3


def test_noise_is_averaged_out(law: Law) -> None:
    for kind in ("linear", "wsd40", "cosine"):
        run = logged(kind, 4500)
        assert np.abs(law.predict(run).loss - run.losses).mean() < 4e-3


def test_the_same_runs_give_the_same_law(law: Law) -> None:
    again = fit(three(1e-3), **ADAMW)
    assert np.array_equal(again.values, law.values)
    assert np.array_equal(again.covariance, law.covariance)


def test_the_law_is_chosen_by_the_error_on_runs_left_out(law: Law) -> None:
    names = [name for name, _ in law.choice]
    assert set(names) == set(FORMS)
    assert [error for _, error in law.choice] == sorted(error for _, error in law.choice)
    assert law.name == names[0] == "effective-rate"
    plain = fit(three(1e-3, "power-time"), optimizer="sgd")
    assert "effective-rate" not in dict(plain.choice)
    assert plain.name == "power-time"


def test_a_fit_is_at_a_minimum() -> None:
    problem = Problem.of(FORMS["effective-rate"], true.DECAY, true.PEAK, three(1e-3))
    few, many = solve(problem), solve(problem, rounds=400)
    assert few.cost == pytest.approx(many.cost, rel=1e-3)


def test_no_parameter_is_negative(law: Law) -> None:
    assert (law.values[:3] >= 0).all()
    assert np.linalg.eigvalsh(law.covariance)[0] > 0


# ----- what is wrong with runs ------------------------------------------------------------------


def test_one_outlier_changes_nothing_and_is_named(law: Law) -> None:
    runs = three(1e-3)
    losses = runs[1].losses.copy()
    losses[30] = 50.0
    found = fit([runs[0], replace(runs[1], losses=losses), runs[2]], **ADAMW)
    assert any("outlier" in note for run in found.fitted for note in run.notes)
    run = logged("linear", 3000)
    assert found.predict(run).final == pytest.approx(law.predict(run).final, abs=3e-3)


@pytest.mark.parametrize(("place", "value"), [(30, 0.01), (-1, 50.0), (-1, 0.01), (-2, 9.0)])
def test_an_outlier_is_no_divergence_wherever_it_is(law: Law, place: int, value: float) -> None:
    runs = three(1e-3)
    losses = runs[1].losses.copy()
    losses[place] = value
    found = fit([runs[0], replace(runs[1], losses=losses), runs[2]], **ADAMW)
    assert len(found.fitted) == 3
    assert any("1 outlier" in note for note in found.fitted[1].notes)
    run = logged("linear", 3000)
    assert found.predict(run).final == pytest.approx(law.predict(run).final, abs=3e-3)


def test_a_run_given_twice_counts_once(law: Law) -> None:
    runs = three(1e-3)
    found = fit([*runs, replace(runs[0], name="again")], **ADAMW)
    assert any("again: all of its losses are those of constant" in one for one in found.warnings)
    assert np.array_equal(found.values, law.values)
    with pytest.raises(LawError, match=r"1 run is too few.*again: all of its losses are those of"):
        fit([runs[1], runs[1], replace(runs[1], name="again")], **ADAMW)


def test_a_run_of_other_data_is_doubted() -> None:
    runs = three(1e-3)
    other = replace(runs[1], losses=0.8 * runs[1].losses)
    found = fit([runs[0], other, runs[2]], **ADAMW)
    assert any("are all of them of one model, data" in warning for warning in found.warnings)


def test_losses_that_are_not_numbers_are_left_out() -> None:
    runs = three(1e-3)
    losses = runs[1].losses.copy()
    losses[20] = np.nan
    found = fit([runs[0], replace(runs[1], losses=losses), runs[2]], **ADAMW)
    assert found.fitted[1].points == found.fitted[0].points - 1


def diverged(run: LoggedRun, to: float) -> LoggedRun:
    losses = run.losses.copy()
    losses[40:] = to
    return replace(run, losses=losses)


@pytest.mark.parametrize("to", [float("nan"), float("inf"), 9.0])
def test_a_diverged_run_is_left_out_and_named(law: Law, to: float) -> None:
    found = fit([*three(1e-3), diverged(logged("linear", 3000), to)], **ADAMW)
    assert len(found.fitted) == 3
    assert any("linear" in warning and "diverged" in warning for warning in found.warnings)
    assert found.values == pytest.approx(law.values, rel=1e-9)


def test_with_two_runs_a_diverged_one_is_an_error() -> None:
    with pytest.raises(LawError, match="wsd20: the run diverged"):
        fit([logged("constant", 3000), diverged(logged("wsd20", 3000), np.nan)], **ADAMW)


def changed(kind: str, losses: object) -> LoggedRun:
    run = logged(kind, 3000)
    return replace(run, losses=np.broadcast_to(np.asarray(losses, float), run.losses.shape))


RATES = logged("wsd20", 3000).rates[np.minimum(logged("wsd20", 3000).steps, 2999)]

WRONG = {
    "is 2 throughout": changed("wsd20", 2.0),
    "not above 0": changed("wsd20", np.linspace(1, -1, 59)),
    "an accuracy": changed("wsd20", np.linspace(0.1, 0.9, 59)),
    "are its learning rates": changed("wsd20", RATES),
    "are too few": replace(
        logged("wsd20", 3000), steps=np.array([500, 1000, 2000]), losses=np.array([4.0, 3.5, 3.0])
    ),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_not_a_curve_of_losses_is_refused(words: str) -> None:
    run = WRONG[words]
    with pytest.raises(LawError, match=f"wsd20: .*{words}"):
        fit([logged("constant", 3000), logged("cosine", 3000), run], **ADAMW)


def test_perplexities_are_named() -> None:
    runs = [replace(run, losses=np.exp(run.losses)) for run in three(1e-3)]
    found = fit(runs, law="effective-rate", **ADAMW)
    assert any("perplexities" in warning for warning in found.warnings)


def test_two_runs_are_fitted_with_a_warning() -> None:
    found = fit([logged("constant", 3000), logged("linear", 3000)], **ADAMW)
    assert any("two runs" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "0 run is too few"),
        ([logged("wsd20", 3000)], "1 run is too few"),
        ([logged("constant", 3000), logged("constant", 2000)], "no run lowers its rate"),
        (
            [logged("constant", 3000), replace(logged("wsd20", 3000), kind="training")],
            "name one column",
        ),
    ],
)
def test_too_little_is_refused(runs: list[LoggedRun], words: str) -> None:
    with pytest.raises(LawError, match=words):
        fit(runs, **ADAMW)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "adamw"}, "needs weight_decay"),
        ({"optimizer": "sgd", "weight_decay": -1.0}, "at least 0"),
        ({"optimizer": "sgd", "law": "effective-rate"}, "needs an optimizer such as 'adamw'"),
        ({"law": "newton"}, "'newton' is not one of"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=words):
        fit(three(), **options)  # type: ignore[arg-type]


# ----- beginnings that several runs share -------------------------------------------------------


def test_a_beginning_that_runs_share_counts_once() -> None:
    constant, wsd = logged("constant", 3000), logged("wsd20", 3000)
    same = wsd.steps < 2400
    assert np.array_equal(constant.losses[same], wsd.losses[same])
    found = fit([constant, logged("cosine", 3000), wsd], **ADAMW)
    assert found.fitted[2].points < 20
    assert "shares its losses up to step" in found.fitted[2].notes[0]


def test_a_run_that_was_branched_off_gets_its_beginning() -> None:
    whole = logged("wsd20", 3000)
    late = whole.steps >= 2400
    cut = replace(
        whole,
        rates=np.concatenate([np.full(2400, true.PEAK), whole.rates[2400:]]),
        steps=whole.steps[late],
        losses=whole.losses[late],
        warmup=0,
    )
    runs = [logged("constant", 3000), logged("cosine", 3000)]
    found = fit([*runs, cut], **ADAMW)
    expected = fit([*runs, whole], **ADAMW)
    assert "continues constant from step" in found.fitted[2].notes[0]
    assert found.values == pytest.approx(expected.values, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("form", ["effective-rate", "power-time"])
def test_another_peak_is_predicted_from_one_and_from_two(form: str) -> None:
    options = ADAMW if form == "effective-rate" else {"optimizer": "sgd"}
    higher = [logged(kind, 3000, form, peak=2e-3) for kind in ("constant", "wsd20")]
    for runs in (three(law=form), [*three(law=form), *higher]):
        found = fit(runs, law=form, **options)  # type: ignore[arg-type]
        for peak in (7e-4, 1.5e-3):
            run = logged("linear", 3000, form, peak=peak)
            assert found.predict(run).final == pytest.approx(run.losses[-1], abs=0.01)
    assert any("peaks differ" in warning for warning in found.warnings)


def test_runs_at_two_peaks_give_a_shift_that_no_law_explains() -> None:
    higher = [logged(kind, 3000, peak=2e-3) for kind in ("constant", "cosine", "wsd20")]
    moved = [replace(run, losses=run.losses + 0.01) for run in higher]
    found = fit([*three(), *moved], law="effective-rate", **ADAMW)
    assert found.values[-1] == pytest.approx(0.01 / np.log(2), abs=0.006)
    assert fit(three(), law="effective-rate", **ADAMW).values[-1] == 0.0


# ----- measured effective rates -----------------------------------------------------------------


def weighed(kind: str, unit: float) -> LoggedRun:
    """Return a run whose weights begin far larger than the law takes them to, and are measured."""
    run = logged(kind, 3000, start=20.0)
    return replace(run, effective=unit * true.effective_rates(run.rates, 20.0))


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_measured_effective_rates_are_used(unit: float) -> None:
    measured = [weighed(kind, unit) for kind in KINDS]
    found = fit(measured, law="effective-rate", **ADAMW)
    plain = fit([replace(run, effective=None) for run in measured], law="effective-rate", **ADAMW)
    out = weighed("linear", unit)
    errors = {
        name: np.abs(law.predict(run).loss - run.losses).mean()
        for name, law, run in (
            ("measured", found, out),
            ("modelled", plain, replace(out, effective=None)),
        )
    }
    assert errors["measured"] < 1e-3
    assert errors["modelled"] > 3 * errors["measured"]


def test_intervals_widen_by_how_far_runs_left_out_are_off() -> None:
    assert fit(three(1e-3), law="power-time", optimizer="sgd").width >= 1
    straight = fit([*three(), logged("linear", 3000)], **ADAMW)
    assert straight.width == 1
    # Four runs, each with an error of its own that no law explains.
    moved = [
        replace(run, losses=run.losses * factor)
        for run, factor in zip(
            [*three(), logged("wsd40", 3000)], (1, 1.03, 0.98, 1.05), strict=True
        )
    ]
    found = fit(moved, law="effective-rate", **ADAMW)
    assert found.width > 1.2
    text = "warmup(50) >> linear()"
    wide, narrow = (
        np.ptp(law.predict(text, steps=3000).final_interval)
        for law in (found, replace(found, width=1.0))
    )
    assert wide == pytest.approx(found.width * narrow)
