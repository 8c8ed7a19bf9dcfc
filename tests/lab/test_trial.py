"""What defines a trial, and how its outcome is written."""

import dataclasses
import json
import pickle

import pytest

import lehr
from lehr.lab.trial import FORMAT, Outcome, Trial, looks

TRIAL = Trial(
    task="digits",
    optimizer="adam",
    schedule=lehr.cosine(to=0.1),
    momentum=None,
    steps=50,
    peak=0.1,
    seed=3,
)


def test_identity_holds_every_part_in_words() -> None:
    assert TRIAL.identity() == {
        "format": FORMAT,
        "task": "digits",
        "optimizer": "adam",
        "schedule": "cosine(to=0.1)",
        "momentum": None,
        "steps": 50,
        "peak": 0.1,
        "seed": 3,
    }
    assert json.loads(TRIAL.key) == TRIAL.identity()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("task", "digits-conv"),
        ("optimizer", "adamw"),
        ("schedule", lehr.cosine(to=0.2)),
        ("momentum", lehr.linear(to=0.9)),
        ("steps", 51),
        ("peak", 0.2),
        ("seed", 4),
    ],
)
def test_every_part_makes_another_trial(part: str, value: object) -> None:
    other = dataclasses.replace(TRIAL, **{part: value})
    assert other.key != TRIAL.key
    assert {field.name for field in dataclasses.fields(Trial)} < set(TRIAL.identity())


def test_a_trial_survives_the_way_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(TRIAL)) == TRIAL


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(None, (2.25, 1.5), (0.5, 0.75), 0.75, 0.7, 1.25),
        Outcome(7, (2.25, None), (0.5, 0.1), 0.1, 0.1, None),
    ],
)
def test_an_outcome_comes_back_from_json(outcome: Outcome) -> None:
    text = json.dumps(outcome.record(), allow_nan=False)
    assert Outcome.read(json.loads(text)) == outcome


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 33, 200, 1001])
def test_looks_are_even_and_end_with_the_run(steps: int) -> None:
    found = looks(steps)
    gaps = [b - a for a, b in zip([0, *found], found, strict=False)]
    assert found[-1] == steps
    assert len(found) == min(steps, 20)
    assert max(gaps) - min(gaps) <= 1
