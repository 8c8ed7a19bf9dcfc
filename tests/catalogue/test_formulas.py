"""Every entry of the catalogue against its formula, as its paper or the field writes it.

The formulas below are worked out to 50 digits from the papers' own symbols, step by step; they
share no code with lehr. Parameters are drawn at random; levels and factors are used as the exact
binary numbers that they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mpf

import lehr
from helpers import PEAK_RELATIVE
from lehr import ENTRIES, Schedule

mpmath.mp.dps = 50
pi = mpmath.pi

level = st.floats(0, 3).map(lambda x: round(x, 4))
positive = st.floats(0.001, 3).map(lambda x: round(x, 4))
factor = st.floats(0.05, 0.999).map(lambda x: round(x, 4))
count = st.integers(1, 500)
step = st.integers(0, 1_200)


def agrees(schedule: Schedule, t: int, exact: mpf, peak: float = 1.0) -> None:
    """Check one step's value against its formula, relative to the peak."""
    assert abs(schedule(t) - exact) <= PEAK_RELATIVE * max(abs(peak), 1e-300), (schedule, t)


def done(t: int, start: int, length: int) -> mpf:
    return mpf(t - start) / length


TESTED = set[str]()


def covers(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Note down which entries a test is about, so that none is forgotten."""
    TESTED.update(names)
    return lambda test: test


# ----- decay ------------------------------------------------------------------------------------


@covers("constant")
@given(level, step)
def test_constant(value: float, t: int) -> None:
    assert lehr.constant(value)(t) == value


@covers("step")
@given(count, positive, step)
def test_step(every: int, gamma: float, t: int) -> None:
    assume(gamma <= 1)
    agrees(lehr.step(every, gamma=gamma), t, mpf(gamma) ** (t // every))


@covers("step")
@given(st.integers(1, 99), factor, st.integers(1, 300), st.data())
def test_step_of_a_share(percent: int, gamma: float, run: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, run - 1))
    every = Fraction(percent * run, 100)
    agrees(lehr.step(f"{percent}%", gamma=gamma).over(run), t, mpf(gamma) ** (t // every))


@covers("multistep")
@given(st.lists(st.integers(0, 300), max_size=6).map(sorted), factor, step)
def test_multistep(milestones: list[int], gamma: float, t: int) -> None:
    passed = sum(milestone <= t for milestone in milestones)
    agrees(lehr.multistep(milestones, gamma=gamma), t, mpf(gamma) ** passed)


@covers("multistep")
@given(st.lists(st.integers(1, 99), max_size=4).map(sorted), st.integers(1, 200), st.data())
def test_multistep_of_shares(percents: list[int], run: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, run - 1))
    s = lehr.multistep([f"{percent}%" for percent in percents], gamma=0.5).over(run)
    passed = sum(math.floor(Fraction(p * run, 100) + Fraction(1, 2)) <= t for p in percents)
    agrees(s, t, mpf(0.5) ** passed)


@covers("exponential")
@given(factor, count, positive, step)
def test_exponential(gamma: float, every: int, start: float, t: int) -> None:
    s = lehr.exponential(gamma, every=every, start=start)
    agrees(s, t, start * mpf(gamma) ** (mpf(t) / every), start)


@covers("inverse")
@given(count, positive, positive, step)
def test_inverse(tau: int, power: float, start: float, t: int) -> None:
    s = lehr.inverse(tau, power=power, start=start)
    agrees(s, t, start * (1 + mpf(t) / tau) ** -mpf(power), start)


@covers("inverse")
@given(st.integers(1, 400), st.integers(0, 5_000))
def test_the_schedule_of_the_transformer(warmup: int, t: int) -> None:
    # Vaswani et al. (2017): min(n ** -0.5, n * warmup ** -1.5), over its peak warmup ** -0.5.
    exact = min(mpf(t) / warmup, mpmath.sqrt(mpf(warmup) / t) if t else mpf(1))
    agrees(lehr.warmup(warmup) >> lehr.inverse(warmup, power=0.5), t, exact)


@covers("linear")
@given(count, level, level, st.data())
def test_linear(length: int, start: float, to: float, data: st.DataObject) -> None:
    assume(start != to)
    t = data.draw(st.integers(0, length))
    u = done(t, 0, length)
    agrees(
        lehr.linear(length, start=start, to=to), t, start + (to - mpf(start)) * u, max(start, to)
    )


@covers("polynomial")
@given(count, positive, level, level, st.data())
def test_polynomial(
    length: int, power: float, start: float, to: float, data: st.DataObject
) -> None:
    assume(start != to)
    t = data.draw(st.integers(0, length))
    exact = mpf(to) + (mpf(start) - to) * (1 - done(t, 0, length)) ** mpf(power)
    s = lehr.polynomial(length, power=power, start=start, to=to)
    agrees(s, t, exact, max(start, to))


@covers("cosine")
@given(count, level, level, st.data())
def test_cosine(length: int, start: float, to: float, data: st.DataObject) -> None:
    assume(start != to)
    t = data.draw(st.integers(0, length))
    exact = mpf(to) + (mpf(start) - to) / 2 * (1 + mpmath.cos(pi * done(t, 0, length)))
    agrees(lehr.cosine(length, start=start, to=to), t, exact, max(start, to))


@covers("geometric")
@given(count, positive, positive, st.data())
def test_geometric(length: int, start: float, to: float, data: st.DataObject) -> None:
    assume(start != to)
    t = data.draw(st.integers(0, length))
    exact = start * (mpf(to) / start) ** done(t, 0, length)
    agrees(lehr.geometric(length, start=start, to=to), t, exact, max(start, to))


# ----- warmup -----------------------------------------------------------------------------------


@covers("warmup")
@given(count, level, level, step)
def test_warmup(length: int, start: float, to: float, t: int) -> None:
    assume(start != to)
    s = lehr.warmup(length, start=start, to=to) >> lehr.hold()
    agrees(s, t, start + (to - mpf(start)) * min(mpf(1), mpf(t) / length), max(start, to))


# ----- cycles -----------------------------------------------------------------------------------


def restart(t: int, first: int, stretch: Fraction) -> tuple[int, Fraction, Fraction]:
    """Return the number of the cycle (from 0), the steps since it began and its length."""
    cycle, begin, length = 0, Fraction(0), Fraction(first)
    while t >= begin + length:
        cycle, begin, length = cycle + 1, begin + length, length * stretch
    return cycle, t - begin, length


@covers("warm_restarts")
@given(
    st.integers(1, 60),
    st.sampled_from([1, 2, 3, 1.5]),
    st.floats(0.3, 1.0).map(lambda x: round(x, 3)),
    level,
    positive,
    step,
)
def test_warm_restarts(
    first: int, stretch: float, decay: float, floor: float, height: float, t: int
) -> None:
    peak = floor + height
    s = lehr.warm_restarts(first, T_mult=stretch, decay=decay, floor=floor, peak=peak)
    cycle, into, length = restart(t, first, Fraction(stretch))
    share = mpf(into.numerator) / into.denominator * length.denominator / length.numerator
    amplitude = (mpf(peak) - floor) * mpf(decay) ** cycle
    agrees(s, t, floor + amplitude * (1 + mpmath.cos(pi * share)) / 2, peak)


@covers("warm_restarts")
@given(st.integers(1, 100), st.integers(1, 400), st.data())
def test_warm_restarts_of_a_share(percent: int, run: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, run - 1))
    length = Fraction(percent * run, 100)
    into = t % length
    share = mpf(into.numerator) / into.denominator * length.denominator / length.numerator
    s = lehr.warm_restarts(f"{percent}%").over(run)
    agrees(s, t, (1 + mpmath.cos(pi * share)) / 2)


def triangle(t: int, up: int) -> tuple[int, mpf]:
    """Smith (2015): the cycle (from 1), and the height from 0 to 1."""
    cycle = math.floor(1 + Fraction(t, 2 * up))
    x = abs(mpf(t) / up - 2 * cycle + 1)
    return cycle, max(mpf(0), 1 - x)


def sawtooth(t: int, up: int, down: int) -> tuple[int, mpf]:
    """The cycle (from 1) and the height where down differs from up, as torch's CyclicLR has it."""
    cycle, into = divmod(t, up + down)
    height = mpf(into) / up if into <= up else mpf(up + down - into) / down
    return cycle + 1, height


@covers("triangular", "cyclic")
@given(st.integers(1, 60), level, positive, step)
def test_triangular(up: int, floor: float, height: float, t: int) -> None:
    peak = floor + height
    exact = floor + (mpf(peak) - floor) * triangle(t, up)[1]
    agrees(lehr.triangular(up, floor=floor, peak=peak), t, exact, peak)
    agrees(lehr.cyclic(up, floor=floor, peak=peak), t, exact, peak)


@covers("triangular", "cyclic")
@given(st.integers(1, 60), st.integers(1, 60), step)
def test_triangular_with_a_fall_of_its_own(up: int, down: int, t: int) -> None:
    agrees(lehr.triangular(up, down), t, sawtooth(t, up, down)[1])
    agrees(lehr.cyclic(up, down), t, sawtooth(t, up, down)[1])


@covers("triangular2")
@given(st.integers(1, 60), level, positive, step)
def test_triangular2(up: int, floor: float, height: float, t: int) -> None:
    peak = floor + height
    cycle, shape = triangle(t, up)
    exact = floor + (mpf(peak) - floor) * shape / mpf(2) ** (cycle - 1)
    agrees(lehr.triangular2(up, floor=floor, peak=peak), t, exact, peak)


@covers("exp_range")
@given(st.integers(1, 60), factor, st.integers(1, 50), level, positive, step)
def test_exp_range(up: int, gamma: float, every: int, floor: float, height: float, t: int) -> None:
    peak = floor + height
    exact = floor + (mpf(peak) - floor) * triangle(t, up)[1] * mpf(gamma) ** (mpf(t) / every)
    agrees(lehr.exp_range(up, gamma=gamma, every=every, floor=floor, peak=peak), t, exact, peak)


@covers("cyclic")
@given(st.integers(1, 60), level, positive, step)
def test_cyclic_scaled_by_the_cycle(up: int, floor: float, height: float, t: int) -> None:
    # The function of Smith's CLR code for Keras: base + (max - base) * x * scale_fn(cycle).
    peak = floor + height
    cycle, shape = triangle(t, up)
    s = lehr.cyclic(up, floor=floor, peak=peak, scale_fn=lambda c: 1 / (5 ** (c * 0.0001)))
    exact = floor + (mpf(peak) - floor) * shape / mpf(5) ** (cycle * mpf(0.0001))
    agrees(s, t, exact, peak)
    sines = lehr.cyclic(up, scale_fn=lambda c: 0.5 * (1 + math.sin(c * math.pi / 2)))
    agrees(sines, t, shape * (1 + mpmath.sin(cycle * mpf(math.pi) / 2)) / 2)


@covers("cyclic")
@given(st.integers(1, 60), st.integers(1, 60), step)
def test_the_function_is_given_the_number_of_the_cycle(up: int, down: int, t: int) -> None:
    cycle, shape = sawtooth(t, up, down)
    agrees(lehr.cyclic(up, down, scale_fn=lambda c: 1 / c), t, shape / cycle)
    seen: list[object] = []

    def scale_fn(c: object) -> float:
        seen.append(c)
        return 1.0

    s = lehr.cyclic(up, down, scale_fn=scale_fn)
    seen.clear()
    s(t)
    assert seen == [cycle]
    assert type(seen[0]) is int


@covers("cyclic")
@given(st.integers(1, 60), factor, level, positive, step)
def test_cyclic_scaled_by_the_step(
    up: int, gamma: float, floor: float, height: float, t: int
) -> None:
    peak = floor + height
    s = lehr.cyclic(
        up, floor=floor, peak=peak, scale_fn=lambda i: gamma**i, scale_mode="iterations"
    )
    agrees(s, t, floor + (mpf(peak) - floor) * triangle(t, up)[1] * mpf(gamma) ** t, peak)


# ----- phases -----------------------------------------------------------------------------------


def trapezoid(t: int, up: int, held: int, down: int, f: Callable[[mpf], mpf]) -> mpf:
    """The height from 0 to 1: up by f, held, and down by the mirror of f."""
    if t < up:
        return f(mpf(t) / up)
    if t < up + held:
        return f(mpf(1))
    if t < up + held + down:
        return f(mpf(1)) if t == up + held else 1 - f(mpf(t - up - held) / down)
    return mpf(0)


@covers("trapezoid")
@given(
    st.integers(1, 99), st.integers(0, 99), st.integers(1, 99), level, positive, st.integers(0, 300)
)
def test_trapezoid(up: int, held: int, down: int, floor: float, height: float, t: int) -> None:
    peak = floor + height
    s = lehr.trapezoid(up, down, hold_for=held, floor=floor, peak=peak)
    exact = floor + (mpf(peak) - floor) * trapezoid(t, up, held, down, lambda u: u)
    agrees(s, t, exact, peak)


@covers("trapezoid")
@given(st.integers(1, 150), st.integers(0, 100), st.data())
def test_trapezoid_of_a_run(ramp: int, held: int, data: st.DataObject) -> None:
    # Xing et al. (2018): min(1, t / s, (T - t) / s).
    run = 2 * ramp + held
    t = data.draw(st.integers(0, run))
    exact = min(mpf(1), mpf(t) / ramp, mpf(run - t) / ramp)
    agrees(lehr.trapezoid(f"{100 * ramp}/{run}%").over(run), t, exact)
    agrees(lehr.trapezoid(ramp).over(run), t, exact)


@covers("trapezoid")
@given(st.integers(1, 99), st.integers(0, 99), level, positive, st.integers(0, 300))
def test_trapezoid_by_a_function(up: int, held: int, floor: float, height: float, t: int) -> None:
    # TLR as a Keras callback: base + (max - base) * scale_fn(share), then the peak, then the mirror
    # of the rise: max - (max - base) * scale_fn(share of the fall).
    peak = floor + height
    s = lehr.trapezoid(
        up,
        hold_for=held,
        floor=floor,
        peak=peak,
        scale_fn=lambda x: 0.5 * (1 - math.cos(math.pi * x)),
    )
    shape = trapezoid(t, up, held, up, lambda x: (1 - mpmath.cos(pi * x)) / 2)
    agrees(s, t, floor + (mpf(peak) - floor) * shape, peak)


@covers("trapezoid")
@given(st.integers(1, 99), st.integers(0, 99), st.integers(0, 300))
def test_trapezoid_by_a_function_of_the_steps(up: int, held: int, t: int) -> None:
    s = lehr.trapezoid(up, hold_for=held, scale_fn=lambda n: n / up, scale_mode="iterations")
    agrees(s, t, trapezoid(t, up, held, up, lambda u: u))
    squares = lehr.trapezoid(
        up, hold_for=held, scale_fn=lambda n: (n / up) ** 2, scale_mode="iterations"
    )
    agrees(squares, t, trapezoid(t, up, held, up, lambda u: u**2))


@covers("trapezoid")
@pytest.mark.parametrize(
    ("ease", "fall"),
    [
        ("cosine", lambda u: (1 + mpmath.cos(pi * u)) / 2),
        ("power(2)", lambda u: (1 - u) ** 2),
        ("1-sqrt", lambda u: 1 - mpmath.sqrt(u)),
    ],
)
def test_trapezoid_by_an_ease(ease: str, fall: Callable[[mpf], mpf]) -> None:
    s = lehr.trapezoid(30, 50, hold_for=20, ease=ease)
    for t in range(110):
        agrees(s, t, trapezoid(t, 30, 20, 50, lambda u: 1 - fall(u)))


def between(start: mpf, to: mpf, u: mpf, ease: str) -> mpf:
    """torch's _annealing_cos and _annealing_linear."""
    if ease == "cosine":
        return to + (start - to) / 2 * (1 + mpmath.cos(pi * u))
    return start + (to - start) * u


def phases(t: int, ends: Iterable[int], levels: list[mpf], ease: str) -> mpf:
    begin = 0
    for index, end in enumerate(ends):
        if t < end:
            return between(levels[index], levels[index + 1], done(t, begin, end - begin), ease)
        begin = end
    return levels[-1]


def rounded(share: Fraction) -> int:
    return math.floor(share + Fraction(1, 2))


@covers("one_cycle")
@given(
    st.integers(1, 50).map(lambda percent: percent / 100),
    st.floats(1.5, 100).map(lambda x: round(x, 3)),
    st.floats(1.5, 1e5).map(lambda x: round(x, 3)),
    st.booleans(),
    st.sampled_from(["cosine", "linear"]),
    positive,
    st.integers(2, 300),
    st.data(),
)
def test_one_cycle(
    pct: float,
    div: float,
    final: float,
    three: bool,
    ease: str,
    peak: float,
    run: int,
    data: st.DataObject,
) -> None:
    t = data.draw(st.integers(0, run))
    s = lehr.one_cycle(
        pct_start=pct,
        div_factor=div,
        final_div_factor=final,
        three_phase=three,
        ease=ease,
        peak=peak,
    ).over(run)
    start = mpf(peak) / mpf(div)
    end = start / mpf(final)
    share = Fraction(str(pct)) * run
    ends = [rounded(share), rounded(2 * share), run] if three else [rounded(share), run]
    levels = [start, mpf(peak), start, end] if three else [start, mpf(peak), end]
    agrees(s, t, phases(t, ends, levels, ease), peak)


@covers("one_cycle")
@given(
    st.integers(1, 50).map(lambda percent: percent / 100),
    st.booleans(),
    st.sampled_from(["cosine", "linear"]),
    st.integers(2, 300),
    st.data(),
)
def test_one_cycle_momentum(
    pct: float, three: bool, ease: str, run: int, data: st.DataObject
) -> None:
    t = data.draw(st.integers(0, run))
    low, high = 0.6, 0.99
    s = lehr.one_cycle_momentum(
        pct_start=pct, base_momentum=low, max_momentum=high, three_phase=three, ease=ease
    ).over(run)
    share = Fraction(str(pct)) * run
    ends = [rounded(share), rounded(2 * share)] if three else [rounded(share), run]
    agrees(s, t, phases(t, ends, [mpf(high), mpf(low), mpf(high)], ease))


@covers("wsd")
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 60),
    st.sampled_from(["1-sqrt", "linear", "cosine"]),
    positive,
    factor,
    st.integers(0, 250),
)
def test_wsd(
    warm: int, decay: int, stable: int, ease: str, peak: float, share: float, t: int
) -> None:
    floor = peak * share
    assume(floor < peak)
    shapes: dict[str, Callable[[mpf], mpf]] = {
        "1-sqrt": lambda u: 1 - mpmath.sqrt(u),
        "linear": lambda u: 1 - u,
        "cosine": lambda u: (1 + mpmath.cos(pi * u)) / 2,
    }
    if t < warm:
        exact = mpf(peak) * t / warm
    elif t < warm + stable:
        exact = mpf(peak)
    else:
        u = min(mpf(1), done(t, warm + stable, decay))
        exact = floor + (mpf(peak) - floor) * shapes[ease](u)
    s = lehr.wsd(warm, decay, stable=stable, floor=floor, peak=peak, ease=ease)
    agrees(s, t, exact, peak)
    agrees(
        lehr.wsd(warm, decay, floor=floor, peak=peak, ease=ease).over(warm + stable + decay),
        t,
        exact,
        peak,
    )


def test_no_entry_is_without_a_test_of_its_numbers() -> None:
    assert set(ENTRIES) >= TESTED
    here = Path(__file__).parent
    others = "".join(path.read_text() for path in here.glob("*.py"))
    missing = {name for name in ENTRIES if not re.search(rf"\b{name}\b", others)}
    assert missing - TESTED == set()


# ----- the papers' own numbers ------------------------------------------------------------------


def test_the_numbers_that_the_papers_give() -> None:
    # He et al. (2015): divided by 10 at 32k and 48k of 64k iterations.
    resnet = lehr.multistep([32_000, 48_000]) * 0.1
    assert [resnet(t) for t in (31_999, 32_000, 47_999, 48_000)] == pytest.approx(
        [0.1, 0.01, 0.01, 0.001], rel=1e-15
    )
    # Loshchilov and Hutter (2016): T_0 = 10, T_mult = 2 restarts at 10, 30, 70, 150.
    sgdr = lehr.warm_restarts(10, T_mult=2)
    peaks = [t for t in range(200) if sgdr(t) == 1.0]
    assert peaks == [0, 10, 30, 70, 150]
    # Smith (2015), CIFAR-10: between 0.001 and 0.006 with a step size of 2,000.
    clr = lehr.triangular(2_000, floor=0.001, peak=0.006)
    assert [clr(t) for t in (0, 1_000, 2_000, 4_000, 6_000)] == pytest.approx(
        [0.001, 0.0035, 0.006, 0.001, 0.006], rel=1e-14
    )
    # Goyal et al. (2017): from 0.1 to 3.2 in 5 epochs, then a tenth at 30, 60 and 80 of 90.
    goyal = lehr.warmup("5ep", start=0.1, to=3.2) >> lehr.multistep(["25ep", "55ep", "75ep"]) * 3.2
    run = goyal.over("90ep", steps_per_epoch=156)
    assert [run(epoch * 156) for epoch in (0, 5, 29, 30, 60, 80)] == pytest.approx(
        [0.1, 3.2, 3.2, 0.32, 0.032, 0.0032], rel=1e-14
    )
