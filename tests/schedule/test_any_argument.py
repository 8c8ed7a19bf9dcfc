"""Whatever an argument is given, it works or is refused by name: never a bare Python error.

Every argument of every function of the catalogue, of the leaves, of the methods of a schedule and
of the functions that read, place, translate, check and export one is given each of a list of
values. A call works, and so does what it returns; or it raises one of lehr's exceptions, whose
message names the argument, or one that contradicts it, or the call, and is short.
"""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.hostile_values import HOSTILE, torch_values

import lehr
from lehr import Duration, Ease, Horizon, Schedule, ScheduleError, WallClock

BASE = lehr.warmup(10) >> lehr.cosine(50)
LONGEST_MESSAGE = 1_500


def translate(source: Any, name: Any, state: Any = None, faithful: Any = False) -> Any:
    return lehr.translate(source, name, state=state, faithful=faithful, step_size=3, lr=0.1)


# The functions with the arguments that they need, and other words for an argument in its message.
FUNCTIONS: list[tuple[str, Callable[..., Any], dict[str, Any], dict[str, str]]] = [
    *(
        (entry.name, entry.function, bound.arguments, {})
        for entry in [*lehr.ENTRIES.values(), *lehr.RULES.values()]
        for bound in [entry.arguments.bind(entry.function)]
    ),
    ("hold", lehr.hold, {}, {}),
    ("ramp", lehr.ramp, {"steps": 5, "to": 0.5}, {}),
    ("table", lehr.table, {"values": [1]}, {}),
    ("formula", lehr.formula, {"function": abs}, {}),
    ("one_cycle_momentum", lehr.one_cycle_momentum, {}, {}),
    ("over", BASE.over, {"horizon": 100}, {}),
    ("repeat", BASE.repeat, {}, {}),
    ("every", BASE.every, {"steps": 3}, {}),
    ("clip", BASE.clip, {"low": 0.1}, {}),
    ("Horizon", Horizon, {"length": "3ep"}, {"length": "horizon"}),
    ("Duration.of", Duration.of, {"value": 3}, {"value": "steps"}),
    ("Ease.of", Ease.of, {"value": "cosine"}, {"value": "ease"}),
    (
        "Ease",
        Ease,
        {"name": "power", "parameters": (2.0,)},
        {"name": "ease", "parameters": "power"},
    ),
    ("WallClock", WallClock, {"schedule": lehr.cosine().over("1h")}, {}),
    ("parse", lehr.parse, {"text": "cosine()"}, {"text": ""}),
    ("from_dict", lehr.from_dict, {"tree": {}}, {"tree": "schedule"}),
    ("from_json", lehr.from_json, {"text": "{}"}, {"text": ""}),
    ("find_entry", lehr.find_entry, {"name": "cosine"}, {"name": "schedule"}),
    ("find_entries", lehr.find_entries, {"name": "cosine"}, {"name": "schedule"}),
    ("find_rule", lehr.find_rule, {"name": "plateau"}, {"name": "rule"}),
    ("check", lehr.check, {"schedule": BASE}, {"over": "horizon"}),
    ("export", lehr.export, {"schedule": BASE, "target": "torch"}, {}),
    (
        "translate",
        translate,
        {"source": "torch", "name": "StepLR"},
        {"source": "library", "name": "scheduler"},
    ),
]
ARGUMENTS = [
    pytest.param(function, given, name, words.get(name, name), id=f"{label}-{name}")
    for label, function, given, words in FUNCTIONS
    for name in inspect.signature(function).parameters
]
VALUES = HOSTILE | torch_values()


def tried(function: Callable[..., Any], given: dict[str, Any], *words: str) -> None:
    """Call a function, and use what it returns."""
    try:
        made = function(**given)
    except ScheduleError as error:
        message = str(error)
        named = any(word in message for word in [*words, *given]) or re.match(r"\w+\(", message)
        if not named or len(message) > LONGEST_MESSAGE:
            pytest.fail(message)
    except TypeError as error:
        check_note(error)
    else:
        used(made)


def check_note(error: TypeError) -> None:
    """A user's function that cannot be called with one number: its own error, with a note."""
    noted = any("lehr called" in note for note in getattr(error, "__notes__", []))
    if not noted and "required positional argument" not in str(error):
        raise error


def check_length(error: Exception) -> None:
    if len(str(error)) > LONGEST_MESSAGE:
        pytest.fail(str(error))


def used(made: Any) -> None:
    if not isinstance(made, Schedule):
        return
    assert repr(made)
    uses: list[Callable[[], Any]] = [
        lambda: made(3),
        lambda: made.over(100)(7),
        lambda: made.over(100).values(),
        made.to_dict,
    ]
    for use in uses:
        try:
            use()
        except ScheduleError as error:
            check_length(error)
        except TypeError as error:
            check_note(error)


def some(of: str) -> list[str]:
    """Return a tenth of the values, another one for each argument."""
    begin = zlib.crc32(of.encode()) % 10
    return list(VALUES)[begin::10]


@pytest.mark.parametrize(("function", "given", "name", "word"), ARGUMENTS)
def test_some_values(
    function: Callable[..., Any],
    given: dict[str, Any],
    name: str,
    word: str,
    request: pytest.FixtureRequest,
) -> None:
    for kind in some(request.node.name):
        tried(function, {**given, name: VALUES[kind]()}, name, word)


@pytest.mark.slow
@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(("function", "given", "name", "word"), ARGUMENTS)
def test_all_values(
    function: Callable[..., Any], given: dict[str, Any], name: str, word: str, kind: str
) -> None:
    tried(function, {**given, name: VALUES[kind]()}, name, word)


@pytest.mark.parametrize("kind", VALUES)
def test_operators(kind: str) -> None:
    """An operand that is none is Python's TypeError, as anywhere in the language."""
    operators: list[Callable[[Any], Any]] = [
        lambda value: BASE >> value,
        lambda value: value >> BASE,
        lambda value: BASE * value,
        lambda value: value * BASE,
        lambda value: BASE + value,
        lambda value: value + BASE,
        lambda value: BASE - value,
        lambda value: value - BASE,
        lambda value: BASE / value,
        lambda value: value / BASE,
        lambda value: BASE[value:],
        lambda value: BASE[:value],
        lambda value: BASE[value],
        lambda value: BASE(value),
    ]
    for operator in operators:
        try:
            made = operator(VALUES[kind]())
        except (ScheduleError, TypeError) as error:
            check_length(error)
        else:
            used(made)


@pytest.mark.parametrize("value", [0.5, 2])
@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
def test_numbers_of_numpy_are_operands_on_both_sides(kind: str, value: float) -> None:
    import numpy as np

    number = getattr(np, kind)(value if kind != "int64" else 2)
    assert number * BASE == BASE * float(number) == BASE * number
    assert number - BASE == float(number) - BASE


def test_an_array_is_no_operand() -> None:
    """NumPy would make an array of schedules of it."""
    import numpy as np

    operators: list[Callable[[Any], Any]] = [
        lambda a: a * BASE,
        lambda a: BASE * a,
        lambda a: a + BASE,
    ]
    for operator in operators:
        with pytest.raises(TypeError):
            operator(np.array([1.0, 2.0]))


def fails(t: float) -> float:
    raise KeyError(t)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda: lehr.formula(fails)(3),
        lambda: lehr.formula(fails, per=2)(3),
        lambda: lehr.ramp(9, ease=fails)(3),
        lambda: lehr.cyclic(5, scale_fn=fails)(3),
        lambda: lehr.trapezoid(5, scale_fn=fails).over(20)(3),
        lambda: lehr.formula(fails).over(9).values(),
    ],
)
def test_an_error_of_a_user_s_function_names_the_function(schedule: Callable[[], Any]) -> None:
    with pytest.raises(KeyError) as caught:
        schedule()
    assert any("test_any_argument.fails" in note for note in caught.value.__notes__)
