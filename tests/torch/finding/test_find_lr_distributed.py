"""Processes that train together find the same peak: a real group of two, over gloo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

pytestmark = pytest.mark.slow

PROGRAM = """
import json, os, sys
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lehr.torch import find_lr

rank = int(os.environ["RANK"])
torch.distributed.init_process_group("gloo")
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
centres = torch.randn(4, 8)
torch.manual_seed(1 + rank)  # each process has data of its own
batches = []
for _ in range(130):
    targets = torch.randint(4, (16,))
    batches.append((centres[targets] + (0.2 + 0.4 * rank) * torch.randn(16, 8), targets))
whole = DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
before = [p.detach().clone() for p in model.parameters()]
scores = []

def score():
    scores.append(float(rank))
    return scores[-1]

found = find_lr(
    whole, batches, nn.functional.cross_entropy, optimizer, schedule="cosine()", steps=5_000,
    budget="30%", score=score,
)
same = all(map(torch.equal, before, model.parameters()))
with open(f"{sys.argv[1]}/{rank}.json", "w") as file:
    json.dump({"same": same, "scored": len(scores), **found.to_dict()}, file)
torch.distributed.destroy_process_group()
"""


def test_two_processes_get_the_same_suggestion(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, str(program), str(tmp_path)],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first["same"]
    assert first["peak"] > 0
    longer = [run for run in first["curve"] if run["updates"] > 40]
    # The mean of the two scores, 0 and 1; less is better there.
    assert [run["validation"] for run in longer] == [-0.5] * first["scored"]
