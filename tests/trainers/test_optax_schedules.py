"""optax: a lehr schedule is an optax schedule, traced once and the same when compiled."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from running import check_learns, check_rates, check_resume

import lehr
from lehr.catalogue import ENTRIES

if importlib.util.find_spec("optax") is None:
    pytest.skip("optax and jax: `make trainers` has them", allow_module_level=True)

import jax
import jax.numpy as jnp
import numpy as np
import optax

# JAX warns where it cuts 64 bits to 32: no schedule may ask it to.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error:Explicitly requested dtype")]

PLACED = {
    name: entry.example.over(1_000)
    for name, entry in ENTRIES.items()
    if not entry.example.over(1_000)._has_callbacks
}


def test_resumed_is_uninterrupted(tmp_path: Path) -> None:
    rows = check_resume("train_optax.py", tmp_path, stop=17, total=40)
    check_rates(rows, 1e-2, 40)
    check_learns(rows)


@pytest.mark.parametrize("name", PLACED)
def test_compiled_is_the_schedule(name: str) -> None:
    schedule = PLACED[name]
    steps = [*range(0, 1_000, 37), 999, 1_000, 1_500]
    compiled = jax.jit(schedule)
    peak = max(abs(schedule(t)) for t in steps)
    for t in steps:
        assert float(compiled(jnp.int32(t))) == pytest.approx(schedule(t), abs=2e-6 * peak)
    many = jax.jit(jax.vmap(schedule))(jnp.arange(1_000))
    assert np.abs(np.asarray(many) - schedule(np.arange(1_000))).max() <= 2e-6 * peak


def test_the_update_is_compiled_once_and_has_the_rate() -> None:
    rate = 0.5 * (lehr.warmup("10%") >> lehr.hold() >> lehr.linear("40%")).over(50)
    optimizer = optax.sgd(rate)
    traced = 0

    @jax.jit
    def update(weight, state):
        nonlocal traced
        traced += 1
        change, state = optimizer.update(jnp.ones(()), state)
        return optax.apply_updates(weight, change), state

    weight = jnp.zeros(())
    state = optimizer.init(weight)
    for t in range(60):
        before = float(weight)
        weight, state = update(weight, state)
        height = t / 5 if t < 5 else 1 if t < 30 else max(1 - (t - 30) / 20, 0)
        assert before - float(weight) == pytest.approx(0.5 * height, abs=2e-6)
    assert traced == 1


def test_injected_hyperparameters_show_and_drive() -> None:
    """``inject_hyperparams`` keeps what is driven in the state, by name: for a log."""
    optimizer = optax.inject_hyperparams(optax.sgd)(
        learning_rate=0.5 * lehr.linear(10), momentum=0.95 - 0.1 * lehr.linear(10)
    )
    state = optimizer.init(jnp.zeros(()))
    update = jax.jit(optimizer.update)
    for t in range(4):
        _, state = update(jnp.ones(()), state)
        assert float(state.hyperparams["learning_rate"]) == pytest.approx(0.5 * (1 - t / 10))
        assert float(state.hyperparams["momentum"]) == pytest.approx(0.95 - 0.1 * (1 - t / 10))


def test_it_joins_optax_schedules() -> None:
    joined = optax.join_schedules(
        [optax.constant_schedule(0.2), 0.2 * lehr.linear(10)], boundaries=[5]
    )
    values = [float(jax.jit(joined)(t)) for t in range(15)]
    wanted = [0.2] * 5 + [0.2 * (1 - t / 10) for t in range(10)]
    assert values == pytest.approx(wanted, rel=1e-6)
