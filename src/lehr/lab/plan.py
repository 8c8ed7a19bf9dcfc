"""The plan of a comparison: which pairs, at which peaks, with which seeds."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from lehr.lab.optimizers import (
    OPTIMIZERS,
    arguments_of,
    canonical,
    find_optimizer,
    label,
    unpinned,
)
from lehr.lab.optimizers.peaks import GRID, first_peaks
from lehr.lab.own.naming import is_own, own_words
from lehr.lab.peak_grid import total_trials
from lehr.lab.schedules import check_contender, find_contender
from lehr.lab.tasks.registry import TASKS, find_task, identity, pinned
from lehr.lab.trial import Trial
from lehr.lab.tuning import Choice, Tuned, choices, read_tuned
from lehr.schedule.base import Schedule

SCHEDULES = (
    "constant",
    "step",
    "exponential",
    "linear",
    "polynomial",
    "cosine",
    "warm_restarts",
    "triangular",
    "trapezoid",
    "one_cycle",
    "wsd",
)
"""The schedules that are compared by default, by family."""

_FURTHER = 2
_FOUND = 3  # peaks: the found one and its neighbours

# The first tuning seed, far above the scoring seeds, so that the two never overlap.
_TUNING = 1_000_000

MOST_SEEDS = 100_000
"""The most scoring or tuning seeds of a comparison."""

_MOST_STEPS = 100_000_000  # their losses must fit into memory
_MOST_FURTHER = 100


class Pair(NamedTuple):
    """An optimizer and a schedule, as texts."""

    optimizer: str
    schedule: str

    def __str__(self) -> str:
        return f"{label(self.optimizer)}/{self.schedule}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_ascending(name: str, values: Sequence[float]) -> None:
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"{name}={values!r} must be in ascending order, each once")


@dataclass(frozen=True)
class Size:
    """How many runs each pair gets, and how long they are.

    Attributes:
        steps: Updates in a run, at least 2.
        seeds: Runs that score a pair at its chosen peak, at least 1.
        tuning_seeds: Runs at each peak that choose the peak, at least 1.
        peaks: The peak rates tried, above 0, in ascending order. None gives each optimizer its own
            grid; see `lehr.lab.optimizers.peaks`.
        halving: Whether the worse half of a pair's peaks is dropped repeatedly, before they have
            used all tuning seeds; see `rungs`.
        further: How many further peaks each pair gets: beyond the edge of its grid if the best one
            is there, otherwise around the best. By default 2 on the optimizers' own grids, and 0 on
            given peaks.
        lengths: Other numbers of updates at which each pair is also scored, at least 2, in
            ascending order. The schedule is placed over each; the peak is the same.
        find: Whether short runs first find the peak of each pair, instead of a grid: tuning then
            begins with that peak, and with 1.8 times less and more. See `docs/answers.md`.
    """

    steps: int
    seeds: int
    tuning_seeds: int
    peaks: tuple[float, ...] | None = None
    halving: bool = False
    further: int | None = None
    lengths: tuple[int, ...] = ()
    find: bool = False

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("steps", self.steps, 2, _MOST_STEPS),
            ("seeds", self.seeds, 1, MOST_SEEDS),
            ("tuning_seeds", self.tuning_seeds, 1, MOST_SEEDS),
            ("further", self.further_peaks, 0, _MOST_FURTHER),
        ):
            if not _is_whole(value) or not least <= value <= most:
                raise ValueError(
                    f"{name}={value!r:.40} must be a whole number from {least} to {most:,}"
                )
        if not all(_is_whole(each) and 2 <= each <= _MOST_STEPS for each in self.lengths):
            raise ValueError(
                f"lengths={self.lengths!r:.80} must be whole numbers from 2 to {_MOST_STEPS:,}"
            )
        _check_ascending("lengths", self.lengths)
        if self.peaks is None:
            return
        if self.find:
            raise ValueError(
                f"peaks={self.peaks!r} and find=True both say where tuning begins: leave one out"
            )
        if not self.peaks:
            raise ValueError("peaks=() is empty: write at least one peak rate")
        if not all(0 < peak < math.inf for peak in self.peaks):
            raise ValueError(f"peaks={self.peaks!r} must be finite and above 0")
        _check_ascending("peaks", self.peaks)

    @property
    def further_peaks(self) -> int:
        """How many further peaks each pair gets."""
        if self.further is None:
            return _FURTHER if self.peaks is None else 0
        return self.further

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """The number of peaks and of tuning seeds for each rung.

        Without halving there is one rung: all peaks, all tuning seeds. With halving, the better
        half of a rung's peaks, by mean validation metric, advances to the next rung, with about
        twice the seeds; the last rung has two peaks and all seeds. The budget depends on the size
        alone, so it is the same for every pair. Rungs differ in seeds, never in updates: a schedule
        cut short is a different schedule, and one that decays late would look worse than it is.

        Source: successive halving (Jamieson and Talwalkar 2015, arXiv:1502.07943).

        Example:
            >>> from dataclasses import replace
            >>> FULL.rungs
            [(5, 6)]
            >>> replace(FULL, halving=True).rungs
            [(5, 2), (3, 3), (2, 6)]
        """
        peaks = _FOUND if self.find else len(self.peaks or GRID)
        if not self.halving:
            return [(peaks, self.tuning_seeds)]
        count = max(1, (peaks - 1).bit_length())
        return [
            (-(-peaks // 2**rung), -(-self.tuning_seeds // 2 ** (count - 1 - rung)))
            for rung in range(count)
        ]

    def differences(self, other: Size) -> list[str]:
        """Return the options that turn another size into this one."""
        words: list[str] = []
        for part in fields(self):
            value = getattr(self, part.name)
            if value == getattr(other, part.name):
                continue
            words.append("--" + part.name.replace("_", "-"))
            if part.name in ("peaks", "lengths"):
                words.append(",".join(map(repr, value)))
            elif not isinstance(value, bool):
                words.append(str(value))
        return words


FULL = Size(steps=200, seeds=30, tuning_seeds=6)
"""Two minutes for all pairs on a small machine. The runs are short enough for schedules to differ,
and there are enough tuning seeds that a pair seldom loses by an unlucky choice of its peak."""

QUICK = Size(steps=100, seeds=16, tuning_seeds=3)
"""A first look: shorter runs, wider intervals."""


@dataclass(frozen=True)
class Plan:
    """A comparison yet to be made.

    Attributes:
        task: The name of the task, or of a user's own training: ``train:FILE.py:FUNCTION``,
            ``command:TEXT``, or ``shell:TEXT`` for a command that a shell runs.
        optimizers: Texts for `find_optimizer`, each once. A plan keeps them in canonical form, with
            the absolute path of a file and a hash of its content.
        schedules: Names in the catalogue, or texts for `lehr.parse`, each once.
        size: The amount of training for each pair.
        target: A value of the metric on the validation data; the results show how many updates each
            pair needs to reach it.
        tune: Numbers to tune in addition to the peak, each as text for `read_tuned`:
            ``weight_decay=0,0.01`` or ``cosine.to=0,0.1``. A pair without such a number gets more
            tuning seeds instead, so that all pairs have the same budget.
        first: Settings known to be good, each as ``adamw/cosine=0.003``. Their pairs are trained
            first. The peak replaces the nearest one in the pair's grid.
        arguments: The arguments of each optimizer. A stored plan includes them, because torch or
            the file of the class may be missing or different where the plan is read.
    """

    task: str = "digits"
    optimizers: tuple[str, ...] = OPTIMIZERS
    schedules: tuple[str, ...] = SCHEDULES
    size: Size = FULL
    target: float | None = None
    tune: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    arguments: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]], repr=False, compare=False
    )

    def __post_init__(self) -> None:
        known = self.arguments
        texts = tuple(canonical(text, check=text not in known) for text in self.optimizers)
        object.__setattr__(self, "optimizers", texts)
        found = {text: known[text] if text in known else arguments_of(text) for text in texts}
        object.__setattr__(self, "arguments", found)
        labels = tuple(map(label, self.optimizers))
        for kind, names in (("optimizers", labels), ("schedules", self.schedules)):
            if not names:
                raise ValueError(f"{kind}=() is empty: name at least one")
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{kind} names {twice[0]!r} twice: name each once")
        for name in self.schedules:
            self._check_placed(name, find_contender(name).schedule)
        self._check_tuned()
        if len(self.known_peaks) < len(self.first):
            raise ValueError(f"first={self.first!r} names a pair twice: name each once")
        fixed = self.pinned  # raises if it cannot be trained
        if not is_own(self.task) and (fixed != self.task or self.task in TASKS):
            # A pinned name was found before, and its file may have gone since.
            metric = find_task(fixed).metric
            if self.target is not None:
                metric.check("target", self.target)

    def _check_placed(self, name: str, schedule: Schedule) -> None:
        for steps in self.lengths:
            check_contender(name, schedule, steps)

    def _check_tuned(self) -> None:
        object.__setattr__(self, "tune", tuple(each.text for each in self._tuned))
        names = [each.name for each in self._tuned]
        for each in self._tuned:
            if names.count(each.name) > 1:
                raise ValueError(f"tune names {each.name!r} twice: name each once")
            if not any(each.fits(self.arguments[o], s) for o, s in self.pairs):
                raise ValueError(
                    f"tune={each.text!r}: no optimizer or schedule of the comparison has such a "
                    "number; write momentum=0.8,0.9 or cosine.to=0,0.1"
                )
        for pair in self.pairs if self.tune else ():
            for choice in self.choices[pair]:
                self._check_placed(pair.schedule, choice.contender.schedule)

    @cached_property
    def _tuned(self) -> list[Tuned]:
        return [read_tuned(text) for text in self.tune]

    @cached_property
    def choices(self) -> Mapping[Pair, list[Choice]]:
        """Each pair with each combination of its tuned numbers; once if it has none."""
        return {
            pair: choices(*pair, self._tuned, self.arguments[pair.optimizer]) for pair in self.pairs
        }

    def rungs(self, pair: Pair) -> list[tuple[int, int]]:
        """Return the number of peaks and seeds of each rung, for each choice of a pair.

        A pair with fewer choices gets more seeds, so that the budget is the same.
        """
        more = self._seeds_for_choices(pair)
        return [(count, seeds * more) for count, seeds in self.size.rungs]

    def tuning_trials(self, size: Size) -> int:
        """Return how many trials tune each pair at this size."""
        return self._most_choices * total_trials(size.rungs, size.further_peaks)

    @property
    def searches(self) -> int:
        """The number of searches by short runs for each pair: one for each choice."""
        return self._most_choices if self.size.find else 0

    @property
    def _most_choices(self) -> int:
        """The number of choices of a pair that has all of the tuned numbers."""
        return math.prod(len(each.values) for each in self._tuned)

    def _seeds_for_choices(self, pair: Pair) -> int:
        return self._most_choices // len(self.choices[pair]) if self.tune else 1

    def first_peaks(self, pair: Pair, found: tuple[float, ...] = ()) -> tuple[float, ...]:
        """Return the peaks at which a pair is tried first, in ascending order.

        If short runs have not `found` any peaks, a plan with such runs takes the middle of the
        optimizer's grid, so that each pair has the same budget.
        """
        peaks = self.size.peaks or first_peaks(find_optimizer(pair.optimizer, check=False))
        if self.size.find:
            spare = (len(peaks) - _FOUND) // 2
            peaks = found or peaks[spare : spare + _FOUND]
        known = self.known_peaks.get(pair)
        if known is None or known in peaks:
            return peaks
        nearest = min(peaks, key=lambda peak: abs(math.log(peak / known)))
        return tuple(sorted({*peaks, known} - {nearest}))

    @cached_property
    def pinned(self) -> str:
        """The task in the form in which workers find it, with a hash of its file if it has one."""
        return pinned(self.task)

    @property
    def pairs(self) -> list[Pair]:
        """Every optimizer with every schedule; pairs with a known peak come first."""
        return sorted(self._product(), key=lambda pair: pair not in self.known_peaks)

    def _product(self) -> list[Pair]:
        return [Pair(o, s) for o in self.optimizers for s in self.schedules]

    @cached_property
    def known_peaks(self) -> Mapping[Pair, float]:
        """The peaks that are known to be good."""
        pairs = {str(pair): pair for pair in self._product()}
        found: dict[Pair, float] = {}
        for text in self.first:
            name, _, number = text.rpartition("=")
            try:
                found[pairs[name.strip()]] = peak = float(number)
            except (KeyError, ValueError):
                peak = math.nan
            if not 0 < peak < math.inf:
                raise ValueError(
                    f"first={text!r:.80} is not a pair of the comparison with a peak above 0: "
                    f"write {next(iter(pairs))}=0.01"
                )
        return found

    @property
    def lengths(self) -> list[int]:
        """All numbers of updates at which pairs are scored, in ascending order."""
        return sorted({self.size.steps, *self.size.lengths})

    def tuning(self, pair: Pair, peak: float, choice: Choice | None = None) -> list[Trial]:
        """Return the trials that tune a pair at a peak, with a choice of its tuned numbers."""
        seeds = self.size.tuning_seeds * self._seeds_for_choices(pair)
        return self._trials(pair, peak, self.size.steps, range(_TUNING, _TUNING + seeds), choice)

    def scoring(
        self, pair: Pair, peak: float, steps: int | None = None, choice: Choice | None = None
    ) -> list[Trial]:
        """Return the trials that score a pair at its peak, over `steps` or the usual length."""
        steps = self.size.steps if steps is None else steps
        return self._trials(pair, peak, steps, range(self.size.seeds), choice)

    def _trials(
        self, pair: Pair, peak: float, steps: int, seeds: Iterable[int], choice: Choice | None
    ) -> list[Trial]:
        if choice is None:
            (choice, *_) = self.choices.get(pair) or choices(*pair, ())
        schedule, momentum, _ = choice.contender
        if not find_optimizer(choice.optimizer, check=False).has_momentum:
            momentum = None
        return [
            Trial(
                task=self.pinned,
                optimizer=choice.optimizer,
                schedule=schedule,
                momentum=momentum,
                steps=steps,
                peak=peak,
                seed=seed,
                task_identity="" if self.task in TASKS else identity(self.pinned),
            )
            for seed in seeds
        ]

    def command(self) -> str:
        """Return the command of this comparison, without options for where to train and store."""
        words = ["lehr", "compare", *(own_words(self.task) or ["--task", self.task])]
        if self.optimizers != OPTIMIZERS:
            words += ["--optimizers", ",".join(map(unpinned, self.optimizers))]
        if self.schedules != SCHEDULES:
            words += ["--schedules", ",".join(self.schedules)]
        for text in self.tune:
            words += ["--tune", text]
        for text in self.first:
            words += ["--first", text]
        if self.target is not None:
            words += ["--target", repr(self.target)]
        full = self.size.differences(FULL)
        quick = ["--quick", *self.size.differences(QUICK)]
        return shlex.join([*words, *min(full, quick, key=len)])
