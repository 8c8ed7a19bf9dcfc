"""Two processes on one machine: DistributedDataParallel and FSDP2, with sharded checkpoints."""

from pathlib import Path

import pytest
import torch.distributed as dist
from running import check_learns, check_rates, check_resume

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch was built without gloo"),
]


@pytest.mark.parametrize("name", ["train_ddp.py", "train_fsdp2.py"])
def test_resumed_is_uninterrupted(name: str, tmp_path: Path):
    rows = check_resume(name, tmp_path, stop=17, total=40)
    assert {row.rank for row in rows} == {0, 1}
    check_rates(rows, 3e-3, 40)
    check_learns(rows)
    # The processes see other batches, and have the same rate.
    first, second = ([row for row in rows if row.rank == rank] for rank in (0, 1))
    assert [row.rate for row in first] == [row.rate for row in second]
    assert [row.loss for row in first] != [row.loss for row in second]
