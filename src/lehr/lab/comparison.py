"""A comparison from its plan to its results, kept as it goes and resumed where it stopped."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from lehr.lab.engine import run
from lehr.lab.plan import Plan
from lehr.lab.results import results
from lehr.lab.store import Store
from lehr.lab.tuning import named, next_flight

__all__ = ["Progress", "compare"]


class Progress(NamedTuple):
    """How far a comparison is, in trials.

    Attributes:
        reused: Trials that were finished before this run began.
        trained: Trials that this run finished.
        total: All trials of the comparison.
    """

    reused: int
    trained: int
    total: int


def compare(
    plan: Plan,
    out: Path,
    *,
    jobs: int = 1,
    watch: Callable[[Progress], object] = lambda _: None,
) -> dict[str, Any]:
    """Train every pair of the plan, each at its best peak rate, and say which go together.

    Whatever stops it, finished trials stay in `out/trials.jsonl` and are not trained again by a
    later run with the same folder. `out/results.json` and `out/report.html` are written at the end,
    and on Ctrl-C with the pairs that are finished by then.

    Arguments:
        plan: What to train.
        out: The folder to keep it in; made if it is missing.
        jobs: Processes to train in, at least 1. With more than one, a script must keep what it does
            under `if __name__ == "__main__":`.
        watch: Told how far it is, whenever that changes.

    Returns:
        The content of `results.json`.

    Raises:
        ValueError: If `jobs` is below 1.
        StoreError: If `out` has a file of trials that cannot be read.
        WorkerError: If one of the processes was killed; what was finished is kept.
        KeyboardInterrupt: On Ctrl-C, when everything is written.
    """
    if jobs < 1:
        raise ValueError(f"jobs={jobs} must be at least 1")
    with Store(out / "trials.jsonl") as store:
        try:
            _train(plan, store, jobs, watch)
        except KeyboardInterrupt:
            _write(results(plan, store), out)
            raise
        found = results(plan, store)
    _write(found, out)
    return found


def _train(plan: Plan, store: Store, jobs: int, watch: Callable[[Progress], object]) -> None:
    reused = sum(len(store.kept(named(plan, pair, store))) for pair in plan.pairs)
    trained = 0
    watch(Progress(reused, trained, plan.total))
    queue = deque(flight for pair in plan.pairs if (flight := next_flight(plan, pair, store)))
    with closing(run(queue, min(jobs, max(len(queue), 1)))) as finished:
        for flight, kept in finished:
            store.add(zip(flight.trials, kept, strict=True))
            trained += len(kept)
            watch(Progress(reused, trained, plan.total))
            if more := next_flight(plan, flight.pair, store):
                # First, so that pairs are finished one after the other and not all at the end.
                queue.appendleft(more)


def _write(found: dict[str, Any], out: Path) -> None:
    from lehr.view.report import render

    _replace(out / "results.json", json.dumps(found, allow_nan=False, indent=1) + "\n")
    _replace(out / "report.html", render(found))


def _replace(path: Path, text: str) -> None:
    """Write a file so that at no moment half of it is there."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
