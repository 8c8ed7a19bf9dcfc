"""A small transformer that predicts the next character of any text."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.tasks.base import Data, Split, Task
from lehr.lab.tasks.classification import cross_entropy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


_CONTEXT = 32  # characters that a prediction sees
_WIDTH, _HEADS = 32, 2
_BATCH = 16

# The share of the text, at its end, that is held out; the rest is for training.
_HELD_OUT = 0.1
_VALIDATION, _TEST = 64, 256  # windows to evaluate, at most
_SHORTEST = 20 * _BATCH * (_CONTEXT + 1)


def text_task(path: str, content: bytes) -> Task:
    """Make the task of predicting a UTF-8 text; the path is for messages.

    The last tenth of the text is held out: half of it for validation, the other half for testing,
    each in evenly spaced windows. A window of 32 characters gives 32 predictions of the next
    character.
    """
    name = Path(path).name
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(
            f"text {name!r} is not UTF-8: {error.reason} at byte {error.start}"
        ) from None
    if len(text) < _SHORTEST:
        raise TaskError(
            f"text {name!r} has {len(text):,} characters: it needs at least {_SHORTEST:,}"
        )
    counts = Counter(text)
    known = sorted(counts)
    held_out = int(len(text) * _HELD_OUT) // 2
    ends = (len(text) - 2 * held_out, len(text) - held_out, len(text))
    starts = (
        range(0, ends[0] - _CONTEXT, _CONTEXT),
        _evenly(ends[0], ends[1], _VALIDATION),
        _evenly(ends[1], ends[2], _TEST),
    )

    @cache
    def load() -> Data:
        import numpy as np
        import torch

        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        # `known` is sorted by code point.
        codes = torch.from_numpy(np.searchsorted([*map(ord, known)], points))
        windows = [
            codes[torch.tensor(part).unsqueeze(1) + torch.arange(_CONTEXT + 1)] for part in starts
        ]
        return Data(*(Split(w[:, :-1].contiguous(), w[:, 1:].contiguous()) for w in windows))

    def model(generator: torch.Generator) -> nn.Module:
        from lehr.lab.tasks.seeding import seeded  # Loads torch.

        with seeded(generator.initial_seed()):
            return _transformer(len(known))

    weights = 2 * _WIDTH * len(known) + len(known) + _WIDTH * (_CONTEXT + 12 * _WIDTH + 15)
    return Task(
        name=f"text:{name}",
        summary=f"{name}, {len(text):,} characters of {len(known):,} kinds",
        network=f"transformer of one block, width {_WIDTH}, {_HEADS} heads, {_CONTEXT} characters "
        f"of context, {weights:,} weights",
        train=len(starts[0]),
        validation=len(starts[1]),
        test=len(starts[2]),
        batch_size=_BATCH,
        metric=Metric.loss("loss", "nats", guess=_entropy(counts)),
        load=load,
        model=model,
        loss=cross_entropy,
    )


def _entropy(counts: Counter[str]) -> float:
    """Return the loss, in nats, of a guess based on the frequency of each character."""
    total = counts.total()
    return math.fsum(-n / total * math.log(n / total) for n in counts.values())


def _evenly(first: int, end: int, most: int) -> list[int]:
    """Return the starts of evenly spaced, non-overlapping windows between two places."""
    room = end - first - _CONTEXT - 1
    count = min(most, room // _CONTEXT + 1)
    return [first + room * i // max(count - 1, 1) for i in range(count)]


def _transformer(kinds: int) -> nn.Module:
    import torch
    from torch import nn

    class Transformer(nn.Module):
        """One pre-norm block with causal attention."""

        def __init__(self) -> None:
            super().__init__()
            self.characters = nn.Embedding(kinds, _WIDTH)
            self.places = nn.Parameter(0.1 * torch.randn(_CONTEXT, _WIDTH))
            self.norms = nn.ModuleList([nn.LayerNorm(_WIDTH) for _ in range(3)])
            self.attention = nn.Linear(_WIDTH, 3 * _WIDTH)
            self.joined = nn.Linear(_WIDTH, _WIDTH)
            self.wide = nn.Linear(_WIDTH, 4 * _WIDTH)
            self.narrow = nn.Linear(4 * _WIDTH, _WIDTH)
            self.guesses = nn.Linear(_WIDTH, kinds)

        def forward(self, inputs: Tensor) -> Tensor:
            x = self.characters(inputs) + self.places
            x = x + self.joined(self.attend(self.norms[0](x)))
            x = x + self.narrow(nn.functional.gelu(self.wide(self.norms[1](x))))
            return self.guesses(self.norms[2](x))

        def attend(self, x: Tensor) -> Tensor:
            parts = self.attention(x).unflatten(-1, (3, _HEADS, -1)).movedim(-3, 0)
            query, key, value = (part.transpose(-3, -2) for part in parts.unbind(0))
            likeness = query @ key.transpose(-2, -1) / (_WIDTH // _HEADS) ** 0.5
            later = torch.ones(_CONTEXT, _CONTEXT, dtype=torch.bool, device=x.device).triu(1)
            shares = likeness.masked_fill(later, -torch.inf).softmax(-1)
            return (shares @ value).transpose(-3, -2).flatten(-2)

    return Transformer()
