"""The cost of lehr around a trial of a user's own training: process, folder, store and planning.

The same function is run in a plain process, and as trials of a comparison. The difference of the
two in processor time, for a trial, is printed beside the 30 seconds of a short real one.

    python benchmarks/own_training.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from lehr.lab import Plan, Size, compare

SECONDS = 2.0
"""Seconds that the function takes."""

TRIAL = 30.0
"""Seconds of a short real trial."""

FUNCTION = f"""
import time

def train(trial):
    time.sleep({SECONDS})
    return {{"validation": {{"loss": 1.0}}, "test": {{"loss": 1.0}}}}

if __name__ == "__main__":
    train(None)
"""


def cost(work: Callable[[], object], trials: int) -> tuple[float, float]:
    """Return the seconds and the processor's seconds of each trial, the least of three."""
    found: list[tuple[float, float]] = []
    for _ in range(3):
        before, begun = processor(), time.perf_counter()
        work()
        found.append((time.perf_counter() - begun, processor() - before))
    seconds, busy = (min(column) / trials for column in zip(*found, strict=True))
    return seconds, busy


def processor() -> float:
    """Return the processor time of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Run both, and print the difference."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "train.py"
        file.write_text(FUNCTION)
        plan = Plan(f"train:{file}:train", ("sgd",), ("cosine",), Size(10, 3, 1, (0.1, 0.2, 0.3)))
        folders = (Path(name) / str(turn) for turn in count())
        compared, busy = cost(lambda: compare(plan, next(folders)), 6)
        command = [sys.executable, str(file)]
        plain, own = cost(lambda: subprocess.run(command, check=True), 1)
    around = busy - own
    print(f"a plain process {plain:.2f} s, a trial {compared:.2f} s; on a busy machine both wait")
    print(f"processor time around a trial {around:.2f} s: {100 * around / TRIAL:.1f}%", end=" ")
    print(f"of one that takes {TRIAL:.0f} s")


if __name__ == "__main__":
    main()
