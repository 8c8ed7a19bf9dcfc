"""Results of a comparison, read into types: what the page is drawn from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

__all__ = ["AtLength", "Band", "Contender", "Pair", "Results", "Row", "part", "present", "read"]

Row = tuple[float | None, ...]

FORMAT = 1


@dataclass(frozen=True)
class Band:
    """A curve with its uncertainty: three numbers a point, each of which may be missing."""

    mean: Row
    low: Row
    high: Row

    def times(self, gain: float) -> "Band":
        """The band in another unit: shares times 100 are percent."""
        rows = (self.mean, self.low, self.high)
        return Band(*(tuple(None if v is None else gain * v for v in row) for row in rows))


@dataclass(frozen=True)
class AtLength:
    """A pair's score over another number of updates, and how it stands to the best there."""

    steps: int
    score: float | None
    low: float | None
    high: float | None
    best: bool
    ties: bool


@dataclass(frozen=True)
class Contender:
    """A schedule in the comparison: its name, text, one plain line, and what it looks like."""

    name: str
    text: str
    summary: str
    rate: tuple[Row, Row]
    momentum: tuple[Row, Row] | None


@dataclass(frozen=True)
class Pair:
    """What came of one optimizer with one schedule. Scores are shares between 0 and 1.

    `behind` is how far its mean is below the best pair's, with the ends of the interval, seed by
    seed; `updates` is how many it takes to the target, and `reached` how many of its runs get
    there: both are None where no target was set, `updates` also where too few get there.
    """

    optimizer: str
    schedule: str
    rank: int
    peak: float | None
    score: float | None
    low: float | None
    high: float | None
    seeds: int
    diverged: int
    ties: tuple[str, ...]
    scores: Row
    validation: float | None
    at_edge: bool
    peaks: Row
    sensitivity: Band
    width: float | None
    steps: Row
    loss: Band
    accuracy: Band
    behind: Row
    updates: float | None
    reached: int | None
    lengths: tuple[AtLength, ...]

    @property
    def name(self) -> str:
        """The name that `ties` uses for a pair."""
        return f"{self.optimizer}/{self.schedule}"


@dataclass(frozen=True)
class Results:
    """A comparison, finished or not; `pairs` are sorted, best first."""

    version: str
    task: Mapping[str, Any]
    settings: Mapping[str, Any]
    optimizers: Mapping[str, str]
    schedules: Mapping[str, Contender]
    summary: tuple[str, ...]
    pairs: tuple[Pair, ...]

    @property
    def complete(self) -> bool:
        """Whether every trial has been run."""
        return bool(self.settings.get("complete", False))

    @property
    def target(self) -> float | None:
        """The validation score for which updates were counted, if there was one."""
        return _number(self.settings.get("target"))

    @property
    def lengths(self) -> list[int]:
        """The numbers of updates at which pairs were scored, if there are several."""
        found = [int(steps) for steps in self.settings.get("lengths") or ()]
        return found if len(found) > 1 else []

    @property
    def score_name(self) -> str:
        """What a score is, in words."""
        return str(self.task.get("score") or "score")

    @property
    def score_title(self) -> str:
        """The same, at the head of a sentence."""
        return self.score_name[:1].upper() + self.score_name[1:]

    def find(self, optimizer: str, schedule: str) -> Pair | None:
        """The pair, or None where it has not been run yet."""
        return next(
            (p for p in self.pairs if p.optimizer == optimizer and p.schedule == schedule), None
        )

    @cached_property
    def order(self) -> tuple[list[str], list[str]]:
        """Optimizers and schedules in the order in which the page shows them.

        Best first by their median score; as they were given while pairs are missing, because a
        median over different partners says little.
        """
        optimizers, schedules = list(self.optimizers), list(self.schedules)
        scores = {
            (p.optimizer, p.schedule): -1.0 if p.score is None else p.score for p in self.pairs
        }
        if any((o, s) not in scores for o in optimizers for s in schedules):
            return optimizers, schedules
        return (
            sorted(optimizers, key=lambda o: -median(scores[o, s] for s in schedules)),
            sorted(schedules, key=lambda s: -median(scores[o, s] for o in optimizers)),
        )


def present(row: Row) -> list[float]:
    """The numbers of a row that are there."""
    return [value for value in row if value is not None]


def part(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of the results that may be missing or null: then it is empty."""
    found: Mapping[str, Any] | None = of.get(key)
    return found or {}


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _row(values: Sequence[Any] | None) -> Row:
    return tuple(_number(value) for value in values or ())


def _band(values: Mapping[str, Any] | None, length: int) -> Band:
    empty: Row = (None,) * length
    values = values or {}
    rows = [_row(values.get(key)) or empty for key in ("mean", "low", "high")]
    if any(len(row) != length for row in rows):
        raise ValueError(
            f"results: a band needs {length} numbers for each of mean, low and high, "
            f"got {[len(row) for row in rows]}"
        )
    return Band(*rows)


def _contender(name: str, value: Mapping[str, Any]) -> Contender:
    rate, momentum = value.get("rate") or ((), ()), value.get("momentum")
    return Contender(
        name=name,
        text=str(value.get("text") or ""),
        summary=str(value.get("summary") or ""),
        rate=(_row(rate[0]), _row(rate[1])),
        momentum=(_row(momentum[0]), _row(momentum[1])) if momentum else None,
    )


def _at_length(value: Mapping[str, Any]) -> AtLength:
    return AtLength(
        steps=int(value["steps"]),
        score=_number(value.get("score")),
        low=_number(value.get("low")),
        high=_number(value.get("high")),
        best=bool(value.get("best")),
        ties=bool(value.get("ties")),
    )


def _pair(value: Mapping[str, Any], position: int) -> Pair:
    behind, target = part(value, "behind"), part(value, "target")
    sensitivity, curves = part(value, "sensitivity"), part(value, "curves")
    peaks, steps = _row(sensitivity.get("peaks")), _row(curves.get("step"))
    return Pair(
        optimizer=str(value["optimizer"]),
        schedule=str(value["schedule"]),
        rank=int(value.get("rank") or position),
        peak=_number(value.get("peak_lr")),
        score=_number(value.get("score")),
        low=_number(value.get("low")),
        high=_number(value.get("high")),
        seeds=int(value.get("seeds") or 0),
        diverged=int(value.get("diverged") or 0),
        ties=tuple(str(name) for name in value.get("ties") or ()),
        scores=_row(value.get("scores")),
        validation=_number(value.get("validation")),
        at_edge=bool(value.get("at_edge")),
        peaks=peaks,
        sensitivity=_band(sensitivity, len(peaks)),
        width=_number(sensitivity.get("width")),
        steps=steps,
        loss=_band(curves.get("loss"), len(steps)),
        accuracy=_band(curves.get("accuracy"), len(steps)),
        behind=tuple(_number(behind.get(key)) for key in ("mean", "low", "high")),
        updates=_number(target.get("updates")),
        reached=int(target["reached"]) if target else None,
        lengths=tuple(_at_length(row) for row in value.get("lengths") or ()),
    )


def read(results: Mapping[str, Any]) -> Results:
    """Read the content of a results file.

    Arguments:
        results: what `json.load` gives for `results.json`; numbers may be null, pairs may be few.

    Raises:
        ValueError: it is not of format 1, a part is missing, or its rows do not fit together.
    """
    if results.get("format") != FORMAT:
        raise ValueError(
            f"results: this version reads format {FORMAT}, got {results.get('format')!r}; "
            "write the report with the version of lehr that wrote the results"
        )
    missing = [
        key
        for key in ("task", "settings", "optimizers", "schedules", "pairs")
        if key not in results
    ]
    if missing:
        raise ValueError(f"results: {', '.join(missing)} missing; is the file a results.json?")
    pairs = [_pair(value, rank) for rank, value in enumerate(results["pairs"], start=1)]
    for pair in pairs:
        if pair.optimizer not in results["optimizers"] or pair.schedule not in results["schedules"]:
            raise ValueError(
                f"results: the pair {pair.name!r} is of an optimizer or a schedule that is not "
                "among results['optimizers'] and results['schedules']"
            )
    return Results(
        version=str(results.get("lehr") or ""),
        task=results["task"],
        settings=results["settings"],
        optimizers={
            str(name): str(value.get("text") or "") for name, value in results["optimizers"].items()
        },
        schedules={
            str(name): _contender(str(name), value) for name, value in results["schedules"].items()
        },
        summary=tuple(str(sentence) for sentence in results.get("summary") or ()),
        pairs=tuple(pairs),
    )
