"""Fitting a law to logged runs, and choosing its form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lehr.laws.forms import FORMS, Form, find_form, usual_form
from lehr.laws.identify import blurred, settling_run
from lehr.laws.law import FittedRun, Law, quantile
from lehr.laws.logs import Columns, read_run
from lehr.laws.runs import LawError, LoggedRun, usable
from lehr.laws.solve import Fitted, Problem, averaged, solve

DECOUPLED = ("adamw", "nadamw", "lion", "muon")
"""Optimizers that apply weight decay to the weights directly."""

BETTER = 1 / 3
"""The largest ratio of errors, on runs left out, at which another law replaces the usual one. A
smaller gain may be luck with two or three runs; on runs of language models, laws that won by a
factor of two lost on longer runs."""

FOLDS = 5
"""The most rounds of leaving runs out."""

EXPECTED = 3.0
"""The number of left-out runs for which earlier experience with a form counts."""

FARTHEST = 25.0
"""The largest squared factor by which a single left-out run widens the intervals."""

_PERPLEXITY = 13.0
"""The loss of guessing among 400,000 tokens."""

_WIDE = 1.5
"""The factor from which widened intervals are a reason to warn."""

_POOR = 0.01
"""Residuals wider than this share of the loss mean that the law does not describe the runs."""


def fit(
    runs: Sequence[LoggedRun | str | Path],
    *,
    law: str | None = None,
    optimizer: str | None = None,
    weight_decay: float | None = None,
    warmup: int | None = None,
    columns: Columns | None = None,
) -> Law:
    """Fit a law to logged runs.

    Arguments:
        runs: At least two runs, preferably three, of which at least one lowers its rate; or their
            log files.
        law: The name of a form; by default the one that predicts runs best that are left out.
        optimizer: The name of the optimizer, such as ``"adamw"``.
        weight_decay: Its weight decay, in AdamW's sense; needed for the effective rate. Without an
            optimizer's name it is taken to be AdamW's.
        warmup: How many updates the rate rose at the start, if the logs begin later.
        columns: The names of the columns in the files, if they are unusual.

    Raises:
        LawError: If the runs do not suffice, or one cannot be read; the message names it.

    Example:
        >>> import lehr.laws
        >>> law = lehr.laws.fit(["a.csv", "b.csv", "c.csv"], optimizer="adamw",
        ...                     weight_decay=0.1)  # doctest: +SKIP
    """
    weight_decay = weight_decay_of(optimizer, weight_decay, law)
    read = [
        run if isinstance(run, LoggedRun) else read_run(run, columns=columns, warmup=warmup)
        for run in runs
    ]
    kept, warnings = usable(read)
    peak = max(run.peak for run in kept)
    if law is None:
        tried = [form for form in FORMS.values() if weight_decay or not form.effective]
    else:
        tried = [find_form(law)]
    left_out = _left_out(tried, kept, weight_decay, peak)
    choice = tuple((name, one.error) for name, one in left_out.items()) if law is None else ()
    form = _chosen(choice, usual_form(weight_decay)) if law is None else tried[0]
    problem = Problem.of(form, weight_decay, peak, kept)
    fitted = _law(problem, solve(problem), kept)
    blurs = blurred(fitted)
    advice = settling_run(fitted, blurs) if blurs else None
    width = left_out[form.name].width
    return replace(
        fitted,
        width=width,
        optimizer=optimizer or "",
        choice=choice,
        blurred=tuple(blur.words for blur in blurs),
        advice=advice.words if advice else "",
        warnings=(*warnings, *_warnings(kept, fitted, optimizer, width)),
    )


def weight_decay_of(optimizer: str | None, weight_decay: float | None, law: str | None) -> float:
    """Return the effective weight decay: 0 for an optimizer that adds it to the gradient.

    Raises:
        LawError: If it is out of range, or needed but not given.
    """
    if weight_decay is not None and not 0 <= weight_decay < 10:
        raise LawError(f"weight_decay={weight_decay!r} must be at least 0 and below 10")
    decoupled = optimizer is not None and optimizer.lower() in DECOUPLED
    if decoupled and weight_decay is None:
        raise LawError(f"optimizer={optimizer!r} needs weight_decay=..., such as 0.1; 0 for none")
    result = weight_decay or 0.0
    if optimizer is not None and not decoupled:
        result = 0.0
    if law is not None and find_form(law).effective and not result:
        raise LawError(f"law={law!r} needs an optimizer such as 'adamw', and weight_decay above 0")
    return result


class _LeftOut(NamedTuple):
    """The mean error in runs left out in turn, in nats, and the width of a law that follows."""

    error: float
    width: float


def _left_out(
    forms: Iterable[Form], runs: Sequence[LoggedRun], weight_decay: float, peak: float
) -> dict[str, _LeftOut]:
    """Return how well each form predicts the runs, each left out in turn; the best first.

    If there are many runs, several are left out at a time.
    """
    folds = min(len(runs), FOLDS)
    found: dict[str, _LeftOut] = {}
    for form in forms:
        errors, squares = list[float](), list[float]()  # squares over those that intervals allow
        for fold in range(folds):
            rest = [run for i, run in enumerate(runs) if i % folds != fold]
            few = Problem.of(form, weight_decay, peak, rest, points=48, blocks=96)
            law = _law(few, solve(few, starts=1, rounds=20), rest)
            for run in runs[fold::folds]:
                at, losses = averaged(run, 48)
                seen = law.predict(run, at=at)
                off = np.abs(seen.loss - losses)
                errors.append(float(np.mean(off)))
                allowed = (seen.high - seen.loss) / quantile(seen.level)
                squares.append(float(np.mean((off / allowed) ** 2)))
        expected = EXPECTED + sum(min(square, FARTHEST) for square in squares)
        width = max(1.0, expected / (EXPECTED + len(squares))) ** 0.5
        found[form.name] = _LeftOut(float(np.mean(errors)), width)
    return dict(sorted(found.items(), key=lambda one: one[1].error))


def _chosen(choice: Sequence[tuple[str, float]], usual: Form) -> Form:
    best, error = choice[0]
    return FORMS[best] if error < BETTER * dict(choice)[usual.name] else usual


def _law(problem: Problem, found: Fitted, runs: Sequence[LoggedRun]) -> Law:
    losses = [problem.model.loss(found.values, at) for at in problem.at]
    rows = [
        FittedRun(
            run.name,
            run.length,
            len(run.steps),
            run.peak,
            float(np.mean(np.abs(loss - np.exp(log)))),
            run.notes,
        )
        for run, loss, log in zip(runs, losses, problem.logs, strict=True)
    ]
    gains = [
        float(problem.model.gains(found.values, at)[-1])
        for run, at in zip(runs, problem.at, strict=True)
        if run.decays
    ]
    kinds = {run.kind for run in runs} - {""}
    return Law(
        problem.model.form,
        found.values,
        np.asarray(np.linalg.inv(found.precision), np.float64),
        found.noise,
        problem.model.unit,
        problem.setting.peak,
        problem.setting.weight_decay,
        max(run.warmup for run in runs),
        max(run.length for run in runs),
        float(np.mean(gains)) if gains else 0.0,
        kind=kinds.pop() if kinds else "",
        measured=problem.setting.measured,
        fitted=tuple(rows),
    )


def _warnings(
    runs: Sequence[LoggedRun], law: Law, optimizer: str | None, width: float
) -> list[str]:
    warnings: list[str] = []
    if len(runs) == 2:
        warnings.append("two runs fit almost any law: add a third, short one before you rely on it")
    if law.noise > _POOR:
        warnings.append(
            f"the residuals are wide ({100 * law.noise:.1f}% of the loss): the losses are noisy, "
            "or the law does not describe these runs"
        )
    if min(float(np.median(run.losses)) for run in runs) > _PERPLEXITY:
        warnings.append(
            "the losses are high for nats: if they are perplexities, take their logarithm"
        )
    if law.values[2] < 1e-6:
        warnings.append("no gain from lowering the rate was found in these runs")
    if optimizer is None and not law.weight_decay:
        warnings.append(
            "the optimizer was not given: the plain rate is used; give it if it is AdamW"
        )
    peaks = sorted(run.peak for run in runs)
    if peaks[-1] > 1.02 * peaks[0]:
        warnings.append(
            f"the peaks differ ({peaks[0]:g} to {peaks[-1]:g}): one law for all of them is less "
            "exact; fit the runs of one peak where there are enough"
        )
    if not any(run.warmup for run in runs):
        warnings.append("no run has a warmup; if there was one, give its length")
    if width >= _WIDE:
        warnings.append(
            f"runs that were left out in turn are {width:.1f} times as far off as they should be: "
            "are all of them of one model, data, batch size and loss? The intervals are wider by "
            "as much"
        )
    return warnings
