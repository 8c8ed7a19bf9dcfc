"""Plans of comparisons."""

import dataclasses
import shlex
from itertools import pairwise

import pytest

import lehr
from lehr.catalogue import find_entry
from lehr.lab.optimizers import OPTIMIZERS, find_optimizer
from lehr.lab.optimizers.peaks import GRID, first_peaks
from lehr.lab.plan import FULL, QUICK, SCHEDULES, Pair, Plan, Size

SMALL = Size(steps=10, seeds=3, tuning_seeds=2, peaks=(0.1, 1.0))


def test_every_optimizer_meets_every_schedule() -> None:
    plan = Plan(optimizers=("sgd", "adam"), schedules=("step", "wsd"))
    assert [str(pair) for pair in plan.pairs] == ["sgd/step", "sgd/wsd", "adam/step", "adam/wsd"]


def test_the_default_takes_all_optimizers_and_eleven_schedules() -> None:
    assert len(Plan().pairs) == len(OPTIMIZERS) * len(SCHEDULES) == 55


def test_all_pairs_get_the_same_budget_and_seeds() -> None:
    plan = Plan(size=SMALL)
    for make in (plan.tuning, plan.scoring):
        kinds = {tuple((t.steps, t.peak, t.seed) for t in make(pair, 1.0)) for pair in plan.pairs}
        assert len(kinds) == 1


def test_seeds_that_tune_never_score() -> None:
    plan = Plan(size=dataclasses.replace(SMALL, seeds=5000, tuning_seeds=5000))
    pair = plan.pairs[0]
    tuning, scoring = ({t.seed for t in make(pair, 1.0)} for make in (plan.tuning, plan.scoring))
    assert len(tuning) == len(scoring) == 5000
    assert not tuning & scoring


def test_a_momentum_cycle_goes_where_there_is_a_momentum() -> None:
    plan = Plan(size=SMALL)
    for pair in plan.pairs:
        trial = plan.scoring(pair, 1.0)[0]
        cycle = find_entry(pair.schedule).momentum if pair.optimizer != "sgd" else None
        assert trial.momentum == cycle
        assert trial.schedule == find_entry(pair.schedule).example
    assert plan.scoring(Pair("adam", "one_cycle"), 1.0)[0].momentum is not None


def test_a_schedule_may_be_a_text() -> None:
    plan = Plan(optimizers=("adam",), schedules=("cosine(to=0.1)",), size=SMALL)
    (trial, *_) = plan.scoring(plan.pairs[0], 0.1)
    assert trial.schedule == lehr.cosine(to=0.1)
    assert trial.momentum is None


@pytest.mark.parametrize("text", ["cosine(to=", "foo(3)", "warmup('90min') >> cosine()"])
def test_a_text_that_is_no_schedule_for_a_run_is_refused(text: str) -> None:
    with pytest.raises(lehr.ScheduleError):
        Plan(schedules=(text,))


@pytest.mark.parametrize(
    ("optimizer", "usual"),
    [
        ("sgd", 1.0),
        ("momentum", 0.1),
        ("sgd(momentum=0.9)", 0.1),
        ("adamw", 0.01),
        ("rmsprop", 0.01),
        ("adagrad", 0.1),
        ("lbfgs", 1.0),
        ("muon", 0.01),
        ("lion.py:Lion", 0.001),
        ("signs:SignSGD", 0.001),
        ("wrap:Lookahead(sgd(momentum=0.9))", 0.1),
        ("sam:SAM(base_optimizer=sgd, momentum=0.9)", 0.1),
        ("sam:SAM(base_optimizer=adam)", 0.01),
        ("other:Own", 0.01),
    ],
)
def test_each_optimizer_has_its_grid_around_a_usual_rate(optimizer: str, usual: float) -> None:
    peaks = first_peaks(find_optimizer(optimizer, check=False))
    assert len(peaks) == len(GRID)
    assert peaks[len(peaks) // 2] == pytest.approx(usual)
    ratios = [high / low for low, high in pairwise(peaks)]
    assert all(2.9 < ratio < 3.4 for ratio in ratios)


def test_peaks_that_are_given_are_those_of_all() -> None:
    plan = Plan(size=SMALL)
    assert {plan.first_peaks(pair) for pair in plan.pairs} == {(0.1, 1.0)}
    assert plan.size.further_peaks == 0
    assert Plan().size.further_peaks == 2
    assert Plan().first_peaks(Pair("adam", "cosine"))[-1] == 0.1


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("steps", 1, "steps=1 must be a whole number from 2 to 100,000,000"),
        ("steps", 2.5, "steps=2.5 must be a whole number"),
        ("seeds", 0, "seeds=0 must be a whole number from 1 to 100,000"),
        ("seeds", True, "seeds=True must be a whole number"),
        ("tuning_seeds", -1, "tuning_seeds=-1 must be a whole number from 1 to 100,000"),
        ("peaks", (), "peaks=() is empty"),
        ("peaks", (0.0, 1.0), "must be finite and above 0"),
        ("peaks", (1.0, float("inf")), "must be finite and above 0"),
        ("peaks", (float("inf"), 1.0), "must be finite and above 0"),
        ("peaks", (float("nan"),), "must be finite and above 0"),
        ("peaks", (1.0, 1.0), "must be in ascending order, each once"),
        ("further", -1, "further=-1 must be a whole number from 0 to 100"),
        ("lengths", (1,), "lengths=(1,) must be whole numbers from 2 to 100,000,000"),
        ("lengths", (20, 2.5), "lengths=(20, 2.5) must be whole numbers"),
        ("lengths", (20, 10), "lengths=(20, 10) must be in ascending order, each once"),
    ],
)
def test_a_wrong_size_is_refused(part: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        dataclasses.replace(SMALL, **{part: value})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"task": "cifar"}, "unknown task 'cifar': choose from digits"),
        ({"optimizers": ("adam", "lion")}, "unknown optimizer 'lion': choose from sgd, momentum"),
        ({"schedules": ("cosinus",)}, "unknown schedule 'cosinus'"),
        ({"optimizers": ()}, "optimizers=() is empty"),
        ({"schedules": ("step", "step")}, "schedules names 'step' twice"),
        (
            {"schedules": ("warmup('80%') >> cosine('30%')",)},
            "cannot be placed over 200 steps",
        ),
        ({"target": -0.1}, "target=-0.1 must be a share, from 0 to 1: write 0.97"),
        ({"target": 97.0}, "target=97.0 must be a share, from 0 to 1"),
        ({"target": float("nan")}, "target=nan must be finite"),
        ({"tune": ("weight_decay",)}, "tune='weight_decay' is not a number and its values: write"),
        ({"tune": ("a b=1",)}, "is not a number and its values"),
        ({"tune": ("eps=1+1",)}, "has values that cannot be read: a value is a number"),
        ({"tune": ("eps=1,1.0,1",)}, "has a value twice: write each once"),
        ({"tune": ("eps=1", "eps=2")}, "tune names 'eps' twice"),
        (
            {"tune": ("nosuch=1",)},
            "tune='nosuch=1': no optimizer or schedule of the comparison has",
        ),
        (
            {"tune": ("square.to=1",)},
            "no optimizer or schedule of the comparison has such a number",
        ),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line(parts: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Plan(**parts)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (Plan(), ""),
        (Plan(size=QUICK), "--quick"),
        (Plan(size=dataclasses.replace(QUICK, seeds=4)), "--quick --seeds 4"),
        (Plan(size=dataclasses.replace(FULL, tuning_seeds=2)), "--tuning-seeds 2"),
        (
            Plan(optimizers=("sgd",), schedules=("step", "wsd")),
            "--optimizers sgd --schedules step,wsd",
        ),
        (
            Plan(schedules=("linear", "cosine(to=0.1)"), target=0.9),
            "--schedules 'linear,cosine(to=0.1)' --target 0.9",
        ),
        (
            Plan(size=dataclasses.replace(QUICK, halving=True, lengths=(50, 400))),
            "--quick --halving --lengths 50,400",
        ),
        (
            Plan(tune=("weight_decay=0, 0.1", "cosine.to=0,.1")),
            "--tune weight_decay=0,0.1 --tune cosine.to=0,0.1",
        ),
        (Plan(size=dataclasses.replace(FULL, further=6)), "--further 6"),
        (
            Plan(size=Size(7, 1, 2, (0.0001, 0.30000000000000004))),
            "--steps 7 --seeds 1 --tuning-seeds 2 --peaks 0.0001,0.30000000000000004",
        ),
    ],
)
def test_the_command_says_what_is_not_usual(plan: Plan, options: str) -> None:
    assert plan.command() == f"lehr compare --task digits {options}".strip()
    assert shlex.split(plan.command())[0] == "lehr"


def test_pairs_without_a_tuned_number_get_its_budget_in_seeds() -> None:
    plan = Plan(
        optimizers=("adam", "momentum"),
        schedules=("cosine", "linear"),
        tune=("betas=[0.9, 0.99],[0.95, 0.99],[0.8, 0.99]", "cosine.to=0,0.1"),
        size=SMALL,
    )
    trials = {
        str(pair): [
            trial
            for choice in plan.choices[pair]
            for peak in plan.first_peaks(pair)
            for trial in plan.tuning(pair, peak, choice)
        ]
        for pair in plan.pairs
    }
    assert {len(each) for each in trials.values()} == {2 * 2 * 6}
    assert {len({t.digest for t in each}) for each in trials.values()} == {24}
    counts = {str(pair): len(plan.choices[pair]) for pair in plan.pairs}
    assert counts == {
        "adam/cosine": 6,
        "adam/linear": 3,
        "momentum/cosine": 2,
        "momentum/linear": 1,
    }
    (first, *_, last) = plan.choices[plan.pairs[0]]
    assert first.values == {"betas": "[0.9, 0.99]", "cosine.to": "0"}
    assert last.optimizer == "adam(betas=[0.8, 0.99])"
    assert last.contender.schedule == lehr.cosine(to=0.1)


@pytest.mark.parametrize(
    ("schedule", "tune", "expected"),
    [
        ("cosine", "cosine.to=0.2", "cosine(to=0.2)"),
        ("warmup('10%') >> cosine(to=0.1)", "cosine.to=0.2", "warmup('10%') >> cosine(to=0.2)"),
        ("warmup('10%') >> cosine()", "warmup.steps='20%'", "warmup('20%') >> cosine()"),
        ("one_cycle", "one_cycle.pct_start=0.2", "one_cycle(pct_start=0.2)"),
    ],
)
def test_a_schedules_own_number_is_tuned(schedule: str, tune: str, expected: str) -> None:
    plan = Plan(optimizers=("adam",), schedules=(schedule,), tune=(tune,), size=SMALL)
    (choice,) = plan.choices[plan.pairs[0]]
    assert choice.contender.schedule == lehr.parse(expected)
    assert choice.contender.momentum == (
        find_entry(schedule).momentum if schedule.isidentifier() else None
    )
