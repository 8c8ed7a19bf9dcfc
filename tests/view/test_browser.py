"""The page in a real browser: no request, no complaint, no sideways scroll, working controls."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lehr.lab.analysis.results import Results
from lehr.view.report import render

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser: none of {', '.join(NAMES)} is installed"
)

# The page is looked at through a frame as wide as a phone; the frame writes down what it finds.
PROBE = """<!doctype html><title>probe</title><body>
<iframe src="page.html" width="390" height="800"></iframe>
<iframe src="long.html" width="390" height="800"></iframe>
<script>
const [frame, long] = document.querySelectorAll("iframe");
const say = (name, value) => {
  const line = document.createElement("p");
  line.textContent = `${name}=${value}`;
  document.body.append(line);
};
long.addEventListener("load", () => {
  say("long", long.contentDocument.documentElement.scrollWidth);
});
frame.addEventListener("load", () => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const style = (selector) => view.getComputedStyle(page.querySelector(selector));
  const shown = (selector) => style(selector).display !== "none";
  say("requests", view.performance.getEntriesByType("resource").length);
  say("width", page.documentElement.scrollWidth);
  say("readouts", page.querySelectorAll(".readout").length);
  say("first", `${shown(".panel.o0")} ${shown(".panel.o1")}`);
  page.querySelector("label[for=o1]").click();
  say("second", `${shown(".panel.o0")} ${shown(".panel.o1")}`);
  say("folded", shown(".rest"));
  page.querySelector("#every").click();
  say("unfolded", shown(".rest"));
  const heads = [...page.querySelectorAll(".ranking th[data-sort] button")];
  const cells = (place) => [...page.querySelectorAll(".ranking tbody tr")]
    .filter((row) => row.offsetHeight).map((row) => row.cells[place].textContent);
  heads[1].click();
  say("sorted", cells(1).slice(0, 3));
  say("sort", heads[1].parentElement.getAttribute("aria-sort"));
  heads[1].click();
  say("turned", cells(1).slice(0, 3));
  const field = page.querySelector("#filter");
  field.value = "sgd cosine";
  field.dispatchEvent(new Event("input"));
  say("filtered", `${cells(0).length} ${page.querySelector("[role=status]").textContent}`);
  field.value = "";
  field.dispatchEvent(new Event("input"));
  const saved = [];
  view.HTMLAnchorElement.prototype.click = function () {
    saved.push(this.download, this.href.slice(0, 5));
  };
  page.querySelector(".downloads button").click();
  say("saved", saved);
  page.querySelector(".copy").click();
  say("copied", page.querySelector(".recipe button").textContent.length > 0);
  const ranked = page.querySelector("#ranking .scroll");
  say("scrolls", ranked.scrollWidth > ranked.clientWidth);
  const maps = [...page.querySelectorAll("#map .scroll, #peaks .scroll")];
  say("maps", maps.some((map) => map.scrollWidth > map.clientWidth));
  say("line", shown(".panel.o1 .series.k0"));
  page.querySelector("#k0").click();
  say("hidden", shown(".panel.o1 .series.k0"));
  const chart = page.querySelector(".panel.o1 svg.curves"), box = chart.getBoundingClientRect();
  chart.dispatchEvent(new view.PointerEvent("pointermove",
    { clientX: box.left + box.width * 0.5, clientY: box.top + box.height * 0.6 }));
  say("read", page.querySelector(".panel.o1 .readout").textContent);
});
</script></body>
"""


def _long(results: dict[str, Any]) -> dict[str, Any]:
    """The same with long names: a task that is a file, and a schedule that is a text."""
    text = json.dumps(results)
    text = text.replace('"cosine"', json.dumps("warmup('10%') >> cosine(to=0.1) >> linear(20)"))
    found: dict[str, Any] = json.loads(text)
    found["task"]["name"] = "text:a_file_with_quite_a_long_name_and_no_space_in_it.txt"
    return found


@pytest.fixture(scope="module")
def seen(
    full: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], str]:
    folder: Path = tmp_path_factory.mktemp("browser")
    (folder / "page.html").write_text(render(Results.from_json(full)), encoding="utf-8")
    (folder / "long.html").write_text(render(Results.from_json(_long(full))), encoding="utf-8")
    (folder / "probe.html").write_text(PROBE, encoding="utf-8")
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--allow-file-access-from-files",
            "--enable-logging=stderr",
            "--virtual-time-budget=4000",
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            (folder / "probe.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=400,
        check=True,
    )
    lines = dict(re.findall(r"<p>(\w+)=(.*?)</p>", done.stdout))
    return lines, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_the_console_stays_silent(seen: tuple[dict[str, str], str]) -> None:
    assert seen[1] == ""


def test_no_request_leaves_the_page(seen: tuple[dict[str, str], str]) -> None:
    assert seen[0]["requests"] == "0"


def test_a_phone_need_not_scroll_sideways(seen: tuple[dict[str, str], str]) -> None:
    assert int(seen[0]["width"]) <= 390
    assert int(seen[0]["long"]) <= 390


def test_controls_work(seen: tuple[dict[str, str], str]) -> None:
    found = seen[0]
    assert (found["first"], found["second"]) == ("true false", "false true")
    assert (found["line"], found["hidden"]) == ("true", "false")
    assert (found["folded"], found["unfolded"]) == ("false", "true")


def test_the_ranking_sorts_and_filters(seen: tuple[dict[str, str], str]) -> None:
    found = seen[0]
    assert (found["sorted"], found["sort"]) == ("adam,adam,adam", "ascending")
    assert found["turned"] == "sgd,sgd,sgd"
    assert found["filtered"] == "1 1 of 55 pairs"


def test_the_numbers_are_saved_without_a_network(seen: tuple[dict[str, str], str]) -> None:
    assert seen[0]["saved"] == "lehr-results.json,blob:"
    assert seen[0]["copied"] == "true"


def test_tables_fit_on_a_phone(seen: tuple[dict[str, str], str]) -> None:
    assert (seen[0]["scrolls"], seen[0]["maps"]) == ("false", "false")


def test_the_script_reads_out_what_is_pointed_at(seen: tuple[dict[str, str], str]) -> None:
    assert seen[0]["readouts"] == "10"
    assert re.fullmatch(r"\w+, update \d+: [\d.]+", seen[0]["read"])
