"""The command that continues a training has every option that says where it trains."""

import shlex
from pathlib import Path

import click
import pytest

from lehr.cli.training import continuing, placed
from lehr.lab.place import RunPlace

USUAL = Path("usual")


@click.command()
@placed(USUAL, "results")
def command(place: RunPlace) -> RunPlace:
    """Train nothing."""
    return place


def given(words: list[str]) -> RunPlace:
    return command.main(words, standalone_mode=False)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--jobs", "3"],
        ["--engine", "dask://host:8786", "--out", "a b", "--memory", "2000000000"],
        ["--store", "all.db", "--device", "cuda", "--jobs", "1"],
        ["--devices", "cuda:0,cuda:1", "--timeout", "90s"],
    ],
)
def test_the_command_to_continue_reads_as_the_same_place(words: list[str]) -> None:
    first = given(words)
    name, *again = shlex.split(continuing("train", first, USUAL))
    assert name == "train"
    assert given(again) == first


def test_failed_trials_are_not_tried_again_by_continuing() -> None:
    # They were given another chance when the training began.
    assert continuing("train", given(["--retry-failed"]), USUAL) == "train"
