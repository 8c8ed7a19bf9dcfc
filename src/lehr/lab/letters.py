"""Groups of contenders that a test does not separate, as letters."""

from __future__ import annotations

from itertools import combinations
from string import ascii_letters

import numpy as np
from numpy.typing import NDArray

__all__ = ["letters"]


def letters(tied: NDArray[np.bool_]) -> list[str]:
    """Return a compact letter display: contenders share a letter unless a test separates them.

    It begins with one group of all, and splits each group in two that holds a separated pair;
    groups inside others are dropped. At the end, so are groups whose pairs all share another one.
    The groups get their letters in the order of their first members.

    Source: insert and absorb (Piepho 2004, "An algorithm for a letter-based representation of
    all-pairwise comparisons", J. Comput. Graph. Stat. 13(2)).

    Arguments:
        tied: A symmetric matrix, contenders by contenders: True where two are not separated. Best
            first.

    Returns:
        The letters of each contender: a to z, A to Z, then with numbers (``a2``).

    Example:
        >>> letters(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=bool))
        ['a', 'ab', 'b']
    """
    count = len(tied)
    groups = [frozenset(range(count))] if count else []
    for i, j in combinations(range(count), 2):
        if not tied[i, j]:
            split = [part for g in groups for part in ((g - {i}, g - {j}) if {i, j} <= g else (g,))]
            groups = _absorbed(split)
    groups = sorted(_needed(groups), key=sorted)
    names = [_name(place) for place in range(len(groups))]
    return [
        "".join(name for name, group in zip(names, groups, strict=True) if i in group)
        for i in range(count)
    ]


def _absorbed(groups: list[frozenset[int]]) -> list[frozenset[int]]:
    """Return the groups that are not part of another one, each once."""
    kept: list[frozenset[int]] = []
    for group in sorted(set(groups), key=lambda g: (-len(g), sorted(g))):
        if not any(group <= other for other in kept):
            kept.append(group)
    return kept


def _needed(groups: list[frozenset[int]]) -> list[frozenset[int]]:
    """Drop groups whose pairs, and members, are all in other groups too; the smallest first."""
    shared: dict[tuple[int, ...], int] = {}
    inside = {g: [*((i,) for i in g), *combinations(sorted(g), 2)] for g in groups}
    for parts in inside.values():
        for part in parts:
            shared[part] = shared.get(part, 0) + 1
    kept: list[frozenset[int]] = []
    for group in sorted(groups, key=lambda g: (len(g), sorted(g))):
        if all(shared[part] > 1 for part in inside[group]):
            for part in inside[group]:
                shared[part] -= 1
        else:
            kept.append(group)
    return kept


def _name(place: int) -> str:
    turn, letter = divmod(place, len(ascii_letters))
    return ascii_letters[letter] + (str(turn + 1) if turn else "")
