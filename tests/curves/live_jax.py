"""Schedules under JAX: jitted, vectorised and differentiated; part of `make peers`, which has JAX.

In 64 bits they are NumPy's values to 1e-12 of the peak; in the 32 bits that JAX has by default, to
what those can hold.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lehr
from lehr import ENTRIES, Entry, Schedule
from lehr.time.duration import STEPS as UNIT
from lehr.time.duration import Duration

jax = pytest.importorskip("jax")
jnp = jax.numpy

RUN = 200
STEPS = np.arange(RUN + 10)
FAR = np.asarray([0, 1, 5, 17, 1_000, 10**6, 2 * 10**7 + 1, 10**9 + 7])
BILLIONS = 5 * 10**9
WITHIN = {False: 2e-6, True: 1e-12}


@pytest.fixture(params=[False, True], ids=["32 bits", "64 bits"], autouse=True)
def wide(request: pytest.FixtureRequest) -> Iterator[bool]:
    with jax.enable_x64(request.param), warnings.catch_warnings():
        # JAX warns of every type that it has not got.
        warnings.simplefilter("error")
        yield request.param


def check(schedule: Schedule, steps: np.ndarray, wide: bool) -> None:
    expected = schedule(steps)
    peak = np.abs(expected).max()
    kind = jnp.float64 if wide else jnp.float32
    for given in (jnp.asarray(steps), jnp.asarray(steps, kind)):
        for values in (jax.jit(schedule)(given), jax.vmap(schedule)(given)):
            assert values.dtype == kind
            np.testing.assert_allclose(values, expected, rtol=0, atol=WITHIN[wide] * peak)


def slopes(schedule: Schedule, steps: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(jax.grad(schedule)))(jnp.asarray(steps, float)))


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_the_whole_catalogue(entry: Entry, wide: bool) -> None:
    run = entry.example.over(RUN)
    check(run, STEPS, wide)
    # Between the steps, on them and on every boundary.
    assert np.isfinite(slopes(run, np.union1d(STEPS, STEPS + 0.5))).all()


@pytest.mark.parametrize("seed", [0, 42, 2**31 - 1])
def test_noise_has_the_same_bits(seed: int, wide: bool) -> None:
    """32 bits that wrap around give what 64 give: only the last real operation rounds."""
    steps = np.concatenate([STEPS, STEPS + 10**6, 2**31 - 1 - STEPS])
    for std in (None, 0.1):
        s = lehr.noise(0.2, std=std, seed=seed)
        expected = s(steps)
        off = 4e-16 if wide else 2.5e-7
        np.testing.assert_allclose(jax.jit(s)(jnp.asarray(steps)), expected, rtol=off, atol=0)


def test_a_slope_is_the_slope(wide: bool) -> None:
    steps = np.asarray([0.0, 5.0, 10.0, 30.0, 59.0])
    s = lehr.warmup(10) >> lehr.cosine(50)
    u = (steps[2:] - 10) / 50
    exact = [0.1, 0.1, *(-math.pi / 100 * np.sin(math.pi * u))]
    np.testing.assert_allclose(slopes(s, steps), exact, rtol=1e-5, atol=1e-8)
    s = lehr.ramp(60, ease="1-sqrt")
    exact = [0.0, *(-0.5 / np.sqrt(steps[1:] / 60) / 60)]
    np.testing.assert_allclose(slopes(s, steps), exact, rtol=1e-5)
    # One bad point would spoil the slope by anything that all points depend on.
    rate = jax.grad(lambda scale: s(scale * jnp.asarray(steps, float)).sum())(1.0)
    np.testing.assert_allclose(rate, np.dot(exact, steps), rtol=1e-5)


@pytest.mark.parametrize(
    "schedule",
    [
        lehr.warmup(10**10) >> lehr.linear(10**10),
        lehr.cosine(10**10).repeat(),
        lehr.cosine(4).repeat(stretch=2, scale=0.9),
        lehr.multistep([10, 10**12]),
        lehr.linear("4.1st").repeat(),
        lehr.linear(10**10).every(3 * 10**9),
        lehr.linear(10**10).every("3000000000.5st"),
        lehr.exponential(0.1, every=BILLIONS),
        lehr.inverse(BILLIONS),
        lehr.inverse(BILLIONS) * lehr.exponential(0.1, every="3Gsa").over("20Gsa", batch=8),
        (lehr.warmup("1Gtok") >> lehr.cosine()).over("15Ttok", batch=8, sequence=2048),
        functools.reduce(
            lambda a, b: a >> b,
            [lehr.linear(10**8 + i * 2 * 10**9, to=0.5 + 0.5 * (i % 2)) for i in range(12)],
        ),
        lehr.table([0.0, 1.0, 2.0]).repeat(6, stretch="4/3"),
        lehr.radam_warmup(0.999999),
    ],
    ids=repr,
)
def test_steps_and_boundaries_beyond_its_integers(schedule: Schedule, wide: bool) -> None:
    expected = schedule(FAR)
    values = jax.jit(schedule)(jnp.asarray(FAR))
    np.testing.assert_allclose(values, expected, rtol=0, atol=WITHIN[wide])


def longer(value: Any, factor: int) -> Any:
    """Return a schedule with all its steps multiplied."""
    if isinstance(value, Duration) and value.unit == UNIT:
        return Duration(value.amount * factor, UNIT)
    if isinstance(value, tuple):
        return tuple(longer(inner, factor) for inner in value)
    if isinstance(value, Schedule):
        names = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(
            value, **{name: longer(getattr(value, name), factor) for name in names}
        )
    return value


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_the_whole_catalogue_over_billions_of_steps(entry: Entry, wide: bool) -> None:
    run = longer(entry.example, BILLIONS // 100).over(BILLIONS)
    expected = run(FAR)
    peak = np.abs(expected).max()
    for values in (jax.jit(run)(jnp.asarray(FAR)), jax.vmap(run)(jnp.asarray(FAR))):
        np.testing.assert_allclose(values, expected, rtol=0, atol=WITHIN[wide] * peak)
    assert np.isfinite(slopes(run, FAR)).all()


def test_a_stretch_beyond_its_integers_stays_at_the_last(wide: bool) -> None:
    last = 2**31 - 1
    s = lehr.linear(BILLIONS)[10**9 :]
    seen = last if wide else last - 10**9
    value = jax.jit(s)(jnp.asarray(last))
    np.testing.assert_allclose(value, s(seen), rtol=0, atol=WITHIN[wide])


def test_real_steps_beyond_their_whole_numbers(wide: bool) -> None:
    """Where all real numbers are whole the step is none beside the one that was asked."""
    s = lehr.noise(0.2)
    steps = np.asarray([2.0**24, 20_000_000, 1e9])
    np.testing.assert_allclose(jax.jit(s)(jnp.asarray(steps)), s(steps), rtol=2.5e-7)


def test_a_thousand_pieces_are_as_few_operations_as_ten(wide: bool) -> None:
    def zigzag(count: int) -> Schedule:
        eases = ("linear", "cosine", "1-sqrt")
        pieces = [
            lehr.ramp(10, to=0.5 + 0.5 * (i % 2), ease=eases[i // 2 % 3]) for i in range(count)
        ]
        return functools.reduce(lambda a, b: a >> b, pieces)

    def operations(schedule: Schedule) -> int:
        return len(jax.make_jaxpr(schedule)(jnp.arange(10)).eqns)

    many = zigzag(1_000)
    assert operations(many) == operations(zigzag(12)) < 60
    check(many, np.arange(10_010), wide)
    assert np.isfinite(slopes(many, np.arange(0, 10_010, 2.5))).all()


def test_it_drives_an_optimizer(wide: bool) -> None:
    optax = pytest.importorskip("optax")
    schedule = (lehr.warmup("10%") >> lehr.cosine()).over(20)
    optimizer = optax.sgd(schedule)
    weight = jnp.zeros(())
    state = optimizer.init(weight)
    step = jax.jit(optimizer.update)
    for _ in range(20):
        update, state = step(jnp.ones(()), state)
        weight = weight + update
    np.testing.assert_allclose(weight, -schedule.values().sum(), rtol=1e-6)


def test_a_function_of_the_users_cannot_be_traced(wide: bool) -> None:
    s = lehr.formula(lambda t: 1 / (1 + t), low=0, high=1)
    np.testing.assert_allclose(s(jnp.arange(4)), [1, 1 / 2, 1 / 3, 1 / 4], rtol=1e-6)
    with pytest.raises(lehr.ScheduleError, match="traced steps have no numbers yet"):
        jax.jit(s)(jnp.arange(4))
