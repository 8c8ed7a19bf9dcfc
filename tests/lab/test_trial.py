"""The identity of a trial, and its evaluation steps."""

import dataclasses
import json
import pickle

import pytest

import lehr
from lehr.lab.trial import FORMAT, Trial, evaluation_steps

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
    assert json.loads(json.dumps(TRIAL.identity())) == TRIAL.identity()


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
        ("task_identity", "make@0123456789abcdef"),
    ],
)
def test_every_part_makes_another_trial(part: str, value: object) -> None:
    other = dataclasses.replace(TRIAL, **{part: value})
    assert other.digest != TRIAL.digest


def test_a_trial_survives_the_way_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(TRIAL)) == TRIAL


def test_the_file_of_a_task_may_be_anywhere() -> None:
    here, there = (
        dataclasses.replace(TRIAL, task=f"{folder}/own.py:make@0123", task_identity="make@0123")
        for folder in ("/here", "/there")
    )
    assert here.digest == there.digest
    assert here.identity()["task"] == "make@0123"


def test_the_parts_of_the_identity_are_the_parts_of_a_trial() -> None:
    names = {field.name for field in dataclasses.fields(Trial)}
    assert names - {"task_identity"} == TRIAL.identity().keys() - {"format"}


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 33, 200, 1001])
def test_looks_are_even_and_end_with_the_run(steps: int) -> None:
    found = evaluation_steps(steps)
    gaps = [b - a for a, b in zip([0, *found], found, strict=False)]
    assert found[-1] == steps
    assert len(found) == min(steps, 20)
    assert max(gaps) - min(gaps) <= 1
