"""The report: whole, closed, escaped, legible, for finished and unfinished comparisons."""

import base64
import copy
import csv
import dataclasses
import hashlib
import html
import io
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from lehr.lab.analysis.results import Results
from lehr.lab.metric import Metric
from lehr.view import report
from lehr.view.curves import COLOURS
from lehr.view.downloads import pairs_csv
from lehr.view.tables import FIRST, SHADES


def render(results: dict[str, Any]) -> str:
    return report.render(Results.from_json(results))


VOID = {"br", "hr", "input", "link", "meta", "wbr"}
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3.0


class Page(HTMLParser):
    """Reads a page strictly: what opens must close, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.content.setdefault(self.open[-1], []).append(data)

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]

    def text(self) -> str:
        seen = [t for tag, ts in self.content.items() if tag not in ("style", "script") for t in ts]
        return " ".join(seen)


@pytest.fixture(scope="session")
def page(full: dict[str, Any]) -> str:
    return render(full)


def test_it_is_well_formed(page: str) -> None:
    parsed = Page(page)
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert [tag for tag, _ in parsed.tags].count("h1") == 1


def test_ids_are_unique_and_every_reference_has_its_target(page: str) -> None:
    parsed = Page(page)
    ids = parsed.attributes("id")
    assert len(ids) == len(set(ids))
    wanted = [
        *parsed.attributes("for"),
        *parsed.attributes("aria-labelledby"),
        *parsed.attributes("aria-describedby"),
        *(href[1:] for href in parsed.attributes("href") if href.startswith("#")),
        *(re.findall(r"url\(#([^)]*)\)", " ".join(parsed.attributes("clip-path")))),
    ]
    assert set(wanted) <= set(ids)


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert "http:" not in page
    assert "https:" not in page
    assert "//" not in page
    assert "@import" not in page
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    parsed = Page(page)
    assert not parsed.attributes("src")
    assert all(href.startswith(("#", "data:text/csv")) for href in parsed.attributes("href"))
    assert "link" not in {tag for tag, _ in parsed.tags}


def test_the_policy_allows_this_style_and_this_script_only(page: str) -> None:
    parsed = Page(page)
    policy = next(a["content"] or "" for t, a in parsed.tags if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[-1]
    for text, kind in ((style, "style-src"), (script, "script-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    # Neither would be let through by that policy.
    assert not parsed.attributes("style")
    assert not [name for _, attrs in parsed.tags for name in attrs if name.startswith("on")]


def test_every_pair_is_there_with_its_numbers(page: str, full: dict[str, Any]) -> None:
    rows = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*class=\"number rank\".*?</tr>", page, re.DOTALL)
    assert len(rows) == len(full["pairs"]) == 55
    for row, pair in zip(rows, full["pairs"], strict=True):
        assert f">{pair['rank']}<" in row
        assert f">{pair['optimizer']}<" in row
        assert f"{pair['schedule']}<" in row
        assert f"{100 * pair['score']:.1f}\u202f%" in row
        assert f"{100 * pair['low']:.1f}–{100 * pair['high']:.1f}" in row


def test_the_map_has_a_cell_for_each_pair_and_marks_each_optimizers_best(
    page: str, full: dict[str, Any]
) -> None:
    table = re.search(r'<table class="heat">.*?</table>', page, re.DOTALL)[0]
    assert table.count("<td class=") == 55
    names = re.findall(r'<th scope="col">(.*?)</th>', table)
    body = re.search(r"<tbody>(.*)</tbody>", table, re.DOTALL)[1]
    starred: dict[str, list[str]] = {name: [] for name in names}
    for row in body.split("</tr>")[:-1]:
        for name, cell in zip(names, re.findall(r"<td[^>]*>(.*?)</td>", row), strict=True):
            starred[name] += re.findall(r"([\d.]+)<span[^>]*>★", cell)
    for name in full["optimizers"]:
        best = max(p["score"] for p in full["pairs"] if p["optimizer"] == name)
        assert starred[name] == [f"{100 * best:.1f}"]


def test_the_failed_pair_does_not_flatten_the_scale(page: str, full: dict[str, Any]) -> None:
    assert min(pair["score"] for pair in full["pairs"]) < 0.2
    table = re.search(r'<table class="heat">.*?</table>', page, re.DOTALL)[0]
    assert table.count('class="below"') == 1
    shades = set(re.findall(r'class="h(\d)', table))
    assert len(shades) >= SHADES - 2


def test_standings_are_marked(page: str, full: dict[str, Any]) -> None:
    counts = {
        name: sum(pair["standing"] == name for pair in full["pairs"])
        for name in ("tie", "undecided", "behind")
    }
    assert all(counts.values())
    assert page.count('<tr class="top"') == 1 + counts["tie"]
    for name in ("tie", "undecided"):
        assert page.count(f'<span class="pill">{name}</span>') == counts[name]
        for pair in full["pairs"]:
            assert (f">{name}</span>" in _row_of(page, pair)) == (pair["standing"] == name)


def test_curves_have_a_panel_for_each_optimizer_and_a_line_for_each_pair(page: str) -> None:
    for metric in ("loss", "validations"):
        for number in range(5):
            panel = re.search(rf"<svg(?:(?!<svg).)*?{metric}-{number}-c.*?</svg>", page, re.DOTALL)[
                0
            ]
            assert panel.count('class="series ') == 11
            assert panel.count('class="band ') == 11
            assert panel.count('class="end ') == 11


def test_the_readout_has_the_numbers(page: str, full: dict[str, Any]) -> None:
    data = json.loads(_block(page, "numbers"))
    assert len(data["pairs"]) == 55
    assert set(data["names"]) == set(full["schedules"])


def _block(page: str, name: str) -> str:
    return re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)[1]


def test_the_page_holds_its_numbers_as_json(page: str, full: dict[str, Any]) -> None:
    assert json.loads(_block(page, "results")) == json.loads(
        json.dumps(Results.from_json(full).to_json())
    )


def test_the_page_holds_its_numbers_as_csv(page: str, full: dict[str, Any]) -> None:
    link = next(a for t, a in Page(page).tags if t == "a" and a.get("download"))
    text = unquote((link["href"] or "").removeprefix("data:text/csv;charset=utf-8,"))
    rows = list(csv.DictReader(io.StringIO(text)))
    for row, pair in zip(rows, full["pairs"], strict=True):
        assert (row["optimizer"], row["schedule"]) == (pair["optimizer"], pair["schedule"])
        assert float(row["score"]) == pair["score"]
        assert float(row["peak_room"]) == pytest.approx(10 ** pair["width"], rel=1e-5)
        assert [float(row[f"seed_{i}"]) for i in range(10)] == pair["scores"]
        assert float(row["norm"]) == pair["numbers"]["norm"]["mean"]


def test_a_spreadsheet_runs_no_name_as_a_formula(results: dict[str, Any]) -> None:
    named = _renamed(results, {"cosine": "=1+1"})
    rows = list(csv.DictReader(io.StringIO(pairs_csv(Results.from_json(named)))))
    assert "'=1+1" in {row["schedule"] for row in rows}
    assert "=1+1" not in {row["schedule"] for row in rows}


def test_the_code_of_the_best_pair_comes_first(page: str, full: dict[str, Any]) -> None:
    code = html.escape(full["pairs"][0]["code"], quote=False)
    assert f'<div class="recipe"><pre><code>{code}</code></pre></div>' in page
    assert page.index('class="recipe"') < page.index('id="ranking"')


def test_what_mattered_is_a_table_of_spreads_in_the_metrics_unit(page: str) -> None:
    table = re.search(r'<table class="influences">.*?</table>', page, re.DOTALL)[0]
    assert re.findall(r'<th scope="row">(.*?)</th>', table) == ["Optimizer", "Seed", "Schedule"]
    assert re.findall(r"<b>(.*?)</b>", table) == ["1.0", "0.6", "0.4"]
    assert "0.5–2.0" in table
    assert "No test separates linear from the best schedule of any optimizer." in page


def test_a_few_curves_are_drawn_at_first(page: str, full: dict[str, Any]) -> None:
    boxes = [a for t, a in Page(page).tags if t == "input" and (a["id"] or "")[0] == "k"]
    assert len(boxes) == 11
    assert sum("checked" in a for a in boxes) == 4


def test_how_it_was_run(page: str) -> None:
    text = Page(page).text()
    for words in (
        "1,077 to train",
        "batches of 64",
        "10 other seeds",
        "3 tuning seeds",
        "other initial weights and another order of the batches",
        "None of this covers the choice of the 360 test samples",
        "by halving: 9 with 1 tuning seed, then the best 5 with 1 tuning seed, 3 with 2 tuning "
        "seeds, 2 with 3 tuning seeds, for every pair",
        "torch 2.13.0",
        "21 September 2026, 14:13 UTC",
        "lehr compare --task digits --out results",
        "3e-5, 0.0001",
    ):
        assert words in text, words


def _row_of(page: str, pair: dict[str, Any]) -> str:
    rows = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*class=\"number rank\".*?</tr>", page, re.DOTALL)
    return rows[pair["rank"] - 1]


def test_how_far_a_pair_is_behind(page: str, full: dict[str, Any]) -> None:
    assert " to " not in Page(_row_of(page, full["pairs"][0])).text()
    for pair in full["pairs"][1:]:
        low, high = (100 * pair["behind"][end] for end in ("low", "high"))
        found = re.search(r"\((-?[\d.]+) to (-?[\d.]+)\)", _row_of(page, pair))
        assert found
        assert [float(end) for end in found.groups()] == pytest.approx([low, high], abs=0.051)
        assert "-0.0" not in _row_of(page, pair)


def test_updates_to_the_target(page: str, full: dict[str, Any]) -> None:
    assert "Updates to 92.5\u202f%" in page
    for pair in full["pairs"]:
        row, target = _row_of(page, pair), pair["target"]
        if target["updates"] is None:
            assert "over 900" in row
        else:
            assert f">{target['updates']:g}<" in row.replace(" (", "<(")
        some = f"({target['reached']} of 10)"
        assert (some in row) == (target["reached"] < 10)


def test_scores_at_other_lengths(page: str, full: dict[str, Any]) -> None:
    table = re.search(r'<table class="lengths">.*?</table>', page, re.DOTALL)[0]
    assert re.findall(r"<th scope=\"col\">(.*?)</th>", table) == [
        "300 updates",
        "900 updates",
        "2,700 updates",
    ]
    body = re.search(r"<tbody>(.*)</tbody>", table, re.DOTALL)[1]
    rows = body.split("</tr>")[:-1]
    assert len(rows) == 12
    for row, pair in zip(rows, full["pairs"], strict=False):
        cells = re.findall(r"<td[^>]*>.*?</td>", row)
        for cell, at in zip(cells, pair["lengths"], strict=True):
            assert f">{100 * at['score']:.1f}<" in cell.replace(" <", "<")
            assert (" best" in cell) == (at["standing"] == "best")
            assert (" a tie" in cell) == (at["standing"] == "tie")
    assert "The other 43 pairs are not shown." in table


def test_without_lengths_and_target(results: dict[str, Any]) -> None:
    results["settings"].update(lengths=[900], target=None)
    for pair in results["pairs"]:
        pair.update(target=None, lengths=[])
    page = render(results)
    Page(page)
    assert "Length of the run" not in page
    assert "Updates to" not in page


@pytest.mark.parametrize("words", ["image", "accuracy"])
def test_a_score_is_called_what_the_task_calls_it(results: dict[str, Any], words: str) -> None:
    results["task"] |= {
        "metric": dataclasses.asdict(Metric.loss("excess loss")),
        "summary": "",
        "test": 1,
        "validation": 1,
    }
    results["summary"] = []
    said = Page(render(results)).text()
    assert "Test excess loss, of each schedule with each optimizer" in said
    assert words not in said


def test_pictures_say_in_words_what_they_show(page: str) -> None:
    for attributes in (attrs for tag, attrs in Page(page).tags if tag == "svg"):
        assert attributes.get("role") == "img" or attributes.get("aria-hidden") == "true"
    assert page.count('role="img"') == page.count("<title id=") == page.count("<desc id=")


def test_tables_have_captions_and_headers(page: str) -> None:
    tags = [tag for tag, _ in Page(page).tags]
    assert tags.count("table") == tags.count("caption") == 5
    assert all(attrs.get("scope") for tag, attrs in Page(page).tags if tag == "th")


HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(k, k): _renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, names) for v in value]
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    return value


def test_hostile_names_stay_text(results: dict[str, Any]) -> None:
    names = {"adamw": f"a{HOSTILE}", "cosine": f"c{HOSTILE}"}
    hostile = _renamed(results, names)
    hostile["task"] |= {"name": HOSTILE, "summary": HOSTILE, "network": HOSTILE}
    hostile["task"]["metric"] |= {"name": HOSTILE, "unit": HOSTILE}
    hostile["settings"] |= {"command": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    hostile["summary"] = [HOSTILE, HOSTILE]
    text = render(hostile)
    parsed = Page(text)
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("script") == 3
    assert tags.count("style") == tags.count("title") - text.count("<title id=") == 1
    assert "img" not in tags
    assert HOSTILE in html.unescape(parsed.text())
    assert names["cosine"] in json.loads(_block(text, "numbers"))["names"]


def test_an_unfinished_comparison(partial: dict[str, Any]) -> None:
    text = render(partial)
    said = Page(text).text()
    assert "Not finished." in said
    assert "7 of 55 pairs so far" in said
    assert said.count("not run") == 2 * (55 - 7)


def test_whole_rows_may_be_null(results: dict[str, Any]) -> None:
    for pair in results["pairs"]:
        for part in (pair["loss"], pair["validations"], pair["sensitivity"]):
            for name in ("mean", "low", "high"):
                part[name] = [None] * len(part[name])
    text = render(results)
    Page(text)
    assert "No peak rate has been tried yet." in text


def test_nothing_trained_yet(results: dict[str, Any]) -> None:
    results.update(pairs=[], summary=[])
    results["settings"].update(complete=False, seconds=0.0, trials=0)
    said = Page(render(results)).text()
    assert "no pair has been trained" in said
    assert "How it was run" in said


def test_one_pair(single: dict[str, Any]) -> None:
    text = render(single)
    parsed = Page(text)
    assert [t for t, a in parsed.tags if a.get("type") in ("radio", "checkbox")] == []
    assert ">constant<" in text


def test_one_seed_has_no_interval(single: dict[str, Any]) -> None:
    pair = single["pairs"][0]
    assert "–" in _row_of(render(single), pair)
    pair.update(low=None, high=None, scores=pair["scores"][:1])
    row = _row_of(render(single), pair)
    assert f"{100 * pair['score']:.1f}\u202f%" in row
    assert "–" not in row


def test_few_pairs_are_not_folded(results: dict[str, Any]) -> None:
    results["pairs"] = results["pairs"][:FIRST]
    assert 'id="every"' not in render(results)


def test_rendering_changes_nothing(full: dict[str, Any]) -> None:
    before = copy.deepcopy(full)
    assert render(full) == render(full)
    assert full == before


def test_a_report_is_written_as_a_whole(full: dict[str, Any], tmp_path: Path) -> None:
    report.write_report(Results.from_json(full), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(full)


# --- the palette ---------------------------------------------------------------------------------


def _palettes() -> dict[str, dict[str, str]]:
    style = files("lehr.view").joinpath("assets", "page.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    found = [dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6});", block)) for block in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


SERIES = [f"c{i}" for i in range(COLOURS)]
TEXTS = [
    *(
        (text, ground)
        for text in ("ink", "soft", "accent", *SERIES)
        for ground in ("paper", "card")
    ),
    ("warn", "warn-tint"),
    ("warn", "paper"),
    ("ink", "warn-tint"),
    ("paper", "accent"),
    *((f"t{i}", f"h{i}") for i in range(SHADES)),
]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_stands_out_from_its_ground(mode: str, text: str, ground: str) -> None:
    palette = _palettes()[mode]
    assert _contrast(palette[text], palette[ground]) >= TEXT_CONTRAST


@pytest.mark.parametrize(("mode", "sign"), [("light", -1), ("dark", 1)])
def test_the_maps_shades_are_ordered_by_lightness(mode: str, sign: int) -> None:
    palette = _palettes()[mode]
    shades = [sign * _luminance(palette[f"h{i}"]) for i in range(SHADES)]
    assert shades == sorted(shades)
    assert _contrast(palette["h0"], palette[f"h{SHADES - 1}"]) > 7
    # The best stand out from the page, in either mode.
    assert _contrast(palette[f"h{SHADES - 1}"], palette["paper"]) > SHAPE_CONTRAST
