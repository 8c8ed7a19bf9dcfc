"""The command that continues a training has every option that says where it trains."""

import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from lehr.cli import Terse
from lehr.cli.training import RunPlace, placed

USUAL = Path("usual")


@click.command(cls=Terse)
@placed(USUAL)
def command(place: RunPlace) -> None:
    """Train nothing."""


def place(words: list[str]) -> RunPlace:
    given: dict[str, Any] = command.make_context("train", list(words)).params
    return RunPlace(
        **{name: given[name] for name in RunPlace._fields if name in given}, usual_out=USUAL
    )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--jobs", "3"],
        ["--engine", "dask://host:8786", "--out", "a b", "--memory", "2000000000"],
        ["--store", "all.db", "--device", "cuda", "--jobs", "1"],
    ],
)
def test_the_command_to_continue_reads_as_the_same_place(words: list[str]) -> None:
    first = place(words)
    name, *again = shlex.split(first.command("train"))
    assert name == "train"
    assert place(again) == first


def test_failed_trials_are_not_tried_again_by_continuing() -> None:
    # They were given another chance when the training began.
    assert place(["--retry-failed"]).command("train") == "train"
