"""Hypothesis strategies that build schedules.

Three kinds, as a schedule's own length has three kinds:

* :func:`fixed` have a length of their own, of at most some hundred steps;
* :func:`endless` go on for ever;
* :func:`plans` are written in shares of a run, and :func:`runs` are such plans placed over one;
  :func:`counted_runs` have lengths in several units, and batches that change.

Everything they build is right but for one thing that depends on how parts meet: a piece may be
asked to go to the level that it is already at. That alone is thrown away; any other error that a
built schedule raises is a fault, and fails the test that drew it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import assume, reject
from hypothesis import strategies as st

import lehr
from lehr import Schedule, ScheduleError

EASES = [
    "linear",
    "cosine",
    "power(2)",
    "power(0.5)",
    "power(3.25)",
    "complement(2)",
    "complement(0.4)",
    "1-sqrt",
    "1-square",
    "quarter-cosine",
    "exponential(0.01)",
    "exponential(0.9)",
    "rex",
    "second-half-cosine",
    "mirror-cosine",
    "cosine-power(1.5)",
    "k-cosine(2)",
    "k-power(1.5, 0.8)",
    "tanh(6, 3)",
    "hyperbolic(1.25)",
    "log(1000)",
]


def built(build: Callable[[], Schedule], *, over: int | None = None) -> Schedule:
    """Build a schedule and place it; throw the example away where a piece would not move."""
    try:
        schedule = build()
        assert (schedule if over is None else schedule.over(over)).bounds
    except ScheduleError as error:
        if "write hold() to stay" in str(error):
            reject()
        raise
    return schedule


def built_unplaced(build: Callable[[], Schedule]) -> Schedule:
    """Build what no step can be asked of; throw the example away where a piece would not move."""
    try:
        schedule = build()
        assert lehr.WallClock(schedule).bounds
    except ScheduleError as error:
        if "write hold() to stay" in str(error):
            reject()
        raise
    return schedule


def _checked(strategy: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    return strategy.map(lambda schedule: built(lambda: schedule))


def levels(least: float = 0.0, most: float = 2.0) -> st.SearchStrategy[float]:
    """Levels with three decimals."""
    low, high = round(least * 1000), round(most * 1000)
    return st.integers(low, high).map(lambda thousandths: thousandths / 1000)


def steps(least: int = 0, most: int = 25) -> st.SearchStrategy[int | str | Fraction]:
    """Durations in steps, of which some are not whole."""
    return st.one_of(
        st.integers(least, most),
        st.integers(least, most),
        st.integers(10 * max(least, 1), 10 * most).map(lambda tenths: f"{tenths / 10}st"),
        st.builds(Fraction, st.integers(3 * max(least, 1), 3 * most), st.just(3)),
    )


def steady_pieces() -> st.SearchStrategy[Schedule]:
    """Pieces that move from the level that the first in a path begins at."""
    return _checked(pieces())


@st.composite
def pieces(draw: st.DrawFn, durations: st.SearchStrategy[Any] | None = None) -> Schedule:
    """A hold or a ramp of any kind, as long as is drawn from ``durations`` (else some steps)."""
    duration = draw(steps() if durations is None else durations)
    kind = draw(st.sampled_from(["hold", "ramp", "ramp", "log", "linear", "cosine", "polynomial"]))
    begin = draw(st.none() | levels())
    if kind == "hold":
        return lehr.hold(duration, at=begin)
    if kind == "log":
        # With a start of its own: the level that flows in may be 0.
        low, high = draw(levels(0.001)), draw(levels(0.001))
        assume(low != high)
        ease = draw(st.sampled_from(EASES))
        return lehr.ramp(duration, start=low, to=high, ease=ease, log=True)
    to = draw(levels())
    assume(begin != to)
    if kind == "ramp":
        ease = draw(st.sampled_from(EASES))
        return lehr.ramp(duration, start=begin, to=to, ease=ease)
    if kind == "polynomial":
        power = draw(st.integers(1, 40).map(lambda tenths: tenths / 10))
        return lehr.polynomial(duration, start=begin, to=to, power=power)
    return getattr(lehr, kind)(duration, start=begin, to=to)


def tables() -> st.SearchStrategy[Schedule]:
    """Tables of some values."""
    return st.lists(levels(), min_size=1, max_size=12).map(lehr.table)


def sawtooth(step: float) -> float:
    """A formula: what a user's own function may look like."""
    return 1 - (step % 7) / 7


def decaying(step: float) -> float:
    """Another formula."""
    return 1 / (1 + step / 10)


@st.composite
def decays(draw: st.DrawFn) -> Schedule:
    """An exponential or a power of the time."""
    scale = draw(steps(1))
    start = draw(st.none() | levels())
    if draw(st.booleans()):
        gamma = draw(levels(0.05, 1.1).filter(bool))
        return lehr.exponential(gamma, every=scale, start=start)
    return lehr.inverse(scale, power=draw(levels(0.05, 2.0)), start=start)


def _endless_leaves() -> st.SearchStrategy[Schedule]:
    return st.one_of(
        decays(),
        decays(),
        st.builds(lambda at: lehr.hold(at=at), st.none() | levels()),
        st.sampled_from([sawtooth, decaying]).map(lambda f: lehr.formula(f, low=0, high=1)),
    )


@st.composite
def _then(
    draw: st.DrawFn, first: st.SearchStrategy[Schedule], second: st.SearchStrategy[Schedule]
) -> Schedule:
    a, b = draw(first), draw(second)
    return built(lambda: a >> b)


@st.composite
def _arithmetic(
    draw: st.DrawFn, left: st.SearchStrategy[Schedule], right: st.SearchStrategy[Schedule]
) -> Schedule:
    a, b = draw(left), draw(right | levels(0.001))
    combine = draw(st.sampled_from([operator.mul, operator.add, operator.sub]))
    return built(lambda: combine(a, b))


@st.composite
def _sliced(draw: st.DrawFn, inner: st.SearchStrategy[Schedule]) -> Schedule:
    s = draw(inner)
    start = draw(st.integers(0, 30))
    stop = start + draw(st.integers(0, 30))
    return built(lambda: s[start:stop])


@st.composite
def _repeated(
    draw: st.DrawFn, inner: st.SearchStrategy[Schedule], times: st.SearchStrategy[int | None]
) -> Schedule:
    s = draw(_checked(inner))
    assume(s.length is not None and 0.5 <= s.length <= 60)
    count = draw(times)
    stretch = draw(st.sampled_from([1, 1, 2, 3, 1.5, Fraction(4, 3)]))
    scale = draw(st.sampled_from([1, 1, 0.5, 0.75, 1.25]))
    return built(lambda: s.repeat(count, stretch=stretch, scale=scale))


@st.composite
def _wrapped(draw: st.DrawFn, inner: st.SearchStrategy[Schedule]) -> Schedule:
    s = draw(inner)
    if draw(st.booleans()):
        width = draw(steps(1, 9))
        return built(lambda: s.every(width))
    low, high = sorted((draw(levels()), draw(levels())))
    which = draw(st.sampled_from(["low", "high", "both"]))
    if which == "both":
        return built(lambda: s.clip(low, high))
    return built(lambda: s.clip(low=low) if which == "low" else s.clip(high=high))


@st.composite
def _placed(draw: st.DrawFn, inner: st.SearchStrategy[Schedule]) -> Schedule:
    s = draw(inner)
    run = draw(st.integers(1, 60))
    # A closed run of one step has no room for a piece: its own test says what it gives.
    closed = run > 1 and draw(st.booleans())
    return built(lambda: s.over(run, closed=closed))


def _grow_fixed(inner: st.SearchStrategy[Schedule]) -> st.SearchStrategy[Schedule]:
    return st.one_of(
        _then(inner, inner),
        _then(inner, inner),
        _arithmetic(inner, inner),
        _sliced(inner | _endless_leaves()),
        _repeated(inner, st.integers(1, 4)),
        _wrapped(inner),
        _placed(inner | _endless_leaves()),
    )


def fixed(max_leaves: int = 5) -> st.SearchStrategy[Schedule]:
    """Schedules with a length of their own."""
    return _checked(st.recursive(pieces() | tables(), _grow_fixed, max_leaves=max_leaves))


def endless() -> st.SearchStrategy[Schedule]:
    """Schedules without an end."""
    child = fixed(3)
    leaves = _endless_leaves() | _repeated(child, st.none())
    return _checked(
        st.recursive(
            leaves,
            lambda inner: st.one_of(
                _then(child, inner),
                _arithmetic(inner, inner),
                _arithmetic(inner, child),
                _wrapped(inner),
            ),
            max_leaves=3,
        )
    )


def unplaced() -> st.SearchStrategy[Schedule]:
    """Schedules that may be asked for values without a run."""
    return fixed() | endless()


def shares(count: int, *, open_left: bool = False) -> st.SearchStrategy[list[str]]:
    """Shares of a run as text: exact fractions that fill it, or with ``open_left``, leave some."""
    weights = st.lists(st.integers(0, 12), min_size=count, max_size=count)
    spare = st.integers(1, 12) if open_left else st.just(0)
    return st.tuples(weights, spare).map(lambda drawn: _as_shares(*drawn))


def _as_shares(weights: list[int], spare: int) -> list[str]:
    if sum(weights) + spare == 0:
        weights = [1] * len(weights)
    return [f"{100 * weight}/{sum(weights) + spare}%" for weight in weights]


@st.composite
def plans(draw: st.DrawFn) -> Schedule:
    """A schedule in shares of the run, with at most one part that takes what is left."""
    count = draw(st.integers(1, 5))
    opened = draw(st.booleans())
    lengths = draw(shares(count, open_left=opened))
    parts = [draw(pieces(st.just(length))) for length in lengths]
    if opened:
        parts.insert(draw(st.integers(0, count)), draw(decays() | pieces(st.none())))
    return built(lambda: functools.reduce(operator.rshift, parts), over=1000)


@st.composite
def runs(draw: st.DrawFn, most: int = 200) -> Schedule:
    """A plan placed over a run, alone or under an operator."""
    plan = draw(plans())
    run = draw(st.integers(1, most))
    closed = run > 1 and draw(st.booleans())
    placed = built(lambda: plan.over(run, closed=closed))
    return draw(st.sampled_from([placed, placed.every(3), placed.clip(0.1, 1.5), placed * 2 + 0.5]))


@st.composite
def horizons(draw: st.DrawFn) -> lehr.Horizon:
    """Runs whose batches are known, as long as so many steps, samples or tokens."""
    sizes = st.integers(1, 9)
    ramps = st.builds(
        lambda steps, unit, a, b: lehr.hold(f"{steps}{unit}", at=a) >> lehr.hold(at=b),
        st.integers(1, 30),
        st.sampled_from(["st", "sa"]),
        sizes,
        sizes,
    )
    batch = draw(st.one_of(sizes, st.lists(sizes, min_size=1, max_size=20), ramps))
    # At least 40 steps, whatever the batches: there is room for some parts.
    size, unit = draw(st.sampled_from([(1, "st"), (9, "sa"), (27, "tok"), (28, "tok")]))
    return lehr.Horizon(f"{draw(st.integers(40, 80)) * size}{unit}", batch=batch, sequence=3)


@st.composite
def counted_runs(draw: st.DrawFn) -> Schedule:
    """A plan of lengths in several units, placed over a run whose batches are known."""
    horizon = draw(horizons())
    # Not both, or the shares would have to leave room for the others.
    units = st.just("%") if draw(st.booleans()) else st.sampled_from(["st", "sa", "tok"])
    lengths = st.builds(lambda amount, unit: f"{amount}{unit}", st.integers(1, 9), units)
    parts = [draw(pieces(lengths)) for _ in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        parts.append(draw(decays() | pieces(st.none())))
    return built(lambda: functools.reduce(operator.rshift, parts).over(horizon))


def schedules() -> st.SearchStrategy[Schedule]:
    """Any schedule that may be asked for values."""
    return st.one_of(fixed(), endless(), runs(), counted_runs())
