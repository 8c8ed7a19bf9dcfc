"""Evidence beside the picture: the loss that a law predicts, and what a store has measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lehr.editor.sketch import Sketch
from lehr.errors import ScheduleError
from lehr.notation import parse
from lehr.schedule.base import Schedule
from lehr.view.numbers import measured, plain, rate

if TYPE_CHECKING:
    from lehr.lab.analysis.pair_result import PairResult
    from lehr.lab.analysis.results import Results
    from lehr.laws import Law


_LONGEST: Final = 200_000


@dataclass(frozen=True)
class Evidence:
    """A law and measured results to show beside a sketch; both may be missing.

    Attributes:
        law: A fitted law.
        comparisons: The comparisons of a store.
    """

    law: Law | None = None
    comparisons: tuple[Results, ...] = ()
    _measured: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def __post_init__(self) -> None:
        for results in self.comparisons:
            for pair in results.pairs:
                shape = _shape(results.schedules[pair.schedule].text)
                self._measured.setdefault(shape, []).append(_sentence(results, pair))

    def predicted(self, sketch: Sketch, placed: Schedule) -> dict[str, Any] | None:
        """Return the final loss that the law predicts for the selected line over its run.

        None without a law, or if the line is not a rate.
        """
        length = placed.length
        if self.law is None or sketch.lines[sketch.selected].role != "rate":
            return None
        if length is None or not 1 <= length <= _LONGEST:
            return {"words": f"A loss is predicted for runs of up to {_LONGEST:,} steps."}
        peak = self.law.peak if sketch.base == 1 else sketch.base
        steps = round(length)
        try:
            found = self.law.predict(placed, steps=steps, peak=peak, at=[steps])
        except (ScheduleError, ArithmeticError, ValueError) as error:
            return {"words": f"No loss is predicted: {error}"}
        low, high = found.final_interval
        words = (
            f"Predicted final loss {plain(found.final, 4)}, from {plain(low, 4)} to "
            f"{plain(high, 4)} ({found.level:.0%} of runs), at the peak rate {rate(peak)}."
        )
        notes = list(found.notes)
        return {"words": words, "loss": found.final, "low": low, "high": high, "notes": notes}

    def measured(self, placed: Schedule) -> list[str]:
        """Return the measured results of the same schedule, a sentence for each pair."""
        inner = getattr(placed, "inner", placed)
        return self._measured.get(repr(inner), [])


def _shape(text: str) -> str:
    try:
        return repr(parse(text))
    except ScheduleError:
        # A user's own function that this process does not have.
        return text


def _sentence(results: Results, pair: PairResult) -> str:
    metric = results.metric
    ends = [measured(metric, end, unit=False) for end in (pair.low, pair.high) if end is not None]
    interval = f" ({' to '.join(ends)})" if ends else ""
    return (
        f"{results.task.name}, {pair.optimizer}, {results.settings.steps:,} updates: "
        f"{metric.name} {measured(metric, pair.score)}{interval} at the peak {rate(pair.peak)}"
    )
