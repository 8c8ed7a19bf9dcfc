"""Schedules and entries draw themselves in a notebook."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest

import lehr
from lehr.lab.analysis.results import Results

SVG = "{http://www.w3.org/2000/svg}"


def drawn(value: object) -> ElementTree.Element:
    return ElementTree.fromstring(value._repr_html_())  # type: ignore[attr-defined]


def curve(root: ElementTree.Element) -> list[tuple[float, float]]:
    (path,) = root.iter(f"{SVG}path")
    return [(float(x), float(y)) for x, y in (p.split() for p in path.attrib["d"][1:].split("L"))]


def texts(root: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def test_a_run_draws_its_values_and_has_its_text_below() -> None:
    run = lehr.linear(to=0.5).over(101)
    root = drawn(run)
    points = curve(root)
    assert len(points) == 101
    (x0, y0), (x1, y1) = points[0], points[-1]
    floor = 146.0
    # The last trained step is 100, where the value is 1 - 0.5 * 100 / 101.
    assert (floor - y1) / (floor - y0) == pytest.approx(1 - 50 / 101, abs=0.002)
    assert x0 < x1
    (code,) = root.iter("code")
    assert code.text == repr(run)
    assert lehr.parse(code.text) == run
    assert {"0", "step"} <= set(texts(root))


def test_a_schedule_without_a_run_is_drawn_over_one_that_is_named() -> None:
    root = drawn(lehr.warmup("5%") >> lehr.cosine(to=0.1))
    assert "Drawn over 1,000 steps." in "".join(root.itertext())


def test_a_schedule_that_cannot_be_drawn_says_why() -> None:
    words = "".join(drawn(lehr.linear("3ep")).itertext())
    assert "linear('3ep'" in words
    assert "Not drawn: '3ep' is in epochs" in words


@pytest.mark.parametrize("name", lehr.ENTRIES)
def test_every_entry_draws_its_rate_and_its_momentum(name: str) -> None:
    entry = lehr.ENTRIES[name]
    root = drawn(entry)
    assert len(list(root.iter(f"{SVG}svg"))) == (2 if entry.momentum else 1)
    words = "".join(root.itertext())
    assert name in words
    assert entry.summary in words
    assert entry.paper is None or entry.paper.title in words


def test_a_rule_has_no_curve() -> None:
    root = drawn(lehr.RULES["plateau"])
    assert not list(root.iter(f"{SVG}svg"))
    assert repr(lehr.RULES["plateau"].example) in "".join(root.itertext())


def test_the_ink_follows_the_page() -> None:
    style = next(drawn(lehr.cosine(10)).iter(f"{SVG}style")).text or ""
    assert "currentColor" in style
    assert "svg{" not in style  # which would restyle other pictures of the page


def test_plot_draws_into_the_axes_that_it_is_given() -> None:
    figure = pytest.importorskip("matplotlib.figure", reason="needs the extra `plot`").Figure()
    axes = figure.add_subplot()
    schedule = lehr.linear(to=0.0)
    assert schedule.plot(100, axes=axes, peak=0.1, log=True, color="red") is axes
    (line,) = axes.lines
    assert line.get_color() == "red"
    assert line.get_label() == repr(schedule)
    assert list(line.get_xdata()[:2]) == [0, 1]
    assert line.get_ydata()[50] == pytest.approx(0.05)
    assert axes.get_yscale() == "log"
    lehr.cosine(40).plot(axes=axes)
    assert axes.lines[1].get_xdata()[-1] == 39


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"steps": 0}, "steps=0"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"steps": True}, "steps=True"),
        ({"peak": 0}, "peak=0"),
        ({"peak": "1e-3"}, "peak='1e-3'"),
    ],
)
def test_what_cannot_be_plotted(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(lehr.ScheduleError, match=said):
        lehr.cosine().plot(**arguments)  # type: ignore[arg-type]


def test_without_axes_it_draws_into_the_current_ones() -> None:
    pytest.importorskip("matplotlib", reason="needs the extra `plot`")
    code = (
        "import matplotlib; matplotlib.use('agg'); from matplotlib import pyplot; import lehr; "
        "axes = lehr.cosine().plot(50); assert axes is pyplot.gca(); assert len(axes.lines) == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_results_show_their_first_sentence_the_code_and_the_first_rows(
    full: dict[str, Any],
) -> None:
    root = drawn(Results.from_json(full))
    assert root.findtext("p/b") == full["summary"][0]
    assert root.findtext("pre/code") == full["pairs"][0]["code"]
    rows = [[cell.text for cell in row] for row in root.iterfind("table/tbody/tr")]
    assert len(rows) == 10
    assert rows[0][:3] == ["1", full["pairs"][0]["optimizer"], full["pairs"][0]["schedule"]]
    assert root.findtext("p[2]") == "The other 45 pairs are not shown."
    unfinished = drawn(Results.from_json(full | {"pairs": [], "summary": ["Not finished."]}))
    assert unfinished.findtext("p/b") == "Not finished."
