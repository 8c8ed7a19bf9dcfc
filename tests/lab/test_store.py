"""Finished trials outlive the process that finished them."""

import json
from pathlib import Path

import pytest

import lehr
from lehr.lab.store import Kept, Store, StoreError
from lehr.lab.trial import Outcome, Trial

TRIALS = [
    Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=seed) for seed in range(4)
]


def kept(score: float) -> Kept:
    return Kept(Outcome(None, (1.5, 1.25), (0.25, score), score, score, 1.0), 0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the first two trials."""
    path = tmp_path / "deep" / "trials.jsonl"
    with Store(path) as store:
        store.add([(TRIALS[0], kept(0.5)), (TRIALS[1], kept(0.75))])
    return path


def test_what_is_added_is_there_at_once_and_later(path: Path) -> None:
    with Store(path) as store:
        store.add([(TRIALS[2], kept(0.25))])
        with Store(path) as reader:
            assert reader[TRIALS[2]] == kept(0.25)
        assert store[TRIALS[0]] == kept(0.5)
        assert store.missing(TRIALS) == [TRIALS[3]]
        assert store.kept(TRIALS) == [kept(0.5), kept(0.75), kept(0.25)]
    assert len(path.read_text().splitlines()) == 3


def test_a_line_says_what_was_trained(path: Path) -> None:
    first = json.loads(path.read_text().splitlines()[0])
    assert first["trial"] == TRIALS[0].identity()
    assert first["outcome"]["test"] == 0.5
    assert first["seconds"] == 0.5


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_dropped(path: Path, cut: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with Store(path) as store:
        assert store.missing(TRIALS[:2]) == [TRIALS[1]]
        store.add([(TRIALS[1], kept(0.75))])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"trial": 3, "outcome": {}}', "[]", ""])
def test_any_other_line_that_is_no_trial_is_an_error(path: Path, line: str) -> None:
    path.write_text(line + "\n" + path.read_text())
    with pytest.raises(StoreError, match=r"trials.jsonl, line 1 is not a trial .*: take the line"):
        Store(path)


def test_trials_of_another_format_are_not_taken_for_these(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lehr.lab.trial.FORMAT", 2)
    again = Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=0)
    with Store(path) as store:
        assert store.missing([again]) == [again]
