"""Every schedule of the catalogue resumes in every order, as the run that was never interrupted."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from driving import drive, make_optimizer
from lehr.catalogue import ENTRIES, RULES
from lehr.torch import Scheduler

ORDERS = ("build optimizer scheduler", "build scheduler optimizer", "optimizer build scheduler")


def reload(state: Any) -> Any:
    """Save and load as trainers do: nothing but plain types passes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def build(name: str, optimizer: Optimizer) -> Scheduler:
    entry = ENTRIES[name]
    return Scheduler(optimizer, entry.example, over=90, momentum=entry.momentum, guards="off")


@pytest.mark.parametrize("kind", ["sgd", "adamw", "sgd-tensor", "adamw-tensor"])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_resumes(name: str, kind: str):
    bases = (0.1, 0.3) if kind.startswith("sgd") else (0.1,)
    for position in (0, 41):
        optimizer = make_optimizer(kind, bases)
        scheduler = build(name, optimizer)
        drive(optimizer, scheduler, position)
        saved, state = reload(optimizer.state_dict()), reload(scheduler.state_dict())
        wanted = drive(optimizer, scheduler, 20)
        for order in ORDERS:
            fresh = make_optimizer(kind, bases)
            built: Any = None
            for what in order.split():
                if what == "build":
                    built = build(name, fresh)
                elif what == "optimizer":
                    fresh.load_state_dict(copy.deepcopy(saved))
                else:
                    built.load_state_dict(state)
            assert drive(fresh, built, 20) == wanted, (order, position)


@pytest.mark.parametrize("kind", ["sgd", "adamw-tensor"])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_resumes(name: str, kind: str):
    rule = RULES[name].example

    def follow(optimizer: Optimizer, scheduler: Scheduler, begin: int, end: int) -> list[Any]:
        rows = []
        for t in range(begin, end):
            rows += drive(optimizer, scheduler, 1)
            loss = 1.0 + 0.1 * ((7 * t) % 5)
            scheduler.report([loss, loss + 0.1] if name == "dlrs" else loss)
        return rows

    optimizer = make_optimizer(kind, (0.1, 0.3))
    scheduler = Scheduler(optimizer, feedback=rule)
    follow(optimizer, scheduler, 0, 25)
    saved, state = reload(optimizer.state_dict()), reload(scheduler.state_dict())
    wanted = follow(optimizer, scheduler, 25, 60)
    for order in ORDERS:
        fresh = make_optimizer(kind, (0.1, 0.3))
        built: Any = None
        for what in order.split():
            if what == "build":
                built = Scheduler(fresh, feedback=rule)
            elif what == "optimizer":
                fresh.load_state_dict(copy.deepcopy(saved))
            else:
                built.load_state_dict(state)
        assert follow(fresh, built, 25, 60) == wanted, order
