"""Planning ahead: what fits a budget, how long it takes, and what it can tell apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median, variance
from time import monotonic

from lehr.find.runs import BUDGET
from lehr.lab.analysis.statistics import separable
from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.place import RunPlace
from lehr.lab.plan import MOST_SEEDS, Pair, Plan, Size
from lehr.lab.search.ladder import USUAL
from lehr.lab.study import Progress
from lehr.lab.trial import Ended, FailedTrial, Trial

# Tuning seeds and further peaks, the most thorough first.
_TUNING = ((6, 2), (5, 2), (4, 2), (3, 2), (2, 2), (1, 2), (1, 0))

_FEWEST = 2  # scoring seeds; with one nothing can be told apart
_GUESS = 0.01  # the spread of shares, nats and bits, until it has been seen
_FIRST = 0.05  # the share of the trials after which a time is announced
_LONG = 60.0  # seconds that must be left for it to be worth a line


def within(plan: Plan, trials: int) -> Plan:
    """Return a plan with at most this many trials.

    At most half of them are for tuning, with as many tuning seeds as that allows; the others are
    for scoring. A search by short runs counts as the trials with as many updates.

    Arguments:
        plan: The pairs, and the number of updates. Its numbers of seeds are ignored.
        trials: The number of trials of all pairs together.

    Raises:
        ValueError: If there are too few for tuning once and scoring twice.

    Example:
        >>> plan = Plan(optimizers=("adamw", "momentum"), schedules=("cosine", "wsd"))
        >>> size = within(plan, 60).size
        >>> size.tuning_seeds, size.further, size.seeds
        (1, 2, 8)
    """
    fewest = _fewest(plan)
    if trials < fewest:
        raise ValueError(
            f"budget={trials} trials are too few for {_count(len(plan.pairs), 'pair')}: give at "
            f"least {fewest}, or fewer optimizers, schedules or peaks"
        )
    each, lengths = trials // len(plan.pairs) - _short(plan), len(plan.lengths)
    sizes = [
        replace(plan.size, tuning_seeds=tuning_seeds, further=further, seeds=1)
        for tuning_seeds, further in _TUNING
    ]

    def left(size: Size) -> int:
        return each - plan.tuning_trials(size)

    enough = (size for size in sizes if left(size) >= max(each / 2, _FEWEST * lengths))
    size = next(enough, sizes[-1])
    return replace(plan, size=replace(size, seeds=min(MOST_SEEDS, left(size) // lengths)))


def _fewest(plan: Plan) -> int:
    """Return the fewest trials for tuning each pair once and scoring it twice."""
    tuning = plan.tuning_trials(replace(plan.size, tuning_seeds=1, further=0))
    return (_short(plan) + tuning + _FEWEST * len(plan.lengths)) * len(plan.pairs)


def _short(plan: Plan) -> int:
    """Return the number of trials with as many updates as a pair's short runs."""
    return -(-BUDGET * plan.searches // plan.size.steps)


def sized(
    plan: Plan,
    hours: float,
    place: RunPlace | Path,
    *,
    watch: Callable[[Progress], object] = lambda _: None,
    notify: Callable[[str], object] = lambda _: None,
) -> Plan:
    """Return a plan that takes about this many hours.

    First, a trial of each optimizer is trained to see how long it takes. These trials belong to the
    comparison and are kept: a later call finds them in the store, and returns the same plan.

    Arguments:
        plan: The pairs, and the number of updates; see `within`.
        hours: The time, above 0.
        place: Where to train, as for `compare`, like all the other arguments.

    Raises:
        ValueError: If the time is not above 0, or too short for the pairs.
        TaskError: If the code of the task fails in all of these trials.
    """
    if not 0 < hours < math.inf:
        raise ValueError(f"hours={hours!r} must be above 0: write 8")
    search, place = _FirstTrials(plan), RunPlace.of(place)
    with place.opened(plan.pinned, plan.optimizers, notify) as (_, train):
        train(search, watch=watch)
    if not search.seconds:
        raise TaskError("all of the first trials failed: `lehr results --json` has the tracebacks")
    each = max(fmean(search.seconds), 1e-3)
    count, fewest = int(3600 * hours * place.parallel / each), _fewest(plan)
    if count < fewest:
        needed = math.ceil(fewest * each / 36 / place.parallel) / 100
        raise ValueError(
            f"hours={hours:g} are enough for {_count(count, 'trial')} of {each:.2g} s, too few for "
            f"{_count(len(plan.pairs), 'pair')}: give at least {needed:g}, or fewer optimizers, "
            "schedules or peaks"
        )
    notify(f"A trial takes about {each:.2g} s: {hours:g} h are enough for {count:,} trials.")
    return within(plan, count)


class _FirstTrials:
    """The first trial of each optimizer, at the peak in the middle of its grid.

    Attributes:
        seconds: How long the finished trials took.
    """

    def __init__(self, plan: Plan) -> None:
        self._needed: dict[bytes, Trial] = {}
        for optimizer in plan.optimizers:
            pair = Pair(optimizer, plan.schedules[0])
            peaks = plan.first_peaks(pair)
            trial = plan.tuning(pair, peaks[len(peaks) // 2])[0]
            self._needed[trial.digest] = trial
        self.total = len(self._needed)
        self.seconds: list[float] = []

    def next(self) -> Iterator[Trial]:
        yield from self._needed.values()

    def tell(self, trial: Trial, ended: Ended) -> None:
        if self._needed.pop(trial.digest, None) and not isinstance(ended, FailedTrial):
            self.seconds.append(ended.seconds)


def outlook(plan: Plan, metric: Metric, total: int, spread: float | None = None) -> str:
    """Say how many trials a plan has, and how large a difference must be to be detected.

    `total` counts its different trials. `spread` is the spread over the seeds of the scores of one
    setting; None to guess it.
    """
    size = plan.size
    tuning = plan.tuning_trials(size)
    text = f"{_count(len(plan.pairs), 'pair')}, each with "
    if plan.searches:
        runs, updates = USUAL * plan.searches, BUDGET * plan.searches
        text += f"about {runs} short runs to find its peak (at most {updates:,} updates), "
    text += (
        f"{_count(tuning, 'trial')} to tune and {_count(size.seeds * len(plan.lengths), 'other')} "
        f"to score: {total:,} trials."
    )
    return f"{text} {_power(plan, metric, spread)}".rstrip()


def _power(plan: Plan, metric: Metric, spread: float | None) -> str:
    seeds, contenders = plan.size.seeds, len(plan.pairs)
    if contenders < 2:
        return ""
    if spread is None:
        if not (metric.is_share or metric.unit in ("nats", "bits")):
            return ""
        known = f"if a pair's lead varies by {_unit(metric, _GUESS)} from seed to seed (a guess)"
    else:
        known = f"if leads vary from seed to seed by the {_unit(metric, spread)} seen so far"
    least = separable(seeds, contenders, _GUESS if spread is None else spread)
    if least is None:
        return "With one seed nothing can be told apart: every pair will be undecided."
    return (
        f"With {_count(seeds, 'seed')}, differences under {_unit(metric, least)} will not be "
        f"told apart, {known}."
    )


class Announcer:
    """Announces how long a comparison will take: before it starts, and after its first trials.

    `noise` returns the spread of the scores of one setting so far; see `outlook`.
    """

    def __init__(
        self,
        plan: Plan,
        metric: Metric,
        noise: Callable[[], float | None],
        notify: Callable[[str], object],
    ) -> None:
        self._plan, self._metric = plan, metric
        self._noise, self._notify = noise, notify
        self._begun: float | None = None
        self._short = USUAL * plan.searches * len(plan.pairs)
        self._calls = self._before = 0
        self._is_announced = False

    def watch(self, progress: Progress) -> None:
        """Announce something if this progress is a reason to; the second call begins training."""
        left = progress.total - progress.reused - progress.trained
        self._calls += 1
        if self._calls == 1:
            return  # it is not known yet whether anything can be trained
        if self._begun is None:
            self._begun = monotonic()
            self._notify(outlook(self._plan, self._metric, progress.total))
        elif self._short and progress.reused + progress.trained >= self._short:
            # Short runs do not show how long the others take.
            self._begun, self._before, self._short = monotonic(), progress.trained, 0
        elif not (self._is_announced or self._short) and progress.trained - self._before >= max(
            1, _FIRST * progress.total
        ):
            self._is_announced = True
            seconds = (monotonic() - self._begun) / (progress.trained - self._before) * left
            if seconds >= _LONG:
                power = _power(self._plan, self._metric, self._noise())
                done = progress.reused + progress.trained
                self._notify(
                    f"{done:,} of {progress.total:,} trials: about {_time(seconds)} left. {power}"
                )


def spread(settings: Sequence[Sequence[float | None]]) -> float | None:
    """Return the spread over the seeds of a difference between two settings; None if unknown.

    It is computed for two independent runs. Runs with the same seed are alike, so it is rather too
    large. It is the median over the settings, because runs at a much too high peak scatter without
    bound.

    Example:
        >>> spread([[0.9, 0.92, 0.94], [0.8]])
        0.034
    """
    variances: list[float] = []
    for values in settings:
        known = [value for value in values if value is not None]
        if len(known) > 1:
            # The median of a sample's variance is below the variance (Wilson and Hilferty 1931).
            low = (1 - 2 / (9 * (len(known) - 1))) ** 3
            variances.append(variance(known) / low)
    middle = median(variances or [0.0])
    return float(f"{math.sqrt(2 * middle):.2g}") if middle else None


def _unit(metric: Metric, value: float) -> str:
    return f"{metric.difference(value)}{metric.units}"


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 10 else f"{round(minutes / 60)} h"
