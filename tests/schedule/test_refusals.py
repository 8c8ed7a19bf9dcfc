"""Refusals: when, by which exception, and with what advice.

Each line is an expression over lehr's names, the exception that it raises, and pieces of the
message: the argument's name, the value that was given, and what to write instead.
"""

from __future__ import annotations

import math
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lehr
from lehr import NeedsHorizon, PastEnd, ScheduleError, UnknownSchedule
from lehr.catalogue import Entry, find_entry
from lehr.curves.easing import Ease
from lehr.schedule.arguments import checked

NAMES = {name: getattr(lehr, name) for name in lehr.__all__} | {
    "np": np,
    "nan": math.nan,
    "inf": math.inf,
    "Fraction": Fraction,
    "Ease": Ease,
    "find_entry": find_entry,
    "optimizer": SimpleNamespace(param_groups=[{"lr": 0.1}]),
}

DURATIONS = [
    ("hold(True)", "True", "bool", "number of steps"),
    ("hold(np.True_)", "np.True_", "500"),
    ("hold(nan)", "nan", "share of the run in (0, 1]"),
    ("hold(inf)", "inf", "share of the run in (0, 1]"),
    ("hold(-inf)", "-inf", "share of the run in (0, 1]"),
    ("hold(1.5)", "1.5", "'150%'", "'1.5st'"),
    ("hold(0.0)", "0.0", "'20%'"),
    ("hold(-0.5)", "-0.5", "'20%'"),
    ("hold(-1)", "-1", "negative", "at least 0"),
    ("hold(Fraction(-1, 2))", "negative"),
    ("hold(np.int64(-3))", "-3", "negative"),
    ("hold('-5')", "'-5'", "'4.1st'", "'20%'", "'3ep'"),
    ("hold('1e9st')", "'1e9st'", "not a duration"),
    ("hold('1e999999999st')", "not a duration"),
    ("hold('9' * 100_000)", "not a duration"),
    ("hold('')", "''", "not a duration"),
    ("hold('many')", "'many'", "not a duration"),
    ("hold('5 bananas')", "'5 bananas'", "not a duration"),
    ("hold('5mins')", "'5mins'", "not a duration"),
    ("hold('1/0st')", "'1/0st'", "not a duration"),
    ("hold('4.1')", "'4.1'", "no unit", "'4.1st'", "'4.1%'"),
    ("hold('nan')", "'nan'", "not a duration"),
    ("hold([5])", "[5]", "not a duration"),
    ("hold(5j)", "5j", "not a duration"),
    ("linear(True)", "steps=True"),
    ("warmup(-1)", "steps=-1"),
    ("cosine(1.5)", "steps=1.5"),
    ("exponential(0.5, every=-1)", "every=-1"),
    ("exponential(0.5, every=0)", "every=0", "above 0"),
    ("exponential(0.5, every='0%')", "every=0%", "above 0"),
    ("inverse(0)", "tau=0", "above 0"),
    ("inverse(1.5)", "tau=1.5"),
    ("step(0)", "0"),
    ("triangular(-4)", "-4", "negative"),
    ("hold(5)[-1:]", "slice start=-1", "negative"),
    ("hold(5)[:-1]", "stop=-1", "negative"),
    ("hold(5)[:2.5]", "stop=2.5", "'2.5st'"),
    ("hold(5)[True:]", "slice start=True", "bool"),
    ("Duration.of('20%') - Duration.of(5)", "5", "20%", "one unit"),
    ("Duration.of('20%') + Duration.of(5)", "5", "20%", "one unit"),
]

LEVELS = [
    ("hold(at=True)", "at=True", "bool", "1.0"),
    ("hold(at=np.True_)", "bool"),
    ("hold(at=nan)", "nan", "not finite"),
    ("hold(at=inf)", "inf", "not finite"),
    ("hold(at='high')", "'high'", "not a number"),
    ("hold(at='0.5')", "'0.5'", "not a number"),
    ("hold(at=5j)", "5j", "not a number"),
    ("hold(at=[1.0])", "[1.0]", "not a number"),
    ("linear(5, to=nan)", "to=nan", "not finite"),
    ("linear(5, to='20%')", "to='20%'", "not a number"),
    ("linear(5, start=-inf)", "start=-inf", "not finite"),
    ("geometric(5, to=0.0)", "to=0.0", "greater than 0"),
    ("geometric(5, to=-1.0)", "to=-1.0", "greater than 0"),
    ("geometric(5, to=0.5, start=0.0)", "start=0.0", "greater than 0"),
    ("exponential(0)", "gamma=0", "greater than 0"),
    ("exponential(-0.5)", "gamma=-0.5", "greater than 0"),
    ("exponential(True)", "gamma=True", "bool"),
    ("exponential(0.5, start=nan)", "start=nan"),
    ("inverse(5, power=0)", "power=0", "greater than 0"),
    ("inverse(5, power=nan)", "power=nan"),
    ("multistep([5], gamma=0)", "gamma=0", "greater than 0"),
    ("step(5, gamma=-1)", "gamma=-1", "greater than 0"),
    ("polynomial(5, power=0)", "power=0", "greater than 0"),
    ("polynomial(5, power=-2)", "power=-2", "greater than 0"),
    ("table([])", "[]", "at least one value"),
    ("table([1.0, nan])", "values[1]=nan", "not finite"),
    ("table([1.0, True])", "values[1]=True", "bool"),
    ("table(['a'])", "values[0]='a'", "not a number"),
    ("linear(5) * nan", "nan", "not finite"),
    ("linear(5) + inf", "inf", "not finite"),
    ("linear(5) - inf", "inf", "not finite"),
    ("linear(5) / 0", "/ 0", "no value"),
    ("linear(5) / 0.0", "/ 0", "no value"),
    ("linear(5) / nan", "nan"),
    ("linear(5).clip()", "low, high or both"),
    ("linear(5).clip(0.5, 0.1)", "low=0.5", "above", "high=0.1"),
    ("linear(5).clip(low=inf)", "low=inf"),
    ("linear(5).clip(high=-inf)", "high=-inf"),
    ("linear(5).clip(low=nan)", "low=nan"),
    ("linear(5).clip(low=True)", "low=True", "bool"),
    ("formula(3)", "function=3", "cannot be called"),
    ("formula(linear(5))", "linear(5, to=0.0)", "schedule already"),
    ("formula(abs, low=1, high=0)", "low=1", "above", "high=0"),
    ("formula(abs, low=nan)", "low=nan"),
    ("formula(abs, low='a')", "low='a'"),
    ("one_cycle(div_factor=1)", "div_factor=1", "greater than 1"),
    ("one_cycle(final_div_factor=0.5)", "final_div_factor=0.5", "greater than 1"),
    ("one_cycle(pct_start=0)", "pct_start=0", "greater than 0"),
    ("one_cycle(pct_start=1.1)", "pct_start=1.1", "at most 1"),
    ("one_cycle(pct_start=0.6, three_phase=True)", "pct_start=0.6", "at most 0.5"),
    ("one_cycle(peak=nan)", "nan"),
    ("one_cycle(peak='a')", "'a'"),
    ("one_cycle_momentum(base_momentum=-0.1)", "base_momentum=-0.1", "at least 0"),
    ("one_cycle_momentum(max_momentum=1.0)", "max_momentum=1.0", "at most 1"),
    ("one_cycle_momentum(base_momentum=0.95)", "max_momentum=0.95", "less than max_momentum=0.95"),
    ("one_cycle_momentum(pct_start=0)", "pct_start=0"),
    ("triangular(5, floor=1.0)", "floor=1.0", "peak=1.0", "constant(1.0)"),
    ("triangular(5, floor=nan)", "floor=nan"),
    ("triangular(5, peak=inf)", "peak=inf"),
    ("triangular(5, floor=-1e308, peak=1e308)", "peak - floor"),
    ("warm_restarts(5, floor=1)", "floor=1.0", "equal"),
    ("warm_restarts(5, T_mult=0)", "T_mult=0", "greater than 0"),
    ("warm_restarts(5, decay=0)", "decay=0", "greater than 0"),
    ("exp_range(5, gamma=0)", "gamma=0", "greater than 0"),
]

MOVES = [
    ("linear(5, to=0.5, start=0.5)", "0.5", "hold()"),
    ("warmup(5, start=1.0)", "1.0", "hold()"),
    ("hold(5, at=0.5) >> linear(5, start=0.5, to=0.5)", "hold()"),
    ("warmup(5) >> linear(5, to=1.0)", "linear(5, to=1.0)", "hold()"),
    ("linear(5) >> cosine(5)", "cosine(5, to=0.0)", "hold()"),
    ("trapezoid(5, floor=1.0)", "floor=1.0", "constant(1.0)"),
    # By the level that flows in: seen where the level is known.
    ("linear(5, to=1.0)(0)", "linear(5, to=1.0)", "hold()"),
    ("linear(to=1.0).over(5)", "hold()"),
    ("(hold(5, at=0.5) >> linear(5, to=0.5))(0)", "hold()"),
    ("(warmup(5) >> hold() >> linear(5, to=1.0)).over(100)", "hold()"),
    ("(linear(5).clip(low=0.5) >> linear(5, to=0.5))(0)", "hold()"),
    ("(linear(5) >> geometric(5, to=0.5))(0)", "geometric(5, to=0.5)", "0.0", "above 0"),
    ("wsd(5, 5, floor=1.0)", "floor=1.0", "constant(1.0)"),
]

LENGTHS = [
    ("linear() >> cosine(to=0.5)", "linear(to=0.0)", "cosine(to=0.5)", "give one of them a length"),
    ("hold() >> hold()", "hold()", "give one of them a length"),
    ("exponential(0.5) >> inverse(5)", "exponential(0.5)", "give one"),
    ("linear(5).repeat() >> hold() >> linear(5)", "linear(5, to=0.0).repeat()", "hold()"),
    ("linear().over(10) >> hold() >> hold()", "hold()"),
    ("linear().repeat()", "linear(to=0.0)", "cosine(100)", "s[:100]"),
    ("exponential(0.5).repeat(3)", "exponential(0.5)", "cosine(100)", "s[:100]"),
    ("hold().repeat(3)", "hold()", "s[:100]"),
    ("linear(5).repeat().repeat(2)", "linear(5, to=0.0).repeat()", "s[:100]"),
    ("linear(5).repeat(0)", "times=0", "at least 1"),
    ("linear(5).repeat(-1)", "times=-1", "at least 1"),
    ("linear(5).repeat(2.5)", "times=2.5", "whole number"),
    ("linear(5).repeat(True)", "times=True", "whole number"),
    ("linear(5).repeat('3')", "times='3'", "whole number"),
    ("linear(5).repeat(stretch=0)", "stretch=0", "greater than 0"),
    ("linear(5).repeat(stretch=-1)", "stretch=-1", "greater than 0"),
    ("linear(5).repeat(stretch=inf)", "stretch=inf", "not finite"),
    ("linear(5).repeat(stretch=1.8e305)", "stretch=1.8e+305", "longer than any run"),
    ("linear(5).repeat(stretch=1e-320)", "stretch=1e-320", "must lie between"),
    ("linear(5).repeat(stretch='a')", "stretch='a'", "not a number"),
    ("linear(5).repeat(scale=0)", "scale=0", "greater than 0"),
    ("linear(5).repeat(scale=nan)", "scale=nan", "not finite"),
    ("linear(0).repeat()(0)", "linear(0, to=0.0).repeat()", "0 steps"),
    ("linear('0%').repeat().over(10)", "0 steps"),
    ("linear(5).every(0)", "steps=0", "greater than 0"),
    ("linear(5).every('0%')", "steps=0%", "greater than 0"),
    ("linear(5).every(-1)", "steps=-1", "negative"),
    ("linear(5)[3:2]", "[3:2]", "ends before it starts"),
    ("linear(5)['30%':'20%']", "ends before it starts"),
    ("linear(5)[3:'20%'].over(10)", "ends before it starts"),
    ("linear(5)[0:5:2]", "2", ".every()"),
    ("linear().over(0)", "horizon=0", "at least one step"),
    ("linear().over(-1)", "horizon=-1", "negative"),
    ("linear().over(True)", "horizon=True", "bool"),
    ("linear().over(1.5)", "horizon=1.5"),
    ("linear().over('0ep', steps_per_epoch=5)", "horizon='0ep'", "at least one step"),
    ("linear().over('30ep', steps_per_epoch=0)", "steps_per_epoch=0", "at least 1"),
    ("linear().over('30ep', steps_per_epoch=2.5)", "steps_per_epoch=2.5", "whole number"),
    ("linear().over(Horizon(5, 7), steps_per_epoch=7)", "steps_per_epoch=7", "given twice"),
    ("linear().over(5, past='extrapolate')", "past='extrapolate'", "'hold' or 'raise'"),
    ("linear().over('1%').over(10)(0)", "1%", "rounds to 0 steps"),
    ("(linear('60%') >> linear('60%', to=1.0)).over(100)", "120", "100"),
    ("(linear('100%') >> hold('1%')).over(100)", "101", "100"),
    ("(linear('60%') >> hold() >> hold('60%')).over(100)", "60%"),
    ("(warmup(100) >> (linear(.5) >> linear(.5, to=1.0))).over(1000)", "1000 steps"),
    ("(warmup(.2) >> cosine(.8)).repeat(4).over(1000)", "4000", "1000"),
    ("(hold(2) >> hold(2, at=2.0).clip(high=9.0) >> linear('100%')).over(3)", "100%", "steps"),
    ("multistep([30, 20])", "[30, 20]", "rising order"),
    ("multistep([30, '50%'])", "30", "50%", "one unit"),
    ("multistep([-1])", "milestones[0]=-1", "negative"),
    ("multistep([True])", "milestones[0]=True", "bool"),
]

OPTIONS = [
    ("ramp(5, ease='bounce')", "ease='bounce'", "linear", "cosine", "1-sqrt"),
    ("ramp(5, ease='')", "ease=''", "cosine"),
    ("ramp(5, ease='power')", "ease='power'", "'power(2)'"),
    ("ramp(5, ease='power(1, 2)')", "1 parameter", "2 given"),
    ("ramp(5, ease='cosine(2)')", "0 parameters", "1 given"),
    ("ramp(5, ease='power(0)')", "power", "greater than 0"),
    ("ramp(5, ease='power(-1)')", "power", "greater than 0"),
    ("ramp(5, ease='power(nan)')", "nan"),
    ("ramp(5, ease='power(x)')", "'x'", "not a number"),
    ("ramp(5, ease='exponential(1)')", "ratio", "less than 1"),
    ("ramp(5, ease='exponential(2)')", "ratio", "less than 1"),
    ("ramp(5, ease=3)", "ease=3", "cosine"),
    ("Ease('bounce')", "ease='bounce'", "cosine"),
    ("ramp(5, ease=lambda u: 2 * u)(4)", "gave 2.0 at 1.0", "between 0 and 1"),
    ("ramp(5, ease=lambda u: nan)(4)", "nan", "between 0 and 1"),
    ("formula(lambda t: -1.0, low=0)(3)", "-1.0", "step 3", "low=0"),
    ("formula(lambda t: nan)(3)", "nan", "step 3"),
    ("cyclic(5, scale_fn=abs, scale_mode='epochs')", "scale_mode='epochs'", "'iterations'"),
    ("cyclic(5, scale_mode='iterations')", "scale_mode='iterations'", "scale_fn"),
    ("cyclic('5%', scale_fn=abs)", "up='5%'", "numbers of steps", "'iterations'"),
    ("cyclic(5, scale_fn=3)", "3", "cannot be called"),
    ("trapezoid(5, scale_mode='cycle')", "scale_mode='cycle'", "'zero2one' or 'iterations'"),
    ("trapezoid(5, scale_mode='iterations')", "scale_mode='iterations'", "scale_fn"),
    ("trapezoid(5, ease='cosine', scale_fn=abs)", "ease='cosine'", "scale_fn", "give one"),
    ("trapezoid(5, scale_fn=3)", "scale_fn=3"),
]

RUNS = [
    ("linear()(3)", NeedsHorizon, "linear(to=0.0)", ".over(1000)"),
    ("hold('20%')(3)", NeedsHorizon, "'20%'", "share of a run", ".over(1000)"),
    ("hold(0.2).length", NeedsHorizon, "'20%'", ".over(1000)"),
    ("cosine('20%').bounds", NeedsHorizon, "'20%'"),
    ("hold('3ep')(3)", NeedsHorizon, "'3ep'", "epochs", "steps_per_epoch"),
    ("hold('3ep').over(100)(3)", NeedsHorizon, "'3ep'", "steps_per_epoch"),
    ("linear().over('3ep')(3)", NeedsHorizon, "'3ep'", "steps_per_epoch"),
    ("linear().over('25%')(3)", NeedsHorizon, "'25%'", ".over(1000)"),
    ("Horizon('30ep').steps", NeedsHorizon, "'30ep'", "steps_per_epoch"),
    ("Horizon('30%').steps", NeedsHorizon, "'30%'"),
    ("(hold() >> linear(5))(3)", NeedsHorizon, "hold()", ".over(1000)"),
    ("(exponential(0.5) >> linear(5)).length", NeedsHorizon, "exponential(0.5)", ".over(1000)"),
    ("((warmup(5) * exponential(.9)) >> hold(3))(0)", NeedsHorizon, ".over(1000)"),
    ("linear().repeat(3)(0)", NeedsHorizon, "linear(to=0.0)", ".over(1000)"),
    ("linear().every(2)(0)", NeedsHorizon, ".over(1000)"),
    ("linear()[3:](0)", NeedsHorizon, ".over(1000)"),
    ("linear().over(10, past='raise')(11)", PastEnd, "t=11", "10 steps"),
    ("exponential(0.5).values()", ScheduleError, "exponential(0.5)", "no end", ".over(1000)"),
    ("exponential(0.5).end", ScheduleError, "no end"),
    ("find_entry('cosin')", UnknownSchedule, "'cosin'", "did you mean 'cosine'"),
    ("find_entry('')", UnknownSchedule, "''", "`lehr list` shows all names"),
]

ASKED = [
    ("linear(5)(-1)", ScheduleError, "t=-1", "negative"),
    ("linear(5)(-0.5)", ScheduleError, "-0.5", "at least 0"),
    ("linear(5)(nan)", ScheduleError, "nan", "finite"),
    ("linear(5)(inf)", ScheduleError, "inf", "finite"),
    ("linear(5)(np.int64(-1))", ScheduleError, "-1"),
    ("linear(5)(np.arange(-1, 3))", ScheduleError, "t=-1", "negative"),
    ("linear(5)(np.asarray([0.0, nan]))", ScheduleError, "nan"),
    ("linear(5)(True)", TypeError, "True", "bool"),
    ("linear(5)(np.True_)", TypeError, "np.True_", "not a step"),
    ("linear(5)(np.asarray([True]))", TypeError, "bool"),
    ("linear(5)(np.asarray([1j]))", TypeError, "complex"),
    ("linear(5)(np.complex128(1))", TypeError, "complex"),
    ("linear(5)(1j)", TypeError, "complex"),
    ("linear(5)([1, 2])", TypeError, "list", "numpy.array"),
    ("linear(5)((1, 2))", TypeError, "tuple", "numpy.array"),
    ("linear(5)(range(3))", TypeError, "range", "numpy.array"),
    ("linear(5)('3')", TypeError, "str"),
    ("linear(5)(None)", TypeError, "NoneType"),
    ("linear(5)(optimizer)", TypeError, "lehr.torch.Scheduler(optimizer"),
    ("linear(5)[3]", TypeError, "[3]", "s(3)", "s[a:b]"),
    ("list(linear(5))", TypeError, "not a list", ".values()"),
    ("[x for x in linear(5)]", TypeError, "not a list", ".values()"),
    ("linear(5) >> 3", TypeError, ">>"),
    ("3 >> linear(5)", TypeError, ">>"),
    ("linear(5) * True", TypeError, "*"),
    ("linear(5) * 'a'", TypeError),
    ("linear(5) + None", TypeError, "+"),
    ("linear(5) - 'a'", TypeError, "-"),
    ("'a' - linear(5)", TypeError, "-"),
    ("linear(5) / linear(5)", TypeError, "/"),
    ("linear(5) / True", TypeError, "/"),
    ("1 / linear(5)", TypeError, "/"),
]

TABLE = [
    *((text, ScheduleError, *parts) for text, *parts in DURATIONS),
    *((text, ScheduleError, *parts) for text, *parts in LEVELS),
    *((text, ScheduleError, *parts) for text, *parts in MOVES),
    *((text, ScheduleError, *parts) for text, *parts in LENGTHS),
    *((text, ScheduleError, *parts) for text, *parts in OPTIONS),
    *RUNS,
    *ASKED,
]


@pytest.mark.parametrize("line", TABLE, ids=[text for text, *_ in TABLE])
def test_it_is_refused(line: tuple[Any, ...]) -> None:
    text, exception, *fragments = line
    with pytest.raises(exception) as caught:
        eval(text, dict(NAMES))
    # Not by a chance of its subclass: what needs a run says that, and nothing else does.
    assert caught.type is exception
    message = str(caught.value)
    for fragment in fragments:
        assert fragment in message
    assert "\n" not in message
    assert len(message) < 1_000


ALLOWED = [
    "hold(0)",
    "hold('0%')",
    "hold(1.0)",
    "hold(' 20 % ')",
    "hold('1_000')",
    "hold(np.int32(5))",
    "hold(np.float32(0.5))",
    "hold(at=-1.0)",
    "hold(at=np.float32(0.5))",
    "hold(5, at=0.5) >> hold(5, at=0.5)",
    "hold(5, at=0.5) >> linear(5, to=1.0)",
    "linear(5, to=1.0)",
    "linear(5)[3:3]",
    "linear(5)[:0]",
    "linear(5)[7:9]",
    "linear(5).clip(0.5, 0.5)",
    "linear(5).repeat(1)",
    "linear().repeat(3)",
    "(warmup(10) >> linear() >> hold(5)).over(15)",
    "(hold(600) >> linear(600)).over(1000)",
    "(hold(.1) >> hold(.2) >> hold(.7)).over(7)",
    "(hold(.7) >> hold(1 - .7)).over(1000)",
    "one_cycle(pct_start=1.0).over(10)",
    "one_cycle(pct_start=0.5, three_phase=True).over(10)",
    "multistep([30, 30])",
    "multistep([])",
    "multistep([0, 5])",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_it_is_allowed(text: str) -> None:
    schedule = eval(text, dict(NAMES))
    assert isinstance(schedule, lehr.Schedule)


def test_all_errors_are_value_errors() -> None:
    for error in (NeedsHorizon, PastEnd, UnknownSchedule):
        assert issubclass(error, ScheduleError)
    assert issubclass(ScheduleError, ValueError)


def test_an_error_in_a_users_function_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        lehr.formula(lambda t: 1 / (t - 3))(3)


def test_a_name_cannot_be_registered_twice() -> None:
    from lehr.catalogue import entry

    taken: Entry = find_entry("cosine")
    with pytest.raises(ScheduleError, match="two entries 'cosine'"):
        entry("decay", formula="", example=taken.arguments)(taken.function)


def test_a_call_is_shown_with_durations_as_they_are_written() -> None:
    with pytest.raises(ScheduleError) as caught:
        lehr.parse("infinite('5%', '30%', '15%', constant=1.0)")
    assert str(caught.value).startswith("infinite(warmup='5%', cooldown='30%', annealing='15%'")


def test_an_argument_of_a_part_does_not_stand_for_the_call() -> None:
    def tail(to: float) -> None:
        raise ScheduleError(f"linear(10, to={to}) starts at the level that it goes to")

    with pytest.raises(ScheduleError, match=r"^tail\(to=0.1\): linear\(10, to=0.1\) starts"):
        checked(tail, names_call=True)(0.1)
