"""The examples run as they are, learn, and show the rates that their schedules have."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
BATCHES = 43  # three quarters of 1,797 images are 1,347: 42 batches of 32, and one of 3


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example on one core, with every warning an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def table(name: str, *arguments: str) -> list[dict[str, float]]:
    """Return the numbers of each printed line, by their names."""
    done = run(name, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    rows = []
    for line in done.stdout.splitlines():
        found = re.findall(r"([a-z]+)\s+(\d+(?:\.\d+)?)", line)
        rows.append({key: float(value) for key, value in found})
    return rows


def test_train_per_epoch():
    rows = table("train_per_epoch.py")
    assert [row["epoch"] for row in rows] == list(range(1, 16))
    # Up in 5 epochs, 5 at the top, and on the way down: the last one is a fifth from the bottom.
    heights = [0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert [row["rate"] for row in rows] == [pytest.approx(0.01 + 0.19 * h) for h in heights]
    assert rows[-1]["accuracy"] > 95


def test_train_per_batch():
    rows = table("train_per_batch.py")
    assert [row["epoch"] for row in rows] == list(range(1, 11))
    total = 10 * BATCHES
    peak = 0.3 * total - 1
    for row in rows:
        t = row["epoch"] * BATCHES - 1  # the epoch's last update
        rising = t <= peak
        u = t / peak if rising else (t - peak) / (total - 1 - peak)
        way = (1 - math.cos(math.pi * u)) / 2
        rate = (0.012, 0.3) if rising else (0.3, 0.012 / 1e4)
        momentum = (0.95, 0.85) if rising else (0.85, 0.95)
        assert row["rate"] == pytest.approx(rate[0] + (rate[1] - rate[0]) * way, abs=1e-6)
        assert row["momentum"] == pytest.approx(
            momentum[0] + (momentum[1] - momentum[0]) * way, abs=1e-4
        )
    assert rows[-1]["accuracy"] > 95


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("train_per_epoch.py", 3), ("train_per_batch.py", 1)])
def test_the_shortest_training(name: str, least: int):
    assert len(table(name, "--epochs", str(least))) == least
    refused = run(name, "--epochs", str(least - 1))
    assert refused.returncode == 2
    assert f"at least {least}" in refused.stderr


def test_super_convergence(tmp_path: Path):
    done = run("super_convergence.py", "--quick", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    header, *rows, said = done.stdout.splitlines()
    assert header.split() == ["updates", "step", "decay", "one-cycle"]
    assert [row.split()[0] for row in rows] == ["20", "40"]
    assert re.match(r"Step decay over 40 updates scores [\d.]+%\.", said)
    assert "super-convergence" in said


def test_linear_or_cosine(tmp_path: Path):
    done = run("linear_or_cosine.py", "--quick", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    blocks = re.split(r"^(?=\w)", done.stdout, flags=re.MULTILINE)[1:]
    assert [block.partition(":")[0] for block in blocks] == [
        "digits, momentum",
        "digits, adam",
        "quadratic, sgd",
    ]
    for block in blocks:
        rows = re.findall(
            r"(\d+) updates: line ([\d.]+)%, cosine ([\d.]+)%; "
            r"line less cosine ([-+\d.]+) points \(([-+\d.]+) to ([-+\d.]+)\)",
            block,
        )
        assert [int(row[0]) for row in rows] == [10, 20, 40]
        better = []
        for steps, *numbers in rows:
            line, cosine, gain, low, high = map(float, numbers)
            assert gain == pytest.approx(line - cosine, abs=0.011)
            assert low <= gain <= high
            better += [steps] if low > 0 else []
        assert ("the line to zero is better at" in block) == bool(better)


def test_warmup(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog, and over again. " * 400)
    done = run("warmup.py", str(text), "--quick", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout.splitlines()[-2:]
    assert [line.partition(":")[0] for line in said] == [
        "Warmup for the transformer",
        "Warmup for the perceptron",
    ]
    assert all("within a point of its best, the peak may be up to" in line for line in said)


def test_warmup_needs_a_text_that_is_long_enough(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("too short")
    done = run("warmup.py", str(text), "--quick", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "it needs at least" in done.stderr
    assert not (tmp_path / "out").exists()


def test_branches_off_one_stable_run():
    rows = table("wsd_branches.py")
    assert [row["steps"] for row in rows] == [200, 400, 600]
    assert [row["left"] for row in rows] == [160, 320, 480]
    for row in rows:
        assert row["rate"] == 0.0
        assert row["after"] < row["before"], "a cooldown is worth what it costs"


def test_the_documents_show_the_example_as_it_is():
    source = (EXAMPLES / "own_task.py").read_text()
    shown = (EXAMPLES.parent / "docs" / "tasks.md").read_text()
    assert source[source.index("def make_task") :] in shown
    assert len(source[source.index("def make_task") :].splitlines()) <= 16
