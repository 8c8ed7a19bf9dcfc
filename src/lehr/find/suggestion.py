"""The suggested peak rate: a typed value with its ranges, doubts and measurements."""

# matplotlib leaves the types of its keyword arguments open.
# pyright: reportUnknownMemberType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import io
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from lehr.extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


AS_GOOD = (10**-0.25, 10**0.1)
"""The factors on the peak within which training was as good in about half of the searches."""

BEST_WITHIN = (1 / 16, 6.0)
"""The factors on the peak within which the best rate lay in about 9 of 10 searches."""

DecidedBy = Literal["edge", "soft edge", "passes", "runs", "nothing"]
Confidence = Literal["usual", "low", "none"]

_USUAL_LENGTH = 40  # updates for which the margins are known
_SCATTER = 0.15  # decades between repetitions
_FAR = 100.0  # times the length of the longest short run

_BLUE, _ORANGE, _GREEN, _INK, _SOFT = "#1f62b5", "#b8430b", "#2b7a4b", "#1c2430", "#566072"


@dataclass(frozen=True)
class MeasuredRun:
    """One run of a search.

    Attributes:
        rate: The peak rate; 0 for the run that measures the losses before training.
        updates: The number of updates over which the schedule was squeezed.
        batches: Which of the recorded batches it saw: 0, or a number from 1 for a repetition.
        loss: The mean training loss at its end, or None if the run was stopped because its loss
            was not finite or rose too far.
        spent: The number of updates made.
        validation: The value on validation data after the run; lower is better. None if the
            training loss decides.
    """

    rate: float
    updates: int
    batches: int
    loss: float | None
    spent: int
    validation: float | None = None


@dataclass(frozen=True)
class Suggestion:
    """The peak rate to train with, and how much to trust it.

    Attributes:
        peak: The suggested rate where the schedule is 1, for the optimizer's first group; None if
            no rate is better than not training.
        as_good: The lowest and highest rate between which training is expected to be as good as at
            the peak, within a point of accuracy; this held in about half of the searches.
        best_within: The lowest and highest rate between which the best rate lies; this held in
            about 9 of 10 searches.
        spent: The number of updates that the search made.
        decided_by: ``"edge"`` if the peak is a known distance below the rate at which short runs
            lose their progress, ``"soft edge"`` if it is below the rate at which they only begin
            to, ``"passes"`` if it was lowered because the run sees its data dozens of times and has
            little to learn, ``"runs"`` if longer or whole runs moved it, ``"nothing"`` if there is
            no suggestion.
        confidence: ``"usual"`` if the ranges above hold as often as stated, ``"low"`` if one of the
            warnings is a reason to doubt them, ``"none"`` without a suggestion.
        warnings: The reasons for doubt, one sentence each.
        steps: The number of updates of the planned run.
        schedule: The schedule of the planned run, as text.
        edge: The rate at which short runs lose their progress, or None if none was found.
        start_loss: The mean training loss before any update.
        curve: The short runs, in the order in which they were made.
        peaks: The suggested rate for each of the optimizer's groups; their ratios are kept.
    """

    peak: float | None
    as_good: tuple[float, float] | None
    best_within: tuple[float, float] | None
    spent: int
    decided_by: DecidedBy
    confidence: Confidence
    warnings: tuple[str, ...]
    steps: int
    schedule: str
    edge: float | None
    start_loss: float
    curve: tuple[MeasuredRun, ...] = field(repr=False)
    peaks: tuple[float, ...] = ()

    def moved(self, ratio: float) -> Suggestion:
        """Return the suggestion as moved by longer runs, by a factor.

        The range for the best rate is widened by the factor.
        """
        assert self.peak is not None
        assert self.as_good is not None
        assert self.best_within is not None
        low, high = self.best_within
        return replace(
            self,
            peak=self.peak * ratio,
            peaks=tuple(peak * ratio for peak in self.peaks),
            as_good=(self.as_good[0] * ratio, self.as_good[1] * ratio),
            best_within=(low * min(1.0, ratio), high * max(1.0, ratio)),
            decided_by="runs",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types."""
        found = asdict(self)
        for name in ("as_good", "best_within", "warnings", "curve", "peaks"):
            found[name] = None if found[name] is None else list(found[name])
        if not math.isfinite(self.start_loss):
            found["start_loss"] = None
        return found

    def __str__(self) -> str:
        rows = [
            ("peak rate", "none" if self.peak is None else f"{self.peak:.2g}"),
            ("as good", _between(self.as_good, "in about half of the searches")),
            ("best within", _between(self.best_within, "in about 9 of 10 searches")),
            ("decided by", self._decision()),
            ("for", f"{self.schedule} over {self.steps:,} updates"),
            ("spent", f"{self.spent:,} updates"),
            ("confidence", self.confidence),
            *(("warning", text) for text in self.warnings),
        ]
        return "\n".join(f"{name:<12} {text}" for name, text in rows if text)

    def _decision(self) -> str:
        if self.edge is None or self.decided_by == "nothing":
            return self.decided_by
        decided_by = "longer runs" if self.decided_by == "runs" else self.decided_by
        return f"{decided_by}: short runs lose their progress at {self.edge:.2g}"

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the losses of the short runs against their rates, with the peak and its ranges.

        Arguments:
            axes: Where to draw; by default in a new figure, ``plot().figure``.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        if axes is None:
            with needs("drawing", "plot", "matplotlib"):
                from matplotlib.figure import Figure
            axes = Figure(figsize=(6.4, 3.6), layout="constrained").add_subplot()
        if self.peak is not None and self.best_within is not None and self.as_good is not None:
            axes.axvspan(*self.best_within, color=_BLUE, alpha=0.07, label="best within")
            axes.axvspan(*self.as_good, color=_BLUE, alpha=0.16, label="as good (about half)")
            axes.axvline(self.peak, color=_BLUE, linewidth=2, label=f"peak {self.peak:.2g}")
        runs = [(run, run.loss) for run in self.curve if run.rate and run.loss is not None]
        for colour, updates in zip(
            (_SOFT, _ORANGE, _GREEN), sorted({run.updates for run, _ in runs}), strict=False
        ):
            for mark, repeated in (("o-", False), ("x", True)):
                points = sorted(
                    (run.rate, loss)
                    for run, loss in runs
                    if run.updates == updates and bool(run.batches) is repeated
                )
                label = None if repeated else f"after {updates} updates"
                rates, losses = [rate for rate, _ in points], [loss for _, loss in points]
                axes.plot(rates, losses, mark, color=colour, label=label)
        if math.isfinite(self.start_loss):
            axes.axhline(self.start_loss, color=_SOFT, linestyle=":", label="before training")
        axes.set_xscale("log")
        axes.set_xlabel("peak rate", color=_INK)
        axes.set_ylabel("training loss", color=_INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        return axes

    def _repr_png_(self) -> bytes | None:
        """Return the picture for a notebook, or None where matplotlib is not installed."""
        try:
            axes = self.plot()
        except ModuleNotFoundError:
            return None
        drawn = io.BytesIO()
        axes.figure.savefig(drawn, format="png", dpi=110)
        return drawn.getvalue()


def doubts(
    *,
    longest: int,
    stretch: float,
    progress: float,
    noise: float,
    bracketed: bool,
    soft: bool,
    early: bool,
    passes: float | None,
    scatter: float,
    known: bool,
) -> list[str]:
    """Return a sentence for each reason to doubt the peak that a search suggests.

    Arguments:
        longest: The number of updates of its longest short run.
        stretch: The length of the planned run over that of the longest short run.
        progress: The fall of the loss in the best short run.
        noise: The scatter of the loss between batches.
        bracketed: Whether a rate was found at which progress is lost.
        soft: Whether the soft edge decided.
        early: Whether shorter runs got as far as longer ones.
        passes: The planned run's passes over its data if they lowered the peak, otherwise None.
        scatter: The standard deviation of the edges on different batches, in decades.
        known: Whether the family of the optimizer is known.
    """
    no_farther = f"runs of {longest} updates get no farther than shorter ones"
    reasons = {
        "the best short run fell by less than the loss differs between batches: this may be "
        "noise": progress <= noise,
        "no rate was found at which short runs lose their progress: the peak may be too low": (
            not bracketed
        ),
        "short runs lose their progress gradually, which says less about long runs: the peak "
        "may be too high by a factor of 2": soft,
        f"{no_farther}, so they do not show what a long run learns: try the peak with "
        "validation data": early and passes is None,
        f"{no_farther}, and the planned run sees its data {passes or 0:,.0f} times, so it may "
        "memorise them: the peak was lowered for that; try it with validation data": (
            passes is not None
        ),
        f"the edge differs by {scatter:.2f} decades between batches": scatter > _SCATTER,
        f"the longest short run had {longest} updates, not {_USUAL_LENGTH}: this is rough": (
            longest < _USUAL_LENGTH
        ),
        f"the planned run is {stretch:,.0f} times as long as the longest short run, farther than "
        f"was tried ({_FAR:.0f})": stretch > _FAR,
        "the margins are not known for this optimizer: those of Adam are used": not known,
    }
    return [text for text, holds in reasons.items() if holds]


def _between(pair: tuple[float, float] | None, how_often: str) -> str:
    return "" if pair is None else f"{pair[0]:.2g} to {pair[1]:.2g}, {how_often}"
