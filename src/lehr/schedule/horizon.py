"""The run that a schedule is placed over: its length, its epochs and its batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import Any

from lehr.errors import NeedsHorizon, ScheduleError, shown, whole
from lehr.schedule.batches import BatchLike, BatchSizes, batch_of, by_epoch, counter_of
from lehr.schedule.run import Run
from lehr.time.duration import EPOCHS, LONGEST, SECONDS, SHARE, STEPS, Duration, DurationLike
from lehr.time.units import Units


@dataclass(frozen=True, repr=False, init=False)
class Horizon:
    """The run that a schedule is placed over: its length and its units.

    The unit of the length is the clock of the run. Over ``"2Gtok"`` the progress of every piece is
    counted in tokens actually seen before each step, even if the batch size changes during the run;
    over ``10_000`` it is counted in steps. Lengths in other units are converted exactly, at the
    position where they begin.

    Arguments:
        length: The run's length, at least one step: steps, epochs, samples, tokens or seconds; or,
            for a run inside another run, a share of that run.
        steps_per_epoch: Updates in an epoch, at least 1.
        samples_per_epoch: Samples in an epoch, at least 1, instead of ``steps_per_epoch``.
        batch: Samples in an update (over all devices and accumulated micro-batches): a number; or
            one for each step, of which the last holds; or a schedule whose values, rounded to whole
            numbers, are the sizes. A schedule with lengths in samples or tokens depends on the
            samples seen: ``linear("50Msa", start=256, to=1024)``.
        sequence: Tokens in a sample. If batches are counted in tokens, write ``sequence=1``.
        drop_last: What the loader does at the end of an epoch if the batches do not divide its
            samples. False: the last batch is smaller. True: an incomplete batch is dropped. None:
            batches continue into the next epoch, as in a stream, so that an epoch may end inside a
            step.

    Raises:
        ScheduleError: If the length is zero, a number is not whole or is below 1, both kinds of
            epoch are given, or ``drop_last`` is given without samples, a batch and a length that is
            not a share or a time.

    Example:
        >>> Horizon("30ep", steps_per_epoch=118).steps
        3540
        >>> Horizon("2Gtok", batch=512, sequence=4096).steps
        954
        >>> Horizon("10ksa", batch=[16] * 100 + [32]).steps
        363
        >>> data = {"samples_per_epoch": 103, "batch": 32}
        >>> [Horizon("3ep", **data, drop_last=drop).steps for drop in (None, True, False)]
        [10, 9, 12]
    """

    length: Duration
    steps_per_epoch: int | None = None
    samples_per_epoch: int | None = None
    batch: BatchSizes | None = None
    sequence: int | None = None
    drop_last: bool | None = None

    def __init__(
        self,
        length: DurationLike,
        steps_per_epoch: int | None = None,
        *,
        samples_per_epoch: int | None = None,
        batch: BatchLike | None = None,
        sequence: int | None = None,
        drop_last: bool | None = None,
    ) -> None:
        duration = Duration.of(length, "horizon")
        if duration.amount == 0:
            raise ScheduleError(f"horizon={duration.code}: a run has at least one step")
        if steps_per_epoch is not None and samples_per_epoch is not None:
            raise ScheduleError(
                f"samples_per_epoch={shown(samples_per_epoch)} is given beside "
                f"steps_per_epoch={shown(steps_per_epoch)}: an epoch has one length"
            )
        given = {
            "length": duration,
            "steps_per_epoch": _count("steps_per_epoch", steps_per_epoch),
            "samples_per_epoch": _count("samples_per_epoch", samples_per_epoch),
            "batch": None if batch is None else batch_of(batch),
            "sequence": _count("sequence", sequence),
            "drop_last": drop_last,
        }
        vars(self).update(given)
        if drop_last is not None:
            self._check_drop_last()
            # An epoch without a full batch is refused here rather than at the first step.
            _ = self.units

    def _check_drop_last(self) -> None:
        given = f"drop_last={shown(self.drop_last)}"
        if not isinstance(self.drop_last, bool):
            raise ScheduleError(f"{given} must be True, False or None")
        if self.samples_per_epoch is None or self.batch is None:
            raise ScheduleError(
                f"{given} is about the last batch of an epoch: write samples_per_epoch=... and "
                "batch=... too"
            )
        if self.length.unit in (SHARE, SECONDS):
            raise ScheduleError(
                f"{given}: a run of '{self.length}' has no known number of epochs; write its "
                "length in epochs, steps, samples or tokens"
            )

    @classmethod
    def of(cls, value: HorizonLike, steps_per_epoch: int | None = None, **units: Any) -> Horizon:
        """Return ``value`` as a Horizon; the other arguments go with a bare length only."""
        units["steps_per_epoch"] = steps_per_epoch
        if not isinstance(value, Horizon):
            return cls(value, **units)
        for name, given in units.items():
            if given is not None:
                raise ScheduleError(
                    f"{name}={shown(given)} is given twice: write it in {value!r}, or without one"
                )
        return value

    @property
    def units(self) -> Units:
        """The units that it defines: epochs, batches and tokens."""
        return self._units

    @cached_property
    def _units(self) -> Units:
        if self.drop_last is not None:
            return self._by_epoch(self.drop_last)
        counter = None if self.batch is None else counter_of(self.batch, self.sequence)
        return Units(self.steps_per_epoch, self.samples_per_epoch, self.sequence, counter)

    def _by_epoch(self, drop: bool) -> Units:
        batch, samples = self.batch, self.samples_per_epoch
        assert batch is not None
        assert samples is not None
        plain = Units(samples_per_epoch=samples, sequence=self.sequence)
        if isinstance(batch, int) and (drop or samples % batch == 0):
            # All batches are equal, and so are all epochs.
            kept = samples - samples % batch
            if kept == 0:
                raise ScheduleError(
                    f"drop_last=True: an epoch of {samples} samples has no full batch of {batch}; "
                    "write drop_last=False, or a smaller batch"
                )
            return Units(None, kept, self.sequence, counter_of(batch, self.sequence))
        unit, amount = plain.count(self.length)
        epochs = float(self.length.amount) if self.length.unit == EPOCHS else math.inf
        steps, seen = (amount, math.inf) if unit == STEPS else (math.inf, amount)
        stop = (float(steps), math.inf if drop and epochs < math.inf else float(seen), epochs)
        counter, table = by_epoch(batch, self.sequence, samples, drop, stop)
        return Units(None, samples, self.sequence, counter, table)

    @property
    def steps(self) -> int:
        """The run's length in whole steps; for samples and tokens, enough to see them all.

        Raises:
            NeedsHorizon: If the length of an epoch, the batch or the sequence is missing, or it is
                a share of another run.
            NeedsClock: If it is a time.
        """
        return int(Run().extent(self))

    def samples_before(self, step: int) -> int:
        """Return the samples that the run has seen before a step, from 0.

        Raises:
            NeedsHorizon: If no batch is given.

        Example:
            >>> Horizon(10, batch=[16, 16, 32]).samples_before(4)
            96
        """
        step = whole("step", step, at_least=0)
        counter = self.units.counted(Duration(Fraction(step), STEPS))
        return int(counter.before(Fraction(step)))

    def tokens_before(self, step: int) -> int:
        """Return the tokens that the run has seen before a step, from 0.

        Raises:
            NeedsHorizon: If no batch or no sequence is given.

        Example:
            >>> Horizon("2Gtok", batch=512, sequence=4096).tokens_before(10)
            20971520
        """
        if self.sequence is None:
            raise NeedsHorizon(f"{self!r} has no tokens: write sequence=...")
        return self.samples_before(step) * self.sequence

    def __str__(self) -> str:
        epochs = "" if self.steps_per_epoch is None else f" of {self.steps_per_epoch} steps"
        return f"{self.length}{epochs}"

    def __repr__(self) -> str:
        texts = [f"{name}={text}" if name else text for name, text in self.arguments.items()]
        return f"Horizon({', '.join(texts)})"

    @property
    def arguments(self) -> dict[str, str]:
        """Its arguments as a person would type them; the length is under ``""``."""
        given = {part.name: getattr(self, part.name) for part in fields(self)[1:]}
        if isinstance(self.batch, tuple):
            given["batch"] = list(self.batch)
        texts = {name: repr(value) for name, value in given.items() if value is not None}
        return {"": self.length.code, **texts}

    def __getstate__(self) -> dict[str, Any]:
        # The table of its batches is only a cache.
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


HorizonLike = DurationLike | Horizon


def _count(name: str, value: Any) -> int | None:
    return None if value is None else whole(name, value, at_least=1, at_most=LONGEST)
