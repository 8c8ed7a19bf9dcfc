"""What an error message says to write is itself accepted."""

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
    numbers = {"power": 2, "k": 2, "ratio": 0.5, "from": 3, "to": 3, "count": 10}
    listed = re.findall(r"[a-z0-9-]+(?:\([a-z, ]+\))?", message.partition("write one of ")[2])
    advised = [text for text in listed if text in easing.names()]
    assert advised == easing.names()
    for text in advised:
        name, _, labels = text.rstrip(")").partition("(")
        values = [numbers[label] for label in labels.split(", ") if label]
        if name == "hyperbolic":
            values = [2]
        lehr.ramp(9, ease=f"{name}({', '.join(map(str, values))})" if values else name)


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
    ],
)
def test_schedules(refused: str, advised: str | None) -> None:
    names = dict(vars(lehr))
    with pytest.raises(ScheduleError):
        eval(refused, names)
    if advised is None:
        advised = refused.replace("drop_last=True", "drop_last=False")
    eval(advised, names)
