"""The answer to a request: what it holds, what it refuses, and what bounds a hostile one."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

import lehr
from lehr.editor.answer import answer
from lehr.editor.code import KINDS
from lehr.editor.sketch import Line, Sketch

SIZE = [720, 400]
TEXT = "warmup('5%') >> hold() >> cosine('20%', to=0.1)"


def ask(*texts: str, **given: Any) -> dict[str, Any]:
    sketch = {"lines": [{"role": "rate", "text": text} for text in texts], "run": "10_000"}
    sketch |= {
        key: given.pop(key) for key in tuple(given) if key in ("run", "log", "units", "axis")
    }
    return answer({"v": 1, "seq": 7, "sketch": sketch, "size": SIZE, **given})


def dragged(text: str, handle: str, dx: float, dy: float, **act: Any) -> dict[str, Any]:
    before = ask(text)
    found = next(one for one in before["handles"] if one["id"] == handle)
    given = {"kind": "drag", "line": 0, "handle": handle, "px": found["cx"] + dx,
             "py": found["cy"] + dy, **act}  # fmt: skip
    return ask(text, frame=before["frame"], act=given)


def text_of(found: dict[str, Any]) -> str:
    assert "error" not in found, found["error"]
    return found["sketch"]["lines"][0]["text"]


def test_an_answer_holds_all_that_is_shown() -> None:
    found = ask(TEXT, slow=True)
    assert found["seq"] == 7
    assert [one["axes"] for one in found["handles"]] == ["y", "xy", "xy", "y"]
    assert found["handles"][1]["label"] == (
        "Knot 2 of 4 of rate; left and right: warmup steps; up and down: warmup to"
    )
    assert found["handles"][1]["valuetext"] == "step 500, rate 1"
    assert found["readout"] == {"peak": "1", "mean": "0.885", "end": "0.1", "area": "8850",
                                "steps": "10,000"}  # fmt: skip
    assert found["words"] == "The rate over 10,000 steps: from 0 to 0.1, peak 1, mean 0.885"
    assert [one["ease"] for one in found["sections"]] == ["linear", "hold", "cosine"]
    assert found["findings"] == []
    ElementTree.fromstring(f"<svg>{found['picture']}</svg>")


def test_a_drag_lands_where_the_pointer_is() -> None:
    before = ask(TEXT)
    found = dragged(TEXT, "1", 60, 40)
    knot = next(one for one in found["handles"] if one["id"] == "1")
    start = next(one for one in before["handles"] if one["id"] == "1")
    assert knot["cx"] == pytest.approx(start["cx"] + 60, abs=1)
    assert knot["cy"] == pytest.approx(start["cy"] + 40, abs=1)
    # The axes stay while something is held.
    assert found["frame"] == before["frame"]


def test_a_drag_repeated_is_the_same_drag() -> None:
    assert dragged(TEXT, "1", 60, 40)["sketch"] == dragged(TEXT, "1", 60, 40)["sketch"]


def test_shift_keeps_one_axis() -> None:
    assert ", to=" not in text_of(dragged(TEXT, "1", 60, 40, only="x")).partition(">>")[0]
    assert text_of(dragged(TEXT, "1", 60, 40, only="y")).startswith("warmup('5%', to=")


def test_the_bound_that_stops_a_drag_is_said() -> None:
    found = dragged("wsd('5%', '20%')", "1", 5000, 0)
    assert found["bound"]
    assert text_of(found).startswith("wsd('79.")


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ({"kind": "nudge", "handle": "1", "axis": "x", "by": 3}, TEXT.replace("5%", "5.3%")),
        ({"kind": "number", "number": 0, "text": "8"}, TEXT.replace("5%", "8%")),
        ({"kind": "delete", "piece": 1}, "warmup('5%') >> cosine('20%', to=0.1)"),
        ({"kind": "join", "piece": 1}, "warmup('5%') >> cosine(to=0.1)"),
        ({"kind": "ease", "piece": 2, "ease": "1-sqrt"},
         "warmup('5%') >> hold() >> ramp('20%', to=0.1, ease='1-sqrt')"),
        ({"kind": "repeat", "times": 4}, f"({TEXT}).over('25%').repeat()"),
        ({"kind": "add"},
         "warmup('5%') >> hold('37.5%') >> hold() >> cosine('20%', to=0.1)"),
        ({"kind": "split", "px": 56.0 + 634 * 0.5},
         "warmup('5%') >> hold('45%') >> hold() >> cosine('20%', to=0.1)"),
    ],
)  # fmt: skip
def test_every_act_changes_the_text(act: dict[str, Any], expected: str) -> None:
    assert text_of(ask(TEXT, act={"line": 0, **act})) == expected


def test_a_named_schedule_is_taken_apart() -> None:
    found = ask("wsd('5%', '20%')", act={"kind": "apart", "line": 0, "piece": 0})
    assert text_of(found) == "warmup('5%') >> hold() >> ramp('20%', to=0.0, ease='1-sqrt')"


def test_rate_and_momentum_have_panels_and_scales_of_their_own() -> None:
    lines = [{"role": "rate", "text": "one_cycle()"},
             {"role": "momentum", "text": "0.95 - 0.1 * triangular('50%')"},
             {"role": "rate", "text": "cosine()"}]  # fmt: skip
    found = answer({"v": 1, "sketch": {"lines": lines}, "size": SIZE})
    panels = found["frame"]["panels"]
    assert list(panels) == ["rate", "momentum"]
    assert panels["momentum"][0] > 0.8
    # Of two rates, the selected one has handles; the momentum has its own.
    assert {one["line"] for one in found["handles"]} == {0, 1}
    tops = {one["line"]: one["cy"] for one in found["handles"]}
    assert tops[0] < tops[1]


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"axis": "steps"}, "8,000"),
        ({"axis": "shares"}, "80%"),
        ({"axis": "epochs", "units": {"steps_per_epoch": 100}}, "80"),
        ({"axis": "tokens", "units": {"batch": 512, "sequence": 4096}}, "20G"),
    ],
)
def test_the_time_axis_has_the_unit_that_is_chosen(given: dict[str, Any], label: str) -> None:
    found = ask("cosine()", **given)
    assert f">{label}<" in found["picture"]


def test_a_unit_that_is_not_known_is_asked_for() -> None:
    assert "needs the steps of an epoch" in ask("cosine()", axis="epochs")["error"]
    assert "needs the batch and the sequence" in ask("cosine()", axis="tokens")["error"]
    assert "write .over" in ask("warmup('5ep') >> cosine()")["error"]


def test_a_log_axis_shows_every_cycle_down_to_its_end() -> None:
    found = ask("cosine('25%', to=0.01).repeat()", log=True)
    low = found["frame"]["panels"]["rate"][0]
    assert low == pytest.approx(0.01 / 1.1)
    path = found["picture"].partition('<path d="')[2].partition('"')[0]
    places = [tuple(map(float, pair.split(" "))) for pair in path[1:].split("L")]
    # Four cycles come equally far down; the last step is not the next cycle's first.
    lowest = max(y for _, y in places)
    ends = {round((x - 56) / (634 / 4), 2) for x, y in places if y == lowest}
    assert ends >= {1, 2, 3, 4}
    assert places[-1] == (690, lowest)


def test_findings_say_where_to_go() -> None:
    found = ask("warmup(20_000) >> hold()", slow=True)
    assert [one["at"] for one in found["findings"]][:1] == [0]
    assert "the peak is never reached" in found["findings"][0]["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sketch_leaves_as_every_kind_of_code(kind: str) -> None:
    code = ask(TEXT, code=kind)["code"]
    assert code.endswith("\n")
    if kind == "JSON":
        assert lehr.from_json(code) == lehr.parse(TEXT).over(10_000)
    if kind == "text":
        assert code == f"{TEXT}\n"
    if kind == "Python":
        scope: dict[str, Any] = {}
        exec(code, scope)
        assert scope["rate"] == lehr.parse(TEXT)
    if kind in ("torch", "transformers", "plain Python", "optax"):
        assert not code.startswith("# warmup")
        assert "lehr." not in code


def test_the_text_of_a_user_cannot_leave_its_quotes() -> None:
    text = 'cosine()  # """ \\ \' "\n>> hold(1)'
    code = ask(text, code="Python")["code"]
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert scope["rate"] == lehr.parse(text)


def test_a_picture_for_a_file_needs_nothing_around_it() -> None:
    found = ask(TEXT, file=True)
    root = ElementTree.fromstring(found["file"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["width"] == "720"
    assert root.find("{http://www.w3.org/2000/svg}desc") is not None


def test_the_gallery_has_every_schedule_and_ease() -> None:
    found = answer({"v": 1, "gallery": True})
    assert [one["name"] for one in found["gallery"]] == list(lehr.ENTRIES)
    for one in [*found["gallery"], *found["eases"]]:
        ElementTree.fromstring(one["picture"])
    for one in found["gallery"]:
        assert "error" not in ask(one["text"]), one["name"]


def test_a_wrong_text_is_shown_with_its_place() -> None:
    found = ask("cosine()", "cosine(too=1)")
    assert (found["line"], found["at"]) == (1, 7)
    assert "did you mean 'to'?" in found["error"]
    assert found["error"].splitlines()[-1].endswith("^")


HOSTILE: dict[str, tuple[str, str]] = {
    "long": ("hold(1) >> " * 1500 + "hold()", "10_000"),
    "deep": ("(" * 500 + "cosine()" + ")" * 500, "10_000"),
    "limits in each other": ("cosine()" + ".clip(0,1)" * 60, "10_000"),
    "slices in each other": ("cosine()" + "[1:]" * 90, "10_000"),
    "endless cycles": ("cosine(1).repeat()", "1_000_000_000_000_000"),
    "a long run": ("warmup('5%') >> cosine()", "1_000_000_000_000_000"),
    "stretched": ("cosine(10).repeat(stretch=1.0001)", "1_000_000_000"),
    "many parts": ("chebyshev(4096, every=1, small_m=1.0, big_m=5.0)", "10_000"),
    "a thousand parts": ("chebyshev(1024, every=1, small_m=1.0, big_m=5.0)", "10_000"),
    "a table": ("table([" + "0.5," * 4500 + "])", "10_000"),
    "a sum": ("+".join(["cosine()"] * 60), "10_000"),
    "staircases": ("*".join(["cosine().every(3)"] * 60), "1_000_000_000"),
    "cycles": ("*".join(["(warmup('1%') >> cosine('2%')).repeat()"] * 40), "10_000"),
    "an import": ("__import__('os').system('id')", "10_000"),
    "nul": ("cosine(\x00)", "10_000"),
    "a negative run": ("cosine()", "-5"),
    "no run": ("cosine()", ""),
    "nan": ("cosine(to=nan)", "10_000"),
    "infinite": ("cosine(to=1e999)", "10_000"),
    "huge": ("cosine(to=1e308)", "10_000"),
    "tiny": ("cosine(to=1e-308)", "10_000"),
    "below zero": ("0.95 - 2 * cosine()", "10_000"),
    "markup": ("cosine('<script>alert(1)</script>')", "10_000"),
}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_gets_a_small_answer(name: str, log: bool) -> None:
    text, run = HOSTILE[name]
    found = ask(text, run=run, log=log, slow=True)
    # It is bounded by counting, not by a clock: see the benchmark for the time.
    assert len(json.dumps(found, allow_nan=False)) < 262_144
    if "picture" in found:
        ElementTree.fromstring(f"<svg>{found['picture']}</svg>")
    else:
        assert "not understood" not in found["error"]


def test_looking_for_handles_has_a_bound() -> None:
    # What is nested deeply or has many pieces is drawn, and has no handles.
    assert ask("+".join(["cosine()"] * 60))["handles"] == []
    assert ask("chebyshev(1024, every=1, small_m=1.0, big_m=5.0)")["handles"] == []


NOT_REQUESTS: list[Any] = [
    {}, {"v": 2}, {"v": 1}, {"v": 1, "sketch": None}, {"v": 1, "sketch": [], "size": SIZE},
    {"v": 1, "sketch": {"lines": []}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"role": "x", "text": "cosine()"}]}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": 3}]}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}] * 5}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "x" * 20_001}]}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}], "base": math.nan}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}], "base": -1}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}], "selected": 9}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}], "axis": "miles"}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}], "units": {"batch": "x"}}, "size": SIZE},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}]}, "size": [math.nan, 4]},
    {"v": 1, "sketch": {"lines": [{"text": "cosine()"}]}, "size": "big"},
]  # fmt: skip


@pytest.mark.parametrize("request_", NOT_REQUESTS, ids=range(len(NOT_REQUESTS)))
def test_what_is_no_request_is_refused(request_: Any) -> None:
    found = answer(request_)
    assert found["error"]
    json.dumps(found, allow_nan=False)


NOT_ACTS: list[Any] = [
    {}, {"kind": "drag"}, {"kind": "fly", "line": 0}, {"kind": "drag", "line": 9},
    {"kind": "drag", "line": True}, {"kind": "drag", "line": 0, "handle": "7", "px": 1, "py": 1},
    {"kind": "drag", "line": 0, "handle": "1", "px": math.nan, "py": 1},
    {"kind": "drag", "line": 0, "handle": "1", "px": "a", "py": 1},
    {"kind": "nudge", "line": 0, "handle": "1", "axis": "x", "by": "many"},
    {"kind": "ease", "line": 0, "piece": 2, "ease": "<b>"},
    {"kind": "number", "line": 0, "number": 99, "text": "1"},
    {"kind": "number", "line": 0, "number": 0, "text": "'), hold('1%"},
    {"kind": "join", "line": 0, "piece": 2}, {"kind": "repeat", "line": 0, "times": 10**9},
    {"kind": "split", "line": 0, "px": math.inf},
]  # fmt: skip


@pytest.mark.parametrize("act", NOT_ACTS, ids=range(len(NOT_ACTS)))
def test_what_cannot_be_done_is_refused(act: Any) -> None:
    frame = ask(TEXT)["frame"]
    assert ask(TEXT, act=act, frame=frame)["error"]
    assert ask(TEXT, act=act, frame={"x": [1, math.nan], "panels": {}})["error"]


def test_the_greatest_nudge_is_bounded() -> None:
    found = ask(TEXT, act={"kind": "nudge", "line": 0, "handle": "1", "axis": "x", "by": 10**12})
    assert found["bound"]


def test_a_sketch_is_its_dict_both_ways() -> None:
    sketch = Sketch((Line("rate", "cosine()"), Line("momentum", "hold(at=0.9)")), "90ep",
                    (("steps_per_epoch", 100),), "epochs", True, 0.003, 1)  # fmt: skip
    assert Sketch.of(json.loads(json.dumps(sketch.to_dict()))) == sketch
