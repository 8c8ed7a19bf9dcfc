"""The advice of a refusal on the command line is accepted there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lehr.cli import lehr as program

COMMAND = ["--command", "train --lr {peak} --seed {seed} --schedule {schedule} --out {out}"]


def answer(words: list[str]) -> str:
    result = CliRunner().invoke(program, words, prog_name="lehr")
    return result.stderr if result.exit_code else "works"


ONE = ["--optimizers", "sgd", "--schedules", "cosine"]
"""One pair; an option that comes twice has its last value."""


@pytest.mark.parametrize(
    ("words", "advice", "mended"),
    [
        (["--memory", "much"], "write 2GB or 500MB", ["--memory", "2GB"]),
        (["--memory", "2X"], "write 2GB or 500MB", ["--memory", "500MB"]),
        (["--timeout", "long"], "write 90s, 30min or 2h", ["--timeout", "30min"]),
        (["--optimizers", "adamm"], "did you mean 'adam'", ["--optimizers", "adam"]),
        (["--optimizers", "a b"], "write adamw, adamw(weight", ["--optimizers", "adamw"]),
        (["--optimizers", "a b"], "0.1) or", ["--optimizers", "adamw(weight_decay=0.1)"]),
        (["--optimizers", "adam(0.1)"], "name=value", ["--optimizers", "adam(eps=0.1)"]),
        (["--schedules", "cosin"], "did you mean 'cosine'", ["--schedules", "cosine"]),
        (["--schedules", "0.5"], "write constant(0.5)", ["--schedules", "constant(0.5)"]),
        (["--task", "digit"], "digits, digits-conv", ["--task", "digits"]),
        ([*COMMAND, "--metric", "x"], "loss:bits", [*COMMAND, "--metric", "loss:bits"]),
        ([*COMMAND, "--metric", "x"], "write score", [*COMMAND, "--metric", "score"]),
        (["--shell"], "for --command: give that too", ["--shell", *COMMAND]),
        (["--budget", "99", "--hours", "1"], "leave out one of them", ["--hours", "1"]),
        (["--target", "97"], "write 0.97", ["--target", "0.97"]),
        (["--first", "x"], "write sgd/cosine=0.01", ["--first", "sgd/cosine=0.01"]),
        (["--tune", "x"], "write weight_decay=0,0.01,0.1", ["--tune", "weight_decay=0,0.01,0.1"]),
        (["--tune", "x"], "or cosine.to=0,0.1", ["--tune", "cosine.to=0,0.1"]),
        (["--budget", "3"], "give at least 7", ["--budget", "7"]),
        (["--engine", "x"], "write population, processes", ["--engine", "population"]),
        (["--devices", "cpu,"], "write cpu or cuda:0", ["--devices", "cpu"]),
        (
            ["--engine", "population", "--jobs", "2"],
            "write --engine processes, or --jobs 1",
            ["--engine", "population", "--jobs", "1"],
        ),
        (
            ["--engine", "population", "--timeout", "9s"],
            "write --engine processes",
            ["--engine", "processes", "--timeout", "9s"],
        ),
    ],
)
def test_where_a_comparison_begins(
    words: list[str],
    advice: str,
    mended: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = RuntimeError("begun")

    def train(*_: object, **__: object) -> None:
        raise begun

    monkeypatch.setattr("lehr.lab.place.train", train)
    # The program of the tests may have taken more than an advised size.
    monkeypatch.setattr("lehr.lab.resources.own_bytes", lambda: 10**8)
    assert advice in answer(["compare", *ONE, *words])
    result = CliRunner().invoke(program, ["compare", *ONE, *mended])
    assert result.exception is begun


@pytest.mark.parametrize(
    ("words", "advice", "mended"),
    [
        (["plot", "cosine", "--steps", "x"], "write 1000000", ["plot", "cosine", "--steps", "1e6"]),
        (["plot", "cosine", "--steps", "x"], "or 1Mst", ["plot", "cosine", "--steps", "1Mst"]),
        (["plot", "0.5"], "write constant(0.5)", ["plot", "constant(0.5)"]),
        (["show", "cosin"], "did you mean 'cosine'", ["show", "cosine"]),
        (
            ["fit", "--plan", "--optimizer", "adamw", "--steps", "9999", "--peak", "0.1"],
            "needs --weight-decay, such as 0.1",
            [
                *("fit", "--plan", "--optimizer", "adamw", "--steps", "9999", "--peak", "0.1"),
                *("--weight-decay", "0.1"),
            ],
        ),
        (
            ["fit", "--plan"],
            "--plan needs --steps and --peak",
            ["fit", "--plan", "--steps", "9999", "--peak", "0.1"],
        ),
    ],
)
def test_commands_that_do_not_train(words: list[str], advice: str, mended: list[str]) -> None:
    assert advice in answer(words)
    assert answer(mended) == "works"
