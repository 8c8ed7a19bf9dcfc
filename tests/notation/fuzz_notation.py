"""A search for texts and dicts that break the notation.

Anything at all is given to ``parse``, ``from_dict`` and ``from_json``. It may be refused, by an
error of lehr's own. What is not refused must come back from its own text and JSON, and must be
quick to place and to evaluate.

It runs for a minute;
``LEHR_FUZZ_SECONDS=3600 pytest tests/notation/fuzz_notation.py`` searches for an hour.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import lehr
import strategies
from lehr import Schedule, ScheduleError

# Hypothesis warns where it happens not to draw from the recursive side for a while.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning"),
]

SECONDS = float(os.environ.get("LEHR_FUZZ_SECONDS", "60"))
SLOW = 10.0
"""Seconds of work after which an input is a fault."""

MEMORY = 3 * 2**30
TOO_MUCH = ("nested", "more than", "at most", "too large", "characters")
"""The words in the refusal of a text that is only too long or too deep."""


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def search(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], share: float) -> None:
    """Draw from a strategy, each time anew, for a share of the time that there is."""
    until = time.monotonic() + SECONDS * share
    tried = 0
    while time.monotonic() < until:

        @seed(random.SystemRandom().getrandbits(64))
        @settings(
            max_examples=200,
            derandomize=False,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @given(strategy)
        def draw(drawn: Any) -> None:
            nonlocal tried
            tried += 1
            check(drawn)

        draw()
    print(f"{tried} inputs")


def is_boring(read: Callable[[Any], Schedule], given_: Any) -> None:
    """Check that what is given is refused, or is as good as any other schedule."""
    began = time.process_time()
    with contextlib.suppress(ScheduleError):
        comes_back(read(given_))
    assert time.process_time() - began < SLOW


def comes_back(schedule: Schedule) -> None:
    try:
        assert lehr.parse(repr(schedule)) == schedule
        assert lehr.from_json(schedule.to_json()) == schedule
    except ScheduleError as error:
        # A short text may build what is too long to be written out.
        if not any(words in str(error) for words in TOO_MUCH):
            raise AssertionError(f"{schedule!r} cannot be read: {error}") from error
    with np.errstate(all="ignore"), contextlib.suppress(lehr.NeedsClock):
        run = schedule.over(1_000)
        for step in (0, 1, 499, 999, 1_000):
            run(step)
        run(np.arange(1_001))


# ----- texts --------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-3, 300).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(0, 1).map(repr),
    st.sampled_from(
        ["0", "0.0", "-0.0", "1e-323", "1e308", "1e999", "9" * 19, "9" * 400, "2**9", "1_000", "07"]
    ),
    st.integers(-(2**70), 2**70).map(str),
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "20%",
            "0%",
            "100%",
            "3ep",
            "4.1st",
            "2Mtok",
            "1.5ksa",
            "90min",
            "1/7s",
            "9999Tsa",
            "1e9tok",
            "1/3%",
            "7/3st",
            "1e9",
            "1e400%",
            "٣%",
            "1" * 99 + "%",
        ]
    ),
    st.sampled_from(strategies.EASES),
    st.sampled_from(["power(1e300)", "power(nan)", "exponential(1e-320)", "tanh(1,20)", "fuzz"]),
    st.sampled_from(["fuzz(steps)", "hold", "raise", "cycle", "4/3", "", "no"]),
    st.text(max_size=8),
).map(repr)
WORDS = st.sampled_from(["None", "True", "False", "lehr", "__import__", "lambda: 0", "...", "x"])
ATOMS = st.one_of(
    NUMBERS,
    NUMBERS,
    TEXTS,
    TEXTS,
    WORDS,
    st.lists(NUMBERS | TEXTS, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
)
FUNCTIONS = {name: entry.function for name, entry in lehr.ENTRIES.items()} | {
    name: getattr(lehr, name) for name in ("hold", "ramp", "table", "formula", "one_cycle_momentum")
}
METHODS = ("repeat", "every", "clip", "over")


@st.composite
def calls(draw: st.DrawFn, function: Callable[..., Any], name: str) -> str:
    arguments = [
        f"{parameter.name}={draw(arguments_for(parameter))}"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
        and (parameter.default is parameter.empty or draw(st.integers(0, 3)) == 0)
    ]
    if draw(st.integers(0, 30)) == 13:
        arguments.insert(0, draw(ATOMS))
    return f"{name}({', '.join(arguments)})"


@st.composite
def arguments_for(draw: st.DrawFn, parameter: inspect.Parameter) -> str:
    """Mostly what an argument may be, by its annotation's text, lest all be refused alike."""
    if draw(st.integers(0, 40)) == 13:
        return draw(ATOMS)
    hint = str(parameter.annotation)
    likely = st.integers(1, 9).map(str)
    if "Batch" in hint:
        sizes = st.integers(-1, 99)
        ramps = ["hold(9, at=2) >> hold(at=4)", "linear('99sa', start=1, to=9)", "cosine(9, to=2)"]
        texts = st.one_of(sizes, st.lists(sizes, max_size=4)).map(str) | st.sampled_from(ramps)
        return draw(texts)
    if "Schedule" in hint:
        return draw(st.sampled_from(["cosine()", "warmup(5) >> hold()", "table([1, 2])"]))
    if "Literal" in hint:
        likely = st.sampled_from(["'hold'", "'raise'"])
    elif "Ease" in hint:
        likely = st.sampled_from([*strategies.EASES, "fuzz", "fuzz(steps)"]).map(repr)
    elif "Callable" in hint:
        likely = st.just("'fuzz'")
    elif "DurationLike" in hint or "HorizonLike" in hint:
        likely = st.one_of(
            st.integers(1, 400).map(str),
            st.sampled_from(["'20%'", "'1/3%'", "'7/3st'", "0.1", "'0.00001st'", "10**9"]),
            st.sampled_from(["'90sa'", "'2ktok'", "'9Mtok'", "'1ep'", "'1/7tok'", "'3s'", "'1h'"]),
        )
    elif "bool" in hint:
        likely = st.sampled_from(["True", "False"])
    elif "float" in hint:
        likely = st.one_of(
            st.integers(1, 99).map(lambda hundredths: repr(hundredths / 100)),
            st.floats(0.001, 50).map(repr),
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
        )
    if "Sequence" in hint or "Iterable" in hint:
        likely = st.lists(likely, max_size=5).map(lambda items: f"[{', '.join(items)}]")
    return draw(likely)


def leaf_texts() -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(FUNCTIONS)).flatmap(lambda name: calls(FUNCTIONS[name], name))


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joints = st.sampled_from([" >> ", " >> ", " >> ", " * ", " + ", " - "])
    ends = st.one_of(st.just(""), st.integers(0, 300).map(str), st.just("'10%'"))
    methods = st.sampled_from(METHODS).flatmap(lambda name: calls(getattr(Schedule, name), name))
    numbers = st.integers(1, 99).map(lambda tenths: repr(tenths / 10)) | NUMBERS
    right = st.one_of(
        st.builds("({}){}({})".format, inner, joints, inner),
        st.builds("({}){}({})".format, inner, joints, inner),
        st.builds("({}) {} {}".format, inner, st.sampled_from("*+-/"), numbers),
        st.builds("{} {} ({})".format, numbers, st.sampled_from("*+-"), inner),
        st.builds("({}).{}".format, inner, methods),
        st.builds("({}).{}".format, inner, methods),
        st.builds("({})[{}:{}]".format, inner, ends, ends),
        inner.map("-({})".format),
    )
    wrong = st.builds("{}{}{}".format, inner, st.sampled_from([" ** ", ", ", " / ", "; "]), ATOMS)
    return st.integers(0, 40).flatmap(lambda drawn: wrong if drawn == 13 else right)


def texts() -> st.SearchStrategy[str]:
    return st.recursive(leaf_texts(), grow, max_leaves=8)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A right text, somewhat spoilt."""
    good = strategies.unplaced() | strategies.counted_runs()
    text = draw(st.one_of(good.map(repr), texts()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = draw(st.integers(at, min(len(text), at + 6)))
        middle = draw(st.one_of(st.just(""), ATOMS, st.text(max_size=3), st.just(text[at:to] * 9)))
        text = text[:at] + middle + text[to:]
    return text


# ----- trees --------------------------------------------------------------------------------------

FIELDS = sorted({"lehr", "kind", "inner", "parts", "left", "right", "steps", "start", "to", "ease"})
FIELDS += ["log", "form", "rate", "scale", "entries", "function", "per", "low", "high", "stop"]
FIELDS += ["times", "stretch", "horizon", "closed", "past", "length", "steps_per_epoch"]
FIELDS += ["samples_per_epoch", "batch", "sequence"]
KINDS = ["piece", "decay", "table", "formula", "sequence", "product", "sum", "slice", "repeat"]
KINDS += ["every", "clip", "over", "no"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 400),
    st.floats(),
    st.floats(0, 1),
    st.sampled_from([2**63, 10**400, b"", (), object]),
    # Python does not print so large a number, and Hypothesis would like to.
    st.builds(lambda: -(10**5000)),
    TEXTS.map(lambda text: text[1:-1]),
    st.sampled_from(KINDS),
)


def trees() -> st.SearchStrategy[Any]:
    return st.recursive(
        VALUES,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.sampled_from(FIELDS) | VALUES.filter(_hashable), inner, max_size=5),
            st.builds(
                lambda kind, rest: {"lehr": 1, **rest, "kind": kind},
                st.sampled_from(KINDS),
                st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
            ),
        ),
        max_leaves=12,
    )


def _hashable(value: Any) -> bool:
    return value.__hash__ is not None


@st.composite
def spoilt_trees(draw: st.DrawFn) -> Any:
    """The tree of a right schedule in which some values are others."""
    good = strategies.unplaced() | strategies.counted_runs()
    tree = draw(good.filter(_has_text).map(Schedule.to_dict))
    for _ in range(draw(st.integers(1, 2))):
        node: Any = tree
        while True:
            keys = [key for key in node if key != "lehr"] if isinstance(node, dict) else node
            key = draw(st.sampled_from(keys if isinstance(node, dict) else range(len(node))))
            child = node[key]
            if isinstance(child, dict | list) and child and draw(st.integers(0, 3)):
                node = child
                continue
            node[key] = draw(VALUES | trees())
            break
    return tree


def _has_text(schedule: Schedule) -> bool:
    return "<" not in repr(schedule)


@pytest.fixture(autouse=True, scope="module")
def fuzz_function() -> None:
    lehr.register("fuzz", fuzz)


def fuzz(u: float) -> float:
    return min(max(float(u), 0.0), 1.0)


def test_texts_from_a_grammar() -> None:
    search(texts(), lambda text: is_boring(lehr.parse, text), 0.35)


def test_spoilt_texts() -> None:
    search(mutated(), lambda text: is_boring(lehr.parse, text), 0.25)


def test_any_text() -> None:
    search(st.text(), lambda text: is_boring(lehr.parse, text), 0.03)
    search(st.text(), lambda text: is_boring(lehr.from_json, text), 0.02)


def test_trees() -> None:
    search(trees(), lambda tree: is_boring(lehr.from_dict, tree), 0.15)


def test_spoilt_trees() -> None:
    search(spoilt_trees(), lambda tree: is_boring(lehr.from_dict, tree), 0.15)


def test_spoilt_json() -> None:
    def spoil(tree: Any) -> None:
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            is_boring(lehr.from_json, json.dumps(tree))

    search(spoilt_trees(), spoil, 0.05)
