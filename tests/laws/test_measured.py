"""Measured runs of language models, where they lie beside the project: fit some, predict others."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from lehr.laws import Law, LoggedRun, agreement, fit, read_run

CURVES = Path(__file__).parents[2].parent / "shared" / "data" / "loss_curves"

pytestmark = pytest.mark.skipif(not CURVES.is_dir(), reason=f"there are no curves in {CURVES}")

ADAMW = {"optimizer": "adamw", "weight_decay": 0.1}
FITTED = ("cosine_24000", "constant_24000", "wsdcon_9")
OTHERS = (
    "constant_72000",
    "cosine_72000",
    "wsd_20000_24000",
    "wsdld_20000_24000",
    "wsdcon_3",
    "wsdcon_18",
)
# Mean relative errors at the worst point, as arXiv 2503.12811 prints them.
PUBLISHED_WORST = {"25M": 0.00409, "100M": 0.00583}


def read(size: str, name: str) -> LoggedRun:
    return read_run(CURVES / "mpl" / size / f"{name}.csv", warmup=2160)


@cache
def law(size: str) -> Law:
    return fit([read(size, name) for name in FITTED], **ADAMW)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", PUBLISHED_WORST)
def test_three_runs_predict_six_others(size: str) -> None:
    found = [agreement(law(size).predict(run), run) for run in (read(size, n) for n in OTHERS)]
    assert np.mean([one.mae for one in found]) <= 0.0030
    assert np.mean([one.r2 for one in found]) >= 0.9990
    assert np.mean([one.worste for one in found]) <= PUBLISHED_WORST[size]
    assert min(one.covered for one in found) >= 0.85


@pytest.mark.parametrize("size", PUBLISHED_WORST)
def test_the_effective_rate_is_chosen_by_the_fitted_runs_alone(size: str) -> None:
    assert law(size).name == "effective-rate"


# ----- 124M parameters on SlimPajama ------------------------------------------------------------

WARMUP = 300
NINE = ("0.1", "0.2", "0.4", "0.6", "0.8", "0.9", "sqrt", "cos10", "cos0")


def averaged(history: dict[str, list[float]], of: str) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and values; a run that was restarted logged some steps twice."""
    steps, inverse = np.unique(np.array(history["iter"]), return_inverse=True)
    values = np.bincount(inverse, np.array(history[of], float)) / np.bincount(inverse)
    return steps.astype(np.int64), values


@cache
def raw(peak: float, steps: int, kind: str) -> dict[str, object]:
    pattern = {
        "constant": f"stable-124m*lr{peak}_*iter50000_*",
        "sqrt": f"ann124-0.2_*lr{peak}_*decay_sqrt_0.2_iter{steps}_*",
        "cos10": f"cos-10-124m*lr{peak}_*iter{steps}_*",
        "cos0": f"cos-zero-124m*lr{peak}_*iter{steps}_*",
    }.get(kind, f"ann124-{kind}_*lr{peak}_*decay_linear_{kind}_iter{steps}_*")
    (path,) = (CURVES / "slimpajama_124m").glob(pattern)
    return json.loads(path.read_text())


def final(peak: float, steps: int, kind: str) -> float:
    return raw(peak, steps, kind)["history"]["final-val"]["final_val_loss"][0]  # type: ignore[index]


def run(peak: float, steps: int, kind: str) -> LoggedRun:
    """Return a run with the rates that its configuration says, and its validation losses."""
    history = raw(peak, steps, kind)["history"]
    at, losses = averaged(history["val"], "val_loss")  # type: ignore[index]
    t = np.arange(steps + 1)
    if kind.startswith("cos"):
        rates = np.interp(t, *averaged(history["train"], "train_lr"))  # type: ignore[index]
    else:
        share = {"constant": 0.0, "sqrt": 0.2}.get(kind, 0.0 if kind == "constant" else None)
        share = float(kind) if share is None else share
        done = np.clip((t - (1 - share) * steps) / (share * steps), 0, 1) if share else 0.0 * t
        shape = 1 - np.sqrt(done) if kind == "sqrt" else 1 - done
        rates = peak * np.minimum(t / WARMUP, shape)
    late = (at >= WARMUP) & (at <= steps)
    return LoggedRun(f"{kind}-{steps}", rates, at[late], losses[late], WARMUP, "validation")


TRIPLES = {
    (1e-3, "15k"): [(15_000, "cos10"), (15_000, "0.2"), (15_000, "0.9")],
    (1e-3, "25k"): [(25_000, "cos10"), (25_000, "0.2"), (25_000, "constant")],
    (1e-3, "mixed"): [(25_000, "cos0"), (15_000, "0.4"), (15_000, "0.6")],
    (5e-4, "25k"): [(25_000, "cos10"), (25_000, "0.2"), (25_000, "constant")],
    (5e-4, "mixed"): [(25_000, "cos0"), (15_000, "0.4"), (15_000, "0.6")],
}


def merged(peak: float, triple: list[tuple[int, str]]) -> list[LoggedRun]:
    """Return short runs; files with the cooldown only get their beginning from the constant run."""
    whole = run(peak, 50_000, "constant")
    result: list[LoggedRun] = []
    for steps, kind in triple:
        one = run(peak, steps, kind)
        early = whole.steps < one.steps[0]
        at = np.concatenate([whole.steps[early], one.steps])
        losses = np.concatenate([whole.losses[early], one.losses])
        keep = at <= steps
        result.append(LoggedRun(one.name, one.rates, at[keep], losses[keep], WARMUP, "validation"))
    return result


@pytest.mark.parametrize(("peak", "name"), TRIPLES)
def test_three_short_runs_predict_nine_finals(peak: float, name: str) -> None:
    triple = TRIPLES[peak, name]
    found = fit(merged(peak, triple), **ADAMW)  # type: ignore[arg-type]
    # Their validation losses are of a fixed part of what the finals are of.
    ends = [(steps, kind) for steps, kind in triple if kind != "constant"]
    shift = np.mean(
        [final(peak, s, k) - found.predict(run(peak, s, k), at=[s]).final for s, k in ends]
    )
    runs = [run(peak, 50_000, kind) for kind in NINE]
    predicted = np.array([found.predict(one, at=[50_000]).final for one in runs]) + shift
    measured = np.array([final(peak, 50_000, kind) for kind in NINE])
    assert np.abs(predicted - measured).mean() <= 0.004
    assert spearmanr(predicted, measured).statistic >= 0.93
    assert measured[predicted.argmin()] - measured.min() <= 0.002


@pytest.mark.parametrize("peak", [5e-4, 1e-3])
def test_intervals_hold_for_runs_that_were_not_fitted(peak: float) -> None:
    inside: list[bool] = []
    for triple in (TRIPLES[peak, "25k"], TRIPLES[peak, "mixed"]):
        found = fit(merged(peak, triple), **ADAMW)  # type: ignore[arg-type]
        seen = [found.predict(run(peak, 50_000, kind)) for kind in NINE]
        measured = [final(peak, 50_000, kind) for kind in NINE]
        for i, first in enumerate(seen):
            for j in range(i):
                difference = first.minus(seen[j])
                inside.append(difference.low <= measured[i] - measured[j] <= difference.high)
    assert np.mean(inside) >= 0.85


@pytest.mark.parametrize("peak", [5e-4, 1e-3])
def test_a_constant_and_a_linear_run_are_not_confident_about_short_cooldowns(peak: float) -> None:
    (constant,) = merged(peak, [(25_000, "constant")])
    (linear,) = merged(peak, [(25_000, "0.9")])
    found = fit([constant, linear], **ADAMW)  # type: ignore[arg-type]
    assert any("20%" in words for words in found.blurred)
    assert found.advice
    assert any("two runs" in warning for warning in found.warnings)
    seen = {kind: found.predict(run(peak, 50_000, kind)) for kind in ("0.2", "0.9")}
    difference = seen["0.2"].minus(seen["0.9"])
    measured = final(peak, 50_000, "0.2") - final(peak, 50_000, "0.9")
    assert difference.low <= measured <= difference.high
