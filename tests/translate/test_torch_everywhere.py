"""torch's own schedulers against their translations, over the whole space of arguments.

Degenerate shares, runs of one to three steps, floors of zero, lengths of zero and one: the other
tests draw typical arguments, these draw the corners.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as sched
from torch.optim.swa_utils import SWALR

from lehr.translate import translate

STEPS = 12
RATES = st.sampled_from([1.0, 0.1, 1e-3])
FACTORS = st.sampled_from([0.0, 1e-3, 1 / 3, 0.5, 1.0])
GAMMAS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.2])
FLOORS = st.sampled_from([0.0, 1e-3, 0.1, 0.5])
SHARES = st.sampled_from([0.0, 1e-9, 0.05, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.55, 0.75, 0.9, 1.0])
LENGTHS = st.integers(0, 5)
SOME = st.integers(1, 5)

SPACES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "StepLR": {"step_size": SOME, "gamma": GAMMAS},
    "MultiStepLR": {"milestones": st.lists(st.integers(0, 8), max_size=4), "gamma": GAMMAS},
    "ConstantLR": {"factor": FACTORS, "total_iters": LENGTHS},
    "LinearLR": {
        "start_factor": FACTORS.filter(bool),
        "end_factor": FACTORS,
        "total_iters": LENGTHS,
    },
    "ExponentialLR": {"gamma": GAMMAS},
    "PolynomialLR": {"total_iters": LENGTHS, "power": st.sampled_from([0.0, 0.5, 1.0, 2.0])},
    "CosineAnnealingLR": {"T_max": SOME, "eta_min": FLOORS},
    "CosineAnnealingWarmRestarts": {"T_0": SOME, "T_mult": st.integers(1, 3), "eta_min": FLOORS},
    "CyclicLR": {
        "base_lr": FLOORS,
        "max_lr": st.sampled_from([0.0, 0.1, 0.5]),
        "step_size_up": st.sampled_from([0.5, 1, 1.5, 2, 3]),
        "step_size_down": st.sampled_from([None, 0, 0.5, 1, 2, 3]),
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "gamma": st.sampled_from([0.5, 0.9, 1.0]),
    },
    "SWALR": {
        "swa_lr": FLOORS,
        "anneal_epochs": LENGTHS,
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
    },
    "OneCycleLR": {
        "max_lr": st.sampled_from([0.1, 1.0]),
        "total_steps": st.integers(1, 12),
        "pct_start": SHARES,
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "three_phase": st.booleans(),
        "div_factor": st.sampled_from([1.0, 2.0, 25.0]),
        "final_div_factor": st.sampled_from([1.0, 1e4]),
    },
}


def stepped(name: str, arguments: dict[str, Any], lr: float) -> list[tuple[float, float]]:
    """Return torch's rate and momentum at each step, as far as torch gets without an error."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    found: list[tuple[float, float]] = []
    # What torch gave until it failed is compared.
    with contextlib.suppress(ZeroDivisionError, ValueError):
        kind = SWALR if name == "SWALR" else getattr(sched, name)
        scheduler = kind(optimizer, **arguments)
        for _ in range(STEPS):
            group = optimizer.param_groups[0]
            found.append((float(group["lr"]), float(group["momentum"])))
            optimizer.step()
            scheduler.step()
    return found


@pytest.mark.parametrize("name", SPACES)
def test_everywhere(name: str) -> None:
    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.fixed_dictionaries(SPACES[name]), RATES)
    def compare(arguments: dict[str, Any], lr: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = stepped(name, arguments, lr)
        assume(wanted)
        kept = translate("torch", name, lr=lr, faithful=True, **arguments)
        right = translate("torch", name, lr=lr, **arguments)
        check(kept, wanted, lr)
        if not right.notes:
            check(right, wanted, lr)

    compare()


def check(translation: Any, wanted: list[tuple[float, float]], lr: float) -> None:
    scale = 1.0 if translation.absolute else lr
    allowed = 1e-9 * max([lr, *(rate for rate, _ in wanted)])
    for t, (rate, momentum) in enumerate(wanted):
        assert translation.schedule(t) * scale == pytest.approx(rate, rel=0, abs=allowed), t
        if translation.momentum is not None:
            assert translation.momentum(t) == pytest.approx(momentum, rel=0, abs=1e-9), t
