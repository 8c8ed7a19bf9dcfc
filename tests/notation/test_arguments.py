"""Every argument of every entry can be written in a text: also lists, pairs and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import lehr
from lehr import ENTRIES, Entry, ParseError, ScheduleError, parse

entries = pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))


def given(entry: Entry) -> dict[str, Any]:
    """Return each argument of an entry's example, also those that are at their defaults."""
    return entry.arguments.call(lambda *args, **kwargs: _all(entry, args, kwargs))


def _all(entry: Entry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(entry.function).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def call(name: str, arguments: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def swapped(value: Any, kind: type[list[Any]] | type[tuple[Any, ...]]) -> Any:
    """Return a value whose lists and tuples are all lists, or all tuples."""
    if not isinstance(value, list | tuple):
        return value
    return kind(swapped(item, kind) for item in value)


@entries
def test_an_example_with_each_of_its_arguments(entry: Entry) -> None:
    arguments = given(entry)
    assert list(arguments) == list(inspect.signature(entry.function).parameters)
    text = call(entry.name, arguments)
    assert parse(text) == entry.example
    for kind in (list, tuple):
        other = {name: swapped(value, kind) for name, value in arguments.items()}
        assert parse(call(entry.name, other)) == entry.example


@entries
def test_each_argument_alone_beside_the_required_ones(entry: Entry) -> None:
    arguments = given(entry)
    parameters = inspect.signature(entry.function).parameters
    required = [name for name, p in parameters.items() if p.default is p.empty]
    for name in arguments:
        some = {key: value for key, value in arguments.items() if key in [*required, name]}
        try:
            built = entry.function(**some)
        except ScheduleError:
            continue  # an example may need more than what is required
        assert parse(call(entry.name, some)) == built


@pytest.mark.parametrize(
    "text",
    [
        "piecewise([(0, 0.0), (10, 1.5), (30, 0.5)])",
        "piecewise(((0, 0.0), (10, 1.5), (30, 0.5)))",
        "piecewise([[0, 0.0], [10, 1.5], [30, 0.5]])",
        "piecewise(points=[('0st', 0), (10, 1.5), (30, 0.5),])",
    ],
)
def test_points_are_pairs_of_a_time_and_a_level(text: str) -> None:
    schedule = parse(text)
    # By hand: from 0 to 1.5 in 10 steps, to 0.5 in 20.
    assert [schedule(t) for t in (0, 5, 10, 20, 30)] == [0.0, 0.75, 1.5, 1.0, 0.5]
    assert parse(repr(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "caret", "message"),
    [
        ("piecewise([(0, 1.0), (1.5, 0.5)])", "                      ^", "a float is a share"),
        ("piecewise([(0, '20%')])", "               ^", "is not a number"),
        ("piecewise([(0, 1.0, 2.0)])", "          ^", "must be pairs of a time and a value"),
        ("piecewise([(0,), (1, 2)])", "          ^", "must be pairs of a time and a value"),
        ("piecewise([0, 1.0])", "           ^", "must be a list"),
        ("piecewise([])", "          ^", "must be pairs of a time and a value"),
        ("piecewise([((0, 1), 1.0)])", "            ^", "is one value, not a list"),
        ("cosine((1, 2))", "       ^", "is one value, not a list"),
        ("(cosine(), 2)", "^", "the text is a list, not a schedule"),
        ("cosine(), 2", "^", "the text is a list, not a schedule"),
        ("(1, 2) * cosine()", "^", "is neither a schedule nor a number"),
        ("()", "^", "the text is a list, not a schedule"),
    ],
)
def test_what_is_not_a_pair_is_pointed_at(text: str, caret: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    said = str(caught.value).split("\n")
    assert message in said[0]
    assert said[-1] == f"  {caret}"


def test_the_leaves_take_each_of_their_arguments() -> None:
    lehr.register("test-arguments", len)
    for text, schedule in {
        "hold(steps=None, at=0.5)": lehr.hold(at=0.5),
        "ramp(steps='20%', to=0.5, start=None, ease='linear', log=False)": lehr.ramp("20%", to=0.5),
        "table(values=(1, 0.5))": lehr.table([1, 0.5]),
        "formula(function='test-arguments', per=None, low=0.0, high=1.0)": lehr.formula(
            len, low=0.0, high=1.0
        ),
        "cosine().over(horizon=9, steps_per_epoch=None, samples_per_epoch=None, batch=None, "
        "sequence=None, closed=False, past='hold')": lehr.cosine().over(9),
        "cosine(9).repeat(times=None, stretch=1, scale=1.0)": lehr.cosine(9).repeat(),
    }.items():
        assert parse(text) == schedule
