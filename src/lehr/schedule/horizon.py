"""The run that a schedule is placed over: how long it is, and what its epochs and batches are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lehr.curves import Counter
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError, whole
from lehr.time.duration import (
    EPOCHS,
    LONGEST,
    SAMPLES,
    SECONDS,
    STEPS,
    TOKENS,
    Duration,
    DurationLike,
)

if TYPE_CHECKING:
    from lehr.schedule.base import BatchLike, Schedule

__all__ = ["Horizon", "HorizonLike", "Units"]


@dataclass(frozen=True, slots=True)
class Units:
    """What is known of epochs, batches and tokens.

    Attributes:
        steps_per_epoch: Updates in an epoch, or None.
        samples_per_epoch: Samples in an epoch, or None.
        sequence: Tokens in a sample, or None.
        counter: The samples seen before each step, or None.
    """

    steps_per_epoch: int | None = None
    samples_per_epoch: int | None = None
    sequence: int | None = None
    counter: Counter | None = None

    def within(self, outer: Units) -> Units:
        """Return these, with what is missing taken from the units of the run around."""
        epochs = self if self.steps_per_epoch or self.samples_per_epoch else outer
        return Units(
            epochs.steps_per_epoch,
            epochs.samples_per_epoch,
            self.sequence or outer.sequence,
            self.counter or outer.counter,
        )

    def count(self, duration: Duration) -> tuple[str, Fraction]:
        """Return a duration, other than a share, in steps, samples or seconds, and which of them.

        Raises:
            NeedsHorizon: If what an epoch or a token is, is not known.
        """
        amount, unit = duration.amount, duration.unit
        if unit in (STEPS, SAMPLES, SECONDS):
            return unit, amount
        if unit == TOKENS:
            if self.sequence is None:
                raise self._missing(duration, "tokens", "batch", "sequence")
            return SAMPLES, amount / self.sequence
        if self.steps_per_epoch is not None:
            return STEPS, amount * self.steps_per_epoch
        if self.samples_per_epoch is None:
            raise self._missing(duration, "epochs", "steps_per_epoch")
        return SAMPLES, amount * self.samples_per_epoch

    def counted(self, duration: Duration) -> Counter:
        """Return the counter that a duration is translated by from steps to samples or back.

        Raises:
            NeedsHorizon: If there is none.
            NeedsClock: If the duration is a time.
        """
        if duration.unit == SECONDS:
            raise NeedsClock(
                f"'{duration}' is a time, and no number of steps: place the schedule over a time, "
                "as in .over('90min'), and drive it with lehr.WallClock(schedule)"
            )
        if self.counter is None:
            names = {EPOCHS: "epochs", SAMPLES: "samples", TOKENS: "tokens", STEPS: "steps"}
            needs = ("batch", "sequence") if duration.unit == TOKENS else ("batch",)
            raise self._missing(duration, names[duration.unit], *needs)
        return self.counter

    def _missing(self, duration: Duration, kind: str, *needs: str) -> NeedsHorizon:
        known = {"batch": self.counter, "sequence": self.sequence}
        lacking = [name for name in needs if known.get(name) is None]
        given = [name for name in needs if known.get(name) is not None]
        also = f", and this run has a {given[0]} but no {lacking[0]}" if given else ""
        written = ", ".join(f"{name}=..." for name in needs)
        return NeedsHorizon(
            f"'{duration}' is in {kind}{also}: write .over(Horizon(..., {written}))"
        )


@dataclass(frozen=True, repr=False, init=False)
class Horizon:
    """The run that a schedule is placed over: how long it is, and what its units are.

    The unit of the length is the clock of the run. Over ``"2Gtok"`` the progress of every piece is
    counted by the tokens that were really seen before each step, also where the size of the batches
    changes on the way; over ``10_000`` by the steps. Lengths in other units are translated exactly,
    at the place where they stand.

    Arguments:
        length: The run's length, at least one step: steps, epochs, samples, tokens or seconds; or,
            for a run inside another run, a share of that one.
        steps_per_epoch: Updates in an epoch, at least 1.
        samples_per_epoch: Samples in an epoch, at least 1, in place of ``steps_per_epoch``: an
            epoch then ends inside a step where the batches do not divide it.
        batch: Samples in an update (of all devices and accumulated micro-batches together): a
            number; or one for each step, of which the last holds; or a schedule of the step whose
            values, rounded to whole numbers, are the sizes. A schedule with lengths in samples or
            tokens is one of the samples seen: ``linear("50Msa", start=256, to=1024)``.
        sequence: Tokens in a sample. Where batches are counted in tokens, write ``sequence=1``.

    Raises:
        ScheduleError: If the length is zero, a number is not whole or below 1, or both kinds of
            epoch are given.

    Example:
        >>> Horizon("30ep", steps_per_epoch=118).steps
        3540
        >>> Horizon("2Gtok", batch=512, sequence=4096).steps
        954
        >>> Horizon("10ksa", batch=[16] * 100 + [32]).steps
        363
    """

    length: Duration
    steps_per_epoch: int | None = None
    samples_per_epoch: int | None = None
    batch: int | tuple[int, ...] | Schedule | None = None
    sequence: int | None = None

    def __init__(
        self,
        length: DurationLike,
        steps_per_epoch: int | None = None,
        *,
        samples_per_epoch: int | None = None,
        batch: BatchLike | None = None,
        sequence: int | None = None,
    ) -> None:
        from lehr.schedule.batches import batch_of

        duration = Duration.of(length, "horizon")
        if duration.amount == 0:
            raise ScheduleError(f"horizon={duration.code}: a run has at least one step")
        if steps_per_epoch is not None and samples_per_epoch is not None:
            raise ScheduleError(
                f"samples_per_epoch={samples_per_epoch!r} is given beside steps_per_epoch="
                f"{steps_per_epoch!r}: an epoch has one length"
            )
        given = {
            "length": duration,
            "steps_per_epoch": _count("steps_per_epoch", steps_per_epoch),
            "samples_per_epoch": _count("samples_per_epoch", samples_per_epoch),
            "batch": None if batch is None else batch_of(batch),
            "sequence": _count("sequence", sequence),
        }
        vars(self).update(given)

    @classmethod
    def of(cls, value: HorizonLike, steps_per_epoch: int | None = None, **units: Any) -> Horizon:
        """Return ``value`` as a Horizon; the other arguments belong to a bare length only."""
        units["steps_per_epoch"] = steps_per_epoch
        if not isinstance(value, Horizon):
            return cls(value, **units)
        for name, given in units.items():
            if given is not None:
                raise ScheduleError(
                    f"{name}={given!r} is given twice: write it in {value!r}, or without one"
                )
        return value

    @cached_property
    def units(self) -> Units:
        """What it says of epochs, batches and tokens."""
        from lehr.schedule.batches import counter_of

        counter = None if self.batch is None else counter_of(self.batch, self.sequence)
        return Units(self.steps_per_epoch, self.samples_per_epoch, self.sequence, counter)

    @property
    def steps(self) -> int:
        """The run's length in whole steps: for samples and tokens, enough to see them all.

        Raises:
            NeedsHorizon: If the length of an epoch, the batch or the sequence is missing, or it is
                a share of another run.
            NeedsClock: If it is a time.
        """
        from lehr.schedule.run import Run

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
        """Its arguments' texts, as a person would type them; that of the length is under ``""``."""
        given: dict[str, Any] = {
            "steps_per_epoch": self.steps_per_epoch,
            "samples_per_epoch": self.samples_per_epoch,
            "batch": list(self.batch) if isinstance(self.batch, tuple) else self.batch,
            "sequence": self.sequence,
        }
        texts = {name: repr(value) for name, value in given.items() if value is not None}
        return {"": self.length.code, **texts}

    def __getstate__(self) -> dict[str, Any]:
        # The table of its batches is only a cache.
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


HorizonLike = DurationLike | Horizon


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    count = whole(name, value, at_least=1)
    if count > LONGEST:
        raise ScheduleError(f"{name}={count} must be at most {LONGEST:.0e}")
    return count
