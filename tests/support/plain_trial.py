"""A trial without lehr: torch's own AdamW under torch's own cosine, or whatever a test gives."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

OWN_SCRIPT = Path(__file__).parents[2] / "examples" / "own_script"


@dataclass
class PlainTrial:
    """The part of a trial that a training reads, made without lehr."""

    folder: Path
    seed: int = 3
    steps: int = 20
    peak: float = 0.01
    optimizer: str = "adamw"
    rate: Any = None
    resumed: bool = False
    reported: list[tuple[int, float]] = field(default_factory=list)

    def optimizer_for(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=self.peak)

    def scheduler_for(self, optimizer: torch.optim.Optimizer) -> Any:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)

    def report(self, step: int, loss: float) -> None:
        self.reported.append((step, loss))


def example(name: str) -> ModuleType:
    """Return a program of `examples/own_script`, as a module."""
    spec = importlib.util.spec_from_file_location(name, OWN_SCRIPT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
