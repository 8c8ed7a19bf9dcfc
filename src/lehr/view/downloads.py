"""The numbers of a comparison as files: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

from lehr.lab.analysis.results import Results
from lehr.view.markup import Markup, tag
from lehr.view.printable import printable


def cell(value: Any) -> Any:
    """Return a value for a spreadsheet, which would run a text that looks like a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def pairs_csv(results: Results) -> str:
    """Return a line for each pair, best first, with the score of each seed at the end."""
    rows: list[dict[str, Any]] = []
    for pair in results.pairs:
        gap = pair.behind
        row: dict[str, Any] = {
            "rank": pair.rank,
            "optimizer": pair.optimizer,
            "schedule": pair.schedule,
            "peak": pair.peak,
            "score": pair.score,
            "low": pair.low,
            "high": pair.high,
            "standing": pair.standing,
            "first_rank": pair.ranks[0],
            "last_rank": pair.ranks[1],
            "behind": gap and gap.mean,
            "behind_low": gap and gap.low,
            "behind_high": gap and gap.high,
            "seeds_to_decide": gap and gap.seeds,
            "peak_room": float(f"{10**pair.width:.6g}"),
            "diverged": pair.diverged,
            "seconds": pair.seconds,
        }
        if pair.target is not None:
            row |= {"updates": pair.target.updates, "reached": pair.target.reached}
        row |= {name: mean.mean for name, mean in pair.numbers.items()}
        rows.append(row | {f"seed_{i}": score for i, score in enumerate(pair.scores)})
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(cell, columns))
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def downloads(results: Results) -> Markup:
    """Return the links to the files, which are in the page itself; the script adds the JSON's."""
    name = "lehr-results"
    table = f"data:text/csv;charset=utf-8,{quote(pairs_csv(results))}"
    # "</script>" would end a data block, so it has no "<".
    data = json.dumps(results.to_json(), allow_nan=False, separators=(",", ":"))
    return tag(
        "p",
        "Download the numbers: ",
        tag("a", "CSV, a line for each pair", href=table, download=f"{name}.csv"),
        tag(
            "script",
            Markup(data.replace("<", "\\u003c")),
            type="application/json",
            id="results",
        ),
        class_="downloads",
    )
