"""fvcore's schedulers against fvcore itself."""

from __future__ import annotations

from typing import Any

import pytest
from bare import module
from cases_fvcore import CASES, RUNS
from peer import FORMULA, Case, assert_curve, case_id, translated

from lehr.translate import names, translate

fvcore = module("fvcore.common.param_scheduler")


def curve(scheduler: Any, run: int) -> list[float]:
    return [scheduler(t / run) for t in range(run)]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case, run: int) -> None:
    name, given = case
    expected = curve(getattr(fvcore, name)(**given), run)
    assert_curve(translated("fvcore", case).over(run), expected, FORMULA)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("scaling", [("rescaled", "rescaled"), ("rescaled", "fixed")])
@pytest.mark.parametrize("lengths", [(0.1, 0.9), (0.25, 0.75), (0.35, 0.65)])
def test_live_composite(lengths: tuple[float, float], scaling: tuple[str, str], run: int) -> None:
    parts = CASES[3], CASES[1]
    live = fvcore.CompositeParamScheduler(
        [getattr(fvcore, name)(**given) for name, given in parts], list(lengths), scaling
    )
    ours = translate(
        "fvcore",
        "CompositeParamScheduler",
        schedulers=[translate("fvcore", name, **given) for name, given in parts],
        lengths=lengths,
        interval_scaling=scaling,
    )
    assert_curve(ours.schedule.over(run), curve(live, run), FORMULA)


def test_no_other_scheduler() -> None:
    assert set(fvcore.__all__) - {"ParamScheduler"} == set(names("fvcore"))
