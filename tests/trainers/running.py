"""Running the programs of ``examples/trainers``, and reading what they print."""

from __future__ import annotations

import math
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROGRAMS = Path(__file__).parents[2] / "examples" / "trainers"
PATIENCE = 400  # seconds


class Update(NamedTuple):
    """A program's lines about one update, as text: equal texts are equal numbers, to the bit."""

    rank: int
    update: int
    rate: str
    loss: str


LINE = re.compile(
    r"^(?:rank (?P<rank>\d+)  )?update (?P<update>\d+)  rate (?P<rate>\S+)  loss (?P<loss>\S+)$",
    re.MULTILINE,
)


def run(
    name: str,
    *arguments: object,
    warnings: str = "error",
    launched: Sequence[str] = (),
    **environment: str,
) -> str:
    """Run a program to its end on one core, and return what it printed."""
    program = subprocess.Popen(
        [sys.executable, "-W", warnings, *launched, str(PROGRAMS / name), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        start_new_session=True,
    )
    try:
        printed, complaints = program.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        # With the processes that it started, which would wait for each other for ever.
        os.killpg(program.pid, signal.SIGKILL)
        printed, complaints = program.communicate()
        pytest.fail(
            f"{name} was not done after {PATIENCE} s: {printed[-2000:]} {complaints[-2000:]}"
        )
    assert program.returncode == 0, complaints[-4000:]
    return printed


def updates(printed: str) -> list[Update]:
    """Return the updates that a program printed, in order; those of each rank one after another."""
    rows = [
        Update(int(found["rank"] or 0), int(found["update"]), found["rate"], found["loss"])
        for found in LINE.finditer(printed)
    ]
    return sorted(rows, key=lambda row: (row.rank, row.update))


def check_resume(name: str, folder: Path, *, stop: int, total: int, **how: Any) -> list[Update]:
    """Run a program through, and in two parts; return its updates, which must be the same."""
    at_once = run(name, "--out", folder / "through", **how)
    through = updates(at_once)
    first = updates(run(name, "--out", folder / "parts", "--stop-after", stop, **how))
    resumed = run(name, "--out", folder / "parts", **how)
    second = updates(resumed)
    ranks = {row.rank for row in through}
    for rank in ranks:
        assert [row.update for row in through if row.rank == rank] == list(range(total))
        assert [row.update for row in first if row.rank == rank] == list(range(stop))
        assert [row.update for row in second if row.rank == rank] == list(range(stop, total))
    assert sorted([*first, *second]) == sorted(through)
    # Where a trainer rounds the losses that it shows, the program prints what the weights are.
    assert re.findall("^weights .*$", at_once, re.M) == re.findall("^weights .*$", resumed, re.M)
    return through


def trapezoid(t: int, total: int) -> float:
    """Return the height at update ``t`` of what the programs drive.

    ``warmup("10%") >> hold() >> cosine("40%", to=0.1)``, by hand.
    """
    rising, falling = round(total * 0.1), round(total * 0.6)
    if t < rising:
        return t / rising
    if t < falling:
        return 1.0
    return 0.1 + 0.9 * (1 + math.cos(math.pi * (t - falling) / (total - falling))) / 2


def check_rates(rows: list[Update], base: float, total: int, within: float = 1e-12) -> None:
    """Check the rate of every update against the formula, to a share of itself."""
    for row in rows:
        assert math.isclose(float(row.rate), base * trapezoid(row.update, total), rel_tol=within)


def free_port() -> str:
    """Return a port of this machine that nothing listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def check_learns(rows: list[Update]) -> None:
    """Check that the losses came down: the program trains."""
    losses = [float(row.loss) for row in rows if row.rank == 0]
    few = max(len(losses) // 8, 1)
    assert sum(losses[-few:]) < 0.8 * sum(losses[:few])
