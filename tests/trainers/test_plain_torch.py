"""Plain torch: a run in two parts is the run."""

from pathlib import Path

import pytest
from running import check_learns, check_rates, check_resume


@pytest.mark.slow
def test_resumed_is_uninterrupted(tmp_path: Path):
    rows = check_resume("train_torch.py", tmp_path, stop=47, total=120)
    check_rates(rows, 3e-3, 120)
    check_learns(rows)
