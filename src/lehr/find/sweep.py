"""The classic range test: the losses of one run whose rate rises, and the rules that read them.

A rule reads one noisy run and does not know the schedule; `lehr.torch.find_lr` does.
"""

# matplotlib leaves the types of its keyword arguments open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lehr.errors import ScheduleError
from lehr.extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Numbers = NDArray[np.float64]

_WEIGHT = 0.98  # of the previous value, in the smoothed loss
_FEWEST = 10  # losses that a rule needs
_SLIDE_WIDTH, _SLIDE_LEVEL = 15, 0.005
_SHARE = 0.1  # of the score's rise, for Smith's pair


def _steepest(rates: Numbers, losses: Numbers) -> float:
    """The rate at which the loss falls fastest per decade."""
    slope = np.gradient(losses, np.log(rates))
    return float(rates[np.argmin(slope)])


def _minimum(rates: Numbers, losses: Numbers) -> float:
    """A tenth of the rate with the lowest loss."""
    return float(rates[np.argmin(losses)]) / 10


def _valley(rates: Numbers, losses: Numbers) -> float:
    """The middle of the longest series of falling losses, as in fastai."""
    lengths = [1] * len(losses)
    end = 0
    for i in range(1, len(losses)):
        longer = [lengths[j] for j in range(i) if losses[i] < losses[j]]
        lengths[i] = max(longer, default=0) + 1
        if lengths[i] > lengths[end]:
            end = i
    third = lengths[end] / 3
    return float(rates[end - lengths[end] + int(third) + int(third / 2)])


def _slide(rates: Numbers, losses: Numbers) -> float:
    """The rate to the left of the blow-up where the slope has settled, as in fastai.

    It depends on the scale of the loss: slopes are compared with 0.005.
    """
    slope = np.gradient(losses)
    right, left = len(losses) - 1, len(losses) - 1 - _SLIDE_WIDTH
    found = rates[left]
    while left >= 0 and abs(slope[right] - slope[left]) > _SLIDE_LEVEL:
        found = rates[left]
        right, left = right - 1, left - 1
    return float(found)


RULES: Final[dict[str, Callable[[Numbers, Numbers], float]]] = {
    "steepest": _steepest,
    "minimum": _minimum,
    "valley": _valley,
    "slide": _slide,
}
"""The classic rules, by name."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """A run whose rate rose from update to update.

    Attributes:
        rates: The first group's rate in each update, (updates,).
        losses: The loss before each update, (updates,).
        scores: The score after each update, (updates,); None if none was measured.
        updates: The number of planned updates; fewer were made if the run was stopped.
    """

    rates: Numbers
    losses: Numbers
    scores: Numbers | None
    updates: int

    @property
    def smoothed(self) -> Numbers:
        """The losses, smoothed by a running mean of weight 0.98 with its bias to 0 removed."""
        mean, found = 0.0, np.empty(len(self.losses))
        for i, loss in enumerate(self.losses):
            mean = _WEIGHT * mean + (1 - _WEIGHT) * float(loss)
            found[i] = mean / (1 - _WEIGHT ** (i + 1))
        return found

    def suggest(self, rule: str = "steepest") -> float:
        """Return the rate that a classic rule reads from the smoothed losses.

        The first tenth of the planned updates, in which the mean settles, and the last five are
        left out, as in fastai.

        Arguments:
            rule: ``"steepest"`` (per decade), ``"minimum"`` (a tenth of its rate), ``"valley"`` or
                ``"slide"``.

        Raises:
            ScheduleError: If the rule is unknown, or too few losses are left.
        """
        if rule not in RULES:
            raise ScheduleError(f"rule={rule!r} is not known: write {', '.join(map(repr, RULES))}")
        finite = np.isfinite(self.losses)
        chosen = slice(self.updates // 10, len(self.losses) - 5)
        rates, losses = (part[finite][chosen] for part in (self.rates, self.smoothed))
        needed = _FEWEST + (_SLIDE_WIDTH if rule == "slide" else 0)
        if len(rates) < needed:
            raise ScheduleError(
                f"{len(rates)} losses are too few for rule={rule!r}, which needs {needed}: write "
                "more updates=, or a lower start="
            )
        return RULES[rule](rates, losses)

    def base_and_max(self) -> tuple[float, float]:
        """Return Smith's pair: the rates at which the score begins to rise and begins to fall.

        The score counts as rising once it is a tenth of its total rise above its start, and as
        falling once it is the same amount below its best; it is averaged over a tenth of the
        updates.

        Source: Smith 2015, arXiv:1506.01186, section 3.3.

        Raises:
            ScheduleError: If no score was measured, or it never rises.
        """
        if self.scores is None:
            raise ScheduleError("no score was measured: write range_test(..., score=...)")
        width = max(1, len(self.scores) // 10)
        padded = np.pad(self.scores, (width - 1, 0), mode="edge")
        scores = np.convolve(padded, np.ones(width) / width, mode="valid")
        best = int(np.argmax(scores))
        rise = float(scores[best] - scores[0])
        if not rise > 0:
            raise ScheduleError("the score never rises: write a higher to=, or more updates=")
        base = int(np.argmax(scores >= scores[0] + _SHARE * rise))
        fallen = scores[best:] < scores[best] - _SHARE * rise
        top = best + int(np.argmax(fallen)) if fallen.any() else len(scores) - 1
        return float(self.rates[base]), float(self.rates[top])

    def plot(self, axes: Axes | None = None, *, log: bool | None = None) -> Axes:
        """Draw the losses against the rates; or the score, as Smith does, if it was measured.

        Arguments:
            axes: Where to draw; by default in a new figure, ``plot().figure``.
            log: Whether the axis of the rates is logarithmic; by default it is if they rise by
                equal factors.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        if axes is None:
            with needs("drawing", "plot", "matplotlib"):
                from matplotlib.figure import Figure
            axes = Figure(figsize=(6.4, 3.6), layout="constrained").add_subplot()
        if self.scores is None:
            axes.plot(self.rates, self.losses, color="#c9ccd2", linewidth=1, label="loss")
            axes.plot(self.rates, self.smoothed, color="#1f62b5", linewidth=2, label="smoothed")
            axes.legend(frameon=False)
        else:
            axes.plot(self.rates, self.scores, color="#1f62b5", linewidth=2)
        if log is None:
            steps = np.diff(self.rates)
            log = len(steps) > 1 and bool(steps[-1] > 2 * steps[0])
        axes.set_xscale("log" if log else "linear")
        axes.set_xlabel("rate")
        axes.set_ylabel("training loss" if self.scores is None else "score")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        return axes


def has_risen(loss: float, start: float, lowest: float) -> bool:
    """Return whether a loss is not finite, or four times as far above the lowest as the start.

    Unlike a ratio to the lowest loss, this holds for negative losses too.
    """
    return not math.isfinite(loss) or loss - lowest > 4 * max(start - lowest, 0.1 * abs(start))
