"""Loops that are right do not set off the guards, or the warning says how to turn it off."""

import warnings
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as theirs

import lehr
import lehr.torch as ours


def parameter() -> torch.Tensor:
    """Return a parameter with a gradient."""
    made = torch.zeros(1, requires_grad=True)
    made.grad = torch.ones(1)
    return made


class SharpnessAware(torch.optim.Optimizer):
    """SAM: two phases an update, neither of which is called ``step``."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.base_optimizer = torch.optim.SGD(self.param_groups, lr=lr)
        self.param_groups = self.base_optimizer.param_groups

    def first_step(self) -> None:
        """Climb."""

    def second_step(self) -> None:
        """Come back, and go down with the gradient from above."""
        self.base_optimizer.step()

    def step(self, closure: Any = None) -> None:
        """Never called in the loop of two phases."""
        raise NotImplementedError


class TwoPhases(torch.optim.SGD):
    """The same in one class, with an inner step that is called twice an update."""

    def first_step(self) -> None:
        """Climb."""
        super().step()

    def second_step(self) -> None:
        """Go down."""
        super().step()


def silent_or_says_how(caught: list[warnings.WarningMessage]) -> None:
    """Assert that each warning names its guard and how to turn it off."""
    for warning in caught:
        text = str(warning.message)
        assert "guards=" in text, text
        assert "'off'" in text, text


@pytest.mark.parametrize("kind", [SharpnessAware, TwoPhases])
@pytest.mark.parametrize("name", ["Scheduler", "StepLR", "CosineAnnealingLR", "LambdaLR"])
def test_two_phases_an_update(name: str, kind: Any):
    def warned(module: Any) -> list[warnings.WarningMessage]:
        optimizer = kind([parameter()], lr=0.1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler: Any = {
                "Scheduler": lambda: ours.Scheduler(optimizer, lr=lehr.linear(100)),
                "StepLR": lambda: module.StepLR(optimizer, 10),
                "CosineAnnealingLR": lambda: module.CosineAnnealingLR(optimizer, 100),
                "LambdaLR": lambda: module.LambdaLR(optimizer, lambda epoch: 1.0),
            }[name]()
            for _ in range(20):
                optimizer.first_step()
                optimizer.second_step()
                scheduler.step()
        return caught

    if name == "Scheduler":
        silent_or_says_how(warned(ours))
    else:
        assert len(warned(ours)) <= len(warned(theirs)), "a drop-in warns where torch's does"


@pytest.mark.parametrize("updates", [2, 4, 10, 80])
def test_several_updates_between_two_steps(updates: int):
    """Reinforcement learning: K epochs over a buffer, then one step of the scheduler."""
    optimizer = torch.optim.SGD([parameter()], lr=0.1)
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(), over=50)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(20):
            for _ in range(updates):
                optimizer.step()
            scheduler.step()
    silent_or_says_how(caught)


@pytest.mark.parametrize("guard", ["order", "per_epoch"])
def test_what_the_warning_says_turns_it_off(guard: str):
    def train(guards: Any) -> list[str]:
        optimizer = torch.optim.SGD([parameter()], lr=0.1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler = ours.Scheduler(optimizer, lr=lehr.linear(), over=1000, guards=guards)
            if guard == "order":
                scheduler.step()
            for _ in range(5):
                for _ in range(200 if guard == "per_epoch" else 1):
                    optimizer.step()
                scheduler.step()
        return [str(w.message) for w in caught if f"'{guard}'" in str(w.message)]

    assert train("warn")
    assert f"guards={{'{guard}': 'off'}}" in train("warn")[0]
    assert train({guard: "off"}) == []


def test_a_schedule_free_optimizer_under_a_decay_is_warned_of():
    """Its groups say what it is; it must not be decayed."""

    class ScheduleFree(torch.optim.SGD):
        def eval(self) -> None:
            """Go to the average."""

        def train(self) -> None:
            """Come back from it."""

    optimizer = ScheduleFree([parameter()], lr=0.1)
    optimizer.param_groups[0].update(weight_sum=0.0, lr_max=-1.0, scheduled_lr=0.0, train_mode=True)
    with pytest.warns(UserWarning, match=r"[Ss]chedule-?free"):
        ours.Scheduler(optimizer, lr=lehr.cosine(100))
    # A tenth is no decay.
    ours.Scheduler(optimizer, lr=lehr.warmup(10) >> lehr.linear(90, to=0.95), guards="error")
