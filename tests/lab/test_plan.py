"""Plans of comparisons."""

import dataclasses
import shlex

import pytest

import lehr
from lehr.catalogue import find_entry
from lehr.lab.optimizers import OPTIMIZERS
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


@pytest.mark.parametrize("size", [FULL, QUICK])
def test_the_sizes_offered_span_the_rates_of_all_optimizers(size: Size) -> None:
    # Adam wants about 1e-2, SGD about 1, and neither may sit at the edge of the grid.
    assert size.peaks[0] <= 0.01
    assert size.peaks[-1] >= 2


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("steps", 1, "steps=1 must be a whole number of at least 2"),
        ("steps", 2.5, "steps=2.5 must be a whole number"),
        ("seeds", 0, "seeds=0 must be a whole number of at least 1"),
        ("seeds", True, "seeds=True must be a whole number"),
        ("tuning_seeds", -1, "tuning_seeds=-1 must be a whole number of at least 1"),
        ("peaks", (), "peaks=() is empty"),
        ("peaks", (0.0, 1.0), "must be finite and above 0"),
        ("peaks", (1.0, float("inf")), "must be finite and above 0"),
        ("peaks", (float("nan"),), "must be finite and above 0"),
        ("peaks", (1.0, 1.0), "must be in ascending order, each once"),
        ("lengths", (1,), "lengths=(1,) must be whole numbers of at least 2"),
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
            Plan(size=Size(7, 1, 2, (0.0001, 0.30000000000000004))),
            "--steps 7 --seeds 1 --tuning-seeds 2 --peaks 0.0001,0.30000000000000004",
        ),
    ],
)
def test_the_command_says_what_is_not_usual(plan: Plan, options: str) -> None:
    assert plan.command() == f"lehr compare --task digits {options}".strip()
    assert shlex.split(plan.command())[0] == "lehr"
