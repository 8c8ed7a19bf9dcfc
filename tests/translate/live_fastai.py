"""fastai's schedules against fastai itself (its schedule module, without its data and vision)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from bare import module
from cases_fastai import ANNEALERS, FITS, RUNS
from peer import FORMULA, LIVE, Case, assert_curve, case_id

from lehr.translate import translate

torch = pytest.importorskip("torch")
core = pytest.importorskip("fastcore.all", reason="fastcore is not installed")


class Learner:
    """The part of a learner that the fits use; fastai's own module adds them to it."""

    opt = type("Opt", (), {"hypers": [{"lr": None}], "set_hyper": lambda self, *_: None})()
    moms = (0.95, 0.85, 0.95)
    lr = 0.001

    def fit(self, n_epoch: int, cbs: Any = (), **_: Any) -> None:
        self.scheds = cbs[0].scheds


class Recorder: ...


names = {name: getattr(core, name) for name in dir(core) if not name.startswith("__")}
schedule = module(
    "fastai.callback.schedule",
    empty=("fastai", "fastai.callback"),
    stubs={
        "fastai.basics": {
            **names,
            "Callback": object,
            "Learner": Learner,
            "Recorder": Recorder,
            "functools": functools,
            "math": math,
            "np": np,
            "torch": torch,
            "tensor": lambda values: torch.tensor(list(values), dtype=torch.float32),
        },
        "fastai.callback.tracker": {"SaveModelCallback": object},
    },
)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("case", ANNEALERS, ids=case_id)
def test_live_annealer(case: Case, run: int) -> None:
    name, given = case
    live = getattr(schedule, name)(**given)
    ours = translate("fastai", name, **given).schedule.over(run)
    assert_curve(ours, [live(t / run) for t in range(run)], FORMULA)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("case", FITS, ids=case_id)
def test_live_fit(case: Case, run: int) -> None:
    name, given = case
    learner = Learner()
    rate = given.get("lr_max", given.get("lr"))
    learner.opt.hypers = [{"lr": rate}]
    epochs = {} if name == "fit_sgdr" else {"n_epoch": 1}
    getattr(Learner, name)(learner, **epochs, **given)
    ours = translate("fastai", name, **given)
    # fastai keeps where phases meet in 32 bits: half a unit of those, of a run, is its error.
    places = [t / run for t in range(run)]
    live = learner.scheds
    assert_curve(ours.schedule.over(run), [np.asarray(live["lr"](p)).item() for p in places], LIVE)
    if ours.momentum is not None:
        assert_curve(ours.momentum.over(run), [float(live["mom"](p)) for p in places], LIVE)


@pytest.mark.parametrize(
    ("cycles", "size", "growth"), [(3, 1, 2), (4, 2, 2), (6, 1, 3), (2, 4, 3), (5, 1, 2)]
)
def test_live_restarts_at_whole_epochs(cycles: int, size: int, growth: int) -> None:
    given = {"n_cycles": cycles, "cycle_len": size, "lr_max": 0.3, "cycle_mult": growth}
    learner = Learner()
    learner.opt.hypers = [{"lr": 0.3}]
    Learner.fit_sgdr(learner, **given)
    run = size * (growth**cycles - 1) // (growth - 1)
    places = [t / run for t in range(run)]
    live = [np.asarray(learner.scheds["lr"](p)).item() for p in places]
    ours = translate("fastai", "fit_sgdr", **given, faithful=True)
    assert_curve(ours.schedule.over(run), live, LIVE)


@pytest.mark.parametrize("run", RUNS)
def test_live_combined(run: int) -> None:
    parts = ANNEALERS[0], ANNEALERS[3], ANNEALERS[1]
    pcts = [0.2, 0.3, 0.5]
    live = schedule.combine_scheds(
        pcts, [getattr(schedule, name)(**given) for name, given in parts]
    )
    ours = translate(
        "fastai",
        "combine_scheds",
        pcts=pcts,
        scheds=[translate("fastai", name, **given) for name, given in parts],
    )
    assert_curve(ours.schedule.over(run), [float(live(t / run)) for t in range(run)], LIVE)
