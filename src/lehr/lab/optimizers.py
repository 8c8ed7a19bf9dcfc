"""The optimizers that can be compared, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

__all__ = ["OPTIMIZERS", "Entry", "find_optimizer"]


@dataclass(frozen=True)
class Entry:
    """One optimizer.

    Its update must treat every number of a parameter on its own: networks that differ in the seed
    are stacked in one tensor, and an update that looks at a whole tensor would mix them.

    Attributes:
        kind: The class in `torch.optim`.
        settings: Its arguments, apart from the rate.
        cycles: Whether it has a momentum (or a beta1) that a schedule may move.
    """

    kind: str
    settings: Mapping[str, Any]
    cycles: bool = True

    @property
    def text(self) -> str:
        """The optimizer with its settings, as one would write it."""
        settings = (f"{name}={value}" for name, value in self.settings.items())
        return f"{self.kind}({', '.join(settings)})"

    def make(self, parameters: Iterable[Any], lr: float, **options: Any) -> Optimizer:
        """Build it for parameters, or for groups of them that may have rates of their own.

        Arguments:
            parameters: As torch takes them.
            lr: The rate.
            options: What else its class should be told, such as which of its forms to take.
        """
        from torch import optim

        return getattr(optim, self.kind)(parameters, lr, **self.settings, **options)


OPTIMIZERS: dict[str, Entry] = {
    "sgd": Entry("SGD", {"momentum": 0.0}, cycles=False),
    "momentum": Entry("SGD", {"momentum": 0.9}),
    "nesterov": Entry("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": Entry("Adam", {"betas": (0.9, 0.999)}),
    "adamw": Entry("AdamW", {"betas": (0.9, 0.999), "weight_decay": 0.01}),
}


def find_optimizer(name: str) -> Entry:
    """Return the optimizer of this name.

    Raises:
        ValueError: If there is none; the message lists those there are.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {name!r}: choose from {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]
