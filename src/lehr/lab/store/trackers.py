"""Finished trials as folders for TensorBoard and runs for MLflow."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from lehr.extras import install
from lehr.lab.errors import ExportError
from lehr.lab.store.rows import row, short
from lehr.lab.store.store import Record
from lehr.lab.trial import digest, evaluation_steps

_EXPERIMENT = "lehr"
"""The name of the experiment in MLflow."""

# The parts that define a trial; both programs record them.
_DEFINING = ("task", "optimizer", "schedule", "momentum", "steps", "peak", "seed")


def _need(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise ExportError(f"{package} is not installed: {install(extra)}")


def tensorboard(
    records: Iterable[Record], folder: Path, watch: Callable[[int], object] = lambda _: None
) -> int:
    """Write trials for TensorBoard, a folder each, and return how many were written.

    Trials whose folder exists are skipped, so this can be repeated as more finish. `watch` is
    called after each trial with the number of trials so far.
    """
    _need("tensorboardX", "tensorboard")
    written = 0
    for count, record in enumerate(records, start=1):
        place = folder / _place(record.identity)
        if not place.exists():
            _write_whole(record, place)
            written += 1
        watch(count)
    return written


def _write_whole(record: Record, place: Path) -> None:
    """Write a folder under an unpredictable name, and rename it at the end."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=".", suffix=".part", dir=place.parent))
    try:
        _write_events(record, draft)
        draft.chmod(place.parent.stat().st_mode & 0o777)  # `mkdtemp` gives nobody else access
        os.replace(draft, place)
    finally:
        rmtree(draft, ignore_errors=True)


def _place(identity: Mapping[str, Any]) -> Path:
    """Return a folder name that is readable, and different for different trials."""
    parts = (identity["task"], identity["optimizer"], short(identity["schedule"]))
    words = [re.sub(r"[^A-Za-z0-9_.=-]+", "_", str(part))[:60].strip("_") for part in parts]
    own = f"peak={identity['peak']:g},seed={identity['seed']},{digest(identity).hex()[:8]}"
    return Path(*words, own)


def _write_events(record: Record, folder: Path) -> None:
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    flat, when = row(record), record.finished
    known = {name: flat[name] for name in _DEFINING if flat[name] is not None}
    with SummaryWriter(str(folder)) as writer:
        for name, step, value in _points(record):
            writer.add_scalar(name, value, step, walltime=when)
        assert writer.file_writer is not None  # writes the curves
        # The writer's own method would write the values into a second file of the same name.
        for summary in hparams(known, {"validation": 0.0, "test": 0.0}):
            writer.file_writer.add_summary(summary, walltime=when)


def _points(record: Record) -> Iterator[tuple[str, int, float]]:
    """Yield the points of a trial's curves as (name, updates made, value)."""
    outcome, at = record.outcome, evaluation_steps(record.identity["steps"])
    curves = {"train_loss": outcome.loss, "validation": outcome.validations}
    curves |= {"test": [outcome.test], "test_loss": [outcome.test_loss]}
    curves |= {name: [value] for name, value in outcome.numbers.items()}
    for name, values in curves.items():
        steps = at if len(values) == len(at) else at[-1:]
        for step, value in zip(steps, values, strict=True):
            if value is not None:
                yield name, step, value


def mlflow(
    records: Iterable[Record], where: str, watch: Callable[[int], object] = lambda _: None
) -> int:
    """Write trials as MLflow runs in a folder or at an address; return how many were written.

    Trials that MLflow already has are skipped, so this can be repeated as more finish. `watch` is
    called after each trial with the number of trials so far.
    """
    _need("mlflow", "mlflow")
    failure = import_module("mlflow.exceptions").MlflowException
    written = 0
    address = where if ":" in where else Path(where).absolute().as_uri()
    with _files_allowed():
        try:
            client = import_module("mlflow").MlflowClient(tracking_uri=address)
            found = client.get_experiment_by_name(_EXPERIMENT)
            home = found.experiment_id if found else client.create_experiment(_EXPERIMENT)
            there = _keys(client, home)
            for count, record in enumerate(records, start=1):
                if digest(record.identity).hex() not in there:
                    _write_run(client, home, record)
                    written += 1
                watch(count)
        except failure as error:
            raise ExportError(f"MLflow cannot write to {where}: {error}") from error
    return written


@contextmanager
def _files_allowed() -> Generator[None]:
    """Set the variable that MLflow requires for writing folders."""
    name = "MLFLOW_ALLOW_FILE_STORE"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _keys(client: Any, home: str) -> set[str]:
    """Return the keys of the complete runs, and delete the incomplete ones."""
    keys: set[str] = set()
    token = None
    while True:
        page = client.search_runs([home], max_results=1000, page_token=token)
        for run in page:
            if run.info.status == "FINISHED":
                keys.add(run.data.tags.get("lehr.key", ""))
            elif "lehr.key" in run.data.tags:
                client.delete_run(run.info.run_id)
        token = page.token
        if not token:
            return keys


def _write_run(client: Any, home: str, record: Record) -> None:
    entities = import_module("mlflow.entities")
    flat = row(record)
    moment = round(1000 * record.finished)
    pair = f"{flat['optimizer']}/{short(flat['schedule'])}"
    name = f"{pair} peak={flat['peak']:g} seed={flat['seed']}"
    tags = {"lehr.key": flat["key"]} | {f"lehr.{k}": v for k, v in record.versions.items()}
    run = client.create_run(home, start_time=moment, tags=tags, run_name=name)
    metrics = [entities.Metric(name, value, moment, step) for name, step, value in _points(record)]
    params = [entities.Param(name, str(flat[name])) for name in _DEFINING if flat[name] is not None]
    client.log_batch(run.info.run_id, metrics=metrics, params=params)
    ended = moment + round(1000 * flat["seconds"])
    client.set_terminated(run.info.run_id, "FINISHED", end_time=ended)
