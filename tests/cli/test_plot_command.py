"""`lehr plot`: the units, the peak rate, the log axis and the momentum."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from lehr.cli import lehr as command


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["plot", *arguments], prog_name="lehr")


def lines(*arguments: str) -> list[str]:
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_the_peak_multiplies_the_rate() -> None:
    assert lines("cosine", "--peak", "3e-4")[0].startswith("0.0003 ")
    assert lines("cosine")[0].startswith("1 ")


def test_a_log_axis_makes_an_exponential_straight() -> None:
    rows = lines("exponential(0.99, every=1)", "--steps", "500", "--log")
    curve = [row.partition("│")[2] for row in rows[:-2]]
    # Its ends, and the middle of its range in the middle of the run.
    assert curve[0][0] != " "
    assert curve[-1].rstrip()[-1] != " "
    middle = curve[len(curve) // 2]
    filled = [i for i, mark in enumerate(middle) if mark not in " \u2800"]
    assert abs(sum(filled) / len(filled) - len(curve[-1].rstrip()) / 2) < 8


def test_a_log_axis_ends_four_decades_below_the_peak() -> None:
    assert lines("linear()", "--log", "--steps", "1000000")[-3].lstrip().startswith("0.0001 ")


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ((), "999"),
        (("--units", "%"), "99.9%"),
        (("--units", "epochs", "--steps-per-epoch", "100"), "9.99 epochs"),
        (("--units", "epochs", "--samples-per-epoch", "3200", "--batch", "32"), "9.99 epochs"),
        (("--units", "samples", "--batch", "32"), "31,968 samples"),
        (("--units", "tokens", "--batch", "4", "--sequence", "128"), "511,488 tokens"),
    ],
)
def test_the_axis_of_time_has_other_units(options: tuple[str, ...], end: str) -> None:
    assert lines("cosine", *options)[-1].endswith(end)


def test_epochs_in_a_text_are_placed() -> None:
    drawn = lines("linear('2ep') >> hold()", "--steps", "400", "--steps-per-epoch", "100")
    same = lines("linear(200) >> hold()", "--steps", "400")
    assert drawn == same


def test_momentum_is_drawn_below() -> None:
    rows = lines("one_cycle", "cosine", "--momentum")
    below = rows[rows.index("momentum") + 1 :]
    assert below[0].startswith("0.95 ")
    assert any(row.startswith("0.85 ") for row in below)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cosine", "--momentum"), "those that do are one_cycle"),
        (("cosine", "--units", "tokens"), "give --batch 32 --sequence 1024"),
        (("cosine", "--units", "epochs"), "give --steps-per-epoch 500"),
        (("cosine", "--units", "samples"), "give --batch 32"),
        (("cosine", "--peak", "0"), "--peak 0.0 must be greater than 0"),
        (("cosine", "--peak", "nan"), "--peak nan is not finite"),
        (("constant(0)", "--log"), "no value is above 0"),
        (("cosine", "--batch", "0"), "--batch 0 must be"),
        (("linear('2ep')",), "steps_per_epoch"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not done.stdout


def test_a_file_has_both_panels(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")
    path = tmp_path / "a.svg"
    out = ("--out", str(path), "--units", "%", "--peak", "0.1", "--log")
    assert call("one_cycle", "cosine", "--momentum", *out).exit_code == 0
    ids = {node.get("id") for node in ElementTree.parse(path).iter()}
    assert {"axes_1", "axes_2"} <= ids
