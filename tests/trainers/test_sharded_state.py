"""A scheduler's state in torch.distributed.checkpoint: whole, or refused."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp

import lehr
import lehr.interop.checkpoint
from lehr.errors import ScheduleError
from lehr.interop.checkpoint import Whole
from lehr.torch import Scheduler

# One process and no group of them: the library says so each time.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torch.distributed.checkpoint")


def build(**arguments: Any) -> tuple[torch.optim.Optimizer, Scheduler]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    arguments = arguments or {"lr": lehr.linear()}
    return optimizer, Scheduler(optimizer, over=100, **arguments)


def test_the_examples() -> None:
    results = doctest.testmod(lehr.interop.checkpoint)
    assert results.attempted
    assert not results.failed


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    optimizer, scheduler = build()
    for _ in range(37):
        optimizer.step()
        scheduler.step()
    dcp.save({"scheduler": Whole(scheduler)}, checkpoint_id=tmp_path)
    _, fresh = build()
    dcp.load({"scheduler": Whole(fresh)}, checkpoint_id=tmp_path)
    assert fresh.last_epoch == 37
    assert fresh.get_last_lr() == scheduler.get_last_lr()
    assert fresh.state_dict() == scheduler.state_dict()


def test_a_part_of_a_state_that_only_the_saved_one_has_arrives(tmp_path: Path) -> None:
    """As itself, torch.distributed.checkpoint drops it: that is why there is a Whole."""
    _, scheduler = build()
    scheduler.seek(12.5)
    new = set(scheduler.state_dict()) - set(build()[1].state_dict())
    dcp.save({"bare": scheduler, "whole": Whole(scheduler)}, checkpoint_id=tmp_path)
    _, fresh = build()
    dcp.load({"whole": Whole(fresh)}, checkpoint_id=tmp_path)
    assert fresh.get_last_lr() == scheduler.get_last_lr() == [pytest.approx(0.0875)]
    if new:
        _, bare = build()
        dcp.load({"bare": bare}, checkpoint_id=tmp_path)
        assert bare.get_last_lr() != scheduler.get_last_lr()


def test_another_schedule_is_refused(tmp_path: Path) -> None:
    _, scheduler = build()
    scheduler.seek(12)
    dcp.save({"scheduler": Whole(scheduler)}, checkpoint_id=tmp_path)
    optimizer, other = build(lr=lehr.cosine())
    rate = optimizer.param_groups[0]["lr"]
    with pytest.raises(ScheduleError, match=r"linear\("):
        dcp.load({"scheduler": Whole(other)}, checkpoint_id=tmp_path)
    assert other.last_epoch == 0
    assert optimizer.param_groups[0]["lr"] == rate


@pytest.mark.parametrize("state", [{}, {"json": "{"}, {"json": None}, {"json": json.dumps([1])}])
def test_what_is_no_state_is_refused(state: dict[str, Any]) -> None:
    _, scheduler = build()
    with pytest.raises(ScheduleError, match=r"(not a|no) state |is a dict, not"):
        Whole(scheduler).load_state_dict(state)
    assert scheduler.last_epoch == 0


def test_torchs_own_may_have_what_json_has_not() -> None:
    optimizer, _ = build()
    own = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    own._anneal_func_type = object()  # type: ignore[assignment]
    with pytest.raises(ScheduleError, match=r"OneCycleLR is not JSON .* use a scheduler of lehr"):
        Whole(own).state_dict()
