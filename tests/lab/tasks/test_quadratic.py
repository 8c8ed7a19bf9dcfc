"""The noisy quadratic against its closed form: what the engine should get, with no engine in it."""

import dataclasses

import numpy as np
import pytest
import torch

from lehr.lab.plan import Pair, Plan
from lehr.lab.tasks.quadratic import SAMPLES, curvatures
from lehr.lab.tasks.registry import find_task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.population import train_population
from lehr.lab.trial import evaluation_steps

TASK = find_task("quadratic")
STEPS, SEEDS = 200, 192


def expected(
    rates: np.ndarray, momentum: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The expected excess loss of each start, and its spread over orders of the samples.

    The weights stay linear in where they start and in the means of the batches; along a direction
    of curvature h, ``v <- m v + h (w - x)`` and ``w <- w - rate v``. Within an epoch no sample is
    drawn twice, so two batches of B of the N samples have the covariance ``-S^2 / N``, and one has
    the variance ``S^2 (1 / B - 1 / N)``.
    """
    pool = TASK.load().train.inputs.double().numpy()
    curvature = curvatures().double().numpy()
    mean, variance = pool.mean(0), pool.var(0, ddof=1)
    steps, size = len(rates), TASK.batch_size
    of_start = np.ones_like(curvature)
    of_batches = np.zeros((steps, len(curvature)))
    pace_start, pace = np.zeros_like(of_start), np.zeros_like(of_batches)
    for t, (rate, m) in enumerate(zip(rates, momentum, strict=True)):
        pace_start, pace = m * pace_start + curvature * of_start, m * pace + curvature * of_batches
        pace[t] -= curvature
        of_start, of_batches = of_start - rate * pace_start, of_batches - rate * pace
    total = of_batches.sum(0)
    noise = variance * ((of_batches**2).sum(0) / size - total**2 / SAMPLES)
    middle = of_start * start + mean * total
    losses = 0.5 * (curvature * (middle**2 + noise)).sum(-1)
    # Half h times the square of a normal number: its variance by the moments of one.
    spread = (0.25 * curvature**2 * (2 * noise**2 + 4 * noise * middle**2)).sum(-1)
    return losses, np.sqrt(spread)


@pytest.mark.parametrize(
    ("optimizer", "schedule", "peak"),
    [
        ("sgd", "constant", 0.2),
        ("sgd", "cosine", 1.0),
        ("sgd", "wsd", 0.5),
        ("momentum", "linear", 0.05),
        ("momentum", "one_cycle", 0.1),
    ],
)
def test_the_mean_excess_loss_is_the_closed_form(
    optimizer: str, schedule: str, peak: float
) -> None:
    (made,) = Plan(task="quadratic").scoring(Pair(optimizer, schedule), peak)[:1]
    trials = [dataclasses.replace(made, seed=seed, steps=STEPS) for seed in range(SEEDS)]
    assert STEPS * TASK.batch_size <= SAMPLES
    found = np.array([outcome.test_loss for outcome in train_population(trials)])
    rates = peak * made.schedule.over(STEPS).values()
    momentum = np.full(STEPS, 0.9 if optimizer == "momentum" else 0.0)
    if made.momentum is not None:
        momentum = made.momentum.over(STEPS).values()
    start = np.array(
        [network(TASK, s).state_dict()["place"].double().numpy() for s in range(SEEDS)]
    )
    losses, spread = expected(rates, momentum, start)
    scores = (found - losses) / spread
    # With 192 independent runs their mean is off by 1/14, in units of the spread.
    assert abs(scores.mean()) < 4 / SEEDS**0.5
    assert scores.std() == pytest.approx(1, abs=0.25)
    # And that says something: a rate that is off by a twentieth would be seen.
    other, _ = expected(1.05 * rates, momentum, start)
    assert np.abs((other - losses) / losses).max() > 0.005


def test_it_is_measured_by_its_excess_loss() -> None:
    (trial,) = Plan(task="quadratic").scoring(Pair("sgd", "linear"), 0.3)[:1]
    (found,) = train_population([dataclasses.replace(trial, steps=100)])
    assert found.test_loss is not None
    assert found.test == found.validation == found.test_loss


def test_a_rate_beyond_two_over_the_curvature_diverges() -> None:
    (made,) = Plan(task="quadratic").scoring(Pair("sgd", "constant"), 1.0)[:1]
    below, above = (dataclasses.replace(made, peak=peak, steps=400) for peak in (1.95, 2.5))
    found = train_population([below, above])
    assert found[0].diverged is None
    assert found[0].loss[-1] is not None
    # By 1.5 times an update, and the loss is a square: past float32 after about 109 of them.
    assert found[1].diverged is not None
    assert 100 < found[1].diverged < 115
    assert found[1].test == TASK.metric.guess == pytest.approx(float(curvatures().sum() / 2))
    assert len(found[1].validations) == len(evaluation_steps(400))


def test_samples_are_drawn_around_the_answer() -> None:
    pool = TASK.load().train.inputs
    assert pool.shape == (SAMPLES, len(curvatures()))
    assert pool.mean(0).abs().max() < 5 / SAMPLES**0.5
    assert (pool.std(0) - 1).abs().max() < 5 / (2 * SAMPLES) ** 0.5
    assert not TASK.load().test.inputs.any()
    assert curvatures()[0] == 1
    assert curvatures()[-1] == pytest.approx(0.01)
    assert torch.allclose(curvatures()[1:] / curvatures()[:-1], curvatures()[1])
