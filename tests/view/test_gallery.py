"""The gallery in the documentation is the one that the catalogue gives."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from lehr import ENTRIES, RULES
from lehr.view import gallery

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_page_is_up_to_date() -> None:
    files = gallery.files()
    stale = [name for name, text in files.items() if (DOCS / name).read_text() != text]
    assert stale == [], "run `python -m lehr.view.gallery docs`"
    pictures = {f"gallery/{path.name}" for path in (DOCS / "gallery").iterdir()}
    assert pictures == set(files) - {"gallery.md"}


def test_everything_is_on_the_page() -> None:
    page = gallery.files()["gallery.md"]
    for entry in [*ENTRIES.values(), *RULES.values()]:
        assert f"\n### {entry.name}\n" in page
        assert f"{entry.summary}.\n" in page
        assert f"\n$$\n{entry.formula}\n$$\n" in page
        assert all(f"`{alias}`" in page for alias in entry.aliases)
        assert entry.paper is None or f"*{entry.paper.title}*" in page


@pytest.mark.parametrize("name", ENTRIES)
def test_a_picture_shows_the_schedule(name: str) -> None:
    root = ElementTree.fromstring(gallery.files()[f"gallery/{name}.svg"])
    svg = "{http://www.w3.org/2000/svg}"
    path = root.find(f"{svg}path")
    assert path is not None
    points = [tuple(map(float, pair.split())) for pair in path.attrib["d"][1:].split("L")]
    values = ENTRIES[name].example.over(1_000).values()[::4]
    # The axis is read as a person reads it: from the labels beside it.
    labels = [tick for tick in root.iter(f"{svg}text") if tick.get("text-anchor") == "end"]
    (low, bottom), *_, (high, top) = [(float(t.text or ""), float(t.attrib["y"])) for t in labels]
    assert low == 0
    assert len(points) == len(values)
    for (_, y), value in zip(points, values, strict=True):
        assert y == pytest.approx(bottom + (top - bottom) * value / high, abs=0.06)


def test_it_is_written_into_any_folder(tmp_path: Path) -> None:
    gallery.main([str(tmp_path / "out")])
    written = {p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.*")}
    assert written == set(gallery.files())
