"""Letters for what a test does not separate."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lehr.lab.letters import letters


def tied(count: int, *separated: tuple[int, int]) -> np.ndarray:
    table = np.ones((count, count), dtype=bool)
    for i, j in separated:
        table[i, j] = table[j, i] = False
    return table


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (tied(0), []),
        (tied(1), ["a"]),
        (tied(3), ["a", "a", "a"]),
        (tied(3, (0, 1), (0, 2), (1, 2)), ["a", "b", "c"]),
        # The middle one is separated from neither end.
        (tied(3, (0, 2)), ["a", "ab", "b"]),
        # Each is separated from those that are two places away.
        (tied(4, (0, 2), (0, 3), (1, 3)), ["a", "ab", "bc", "c"]),
    ],
)
def test_small_tables(table: np.ndarray, wanted: list[str]) -> None:
    assert letters(table) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_two_share_a_letter_unless_they_are_separated(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 14))
    apart = [pair for pair in combinations(range(count), 2) if rng.random() < 0.5]
    table = tied(count, *apart)
    found = letters(table)
    for i, j in combinations(range(count), 2):
        assert bool(set(found[i]) & set(found[j])) == table[i, j]
    # No letter could be left out.
    for letter in set("".join(found)):
        less = [set(each) - {letter} for each in found]
        pairs = combinations(range(count), 2)
        assert not all(less) or any(table[i, j] and not less[i] & less[j] for i, j in pairs)


def test_there_are_enough_letters() -> None:
    found = letters(np.eye(60, dtype=bool))
    assert len(set(found)) == 60
    assert found[0] == "a"
    assert found[52] == "a2"
