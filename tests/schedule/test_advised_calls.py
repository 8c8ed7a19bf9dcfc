"""The advice in an error message is itself accepted."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import pytest

import lehr
from lehr import Duration, ScheduleError
from lehr.curves import easing
from lehr.time.duration import LONGEST, exact


def message_of(call: Callable[[Any], Any], given: Any) -> str:
    with pytest.raises(ScheduleError) as caught:
        call(given)
    return str(caught.value)


def literals(message: str) -> list[Any]:
    """Return the literals that a message says to write: quoted texts and numbers."""
    advice = message.partition("write ")[2]
    return [ast.literal_eval(text) for text in re.findall(r"'[^']+'|\b\d[\d_]*\b(?![%.'])", advice)]


@pytest.mark.parametrize(
    "given",
    [1.5, 2.0, 1e5, 1e7, 12_345_678.5, 1e15, 1.1, 0.0, -0.5, "1.5", " 2.5 ", "1/3", "x"],
)
@pytest.mark.parametrize("call", [Duration.of, lehr.hold, lehr.cosine], ids=["", "hold", "cosine"])
def test_durations(call: Callable[[Any], Any], given: Any) -> None:
    advised = literals(message_of(call, given))
    assert advised
    for value in advised:
        call(value)


@pytest.mark.parametrize("given", [2.0, 1e5, 1e7, 12_345_678.5])
def test_runs(given: float) -> None:
    for value in literals(message_of(lehr.cosine().over, given)):
        lehr.cosine().over(value)


def test_a_whole_float_is_advised_as_steps() -> None:
    assert "write 100_000 for steps" in message_of(lehr.cosine().over, 1e5)


def test_what_no_run_lasts_is_not_advised() -> None:
    message = message_of(lehr.cosine().over, 1e300)
    assert f"{LONGEST:_}" in message
    assert "write" not in message


@pytest.mark.parametrize("given", ["x", "1,5", "1e5"])
def test_stretches(given: str) -> None:
    for value in literals(message_of(lambda text: exact("stretch", text), given)):
        assert exact("stretch", value) > 0


@pytest.mark.parametrize("given", [True, False])
def test_levels(given: bool) -> None:
    message = message_of(lambda value: lehr.hold(at=value), given)
    assert lehr.hold(at=float(message.rpartition("write ")[2]))


@pytest.mark.parametrize("given", ["cosin", "powr(2)", "lineal", "tan(3, 3)"])
def test_eases(given: str) -> None:
    message = message_of(lambda text: lehr.ramp(9, ease=text), given)
    listed = re.findall(r"[a-z0-9-]+(?:\([0-9., ]+\))?", message.partition("write one of ")[2])
    advised = [text for text in listed if text in easing.names()]
    assert advised == easing.names()
    for text in [*advised, *re.findall(r"did you mean '([^']+)'", message)]:
        lehr.ramp(9, ease=text)


@pytest.mark.parametrize("name", [name for name in easing.names() if "(" in name])
def test_an_ease_without_its_parameters_is_shown_with_some(name: str) -> None:
    bare = name.partition("(")[0]
    message = message_of(lambda text: lehr.ramp(9, ease=text), bare)
    lehr.ramp(9, ease=message.rpartition("write ")[2].strip("'"))


STEP = {"step_size": 3, "gamma": 0.1, "base_lrs": [0.1], "last_epoch": 3, "_last_lr": [0.1]}


@pytest.mark.parametrize(
    ("refused", "advised"),
    [
        ("linear(5, start=1.0, to=1.0)", "hold()"),
        ("cosine(9) >> cosine(9)", "hold()"),
        ("linear().repeat()", "cosine(100)"),
        ("linear().repeat()", "(linear().over(200))[:100]"),
        ("formula('radam(0.9, 1)')", "formula('radam(0.9)')"),
        ("formula('noise(0.52)')", "formula('noise(0.52, 1)')"),
        ("formula('noise(0.52, 1.5)')", "formula('noise(0.52, 1)')"),
        ("hold().over(9, samples_per_epoch=5, batch=9, drop_last=True)", None),
        ("cosine()(3)", "cosine().over(1000)(3)"),
        ("hold().values()", "hold().over(1000).values()"),
        ("list(cosine(9))", "cosine(9).over(1000).values()"),
        ("cosine(9)[3]", "cosine(9)(3)"),
        ("cosine(9)[3]", "cosine(9)[3:5]"),
        ("cosine('3ep')(1)", "cosine('3ep').over(Horizon(9, steps_per_epoch=3))(1)"),
        ("cosine('3sa')(1)", "cosine('3sa').over(Horizon(9, batch=2))(1)"),
        ("cosine('9tok')(1)", "cosine('9tok').over(Horizon(9, batch=2, sequence=3))(1)"),
        ("cosine('9min')(1)", "WallClock(cosine('9min').over('90min'))"),
        ("WallClock(formula(abs))", "WallClock(formula(abs).clip(0, 1).over('1h'))"),
        ("WallClock(formula(abs))", "WallClock(formula(abs, low=0, high=9).over('1h'))"),
        ("formula(abs, per='5%')", "formula(abs, per=100)"),
        ("table([])", "table([1.0])"),
        ("piecewise([])", "piecewise([(0, 1.0), (100, 0.1)])"),
        ("ramp(9, ease=3)", "ramp(9, ease='cosine-power(2)')"),
        ("trapezoid('10%', floor=0.5, peak=0.5)", "hold()"),
        ("warm_restarts(9, floor=0.5, peak=0.5)", "constant(0.5)"),
        ("linear_cycles(9, start=0.5, to=0.5)", "constant(0.5)"),
        ("proportional(cosine(), min_value=0.5, max_value=0.5)", "constant(0.5)"),
        ("power_scheduler(0.5, batch_size=9, b=-1e-9)", "constant(0.5)"),
        ("swa(0.1, 1, 2, to=0.3)", "swa(constant(0.1), 1, 2, to=0.3)"),
        ("find_entry('LinearLR')", "[find_entry('linear'), find_entry('warmup')]"),
        ("find_entry('plateau')", "find_rule('plateau')"),
        ("cosine(9).repeat(stretch='x')", "cosine(9).repeat(2, stretch='4/3')"),
        ("cosine().over(9, closed=True, past='wait')", "cosine().over(9, past='raise')"),
        ("hold('4.1')", "[hold('4.1st'), hold('4.1%')]"),
        ("register('a b')", "register('my-decay-of-the-advice')(abs)"),
        ("translate({'last_epoch': 3})", "translate('torch', 'StepLR', state=STEP)"),
    ],
)
def test_schedules(refused: str, advised: str | None) -> None:
    names = dict(vars(lehr)) | {"STEP": STEP}
    with pytest.raises((ScheduleError, TypeError)):
        eval(refused, names)
    if advised is None:
        advised = refused.replace("drop_last=True", "drop_last=False")
    eval(advised, names)
