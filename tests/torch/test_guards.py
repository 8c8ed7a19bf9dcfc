"""The mistakes that tutorials warn of, noticed while training and before it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

import lehr
from driving import drive, make_optimizer, rates
from lehr import GuardError, ScheduleError
from lehr.torch import GUARDS, Scheduler, absolute

COSINE = lehr.cosine()


def trained(optimizer: Optimizer, updates: int = 1) -> None:
    for _ in range(updates):
        optimizer.step()


def order(guards: Any) -> None:
    Scheduler(make_optimizer(), COSINE, 100, guards=guards).step()


def per_epoch(guards: Any) -> None:
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 3540, guards=guards)
    for _ in range(5):
        trained(optimizer, 118)
        scheduler.step()


def repeated(guards: Any) -> None:
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 100, guards=guards)
    for _ in range(3):
        trained(optimizer)
        for _ in range(4):
            scheduler.step()


def past_end(guards: Any) -> None:
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 50, guards=guards)
    for _ in range(53):
        trained(optimizer)
        scheduler.step()


def warmup(guards: Any) -> None:
    Scheduler(make_optimizer(), lehr.warmup(500) >> lehr.hold(), 100, guards=guards)


def jump(guards: Any) -> None:
    optimizer = make_optimizer()
    schedule = lehr.hold(40, at=0.01) >> lehr.hold(at=1.0)
    scheduler = Scheduler(optimizer, schedule, 100, guards=guards)
    for _ in range(60):
        trained(optimizer)
        scheduler.step()


def twice(guards: Any) -> None:
    optimizer = make_optimizer()
    kept = [Scheduler(optimizer, COSINE, 100, guards=guards) for _ in range(2)]
    assert kept


def two_absolutes(guards: Any) -> None:
    optimizer = make_optimizer()
    first = Scheduler(optimizer, absolute(lehr.constant(0.5)), guards="off")
    second = Scheduler(optimizer, absolute(lehr.linear(10)), guards=guards)
    assert first is not second


def another_writer(guards: Any) -> None:
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 100, guards=guards)
    for t in range(10):
        trained(optimizer)
        scheduler.step()
        optimizer.param_groups[0]["lr"] = 0.1 / (t + 1)


MISTAKES: list[tuple[str, Callable[[Any], None], str]] = [
    ("order", order, r"before `optimizer.step\(\)`"),
    ("per_epoch", per_epoch, "118 updates were made between two steps.*3540"),
    ("repeated", repeated, "called again without an update"),
    ("past_end", past_end, "the run ends after 50 steps, and this is update 52"),
    ("warmup", warmup, "warmup of 500 steps is longer than the run of 100"),
    ("jump", jump, r"from 0.01 to 1 of its base at once, at step 40"),
    ("conflict", twice, "another scheduler like this one"),
    ("conflict", two_absolutes, "neither is a factor"),
    ("conflict", another_writer, "something else sets the lr"),
]


@pytest.mark.parametrize(("name", "mistake", "text"), MISTAKES)
def test_a_mistake_is_told_once(name: str, mistake: Callable[[Any], None], text: str):
    for guards in ("warn", {name: "warn"}, {name: "warn", "*": "off"}):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            mistake(guards)
        assert len(told) == 1
        with pytest.warns(UserWarning, match=text):
            mistake(guards)
        assert told[0].filename == __file__, "it points at the user's own line"
        assert f"guards={{{name!r}: 'off'}}" in str(told[0].message)


@pytest.mark.parametrize(("name", "mistake", "text"), MISTAKES)
def test_a_mistake_is_refused_or_let_pass(name: str, mistake: Callable[[Any], None], text: str):
    for guards in ("error", {name: "error"}):
        with pytest.raises(GuardError, match=text):
            mistake(guards)
    for guards in ("off", {name: "off"}):
        mistake(guards)


def test_a_refused_step_leaves_everything():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 10, guards={"past_end": "error"})
    scheduler.seek(10)
    for _ in range(2):
        trained(optimizer)
        with pytest.raises(GuardError):
            scheduler.step()
        assert scheduler.last_epoch == 10


def test_a_jump_that_is_refused_leaves_everything():
    optimizer = make_optimizer()
    schedule = lehr.hold(100, at=0.01) >> lehr.hold(at=1.0)
    scheduler = Scheduler(optimizer, schedule, 200, guards={"jump": "error"})
    # It is seen ahead of time: the run need not come there to be stopped.
    for _ in range(2):
        trained(optimizer)
        with pytest.raises(GuardError, match="at step 100"):
            scheduler.step()
        assert scheduler.last_epoch == 0
        assert rates(optimizer) == pytest.approx([0.001])


def test_a_state_does_not_depend_on_how_it_came_there():
    run = lehr.warmup(50) >> lehr.cosine()
    stepped, sought = make_optimizer(), make_optimizer()
    a, b = Scheduler(stepped, run, 300), Scheduler(sought, run, 300)
    for t in range(120):
        assert a.state_dict()["highest"] == pytest.approx(min(t / 50, 1.0))
        trained(stepped)
        a.step()
        if t % 7 == 3:
            b.seek(t + 1)
            if t > 52:
                same = {"_step_count": 1, "highest": b.state_dict()["highest"]}
                assert b.state_dict() == {**a.state_dict(), **same}


def test_a_training_without_mistakes_is_silent():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    schedule = lehr.warmup("5%") >> lehr.cosine(100, to=0.001).repeat()
    scheduler = Scheduler(optimizer, schedule, 2000, momentum=lehr.constant(0.9))
    for _ in range(2000):
        trained(optimizer)
        scheduler.step()
    again = make_optimizer(rates=(0.1, 0.3))
    resumed = Scheduler(again, schedule, 2000, momentum=lehr.constant(0.9))
    again.load_state_dict(optimizer.state_dict())
    scheduler.seek(1023)
    resumed.load_state_dict(scheduler.state_dict())
    for _ in range(300):
        trained(again)
        resumed.step()


def test_two_changes_in_a_row_are_made_by_hand_and_three_are_not():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 1000, guards="error")
    for t in range(300):
        trained(optimizer)
        scheduler.step()
        if t % 100 in (5, 6):
            optimizer.param_groups[0]["lr"] *= 0.9
    for _ in range(2):
        optimizer.param_groups[0]["lr"] *= 0.9
        trained(optimizer)
        scheduler.step()
    optimizer.param_groups[0]["lr"] *= 0.9
    trained(optimizer)
    with pytest.raises(GuardError, match="something else sets the lr"):
        scheduler.step()


def test_an_update_more_now_and_then_is_no_mistake():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 1000, guards="error")
    for t in range(300):
        trained(optimizer, 2 if t in (5, 100, 200) else 1)
        scheduler.step()
    assert scheduler.last_epoch == 300


def test_sparse_gradients_are_not_looked_at():
    """An embedding's: whether they are finite, torch cannot say."""
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, COSINE, 100, guards="off")
    table(torch.tensor([1])).sum().backward()
    trained(optimizer)
    for _ in range(3):
        scheduler.step()  # the last two without an update
    assert scheduler.last_epoch == 3


def test_a_run_of_epochs_may_be_stepped_per_epoch():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 30)
    for _ in range(30):
        trained(optimizer, 118)
        scheduler.step()


@pytest.mark.parametrize(
    ("guards", "text"),
    [
        ("loud", "'loud' must be"),
        ({"order": "loud"}, "'loud' must be"),
        ({"ordre": "off"}, "'ordre' is not a guard; there are order, per_epoch"),
    ],
)
def test_unknown_guards_are_refused(guards: Any, text: str):
    with pytest.raises(ScheduleError, match=text):
        Scheduler(make_optimizer(), COSINE, 10, guards=guards)


def test_every_guard_says_what_it_looks_for():
    assert all(text and text[0].islower() for text in GUARDS.values())


def test_the_guards_watch_after_an_optimizer_was_loaded():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, COSINE, 100, guards={"repeated": "error"})
    optimizer.load_state_dict(optimizer.state_dict())
    trained(optimizer)
    scheduler.step()
    with pytest.raises(GuardError, match="again without an update"):
        scheduler.step()


def test_a_function_of_ones_own_is_watched_too():
    def leap(t: float) -> float:
        return 0.01 if t < 7 else 1.0

    optimizer = make_optimizer()
    own = lehr.formula(leap).clip(0, 1)
    scheduler = Scheduler(optimizer, own, 100, guards={"jump": "error"})
    drive(optimizer, scheduler, 6)
    trained(optimizer)
    with pytest.raises(GuardError, match=r"rises from 0.01 to 1 of its base at once, at step 7"):
        scheduler.step()
    assert scheduler.last_epoch == 6
    assert rates(optimizer) == pytest.approx([0.001])
    quiet = make_optimizer()
    drive(quiet, Scheduler(quiet, own, 100, guards={"jump": "off"}), 10)
    assert rates(quiet) == pytest.approx([0.1])


def test_a_function_of_ones_own_is_asked_once_a_step():
    asked: list[float] = []

    def own(t: float) -> float:
        asked.append(t)
        return 1 - t / 100

    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.formula(own).clip(0, 1), 100, guards="error")
    asked.clear()
    drive(optimizer, scheduler, 60)
    assert asked == list(range(1, 61))


# ----- the gradient scaler --------------------------------------------------------------------


def scaled_run(
    fused: bool, with_scaler: bool, zero_first: bool
) -> tuple[list[int], list[float], list[bool]]:
    """Train with a scaler that skips updates; return positions, rates, and which were skipped."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scheduler = Scheduler(optimizer, lehr.linear(), 100, scaler=scaler if with_scaler else None)
    positions, used, skipped = [], [], []
    for t in range(12):
        bad = t in (0, 4, 5)
        used.append(rates(optimizer)[0])
        before = weight.detach().clone()
        loss = (weight * (float("inf") if bad else 1.0)).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if zero_first:
            optimizer.zero_grad()
        scheduler.step()
        if not zero_first:
            optimizer.zero_grad()
        positions.append(scheduler.last_epoch)
        skipped.append(bool(torch.equal(before, weight.detach())))
    return positions, used, skipped


@pytest.mark.parametrize(
    ("fused", "with_scaler", "zero_first"),
    [(False, False, False), (False, True, False), (False, True, True), (True, True, True),
     (True, False, False)],
)  # fmt: skip
def test_the_schedule_does_not_move_with_a_skipped_update(
    fused: bool, with_scaler: bool, zero_first: bool
):
    positions, used, skipped = scaled_run(fused, with_scaler, zero_first)
    assert [t for t, skip in enumerate(skipped) if skip] == [0, 4, 5]
    made = 0
    for t, position in enumerate(positions):
        assert used[t] == pytest.approx(0.1 * (1 - made / 100))
        made += not skipped[t]
        assert position == made


def test_all_schedulers_of_a_fused_optimizer_hold_where_an_update_is_skipped():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight], lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    guards: Any = {"conflict": "off", "*": "error"}
    both = [Scheduler(optimizer, lehr.linear(), 100, guards=guards) for _ in range(2)]
    for t in range(8):
        loss = (weight * (float("inf") if t in (3, 4) else 1.0)).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        for scheduler in both:
            scheduler.step()
    assert [scheduler.last_epoch for scheduler in both] == [6, 6]
    assert rates(optimizer) == pytest.approx([0.1 * 0.94**2])


def test_a_scaler_that_is_off_skips_nothing():
    optimizer = make_optimizer()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    scheduler = Scheduler(optimizer, COSINE, 10, scaler=scaler)
    trained(optimizer)
    scheduler.step()
    with pytest.warns(UserWarning, match="called again without an update"):
        scheduler.step()
    assert scheduler.last_epoch == 2


def test_a_skipped_update_can_be_told_of():
    optimizer = make_optimizer()
    optimizer.param_groups[0]["params"][0].grad = torch.tensor([float("inf")])
    scheduler = Scheduler(optimizer, COSINE, 10, guards={"skipped": "warn"})
    with pytest.warns(UserWarning, match="skipped an update"):
        scheduler.step()
    assert scheduler.last_epoch == 0


# ----- before a run ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "over", "names"),
    [
        (lehr.warmup("10%") >> lehr.cosine(), 1000, []),
        (lehr.one_cycle(), 1000, []),
        (lehr.constant(), None, []),
        (lehr.warmup(500) >> lehr.hold(), 200, ["warmup"]),
        (lehr.warmup("0.1%") >> lehr.cosine(), 200, ["warmup"]),
        (lehr.warmup(50) >> lehr.cosine(500), 200, ["cut"]),
        (lehr.hold(10, at=0.01) >> lehr.hold(at=1.0), 100, ["jump"]),
        (lehr.cosine(100).repeat(), 1000, []),
        (lehr.cosine(100).repeat(), 150, ["end"]),
        (lehr.linear(2), None, ["end"]),
        (lehr.cosine(100) - 0.5, None, ["range"]),
    ],
)
def test_what_can_be_seen_before(schedule: lehr.Schedule, over: Any, names: list[str]):
    found = lehr.check(schedule, over)
    assert [finding.name for finding in found] == names
    assert all(str(finding).startswith(f"{finding.name}: ") for finding in found)


def test_an_optimizer_is_looked_at_too():
    optimizer = make_optimizer(rates=(0.0, 0.1))
    lehr.torch.ExponentialLR(optimizer, 0.5).seek(3)
    found = lehr.check(lehr.cosine(10), optimizer=optimizer)
    assert [finding.name for finding in found] == ["base", "base"]
    assert "group 0 has the rate 0" in found[0].message
    assert "driven it already" in found[1].message


def test_a_check_needs_a_run_where_the_schedule_does():
    with pytest.raises(lehr.NeedsHorizon):
        lehr.check(lehr.cosine())
    with pytest.raises(ScheduleError, match=r"schedule=0\.5"):
        lehr.check(0.5)  # pyright: ignore


def test_rates_set_by_hand_far_apart_are_not_a_fight() -> None:
    optimizer = make_optimizer("sgd")
    scheduler = Scheduler(optimizer, lehr.constant(), over=90)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch in range(80):
            optimizer.step()
            if epoch in (20, 40, 60):
                for group in optimizer.param_groups:
                    group["lr"] /= 10
            scheduler.step()


def test_two_updates_now_and_then_are_not_steps_by_epoch() -> None:
    optimizer = make_optimizer("sgd")
    scheduler = Scheduler(optimizer, lehr.cosine(), over=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(60):
            for _ in range(2 if step in (5, 30) else 1):
                optimizer.step()
            scheduler.step()


def test_rates_set_by_hand_before_each_seek_back_are_not_a_fight() -> None:
    optimizer = make_optimizer("sgd")
    scheduler = Scheduler(optimizer, lehr.linear(), over=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for position in range(100, 20, -10):
            scheduler.seek(position)
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
