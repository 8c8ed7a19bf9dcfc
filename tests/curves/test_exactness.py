"""Values at steps where a rounding error would show, against exact fractions and mpmath."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import lehr
from lehr import Schedule, ScheduleError
from lehr.catalogue import ENTRIES

Number = Fraction | Any


def real(value: Fraction) -> Any:
    return mp.mpf(value.numerator) / value.denominator


SHORT = Fraction("10.3")


def cycle(period: Fraction) -> Schedule:
    """Return a cycle whose short first and last parts do not begin or end on whole steps."""
    middle = period - 2 * SHORT
    return (
        lehr.linear(SHORT, start=1.0, to=0.5)
        >> lehr.cosine(middle, to=0.25)
        >> lehr.linear(SHORT, to=0.0)
    )


def level(at: Fraction, period: Fraction) -> Any:
    if at < SHORT:
        return real(1 - at / SHORT / 2)
    if at < period - SHORT:
        u = real((at - SHORT) / (period - 2 * SHORT))
        return mp.mpf("0.25") + mp.mpf("0.25") * (1 + mp.cos(mp.pi * u)) / 2
    return real((period - at) / SHORT / 4)


def kinds() -> list[Any]:
    found: list[Any] = [lambda s, t: [s(step) for step in t], lambda s, t: s(np.asarray(t))]
    try:
        import torch
    except ImportError:
        return found
    return [*found, lambda s, t: s(torch.tensor(t)).tolist()]


@pytest.mark.parametrize("evaluate", kinds())
@pytest.mark.parametrize("digits", ["1e9", "1e10", "1e11", "1e12"])
@pytest.mark.parametrize("tenths", ["0.1", "0.3", "1/3"])
def test_long_cycles_that_are_not_whole(
    digits: str, tenths: str, evaluate: Callable[[Schedule, list[int]], Any]
) -> None:
    period = Fraction(digits) + Fraction(tenths)
    s = cycle(period).repeat()
    steps = [
        int(n * period) + offset
        for n in (0, 1, 2, 7, 33)
        for offset in (-12, -11, -10, -1, 0, 1, 5, 10, 11, 12)
        if n or offset >= 0
    ]
    with mp.workdps(50):
        expected = [level(Fraction(t) % period, period) for t in steps]
        found = evaluate(s, steps)
        assert max(abs(mp.mpf(float(v)) - x) for v, x in zip(found, expected, strict=True)) < 1e-14


def test_cycles_in_cycles_restart_exactly() -> None:
    inner, outer = Fraction("0.7"), Fraction("1000000000.1")
    s = (lehr.linear(inner).repeat()[:outer]).repeat()
    for t in (0, 7, 10**9, 10**9 + 1, 3 * 10**9 + 4, 10 * 10**9 + 1):
        at = Fraction(t) % outer % inner
        assert s(t) == pytest.approx(float(1 - at / inner), abs=1e-14)


EASES: dict[str, Callable[[Any], Any]] = {
    "power(3)": lambda u: (1 - u) ** 3,
    "complement(2)": lambda u: 1 - u**2,
    "complement(1.5)": lambda u: 1 - u ** mp.mpf("1.5"),
    "complement(0.5)": lambda u: 1 - mp.sqrt(u),
    "complement(5)": lambda u: 1 - u**5,
    "complement(0.01)": lambda u: 1 - u ** mp.mpf(0.01),
    "k-cosine(3)": lambda u: mp.cos(mp.pi / 2 * u**3) ** 2,
    "k-cosine(0.3)": lambda u: mp.cos(mp.pi / 2 * u ** mp.mpf(0.3)) ** 2,
    "k-power(3, 2)": lambda u: (1 - u**3) ** 2,
    "k-power(0.2, 1.7)": lambda u: (1 - u ** mp.mpf(0.2)) ** mp.mpf(1.7),
    "k-power(40, 1000)": lambda u: (1 - u**40) ** 1000,
}


@pytest.mark.parametrize("evaluate", kinds())
@pytest.mark.parametrize("steps", [1_000, 10**7, 10**12])
@pytest.mark.parametrize("ease", EASES)
def test_decays_are_right_to_the_last_step(
    ease: str, steps: int, evaluate: Callable[[Schedule, list[int]], Any]
) -> None:
    s = lehr.ramp(steps, start=1.0, to=0.0, ease=ease)
    at = [0, 1, 7, steps // 3, steps // 2, steps - 500, steps - 7, steps - 2, steps - 1]
    with mp.workdps(60):
        expected = [EASES[ease](mp.mpf(t) / steps) for t in at]
        for value, x in zip(evaluate(s, at), expected, strict=True):
            # Powers multiply the rounding of the share that is left.
            assert abs(mp.mpf(float(value)) - x) <= mp.mpf("2e-13") * abs(x) + mp.mpf("1e-300")


@pytest.mark.parametrize("steps", [1_000, 10**6, 20_000_000])
@pytest.mark.parametrize("name", ENTRIES)
def test_an_array_gives_what_its_steps_give_one_by_one(name: str, steps: int) -> None:
    run = ENTRIES[name].example.over(steps)
    t = np.unique(np.concatenate([np.arange(60), np.linspace(0, steps, 61).astype(int)]))
    t = np.unique(np.concatenate([t, steps - np.arange(60)]))
    alone = np.asarray([run(int(step)) for step in t])
    np.testing.assert_allclose(run(t), alone, rtol=1e-13, atol=1e-15)


EXTREMES = ["0", "-1", "1", "0.52", "0.61", "5e-324", "1e308", "1e400", "0.9999999999999999"]
EXTREMES += ["42", "1.5", "-0.0", "2147483648", "nan", "", "1e-17", "1e16"]


@pytest.mark.parametrize("name", ["radam", "noise", "normal-noise"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_numbers_of_a_formula_are_taken_or_refused(name: str, count: int) -> None:
    known = EXTREMES if count < 3 else EXTREMES[:9]
    given = itertools.product(known, repeat=count) if count < 4 else [("1",) * 4]
    taken = 0
    for numbers in given:
        text = f"{name}({', '.join(numbers)})"
        try:
            s = lehr.formula(text)
        except ScheduleError:
            with pytest.raises(ScheduleError):
                lehr.from_dict({"lehr": 1, "kind": "formula", "function": text})
            continue
        taken += 1
        assert np.isfinite(s(np.arange(50))).all()
        assert lehr.from_json(s.to_json()) == s
    assert bool(taken) == (count == {"radam": 1, "noise": 2, "normal-noise": 3}[name])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("radam(0)", "radam beta2=0.0 must be greater than 0.6"),
        ("radam(1)", "radam beta2=1.0 must be at most 1"),
        ("radam(0.9, 1)", "radam takes 1 numbers (beta2), 2 given"),
        ("noise(0.52)", "noise takes 2 numbers (pct, seed), 1 given"),
        ("noise(2, 1)", "noise pct=2.0 must be at most 1"),
        ("noise(0.5, 1.5)", "noise seed=1.5 must be a whole number; write 1"),
        ("noise(0.5, -1)", "noise seed=-1 must be at least 0"),
        ("normal-noise(0.5, 0, 1)", "normal-noise std=0.0 must be greater than 0"),
    ],
)
def test_numbers_of_a_formula_are_named(text: str, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        lehr.formula(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", [name.partition("(") for name in lehr.curves.easing.names()])
def test_any_numbers_of_an_ease_are_taken_or_refused(name: tuple[str, str, str]) -> None:
    count = len(name[2].split(",")) if name[2] else 0
    taken = 0
    for numbers in itertools.product(EXTREMES, repeat=count):
        text = f"{name[0]}({', '.join(numbers)})" if count else name[0]
        try:
            s = lehr.ramp(100, start=1.0, to=0.25, ease=text)
        except ScheduleError:
            continue
        taken += 1
        values = [*s(np.arange(101)), *map(s, range(101)), *s(np.linspace(0, 100, 37))]
        assert 0.25 - 1e-9 <= min(values) <= max(values) <= 1 + 1e-9
