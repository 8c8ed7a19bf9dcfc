"""Pictures by matplotlib: the lines are the schedules, the files are what their names say."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import lehr
from lehr.view.plot import draw

pytest.importorskip("matplotlib", reason="pictures need the extra `plot`")

SCHEDULES = {"line": lehr.linear(to=0.0), "wave": lehr.cosine(to=0.1)}


def test_lines_are_the_schedules_values() -> None:
    lines = draw(SCHEDULES, 101).axes[0].lines
    assert [line.get_label() for line in lines] == ["line", "wave"]
    t = np.arange(101)
    np.testing.assert_array_equal(lines[0].get_xdata(), t)
    np.testing.assert_allclose(lines[0].get_ydata(), 1 - t / 101)
    np.testing.assert_allclose(lines[1].get_ydata(), 0.1 + 0.9 * (1 + np.cos(np.pi * t / 101)) / 2)


def test_a_long_run_is_thinned_but_keeps_its_ends() -> None:
    x = draw(SCHEDULES, 10_000_000).axes[0].lines[0].get_xdata()
    assert (x[0], x[-1]) == (0, 9_999_999)
    assert len(x) <= 4000


def test_png(tmp_path: Path) -> None:
    draw(SCHEDULES, 50, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_svg(tmp_path: Path) -> None:
    draw(SCHEDULES, 50, str(tmp_path / "a.svg"))
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_schedules_give_the_same_file(tmp_path: Path, ending: str) -> None:
    for name in ("a", "b"):
        draw(SCHEDULES, 50, tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_another_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.png or \.svg"):
        draw(SCHEDULES, 50, tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_one_step_is_seen_as_a_point() -> None:
    assert draw(SCHEDULES, 1).axes[0].lines[0].get_marker() == "o"


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="schedules="):
        draw({}, 10)
    with pytest.raises(ValueError, match="steps=0"):
        draw(SCHEDULES, 0)


def test_pyplot_and_its_global_state_stay_out() -> None:
    code = (
        "import sys, lehr; from lehr.view.plot import draw; draw({'a': lehr.linear(to=0.0)}, 10); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
