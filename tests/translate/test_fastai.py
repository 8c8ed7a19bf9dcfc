"""fastai's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from cases_fastai import ANNEALERS, FITS, RUNS
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate


def annealed(case: Case, p: float) -> float:
    name, a = case
    start, end = a["start"], a["end"]
    if name == "SchedNo":
        return start
    if name == "SchedExp":
        return start * (end / start) ** p
    share = {"SchedLin": p, "SchedCos": (1 - math.cos(math.pi * p)) / 2}.get(name)
    return start + (end - start) * (p ** a["power"] if share is None else share)


def cosines(pcts: Sequence[float], levels: Sequence[tuple[float, float]], p: float) -> float:
    begin = 0.0
    for pct, (start, end) in zip(pcts, levels, strict=True):
        if p < begin + pct - 1e-12:
            return annealed(("SchedCos", {"start": start, "end": end}), (p - begin) / pct)
        begin += pct
    return levels[-1][1]


def fitted(case: Case, p: float) -> float:
    name, a = case
    if name == "fit_sgdr":
        growth, count = a.get("cycle_mult", 2), a["n_cycles"]
        sizes = [growth**i for i in range(count)]
        return cosines([s / sum(sizes) for s in sizes], [(a["lr_max"], 0.0)] * count, p)
    one = name == "fit_one_cycle"
    rate = a["lr_max"] if one else a["lr"]
    pct = a.get("pct_start", 0.25 if one else 0.75)
    first = rate / a.get("div", 25.0) if one else rate
    return cosines([pct, 1 - pct], [(first, rate), (rate, rate / a.get("div_final", 1e5))], p)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("case", ANNEALERS, ids=case_id)
def test_annealer(case: Case, run: int) -> None:
    expected = sampled(lambda t: annealed(case, t / run), run)
    assert_curve(translated("fastai", case).over(run), expected)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("case", FITS, ids=case_id)
def test_fit(case: Case, run: int) -> None:
    expected = sampled(lambda t: fitted(case, t / run), run)
    assert_curve(translated("fastai", case).over(run), expected)


@pytest.mark.parametrize("run", RUNS)
def test_momentum(run: int) -> None:
    momentum = translate("fastai", "fit_one_cycle", lr_max=0.1).momentum
    assert momentum is not None
    levels = [(0.95, 0.85), (0.85, 0.95)]
    assert_curve(momentum.over(run), sampled(lambda t: cosines([0.25, 0.75], levels, t / run), run))


def test_combined() -> None:
    parts = [ANNEALERS[0], ANNEALERS[3]]
    ours = translate(
        "fastai",
        "combine_scheds",
        pcts=[0.35, 0.65],
        scheds=[translate("fastai", name, **given) for name, given in parts],
    )

    def combined(t: int) -> float:
        p = t / 97
        return annealed(parts[0], p / 0.35) if p < 0.35 else annealed(parts[1], (p - 0.35) / 0.65)

    assert_curve(ours.schedule.over(97), sampled(combined, 97))


def test_combined_cos_and_range() -> None:
    middle = translate("fastai", "combined_cos", pct=0.5, start=0.1, middle=1.0, end=0.2)
    assert middle.schedule.over(10)(5) == pytest.approx(1.0)
    growth = (10 / 1e-7) ** (1 / 100)
    assert_curve(
        translate("fastai", "lr_find").schedule, sampled(lambda t: 1e-7 * growth**t, 101), 1e-11
    )


@pytest.mark.parametrize("per_epoch", [1, 10])
def test_a_missed_restart(per_epoch: int) -> None:
    """In 32 bits 1/7 + 2/7 is more than 3/7, so the third cycle of three begins an update late."""
    case: Case = ("fit_sgdr", {"n_cycles": 3, "cycle_len": 1, "lr_max": 0.3})
    run, begin = 7 * per_epoch, 3 * per_epoch
    expected = sampled(lambda t: fitted(case, t / run), run)
    found = translate("fastai", *case[:1], **case[1])
    assert_curve(found.schedule.over(run), expected)
    assert expected[begin] == 0.3
    assert "misses the restart at epoch 3" in found.notes[0]
    late = [0.0 if t == begin else rate for t, rate in enumerate(expected)]
    kept = translate("fastai", *case[:1], **case[1], faithful=True)
    assert_curve(kept.schedule.over(run), late)
    assert kept.notes == ()


def test_two_numbers_at_once() -> None:
    found = translate(
        "fastai",
        "ParamScheduler",
        scheds={
            "lr": translate("fastai", "SchedCos", start=0.5, end=0.1),
            "mom": translate("fastai", "SchedLin", start=0.95, end=0.85),
        },
    )
    assert found.schedule.over(100)(50) == pytest.approx(0.3)
    assert found.momentum is not None
    assert found.momentum.over(100)(50) == pytest.approx(0.9)


def test_every_name() -> None:
    more = {"combine_scheds", "combined_cos", "lr_find", "ParamScheduler"}
    assert {name for name, _ in ANNEALERS + FITS} | more == set(names("fastai"))


def test_refused() -> None:
    with pytest.raises(ScheduleError, match="must sum to 1"):
        translate("fastai", "combine_scheds", pcts=[0.5], scheds=[])
    with pytest.raises(ScheduleError, match="cycle_mult=1"):
        translate("fastai", "fit_sgdr", n_cycles=2, cycle_len=1, lr_max=0.1, cycle_mult=1)
