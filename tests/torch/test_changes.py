"""Changing the plan in mid-run: the past stays, the value goes on, a resumed run has the change."""

from __future__ import annotations

import copy
import io
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import Optimizer

import lehr
from driving import KINDS, drive, make_optimizer, rates
from lehr import ScheduleError
from lehr.torch import Scheduler
from lehr.torch.plan_edits import RevisedSchedule, changed

COSINE, LINEAR = lehr.cosine(to=0.1).to_dict(), lehr.linear(to=0.2).to_dict()
WSD = lehr.warmup(10) >> lehr.hold() >> lehr.linear("20%")


def started(at: int, kind: str = "sgd", schedule: lehr.Schedule = WSD) -> tuple[Optimizer, Any]:
    optimizer = make_optimizer(kind, (0.1, 0.3))
    scheduler = Scheduler(optimizer, schedule, over=100)
    drive(optimizer, scheduler, at)
    return optimizer, scheduler


def levels(optimizer: Optimizer, scheduler: Any, steps: int) -> list[float]:
    """Return the level at the present position and after each of the next updates."""
    return [row[0][0] / 0.1 for row in drive(optimizer, scheduler, steps)]


def test_extend_stretches_what_is_left():
    optimizer, scheduler = started(60)
    scheduler.extend(40)  # 40 steps are left, of which 20 of the plateau: twice as long now
    seen = levels(optimizer, scheduler, 80)
    assert seen[:41] == [1.0] * 41
    assert seen[41:] == pytest.approx([1 - k / 40 for k in range(1, 41)])


@pytest.mark.parametrize("at", [0, 1, 9])
def test_extend_in_a_warmup(at: int):
    optimizer, scheduler = started(at, schedule=lehr.warmup("100%"))
    before = scheduler.get_last_lr()
    scheduler.extend(100 - at)
    assert scheduler.get_last_lr() == pytest.approx(before)
    seen = levels(optimizer, scheduler, 2 * (100 - at))
    rise = (1 - at / 100) / (2 * (100 - at))
    assert seen == pytest.approx([at / 100 + rise * k for k in range(2 * (100 - at) + 1)])


@pytest.mark.parametrize("ease", ["linear", "cosine", "1-sqrt"])
def test_cooldown_goes_down_from_here(ease: str):
    optimizer, scheduler = started(50, schedule=lehr.cosine())
    level = scheduler.get_last_lr()[0] / 0.1
    scheduler.cooldown(20, ease=ease, to=0.01)
    curve = lehr.ramp(20, start=level, to=0.01, ease=ease)
    assert levels(optimizer, scheduler, 20) == pytest.approx([curve(t) for t in range(21)])


def test_rewarm_rises_again_and_goes_on():
    optimizer, scheduler = started(90, schedule=lehr.cosine(to=0.1))
    level = scheduler.get_last_lr()[0] / 0.1
    scheduler.rewarm(10, to=0.8, then=lehr.cosine(to=0.2), over=60)
    curve = lehr.warmup(10, start=level, to=0.8) >> lehr.cosine(50, to=0.2)
    assert levels(optimizer, scheduler, 60) == pytest.approx([curve(t) for t in range(61)])


def test_rewarm_takes_what_is_left_of_the_run():
    optimizer, scheduler = started(60, schedule=lehr.cosine(to=0.1))
    scheduler.rewarm(10, then=lehr.linear())
    seen = levels(optimizer, scheduler, 40)
    assert seen[10] == pytest.approx(1.0)
    assert seen[40] == 0.0
    assert seen[25] == pytest.approx(0.5)


def test_replace_goes_on_from_the_present_level():
    optimizer, scheduler = started(40, schedule=lehr.linear())
    scheduler.replace(lehr.hold("25%") >> lehr.cosine())
    curve = lehr.hold(15, at=0.6) >> lehr.cosine(45)
    assert levels(optimizer, scheduler, 60) == pytest.approx([curve(t) for t in range(61)])


def test_replace_jumps_only_when_asked():
    optimizer, scheduler = started(40, schedule=lehr.linear())
    with pytest.raises(ScheduleError, match=r"begins at 0.*level at step 40 is 0.6.*jump=True"):
        scheduler.replace(lehr.warmup(5))
    assert scheduler.history == []
    assert rates(optimizer) == pytest.approx([0.06, 0.18])
    scheduler.replace(lehr.warmup(5), jump=True)
    assert rates(optimizer) == [0.0, 0.0]
    assert levels(optimizer, scheduler, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_scale_multiplies_what_is_left():
    optimizer, scheduler = started(50, schedule=lehr.linear())
    scheduler.scale(0.5)
    assert levels(optimizer, scheduler, 10) == pytest.approx([(50 - k) / 200 for k in range(11)])
    scheduler.scale(3.0, steps=10)
    wanted = [(40 - k) / 200 * (1 + 2 * min(k, 10) / 10) for k in range(21)]
    assert levels(optimizer, scheduler, 20) == pytest.approx(wanted)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("extend", {"steps": 30}),
    ("cooldown", {"steps": 15, "to": 0.01, "ease": "1-sqrt"}),
    ("rewarm", {"steps": 7, "to": 0.9, "then": lehr.cosine(), "over": 50}),
    ("replace", {"schedule": lehr.linear(to=0.05), "over": 33}),
    ("scale", {"factor": 0.7, "steps": 4}),
    ("scale", {"factor": 0.7}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "arguments"), CHANGES)
def test_a_resumed_run_has_the_change(kind: str, name: str, arguments: dict[str, Any]):
    for at, more in ((0, 3), (30, 0), (55, 6)):
        optimizer, scheduler = started(at, kind)
        getattr(scheduler, name)(**arguments)
        drive(optimizer, scheduler, more)
        state = json.loads(json.dumps(scheduler.state_dict()))
        buffer = io.BytesIO()
        torch.save(optimizer.state_dict(), buffer)
        buffer.seek(0)
        saved = torch.load(buffer, weights_only=True)
        history = scheduler.history
        assert [(h["at"], h["change"]) for h in history] == [(at, name)]
        wanted = drive(optimizer, scheduler, 20)
        for order in ("build optimizer scheduler", "build scheduler optimizer",
                      "optimizer build scheduler"):  # fmt: skip
            fresh = make_optimizer(kind, (0.1, 0.3))
            built: Any = None
            for what in order.split():
                if what == "build":
                    built = Scheduler(fresh, WSD, over=100)
                elif what == "optimizer":
                    fresh.load_state_dict(copy.deepcopy(saved))
                else:
                    built.load_state_dict(state)
            assert built.history == history
            assert drive(fresh, built, 20) == wanted, (order, at)


def test_a_change_that_fails_changes_nothing():
    optimizer, scheduler = started(100)
    wanted = copy.deepcopy(scheduler.state_dict()), rates(optimizer)
    for change in (
        lambda: scheduler.extend(10),
        lambda: scheduler.cooldown(0),
        lambda: scheduler.cooldown(10),  # it is at 0 already
        lambda: scheduler.cooldown(10, ease="wobbly"),
        lambda: scheduler.cooldown(10, ease=lambda u: u),  # pyright: ignore
        lambda: scheduler.rewarm(10, to=-1.0),
        lambda: scheduler.rewarm(10, then=lehr.linear()),  # nothing is left of the run
        lambda: scheduler.replace(lehr.linear(to=-1.0), over=10),
        lambda: scheduler.replace(0.5),  # pyright: ignore
        lambda: scheduler.replace(lehr.formula(lambda t: 1.0, low=0, high=1), over=9, jump=True),
        lambda: scheduler.scale(0.0),
        lambda: scheduler.scale(float("nan")),
        lambda: scheduler.scale(2.0, of="momentum"),
    ):
        with pytest.raises(ScheduleError):
            change()
        assert (scheduler.state_dict(), rates(optimizer)) == wanted


def test_the_state_of_a_changed_run_is_not_that_of_another():
    _, scheduler = started(30)
    scheduler.scale(0.5)
    other = Scheduler(make_optimizer(rates=(0.1, 0.3)), lehr.cosine(), over=100)
    with pytest.raises(ScheduleError, match="belongs to other schedules"):
        other.load_state_dict(scheduler.state_dict())
    assert other.history == []


def test_a_load_forgets_changes_made_since():
    optimizer, scheduler = started(30)
    state = scheduler.state_dict()
    wanted = drive(optimizer, scheduler, 70)
    scheduler.load_state_dict(state)
    scheduler.cooldown(5)
    drive(optimizer, scheduler, 5)
    scheduler.load_state_dict(state)
    assert scheduler.history == []
    assert drive(optimizer, scheduler, 70) == wanted


def test_every_group_and_what_follows_the_rate_is_changed():
    optimizer = make_optimizer("adamw", (0.1, 0.3))
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.02
    scheduler = Scheduler(optimizer, [lehr.linear(), lehr.constant()], over=100, weight_decay="lr")
    scheduler.seek(50)
    scheduler.scale(0.5)
    assert rates(optimizer) == pytest.approx([0.025, 0.15])
    assert [g["weight_decay"] for g in optimizer.param_groups] == pytest.approx([0.005, 0.01])


def test_steps_may_be_durations():
    _, scheduler = started(50)
    scheduler.cooldown("10%")
    assert scheduler.history[0]["steps"] == 10
    optimizer = make_optimizer()
    horizon = lehr.Horizon("10ep", steps_per_epoch=7)
    scheduler = Scheduler(optimizer, lehr.constant(), over=horizon)
    scheduler.cooldown("3ep")
    assert scheduler.history[0]["steps"] == 21


@st.composite
def changes(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    at = 0
    for _ in range(draw(st.integers(1, 20))):
        at += draw(st.integers(0, 12))
        found.append({"at": at, **draw(st.sampled_from([
            {"change": "extend", "steps": 9},
            {"change": "cooldown", "steps": 8, "to": 0.03, "ease": "cosine"},
            {"change": "rewarm", "steps": 5, "to": 0.75, "then": COSINE, "over": 40},
            {"change": "replace", "schedule": LINEAR, "over": 31, "jump": False},
            {"change": "scale", "factor": 0.9, "steps": 6},
        ]))})  # fmt: skip
    return found


@given(changes())
def test_the_past_stays_and_the_value_goes_on(plan: list[dict[str, Any]]):
    revised = RevisedSchedule((lehr.warmup(5) >> lehr.cosine()).over(60))
    for change in plan:
        before, at = revised, change["at"]
        try:
            revised = changed(before, change)
        except ScheduleError:
            # It is where it would go to, or there is nothing left of it.
            goal = change.get("schedule", change).get("to")
            there = goal == pytest.approx(float(before.schedule(at)))
            assert there or at >= (before.schedule.length or math.inf)
            continue
        steps = np.arange(at + 1)
        old, new = before.schedule(steps), revised.schedule(steps)
        assert new == pytest.approx(old, rel=1e-12, abs=1e-15)
        assert float(revised.schedule(at)) == pytest.approx(float(new[-1]))
        low, high = revised.schedule.bounds
        values = revised.schedule(np.arange(at + 100))
        assert np.isfinite(values).all()
        assert low - 1e-12 <= values.min()
        assert values.max() <= high + 1e-12
