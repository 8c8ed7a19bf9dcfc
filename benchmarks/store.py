"""What coordination costs: bytes of a trial on the way and in the store, and time per flight.

Prints bytes, and time of the processor. Outcomes are made up, and nothing is trained.

    python benchmarks/store.py [--trials 20000] [--dask] [--json]
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from lehr.lab import Plan, Store
from lehr.lab.engines.base import Crew, crew, run
from lehr.lab.plan import Flight
from lehr.lab.store.store import Kept
from lehr.lab.trial import Outcome, Trial, looks

_FLIGHT = 50


def outcome(seed: int) -> Kept:
    """An outcome as the digits give it: losses are means of float32, scores are of 450 images."""
    draw = random.Random(seed)
    count = len(looks(200))
    loss = tuple(sum(draw.random() for _ in range(10)) / 10 for _ in range(count))
    scores = [draw.randrange(450) / 450 for _ in range(count + 1)]
    return Kept(Outcome(None, loss, tuple(scores[:-1]), scores[-2], scores[-1], loss[-1]), 0.5)


def flights(count: int) -> Iterator[Flight]:
    """Flights of a full comparison, with ever new seeds."""
    pairs = Plan().pairs
    for start in range(0, count, _FLIGHT):
        pair = pairs[start // _FLIGHT % len(pairs)]
        (first,) = Plan().tuning(pair, 0.1)[:1]
        parts = (first.task, first.optimizer, first.schedule, first.momentum, 200, 0.1)
        yield Flight(pair, [Trial(*parts, seed=start + i) for i in range(_FLIGHT)])


def stored(count: int) -> dict[str, float]:
    """Bytes and seconds of each trial."""
    work = list(flights(count))
    kept = [outcome(seed) for seed in range(count)]
    found = {"sent": len(pickle.dumps(work[0].trials)) / _FLIGHT}
    found["returned"] = len(pickle.dumps(kept[:_FLIGHT])) / _FLIGHT
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trials.db"
        with Store(path, write=True) as store:
            begun, wall = time.process_time(), time.perf_counter()
            for number, flight in enumerate(work):
                store.claim(flight.trials)
                outcomes = kept[number * _FLIGHT : (number + 1) * _FLIGHT]
                store.add(zip(flight.trials, outcomes, strict=True))
            found["store_cpu"] = (time.process_time() - begun) / count
            found["store_wall_per_flight"] = (time.perf_counter() - wall) / len(work)
        found["stored"] = path.stat().st_size / count
        begun = time.process_time()
        with Store(path) as store:
            assert sum(1 for _ in store.records()) == count
        found["read_cpu"] = (time.process_time() - begun) / count
    return found


def instead(trials: list[Trial]) -> list[Kept]:
    return [outcome(trial.seed) for trial in trials]


def flown(engine: str) -> float:
    """Seconds of this process's processor for a flight there and back."""
    work = deque(flights(200 * _FLIGHT))
    with crew(engine, 2) as workers:
        by = Crew(workers.executor, workers.width, instead, workers.lost)
        list(run(lambda: [work.popleft()] if len(work) > 190 else [], by))  # all are up
        begun, count = time.process_time(), len(work)
        list(run(lambda: [work.popleft()] if work else [], by))
        return (time.process_time() - begun) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--dask", action="store_true", help="also what Dask costs")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = stored(chosen.trials // _FLIGHT * _FLIGHT) | {"processes_cpu": flown("processes")}
    if chosen.dask:
        found["dask_cpu"] = flown("dask")
    if chosen.json:
        print(json.dumps(found))
        return
    for name in ("sent", "returned", "stored"):
        print(f"{name:24} {found[name]:8.0f} bytes a trial")
    for name in ("store_cpu", "read_cpu"):
        print(f"{name:24} {1e3 * found[name]:8.3f} ms a trial")
    for name in ("store_wall_per_flight", "processes_cpu", "dask_cpu"):
        if name in found:
            print(f"{name:24} {1e3 * found[name]:8.3f} ms a flight of {_FLIGHT}")


if __name__ == "__main__":
    main()
