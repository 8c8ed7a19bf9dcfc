"""``TrapezoidalLR``, after the Keras callback of that name."""

import copy
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from driving import drive, make_optimizer, rates
from lehr import ScheduleError
from lehr.torch import TrapezoidalLR


class Original:
    """The callback's rule, counting batches, as its documentation states it."""

    def __init__(
        self,
        base: float,
        top: float,
        size: int,
        anneal_epoch: int,
        scale: Callable[[float], float] = lambda x: x,
        mode: str = "zero2one",
    ) -> None:
        self.base, self.top, self.size, self.anneal = base, top, size, anneal_epoch
        self.scale, self.mode = scale, mode
        self.history: list[float] = []

    def run(self, epochs: int, batches: int) -> list[float]:
        """Return the rate that each batch uses."""
        done, began = 0, None
        for epoch in range(epochs):
            if began is None and epoch >= self.anneal:
                began = done
            for _ in range(batches):
                since = min(done - (began or 0), self.size)
                height = self.scale(since / self.size if self.mode == "zero2one" else since)
                if began is not None:
                    height = 1 - height
                self.history.append((1 - height) * self.base + height * self.top)
                done += 1
        return self.history


SCALES: list[tuple[Callable[[float], float], str]] = [
    (lambda x: x, "zero2one"),
    (lambda x: x * x, "zero2one"),
    (lambda x: 0.5 * (1 - math.cos(x * math.pi)), "zero2one"),
    (lambda x: 0.5 * (1 + math.sin(x * math.pi / 2)), "zero2one"),  # begins half way up
    (lambda n: min(1.0, n / 40), "iterations"),
    (lambda n: n / (n + 3), "iterations"),  # never quite arrives
]


@pytest.mark.parametrize(("scale", "mode"), SCALES)
@pytest.mark.parametrize("batches", [1, 4, 20])
def test_per_batch(scale: Callable[[float], float], mode: Any, batches: int):
    epochs, up, anneal = 14, 5, 7
    expected = Original(0.001, 0.006, up * batches, anneal, scale, mode).run(epochs, batches)
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(
        optimizer, 0.001, 0.006, up, anneal, scale, mode, steps_per_epoch=batches
    )
    found = [row[0][0] for row in drive(optimizer, scheduler, epochs * batches - 1)]
    assert found == pytest.approx(expected, abs=1e-9 * 0.006)


@pytest.mark.parametrize(("size", "anneal"), [(5, 10), (5, 5), (1, 1), (3, 4), (2, 2.5), (1.5, 9)])
def test_per_epoch(size: float, anneal: float):
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.1, 0.5, size, anneal)
    rows = drive(optimizer, scheduler, 30)
    for epoch, row in enumerate(rows):
        if epoch < size:
            height = epoch / size
        elif epoch < anneal:
            height = 1.0
        else:
            height = max(0.0, 1 - (epoch - anneal) / size)
        assert row[0][0] == pytest.approx(0.1 + 0.4 * height, rel=1e-12)


@pytest.mark.parametrize("kind", ["sgd", "adamw", "sgd-tensor", "adamw-tensor"])
def test_the_optimizers_own_rate_is_overridden(kind: str):
    optimizer = make_optimizer(kind, (7.0, 9.0))
    scheduler = TrapezoidalLR(optimizer, [0.1, 0.2], [0.5, 0.8], 4, 8)
    assert rates(optimizer) == pytest.approx([0.1, 0.2])
    drive(optimizer, scheduler, 2)
    assert rates(optimizer) == pytest.approx([0.3, 0.5])
    drive(optimizer, scheduler, 30)
    assert rates(optimizer) == pytest.approx([0.1, 0.2])


def test_defaults_go_together():
    """Each argument may be left out, or its absence is refused."""
    parameters = list(inspect.signature(TrapezoidalLR).parameters.values())[1:]
    needed = {p.name: 5 for p in parameters if p.default is inspect.Parameter.empty}
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, **needed)
    assert rates(optimizer) == pytest.approx([0.001])
    drive(optimizer, scheduler, 5)
    assert rates(optimizer) == pytest.approx([0.006])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"step_size": 0}, "step_size=0"),
        ({"step_size": -5}, "step_size=-5"),
        ({"step_size": math.nan}, "step_size=nan"),
        ({"step_size": "5"}, "step_size"),
        ({"anneal_start_epoch": 3}, "anneal_start_epoch=3"),
        ({"anneal_start_epoch": -1}, "anneal_start_epoch=-1"),
        ({"base_lr": -0.1}, "-0.1"),
        ({"max_lr": -0.1}, "-0.1"),
        ({"base_lr": math.nan}, "nan"),
        ({"base_lr": [0.1, 0.2]}, "base_lr"),
        ({"max_lr": [0.1, 0.2]}, "max_lr"),
        ({"steps_per_epoch": 0}, "steps_per_epoch=0"),
        ({"steps_per_epoch": 2.5}, "steps_per_epoch=2.5"),
        ({"scale_mode": "cycle", "scale_fn": lambda x: x}, "scale_mode='cycle'"),
        ({"scale_fn": lambda x: 2 * x}, "2"),
    ],
)
def test_what_has_no_meaning_is_refused(arguments: dict[str, Any], text: str):
    optimizer = make_optimizer()
    with pytest.raises(ValueError, match=text):
        TrapezoidalLR(optimizer, **({"step_size": 5, "anneal_start_epoch": 10} | arguments))
    assert rates(optimizer) == [0.1]


def test_a_level_trapezoid():
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.5, 0.5, 5, 10)
    assert {row[0][0] for row in drive(optimizer, scheduler, 20)} == {0.5}


def test_the_history_holds_what_was_set_after_each_batch():
    """As in the original: entry i is the rate set once batch i is done, for the next one."""
    expected = Original(0.001, 0.006, 20, 7).run(13, 4)[1:49]
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.001, 0.006, 5, 7, steps_per_epoch=4)
    for _ in range(48):
        optimizer.step()
        scheduler.step()
        scheduler.record(loss=0.5)
    assert scheduler.history["iterations"] == list(range(1, 49))
    assert scheduler.history["loss"] == [0.5] * 48
    assert scheduler.history["lr"] == pytest.approx(expected)


def test_the_history_of_epochs_begun_by_hand():
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.0, 1.0, 4, 6)
    for epoch in range(11):
        scheduler.step(epoch)
        optimizer.step()
    expected = [0, 0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert scheduler.history["lr"] == pytest.approx(expected)
    assert scheduler.history["iterations"] == list(range(1, 12))


def test_what_is_recorded_may_be_a_tensor():
    scheduler = TrapezoidalLR(make_optimizer(), 0.0, 1.0, 4, 6)
    scheduler.record(loss=torch.tensor(0.5), accuracy=1)
    assert scheduler.history["loss"] == [0.5]
    assert scheduler.history["accuracy"] == [1.0]


def test_reset_begins_again_with_new_bounds():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    scheduler = TrapezoidalLR(optimizer, 0.0, 1.0, 4, 6)
    drive(optimizer, scheduler, 8)
    scheduler.reset(new_base_lr=0.2, new_max_lr=[0.6, 1.0], new_step_size=2)
    assert scheduler.last_epoch == 0
    assert rates(optimizer) == pytest.approx([0.2, 0.2])
    found = [[rate for rate, _ in row] for row in drive(optimizer, scheduler, 8)]
    heights = [0, 0.5, 1, 1, 1, 1, 1, 0.5, 0]
    assert found == [pytest.approx([0.2 + 0.4 * h, 0.2 + 0.8 * h]) for h in heights]
    assert scheduler.history["iterations"] == list(range(1, 17)), "training went on"
    scheduler.reset(new_anneal_start_epoch=2)
    assert [row[0][0] for row in drive(optimizer, scheduler, 4)] == pytest.approx(
        [0.2, 0.4, 0.6, 0.4, 0.2]
    )
    scheduler.reset()
    assert rates(optimizer) == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(
    "arguments",
    [
        {"new_step_size": 0},
        {"new_step_size": 7},
        {"new_anneal_start_epoch": 1},
        {"new_max_lr": -1.0},
        {"new_base_lr": [0.1, 0.2, 0.3]},
        {"new_base_lr": 0.2, "new_step_size": -1},
    ],
)
def test_a_reset_that_fails_changes_nothing(arguments: dict[str, Any]):
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.0, 1.0, 4, 6)
    drive(optimizer, scheduler, 3)
    before = copy.deepcopy(scheduler.state_dict())
    with pytest.raises(ValueError, match="="):
        scheduler.reset(**arguments)
    assert scheduler.state_dict() == before
    assert rates(optimizer) == [0.75]
    drive(optimizer, scheduler, 4)
    assert rates(optimizer) == [pytest.approx(0.75)]


def test_a_reset_survives_the_state():
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.0, 1.0, 4, 6)
    scheduler.reset(new_base_lr=0.2, new_max_lr=0.6, new_step_size=2)
    drive(optimizer, scheduler, 1)
    fresh = make_optimizer()
    built = TrapezoidalLR(fresh, 0.0, 1.0, 4, 6)
    built.load_state_dict(scheduler.state_dict())
    assert rates(fresh) == [pytest.approx(0.4)]
    assert drive(fresh, built, 9) == drive(optimizer, scheduler, 9)


def test_a_lambda_is_not_saved_and_says_so():
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.0, 1.0, 4, 6, scale_fn=lambda x: x * x)
    drive(optimizer, scheduler, 2)
    with pytest.warns(UserWarning, match=r"scale_fn=.*same function") as caught:
        state = scheduler.state_dict()
    assert len(caught) == 1
    assert caught[0].filename == __file__, "the warning points at the caller"
    fresh = make_optimizer()
    built = TrapezoidalLR(fresh, 0.0, 1.0, 4, 6, scale_fn=lambda x: x * x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built.load_state_dict(state)
    assert rates(fresh) == [pytest.approx(0.25)]
    assert drive(fresh, built, 9) == drive(optimizer, scheduler, 9)


class PowerScale:
    """A scale that is an object, and keeps its power as an attribute."""

    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, x: float) -> float:
        return x**self.power


def test_a_callables_attributes_are_saved():
    optimizer = make_optimizer()
    scheduler = TrapezoidalLR(optimizer, 0.0, 1.0, 4, 6, scale_fn=PowerScale(3))
    drive(optimizer, scheduler, 2)
    state = scheduler.state_dict()
    fresh = make_optimizer()
    function = PowerScale(1)
    built = TrapezoidalLR(fresh, 0.0, 1.0, 4, 6, scale_fn=function)
    built.load_state_dict(state)
    assert function.power == 3
    assert rates(fresh) == [pytest.approx(0.125)]
    assert drive(fresh, built, 9) == drive(optimizer, scheduler, 9)


def test_saving_without_a_function_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TrapezoidalLR(make_optimizer(), 0.0, 1.0, 4, 6).state_dict()


def test_refusals_are_schedule_errors():
    with pytest.raises(ScheduleError):
        TrapezoidalLR(make_optimizer(), step_size=0)


class _Halved(TrapezoidalLR):
    def get_lr(self) -> list[float]:
        return [lr / 2 for lr in super().get_lr()]


def test_a_subclass_with_a_rule_of_its_own_starts_from_the_plan():
    """Torch has no such class: ``super().get_lr()`` gives the trapezoid's own rates."""
    arguments: dict[str, Any] = {"base_lr": 0.0, "max_lr": 1.0, "step_size": 4}
    halved, whole = make_optimizer(), make_optimizer()
    wanted = drive(whole, TrapezoidalLR(whole, **arguments), 8)
    found = drive(halved, _Halved(halved, **arguments), 8)
    assert [step[0][0] for step in found] == pytest.approx([s[0][0] / 2 for s in wanted])
