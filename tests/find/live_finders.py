"""The classic rules against the finders that they come from, on one recorded curve.

Outside of the normal run, as it needs torch-lr-finder, fastai and ignite: ``make peers`` has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lehr.find.sweep import RULES, Sweep

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lehr.torch import range_test  # noqa: E402


@pytest.fixture(scope="module", params=[0, 1, 2])
def recorded(request: Any) -> Sweep:
    """Return the range test of a small network."""
    torch.manual_seed(request.param)
    centres = torch.randn(4, 8)
    batches = [
        (centres[y] + 0.5 * torch.randn(32, 8), y) for y in torch.randint(4, (200, 32)).unbind()
    ]
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return range_test(
        model, batches, nn.functional.cross_entropy, optimizer, start=1e-6, to=10.0, updates=150
    )


def kept(recorded: Sweep) -> tuple[Any, Any]:
    """Return the losses that fastai gives to its rules: without a first tenth and the last five."""
    chosen = slice(recorded.updates // 10, len(recorded.losses) - 5)
    return recorded.rates[chosen], recorded.smoothed[chosen]


@pytest.mark.parametrize("rule", ["valley", "slide", "minimum"])
def test_fastai(recorded: Sweep, rule: str) -> None:
    schedule = pytest.importorskip("fastai.callback.schedule")
    tensors = map(torch.tensor, kept(recorded))
    live, _ = getattr(schedule, rule)(*tensors, recorded.updates)
    assert recorded.suggest(rule) == pytest.approx(float(live), rel=1e-6)


def test_the_steepest_slope_of_fastai(recorded: Sweep) -> None:
    """It takes the difference to the next rate, and we that of both neighbours."""
    schedule = pytest.importorskip("fastai.callback.schedule")
    rates, losses = kept(recorded)
    live, _ = schedule.steep(torch.tensor(rates), torch.tensor(losses), recorded.updates)
    slopes = np.diff(losses) / np.diff(np.log(rates))
    assert float(live) == pytest.approx(rates[slopes.argmin()])
    at = int(np.argmin(np.abs(rates - recorded.suggest("steepest"))))
    assert slopes[max(0, at - 1) : at + 1].min() <= 0.9 * slopes.min()


def test_torch_lr_finder(recorded: Sweep) -> None:
    package = pytest.importorskip("torch_lr_finder")
    pytest.importorskip("matplotlib").use("Agg")
    rates, losses = kept(recorded)
    model = nn.Linear(1, 1)
    finder = package.LRFinder(model, torch.optim.SGD(model.parameters(), lr=0.1), nn.MSELoss())
    finder.history = {"lr": list(rates), "loss": list(losses)}
    _, live = finder.plot(skip_start=0, skip_end=0, suggest_lr=True)
    assert RULES["steepest"](rates, losses) == pytest.approx(live)


def test_ignite(recorded: Sweep) -> None:
    handlers = pytest.importorskip("ignite.handlers")
    rates, losses = kept(recorded)
    # Ignite looks at the part before the lowest loss.
    low = int(np.argmin(losses)) + 1
    finder = handlers.FastaiLRFinder()
    finder._history = {"lr": [[rate] for rate in rates], "loss": list(losses)}
    (live,) = finder.lr_suggestion()
    ours = RULES["steepest"](rates[:low], losses[:low])
    step = recorded.rates[1] / recorded.rates[0]
    assert abs(np.log(ours / live)) <= 1.01 * np.log(step)
