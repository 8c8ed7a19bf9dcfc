"""The studio: milliseconds from moving the pointer to the new curve, in a headless Chromium.

python benchmarks/studio.py [--moves 120] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from browser import BROWSER, NO_BROWSER, Browser
from lehr.editor.answer import answer
from serving import served

TEXTS = {
    "three pieces": "warmup('5%') >> hold() >> cosine('20%', to=0.1)",
    "a named schedule": "wsd('5%', '20%')",
    "cycles under a law": "(warmup('2%') >> cosine('18%', to=0.1)).repeat(scale=0.6)"
    " * exponential(0.5, every='50%')",
}

# A curve is there when the frame after its answer has been painted.
WATCH = """
window.moves = []; window.times = []; window.python = [];
document.querySelector('.plot').addEventListener('pointermove',
  (event) => moves.push([event.clientX, event.timeStamp]), true);
document.querySelector('.lehr-studio').addEventListener('lehr-shown', ({ detail }) => {
  const act = detail.request.act;
  if (act?.kind !== 'drag') return;
  window.first ??= [act.px, moves[0][0]];
  const x = first[1] + act.px - first[0];
  const began = moves.findLast((move) => Math.abs(move[0] - x) < 0.25);
  python.push(detail.answer.ms);
  const painted = () => times.push(performance.now() - began[1]);
  if (began) requestAnimationFrame(() => setTimeout(painted));
});
"""


def dragged(browser: Browser, link: str, moves: int) -> dict[str, Any]:
    page = browser.page()
    page.goto(link)
    page.wait("document.querySelector('.unseen')?.textContent")
    page.run(f"(() => {{ {WATCH} }})()")
    x, y = page.centre(".knot:nth-child(2) .dot")
    page.mouse("mousePressed", x, y)
    for i in range(1, moves + 1):
        page.mouse("mouseMoved", x + i, y + 0.5 * i)
        time.sleep(0.012)
    time.sleep(0.5)
    page.mouse("mouseReleased", x + moves, y + 0.5 * moves)
    times, python = page.run("[times, python]")
    page.close()
    return {"answered": len(times), "moves": moves, "drag": spread(times), "python": spread(python)}


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = min(len(ordered) - 1, round(0.95 * len(ordered)))
    return {"median": round(statistics.median(ordered), 1), "p95": round(ordered[at], 1)}


def hostile() -> dict[str, float]:
    """Return the milliseconds of the slowest answers that a stranger's link can ask for."""
    texts = {
        "60 sums": "+".join(["cosine()"] * 60),
        "60 staircases": "*".join(["cosine().every(3)"] * 60),
        "1,024 parts": "chebyshev(1024, every=1, small_m=1.0, big_m=5.0)",
        "a table of 4,500": "table([" + "0.5," * 4500 + "])",
        "90 slices": "cosine()" + "[1:]" * 90,
    }
    found: dict[str, float] = {}
    for name, text in texts.items():
        sketch = {"lines": [{"role": "rate", "text": text}], "run": "1_000_000"}
        began = time.perf_counter()
        answer({"v": 1, "sketch": sketch, "size": [720, 400]})
        found[name] = round((time.perf_counter() - began) * 1e3, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=120)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if BROWSER is None:
        raise SystemExit(NO_BROWSER)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, served() as server:
        browser = Browser(Path(folder))
        found = {
            name: dragged(browser, server.link(text), given.moves) for name, text in TEXTS.items()
        }
        browser.close()
    slow = hostile()
    if given.json:
        print(json.dumps({"drag": found, "hostile": slow}, indent=2))
        return
    print("from the pointer to the painted curve, in ms; of which in Python")
    for name, row in found.items():
        drag, python = row["drag"], row["python"]
        print(
            f"  {name:20} median {drag['median']:6} p95 {drag['p95']:6}   Python {python['median']}"
            f" and {python['p95']}   {row['answered']} of {row['moves']} answered"
        )
    print("the slowest answers, in ms")
    for name, spent in slow.items():
        print(f"  {name:20} {spent}")


if __name__ == "__main__":
    main()
