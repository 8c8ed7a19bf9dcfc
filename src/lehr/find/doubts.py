"""The reasons to doubt a suggested peak rate, in words."""

from __future__ import annotations

from dataclasses import dataclass

_LONG = 40  # updates for which the margins are known
_SCATTER = 0.15  # decades between repetitions
_FAR = 100.0  # times the length of the longest short run


@dataclass(frozen=True)
class Doubts:
    """The measured quality of a search.

    Attributes:
        longest: The updates of its longest short run.
        stretch: The length of the planned run over that.
        progress: The fall of the loss in the best short run.
        noise: The scatter of the loss between batches.
        bracketed: Whether a rate was found at which progress is lost.
        soft: Whether the soft edge decided.
        early: Whether shorter runs got as far.
        passes: The passes of the planned run over its data, where they lowered the peak; else None.
        scatter: The standard deviation of the edges on different batches, in decades.
        known: Whether the family of the optimizer is known.
    """

    longest: int
    stretch: float
    progress: float
    noise: float
    bracketed: bool
    soft: bool
    early: bool
    passes: float | None
    scatter: float
    known: bool

    def sentences(self) -> list[str]:
        """Return a sentence for each reason to doubt."""
        reasons = {
            "the best short run fell by less than the loss differs between batches: this may be "
            "noise": self.progress <= self.noise,
            "no rate was found at which short runs lose their progress: the peak may be too low": (
                not self.bracketed
            ),
            "short runs lose their progress gradually, which says less about long runs: the peak "
            "may be too high by a factor of 2": self.soft,
            f"runs of {self.longest} updates get no farther than shorter ones, so that nothing is "
            "seen of what a long run learns: try the peak with validation data": (
                self.early and self.passes is None
            ),
            f"runs of {self.longest} updates get no farther than shorter ones, and the planned run "
            f"sees its data {self.passes or 0:,.0f} times, so that it may learn them by heart: the "
            "peak was lowered for that; try it with validation data": self.passes is not None,
            f"the edge differs by {self.scatter:.2f} decades between batches": (
                self.scatter > _SCATTER
            ),
            f"the longest short run had {self.longest} updates, not {_LONG}: this is rough": (
                self.longest < _LONG
            ),
            f"the planned run is {self.stretch:,.0f} times as long as the longest short run, "
            f"farther than was tried ({_FAR:.0f})": self.stretch > _FAR,
            "the margins are not known for this optimizer: those of Adam are used": not self.known,
        }
        return [text for text, holds in reasons.items() if holds]
