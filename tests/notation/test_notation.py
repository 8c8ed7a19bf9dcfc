"""Texts and dicts become schedules, and a mistake in one is refused at its place."""

from __future__ import annotations

import functools
import json
import math
import operator
import pickle
import subprocess
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lehr
import strategies
from lehr import (
    Horizon,
    ParseError,
    Schedule,
    ScheduleError,
    cosine,
    exponential,
    formula,
    from_dict,
    from_json,
    geometric,
    hold,
    inverse,
    linear,
    parse,
    polynomial,
    ramp,
    register,
    table,
    trapezoid,
    warmup,
)
from strategies import built


@register("test-halving")
def halving(n: float) -> float:
    return 0.5**n


@register("test-arrives")
def arrives(u: float) -> float:
    return u * u


def nameless(t: float) -> float:
    return 1 / (1 + t)


register("test-sawtooth", strategies.sawtooth)
register("test-decaying", strategies.decaying)


# What one types, the schedule that it means, and what that prints where it is not what was typed.
TEXTS: list[tuple[str, Schedule, str | None]] = [
    ("cosine(to=0.0)", cosine(), None),
    ("cosine()", cosine(), "cosine(to=0.0)"),
    ("lehr.cosine()", cosine(), "cosine(to=0.0)"),
    ("cosine('20%', to=0.1)", cosine("20%", to=0.1), None),
    ('cosine("20%", to=0.1)', cosine("20%", to=0.1), "cosine('20%', to=0.1)"),
    ("cosine(0.2, to=0.1)", cosine("20%", to=0.1), "cosine('20%', to=0.1)"),
    ("cosine(steps=500, to=-1)", cosine(500, to=-1), "cosine(500, to=-1.0)"),
    ("linear('4.1st', to=0.5, start=2.0)", linear("4.1st", to=0.5, start=2.0), None),
    ("linear('1/3%', to=0.5)", linear("1/3%", to=0.5), None),
    ("polynomial('3ep', to=0.0, power=0.9)", polynomial("3ep", power=0.9), None),
    ("geometric(10, to=0.01)", geometric(10, to=0.01), None),
    ("ramp('20%', to=0.0, ease='1-sqrt')", ramp("20%", ease="1-sqrt"), None),
    (
        "ramp(9, to=0.1, start=1.0, ease='power(2)', log=True)",
        ramp(9, to=0.1, start=1, ease="power(2)", log=True),
        None,
    ),
    ("warmup(100)", warmup(100), None),
    ("warmup(100, start=0.1)", warmup(100, start=0.1), None),
    ("warmup('10%', to=0.0003)", warmup("10%", to=3e-4), None),
    ("hold()", hold(), None),
    ("hold(None)", hold(), "hold()"),
    ("hold(10, at=0.5)", hold(10, at=0.5), None),
    ("constant(0.1)", hold(at=0.1), "hold(at=0.1)"),
    ("exponential(0.5)", exponential(0.5), None),
    ("exponential(0.5, every='50%', start=2.0)", exponential(0.5, every="50%", start=2.0), None),
    ("inverse(100, power=0.5)", inverse(100, power=0.5), None),
    ("table([0.1, 0.2])", table([0.1, 0.2]), None),
    (
        "multistep([2, 4])",
        hold(2, at=1) >> hold(2, at=0.1) >> hold(at=0.1**2),
        f"hold(2, at=1.0) >> hold(2, at=0.1) >> hold(at={0.1**2!r})",
    ),
    ("formula('test-halving')", formula(halving), None),
    (
        "formula('test-halving', per=8, low=0.0, high=1.0)",
        formula(halving, per=8, low=0, high=1),
        None,
    ),
    ("ramp(5, to=0.0, ease='test-arrives')", ramp(5, to=0.0, ease=arrives), None),
    (
        "warmup(100) >> hold() >> cosine('20%', to=0.0)",
        warmup(100) >> hold() >> cosine("20%"),
        None,
    ),
    (
        "warmup(9) >> (hold(9) >> cosine(9))",
        warmup(9) >> hold(9) >> cosine(9),
        "warmup(9) >> hold(9) >> cosine(9, to=0.0)",
    ),
    (
        "\n  warmup(9)\n  >> hold(9)\n",
        warmup(9) >> hold(9),
        "warmup(9) >> hold(9)",
    ),
    ("cosine(9, to=0.5) * hold(9)", cosine(9, to=0.5) * hold(9), None),
    ("2 * cosine(9)", cosine(9) * 2, "cosine(9, to=0.0) * 2.0"),
    ("cosine(9) / 4", cosine(9) * 0.25, "cosine(9, to=0.0) * 0.25"),
    ("0.95 - cosine(9, to=0.0) * 0.1", 0.95 - cosine(9) * 0.1, None),
    ("hold(9) - cosine(9, to=0.0)", hold(9) - cosine(9), None),
    ("-cosine(9, to=0.0)", -cosine(9), None),
    ("-(hold(9) * hold(8))", -(hold(9) * hold(8)), None),
    ("-(-hold(9))", hold(9) * -1 * -1, None),
    ("hold(9) - 0.5", hold(9) + -0.5, None),
    ("hold(9) - (hold(8) - hold(7))", hold(9) - (hold(8) - hold(7)), None),
    ("hold(9) - hold(8) - hold(7)", hold(9) - hold(8) - hold(7), None),
    ("hold(9) * (hold(8) * hold(7))", hold(9) * (hold(8) * hold(7)), None),
    ("(hold(9) >> hold(8)) * 2.0", (hold(9) >> hold(8)) * 2, None),
    ("(hold(9) + 1.0) * 2.0 + 1.0", (hold(9) + 1) * 2 + 1, None),
    ("cosine(9, to=0.0)[2:4]", cosine(9)[2:4], None),
    ("cosine(9, to=0.0)[:'4.5st']", cosine(9)[:"4.5st"], None),
    ("cosine(9, to=0.0)['10%':]", cosine(9)["10%":], None),
    ("cosine(9, to=0.0)['0%':]", cosine(9)["0%":], None),
    ("cosine(9, to=0.0)[:]", cosine(9)[:], None),
    ("linear(9, to=0.0).repeat()", linear(9).repeat(), None),
    ("linear(9, to=0.0).repeat(3, stretch=2)", linear(9).repeat(3, stretch=2), None),
    (
        "linear(9, to=0.0).repeat(3, stretch=1.5, scale=0.5)",
        linear(9).repeat(3, stretch=Fraction(3, 2), scale=0.5),
        None,
    ),
    (
        "linear(9, to=0.0).repeat(3, stretch='4/3')",
        linear(9).repeat(3, stretch=Fraction(4, 3)),
        None,
    ),
    ("(warmup(4) >> linear(4, to=0.0)).repeat()", (warmup(4) >> linear(4)).repeat(), None),
    ("linear(9, to=0.0).every('10%')", linear(9).every(0.1), None),
    ("linear(9, to=0.0).clip(low=0.1)", linear(9).clip(0.1), None),
    (
        "linear(9).clip(0.1, 0.9)",
        linear(9).clip(0.1, 0.9),
        "linear(9, to=0.0).clip(low=0.1, high=0.9)",
    ),
    (
        "cosine(to=0.0).over('30ep', steps_per_epoch=118, closed=True, past='raise')",
        cosine().over(Horizon("30ep", 118), closed=True, past="raise"),
        None,
    ),
    (
        "(warmup('20%') >> cosine(to=0.0)).over(250).repeat(4)",
        (warmup(0.2) >> cosine()).over(250).repeat(4),
        None,
    ),
    (
        "one_cycle_momentum(pct_start=0.25)",
        lehr.one_cycle_momentum(pct_start=0.25),
        "cosine('25%', to=0.85, start=0.95) >> cosine(to=0.95)",
    ),
]


@pytest.mark.parametrize(("text", "schedule", "printed"), TEXTS, ids=[row[0] for row in TEXTS])
def test_a_text_is_a_schedule(text: str, schedule: Schedule, printed: str | None) -> None:
    assert parse(text) == schedule
    assert repr(schedule) == (printed or text)


@pytest.mark.parametrize("entry", lehr.ENTRIES.values(), ids=list(lehr.ENTRIES))
def test_every_entry_can_be_written_and_read(entry: lehr.Entry) -> None:
    for schedule in (entry.example, entry.example.over(1_000, closed=True), 0.5 - entry.example):
        comes_back(schedule)
    # A text may call it by its name, whoever added it.
    with pytest.raises(ParseError, match="is a function: write"):
        parse(entry.name)


# A text, the place of the caret, and what is said.
WRONG: list[tuple[str, str, str]] = [
    ("", "^", "the text is empty; write cosine()"),
    ("cosin(to=0.1)", "^", "unknown schedule 'cosin': did you mean 'cosine'?"),
    ("lehr.cosin()", "     ^", "did you mean 'cosine'?"),
    ("hold(5) >> cosin()", "           ^", "did you mean 'cosine'?"),
    ("__import__('os')", "^", "unknown schedule '__import__'"),
    ("hold() * plateau()", "         ^", "it is the feedback rule 'plateau'"),
    ("formula('nois(0.1, 3)')", "        ^", "did you mean 'noise(...)'?"),
    ("cosine(too=0.1)", "       ^", "cosine() has no argument 'too'; did you mean 'to'?"),
    ("cosine(zz=0.1)", "       ^", "it takes steps, to, start"),
    (
        "cosine('20%', 0.1)",
        "              ^",
        "1 argument without a name; write to=... or start=...",
    ),
    ("cosine(5, steps=6)", "          ^", "cosine() is given steps twice"),
    ("cosine(to=1, to=2)", "             ^", "cosine() is given to twice"),
    ("hold(9) >> warmup()", "           ^", "warmup() needs its argument steps"),
    ("cosine(10%)", "       ^", "write '10%'"),
    ("cosine(3ep)", "       ^", "write '3ep'"),
    ("cosine('20')  >> cosine(1.5)", "                        ^", "write '150%' or '1.5st'"),
    ("cosine('20 days')", "       ^", "is not a duration"),
    ("cosine(True)", "       ^", "steps=True is a bool"),
    ("cosine([1])", "       ^", "steps is one value, not a list"),
    ("cosine(hold())", "       ^", "steps=hold() is not a duration"),
    ("cosine(to='x')", "          ^", "to='x' is not a number"),
    ("cosine(to=True)", "          ^", "is a bool; write 1.0"),
    ("cosine(to=1e999)", "          ^", "is not finite"),
    ("cosine(to=1, start=1)", "^", "starts at the level 1.0"),
    ("ramp(5, ease='cosin')", "             ^", "did you mean 'cosine'?"),
    ("ramp(5, ease=2)", "             ^", "is not an ease"),
    ("ramp(5, log=1)", "            ^", "must be True or False"),
    ("table(1)", "      ^", "must be a list"),
    ("swa(5, '80%', '9%', to=1)", "    ^", "schedule=5 must be a schedule"),
    ("table([1, 'a'])", "          ^", "values[1]='a' is not a number"),
    ("multistep([1, '2.5'])", "              ^", "has no unit"),
    ("exponential(-1)", "            ^", "gamma=-1.0 must be greater than 0"),
    ("linear(9).repeat(0)", "                 ^", "times=0 must be at least 1"),
    ("linear(9).repeat(stretch='x')", "                         ^", "write 1.5 or '4/3'"),
    ("linear(9).over(9, past='rase')", "                       ^", "did you mean 'raise'?"),
    ("linear(9).evry(3)", "          ^", "did you mean 'every'?"),
    ("linear(9).values()", "          ^", "a schedule has no method 'values' here"),
    ("linear(9).every", "          ^", "every is a function: write every(...)"),
    ("cosine().__class__", "         ^", "no method '__class__'"),
    ("cosine", "^", "cosine is a function: write cosine(...)"),
    ("5", "^", "the text is 5, not a schedule"),
    ("'cosine()'", "^", "not a schedule"),
    ("[hold()]", "^", "a list, not a schedule"),
    ("5 >> hold()", "^", "5 is not a schedule: >> joins two schedules"),
    ("hold() * 'a'", "         ^", "'a' is neither a schedule nor a number"),
    ("hold() / hold()", "         ^", "a schedule cannot divide"),
    ("hold() / 0", "         ^", "has no value"),
    ("hold() * (1 / 3)", "          ^", "write the result"),
    ("hold() + True", "         ^", "neither a schedule nor a number"),
    ("+hold()", "^", "must be a minus"),
    ("hold() >> cosine()", "^", "both take the rest of the run"),
    ("hold(9)[1:5:2]", "        ^", "write s[100:] or s[100:200]"),
    ("hold(9)[1]", "        ^", "write s[100:] or s[100:200]"),
    ("hold(9)[5:2]", "        ^", "ends before it starts"),
    ("formula('tset-halving')", "        ^", "did you mean 'test-halving'?"),
    ("formula('zz')", "        ^", "test-halving"),
    ("trapezoid(5, scale_fn='zz')", "                      ^", "test-halving"),
    ("cosine(", "      ^", "'(' is never closed"),
    ("cosine)", "      ^", "')' closes nothing"),
    ("cosine(]", "       ^", "']' does not close the '('"),
    ("cosine('20%)", "       ^", "does not end on its line"),
    ("cosine() hold()", "^", "this cannot be read"),
    ("hold() >>", "         ^", "this cannot be read"),
    ("cosine(),", "^", "the text is a list, not a schedule"),
    ("cosine(*[1])", "       ^", "not part of the notation"),
    ("cosine(**{})", "       ^", "'**' has no meaning"),
    ("lambda: 0", "^", "'lambda' has no meaning"),
    ("hold() if 1 else hold()", "       ^", "'if' has no meaning"),
    ("(x := 1)", "   ^", "':=' has no meaning"),
    ("cosine(f'20%')", "        ^", "is not allowed here"),
    ("cosine('2' '0')", "           ^", "is not allowed here"),
    ("cosine('2\\x30')", "       ^", "does not end on its line"),
    ("cosine(0x10)", "       ^", "write '0x10'"),
    ("cosine(\0)", "       ^", "has no meaning"),
    ("cosine(٣)", "       ^", "has no meaning"),
    ("cosine('٣%')", "        ^", "is in no duration or name"),
    ("cosine('\ud800')", "        ^", "is in no duration or name"),
    ("hold(9)\n  >> cosin()", "     ^", "did you mean 'cosine'?"),
]


@pytest.mark.parametrize(("text", "caret", "message"), WRONG, ids=[ascii(row[0]) for row in WRONG])
def test_what_is_wrong_is_pointed_at(text: str, caret: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    said = str(caught.value).split("\n")
    assert message in said[0]
    assert said[-1] == f"  {caret}"
    begin = text.rfind("\n", 0, caught.value.place) + 1
    assert caught.value.place == begin + caret.index("^")


def test_a_long_line_is_shown_around_the_place() -> None:
    text = " >> ".join(["hold(9)"] * 100 + ["cosin()"] + ["hold(9)"] * 100)
    with pytest.raises(ParseError) as caught:
        parse(text)
    _, line, caret = str(caught.value).split("\n")
    assert line[caret.index("^") :].startswith("cosin()")
    assert len(line) < 100
    assert line.startswith("  ...")
    assert line.endswith("...")


def test_an_error_is_a_value_error_and_can_be_pickled() -> None:
    error = ParseError("no", 3)
    assert isinstance(error, ValueError)
    assert pickle.loads(pickle.dumps(error)).place == 3


# ----- round trips --------------------------------------------------------------------------------


def comes_back(schedule: Schedule) -> None:
    assert parse(repr(schedule)) == schedule
    assert from_dict(schedule.to_dict()) == schedule
    assert from_dict(json.loads(json.dumps(schedule.to_dict(), allow_nan=False))) == schedule
    assert from_json(schedule.to_json()) == schedule


class TestRoundTrip:
    @given(strategies.schedules())
    def test_any_schedule(self, schedule: Schedule) -> None:
        comes_back(schedule)

    @given(strategies.plans())
    def test_plans(self, schedule: Schedule) -> None:
        comes_back(schedule)

    @given(strategies.fixed(3), st.data())
    def test_ten_deep(self, schedule: Schedule, data: st.DataObject) -> None:
        other = built(lambda: hold(3) >> schedule)
        layers: list[Any] = [
            lambda s: s.every(3),
            lambda s: s[:"7/3st"],
            lambda s: s.clip(-5, 5),
            lambda s: -s,
            lambda s: 1 - s,
            lambda s: s - other,
            lambda s: other * s,
            lambda s: other + s,
            lambda s: s.over(9),
            lambda s: s >> hold(2),
            lambda s: (s >> hold(2)).repeat(3, stretch="4/3"),
        ]
        for layer in data.draw(st.lists(st.sampled_from(layers), min_size=10, max_size=10)):
            inner = schedule
            schedule = built(functools.partial(layer, inner))
        comes_back(schedule)

    @given(st.fractions(0, 10**6, max_denominator=10**12), st.sampled_from(["st", "%", "ep"]))
    def test_durations(self, amount: Fraction, unit: str) -> None:
        duration = lehr.Duration(amount, unit)
        assert lehr.Duration.of(str(duration)) == duration
        comes_back(hold(duration))

    @given(st.floats(1e-9, 1.0))
    def test_shares(self, share: float) -> None:
        comes_back(hold(share))

    @given(st.fractions(Fraction(1, 9), 9, max_denominator=10**9))
    def test_stretches(self, stretch: Fraction) -> None:
        comes_back(linear(9).repeat(2, stretch=stretch))

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_levels(self, at: float) -> None:
        comes_back(hold(at=at) * at)

    @given(st.floats(1e-6, 20))
    def test_parameters_of_eases(self, power: float) -> None:
        comes_back(ramp(9, to=0.5, ease=f"power({power!r})", log=True))

    def test_a_thousand_pieces(self) -> None:
        parts = [linear(3, start=0.0, to=1 + i) for i in range(1_000)]
        comes_back(functools.reduce(operator.rshift, parts[1:10], parts[0]))
        comes_back(parse(" >> ".join(map(repr, parts))))

    def test_a_long_table(self) -> None:
        comes_back(table([i / 7 for i in range(4_000)]))


# ----- dicts --------------------------------------------------------------------------------------

# Written by hand, from the conventions: defaults left out, durations as whole steps or text, eases
# as text, exact fractions, no infinities.
TREES: list[tuple[Schedule, dict[str, Any]]] = [
    (cosine("20%"), {"kind": "piece", "steps": "20%", "to": 0.0, "ease": "cosine"}),
    (hold(), {"kind": "piece"}),
    (hold(500, at=0.5), {"kind": "piece", "steps": 500, "start": 0.5}),
    (warmup("4.1st"), {"kind": "piece", "steps": "4.1st", "start": 0.0, "to": 1.0}),
    (geometric("3ep", to=0.01), {"kind": "piece", "steps": "3ep", "to": 0.01, "log": True}),
    (polynomial(9, power=2.5), {"kind": "piece", "steps": 9, "to": 0.0, "ease": "power(2.5)"}),
    (
        exponential(0.5, every="1/3%"),
        {"kind": "decay", "form": "exponential", "rate": 0.5, "scale": "1/3%"},
    ),
    (
        inverse(9, start=2),
        {"kind": "decay", "form": "inverse", "rate": 1.0, "scale": 9, "start": 2.0},
    ),
    (table([1, 0.5]), {"kind": "table", "entries": [1.0, 0.5]}),
    (formula(halving), {"kind": "formula", "function": "test-halving"}),
    (
        formula("test-halving", per="7/3st", low=0),
        {"kind": "formula", "function": "test-halving", "per": "7/3st", "low": 0.0},
    ),
    (
        warmup(5) >> linear(),
        {
            "kind": "sequence",
            "parts": [
                {"kind": "piece", "steps": 5, "start": 0.0, "to": 1.0},
                {"kind": "piece", "to": 0.0},
            ],
        },
    ),
    (hold(5) * 2, {"kind": "product", "left": {"kind": "piece", "steps": 5}, "right": 2.0}),
    (
        hold(5) + hold(6),
        {
            "kind": "sum",
            "left": {"kind": "piece", "steps": 5},
            "right": {"kind": "piece", "steps": 6},
        },
    ),
    (hold(5)[1:], {"kind": "slice", "inner": {"kind": "piece", "steps": 5}, "start": 1}),
    (hold(5)[:"2.5st"], {"kind": "slice", "inner": {"kind": "piece", "steps": 5}, "stop": "2.5st"}),
    (hold(5).repeat(), {"kind": "repeat", "inner": {"kind": "piece", "steps": 5}}),
    (
        hold(5).repeat(3, stretch="4/3", scale=0.5),
        {
            "kind": "repeat",
            "inner": {"kind": "piece", "steps": 5},
            "times": 3,
            "stretch": "4/3",
            "scale": 0.5,
        },
    ),
    (
        hold(5).repeat(3, stretch=1.5),
        {"kind": "repeat", "inner": {"kind": "piece", "steps": 5}, "times": 3, "stretch": 1.5},
    ),
    (hold(5).every(2), {"kind": "every", "inner": {"kind": "piece", "steps": 5}, "steps": 2}),
    (hold(5).clip(high=0.5), {"kind": "clip", "inner": {"kind": "piece", "steps": 5}, "high": 0.5}),
    (hold().over(9), {"kind": "over", "inner": {"kind": "piece"}, "horizon": 9}),
    (
        hold().over("3ep", steps_per_epoch=7, closed=True, past="raise"),
        {
            "kind": "over",
            "inner": {"kind": "piece"},
            "horizon": {"length": "3ep", "steps_per_epoch": 7},
            "closed": True,
            "past": "raise",
        },
    ),
    (
        hold().over("2Gtok", batch=[16, 32], sequence=4096),
        {
            "kind": "over",
            "inner": {"kind": "piece"},
            "horizon": {"length": "2Gtok", "batch": [16, 32], "sequence": 4096},
        },
    ),
    (
        hold("10ksa").over(9, batch=hold("1ksa", at=4) >> hold(at=8)),
        {
            "kind": "over",
            "inner": {"kind": "piece", "steps": "10ksa"},
            "horizon": {
                "length": 9,
                "batch": {
                    "kind": "sequence",
                    "parts": [
                        {"kind": "piece", "steps": "1ksa", "start": 4.0},
                        {"kind": "piece", "start": 8.0},
                    ],
                },
            },
        },
    ),
]


@pytest.mark.parametrize(("schedule", "tree"), TREES, ids=[repr(row[0]) for row in TREES])
def test_a_dict_is_a_schedule(schedule: Schedule, tree: dict[str, Any]) -> None:
    tree = {"lehr": 1, **tree}
    assert schedule.to_dict() == tree
    assert list(schedule.to_dict()) == list(tree)
    assert from_dict(tree) == schedule


def test_json_is_in_lines() -> None:
    lines = ['"lehr": 1', '"kind": "piece"', '"steps": "20%"', '"to": 0.0', '"ease": "cosine"']
    assert cosine("20%").to_json() == "{\n  " + ",\n  ".join(lines) + "\n}"


PIECE: dict[str, Any] = {"kind": "piece", "steps": 5, "to": 0.5}


def in_sequence(piece: Any) -> dict[str, Any]:
    return {"lehr": 1, "kind": "sequence", "parts": [PIECE, piece]}


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        (None, "schedule", "read from a dict, not from None"),
        ([], "schedule", "not from []"),
        ({}, "schedule.lehr", 'there is none; write "lehr": 1'),
        ({"lehr": 2, **PIECE}, "schedule.lehr", "2 is unknown"),
        ({"lehr": True, **PIECE}, "schedule.lehr", "True is unknown"),
        ({"lehr": 1}, "schedule.kind", "there is none; write one of piece, decay"),
        ({"lehr": 1, "kind": "pice"}, "schedule.kind", "did you mean 'piece'?"),
        ({"lehr": 1, "kind": []}, "schedule.kind", "[] is unknown"),
        (
            {"lehr": 1, **PIECE, "eas": "cosine"},
            "schedule",
            "unknown key 'eas'; did you mean 'ease'?",
        ),
        ({"lehr": 1, **PIECE, 3: 4}, "schedule", "unknown key 3; piece has steps, start, to"),
        ({"lehr": 1, **PIECE, "ease": "cosin"}, "schedule.ease", "did you mean 'cosine'?"),
        ({"lehr": 1, **PIECE, "ease": None}, "schedule.ease", "leave it out"),
        ({"lehr": 1, **PIECE, "to": "0"}, "schedule.to", "to='0' is not a number"),
        ({"lehr": 1, **PIECE, "to": math.nan}, "schedule.to", "is not finite"),
        ({"lehr": 1, **PIECE, "to": math.inf}, "schedule.to", "is not finite"),
        ({"lehr": 1, **PIECE, "to": 10**6_000}, "schedule.to", "is too large"),
        ({"lehr": 1, **PIECE, "to": [1]}, "schedule.to", "not a list"),
        ({"lehr": 1, **PIECE, "to": {}}, "schedule.to", "to cannot be {}"),
        ({"lehr": 1, **PIECE, "log": 1}, "schedule.log", "must be True or False"),
        ({"lehr": 1, **PIECE, "steps": 0.5}, "schedule.steps", "0.5 is not a duration here"),
        ({"lehr": 1, **PIECE, "steps": "5x"}, "schedule.steps", "is not a duration"),
        ({"lehr": 1, **PIECE, "steps": 2**63}, "schedule.steps", "at most"),
        (in_sequence({**PIECE, "ease": "no"}), "schedule.parts[1].ease", "'no' is unknown"),
        (in_sequence({**PIECE, "lehr": 1}), "schedule.parts[1]", "unknown key 'lehr'"),
        (in_sequence(5), "schedule.parts[1]", "5 is not a schedule"),
        (in_sequence(PIECE), "schedule", "starts at the level 0.5"),
        ({"lehr": 1, "kind": "sequence", "parts": PIECE}, "schedule.parts", "is not a list"),
        ({"lehr": 1, "kind": "sequence", "parts": []}, "schedule", "at least two parts"),
        ({"lehr": 1, "kind": "sequence"}, "schedule.parts", "it is missing"),
        ({"lehr": 1, "kind": "sum", "left": 2, "right": 3}, "schedule.left", "2 is not a schedule"),
        ({"lehr": 1, "kind": "table", "entries": [1, "2"]}, "schedule.entries[1]", "not a number"),
        (
            {"lehr": 1, "kind": "decay", "form": "inverted", "rate": 1, "scale": 1},
            "schedule.form",
            "did you mean 'inverse'?",
        ),
        (
            {"lehr": 1, "kind": "every", "inner": PIECE, "steps": 0},
            "schedule.steps",
            "must be greater than 0",
        ),
        (
            {"lehr": 1, "kind": "over", "inner": PIECE, "horizon": 0},
            "schedule.horizon",
            "a run has",
        ),
        (
            {"lehr": 1, "kind": "over", "inner": PIECE, "horizon": {"length": 9, "steps": 1}},
            "schedule.horizon",
            "horizon has length, steps_per_epoch",
        ),
        (
            {"lehr": 1, "kind": "over", "inner": PIECE, "horizon": {"length": 9, "batch": [4, 0]}},
            "schedule.horizon",
            "batch[1]=0 must be at least 1",
        ),
        (
            {"lehr": 1, "kind": "over", "inner": PIECE, "horizon": {"length": 9, "batch": 2.5}},
            "schedule.horizon.batch",
            "whole number",
        ),
        ({"lehr": 1, "kind": "piece", "log": True}, "schedule", "neither an ease"),
        ({"lehr": 1, "kind": "formula", "function": "no"}, "schedule.function", "not registered"),
        (
            {"lehr": 1, "kind": "formula", "function": nameless},
            "schedule.function",
            "function cannot be",
        ),
    ],
)
def test_what_is_wrong_in_a_dict_has_its_path(tree: Any, path: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        from_dict(tree)
    assert caught.value.place.startswith(path)  # type: ignore[union-attr]
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)


# ----- functions ----------------------------------------------------------------------------------


class TestFunctions:
    def test_a_name_stands_for_the_function(self) -> None:
        assert formula("test-halving") == formula(halving)
        assert formula("test-halving")(3) == 0.125

    def test_per_counts_stretches(self) -> None:
        s = formula(halving, per=4)
        assert [s(t) for t in (0, 3, 4, 8)] == [0.5, 0.5, 0.25, 0.125]

    @pytest.mark.parametrize("per", ["10%", "2ep", 0])
    def test_stretches_are_counted_in_steps(self, per: Any) -> None:
        with pytest.raises(ScheduleError, match="counted in steps"):
            formula(halving, per=per)

    def test_a_scale_for_each_cycle(self) -> None:
        s = lehr.cyclic(4, scale_fn=halving)
        assert s == lehr.cyclic(4, scale_fn="test-halving")
        assert repr(s).endswith("* formula('test-halving', per=8, low=0.0, high=1.0)")
        assert [s(t) for t in (4, 12)] == [0.5, 0.25]
        comes_back(s)

    def test_a_trapezoid_of_a_registered_function(self) -> None:
        comes_back(trapezoid(5, scale_fn=arrives))
        assert parse("trapezoid(5, scale_fn='test-arrives')") == trapezoid(5, scale_fn=arrives)

    def test_a_function_of_the_steps_says_so(self) -> None:
        s = trapezoid(5, scale_fn=arrives, scale_mode="iterations")
        assert repr(s).endswith("ramp(5, to=0.0, start=1.0, ease='test-arrives(steps)')")
        comes_back(s)
        assert parse(repr(s).replace("(steps)", "")) == trapezoid(5, scale_fn=arrives)

    @pytest.mark.parametrize(
        "schedule",
        [
            formula(nameless),
            ramp(5, ease=nameless) * 2,
            trapezoid(5, scale_fn=nameless),
            lehr.cyclic(5, scale_fn=nameless),
            lehr.cyclic(5, scale_fn=nameless, scale_mode="iterations"),
            formula(functools.partial(nameless)),
        ],
    )
    def test_without_a_name_there_is_no_text(self, schedule: Schedule) -> None:
        with pytest.raises(ScheduleError, match=r"lehr\.register"):
            schedule.to_dict()
        assert " at 0x" not in repr(schedule)
        with pytest.raises(ParseError):
            parse(repr(schedule))

    def test_a_nameless_function_is_shown_by_its_place(self) -> None:
        assert repr(formula(nameless)) == f"formula(<{__name__}.nameless>)"
        assert repr(formula(functools.partial(nameless))) == "formula(<functools.partial>)"

    def test_repr_is_the_same_in_every_process(self) -> None:
        code = (
            "import lehr; print(lehr.cyclic(3, scale_fn=lambda c: 1 / c), lehr.ramp(3, ease=abs))"
        )
        runs = {
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout
            for _ in range(2)
        }
        assert len(runs) == 1

    def test_a_name_is_given_once(self) -> None:
        assert register("test-halving", halving) is halving
        with pytest.raises(ScheduleError, match=r"is the name of .*halving already"):
            register("test-halving", nameless)

    @pytest.mark.parametrize("name", ["", "1st", "a b", "a'", "é", "x" * 81, None, 3])
    def test_a_name_is_a_name(self, name: Any) -> None:
        with pytest.raises(ScheduleError, match="must be made of letters"):
            register(name, nameless)

    def test_an_ease_keeps_its_name(self) -> None:
        with pytest.raises(ScheduleError, match="is the name of an ease"):
            register("power", nameless)

    def test_only_functions_have_names(self) -> None:
        with pytest.raises(ScheduleError, match="cannot be called"):
            register("test-number", 3)  # type: ignore[type-var]


# ----- bounds of the dict form -------------------------------------------------------------------


class TestDeepTrees:
    def test_in_itself(self) -> None:
        tree: dict[str, Any] = {"lehr": 1, "kind": "every", "steps": 2}
        inner: dict[str, Any] = {"kind": "every", "steps": 2}
        inner["inner"] = tree["inner"] = inner
        with pytest.raises(ParseError, match="more than 100 deep"):
            from_dict(tree)

    def test_shared(self) -> None:
        tree: dict[str, Any] = {"kind": "piece"}
        for _ in range(40):
            tree = {"kind": "sum", "left": tree, "right": tree}
        with pytest.raises(ParseError, match="more than 200000 values"):
            from_dict({"lehr": 1, **tree})

    def test_too_deep_to_write(self) -> None:
        s = hold(5)
        for _ in range(99):
            s = s * 2
        assert from_dict(s.to_dict()) == s
        assert parse(repr(s)) == s
        with pytest.raises(ScheduleError, match="more than 100 deep"):
            s * 2

    def test_shared_to_write(self) -> None:
        s = hold(5)
        for _ in range(30):
            s = s + s
        with pytest.raises(ScheduleError, match="more than 200000 values"):
            s.to_dict()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not JSON"),
        ("nul", "this is not JSON"),
        ('{"lehr": 1, "kind": "piece"', "this is not JSON"),
        ('{"lehr": 1, "lehr": 1, "kind": "piece"}', "'lehr' is given twice"),
        ('{"lehr": 1, "kind": "piece", "to": NaN}', "NaN is not a number of JSON"),
        ('{"lehr": 1, "kind": "piece", "to": -Infinity}', "-Infinity is not a number of JSON"),
        ('{"lehr": 1, "kind": "piece", "to": 1e999}', "schedule.to: to=inf is not finite"),
        ('{"lehr": 1, "kind": "piece", "to": ' + "9" * 41 + "}", "a number of 41 digits"),
        ('{"lehr": 1, "kind": "piece", "to": ' + "9" * 5_000 + "}", "a number of 5000 digits"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        (" " * 10_000_001, "this is not JSON"),
        ("\0", "this is not JSON"),
        ("\ud800", "this is not JSON"),
        (None, "not from None"),
        (b"{}", "not from b'{}'"),
    ],
    ids=range(16),
)
def test_what_is_wrong_in_json(text: Any, message: str) -> None:
    with pytest.raises(ParseError, match=message.replace("(", r"\(")):
        from_json(text)


@pytest.mark.parametrize("text", [None, 5, b"cosine()", ["cosine()"], cosine()])
def test_a_text_is_a_text(text: Any) -> None:
    with pytest.raises(ParseError, match="read from a string"):
        parse(text)
