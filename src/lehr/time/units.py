"""The units of a run: its epochs, batches and tokens, as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lehr.errors import NeedsClock, NeedsHorizon
from lehr.time.counter import Counter
from lehr.time.duration import EPOCHS, SAMPLES, SECONDS, STEPS, TOKENS, Duration


@dataclass(frozen=True, slots=True)
class Units:
    """The epochs, batches and tokens of a run, as far as they are known.

    Attributes:
        sequence: Tokens in a sample.
        counter: The samples seen before each step.
        epochs: The samples seen before each epoch, if epochs differ in size.
    """

    steps_per_epoch: int | None = None
    samples_per_epoch: int | None = None
    sequence: int | None = None
    counter: Counter | None = None
    epochs: Counter | None = None

    def within(self, outer: Units) -> Units:
        """Return these units, with missing ones taken from the outer run."""
        epochs = self if self.steps_per_epoch or self.samples_per_epoch else outer
        return Units(
            epochs.steps_per_epoch,
            epochs.samples_per_epoch,
            self.sequence or outer.sequence,
            self.counter or outer.counter,
            epochs.epochs,
        )

    def count(self, duration: Duration, seen: Fraction | None = None) -> tuple[str, Fraction]:
        """Convert a duration other than a share to steps, samples or seconds: unit and amount.

        If epochs differ, the result depends on the samples ``seen`` at its beginning.
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
        if self.epochs is not None:
            begin = seen or Fraction(0)
            return SAMPLES, self.epochs.before(self.epochs.step_of(begin) + amount) - begin
        if self.samples_per_epoch is None:
            raise self._missing(duration, "epochs", "steps_per_epoch")
        return SAMPLES, amount * self.samples_per_epoch

    def count_back(self, duration: Duration, seen: Fraction) -> tuple[str, Fraction]:
        """Convert a duration as :meth:`count` does, given the samples seen at its end."""
        if self.epochs is None or duration.unit != EPOCHS:
            return self.count(duration)
        begin = max(self.epochs.step_of(seen) - duration.amount, Fraction(0))
        return SAMPLES, seen - self.epochs.before(begin)

    def counted(self, duration: Duration) -> Counter:
        """Return the counter that converts a duration between steps and samples."""
        if duration.unit == SECONDS:
            raise NeedsClock(
                f"'{duration}' is a time, not a number of steps: place the schedule over a time, "
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
