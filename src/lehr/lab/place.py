"""Where to train, and where to keep the trials."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lehr.lab.engines.base import open_workers
from lehr.lab.optimizers.installed import check_packages
from lehr.lab.own.naming import is_own
from lehr.lab.resources import Resources
from lehr.lab.store.database import delete_unused
from lehr.lab.store.store import Store
from lehr.lab.study import train
from lehr.lab.tasks.registry import files_of, identity

STORE = "trials.db"
"""The default name of the store in a folder of results."""


@dataclass(frozen=True)
class RunPlace:
    """Where to train, and where to keep the trials.

    Finished trials stay in the store, however the training ends, and are not trained again. Several
    processes may share a store, even at the same time: each trains the trials that no other has
    claimed.

    Attributes:
        out: The folder for the results; created if it is missing.
        store: The file for the trials; by default `trials.db` in `out`.
        engine: Where to train: "population" (this process), "processes", "dask" or "ray" (a
            cluster on this machine), "dask://host:port" or "ray://host:port" (a running one), or
            your own executor, whose workers can import lehr. By default this process for one job,
            and processes for more.
        jobs: How many batches are trained at a time, at least 1 and by default 1; a running cluster
            has its own number. With processes, or a cluster on this machine, a script must guard
            its own work with `if __name__ == "__main__":`.
        memory: Bytes that training may use on this machine or, on a running cluster, in each of
            its workers; None leaves it unbounded.
        device: The device to train on, as torch names it.
        devices: Several devices of this machine, each for a process of its own; `jobs` is then
            their number.
        timeout: Seconds that a trial may take; one that takes longer fails. Trials trained side by
            side may take the sum of their times.
        retry_failed: Whether trials that failed earlier are trained again.
    """

    out: Path
    store: Path | None = None
    engine: str | Executor | None = field(default=None, kw_only=True)
    jobs: int | None = field(default=None, kw_only=True)
    memory: int | None = field(default=None, kw_only=True)
    device: str = field(default="cpu", kw_only=True)
    devices: tuple[str, ...] = field(default=(), kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    retry_failed: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, place: RunPlace | Path) -> RunPlace:
        """Return the place itself, or the usual one with this folder."""
        return place if isinstance(place, RunPlace) else cls(Path(place))

    @property
    def file(self) -> Path:
        """The file of the store."""
        return self.store or self.out / STORE

    @property
    def parallel(self) -> int:
        """How many batches are trained at a time."""
        return len(self.devices) or (1 if self.jobs is None else self.jobs)

    @contextmanager
    def opened(
        self, task: str, optimizers: Iterable[str], notify: Callable[[str], object]
    ) -> Generator[tuple[Store, Callable[..., None]]]:
        """Open the store, and prepare the workers for the trials of a task.

        A new store and a new folder are deleted if an error occurs before any trial is finished.

        Arguments:
            task: The pinned name of the task.
            optimizers: The texts of the optimizers to train.
            notify: Called with one-line notices about how trials are trained.

        Yields:
            The store, and a function that trains a search there, once: `lehr.lab.study.train` with
            its arguments about the place filled in.

        Raises:
            ValueError: If the package of an optimizer is not installed.
        """
        check_packages(optimizers)  # before any file exists, like all checks that follow
        resources = Resources(
            self.memory,
            self.device,
            self.timeout,
            folder=str(self.file.with_name(f"{self.file.stem}-folders").absolute()),
            directory=os.getcwd(),
            files=files_of(task),
        )
        workers = open_workers(
            self.engine,
            self.parallel,
            resources,
            notify,
            own=is_own(task),
            devices=self.devices,
        )
        with self._nothing_left_behind():
            self.out.mkdir(parents=True, exist_ok=True)
            with Store(self.file, write=True, device=self.device) as store:
                if self.retry_failed:
                    store.forget_failures(identity(task))
                yield (
                    store,
                    partial(
                        train, store=store, workers=workers, resources=resources, notify=notify
                    ),
                )

    @contextmanager
    def _nothing_left_behind(self) -> Generator[None]:
        is_new = not os.path.lexists(self.file)
        folders = [self.out, *self.out.parents, *self.file.parents]
        new_folders = [each for each in folders if not os.path.lexists(each)]
        try:
            yield
        except Exception:
            if is_new and self.file.exists():
                delete_unused(self.file)
            for folder in new_folders:
                with suppress(OSError):  # a folder with finished trials is not empty
                    folder.rmdir()
            raise
