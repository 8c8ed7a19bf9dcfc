"""Any text, character by character, and a small transformer that guesses the next one."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lehr.lab.tasks.base import Data, Split, Task, TaskError
from lehr.lab.tasks.from_tensors import accuracy, cross_entropy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["text_task"]

_CONTEXT = 32  # characters that a guess may look back at
_WIDTH, _HEADS = 32, 2
_BATCH = 16

# Of the text's end; what lies before it trains.
_HELD_OUT = 0.1
_VALIDATION, _TEST = 64, 256  # windows that are measured, at most
_SHORTEST = 20 * _BATCH * (_CONTEXT + 1)


def text_task(path: str, content: bytes) -> Task:
    """Make the task of learning a text.

    Its last tenth is held out: one half of that validates, the other tests, each in windows that
    lie evenly. A window of 32 characters gives 32 guesses, each of what comes next.

    Arguments:
        path: What the text is called.
        content: The text, in UTF-8.

    Raises:
        TaskError: If it is not UTF-8, or too short.
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
        # `known` is in the order of its code points.
        codes = torch.from_numpy(np.searchsorted([*map(ord, known)], points))
        windows = [
            codes[torch.tensor(part).unsqueeze(1) + torch.arange(_CONTEXT + 1)] for part in starts
        ]
        return Data(*(Split(w[:, :-1].contiguous(), w[:, 1:].contiguous()) for w in windows))

    def model(generator: torch.Generator) -> nn.Module:
        from lehr.lab.training.loop import seeded

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
        score_name="test characters guessed",
        chance=max(counts.values()) / len(text),
        load=load,
        model=model,
        loss=cross_entropy,
        score=accuracy,
    )


def _evenly(first: int, end: int, most: int) -> list[int]:
    """Where windows begin that lie evenly between two places and do not meet."""
    room = end - first - _CONTEXT - 1
    count = min(most, room // _CONTEXT + 1)
    return [first + room * i // max(count - 1, 1) for i in range(count)]


def _transformer(kinds: int) -> nn.Module:
    import torch
    from torch import nn

    class Transformer(nn.Module):
        """One block with the norms before its parts, and attention that looks back only."""

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
