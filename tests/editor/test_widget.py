"""`lehr.studio` in a notebook: the widget answers its messages, and its schedule follows."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import lehr
from lehr.errors import ScheduleError
from lehr.extras import MissingExtra


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    if "absent" not in request.node.name:
        pytest.importorskip("anywidget", reason="anywidget: lehr[notebook] has it")


def asked(widget: Any, monkeypatch: pytest.MonkeyPatch, request: dict[str, Any]) -> dict[str, Any]:
    """Send a message as the front end does, and return the answer."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(content))
    widget._handle_custom_msg(request, [])
    (found,) = sent
    return found


def test_a_drag_is_answered_and_the_schedule_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "warmup('5%') >> cosine()  # mine"
    widget = lehr.studio(text, over=1000)
    assert widget.schedule == lehr.parse(text)
    asking = {"v": 1, "seq": 3, "sketch": widget.sketch, "size": [700, 400]}
    before = asked(widget, monkeypatch, asking)
    assert before["seq"] == 3
    knot = next(one for one in before["handles"] if one["id"] == "1")
    act = {"kind": "drag", "line": 0, "handle": "1", "px": knot["cx"] + 60, "py": knot["cy"]}
    after = asked(widget, monkeypatch, {**asking, "frame": before["frame"], "act": act})
    # What the front end does where a gesture ends.
    widget.set_state({"sketch": after["sketch"]})
    assert widget.text.endswith(">> cosine()  # mine")
    assert widget.schedule != lehr.parse(text)
    assert widget.schedule.over(1000)(500) < 1


def test_it_begins_with_a_schedule_and_its_own_run() -> None:
    widget = lehr.studio(
        lehr.cosine().over("30ep", steps_per_epoch=100), momentum=lehr.hold(at=0.9)
    )
    assert widget.sketch["run"] == "30ep"
    assert widget.sketch["units"] == {"steps_per_epoch": 100}
    assert widget.schedules["momentum"] == lehr.hold(at=0.9)
    assert set(widget.schedules) == {"lr", "momentum"}


def test_its_files_are_there() -> None:
    widget = lehr.studio()
    assert "export default" in widget._esm
    assert ".lehr-studio" in widget._css


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "cosin()"}, "did you mean"),
        ({"schedule": 3}, "schedule=3 must be a schedule or its text"),
        ({"weight_decay": 3}, "weight_decay=3 must be a schedule or its text"),
        ({"over": lehr.Horizon(100, batch=[16] * 50 + [32])}, "cannot be drawn"),
        ({"over": 0}, "at least one step"),
    ],
)
def test_what_cannot_be_shown_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        lehr.studio(**given)


def test_where_anywidget_is_absent_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lehr.editor.widget", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingExtra, match=r"lehr.studio needs anywidget: .*notebook"):
        lehr.studio()
