"""The edge ladder on curves whose edge is known."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import replace

import pytest

import lehr
from lehr.find import BATCHES, Ladder, Suggestion, squeezed
from lehr.find.edge import breaks_at_once, crossing, early, lost, of_the_rest, pooled, reach
from lehr.find.margins import Edges, OptimizerFamily, family_of

COSINE = lehr.warmup("10%") >> lehr.cosine()


def searched(
    edge: float,
    *,
    soft: bool = False,
    noise: float = 0.0,
    shift: float = 0.0,
    scale: float = 1.0,
    **options: object,
) -> Suggestion:
    """Search on a problem whose loss falls with the rate up to `edge`, and is lost above it."""
    given = {"schedule": COSINE, "steps": 1_000, "start": 0.01, "family": "sgd"} | options
    ladder = Ladder(**given)  # type: ignore[arg-type]
    draw = random.Random(0)
    while (run := ladder.next()) is not None:
        fall = min(1.0, run.rate / min(edge, 0.1) * 3) * min(1.0, run.updates / 40)
        if run.rate > edge:
            fall = max(0.0, 0.9 - 0.15 * math.log10(run.rate / edge)) if soft else -math.inf
        losses = [
            shift + scale * (2 - fall * (i + 1) / run.updates + noise * draw.gauss(0, 1))
            for i in range(run.updates)
        ]
        ladder.tell(losses)
    return ladder.suggestion()


@pytest.mark.parametrize("edge", [3e-5, 2e-3, 0.17, 4.0, 900.0])
@pytest.mark.parametrize(
    ("family", "margin"),
    # Runs of SGD explode at once here.
    [("adam", 0.5), ("sgd", 0.2), ("rmsprop", -0.1), ("muon", 0.95), ("lion", 1.4)],
)
def test_the_peak_is_a_fixed_factor_below_the_edge(
    edge: float, family: OptimizerFamily, margin: float
) -> None:
    found = searched(edge, noise=1e-3, family=family)
    assert found.peak is not None
    assert found.edge is not None
    # Between two quarters of a decade nothing tells them apart.
    assert abs(math.log10(found.edge / edge)) <= 0.25
    # A fifth of a decade for each factor of ten between 40 updates and 1,000.
    below = margin + 0.2 * math.log10(25)
    assert math.log10(found.edge / found.peak) == pytest.approx(below)
    assert found.decided_by == "edge"
    # Ten updates for each decade between the start and where training works are free.
    assert found.spent <= 400 + 10 * abs(math.log10(edge / 0.01))


def test_longer_runs_want_lower_peaks_and_steady_rates_other_ones() -> None:
    usual = searched(0.1, family="adam").peak
    assert usual is not None
    longer = searched(0.1, family="adam", steps=10_000).peak
    assert longer == pytest.approx(usual * 10**-0.2)
    steady = lehr.constant()
    assert searched(0.1, schedule=steady, family="adam").peak == pytest.approx(usual * 10**-0.1)
    assert searched(0.1, schedule=steady, family=None).peak == pytest.approx(usual * 10**-0.1)
    of_sgd = Edges(2.0, 8.0, at_once=0.0, decays=False, family="sgd").peak(40, 40)
    assert of_sgd.decades == pytest.approx(0.5 - 0.5)


@pytest.mark.parametrize("start", [1e-6, 1e-3, 1.0, 100.0])
def test_the_start_does_not_matter(start: float) -> None:
    assert searched(0.1, start=start, noise=1e-3).peak == pytest.approx(
        searched(0.1, noise=1e-3).peak, rel=0.02
    )


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.0), (1e3, 0.0), (1.0, -50.0), (1.0, 50.0)])
def test_scale_and_shift_of_the_loss_do_not_matter(scale: float, shift: float) -> None:
    found = searched(0.1, noise=0.01, scale=scale, shift=shift)
    assert found.peak == pytest.approx(searched(0.1, noise=0.01).peak)


def test_a_soft_edge_decides_where_it_is_lower() -> None:
    found = searched(0.1, soft=True)
    assert found.decided_by == "soft edge"
    assert found.confidence == "low"
    assert any("gradually" in text for text in found.warnings)


def test_ranges_and_their_share() -> None:
    found = searched(0.1)
    assert found.peak is not None
    assert found.as_good == pytest.approx((found.peak / 1.778, found.peak * 1.259), rel=1e-3)
    assert found.best_within == pytest.approx((found.peak / 16, found.peak * 6))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": 60}, "this is rough"),
        ({"steps": 20_000}, "farther than was tried"),
        ({"family": None}, "not known for this optimizer"),
        ({"noise": 3.0}, "this may be noise|no rate lowers the loss"),
        ({"edge": 1e30}, "no rate was found at which"),
    ],
)
def test_words_of_doubt(options: dict[str, float], words: str) -> None:
    found = searched(**({"edge": 0.1} | options))  # type: ignore[arg-type]
    assert found.confidence != "usual"
    assert any(re.search(words, text) for text in found.warnings), found.warnings


def test_a_search_that_finds_nothing_ends() -> None:
    ladder = Ladder(COSINE, 1_000, start=0.01)
    while (run := ladder.next()) is not None:
        ladder.tell([math.nan] if run.rate else [1.0] * run.updates)
    found = ladder.suggestion()
    assert (found.peak, found.as_good, found.best_within) == (None, None, None)
    assert found.decided_by == "nothing"
    assert found.spent < 60


@pytest.mark.parametrize("broken", [1.98, 2.4])
def test_a_finite_loss_of_a_broken_network_is_not_progress(broken: float) -> None:
    """Runs of 10 updates learn at 1, where those of 40 diverge or end with a broken network."""
    ladder = Ladder(lehr.constant(), 420, start=0.01, family="sgd")
    while (run := ladder.next()) is not None:
        losses = [2.0 - min(1.0, run.rate) * 0.3 * (i + 1) / 10 for i in range(run.updates)]
        if run.rate > 2:
            losses = [broken] * run.updates if run.rate < 5 else [math.inf]
        elif run.rate > 0.2 and run.updates == 40:
            losses = [2.0, 2.0, math.inf]
        ladder.tell(losses)
    found = ladder.suggestion()
    assert found.decided_by == "edge"
    assert found.edge is not None
    # The last rung that works is 0.178; 0.316 does not.
    assert 0.178 < found.edge < 0.316
    assert found.spent <= 400


def test_short_runs_that_learn_nothing_do_not_say_where_longer_ones_are_made() -> None:
    """Runs of 10 updates differ by noise alone, and those of 40 lose their progress at 0.5."""
    ladder = Ladder(COSINE, 420, start=0.01, family="sgd")
    draw, made = random.Random(1), list[float]()
    noise = [0.02 * draw.gauss(0, 1) for _ in range(40)]
    while (run := ladder.next()) is not None:
        fall = min(1.0, 4 * run.rate) if run.updates == 40 and run.rate < 0.5 else -run.rate / 1e3
        losses = [2.0 - fall + noise[i] for i in range(run.updates)]
        made += [run.rate] if run.updates == 40 and run.rate else []
        ladder.tell(losses if run.rate < 2 else [math.inf])
    found = ladder.suggestion()
    assert found.edge == pytest.approx(0.4, rel=0.25)
    # Runs far below the edge would take the budget of the repetitions.
    assert min(made) > 0.05
    assert {run.batches for run in found.curve} >= {0, 1}


def test_a_repetition_on_whose_batches_the_edge_is_lower_counts_too() -> None:
    """A rate at which other batches lose their progress needs no run above it."""
    ladder = Ladder(COSINE, 1_000, start=0.01, family="sgd")
    while (run := ladder.next()) is not None:
        edge = 0.5 if run.batches == 0 else 0.2
        fall = min(1.0, 5 * run.rate) * run.updates / 40
        ladder.tell([2.0 - fall] * run.updates if run.rate < edge else [math.inf])
    found = ladder.suggestion()
    again = [run for run in found.curve if run.batches]
    assert {run.batches for run in again} == {1, 2}
    assert min(run.rate for run in again) < 0.2
    # On the first batches alone it is between 0.316 and 0.562.
    assert found.edge is not None
    assert 0.2 < found.edge < 10**-0.5


def test_a_budget_that_ends_above_the_edge_gives_no_rate() -> None:
    ladder = Ladder(lehr.constant(), 420, start=0.01, family="sgd", budget=120)
    while (run := ladder.next()) is not None:
        works = run.updates < 15 or run.rate < 1e-9
        ladder.tell(
            [2.0 - works * min(1.0, run.rate)] * run.updates if run.rate < 2 else [math.inf]
        )
    found = ladder.suggestion()
    assert found.peak is None
    assert "give a larger budget" in found.warnings[-1]


def test_the_dict_is_json() -> None:
    found = searched(0.1)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    keys = ("peak", "as_good", "best_within", "spent", "decided_by", "confidence", "warnings")
    assert [read[key] for key in keys] == [
        found.peak, list(found.as_good or ()), list(found.best_within or ()), found.spent, "edge",
        "usual", [],
    ]  # fmt: skip
    assert None in [run["loss"] for run in read["curve"]]
    assert {run["updates"] for run in read["curve"]} == {10, 40}


def test_all_runs_fit_into_the_recorded_batches() -> None:
    ladder = Ladder(COSINE, 1_000, start=0.01)
    while (run := ladder.next()) is not None:
        assert run.batches * BATCHES // 3 + run.updates <= BATCHES
        ladder.tell([2.0 - min(1.0, run.rate)] * run.updates if run.rate < 2 else [math.inf])


def test_a_squeezed_schedule_keeps_its_proportions() -> None:
    whole, short = COSINE.over(1_000), squeezed(COSINE, 1_000, 10)
    assert short == [whole(50 + 100 * i) for i in range(10)]
    assert squeezed(lehr.cosine(), 3, 3) == [lehr.cosine().over(3)(t) for t in range(3)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": 0.0}, "start=0.0"),
        ({"start": math.inf}, "start=inf"),
        ({"budget": 59}, "budget=59 must be at least 60"),
        ({"schedule": lehr.constant() + -2}, "nowhere below 0"),
        ({"steps": "10%"}, "share"),
    ],
)
def test_wrong_arguments(options: dict[str, object], words: str) -> None:
    with pytest.raises(lehr.ScheduleError, match=words):
        Ladder(**({"schedule": COSINE, "steps": 1_000, "start": 0.01} | options))  # type: ignore[arg-type]


def test_curves() -> None:
    assert lost({2: math.inf, 0: 1.0, 1: 3.0}, 1.0, 1.0) == {0: 0.0, 1: 1.0, 2: 1.0}
    assert crossing({0: 0.0, 2: 0.2}, 0.3) is None
    assert crossing({0: 1.0, 1: 0.0, 2: 0.1, 3: 0.5}, 0.3) == pytest.approx(2.5)
    # On a straight line it is where three tenths are lost; one step counts half.
    assert reach({0: 0.0, 1: 0.2, 2: 0.4, 3: 0.6}, 0.3) == pytest.approx(1.5)
    assert reach({0: 0.0, 1: 0.0, 2: 1.0, 3: 1.0}, 0.3) == pytest.approx(1.5)
    # The budget ended before a run that works, or one that does not.
    assert reach({3: 1.0}, 0.3) == pytest.approx(3.0)
    assert reach({3: 0.0}, 0.3) == pytest.approx(3.5)
    assert pooled([{0: 0.0, 1: 0.5}, {1: 0.1}]) == {0: 0.0, 1: pytest.approx(0.3)}


def test_a_small_change_of_one_loss_moves_the_edge_by_little() -> None:
    """A share that goes to just the other side of three tenths, or from the best to the second."""
    for shares, other in [
        ({0: 0.0, 1: 0.29, 2: 0.1, 3: 1.0}, {0: 0.0, 1: 0.31, 2: 0.1, 3: 1.0}),
        ({0: 0.0, 1: 0.01, 2: 1.0}, {0: 0.01, 1: 0.0, 2: 1.0}),
    ]:
        assert reach(other, 0.3) == pytest.approx(reach(shares, 0.3), abs=0.05)


def test_the_peak_of_edges() -> None:
    # The hard edge is at 10 ** 0.5, the soft one is far above.
    plain = Edges(2.0, 8.0, at_once=0.0, decays=True, family="sgd")
    assert plain.peak(40, 40)[:2] == (pytest.approx(-0.15), "edge")
    assert replace(plain, at_once=1.0).peak(40, 40).decades == pytest.approx(0.3)
    assert replace(plain, at_once=0.5).peak(40, 40).decades == pytest.approx(0.075)
    assert replace(plain, at_once=1.0, family="adam").peak(400, 40).decades == pytest.approx(-0.2)
    assert replace(plain, soft=0.0).peak(40, 40)[:2] == (pytest.approx(-0.3), "soft edge")


def test_a_run_that_sees_its_data_dozens_of_times_with_little_to_learn_gets_a_lower_peak() -> None:
    """Ten updates at the rate 0.1 get as far as 40: 1,000 updates at 0.001 move as far."""
    edges = Edges(2.0, 8.0, at_once=0.0, decays=True, family="adam", early=1.0, reached=-4)
    usual = edges.peak(1_000, 40)
    assert usual.decided_by == "edge"
    often = replace(edges, epoch=10).peak(1_000, 40)
    assert often == (pytest.approx((usual.decades - 3) / 2), "passes", usual.decades)
    assert replace(edges, epoch=40).peak(1_000, 40) == usual
    assert replace(edges, epoch=10, early=0.0).peak(1_000, 40) == usual
    # Half as surely learned by heart, on the logarithm of the passes.
    between = replace(edges, epoch=1_000 / 50 * 2**0.5).peak(1_000, 40)
    assert between.decades == pytest.approx((usual.decades + often.decades) / 2)


def test_runs_that_explode_at_once() -> None:
    shares = {0: 0.0, 1: 0.05, 2: 1.0}
    assert breaks_at_once([shares], lambda rung: rung == 2) == 1.0
    assert breaks_at_once([shares], lambda _: False) == 0.0
    assert breaks_at_once([{0: 0.0, 1: 0.075, 2: 1.0}], lambda _: True) == pytest.approx(0.5)
    assert breaks_at_once([{0: 0.0, 1: 0.2, 2: 1.0}], lambda _: True) == 0.0
    assert breaks_at_once([{0: 0.0, 2: 1.0}], lambda _: True) == 0.0
    assert breaks_at_once([{0: 0.0, 1: 0.1}], lambda _: True) == 0.0
    # On other batches it breaks one rung lower, or higher; or nothing is known of it.
    assert breaks_at_once([shares, {1: 1.0}, {1: 1.0}], lambda _: True) == 0.0
    assert breaks_at_once([shares, {1: 0.0, 2: 0.0}], lambda _: True) == 0.5
    assert breaks_at_once([shares, {0: 0.0}], lambda _: True) == 1.0


def test_families() -> None:
    assert family_of(["Adamax", "Optimizer"]) == "adam"
    assert family_of(["Own", "ASGD", "Optimizer"]) == "sgd"
    assert family_of(["SignSGD"]) == family_of(["Lion8bit"]) == "lion"
    assert family_of(["Rprop", "Optimizer"]) is None


def test_an_explosion_just_above_the_best_rate_leaves_less_room_for_sgd() -> None:
    """A run whose loss is 1e6 after it lost its progress, against one whose loss is as before."""

    def gap(broken: float, family: OptimizerFamily) -> float:
        ladder = Ladder(COSINE, 400, start=0.01, family=family)
        while (run := ladder.next()) is not None:
            fall = min(1.0, 10 * run.rate) * run.updates / 40
            loss = 2.0 - fall if run.rate < 0.3 else broken
            # Batches differ by 0.002: a loss of 3.5 has exploded, and one of 1.999 has not.
            ladder.tell([2.0 + 1e-3 * (-1) ** i for i in range(run.updates - 8)] + [loss] * 8)
        found = ladder.suggestion()
        assert found.edge is not None
        assert found.peak is not None
        return math.log10(found.edge / found.peak)

    assert gap(1.999, "sgd") == pytest.approx(0.85)
    assert gap(1e6, "sgd") == pytest.approx(0.4)
    assert gap(1e6, "adam") == pytest.approx(0.7)


def test_short_runs_that_end_as_low_as_longer_ones_see_no_second_phase() -> None:
    """The first ten updates learn all: the best rate of the whole run may be as much lower."""
    ladder = Ladder(COSINE, 400, start=0.01, family="sgd")
    while (run := ladder.next()) is not None:
        loss = 2.0 - min(1.0, 100 * run.rate) if run.rate < 0.3 else math.inf
        ladder.tell([2.0 + 1e-3 * (-1) ** i for i in range(run.updates - 8)] + [loss] * 8)
    found = ladder.suggestion()
    assert any("get no farther" in text for text in found.warnings)
    assert found.confidence == "low"
    assert found.best_within is not None
    assert found.peak is not None
    # 10 updates get there at 0.01: 400 updates at 0.01 / 40 move as far.
    assert found.best_within == pytest.approx((0.01 / 40, 6 * found.peak))


def test_the_data_of_a_loader_that_is_seen_often_lowers_the_peak() -> None:
    def found(epoch: float | None) -> Suggestion:
        ladder = Ladder(COSINE, 400, start=0.01, family="sgd", epoch=epoch)
        while (run := ladder.next()) is not None:
            loss = 2.0 - min(1.0, 100 * run.rate) if run.rate < 0.3 else math.inf
            ladder.tell([2.0 + 1e-3 * (-1) ** i for i in range(run.updates - 8)] + [loss] * 8)
        return ladder.suggestion()

    usual, often = found(None), found(4)
    assert often.peak is not None
    assert usual.peak is not None
    assert usual.best_within is not None
    assert found(100) == usual
    # In the middle between the usual one and a rate at which 400 updates move as far as 10 did.
    assert often.peak == pytest.approx(math.sqrt(usual.peak * 0.01 / 40))
    assert often.decided_by == "passes"
    assert often.best_within == pytest.approx((0.01 / 40, max(6 * often.peak, usual.peak)))
    assert any("sees its data 100 times" in text for text in often.warnings)


def test_early() -> None:
    assert early({-2: 0.9, -1: 0.1, 0: 0.0}, 0.0) == (1.0, -1)
    assert early({-2: 0.9, -1: 0.15, 0: 0.16}, 0.0) == (pytest.approx(0.5), -1)
    assert early({-2: 0.9, -1: 0.25, 0: 0.3}, 0.0) == (0.0, -1)
    assert early({-2: 0.9, -1: 0.25, 0: 0.1}, 0.2) == (1.0, -1)


def test_what_a_broken_network_has_does_not_count_as_progress() -> None:
    shares = {0: 0.0, 1: 0.02, 2: 0.1, 3: 1.0}
    # It ends at a tenth of the progress, far above the scatter between batches.
    assert of_the_rest(shares, 0.1, 0.01, 1.0) == pytest.approx({0: 0.0, 1: 0.2, 2: 1.0, 3: 1.0})
    assert of_the_rest(shares, 0.1, 0.01, 0.0) == shares
    assert of_the_rest(shares, 0.1, 0.05, 1.0) == shares
    assert of_the_rest({0: 0.0, 1: 0.5}, 0.5, 0.01, 1.0) == {0: 0.0, 1: 0.5}


@pytest.mark.parametrize("exploded", [math.inf, 36.0])
def test_a_network_that_begins_far_off_is_judged_by_what_it_learns_after_that(
    exploded: float,
) -> None:
    """The loss falls from 20 to 2 at nearly every rate, and to 0.5 up to the rate 0.1 only.

    A run that ends above where it began is lost, whether or not it was stopped.
    """
    ladder = Ladder(COSINE, 400, start=0.01, family="adam")
    while (run := ladder.next()) is not None:
        ends = (0.5 if run.updates == 40 else 1.9) if 0.005 < run.rate < 0.1 else 2.0
        last = exploded if run.rate > 1 else ends if run.rate > 1e-3 else 20.0
        half = run.updates // 2
        first = [20.0 + 0.3 * (-1) ** i for i in range(half)]
        ladder.tell([*first, *(last + 0.01 * (-1) ** i for i in range(half))])
    found = ladder.suggestion()
    assert found.edge is not None
    assert 0.05 < found.edge < 0.2


def test_a_network_with_little_left_to_learn_gets_a_rate_that_does_no_harm() -> None:
    """The loss falls by a tenth of its scatter between batches, and rises above the rate 0.1."""
    ladder = Ladder(COSINE, 400, start=0.01, family="adam")
    draw = random.Random(3)
    scatter = [0.1 * draw.gauss(0, 1) for _ in range(40)]
    while (run := ladder.next()) is not None:
        change = -0.01 * min(1.0, 100 * run.rate) * run.updates / 40
        change += 0.0 if run.rate < 0.1 else run.rate
        ladder.tell([0.5 + scatter[i] + change * i / run.updates for i in range(run.updates)])
    found = ladder.suggestion()
    assert found.peak is not None
    assert 1e-4 < found.peak < 0.1
    assert any("this may be noise" in text for text in found.warnings)
