"""The optimizers that can be compared, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

__all__ = ["OPTIMIZERS", "OptimizerEntry", "find_optimizer"]


@dataclass(frozen=True)
class OptimizerEntry:
    """One optimizer.

    Networks that differ in the seed are stacked in one tensor. An optimizer whose update depends on
    a whole tensor (LBFGS, Muon) would mix them: `lehr.lab.training.suitable` finds that out, and
    trains its networks one by one.

    Attributes:
        kind: The name of the class in `torch.optim`.
        settings: Its arguments except the rate.
        has_momentum: Whether it has a momentum (or beta1) that a schedule may change.
    """

    kind: str
    settings: Mapping[str, Any]
    has_momentum: bool = True

    @property
    def text(self) -> str:
        """The optimizer with its settings, as code."""
        settings = (f"{name}={value}" for name, value in self.settings.items())
        return f"{self.kind}({', '.join(settings)})"

    def make(self, parameters: Iterable[Any], lr: float, **options: Any) -> Optimizer:
        """Build the optimizer.

        Arguments:
            parameters: Parameters or parameter groups.
            lr: The rate.
            options: Further arguments of the class, such as `foreach`.
        """
        from torch import optim

        return getattr(optim, self.kind)(parameters, lr, **self.settings, **options)


OPTIMIZERS: dict[str, OptimizerEntry] = {
    "sgd": OptimizerEntry("SGD", {"momentum": 0.0}, has_momentum=False),
    "momentum": OptimizerEntry("SGD", {"momentum": 0.9}),
    "nesterov": OptimizerEntry("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": OptimizerEntry("Adam", {"betas": (0.9, 0.999)}),
    "adamw": OptimizerEntry("AdamW", {"betas": (0.9, 0.999), "weight_decay": 0.01}),
}


def find_optimizer(name: str) -> OptimizerEntry:
    """Return the optimizer of this name.

    Raises:
        ValueError: If the name is unknown; the message has the nearest known ones.
    """
    if name not in OPTIMIZERS:
        near = difflib.get_close_matches(name.lower()[:80], OPTIMIZERS, n=3)
        which = (
            f"did you mean {' or '.join(map(repr, near))}? The known ones are"
            if near
            else ("choose from")
        )
        raise ValueError(f"unknown optimizer {name!r:.80}: {which} {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]
