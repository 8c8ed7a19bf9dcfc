"""Parameters that runs cannot tell apart, and the run that would."""

import pytest

import lehr
import transcribed_laws as true
from lehr.laws import Law, LawError, fit, plan_runs
from lehr.laws.identify import KINDS, blurred, settling_run
from transcribed_laws import logged

SHORT = "a linear cooldown over the last 20%"


def fitted(*kinds: str, steps: int = 20_000) -> Law:
    runs = [logged(kind, steps, noise=1e-3, seed=i) for i, kind in enumerate(kinds)]
    return fit(runs, law="effective-rate", optimizer="adamw", weight_decay=true.DECAY)


@pytest.fixture(scope="module")
def two() -> Law:
    return fitted("constant", "linear")


@pytest.fixture(scope="module")
def three() -> Law:
    return fitted("constant", "linear", "wsd20")


def halves(law: Law) -> dict[str, float]:
    return {blur.kind: blur.half for blur in blurred(law)}


def test_a_constant_and_a_linear_run_do_not_settle_short_cooldowns(two: Law, three: Law) -> None:
    assert SHORT in halves(two)
    assert any(SHORT in words for words in two.blurred)
    assert halves(three).get(SHORT, 0.0) < 0.6 * halves(two)[SHORT]


def test_predictions_of_what_is_not_told_apart_are_wider(two: Law, three: Law) -> None:
    def width(law: Law, text: str) -> float:
        linear = law.predict("warmup(50) >> linear()", steps=20_000)
        found = law.predict(f"warmup(50) >> {text}", steps=20_000).minus(linear)
        return found.high - found.low

    assert width(two, KINDS[SHORT]) > 1.5 * width(three, KINDS[SHORT])
    assert width(two, KINDS[SHORT]) > 1.5 * width(two, "hold('20%') >> linear()")


def test_the_run_to_add_is_shorter_and_settles(two: Law) -> None:
    proposal = settling_run(two, blurred(two))
    assert proposal.steps < 20_000
    assert proposal.half < 0.7 * max(halves(two).values())
    assert repr(lehr.parse(proposal.schedule)) in proposal.words or proposal.schedule in two.advice
    lehr.parse(proposal.schedule).over(proposal.steps)(0)


def test_training_it_tells_what_was_promised(two: Law) -> None:
    promised = settling_run(two, blurred(two))
    added = logged("wsd20", promised.steps, noise=1e-3, seed=7)
    runs = [logged(k, 20_000, noise=1e-3, seed=i) for i, k in enumerate(("constant", "linear"))]
    found = fit([*runs, added], law="effective-rate", optimizer="adamw", weight_decay=true.DECAY)
    worst = max(halves(found).values(), default=0.0)
    assert worst < max(halves(two).values())


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_short_runs_are_planned_before_anything_is_trained(weight_decay: float) -> None:
    found = plan_runs(50_000, 1e-3, weight_decay=weight_decay, warmup=300)
    assert len(found) == 3
    assert sum(one.steps for one in found) < 50_000
    assert [one.half for one in found] == sorted((one.half for one in found), reverse=True)
    levels = [lehr.parse(one.schedule).over(one.steps)(one.steps - 1) for one in found]
    assert min(levels) < 0.2  # one of them lowers its rate


def test_a_planned_run_has_time_for_what_follows_its_warmup() -> None:
    short = plan_runs(50_000, 1e-3, warmup=300, count=2)
    assert [one.steps for one in short] == [15_000, 10_000]
    found = plan_runs(50_000, 1e-3, warmup=4_000, count=2)
    assert [one.steps for one in found] == [20_000, 20_000]
    assert {one.schedule.partition(" >> ")[0] for one in found} == {"warmup(4000)"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 50, "peak": 1.0}, "steps=50"),
        ({"steps": 1000, "peak": 0.0}, "peak=0.0"),
        ({"steps": 1000, "peak": 1.0, "count": 1}, "count=1"),
        ({"steps": 1000, "peak": 1.0, "warmup": 600}, "warmup=600"),
        ({"steps": 1000, "peak": 1.0, "law": "newton"}, "law='newton' is not one of"),
        ({"steps": 1000, "peak": 1.0, "law": "effective-rate"}, "needs weight_decay="),
    ],
)
def test_what_cannot_be_planned_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=words):
        plan_runs(**options)  # type: ignore[arg-type]
