"""The drop-ins give torch's numbers, wherever torch's are right: torch itself is the reference."""

import functools
from typing import Any

import pytest
import torch.optim.lr_scheduler as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

import lehr.torch as ours
from driving import KINDS, make_optimizer, run, worst

MANY = 150
TOLERANCE = 1e-12

kinds = st.sampled_from(KINDS)
bases = st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=3)
factors = st.floats(0.01, 1.0)
momenta = st.floats(0.0, 0.99)


def compare(name: str, arguments: dict[str, Any], steps: int, kind: str, base: list[float]) -> None:
    """Assert that both classes of a name give the same run."""
    expected = run(getattr(theirs, name), arguments, steps, kind, base)
    found = run(getattr(ours, name), arguments, steps, kind, base)
    assert worst(found, expected) <= TOLERANCE


@settings(max_examples=MANY)
@given(kinds, bases, st.integers(1, 12), st.floats(0.05, 1.5))
def test_step_lr(kind: str, base: list[float], step_size: int, gamma: float):
    compare("StepLR", {"step_size": step_size, "gamma": gamma}, 40, kind, base)


@settings(max_examples=MANY)
@given(kinds, bases, st.lists(st.integers(0, 45), max_size=6), st.floats(0.05, 1.5))
def test_multi_step_lr(kind: str, base: list[float], milestones: list[int], gamma: float):
    # torch wants the milestones in order for its closed form only; both take any order here.
    compare("MultiStepLR", {"milestones": milestones, "gamma": gamma}, 50, kind, base)


@settings(max_examples=MANY)
@given(kinds, bases, st.floats(0.5, 1.1))
def test_exponential_lr(kind: str, base: list[float], gamma: float):
    compare("ExponentialLR", {"gamma": gamma}, 60, kind, base)


@settings(max_examples=MANY)
@given(kinds, bases, factors, st.floats(0.0, 1.0), st.integers(1, 30))
def test_linear_lr(kind: str, base: list[float], start: float, end: float, total: int):
    arguments = {"start_factor": start, "end_factor": end, "total_iters": total}
    compare("LinearLR", arguments, total + 10, kind, base)


@settings(max_examples=MANY)
@given(kinds, bases, st.integers(1, 40), st.floats(0.1, 4.0))
def test_polynomial_lr(kind: str, base: list[float], total: int, power: float):
    compare("PolynomialLR", {"total_iters": total, "power": power}, total + 10, kind, base)


@settings(max_examples=MANY)
@given(
    kinds,
    bases,
    st.integers(1, 30) | st.integers(1, 20).map(lambda n: n + 0.5),
    st.just(0.0) | st.floats(0.0, 0.5),
)
def test_cosine_annealing_lr(kind: str, base: list[float], half: float, eta_min: float):
    # Past T_max too: torch goes back up, and eta_min may lie above a base.
    steps = int(3.5 * half) + 2
    compare("CosineAnnealingLR", {"T_max": half, "eta_min": eta_min}, steps, kind, base)


@settings(max_examples=MANY)
@given(kinds, bases, st.integers(1, 20), st.integers(1, 4), st.just(0.0) | st.floats(0.0, 0.5))
def test_warm_restarts(kind: str, base: list[float], first: int, mult: int, eta_min: float):
    arguments = {"T_0": first, "T_mult": mult, "eta_min": eta_min}
    compare("CosineAnnealingWarmRestarts", arguments, 90, kind, base)


@settings(max_examples=MANY)
@given(kinds, st.integers(1, 20), st.lists(st.floats(0.0, 200.0), min_size=1, max_size=8))
def test_warm_restarts_between_steps(kind: str, first: int, positions: list[float]):
    rows = []
    for module in (ours, theirs):
        optimizer = make_optimizer(kind)
        scheduler = module.CosineAnnealingWarmRestarts(optimizer, first)
        rates = []
        for position in positions:
            scheduler.step(position)
            rates.append([(float(optimizer.param_groups[0]["lr"]), 0.0)])
            assert scheduler.T_cur == pytest.approx(position % first, abs=1e-9)
            assert scheduler.last_epoch == int(position)
        rows.append(rates)
    assert worst(*rows) <= TOLERANCE


def one_each(values: st.SearchStrategy[float], groups: int) -> st.SearchStrategy[Any]:
    """One number for all groups, or a list with one for each."""
    return values | st.lists(values, min_size=groups, max_size=groups)


@st.composite
def cyclic(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    groups = draw(st.integers(1, 3))
    sizes = st.integers(1, 15) | st.sampled_from([0.5, 2.5, 7.3])
    arguments: dict[str, Any] = {
        "base_lr": draw(one_each(st.floats(0.0, 0.5), groups)),
        "max_lr": draw(one_each(st.floats(0.5, 2.0), groups)),
        "step_size_up": draw(sizes),
        "step_size_down": draw(st.none() | sizes),
        "cycle_momentum": draw(st.booleans()),
        "base_momentum": draw(one_each(momenta, groups)),
        "max_momentum": draw(one_each(momenta, groups)),
    }
    if draw(st.booleans()):
        arguments["mode"] = draw(st.sampled_from(["triangular", "triangular2", "exp_range"]))
        arguments["gamma"] = draw(st.floats(0.8, 1.0))
    else:
        arguments["scale_mode"] = draw(st.sampled_from(["cycle", "iterations"]))
        arguments["scale_fn"] = draw(st.sampled_from([lambda n: 1 / (1 + n), lambda n: 0.99**n]))
    return arguments, groups


@settings(max_examples=MANY)
@given(kinds, cyclic())
def test_cyclic_lr(kind: str, drawn: tuple[dict[str, Any], int]):
    arguments, groups = drawn
    compare("CyclicLR", arguments, 80, kind, [0.1] * groups)


@st.composite
def one_cycle(draw: st.DrawFn) -> tuple[dict[str, Any], int, int]:
    groups, total = draw(st.integers(1, 3)), draw(st.integers(4, 80))
    three = draw(st.booleans())
    # Every phase has a length: torch divides by it.
    low, high = 1 / total + 0.01, (0.5 if three else 0.99)
    arguments: dict[str, Any] = {
        "max_lr": draw(one_each(st.floats(1e-3, 5.0), groups)),
        "pct_start": draw(st.floats(low, high)),
        "anneal_strategy": draw(st.sampled_from(["cos", "linear"])),
        "cycle_momentum": draw(st.booleans()),
        "base_momentum": draw(one_each(momenta, groups)),
        "max_momentum": draw(one_each(momenta, groups)),
        "div_factor": draw(st.floats(0.5, 100.0)),
        "final_div_factor": draw(st.floats(0.5, 1e5)),
        "three_phase": three,
    }
    if total % 2 == 0 and draw(st.booleans()):
        arguments |= {"epochs": total // 2, "steps_per_epoch": 2}
    else:
        arguments["total_steps"] = total
    return arguments, groups, total


@settings(max_examples=2 * MANY)
@given(kinds, one_cycle())
def test_one_cycle_lr(kind: str, drawn: tuple[dict[str, Any], int, int]):
    arguments, groups, total = drawn
    compare("OneCycleLR", arguments, total - 1, kind, [0.1] * groups)


LONG = [
    ("StepLR", {"step_size": 700}),
    ("MultiStepLR", {"milestones": [1023, 1024, 1025, 2048]}),
    ("ExponentialLR", {"gamma": 0.999}),
    ("LinearLR", {"total_iters": 2500}),
    ("PolynomialLR", {"total_iters": 2500, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 1100, "eta_min": 1e-3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 100, "T_mult": 2}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 1.0, "step_size_up": 300, "mode": "triangular2"}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 2701}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "arguments"), LONG)
def test_long_runs(name: str, arguments: dict[str, Any], kind: str):
    compare(name, arguments, 2700, kind, [0.1, 0.3])


@pytest.mark.parametrize(("name", "arguments"), LONG)
def test_float32_tensor_rates(name: str, arguments: dict[str, Any]):
    """A tensor of single precision holds the value of the double, rounded once."""
    import torch

    optimizer = torch.optim.SGD(
        [torch.zeros(1, requires_grad=True)], lr=torch.tensor(0.25), momentum=0.9
    )
    expected = run(getattr(ours, name), arguments, 300, "sgd", [0.25])
    scheduler = getattr(ours, name)(optimizer, **arguments)
    for rows in expected:
        assert optimizer.param_groups[0]["lr"].item() == torch.tensor(rows[0][0]).item()
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *LONG[:6],
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 1.0, "cycle_momentum": False}),
    ],
)
def test_step_to_an_epoch(name: str, arguments: dict[str, Any]):
    """``step(n)`` warns as torch's does, and goes there."""
    optimizers = [make_optimizer("sgd", [0.1, 0.3]) for _ in range(2)]
    pair = [
        getattr(module, name)(optimizer, **arguments)
        for module, optimizer in zip((ours, theirs), optimizers, strict=True)
    ]
    for optimizer in optimizers:
        optimizer.step()
    for n in (17, 3, 1500, 0):
        for scheduler in pair:
            with pytest.warns(UserWarning, match="epoch parameter"):
                scheduler.step(n)
        assert pair[0].last_epoch == pair[1].last_epoch == n
        assert pair[0].get_last_lr() == pytest.approx(pair[1].get_last_lr(), rel=1e-9)


@pytest.mark.parametrize(("name", "arguments"), LONG)
def test_signatures_take_torchs_arguments(name: str, arguments: dict[str, Any]):
    import inspect

    mine = inspect.signature(getattr(ours, name)).parameters
    wanted = inspect.signature(getattr(theirs, name)).parameters
    assert list(mine) == list(wanted)
    assert [p.default for p in mine.values()] == [p.default for p in wanted.values()]


@pytest.mark.parametrize(("name", "arguments"), LONG)
def test_stepping_before_the_optimizer_warns_as_torchs_does(name: str, arguments: dict[str, Any]):
    if name == "CosineAnnealingWarmRestarts":
        pytest.skip("torch's own has no such warning")
    scheduler = getattr(ours, name)(make_optimizer(), **arguments)
    with pytest.warns(UserWarning, match=r"lr_scheduler.step\(\).*before.*optimizer.step\(\)") as w:
        scheduler.step()
    assert [warning.filename for warning in w] == [__file__], "it points at the line that steps"


def test_the_warning_of_an_epoch_points_at_the_line_that_steps():
    scheduler = ours.StepLR(make_optimizer(), step_size=3)
    with pytest.warns(UserWarning, match="epoch parameter") as caught:
        scheduler.step(2)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("module", [ours, theirs])
def test_a_step_that_was_overridden_is_told_of(module: Any):
    optimizer = make_optimizer()
    scheduler = module.StepLR(optimizer, 3)
    before = optimizer.step
    optimizer.step = lambda: before()  # pyright: ignore[reportAttributeAccessIssue]
    optimizer.step()
    with pytest.warns(UserWarning, match=r"`optimizer.step\(\)` has been overridden"):
        scheduler.step()


@pytest.mark.parametrize("module", [ours, theirs])
def test_a_step_that_says_what_it_wraps_is_not(module: Any):
    """As that of torch.compile does, and that of another scheduler of torch's."""
    optimizer = make_optimizer()
    scheduler = module.StepLR(optimizer, 3)
    theirs.ExponentialLR(optimizer, 0.5)
    before = optimizer.step

    @functools.wraps(before)
    def step(*arguments: Any) -> Any:
        return before(*arguments)

    optimizer.step = step
    optimizer.step()
    scheduler.step()


@pytest.mark.parametrize("last_epoch", [0, 3])
def test_a_run_goes_on_only_where_the_rate_of_its_beginning_is_noted(last_epoch: int):
    for module in (theirs, ours):
        with pytest.raises(KeyError, match=r"'initial_lr' is not specified in param_groups\[0\]"):
            module.StepLR(make_optimizer(), 2, 0.5, last_epoch=last_epoch)
        optimizer = make_optimizer()
        optimizer.param_groups[0]["initial_lr"] = 0.4
        scheduler = module.StepLR(optimizer, 2, 0.5, last_epoch=last_epoch)
        assert scheduler.last_epoch == last_epoch + 1
        assert scheduler.base_lrs == type(scheduler.base_lrs)([0.4])
