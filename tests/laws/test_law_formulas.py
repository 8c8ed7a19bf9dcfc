"""The formulas: as the papers have them, and their derivatives."""

import numpy as np
import pytest

import transcribed_laws as true
from lehr.laws.forms import FORMS
from lehr.laws.model import Model, names, prior
from lehr.laws.series import Setting, effective, series

STEPS = 900


def setting(law: str) -> Setting:
    return Setting(FORMS[law], true.DECAY if law == "effective-rate" else 0.0, true.PEAK)


def values(law: str) -> np.ndarray:
    p = {**true.TRUTH, "p": 0.8}
    inside = [np.log(p[parameter.name]) for parameter in FORMS[law].parameters]
    return np.array([p["L0"], p["A"], p["B"], *inside, 0.0])


def test_the_effective_rate_is_the_recursion() -> None:
    eta = true.rates("cosine", 2000)
    start = 0.2 * true.PEAK / (2 * true.DECAY)
    assert effective(eta, true.DECAY, start) == pytest.approx(true.effective_rates(eta), rel=1e-12)


def test_the_effective_rate_survives_long_runs_with_strong_decay() -> None:
    # The norm shrinks by e^-2000 over this run: its products must not underflow.
    eta = np.full(100_000, 0.1)
    last = effective(eta, 0.1, 0.2)[-1]
    assert last == pytest.approx(0.1 / np.sqrt(0.01 / (1 - 0.99**2)), rel=1e-9)


@pytest.mark.parametrize("law", FORMS)
@pytest.mark.parametrize("kind", ["constant", "linear", "cosine", "wsd20", "step"])
def test_losses_are_the_sums_over_every_update(law: str, kind: str) -> None:
    eta = true.rates(kind, STEPS)
    at = np.array([100, 451, 700, 899, 900])
    unit = 300.0
    seen = series(setting(law), eta, at, true.WARMUP)
    found = Model(FORMS[law], unit).loss(values(law), seen)
    expected = [true.loss(law, eta, int(t), unit) for t in at]
    # Blocks of equal rate cost a little: nothing beside what a law is off by. With this B, the
    # functional law's noise is some ninety nats.
    scale = 20.0 if law == "functional" else 1.0
    assert found == pytest.approx(expected, abs=4e-4 * scale)


@pytest.mark.parametrize("law", FORMS)
def test_many_blocks_come_to_the_sums(law: str) -> None:
    eta = true.rates("wsd40", STEPS)
    seen = series(setting(law), eta, np.array([850]), true.WARMUP, blocks=STEPS)
    found = Model(FORMS[law], 300.0).loss(values(law), seen)
    assert found[0] == pytest.approx(true.loss(law, eta, 850, 300.0), rel=1e-9)


@pytest.mark.parametrize("law", FORMS)
@pytest.mark.parametrize("peak", [true.PEAK, 2 * true.PEAK])
def test_slopes_are_the_derivatives(law: str, peak: float) -> None:
    eta = true.rates("cosine", STEPS, peak)
    seen = series(setting(law), eta, np.array([200, 500, 900]), true.WARMUP)
    model, at = Model(FORMS[law], 300.0), values(law)
    at[-1] = 0.02
    loss, slopes = model.slopes(at, seen)
    assert loss == pytest.approx(model.loss(at, seen), rel=1e-14)
    for i, name in enumerate(names(FORMS[law])):
        step = np.zeros_like(at)
        step[i] = 1e-6
        numeric = (model.loss(at + step, seen) - model.loss(at - step, seen)) / 2e-6
        assert slopes[:, i] == pytest.approx(numeric, rel=2e-6, abs=1e-8), name


def test_every_form_says_where_it_is_from_and_what_its_parameters_are() -> None:
    for form in FORMS.values():
        assert form.paper
        assert all(parameter.words for parameter in form.parameters)
        means, spreads = prior(form)
        assert len(means) == len(spreads) == len(names(form))


def test_a_run_cut_short_has_the_same_beginning() -> None:
    long = true.rates("constant", 2000)
    at = np.array([300, 800])
    whole = series(setting("effective-rate"), long, at, true.WARMUP, blocks=2000)
    cut = series(setting("effective-rate"), long[:800], at, true.WARMUP, blocks=2000)
    model = Model(FORMS["effective-rate"], 300.0)
    at_values = values("effective-rate")
    assert model.loss(at_values, cut) == pytest.approx(model.loss(at_values, whole), abs=1e-8)
