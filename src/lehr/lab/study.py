"""A study: train the trials that a search asks for, on a pool of workers, into a store."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, redirect_stdout
from functools import partial
from typing import NamedTuple, Protocol

from lehr.lab.engines.base import UNBOUNDED, Workers, call_each, train_batches
from lehr.lab.engines.limit import within
from lehr.lab.errors import TaskError, describe
from lehr.lab.optimizers import label
from lehr.lab.own.naming import is_own
from lehr.lab.python_source import exits_raise
from lehr.lab.resources import Resources, check_device
from lehr.lab.store.store import Store
from lehr.lab.tasks.registry import add_files
from lehr.lab.trial import Ended, FailedTrial, Trial

_FEWEST = 8  # trials in a batch; in smaller batches, calls cost more than arithmetic

# The largest batch. Larger ones are not faster, and are lost as a whole if the worker dies.
_LARGEST, _LARGEST_ELSEWHERE = 256, 4096

_HOPELESS = 8  # failures after which a study ends if no trial has succeeded

_POLL = 1.0  # seconds between checks of the store for outcomes of other processes


class TrialSearch(Protocol):
    """Decides which trials to train, from the outcomes of the previous ones."""

    @property
    def total(self) -> int:
        """The number of different trials of the whole search."""
        ...

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now, the most urgent first.

        A trial is yielded at each call until its outcome is passed to `tell`. Nothing is yielded
        once the search is finished.
        """
        ...

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Record the outcome or the failure of a trial that `next` yielded."""
        ...


class Progress(NamedTuple):
    """The progress of a study, in trials. Failed trials count as finished.

    Attributes:
        reused: Trials that other processes finished, before or during this study.
        trained: Trials that this process finished.
        total: All trials of the study.
        waiting: Whether all remaining trials are being trained by other processes.
    """

    reused: int
    trained: int
    total: int
    waiting: bool = False


def recall(search: TrialSearch, store: Store, skip: Set[bytes] = frozenset()) -> int:
    """Pass the search all the outcomes and failures that it needs and that the store has.

    Trials whose digest is in `skip` are left out. Return how many outcomes there were.
    """
    count = 0
    while True:
        needed = {t.digest: t for t in search.next() if t.digest not in skip}
        found = store.ended(needed.values())
        if not found:
            return count
        for key, ended in found.items():
            # A failure may have made other trials superfluous.
            search.tell(needed[key], ended)
        count += len(found)


def train(
    search: TrialSearch,
    store: Store,
    workers: AbstractContextManager[Workers],
    *,
    resources: Resources = UNBOUNDED,
    watch: Callable[[Progress], object] = lambda _: None,
    notify: Callable[[str], object] = lambda _: None,
) -> None:
    """Train the trials that a search asks for, until it asks for no more.

    Outcomes in the store are reused. Several processes may train into one store at the same time:
    each trains the trials that no other has claimed.

    Arguments:
        search: Decides which trials to train.
        store: The store for finished trials, open for writing.
        workers: The pool, not yet open; it is not opened if all outcomes are in the store.
        resources: The limits of the workers.
        watch: Called with the progress at the start, when training begins, and whenever it changes.
        notify: Called with one-line notices about how trials are trained.

    Raises:
        EngineError: If the device cannot be used, or the memory is too small.
        TaskError: If the code of a task fails in the first checks, or in all of the first trials.
        StoreError: If the file of the store was deleted or moved, or cannot be written.
        WorkerError: If workers cannot be started, or die repeatedly on one trial.
        KeyboardInterrupt: On Ctrl-C; the search then has every outcome that is in the store.
    """
    reused = recall(search, store)
    watch(last := Progress(reused, 0, search.total))
    if not any(search.next()):
        return
    with workers as pool:
        single = _single(search, pool, resources, notify)
        queue = _Queue(search, store, pool, reused, resources.device, single)
        watch(last)
        try:
            while True:
                for batch, ended in train_batches(queue.take, pool, store.check):
                    store.add(zip(batch, ended, strict=True))
                    queue.tell(batch, ended)
                    watch(last := queue.progress())
                queue.recall()
                now = queue.progress(waiting=any(search.next()))
                if now != last:
                    watch(last := now)
                if not now.waiting:
                    return
                time.sleep(_POLL)
        except KeyboardInterrupt:
            # It may have come after a batch was added but before the search had its outcomes.
            queue.trained += recall(search, store)
            watch(queue.progress())
            raise


class _Queue:
    """Divides the trials that a search needs into batches.

    Attributes:
        reused: How many outcomes from other processes the search has received.
        trained: How many outcomes from this process it has received.
    """

    def __init__(
        self,
        search: TrialSearch,
        store: Store,
        workers: Workers,
        reused: int,
        device: str,
        single: set[tuple[str, str]],
    ) -> None:
        self._search, self._store, self._capacity = search, store, workers.capacity
        self._largest = _LARGEST if device == "cpu" else _LARGEST_ELSEWHERE
        self._single, self._training = single, set[bytes]()
        self.reused, self.trained, self._failed = reused, 0, 0

    def take(self) -> list[Trial]:
        """Return the next batch: trials of one kind, claimed for this process.

        The most urgent trials come first, so that pairs finish one after another and not all at the
        end. The batch is empty if there is nothing to train at the moment.
        """
        while True:
            ready: dict[Hashable, dict[bytes, Trial]] = {}
            needed = 0
            for trial in self._search.next():
                needed += 1
                if trial.digest not in self._training:
                    ready.setdefault(trial.kind, {})[trial.digest] = trial
            # Few enough to leave some for each of the other workers.
            most = min(self._largest, max(_FEWEST, -(-needed // self._capacity())))
            for trials in map(list, (same.values() for same in ready.values())):
                first = trials[0]
                single = is_own(first.task) or (first.task, first.optimizer) in self._single
                if batch := self._store.claim(trials, 1 if single else most):
                    self._training.update(trial.digest for trial in batch)
                    return batch
            # Other processes have claimed or finished all of them; their outcomes may lead on.
            if not ready or not self.recall():
                return []

    def recall(self) -> int:
        """Pass outcomes of other processes to the search; return how many there were."""
        # A trial in training here may also be in the store, if its claim expired.
        count = recall(self._search, self._store, self._training)
        self.reused += count
        return count

    def progress(self, *, waiting: bool = False) -> Progress:
        """Return the progress of the study."""
        return Progress(self.reused, self.trained, self._search.total, waiting)

    def tell(self, batch: list[Trial], ended: Sequence[Ended]) -> None:
        """Pass the outcomes and failures of a batch to the search.

        Raises:
            TaskError: If many trials of this process have failed, and none has finished.
        """
        for trial, each in zip(batch, ended, strict=True):
            self._training.discard(trial.digest)
            self._search.tell(trial, each)
            self._failed += isinstance(each, FailedTrial)
        self.trained += len(batch)
        last, end = batch[-1], ended[-1]
        if isinstance(end, FailedTrial) and self._failed == self.trained >= _HOPELESS:
            raise TaskError(
                f"all of the first {self.trained} trials failed; the last was {last} on "
                f"{last.task}: {end.reason}"
            )


def _single(
    search: TrialSearch, workers: Workers, resources: Resources, notify: Callable[[str], object]
) -> set[tuple[str, str]]:
    """Return the tasks and optimizers whose networks cannot be trained side by side."""
    tasks = (trial for trial in search.next() if not is_own(trial.task))
    pairs = list(dict.fromkeys((trial.task, trial.optimizer) for trial in tasks))
    reasons = call_each(partial(_obstacle, resources), pairs, workers)
    found: set[tuple[str, str]] = set()
    for (task, optimizer), reason in zip(pairs, reasons, strict=True):
        if reason is not None:
            found.add((task, optimizer))
            notify(f"{label(optimizer)} is trained one run at a time: {reason}")
    return found


def _obstacle(resources: Resources, task: str, optimizer: str) -> str | None:
    from lehr.lab.training.suitable import obstacle  # Loads torch.

    check_device(resources.device)
    add_files(resources.files)
    try:
        # A worker may share the parent's output, which is reserved for results.
        with redirect_stdout(sys.stderr), exits_raise():
            if resources.timeout is None:
                return obstacle(task, optimizer)
            return within(resources.timeout, partial(obstacle, task, optimizer))
    except (TaskError, ImportError):
        raise
    # The network and the loss are the user's, and may raise anything, even SystemExit.
    except (Exception, SystemExit) as error:
        raise TaskError(
            f"task {task} fails in an update of its network on a few samples: {describe(error)}"
        ) from error
