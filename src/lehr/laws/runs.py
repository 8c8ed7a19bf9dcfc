"""Logged runs: the rate of every update, and the losses that were measured on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lehr.notation import ScheduleLike, parse
from lehr.schedule.base import Schedule

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DROPPED = 0.01
"""The share of a run, after its warmup, whose losses are not fitted: they still depend on the
initial weights more than on the rate."""

_FEWEST = 8
"""The fewest losses after the warmup with which a run says anything about a curve."""

_MOST_STEPS = 100_000_000  # the rates must fit into memory

_HIGHEST_RATE = 1e3
_JUMP = 0.15
_OUTLIER = 12.0


class LawError(ValueError):
    """Runs to which no law can be fitted, or a law that cannot be read or used."""


class _Unusable(LawError):
    """A run that can be left out if enough others remain."""


@dataclass(frozen=True, eq=False)
class LoggedRun:
    """A training run as it was logged.

    Arguments:
        name: A name for messages, such as its file.
        rates: The learning rate of every update, the first at index 0.
        steps: The numbers of updates after which the loss was measured, ascending.
        losses: The losses in nats, as many as ``steps``.
        warmup: How many updates the rate rose at the start.
        kind: ``"training"``, ``"validation"``, or ``""`` if unknown.
        notes: Remarks on how the log was read.
        effective: The effective rate of every update, if it was measured: the learning rate over
            the norm of the weights, in any unit.
    """

    name: str
    rates: Floats
    steps: Ints
    losses: Floats
    warmup: int = 0
    kind: str = ""
    notes: tuple[str, ...] = ()
    effective: Floats | None = None

    @property
    def peak(self) -> float:
        """The highest learning rate."""
        return float(self.rates.max())

    @property
    def length(self) -> int:
        """The number of updates."""
        return len(self.rates)

    @property
    def decays(self) -> bool:
        """Whether the rate falls by at least a tenth of its peak after the warmup."""
        return bool(self.rates[self.warmup :].min() < 0.9 * self.peak)


def dense(name: str, steps: Ints, rates: Floats, warmup: int | None) -> tuple[Floats, int]:
    """Return the rate of every update, from the rates in a log, and the length of the warmup.

    The rates go from update 0 to the last line. Between two lines the rate is interpolated, except
    at a jump, where the new rate begins at the line after it. Before the first line the rate rises
    from 0 over ``warmup`` updates, then holds.
    """
    wrong = ~np.isfinite(rates) | (rates < 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise LawError(f"{name}: the learning rate at step {steps[at]} is {rates[at]:g}")
    peak = float(rates.max())
    if peak == 0:
        raise LawError(
            f"{name}: the learning rate is 0 throughout; name its column, or give a schedule"
        )
    if peak > _HIGHEST_RATE:
        raise LawError(
            f"{name}: a learning rate of {peak:g} is not one; name the column that has it"
        )
    if len(rates) > 1 and rates[-1] == 0 and rates[-2] > 0.5 * peak:
        rates = np.concatenate([rates[:-1], rates[-2:-1]])  # a logger's last line, after the run
    every = np.arange(int(steps[-1]) + 1)
    result = np.interp(every, steps, rates)
    slopes = np.abs(np.diff(rates)) / np.maximum(np.diff(steps), 1)
    # A warmup that ends by the second line is not a jump, and a jump at the end does not matter.
    for i in np.flatnonzero(np.abs(np.diff(rates)) > _JUMP * peak):
        if 0 < i < len(slopes) - 1 and slopes[i] > 4 * max(slopes[i - 1], slopes[i + 1]):
            result[steps[i] + 1 : steps[i + 1]] = rates[i]
    if warmup is None:
        # The rise at the start, if the log shows it.
        top = int(np.argmax(rates >= 0.999 * peak))
        rises = top > 0 and bool(np.all(np.diff(rates[: top + 1]) >= 0))
        warmup = int(steps[top]) if rises else 0
    warmup = min(warmup, _MOST_STEPS)
    first = int(steps[0])
    if first > 0:
        early = np.minimum(1.0, np.arange(first) / warmup) if warmup else np.ones(first)
        result[:first] = rates[0] * early / (min(1.0, first / warmup) if warmup else 1.0)
    return result, min(warmup, len(result) - 1)


RatesLike: TypeAlias = ScheduleLike | LoggedRun | ArrayLike
"""A source of rates: a schedule or its text, a run, or the rates themselves."""


def rates_of(schedule: RatesLike, steps: int | None, peak: float | None) -> Floats:
    """Return the learning rate of every update of a schedule, as factors on ``peak``.

    The steps and the peak may be None if the rates themselves, or a run, are given.
    """
    if isinstance(schedule, LoggedRun):
        return schedule.rates
    if isinstance(schedule, str):
        schedule = parse(schedule)
    if isinstance(schedule, Schedule):
        if steps is None or peak is None:
            raise LawError("a schedule needs steps=... and peak=... to say which rates it gives")
        if not (np.isfinite(peak) and peak > 0):
            raise LawError(f"peak={peak!r} must be a finite learning rate above 0")
        if not 2 <= steps <= _MOST_STEPS:
            raise LawError(f"steps={steps!r:.40} must be from 2 to {_MOST_STEPS:,}")
        rates = np.asarray(schedule.over(steps)(np.arange(steps)), np.float64) * peak
    else:
        rates = np.asarray(schedule, np.float64)
    if rates.ndim != 1 or len(rates) < 2:
        raise LawError("rates must be a list of at least two learning rates")
    if not np.isfinite(rates).all() or (rates < 0).any() or rates.max() <= 0:
        raise LawError("rates must be finite, at least 0, and not all 0")
    return rates


def after_warmup(warmup: int, text: str) -> str:
    """Return the text of a schedule after a warmup, which may have 0 updates."""
    return f"warmup({warmup}) >> {text}" if warmup else text


def risen(rates: Floats) -> int:
    """Return the update at which the rise at the start of a run ends."""
    falls = np.flatnonzero(np.diff(rates) < 0)
    top = int(falls[0]) if len(falls) else len(rates) - 1
    return int(np.argmax(rates[: top + 1] >= rates[top]))


def _outliers(losses: Floats) -> NDArray[np.bool_]:
    """Return which losses are far from their neighbours, like a single bad line in a log."""
    # The last losses are compared with those before them, because they decide how a run is judged.
    padded = np.concatenate([losses[[0, 0]], losses, np.full(2, np.median(losses[-3:]))])
    wide = np.lib.stride_tricks.sliding_window_view(padded, 5)
    off = np.abs(losses - np.median(wide, axis=1))
    # If losses only fall, most of them are the median of their neighbours.
    moves = float(np.median(np.abs(np.diff(losses))))
    scale = max(float(np.median(off)) * 1.4826, moves / 2, 1e-4 * float(np.median(losses)))
    return off > _OUTLIER * scale + 0.002 * float(np.median(losses))


def _diverged(run: LoggedRun) -> str | None:
    """Return how a run diverged, or None."""
    bad = ~np.isfinite(run.losses)
    if bad.sum() > max(2, 0.02 * len(bad)) or bad[-1]:
        return f"the loss is not a number from step {run.steps[int(np.argmax(bad))]:,}"
    losses = run.losses[~bad]
    tail = float(np.median(losses[-max(3, len(losses) // 20) :]))
    threes = np.lib.stride_tricks.sliding_window_view(losses, 3)
    settled = np.minimum.accumulate(np.median(threes, axis=1))
    spread = float(np.median(np.abs(np.diff(losses)))) / 0.95
    if tail > 1.1 * settled[-1] + 6 * spread:
        return f"the loss fell to {settled[-1]:.4g} and ended at {tail:.4g}"
    return None


def checked(run: LoggedRun) -> LoggedRun:
    """Return a run without its outliers and missing values.

    Raises:
        LawError: If it diverged, is too short, does not learn, or is not a loss.
    """
    name = run.name
    finite = run.losses[np.isfinite(run.losses)]
    if (finite <= 0).any():
        at = int(run.steps[int(np.argmax(run.losses <= 0))])
        raise LawError(f"{name}: the loss at step {at:,} is not above 0; is it the right column?")
    if len(finite) < _FEWEST:
        raise LawError(f"{name}: {len(finite)} losses are too few; log at least {_FEWEST}")
    if np.ptp(finite) < 1e-6 * abs(float(finite.mean())):
        raise LawError(f"{name}: the loss is {finite[0]:g} throughout; is it the right column?")
    rates = run.rates[np.clip(run.steps, 1, run.length) - 1]
    for column in (rates, run.rates[np.minimum(run.steps, run.length - 1)]):
        if np.ptp(column) and np.allclose(run.losses, column, rtol=1e-6, atol=0):
            raise LawError(f"{name}: the losses are its learning rates; name the column of losses")
    first, last = (float(np.median(part)) for part in (finite[:5], finite[-5:]))
    if np.isfinite(run.losses).all() and first < last <= 1:
        raise LawError(f"{name}: rises from {first:.3g} to {last:.3g}: an accuracy, not a loss?")
    if how := _diverged(run):
        raise _Unusable(f"{name}: the run diverged: {how}")
    keep = np.isfinite(run.losses)
    steps, losses, notes = run.steps[keep], run.losses[keep], list(run.notes)
    odd = _outliers(losses)
    if odd.any() and odd.mean() < 0.03:
        at = ", ".join(f"{step:,}" for step in steps[odd][:3])
        notes.append(f"left out {int(odd.sum())} outlier{'s' if odd.sum() > 1 else ''}: step {at}")
        steps, losses = steps[~odd], losses[~odd]
    late = steps >= run.warmup + DROPPED * (run.length - run.warmup)
    if late.sum() < _FEWEST:
        raise LawError(
            f"{name}: {int(late.sum())} losses after the warmup of {run.warmup:,} are too few; "
            f"log at least {_FEWEST}"
        )
    return replace(run, steps=steps[late], losses=losses[late], notes=tuple(notes))


def _continued(run: LoggedRun, others: Sequence[LoggedRun]) -> LoggedRun:
    """Return a run that was branched off another, with the other's beginning added."""
    first = int(run.steps[0])
    if first < run.warmup + 0.2 * run.length:
        return run
    level = float(run.rates[:first].max())
    top = int(np.argmax(run.rates[:first] == level))
    for other in others:
        same = other.length > first and np.isclose(other.rates[first - 1], level, rtol=0.05)
        if other is run or not same or other.steps[0] >= first:
            continue
        early = other.steps < first
        # Its own rates begin where they depart from the log's first, at the latest with the log.
        moves = np.flatnonzero(run.rates[top:first] != level)
        own = top + int(moves[0]) if len(moves) else first
        rates = np.concatenate([other.rates[:own], run.rates[own:]])
        effective = None
        if run.effective is not None and other.effective is not None:
            effective = np.concatenate([other.effective[:own], run.effective[own:]])
        return replace(
            run,
            rates=rates,
            effective=effective,
            steps=np.concatenate([other.steps[early], run.steps]),
            losses=np.concatenate([other.losses[early], run.losses]),
            warmup=other.warmup,
            notes=(*run.notes, f"continues {other.name} from step {first:,}"),
        )
    return replace(
        run, notes=(*run.notes, f"starts at step {first:,}: the rate before is taken as constant")
    )


def _new(run: LoggedRun, before: Sequence[LoggedRun]) -> LoggedRun:
    """Return a run without the beginning that it shares with an earlier run."""
    for other in before:
        _, mine, theirs = np.intersect1d(run.steps, other.steps, return_indices=True)
        same = run.losses[mine] == other.losses[theirs]
        count = int(np.argmin(same)) if not same.all() else len(same)
        if count >= 5 and count == len(run.steps):
            raise _Unusable(f"{run.name}: all of its losses are those of {other.name}")
        if count >= 5:
            last = int(run.steps[mine[count - 1]])
            keep = run.steps > last
            if keep.sum() >= _FEWEST:
                note = f"shares its losses up to step {last:,} with {other.name}"
                return replace(
                    run, steps=run.steps[keep], losses=run.losses[keep], notes=(*run.notes, note)
                )
    return run


def usable(runs: Sequence[LoggedRun]) -> tuple[list[LoggedRun], list[str]]:
    """Return the runs in the form in which they are fitted, and warnings about those left out.

    If the shared beginning of several runs was logged only once, it is added to the others, and
    counted once. Warmups and the first few per cent are dropped.

    Raises:
        LawError: If fewer than two runs are left, or none lowers its rate.
    """
    whole = [_continued(run, runs) for run in runs]
    kept: list[LoggedRun] = []
    warnings: list[str] = []
    for run in whole:
        try:
            kept.append(_new(checked(run), kept))
        except _Unusable as error:
            if len(runs) < 3:
                raise
            warnings.append(f"left out: {error}")
    if len(kept) < 2:
        why = "".join(f"; {warning}" for warning in warnings)
        raise LawError(f"{len(kept)} run is too few: a law needs at least two, better three{why}")
    if not any(run.decays for run in kept):
        raise LawError(
            "no run lowers its rate: nothing shows what a cooldown gains; add a run with one"
        )
    kinds = {run.kind for run in kept} - {""}
    if len(kinds) > 1:
        raise LawError(
            "some runs have a training loss and some a validation loss; name one column for all"
        )
    return kept, warnings
