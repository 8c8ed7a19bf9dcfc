"""Exported code is run, and gives the schedule's own values."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
from hypothesis import given

import lehr
from lehr import ENTRIES, NeedsHorizon, Schedule, ScheduleError, export
from lehr.catalogue.registry import Entry
from lehr.curves.easing import names
from lehr.translate import translate
from strategies import fixed, runs

RUN = 97

SHAPES: dict[str, Schedule] = {
    "warmup and cosine": lehr.warmup(10) >> lehr.cosine(80, to=0.1),
    "a staircase": lehr.step(7, gamma=0.5),
    "milestones": lehr.multistep([5, 9, 30], gamma=0.5),
    "restarts": lehr.warm_restarts(7, 2, floor=0.1),
    "restarts of one length": lehr.warm_restarts(9),
    "restarts that grow slowly": lehr.warm_restarts(5, 1.3, decay=0.9),
    "shrinking cycles": lehr.linear(20).repeat(stretch=0.5),
    "a wave": (lehr.cosine(12) >> lehr.cosine(12, to=1.0)).repeat(),
    "triangles": lehr.triangular2(5, 8, floor=0.01, peak=0.1),
    "triangles that decay": lehr.exp_range(4, gamma=0.97, peak=0.5),
    "a table": lehr.table([0.1, 0.4, 0.2]),
    "a decay": lehr.exponential(0.97),
    "a decay of roots": lehr.warmup(10) >> lehr.inverse(10, power=0.5),
    "a decay that ends": lehr.exponential(0.9)[3:20],
    "a limit": lehr.geometric(50, to=0.01).clip(0.05, 0.7),
    "a staircase of a cosine": lehr.cosine(60, to=0.1).every(7),
    "a stretch": (lehr.warmup(10) >> lehr.cosine(60))[5:40],
    "a rate": (lehr.warmup(10) >> lehr.hold(5) >> lehr.cosine(60, to=0.1)) * 0.003,
    "a rate with a floor": (lehr.warmup(10) >> lehr.linear(60)) * 0.003 + 0.001,
    "a decay that is scaled": (lehr.warmup(10) >> lehr.exponential(0.9)) * 0.5,
    "a decay with a floor": lehr.exponential(0.9) * 0.5 + 0.1,
    "turned over": -(lehr.warmup(10) >> lehr.geometric(20, to=0.1)) + 2.0,
    "a product": (lehr.warmup(10) >> lehr.hold(5)) * lehr.cosine(80) * 0.3,
    "a sum": 0.95 - lehr.one_cycle().over(RUN) * 0.1,
    "fractions of steps": lehr.linear("4.1st") >> lehr.cosine("7.3st", to=1.0) >> lehr.hold(),
    "cycles of fractions": lehr.linear("7/3st").repeat(scale=0.9),
    "closed": lehr.wsd("10%", "20%").over(RUN, closed=True),
    "many pieces in a product": math.prod(
        [lehr.multistep(list(range(3, 60, 3)), gamma=0.9)], start=lehr.cosine(90)
    ),
    "many ramps in a product": lehr.cosine(90)
    * (lehr.linear(3, to=0.5) >> lehr.linear(3, to=1.0)).repeat(6)[:30],
    "zero": lehr.constant(0.0),
    "nothing but its end": lehr.hold(0, at=0.5),
}


def run(code: str, **given: Any) -> dict[str, Any]:
    """Run exported code, and return what it defines."""
    assert "lehr" not in code.replace("lehr.", "")
    scope: dict[str, Any] = dict(given)
    exec(compile(ast.parse(code), "exported", "exec"), scope)
    return scope


def steps_of(schedule: Schedule) -> range:
    length = schedule.length
    return range(150 if length is None else min(math.ceil(length) + 4, 200))


def assert_python(schedule: Schedule) -> None:
    lr = run(export(schedule, "python"))["lr"]
    wanted = [schedule(t) for t in steps_of(schedule)]
    peak = max(map(abs, wanted)) or 1.0
    assert [lr(t) for t in steps_of(schedule)] == pytest.approx(wanted, rel=0, abs=1e-12 * peak)


def assert_torch(schedule: Schedule) -> str:
    torch = pytest.importorskip("torch")
    rates = (0.3, 0.1)
    groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in rates]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    code = export(schedule, "torch")
    scheduler = run(code, optimizer=optimizer)["scheduler"]
    peak = max(abs(schedule(t)) for t in steps_of(schedule)) or 1.0
    for t in steps_of(schedule):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            assert group["lr"] == pytest.approx(rate * schedule(t), rel=0, abs=1e-9 * peak), t
        optimizer.step()
        scheduler.step()
    return code


@pytest.mark.parametrize("name", SHAPES)
def test_python(name: str) -> None:
    assert_python(SHAPES[name])


@pytest.mark.parametrize("name", SHAPES)
def test_torch(name: str) -> None:
    assert_torch(SHAPES[name])


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_the_whole_catalogue(entry: Entry) -> None:
    schedule = entry.example.over(RUN)
    assert_python(schedule)
    assert_torch(schedule)


@pytest.mark.parametrize("ease", names())
@pytest.mark.parametrize("ends", [(1.0, 0.0), (0.2, 0.9)])
def test_every_ease(ease: str, ends: tuple[float, float]) -> None:
    assert_python(lehr.ramp(30, start=ends[0], to=ends[1], ease=ease))


def writable(schedule: Schedule) -> bool:
    """Return whether it is made of lehr's own parts only: no function has code to write."""
    return not any(mark in repr(schedule) for mark in ("<", "'test-"))


@given(schedule=fixed().filter(writable))
def test_python_of_anything(schedule: Schedule) -> None:
    assert_python(schedule)


@given(schedule=runs().filter(writable))
def test_runs_of_shares(schedule: Schedule) -> None:
    assert_python(schedule)


# ----- the closest of torch's own ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "classes"),
    [
        (lehr.step(30), {"StepLR"}),
        (lehr.multistep([3, 9]), {"MultiStepLR"}),
        (lehr.exponential(0.9), {"ExponentialLR"}),
        (lehr.linear(9, to=0.5), {"LinearLR"}),
        (lehr.polynomial(9, power=2), {"PolynomialLR"}),
        (lehr.warm_restarts(9, 2), {"CosineAnnealingWarmRestarts"}),
        ((lehr.cosine(9) >> lehr.cosine(9, to=1.0)).repeat(), {"CosineAnnealingLR"}),
        (lehr.cosine(9), {"SequentialLR", "CosineAnnealingLR", "LambdaLR"}),
        (
            lehr.warmup(9, start=0.1) >> lehr.hold(9) >> lehr.cosine(40),
            {"SequentialLR", "LinearLR", "ConstantLR", "CosineAnnealingLR", "LambdaLR"},
        ),
        (lehr.warmup(9, start=0.1) >> lehr.linear(40), {"SequentialLR", "LinearLR"}),
        (lehr.warmup(9) >> lehr.linear(40), {"LambdaLR"}),
    ],
)
def test_torchs_own_classes_where_they_do(schedule: Schedule, classes: set[str]) -> None:
    code = assert_torch(schedule)
    imported = next(line for line in code.splitlines() if line.startswith("from torch"))
    assert set(imported.partition("import ")[2].split(", ")) == classes


def test_torchs_code_is_translated_back() -> None:
    torch = pytest.importorskip("torch")
    schedule = lehr.warmup(9, start=0.1) >> lehr.linear(40)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    scheduler = run(export(schedule, "torch"), optimizer=optimizer)["scheduler"]
    assert translate(scheduler).schedule == schedule


# ----- optax ------------------------------------------------------------------------------------


def assert_optax(schedule: Schedule) -> None:
    jax = pytest.importorskip("jax", reason="optax and jax are not installed: pip install optax")
    pytest.importorskip("optax", reason="optax is not installed: pip install optax")
    lr = run(export(schedule, "optax"))["lr"]
    steps = steps_of(schedule)
    wanted = [schedule(t) for t in steps]
    peak = max(map(abs, wanted)) or 1.0
    # JAX computes in float32, whose last digit is 1e-7.
    got = jax.vmap(jax.jit(lr))(jax.numpy.asarray(list(steps)))
    got = [float(value) for value in jax.numpy.broadcast_to(got, (len(wanted),))]
    assert got == pytest.approx(wanted, rel=0, abs=3e-6 * peak)
    assert float(lr(3)) == pytest.approx(wanted[3], rel=0, abs=3e-6 * peak)


@pytest.mark.parametrize("name", SHAPES)
def test_optax(name: str) -> None:
    assert_optax(SHAPES[name])


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_the_catalogue_in_optax(entry: Entry) -> None:
    schedule = entry.example.over(RUN)
    if "formula(" not in repr(schedule):
        assert_optax(schedule)


def test_optax_functions_are_joined() -> None:
    code = export(lehr.warmup(10) >> lehr.hold(10) >> lehr.cosine(50, to=0.1), "optax")
    called = ("join_schedules", "linear_schedule", "constant_schedule", "cosine_decay_schedule")
    assert all(f"optax.{name}(" in code for name in called)
    assert "boundaries=[10, 20]" in code
    assert "def " not in code


# ----- the code itself, and what cannot be written ----------------------------------------------


def test_python_reads_as_one_would_write_it() -> None:
    code = (
        export(lehr.warmup(100) >> lehr.hold() >> lehr.linear("20%"), "python")
        if 0
        else export((lehr.warmup(100) >> lehr.hold() >> lehr.linear("20%")).over(1000), "python")
    )
    assert code == (
        "def lr(step):\n"
        "    # (warmup(100) >> hold() >> linear('20%', to=0.0)).over(1000)\n"
        "    if step < 100:\n"
        "        u = step / 100\n"
        "        return u\n"
        "    if step < 800:\n"
        "        return 1.0\n"
        "    if step < 1000:\n"
        "        t = step - 800\n"
        "        w = (200 - t) / 200\n"
        "        return w\n"
        "    return 0.0\n"
    )


def test_a_rate_is_written_into_its_parts() -> None:
    code = export((lehr.warmup(10) >> lehr.cosine(90)) * 0.003, "python")
    assert "if step < 10:" in code
    assert "return 0.003 * u" in code
    code = export((lehr.warmup(10) >> lehr.cosine(90)) * 0.003, "optax")
    assert "optax.linear_schedule(0.0, 0.003, transition_steps=10)" in code


def test_past_the_end_may_raise() -> None:
    schedule = lehr.cosine().over(10, past="raise")
    lr = run(export(schedule, "python"))["lr"]
    assert lr(10) == 0.0
    with pytest.raises(ValueError, match="step 11 is after the run's 10 steps"):
        lr(11)
    assert "LambdaLR" in export(schedule, "torch")
    with pytest.raises(ScheduleError, match="cannot raise"):
        export(schedule, "optax")


def mine(t: float) -> float:
    return 1 / (1 + t)


@pytest.mark.parametrize("target", ["python", "torch", "optax"])
@pytest.mark.parametrize(
    "schedule",
    [lehr.formula(mine) * 0.1, lehr.ramp(9, ease=mine), lehr.formula(mine, per=3)],
)
def test_a_function_of_ones_own_is_named(target: str, schedule: Schedule) -> None:
    with pytest.raises(ScheduleError, match=r"mine.* function of your own.*lehr.table"):
        export(schedule, target)


def test_mistakes_are_named() -> None:
    with pytest.raises(ScheduleError, match="target='keras' is unknown; write one of python"):
        export(lehr.cosine(9), "keras")
    with pytest.raises(NeedsHorizon, match="over"):
        export(lehr.cosine(), "python")
    with pytest.raises(ScheduleError, match="not a schedule"):
        export(0.1, "python")  # type: ignore[arg-type]
