"""The ranking of a comparison in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from lehr.cli import console, echo
from lehr.view.numbers import MISSING, count, ranks, rate
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.lab import Results
    from lehr.lab.analysis.contrast import Contrast
    from lehr.lab.analysis.pair_result import PairResult
    from lehr.lab.metric import Metric


def show(results: Results) -> None:
    """Print what the ranking says, the code of the best pair, and the ranking."""
    terminal = console()
    first, *rest = results.summary
    terminal.print(printable(first), markup=False)
    if results.pairs:
        echo(f"\n{indent(results.pairs[0].code, '    ')}\n")
        terminal.print(ranking(results, terminal.width))
        if len(results.pairs) > 1:
            text = (
                "\nCould rank: the ranks that the test leaves open to a pair, "
                f"{100 * results.settings.confidence:g}% sure for all at once."
            )
            terminal.print(text, markup=False, style="dim")
    for sentence in rest:
        terminal.print(f"\n{printable(sentence)}", markup=False)


def show_contrast(found: Contrast) -> None:
    """Print two comparisons beside each other, pair by pair."""
    from lehr.view.contrast import gain  # Loads html.

    terminal, metric = console(), found.first.metric
    for name, results in (("First", found.first), ("Second", found.second)):
        terminal.print(f"{name}: {printable(results.settings.command)}", markup=False)
        for sentence in results.summary[:1]:
            terminal.print(f"  {printable(sentence)}\n", markup=False)
    names = [
        _Cells("optimizer", [printable(pair.optimizer) for pair in found.pairs], 0),
        _Cells("schedule", [printable(pair.schedule) for pair in found.pairs], 0),
    ]
    second = found.second.metric
    scores = [
        _Cells("first", [_score(pair.first, metric) for pair in found.pairs], 2),
        _Cells("second", [_score(pair.second, second) for pair in found.pairs], 2),
    ]
    if found.comparable:
        title = f"second is better by{metric.units and ','}{metric.units}"
        gains = [gain(pair, metric).partition(" (") for pair in found.pairs]
        scores.append(_Cells(title, [value for value, _, _ in gains], 0))
        scores.append(_Cells("", [before + rest for _, before, rest in gains], 1))
    else:
        scores = [each._replace(need=0) for each in scores]
    table = _table([*names, *scores], terminal.width)
    terminal.print(table)
    terminal.print(f"\n{printable(found.note)}", markup=False)


def _score(pair: PairResult | None, metric: Metric) -> str:
    return MISSING if pair is None or pair.score is None else metric.text(pair.score)


_GAP = 2  # spaces between two columns


class _Cells(NamedTuple):
    """A column of the ranking.

    Attributes:
        title: Its header.
        cells: Its cells.
        need: The columns of a narrow terminal are those with the lowest number.
        options: Further arguments of `Table.add_column`.
    """

    title: str
    cells: list[str]
    need: int
    options: Mapping[str, Any] = MappingProxyType({})

    @property
    def width(self) -> int:
        """The width of the longest cell, or of the header."""
        return max(self.narrow, cell_len(self.title))

    @property
    def narrow(self) -> int:
        """The width where the header is wrapped."""
        return max(map(cell_len, [*self.title.split(), *self.cells, ""]))


def ranking(results: Results, width: int = 10_000) -> Table:
    """Return the ranking as a table, best first.

    In a narrow terminal there are fewer columns: optimizer, schedule and score always remain,
    folded if they must be.
    """
    return _table(_columns(results), width)


def _table(columns: list[_Cells], width: int) -> Table:
    """Return a table of the columns that have room: optimizer, schedule, and the most needed."""
    chosen: set[int] = set()
    left = width + _GAP - sum(column.narrow + _GAP for column in columns if not column.need)
    for place in sorted(range(len(columns)), key=lambda i: columns[i].need):
        column = columns[place]
        extra = column.width - column.narrow if column.need == 0 else column.width + _GAP
        if column.need == 0 or extra <= left:
            chosen.add(place)
            left -= extra
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    shown = [column for i, column in enumerate(columns) if i in chosen]
    widths: list[int | None] = [None] * len(shown)
    if left < 0:  # the first two, which are names, are folded
        others = [column.narrow for column in shown[2:]]
        room = max(2, width - _GAP - sum(_GAP + other for other in others))
        first = max(1, min(shown[0].narrow, room // 3))
        widths = [first, max(1, room - first), *others]
    for column, fixed in zip(shown, widths, strict=True):
        table.add_column(
            column.title,
            width=fixed,
            min_width=None if fixed else column.narrow,
            no_wrap=not fixed and column.width == column.narrow,
            overflow="fold",
            **column.options,
        )
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(Text(cell) for cell in row))
    return table


def _columns(results: Results) -> list[_Cells]:
    pairs, target = results.pairs, results.settings.target
    metric = results.metric
    scores = [_score(pair, metric) for pair in pairs]
    found = [
        _Cells("rank", [str(pair.rank) for pair in pairs], 1, {"justify": "right", "style": "dim"}),
        _Cells("optimizer", [printable(pair.optimizer) for pair in pairs], 0),
        _Cells("schedule", [printable(pair.schedule) for pair in pairs], 0, {"style": "bold"}),
        _Cells("peak rate", [f"{pair.peak:g}" for pair in pairs], 1, {"justify": "right"}),
        _Cells(printable(f"test {metric.name}"), scores, 0),
        _Cells("", [_interval(pair, metric) for pair in pairs], 4),
        _Cells("could rank", [ranks(pair.ranks) for pair in pairs], 3),
        _Cells("", [_standing(pair) for pair in pairs], 2, {"style": "green"}),
    ]
    if results.settings.find:
        cells = [f"{p.found.peak:.2g}" if p.found and p.found.peak else MISSING for p in pairs]
        found.insert(4, _Cells("found", cells, 3, {"justify": "right"}))
    if target is not None:
        title = f"updates to {metric.text(target)}"
        found.append(_Cells(title, list(map(_updates, pairs)), 3))
    for name in results.numbers:
        cells = [rate(n.mean) if (n := pair.numbers.get(name)) else MISSING for pair in pairs]
        found.append(_Cells(printable(name), cells, 5, {"justify": "right"}))
    return found


_STANDINGS = {
    "best": "best",
    "tie": "ties with the best",
    "undecided": "undecided",
    "behind": "",
}


def _standing(pair: PairResult) -> str:
    text, gap = _STANDINGS[pair.standing], pair.behind
    if gap is None or gap.seeds is None or pair.standing != "undecided":
        return text
    return f"{text}: {count(gap.seeds - pair.seeds, 'more seed')}"


def _updates(pair: PairResult) -> str:
    """Return the median number of updates to the target, and how many of the seeds reach it."""
    if pair.target is None:
        return ""
    seeds = f"({pair.target.reached} of {pair.seeds})"
    return f"more {seeds}" if pair.target.updates is None else f"{pair.target.updates:g} {seeds}"


def _interval(pair: PairResult, metric: Metric) -> str:
    if pair.low is None or pair.high is None:
        return ""
    return f"({metric.number(pair.low)} to {metric.number(pair.high)})"
