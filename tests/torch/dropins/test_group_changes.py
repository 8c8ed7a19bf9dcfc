"""Parameter groups that are removed, added, replaced or unlike one another, in mid-run.

Drop-ins treat a group that was added as torch's classes do. A group that remains keeps its base and
its schedule, whatever becomes of its neighbours: groups are known by identity, not by place.
"""

import itertools
from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates
from twins import ARGUMENTS, PLATEAU, Run, build, inverse, saved, scheduler_class, slowly

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

GROUPS = (0.1, 0.3, 0.5)

LISTS: dict[str, dict[str, Any]] = {
    "CyclicLR": {"base_lr": [0.01, 0.02, 0.03], "max_lr": [1.0, 2.0, 3.0], "step_size_up": 5},
    "OneCycleLR": {"max_lr": [1.0, 2.0, 3.0], "total_steps": 40},
    "LambdaLR": {"lr_lambda": [inverse, slowly, lambda epoch: 0.5]},
    "MultiplicativeLR": {"lr_lambda": [slowly, inverse, lambda epoch: 0.5]},
    "SWALR": {"swa_lr": [0.05, 0.01, 0.02], "anneal_epochs": 8},
    PLATEAU: {"factor": 0.5, "patience": 1, "min_lr": [0.01, 0.2, 0.001]},
}
"""Arguments that differ by group, for the classes that take such."""

EACH = [(name, arguments) for name, arguments in {**ARGUMENTS, **LISTS}.items()] + [
    (name, ARGUMENTS[name]) for name in LISTS
]


def group(rate: float, **more: Any) -> dict[str, Any]:
    """Return a new group with a parameter of its own."""
    return {"params": [torch.zeros(1, requires_grad=True)], "lr": rate, **more}


def rate_of(groups: list[dict[str, Any]]) -> list[float]:
    """Return the rates of groups, wherever they are."""
    return [float(each["lr"]) for each in groups]


# ----- removed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize(("name", "arguments"), EACH)
def test_the_groups_that_remain_go_on_as_before(
    name: str, arguments: dict[str, Any], at: int, place: int
):
    run, twin = (build("lehr", name, arguments, bases=GROUPS) for _ in range(2))
    run.steps(at)
    twin.steps(at)
    del run.optimizer.param_groups[place]
    for _ in range(10):
        run.step()
        twin.step()
        expected = rates(twin.optimizer)
        del expected[place]
        assert rates(run.optimizer) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "arguments"), EACH)
def test_a_state_saved_after_a_group_was_removed(name: str, arguments: dict[str, Any]):
    run, twin = (build("lehr", name, arguments, bases=GROUPS) for _ in range(2))
    for each in (run, twin):
        each.steps(3)
    del run.optimizer.param_groups[0]
    run.steps(2)
    twin.steps(2)
    fewer = {
        key: value[1:] if isinstance(value, list) and name in LISTS else value
        for key, value in arguments.items()
    }
    fresh = build("lehr", name, fewer, bases=GROUPS[1:])
    fresh.optimizer.load_state_dict(run.optimizer.state_dict())
    fresh.scheduler.load_state_dict(saved(run))
    fresh.made = run.made
    for _ in range(6):
        fresh.step()
        twin.step()
        assert rates(fresh.optimizer) == pytest.approx(rates(twin.optimizer)[1:], rel=1e-12)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_scheduler_keeps_what_belongs_to_the_groups_that_remain(place: int):
    """A schedule, a base and a momentum for each group, one of which goes."""
    levels = [lehr.linear(20), lehr.cosine(20), lehr.hold(20, at=0.5)]
    dips = [lehr.hold(20, at=level) for level in (0.5, 0.6, 0.7)]
    optimizer = make_optimizer("sgd", GROUPS)
    kept = list(optimizer.param_groups)
    scheduler = ours.Scheduler(optimizer, lr=list(levels), momentum=list(dips))
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    del optimizer.param_groups[place], kept[place], levels[place], dips[place]
    bases = [base for i, base in enumerate(GROUPS) if i != place]
    for t in range(4, 12):
        optimizer.step()
        scheduler.step()
        for each, base, level, dip in zip(kept, bases, levels, dips, strict=True):
            assert each["lr"] == pytest.approx(base * level(t), rel=1e-12)
            assert each["momentum"] == dip(t)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_groups_in_another_order_keep_what_is_theirs(name: str):
    arguments = {**ARGUMENTS, **LISTS}[name]
    run, twin = (build("lehr", name, arguments, bases=GROUPS) for _ in range(2))
    for each in (run, twin):
        each.steps(3)
    run.optimizer.param_groups.reverse()
    for _ in range(6):
        run.step()
        twin.step()
        assert rates(run.optimizer) == pytest.approx(rates(twin.optimizer)[::-1], rel=1e-12)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_all_groups_removed_and_one_added(name: str):
    """Emptied and filled again: what is new is a group that was added."""
    run = build("lehr", name)
    run.steps(2)
    run.optimizer.param_groups.clear()
    run.step()
    run.optimizer.add_param_group(group(0.2))
    run.steps(3)
    (rate,) = rates(run.optimizer)
    assert 0 <= rate <= 1


@pytest.mark.parametrize("how", ["new list", "new dicts"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_groups_replaced_by_copies_as_loading_does(name: str, how: str):
    """Loading an optimizer makes new lists and new dicts: they are the same groups."""
    run, twin = (build("lehr", name, bases=GROUPS) for _ in range(2))
    for each in (run, twin):
        each.steps(3)
    groups = run.optimizer.param_groups
    run.optimizer.param_groups = list(groups) if how == "new list" else [dict(g) for g in groups]
    for _ in range(8):
        run.step()
        twin.step()
        assert rates(run.optimizer) == pytest.approx(rates(twin.optimizer), rel=1e-12)


# ----- added --------------------------------------------------------------------------------------

TAKES = {
    "StepLR": "from its own rate",
    "MultiStepLR": "from its own rate",
    "ExponentialLR": "from its own rate",
    "ConstantLR": "from its own rate",
    "LinearLR": "from its own rate",
    "PolynomialLR": "from its own rate",
    PLATEAU: "from its own rate",
}
"""The classes of torch's that go on with a group that was added, until their run turns."""


@pytest.mark.parametrize("at", [1, 3, 5])
@pytest.mark.parametrize("rate", [1e-4, 0.7])
@pytest.mark.parametrize("name", TAKES)
def test_a_group_added_in_mid_run_goes_on_from_its_own_rate(name: str, rate: float, at: int):
    """The next factor is multiplied into the rate that the group came with, as in torch."""
    pair = [build(side, name) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(at)
        run.optimizer.add_param_group(group(rate))
    for _ in range(12):
        for run in pair:
            run.step()
        expected, found = (rates(run.optimizer) for run in pair)
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("side", ["torch", "lehr"])
def test_the_reported_group(side: str):
    optimizer = make_optimizer("sgd", [0.1])
    scheduler = scheduler_class(side, "StepLR")(optimizer, 2)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    optimizer.add_param_group(group(1e-4))
    optimizer.step()
    scheduler.step()
    assert rates(optimizer) == pytest.approx([1e-4, 1e-5], rel=1e-12)


@pytest.mark.parametrize("name", ["CosineAnnealingLR", "SWALR"])
def test_until_the_turn_torchs_rule_holds_for_these_too(name: str):
    """A cosine's rate goes on from the group's own until ``T_max``, where torch's raises."""
    pair = [build(side, name) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(3)
        run.optimizer.add_param_group(group(0.7, swa_lr=0.05))
    for _ in range(6):
        for run in pair:
            run.step()
        expected, found = (rates(run.optimizer) for run in pair)
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "name", ["LambdaLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]
)
def test_where_torchs_raises_the_group_that_was_added_is_driven_like_the_others(name: str):
    """Its own rate is its base, as it would be had it been there from the start."""
    run, whole = build("lehr", name), build("torch", name, bases=(0.1, 0.3, 0.2))
    for each in (run, whole):
        each.steps(3)
    run.optimizer.add_param_group(group(0.2))
    for _ in range(8):
        run.step()
        whole.step()
        assert rates(run.optimizer) == pytest.approx(rates(whole.optimizer), rel=1e-9)


def test_a_product_over_a_group_that_was_added_goes_on_from_its_own_rate():
    """Torch's raises; the rule is that of all that multiply the rate that is there."""
    run = build("lehr", "MultiplicativeLR")
    run.steps(3)
    run.optimizer.add_param_group(group(0.2))
    expected = 0.2
    for epoch in range(4, 10):
        run.step()
        expected *= slowly(epoch)
        assert rates(run.optimizer)[2] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("order", list(itertools.permutations(["group", "optimizer", "scheduler"])))
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_state_saved_after_a_group_was_added(name: str, order: tuple[str, ...], at: int):
    """Built with two groups and given the third afterwards, as the run that was saved was."""
    if order.index("optimizer") < order.index("group"):
        pytest.skip("torch's optimizer refuses a state of another number of groups")
    run = build("lehr", name)
    run.steps(at)
    run.optimizer.add_param_group(group(0.2))
    run.steps(3)
    states = run.optimizer.state_dict(), saved(run)
    fresh = build("lehr", name)
    for what in order:
        if what == "group":
            fresh.optimizer.add_param_group(group(0.2))
        elif what == "optimizer":
            fresh.optimizer.load_state_dict(states[0])
        else:
            try:
                fresh.scheduler.load_state_dict(states[1])
            except lehr.ScheduleError as refusal:
                # A state of three groups may be refused while there are two; then nothing is done.
                assert order.index("scheduler") < order.index("group"), refusal  # noqa: PT017
                return
    fresh.made = run.made
    for _ in range(6):
        run.step()
        fresh.step()
        assert rates(fresh.optimizer) == pytest.approx(rates(run.optimizer), rel=1e-12)


@pytest.mark.parametrize("order", list(itertools.permutations(["group", "optimizer", "scheduler"])))
def test_a_schedulers_state_saved_after_a_group_was_added(order: tuple[str, ...]):
    if order.index("optimizer") < order.index("group"):
        pytest.skip("torch's optimizer refuses a state of another number of groups")

    def new() -> Run:
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        return Run(optimizer, ours.Scheduler(optimizer, lr=lehr.linear(20)))

    run = new()
    run.steps(3)
    run.optimizer.add_param_group(group(0.2))
    run.steps(3)
    states = run.optimizer.state_dict(), run.scheduler.state_dict()
    fresh = new()
    for what in order:
        if what == "group":
            fresh.optimizer.add_param_group(group(0.2))
        elif what == "optimizer":
            fresh.optimizer.load_state_dict(states[0])
        else:
            try:
                fresh.scheduler.load_state_dict(states[1])
            except lehr.ScheduleError as refusal:
                assert order.index("scheduler") < order.index("group"), refusal  # noqa: PT017
                return
    for _ in range(6):
        run.step()
        fresh.step()
        assert rates(fresh.optimizer) == pytest.approx(rates(run.optimizer), rel=1e-12)


# ----- groups unlike one another ------------------------------------------------------------------


class Mixed(torch.optim.Optimizer):
    """SGD-like and Adam-like groups in one optimizer, as Muon beside AdamW has them."""

    def __init__(self) -> None:
        super().__init__([group(0.02, momentum=0.95), group(3e-4, betas=(0.9, 0.999))], {})

    def step(self, closure: Any = None) -> None:
        """Update nothing: what is looked at is the groups."""


@pytest.mark.parametrize("flipped", [False, True])
def test_one_number_is_driven_where_it_is(flipped: bool):
    """The groups with ``momentum``, and not those with ``betas``: None leaves them alone."""
    optimizer = Mixed()
    if flipped:
        optimizer.param_groups.reverse()
    rise = lehr.linear(10, start=0.5, to=0.9)
    wanted = [None, rise] if flipped else [rise, None]
    scheduler = ours.Scheduler(optimizer, lr=lehr.hold(), momentum=wanted, over=10)
    sgd, adam = reversed(optimizer.param_groups) if flipped else optimizer.param_groups
    for t in range(10):
        assert sgd["momentum"] == pytest.approx(rise(t))
        assert adam["betas"] == (0.9, 0.999)
        assert "momentum" not in adam
        assert "betas" not in sgd
        assert (sgd["lr"], adam["lr"]) == (0.02, 3e-4)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("flipped", [False, True])
def test_momentum_means_the_first_beta_where_there_are_betas(flipped: bool):
    """One schedule for all, group by group: each in the place where it keeps its momentum."""
    optimizer = Mixed()
    if flipped:
        optimizer.param_groups.reverse()
    rise = lehr.linear(10, start=0.5, to=0.9)
    scheduler = ours.Scheduler(optimizer, momentum=rise, over=10)
    sgd, adam = reversed(optimizer.param_groups) if flipped else optimizer.param_groups
    for t in range(10):
        assert sgd["momentum"] == pytest.approx(rise(t))
        assert adam["betas"] == (pytest.approx(rise(t)), 0.999)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("name", ["betas[1]", "beta2", "beta1"])
def test_a_number_of_some_groups_only_is_refused_by_name_or_left_to_them(name: str):
    optimizer = Mixed()
    steady = lehr.hold(10, at=0.5)
    with pytest.raises(lehr.ScheduleError, match=r"group 0.*no number 'beta"):
        ours.Scheduler(optimizer, **{name: steady})
    ours.Scheduler(optimizer, **{name: [None, ours.absolute(steady)]})
    assert 0.5 in optimizer.param_groups[1]["betas"]
    assert optimizer.param_groups[0]["momentum"] == 0.95


@pytest.mark.parametrize("resumed", [False, True])
def test_unlike_groups_are_saved_and_loaded(resumed: bool):
    rise = lehr.linear(10, start=0.5, to=0.9)

    def new() -> tuple[Mixed, ours.Scheduler]:
        optimizer = Mixed()
        return optimizer, ours.Scheduler(optimizer, lr=lehr.linear(10), momentum=[rise, None])

    optimizer, scheduler = new()
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    if resumed:
        states = optimizer.state_dict(), scheduler.state_dict()
        optimizer, scheduler = new()
        optimizer.load_state_dict(states[0])
        scheduler.load_state_dict(states[1])
    sgd, adam = optimizer.param_groups
    for t in range(5, 9):
        optimizer.step()
        scheduler.step()
        assert sgd["lr"] == pytest.approx(0.02 * (1 - t / 10))
        assert adam["lr"] == pytest.approx(3e-4 * (1 - t / 10))
        assert sgd["momentum"] == pytest.approx(rise(t))
        assert adam["betas"] == (0.9, 0.999)


class Rateless(torch.optim.Optimizer):
    """Groups without a rate: some optimizers find it by themselves, or call it otherwise."""

    def __init__(self, *, all_of_them: bool) -> None:
        first = group(0.1, weight_decay=0.02)
        second = group(0.1, weight_decay=0.04)
        super().__init__([first, second], {})
        del second["lr"]
        if all_of_them:
            del first["lr"]

    def step(self, closure: Any = None) -> None:
        """Update nothing: what is looked at is the groups."""


@pytest.mark.parametrize("all_of_them", [False, True])
def test_another_number_is_driven_where_a_group_has_no_rate(all_of_them: bool):
    optimizer = Rateless(all_of_them=all_of_them)
    scheduler = ours.Scheduler(optimizer, weight_decay=lehr.linear(10))
    for t in range(8):
        decays = [each["weight_decay"] for each in optimizer.param_groups]
        assert decays == pytest.approx([0.02 * (1 - t / 10), 0.04 * (1 - t / 10)])
        assert "lr" not in optimizer.param_groups[1]
        optimizer.step()
        scheduler.step()
    state = scheduler.state_dict()
    scheduler.load_state_dict(state)


def test_the_rate_of_the_groups_that_have_one():
    optimizer = Rateless(all_of_them=False)
    scheduler = ours.Scheduler(optimizer, lr=[lehr.linear(10), None])
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.09)
    assert "lr" not in optimizer.param_groups[1]


def test_a_rate_that_a_group_does_not_have_is_refused_by_name():
    with pytest.raises(lehr.ScheduleError, match=r"group 1 .*no number 'lr'"):
        ours.Scheduler(Rateless(all_of_them=False), lr=lehr.linear(10))
    with pytest.raises((lehr.ScheduleError, KeyError), match="lr"):
        ours.StepLR(Rateless(all_of_them=False), 3)


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
def test_a_scheduler_over_a_group_added_in_mid_run(kind: str):
    """The rule of ``Scheduler``: a group's base is the rate that it is added with."""
    optimizer = make_optimizer(kind, [0.1])
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(10))
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    optimizer.add_param_group(group(0.2))
    for t in range(5, 9):
        optimizer.step()
        scheduler.step()
        expected = [0.1 * (1 - t / 10), 0.2 * (1 - t / 10)]
        assert rate_of(optimizer.param_groups) == pytest.approx(expected)
