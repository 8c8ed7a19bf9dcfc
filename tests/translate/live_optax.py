"""optax' schedules against optax itself, in 64 bits."""

from __future__ import annotations

from typing import Any

import pytest
from cases_optax import CASES, STEPS
from peer import FORMULA, Case, assert_curve, case_id, translated

from lehr.translate import names, translate

jax = pytest.importorskip("jax", reason="jax is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")
jax.config.update("jax_enable_x64", True)


def curve(schedule: Any) -> list[float]:
    """Return the values of the first steps, from one array."""
    values = jax.vmap(lambda t: jax.numpy.asarray(schedule(t)))(jax.numpy.arange(STEPS))
    return values.tolist()


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    schedule = getattr(optax.schedules, name)(**given)
    expected = curve(schedule)
    assert_curve(translated("optax", case), expected, FORMULA)


def test_live_join() -> None:
    parts = CASES[1], CASES[12], CASES[16]
    boundaries = [17, 60]
    live = optax.join_schedules(
        [getattr(optax.schedules, name)(**given) for name, given in parts], boundaries
    )
    ours = translate(
        "optax",
        "join_schedules",
        schedules=[translate("optax", name, **given) for name, given in parts],
        boundaries=boundaries,
    )
    assert_curve(ours.schedule, curve(live), FORMULA)


def test_live_warmup_of_no_steps() -> None:
    given = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 0}
    live = optax.warmup_constant_schedule(**given)
    faithful = translate("optax", "warmup_constant_schedule", **given, faithful=True)
    assert_curve(faithful.schedule, [float(live(t)) for t in range(9)])


def test_no_other_schedule() -> None:
    known = {name for name in dir(optax.schedules) if name.endswith(("_schedule", "_decay"))}
    assert {name for name in known if name[0] != "_"} | {"join_schedules"} == set(names("optax"))
