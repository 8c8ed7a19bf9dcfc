"""A comparison from its plan to its results, kept as it goes and resumed where it stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from lehr.lab.engines.base import Crew, Means, ask, crew, run
from lehr.lab.plan import Flight, Pair, Plan
from lehr.lab.results import results
from lehr.lab.search import named, next_flight
from lehr.lab.store import journal
from lehr.lab.store.store import Store

__all__ = ["STORE", "Progress", "compare"]

STORE = "trials.db"
"""The name of the store in a comparison's folder, unless another is named."""

# Where trials were kept before there was a store.
_JOURNAL = "trials.jsonl"

_FEWEST = 8  # trials in a population; with fewer, calls cost more than arithmetic

# Trials in a worker's hands at most: with more it is not faster, and they are lost with it.
_WIDE, _WIDE_ELSEWHERE = 256, 4096

_POLL = 1.0  # seconds between two looks at what another run has finished


class Progress(NamedTuple):
    """How far a comparison is, in trials.

    Attributes:
        reused: Trials that this run need not train: they were finished before it began, or
            another run finished them meanwhile.
        trained: Trials that this run finished.
        total: All trials of the comparison.
        waiting: Whether all that is left is being trained by another run.
    """

    reused: int
    trained: int
    total: int
    waiting: bool = False


def compare(
    plan: Plan,
    out: Path,
    *,
    store: Path | None = None,
    engine: str | Executor | None = None,
    jobs: int = 1,
    memory: int | None = None,
    device: str = "cpu",
    watch: Callable[[Progress], object] = lambda _: None,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Train every pair of the plan, each at its best peak rate, and say which go together.

    Whatever stops it, finished trials stay in the store and are not trained again by a later run
    with the same one. Runs may share a store, also at the same time: then each trains what no
    other has begun. `results.json` and `report.html` are written into the folder at the end, and
    on Ctrl-C with the pairs that are finished by then.

    Arguments:
        plan: What to train.
        out: The folder for results and report; made if it is missing.
        store: The file to keep the trials in; `trials.db` in `out` unless it is named. Trials
            that an earlier lehr kept in `out/trials.jsonl` are taken over into it.
        engine: Who trains: "population" (this process), "processes", "dask" or "ray" (a cluster of
            this machine), "dask://host:port" or "ray://host:port" (a running one), or an executor
            of one's own, whose workers can import lehr. Unless it is named: this process for one
            job, and processes for more.
        jobs: How many populations are trained at a time, at least 1; a running cluster decides
            that itself. With processes, or a cluster of this machine, a script must keep what it
            does under `if __name__ == "__main__":`.
        memory: Bytes that training may take on this machine, or, on a running cluster, in each of
            its workers; None leaves it unbounded.
        device: Where to train, as torch names it.
        watch: Told how far it is, whenever that changes.
        tell: Told what one should know about how it is trained, in a line each.

    Returns:
        The content of `results.json`.

    Raises:
        EngineError: If `jobs` is below 1, or more than the engine can do, or there is no such
            engine.
        StoreError: If the store, or `out/trials.jsonl`, is something else, damaged, or newer than
            this lehr.
        WorkerError: If workers cannot be had, or die over one trial again and again; what was
            finished is kept.
        KeyboardInterrupt: On Ctrl-C, when everything is written.
    """
    workers = crew(engine, jobs, Means(memory, device))  # refused before anything is begun
    # Read first: nothing is begun beside a file that is not what it should be.
    before = journal.read(out / _JOURNAL) if (out / _JOURNAL).exists() else []
    out.mkdir(parents=True, exist_ok=True)
    with Store(store or out / STORE, write=True, device=device) as kept:
        kept.take_over(before)
        try:
            _train(plan, kept, workers, device, watch, tell)
        except KeyboardInterrupt:
            _write(results(plan, kept), out)
            raise
        found = results(plan, kept)
    _write(found, out)
    return found


class _Left:
    """What is left to train, and no other run is training."""

    def __init__(self, plan: Plan, store: Store, width: Callable[[], int], wide: int) -> None:
        self._plan, self._store, self._width, self._wide = plan, store, width, wide
        self.pairs = plan.pairs
        self.alone: set[str] = set()
        """The optimizers whose trials cannot be trained side by side."""
        # Pairs of which all that can be named is in the air: there is no more until it has landed.
        self._flying: set[Pair] = set()

    def take(self) -> list[Flight]:
        """What a worker shall train next: pairs of one optimizer, as many as make it worth while.
        Those in front come first, so that they are finished one after the other and not all at the
        end."""
        taken: list[Flight] = []
        room = 0
        for pair in self.pairs.copy():
            if pair in self._flying or (taken and pair.optimizer != taken[0].pair.optimizer):
                continue
            flight = next_flight(self._plan, pair, self._store)
            if flight is None:
                self.pairs.remove(pair)
                continue
            if taken and flight.steps != taken[0].steps:
                continue
            room = room if taken else self._most(flight)
            if mine := self._store.claim(flight.trials, room):
                if len(mine) == len(flight.trials):
                    self._flying.add(pair)
                taken.append(Flight(pair, mine))
                room -= len(mine)
            if taken and not room:
                break
        return taken

    def _most(self, flight: Flight) -> int:
        """How many trials to give to one worker: so many that none of the others is idle."""
        if flight.pair.optimizer in self.alone:
            return 1
        ready = len(flight.trials) * len(self.pairs)
        return min(self._wide, max(_FEWEST, -(-ready // self._width())))

    def landed(self, flight: Flight) -> None:
        """Note that a flight has ended."""
        self._flying.discard(flight.pair)


def _train(
    plan: Plan,
    store: Store,
    workers: AbstractContextManager[Crew],
    device: str,
    watch: Callable[[Progress], object],
    tell: Callable[[str], object],
) -> None:
    reused, trained = _finished(plan, store), 0
    watch(Progress(reused, trained, plan.total))
    if reused == plan.total:
        return  # nobody is engaged for nothing
    with workers as engaged:
        left = _Left(plan, store, engaged.width, _WIDE if device == "cpu" else _WIDE_ELSEWHERE)
        for optimizer, reason in _obstacles(plan, engaged, device).items():
            left.alone.add(optimizer)
            tell(f"{optimizer} is trained one run after another: {reason}")
        try:
            while True:
                for flight, kept in run(left.take, engaged):
                    store.add(zip(flight.trials, kept, strict=True))
                    left.landed(flight)
                    trained += len(kept)
                    watch(Progress(reused, trained, plan.total))
                done = _finished(plan, store)
                if left.pairs or done != reused + trained:
                    reused = done - trained
                    watch(Progress(reused, trained, plan.total, waiting=bool(left.pairs)))
                if not left.pairs:
                    return
                time.sleep(_POLL)
        except KeyboardInterrupt:
            # It may have come between what was kept and what was told.
            watch(Progress(reused, _finished(plan, store) - reused, plan.total))
            raise


def _obstacles(plan: Plan, engaged: Crew, device: str) -> dict[str, str]:
    """Why trials with an optimizer cannot be trained side by side, where they cannot."""
    things = [(plan.pinned, optimizer, device) for optimizer in plan.optimizers]
    reasons = ask(_obstacle, things, engaged)
    return {o: why for o, why in zip(plan.optimizers, reasons, strict=True) if why is not None}


def _obstacle(task: str, optimizer: str, device: str) -> str | None:
    # Here, because a process that only hands out work has no use for torch.
    from lehr.lab.device import check_device
    from lehr.lab.training.suitable import obstacle

    check_device(device)
    return obstacle(task, optimizer)


def _finished(plan: Plan, store: Store) -> int:
    known = [named(plan, pair, store) for pair in plan.pairs]
    return sum(len(trials) - len(store.missing(trials)) for trials in known)


def _write(found: dict[str, Any], out: Path) -> None:
    from lehr.view.report import render

    _replace(out / "results.json", json.dumps(found, allow_nan=False, indent=1) + "\n")
    _replace(out / "report.html", render(found))


def _replace(path: Path, text: str) -> None:
    """Write a file so that at no moment half of it is there."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
