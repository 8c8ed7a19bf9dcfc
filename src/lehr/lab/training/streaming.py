"""Training data that come in batches, from a loader or any other iterable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from lehr.lab.tasks.base import Split
from lehr.lab.tasks.seeding import Randomness

_EVALUATION = 0  # the seed for randomness in evaluations


class Stream:
    """The batches of an iterable, epoch after epoch.

    Its randomness (order, augmentations) depends on the seed alone, not on how many numbers the
    network draws: all runs with one seed see the same batches.
    """

    def __init__(self, source: Iterable[Any], seed: int) -> None:
        self._source = source
        self._randomness = Randomness(seed)
        # Otherwise a user's own generators would continue from one run to the next.
        for holder in (source, getattr(source, "sampler", None)):
            generator = getattr(holder, "generator", None)
            if isinstance(generator, torch.Generator):
                generator.manual_seed(seed)
        self._epoch: Iterator[Any] = iter(())

    def next(self) -> Any:
        """Return the next batch: inputs and targets."""
        with self._randomness.used():
            for batch in self._epoch:
                return batch
            self._epoch = iter(self._source)
            for batch in self._epoch:
                return batch
        raise ValueError("an epoch of the training data has no batch: does the iterable end?")


def moved(batch: Any, device: str) -> Any:
    """Move inputs or targets to a device: a tensor, or lists and dicts of tensors."""
    return tree_map_only(torch.Tensor, lambda tensor: tensor.to(device), batch)


def pieces(part: Split | Iterable[Any], device: str) -> Iterator[tuple[Any, Any, int]]:
    """Yield the inputs, targets and number of samples of each batch of an evaluation.

    They are the same at each call. Tensors are a single batch.
    """
    if isinstance(part, Split):
        whole = part.to(device)
        yield whole.inputs, whole.targets, len(whole.targets)
        return
    Stream(part, _EVALUATION)  # seeds any generators that it has
    # Training continues to draw as before.
    with Randomness(_EVALUATION).used():
        for inputs, targets in part:
            count = len(targets) if isinstance(targets, torch.Tensor) and targets.dim() else 1
            yield moved(inputs, device), moved(targets, device), count
