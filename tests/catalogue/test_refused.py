"""An entry refuses what it cannot do when it is built, by an error that names the argument."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest

import lehr
from lehr import Schedule, ScheduleError
from lehr.catalogue import ENTRIES, Entry

CASES: list[tuple[Callable[[], Schedule], str]] = [
    (lambda: lehr.piecewise_constant([10], [1.0]), "values=[1.0]"),
    (lambda: lehr.piecewise_constant([20, 10], [1.0, 0.5, 0.1]), "boundaries=[20, 10]"),
    (lambda: lehr.normalised_exponential(ratio=1.0), "ratio=1.0"),
    (lambda: lehr.complement_power(power=0.0), "power=0.0"),
    (lambda: lehr.k_decay(k=-1.0), "k=-1.0"),
    (lambda: lehr.k_decay(k=1.0, power=0.0), "power=0.0"),
    (lambda: lehr.tanh_decay(lower=0.0), "lower=0.0"),
    (lambda: lehr.tanh_decay(upper=21.0), "upper=21.0"),
    (lambda: lehr.hyperbolic(100, upper_bound=99), "upper_bound=99"),
    (lambda: lehr.hyperbolic("100%", upper_bound=500), "upper_bound=500: write both in one unit"),
    (lambda: lehr.hyperbolic(0, upper_bound=99), "steps=0"),
    (lambda: lehr.exp_hyperbolic(100, upper_bound=100, infimum=0.0), "infimum=0.0"),
    (lambda: lehr.exp_hyperbolic(100, upper_bound=100, start=0.0), "start=0.0"),
    (lambda: lehr.chebyshev(12), "nodes=12 must be a power of 2"),
    (lambda: lehr.chebyshev(1), "nodes=1"),
    (lambda: lehr.chebyshev(4, small_m=0.0), "small_m=0.0"),
    (lambda: lehr.chebyshev(4, small_m=1.0), "big_m=1.0"),
    (lambda: lehr.cosine_power(exponent=0.0), "exponent=0.0"),
    (lambda: lehr.k_decay_cosine(k=0.0), "k=0.0"),
    (lambda: lehr.soft_cosine(0.0), "cycles=0.0"),
    (lambda: lehr.soft_cosine(1.0, floor=1.0), "floor=1.0 and peak=1.0 are equal"),
    (lambda: lehr.noam(0), "tau=0"),
    (lambda: lehr.inverse_sqrt(10, timescale=0), "tau=0"),
    (lambda: lehr.power_law(10, power=0.0), "power=0.0"),
    (lambda: lehr.power_scheduler(0.0, batch_size=1), "peak=0.0"),
    (lambda: lehr.power_scheduler(1.0, batch_size=0), "batch_size=0"),
    (lambda: lehr.power_scheduler(1.0, batch_size=1, b=0.0), "b=0.0"),
    (lambda: lehr.power_scheduler(1.0, batch_size=9, b=-1e-9), "b=-1e-09"),
    (lambda: lehr.power_scheduler(1.0, batch_size=1, per_step=0), "per_step=0"),
    (lambda: lehr.power_scheduler(1.0, batch_size=1, per_step=1e-308), "steps at the peak=inf"),
    (lambda: lehr.power_scheduler(1e-308, batch_size=1e9), "steps at the peak=inf"),
    (lambda: lehr.relative_step(0), "tau=0"),
    (lambda: lehr.relative_step(scale=0.0), "scale=0.0"),
    (lambda: lehr.constant_factor(5, -0.5), "factor=-0.5"),
    (lambda: lehr.exponential_warmup(0), "every=0"),
    (lambda: lehr.log_warmup(1), "steps=1"),
    (lambda: lehr.power_warmup(5, power=0.0), "power=0.0"),
    (lambda: lehr.complement_warmup(5, power=0.0), "power=0.0"),
    (lambda: lehr.inverse_warmup(5, multiplier=1.0), "multiplier=1.0"),
    (lambda: lehr.untuned_linear(1.0), "beta2=1.0"),
    (lambda: lehr.untuned_exponential(-0.1), "beta2=-0.1"),
    (lambda: lehr.radam_warmup(0.6), "beta2=0.6"),
    (lambda: lehr.hard_restarts(0), "cycles=0"),
    (lambda: lehr.restart_list([]), "periods=[]"),
    (lambda: lehr.restart_list([5], weights=[1.0, 0.5]), "weights=[1.0, 0.5]"),
    (lambda: lehr.warmup_restarts(10, 10, cycles=1), "warmup=10"),
    (lambda: lehr.warmup_restarts(10, "5%", cycles=1), "write both in one unit"),
    (lambda: lehr.warmup_restarts(10, 2, cycles=0), "cycles=0"),
    (lambda: lehr.warmup_restarts(10, 2, cycles=1, gamma=0.0), "gamma=0.0"),
    (lambda: lehr.warmup_restarts(10, 2, cycles=1, T_mult=0), "T_mult=0"),
    (lambda: lehr.linear_cycles(10, start=0.5, to=0.5), "start=0.5 and to=0.5 are equal"),
    (lambda: lehr.polynomial_cycle(0), "steps=0"),
    (lambda: lehr.polynomial_cycle(5, power=0.0), "power=0.0"),
    (lambda: lehr.slanted_triangular(cut_frac=1.0), "cut_frac=1.0"),
    (lambda: lehr.slanted_triangular(ratio=1.0), "ratio=1.0"),
    (lambda: lehr.one_cycle_inverse(10, stairs_up=0), "stairs_up=0"),
    (lambda: lehr.one_cycle_inverse(10, stairs_down=1.5), "stairs_down=1.5"),  # type: ignore[arg-type]
    (lambda: lehr.one_cycle_inverse(10, tau=0), "tau=0"),
    (lambda: lehr.piecewise([]), "points=[]"),
    (lambda: lehr.piecewise("5%"), "points='5%' must be a list"),
    (lambda: lehr.piecewise([(0, 1.0), (5,)]), "must be pairs of a time and a value"),
    (lambda: lehr.piecewise([0, 1.0]), "points[0]=0 must be a list"),
    (lambda: lehr.multistep("50%"), "milestones='50%' must be a list"),
    (lambda: lehr.multistep([1, 2, 3], gamma=1.7e308), "gamma=1.7e+308"),
    (lambda: lehr.piecewise_constant("50%", [1.0, 0.5]), "boundaries='50%' must be a list"),
    (lambda: lehr.piecewise_constant([5], "ab"), "values='ab' must be a list"),
    (lambda: lehr.restart_list("50%"), "periods='50%' must be a list"),
    (lambda: lehr.wsd_s(5, 100, 20), "periods=100 must be a list"),
    (lambda: lehr.piecewise([(10, 1.0), (5, 0.5)]), "points=[10, 5] must be in rising order"),
    (lambda: lehr.wsd_s(5, [], 5), "periods=[]"),
    (lambda: lehr.wsd_s(5, [8], 5), "periods=8 is shorter than the 10 of its parts"),
    (lambda: lehr.wsd_s(5, [20], 5, multipliers=[]), "multipliers=[]"),
    (lambda: lehr.rewarm_cycles(10, 0), "cycles=0"),
    (lambda: lehr.rewarm_cycles(10, 2, rewarmup=6, decay=6), "cycle=10 is shorter than the 12"),
    (lambda: lehr.rewarm_cycles("10%", 2, rewarmup=6), "write both in one unit"),
    (lambda: lehr.power_cooldown(10, 10, power=0.0), "power=0.0"),
    (lambda: lehr.cosine_linear(20, steps=10), "steps=10 is shorter than the 20"),
    (lambda: lehr.cosine_linear(20), "write both in one unit"),
    (lambda: lehr.infinite(1, 2, 3, floor=0.0), "to=0.0"),
    (lambda: lehr.infinite(1, 2, 3, constant=1.0), "write hold() to stay"),
    (lambda: lehr.swa(lehr.linear(10), 0, 5, to=1.0).over(9), "write hold() to stay"),
    (lambda: lehr.proportional(lehr.linear(), min_value=2.0, max_value=2.0), "min_value=2.0"),
    (
        lambda: lehr.proportional(lehr.linear(), min_value=0.0, max_value=1.0, min_lr=1.0),
        "min_lr=1.0",
    ),
    (lambda: lehr.range_ramp(start=0.0), "start=0.0"),
    (lambda: lehr.constant_factor(5, factor="x"), "factor='x'"),  # type: ignore[arg-type]
    (lambda: lehr.tanh_decay(floor=None), "floor=None"),  # type: ignore[arg-type]
    (lambda: lehr.inverse_warmup(5, to="x"), "to='x'"),  # type: ignore[arg-type]
    (lambda: lehr.slanted_triangular(peak=[1]), "peak=[1]"),  # type: ignore[arg-type]
    (lambda: lehr.wsd_s(1, [9], 1, peak=10**400), "peak=10**400 is too large"),
    (lambda: lehr.warmup_restarts(9, 1, cycles=9, gamma=1e308), "to=inf is not finite"),
    (lambda: lehr.warmup_restarts(9, 1, cycles=2, peak=None), "peak=None"),  # type: ignore[arg-type]
    (lambda: lehr.swa(0.5, 1, 2, to=0.1), "schedule=0.5 must be a schedule"),  # type: ignore[arg-type]
    (
        lambda: lehr.proportional(None, min_value=0, max_value=1),  # type: ignore[arg-type]
        "schedule=None must be a schedule",
    ),
    (
        lambda: lehr.proportional(lehr.linear(), min_value=10**400, max_value=1),
        "min_value=10**400 is too large",
    ),
    (lambda: lehr.rewarm_cycles(9, 10**9), "cycles=1000000000 must be at most 65536"),
    (lambda: lehr.warmup_restarts(9, 1, cycles=10**9), "cycles=1000000000 must be at most 65536"),
    (lambda: lehr.chebyshev(2**40), "nodes=1099511627776 must be at most 65536"),
    (lambda: lehr.chebyshev(-(10**5000)), "nodes=-10**5000 must be at least 2"),
    (lambda: lehr.warm_restarts(10, cycles=0), "0"),
]


# "infinite" has a level of its own between the two, which may be equal.
LEVELS = [
    entry
    for entry in ENTRIES.values()
    if {"floor", "peak"} <= inspect.signature(entry.function).parameters.keys()
    and entry.name != "infinite"
]


@pytest.mark.parametrize("entry", LEVELS, ids=lambda entry: entry.name)
def test_a_floor_at_the_peak_is_refused_by_their_names(entry: Entry) -> None:
    arguments = entry.arguments.bind(entry.function).arguments
    with pytest.raises(ScheduleError) as caught:
        entry.function(**{**arguments, "floor": 0.5, "peak": 0.5})
    assert str(caught.value) == "floor=0.5 and peak=0.5 are equal; write constant(0.5)"


def refusal(build: Callable[[], Schedule]) -> ScheduleError:
    """Return the error of a schedule that cannot be built."""
    with pytest.raises(ScheduleError) as caught:
        build()
    return caught.value


@pytest.mark.parametrize(("build", "says"), CASES, ids=[says for _, says in CASES])
def test_is_refused(build: Callable[[], Schedule], says: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(says)):
        build()


def advice(message: str) -> list[str]:
    """Return the calls that a message says to write, such as ``constant(0.5)``."""
    after = re.split(r"\bwrite\b|\bas in\b|\bsuch as\b|\bis\b", message)[1:]
    calls = [call for part in after for call in re.findall(r"\b[a-z_]+\([^()]*\)", part)]
    return [call for call in calls if call.partition("(")[0] in lehr.ENTRIES | {"hold": None}]


ADVISED = [(build, says) for build, says in CASES if advice(str(refusal(build)))]


def test_some_advise_a_call() -> None:
    assert len(ADVISED) >= 8


@pytest.mark.parametrize(("build", "says"), ADVISED, ids=[says for _, says in ADVISED])
def test_what_is_advised_is_valid(build: Callable[[], Schedule], says: str) -> None:
    for call in advice(str(refusal(build))):
        schedule = lehr.parse(call)
        assert schedule.over(1_000)(500) >= 0
