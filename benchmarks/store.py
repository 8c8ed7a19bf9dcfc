"""The cost of coordination: bytes of a trial on the way and in the store, and time per batch.

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
from lehr.lab.engines.base import Workers, open_workers, train_batches
from lehr.lab.trial import FinishedTrial, Outcome, Trial, evaluation_steps

_BATCH = 50


def outcome(seed: int) -> FinishedTrial:
    """Return an outcome like those of the digits: mean float32 losses, and scores of 450 images."""
    draw = random.Random(seed)
    count = len(evaluation_steps(200))
    loss = tuple(sum(draw.random() for _ in range(10)) / 10 for _ in range(count))
    scores = [draw.randrange(450) / 450 for _ in range(count + 1)]
    return FinishedTrial(
        Outcome(None, loss, tuple(scores[:-1]), scores[-2], scores[-1], loss[-1]), 0.5
    )


def batches(count: int) -> Iterator[list[Trial]]:
    """Yield batches of a full comparison, with ever new seeds."""
    pairs = Plan().pairs
    for start in range(0, count, _BATCH):
        pair = pairs[start // _BATCH % len(pairs)]
        (first,) = Plan().tuning(pair, 0.1)[:1]
        parts = (first.task, first.optimizer, first.schedule, first.momentum, 200, 0.1)
        yield [Trial(*parts, seed=start + i) for i in range(_BATCH)]


def stored(count: int) -> dict[str, float]:
    """Measure the bytes and the seconds of each trial."""
    work = list(batches(count))
    kept = [outcome(seed) for seed in range(count)]
    found = {"sent": len(pickle.dumps(work[0])) / _BATCH}
    found["returned"] = len(pickle.dumps(kept[:_BATCH])) / _BATCH
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trials.db"
        with Store(path, write=True) as store:
            begun, wall = time.process_time(), time.perf_counter()
            for number, batch in enumerate(work):
                store.claim(batch)
                outcomes = kept[number * _BATCH : (number + 1) * _BATCH]
                store.add(zip(batch, outcomes, strict=True))
            found["store_cpu"] = (time.process_time() - begun) / count
            found["store_wall_per_batch"] = (time.perf_counter() - wall) / len(work)
        found["stored"] = path.stat().st_size / count
        begun = time.process_time()
        with Store(path) as store:
            assert sum(1 for _ in store.records()) == count
        found["read_cpu"] = (time.process_time() - begun) / count
    return found


def instead(trials: list[Trial]) -> list[FinishedTrial]:
    return [outcome(trial.seed) for trial in trials]


def handed_out(engine: str) -> float:
    """Measure the seconds of this process's processor for a batch there and back."""
    work = deque(batches(200 * _BATCH))
    with open_workers(engine, 2) as pool:
        workers = Workers(pool.executor, pool.capacity, instead, pool.lost)
        # Start all workers first.
        list(train_batches(lambda: work.popleft() if len(work) > 190 else [], workers))
        begun, count = time.process_time(), len(work)
        list(train_batches(lambda: work.popleft() if work else [], workers))
        return (time.process_time() - begun) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--dask", action="store_true", help="also what Dask costs")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = stored(chosen.trials // _BATCH * _BATCH) | {"processes_cpu": handed_out("processes")}
    if chosen.dask:
        found["dask_cpu"] = handed_out("dask")
    if chosen.json:
        print(json.dumps(found))
        return
    for name in ("sent", "returned", "stored"):
        print(f"{name:24} {found[name]:8.0f} bytes a trial")
    for name in ("store_cpu", "read_cpu"):
        print(f"{name:24} {1e3 * found[name]:8.3f} ms a trial")
    for name in ("store_wall_per_batch", "processes_cpu", "dask_cpu"):
        if name in found:
            print(f"{name:24} {1e3 * found[name]:8.3f} ms a batch of {_BATCH}")


if __name__ == "__main__":
    main()
