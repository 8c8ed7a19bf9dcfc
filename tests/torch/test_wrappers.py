"""Optimizers that wrap others, and optimizers that lack what torch's own constructor makes."""

from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

BUILDS = {
    "Scheduler": lambda o: ours.Scheduler(o, lr=lehr.linear(10), guards="off"),
    "StepLR": lambda o: ours.LinearLR(o, 1.0, 0.001, total_iters=1000),
    "LambdaLR": lambda o: ours.LambdaLR(o, lambda epoch: 1 - epoch / 10),
    "PolynomialLR": lambda o: ours.PolynomialLR(o, 10),
}


class Lookahead(torch.optim.Optimizer):
    """As timm's: it shares the groups and never calls torch's constructor."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        self._base_optimizer = base
        self.param_groups = base.param_groups
        self.defaults = dict(base.defaults)
        self.state = base.state
        for group in self.param_groups:
            group.setdefault("lookahead_step", 0)

    def step(self, closure: Any = None) -> None:
        """Step the inner one."""
        self._base_optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the inner one's."""
        return self._base_optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the inner one, and share its new groups."""
        self._base_optimizer.load_state_dict(state_dict)
        self.param_groups = self._base_optimizer.param_groups


class Stale(torch.optim.Optimizer):
    """As PostLocalSGD: after a load its groups are the old ones, which nobody trains by."""

    def __init__(self, base: torch.optim.Optimizer, name: str = "optim") -> None:
        setattr(self, name, base)
        self.inner_name = name
        self.param_groups = base.param_groups
        self.defaults = dict(base.defaults)

    @property
    def inner(self) -> torch.optim.Optimizer:
        """The one that trains."""
        return getattr(self, self.inner_name)

    @property
    def state(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The inner one's."""
        return self.inner.state

    def step(self, closure: Any = None) -> None:
        """Step the inner one."""
        self.inner.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the inner one's."""
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the inner one, and keep the old groups."""
        self.inner.load_state_dict(state_dict)


class Equal(torch.optim.SGD):
    """With a comparison of its own, and so without a hash."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)


class Hookless(torch.optim.SGD):
    """Its load runs no hooks, as that of optimizers which write their own."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the values, group by group."""
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({key: value for key, value in saved.items() if key != "params"})


def parameters() -> list[torch.Tensor]:
    """Return one parameter."""
    return [torch.zeros(1, requires_grad=True)]


def trained(outer: Any, scheduler: Any, steps: int) -> None:
    """Make so many updates."""
    for _ in range(steps):
        outer.step()
        scheduler.step()


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("loaded", [False, True])
def test_lookahead(name: str, loaded: bool):
    inner, plain = make_optimizer(), make_optimizer()
    outer = Lookahead(inner)
    scheduler, reference = BUILDS[name](outer), BUILDS[name](plain)
    trained(outer, scheduler, 3)
    trained(plain, reference, 3)
    if loaded:
        states = outer.state_dict(), scheduler.state_dict()
        inner = make_optimizer()
        outer = Lookahead(inner)
        scheduler = BUILDS[name](outer)
        outer.load_state_dict(states[0])
        scheduler.load_state_dict(states[1])
    trained(outer, scheduler, 3)
    trained(plain, reference, 3)
    assert rates(inner) == pytest.approx(rates(plain), rel=1e-12)


INNER = ["optim", "optimizer", "base_optimizer", "_base_optimizer", "_optimizer", "inner_optimizer"]


@pytest.mark.parametrize("attribute", INNER)
@pytest.mark.parametrize("name", BUILDS)
def test_a_wrapper_whose_groups_are_stale_after_a_load(name: str, attribute: str):
    """The rate that counts is that of the inner one, wherever it hides."""
    inner, plain = make_optimizer(), make_optimizer()
    outer = Stale(inner, attribute)
    scheduler, reference = BUILDS[name](outer), BUILDS[name](plain)
    trained(outer, scheduler, 3)
    trained(plain, reference, 3)
    outer.load_state_dict(outer.state_dict())
    assert rates(inner) == pytest.approx(rates(plain), rel=1e-12)
    trained(outer, scheduler, 3)
    trained(plain, reference, 3)
    assert rates(inner) == pytest.approx(rates(plain), rel=1e-12)


@pytest.mark.parametrize("name", BUILDS)
def test_an_optimizer_that_cannot_be_hashed(name: str):
    one, other = Equal(parameters(), lr=0.1), Equal(parameters(), lr=0.3)
    schedulers = BUILDS[name](one), BUILDS[name](other)
    for optimizer, scheduler in zip((one, other), schedulers, strict=True):
        trained(optimizer, scheduler, 2)
    plain = make_optimizer("sgd", [0.1])
    trained(plain, BUILDS[name](plain), 2)
    (rate,) = rates(plain)
    assert one.param_groups[0]["lr"] == pytest.approx(rate)
    assert other.param_groups[0]["lr"] == pytest.approx(3 * rate)


@pytest.mark.parametrize("order", ["optimizer first", "scheduler first"])
@pytest.mark.parametrize("name", BUILDS)
def test_a_load_that_runs_no_hooks(name: str, order: str):
    run = Hookless(parameters(), lr=0.1)
    scheduler = BUILDS[name](run)
    trained(run, scheduler, 4)
    states = run.state_dict(), scheduler.state_dict()
    fresh = Hookless(parameters(), lr=0.1)
    again = BUILDS[name](fresh)
    if order == "scheduler first":
        again.load_state_dict(states[1])
        fresh.load_state_dict(states[0])
    else:
        fresh.load_state_dict(states[0])
        again.load_state_dict(states[1])
    for _ in range(3):
        trained(run, scheduler, 1)
        trained(fresh, again, 1)
        assert fresh.param_groups[0]["lr"] == pytest.approx(run.param_groups[0]["lr"], rel=1e-12)


# ----- keys that are somebody else's --------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDS)
def test_a_key_called_scheduled_lr_is_left_alone(name: str):
    """Schedule-free optimizers keep one, and read it."""
    optimizer = torch.optim.SGD(parameters(), lr=0.1)
    optimizer.param_groups[0]["scheduled_lr"] = 0.0375
    scheduler = BUILDS[name](optimizer)
    trained(optimizer, scheduler, 3)
    expected = optimizer.param_groups[0]["lr"]
    state = optimizer.state_dict()
    assert state["param_groups"][0]["scheduled_lr"] == 0.0375
    fresh = torch.optim.SGD(parameters(), lr=0.1)
    fresh.param_groups[0]["scheduled_lr"] = 0.5
    fresh.load_state_dict(state)
    again = BUILDS[name](fresh)
    assert fresh.param_groups[0]["scheduled_lr"] == 0.0375
    assert [float(lr) for lr in again.base_lrs] == [0.1]
    again.load_state_dict(scheduler.state_dict())
    assert fresh.param_groups[0]["lr"] == pytest.approx(expected)


@pytest.mark.parametrize("name", BUILDS)
def test_nothing_of_lehrs_goes_into_the_groups_but_torchs_own_key(name: str):
    optimizer = torch.optim.SGD(parameters(), lr=0.1)
    before = set(optimizer.param_groups[0])
    trained(optimizer, BUILDS[name](optimizer), 3)
    allowed = before | {"initial_lr"}
    assert set(optimizer.state_dict()["param_groups"][0]) <= allowed
    assert set(optimizer.param_groups[0]) <= allowed


# ----- not a torch optimizer ----------------------------------------------------------------------


class Shell:
    """Groups and a step, and the optimizer inside: LARC, SAM and others."""

    def __init__(self, name: str, inner: Any) -> None:
        setattr(self, name, inner)
        self.param_groups = inner.param_groups

    def step(self) -> None:
        """Update nothing."""


@pytest.mark.parametrize("attribute", [name for name in INNER if name != "optimizer"])
@pytest.mark.parametrize("name", BUILDS)
def test_a_shell_is_told_to_hand_over_what_is_inside(name: str, attribute: str):
    with pytest.raises(TypeError, match=rf"pass the inner optimizer.*`?\.{attribute}`?"):
        BUILDS[name](Shell(attribute, make_optimizer()))


@pytest.mark.parametrize("bad", [None, 3, "sgd", [], {}, object(), torch.nn.Linear(1, 1)])
@pytest.mark.parametrize("name", BUILDS)
def test_what_has_no_optimizer_inside_is_no_optimizer(name: str, bad: Any):
    with pytest.raises((TypeError, lehr.ScheduleError), match=r"[Oo]ptimizer"):
        BUILDS[name](bad)
