"""The fit itself: damped least squares with an analytic Jacobian."""

# SciPy leaves its types open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares, nnls

from lehr.laws.forms import Form
from lehr.laws.model import Model, prior
from lehr.laws.runs import Floats, Ints, LoggedRun
from lehr.laws.series import BLOCKS, Series, Setting, measured_unit, series

POINTS = 160
"""The most losses of a run to fit; if there are more, neighbours are averaged."""

INDEPENDENT = 8.0
"""The number of independent measurements for which a run counts if its residuals are the law's own
errors, which persist over many updates."""

MOST = 32.0
"""The largest such number, however noisy the run: runs that see the same data in the same order
share much of their noise."""

OWN = 1e-3
"""The size of those errors, as a share of the loss; anything larger is noise in single losses."""

HUBER = 1e-3
"""The residual of log loss above which its cost grows in proportion, as in arXiv 2503.12811."""

_NOISE = 5e-4


@dataclass(frozen=True, eq=False)
class Problem:
    """Runs in the form that a law needs, and the logarithms of their losses, to fit a model to."""

    model: Model
    setting: Setting
    at: tuple[Series, ...]
    logs: tuple[Floats, ...]

    @classmethod
    def of(
        cls,
        form: Form,
        weight_decay: float,
        peak: float,
        runs: Sequence[LoggedRun],
        points: int = POINTS,
        blocks: int = BLOCKS,
    ) -> Problem:
        """Return the problem of fitting a form to runs, with at most these points and blocks."""
        setting = Setting(form, weight_decay, peak)
        if form.effective:
            setting = replace(setting, measured=measured_unit(setting, runs))
        at: list[Series] = []
        logs: list[Floats] = []
        for run in runs:
            steps, losses = averaged(run, points)
            at.append(series(setting, run.rates, steps, run.warmup, blocks, run.effective))
            logs.append(np.log(losses))
        unit = float(np.median(np.concatenate([one.progress for one in at])))
        return cls(Model(form, unit), setting, tuple(at), tuple(logs))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The parameters of a fit, and the inverse of their covariance.

    ``noise`` is the spread of the residuals of log loss, ``cost`` half the minimised sum of
    squares.
    """

    values: Floats
    precision: Floats
    noise: float
    cost: float


def independent(points: int, noise: float) -> float:
    """Return the number of independent measurements for which a run counts.

    Each is the mean of an equal part of the run's losses, so its variance is that of the law's own
    error plus the noise that remains after averaging.
    """
    own = min(noise, OWN) ** 2
    most = min(float(points), MOST)
    return min(most, INDEPENDENT * noise**2 / (own + INDEPENDENT * noise**2 / points))


def averaged(run: LoggedRun, points: int) -> tuple[Ints, Floats]:
    """Return at most ``points`` steps and losses, each the mean of neighbours."""
    count = -(-len(run.steps) // points)
    if count == 1:
        return run.steps, run.losses
    cuts = np.arange(0, len(run.steps), count)
    sizes = np.diff(np.append(cuts, len(run.steps)))
    steps = np.round(np.add.reduceat(run.steps, cuts) / sizes).astype(np.int64)
    return steps, np.add.reduceat(run.losses, cuts) / sizes


def _huber(r: Floats, delta: float) -> tuple[Floats, Floats]:
    """Return numbers whose squares are Huber's loss of ``r``, and their derivatives by it."""
    size = np.abs(r)
    bent = np.sqrt(np.maximum(2 * delta * size - delta**2, delta**2))
    inner = size <= delta
    value = np.where(inner, r, np.sign(r) * bent)
    return value, np.where(inner, 1.0, delta / bent)


def _slopes(problem: Problem, values: Floats) -> tuple[Floats, Floats]:
    """Return the predicted losses of all runs, kept away from 0, and their slopes."""
    losses, slopes = zip(*(problem.model.slopes(values, one) for one in problem.at), strict=True)
    return np.maximum(np.concatenate(losses), 1e-3), np.concatenate(slopes)


def _linear(problem: Problem, inside: Floats) -> Floats:
    """Return L0, A and B for given inner parameters, by least squares, none below 0."""
    columns = np.concatenate([problem.model.columns(inside, one) for one in problem.at])
    losses = np.exp(np.concatenate(problem.logs))
    rows = columns / losses[:, None]
    scale = np.abs(rows).max(axis=0) + 1e-300
    found, _ = nnls(rows / scale, np.ones(len(losses)))
    return found / scale


def _refine(
    problem: Problem, start: Floats, noise: float, rounds: int, free: bool
) -> tuple[Floats, float, Floats]:
    """Minimise from a start; return the parameters, the cost and the Jacobian."""
    means, spreads = prior(problem.model.form)
    target = np.concatenate(problem.logs)
    delta = max(HUBER, 1.5 * noise)
    weights = np.concatenate(
        [
            np.full(len(one), np.sqrt(independent(len(one), noise) / len(one)) / noise)
            for one in problem.logs
        ]
    )
    # Each parameter in units of its range.
    unit = spreads.copy()
    unit[:3] = np.maximum(np.abs(start[:3]), 0.03)
    unit[-1] = spreads[-1] if free else 1e-9
    low, high = (means - 5 * spreads) / unit, (means + 5 * spreads) / unit
    low[:3] = 0.0

    def look(z: Floats) -> tuple[Floats, Floats]:
        values = z * unit
        loss, slopes = _slopes(problem, values)
        bent, by = _huber(np.log(loss) - target, delta)
        rows = slopes * (by * weights / loss)[:, None]
        pull = (values - means) / spreads
        return (
            np.concatenate([bent * weights, pull]),
            np.concatenate([rows, np.diag(1 / spreads)]) * unit,
        )

    last: dict[bytes, tuple[Floats, Floats]] = {}

    def seen(z: Floats) -> tuple[Floats, Floats]:
        # The solver evaluates the residuals and then the Jacobian at the same point.
        key = z.tobytes()
        if key not in last:
            last.clear()
            last[key] = look(z)
        return last[key]

    z = np.clip(start / unit, low + 1e-9, high - 1e-9)
    found = least_squares(
        lambda z: seen(z)[0],
        z,
        lambda z: seen(z)[1],
        bounds=(low, high),
        max_nfev=rounds,
        x_scale="jac",
        ftol=1e-7,
        xtol=1e-7,
        gtol=1e-9,
    )
    return found.x * unit, float(found.cost), found.jac / unit


def solve(problem: Problem, starts: int = 3, rounds: int = 60) -> Fitted:
    """Fit a form to runs: briefly from a few fixed starts, then from the best to the end."""
    means, spreads = prior(problem.model.form)
    free = max(abs(one.peak) for one in problem.at) > 0.02
    noise = 2e-3
    tried: list[tuple[float, Floats]] = []
    for at in (0.0, 1.0, -1.0)[:starts]:
        start = means.copy()
        start[4:-1] += at * spreads[4:-1] * np.array([1.0, -1.0, 0.0])[: len(spreads) - 5]
        start[:3] = _linear(problem, start[3:-1])
        values, cost, _ = _refine(problem, start, noise, rounds if starts == 1 else 12, free)
        tried.append((cost, values))
    values = min(tried, key=lambda one: one[0])[1]
    for last in (False, True):
        residuals = np.abs(np.log(_slopes(problem, values)[0]) - np.concatenate(problem.logs))
        noise = max(_NOISE, 1.4826 * float(np.median(residuals)))
        values, cost, jacobian = _refine(problem, values, noise, rounds, free)
        if last or starts == 1:
            break
    if not free:
        # No other peak was seen, so what was assumed about it stays.
        values[-1] = 0.0
        jacobian[:, -1] = 0.0
        jacobian[-1, -1] = 1 / spreads[-1]
    return Fitted(values, jacobian.T @ jacobian, noise, cost)
