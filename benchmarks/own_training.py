"""The cost of lehr around a trial of one's own training: process, folder, store and planning.

The same function is run in a plain process, and as trials of a comparison. The difference of the
two, for a trial, is printed beside the 30 seconds of a short real one.

    python benchmarks/own_training.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
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


def main() -> None:
    """Run both, and print the ratio."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "train.py"
        file.write_text(FUNCTION)
        plan = Plan(f"train:{file}:train", ("sgd",), ("cosine",), Size(10, 3, 1, (0.1, 0.2, 0.3)))
        begun = time.perf_counter()
        compare(plan, Path(name) / "out")
        trials = 6
        compared = (time.perf_counter() - begun) / trials
        begun = time.perf_counter()
        for _ in range(3):
            subprocess.run([sys.executable, str(file)], check=True)
        plain = (time.perf_counter() - begun) / 3
    cost = compared - plain
    print(f"a plain process {plain:.2f} s, a trial {compared:.2f} s: {cost:.2f} s around a trial,")
    print(f"{100 * cost / TRIAL:.1f}% of one that takes {TRIAL:.0f} s")


if __name__ == "__main__":
    main()
