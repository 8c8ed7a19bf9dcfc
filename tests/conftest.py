"""Settings for the whole suite."""

import os

# Before anything imports torch. Its threads wait for one another at every small step: where the
# tests run in several processes, that takes ten times as long as the work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every run: a failure is found again by running the test again.
# `pytest --hypothesis-profile thorough` looks further, with new examples each time.
settings.register_profile(
    "lehr",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    max_examples=2_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lehr")


@pytest.fixture(autouse=True)
def no_width_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no terminal's width, which the runner may pass on, decide how output is wrapped."""
    monkeypatch.delenv("COLUMNS", raising=False)
