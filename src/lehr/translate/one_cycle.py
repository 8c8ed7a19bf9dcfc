"""The phases of a one-cycle, as torch and mmengine have them: the peak one step early."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import Positive, Share, one_of
from lehr.translate.pieces import go, then

_EASES: Final = {"cos": "cosine", "linear": "linear"}
_TINY: Final = Fraction(1, 10**6)


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """The arguments that shape a one-cycle.

    With ``three_phase`` the way down has the length of the rise, before a last phase.
    """

    pct_start: Share = 0.3
    anneal_strategy: str = "cos"
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4
    three_phase: bool = False

    def heights(
        self, top: float, start: float | None = None, end: float | None = None
    ) -> list[float]:
        """Return the level at the start of the first phase, and at the end of each."""
        start = top / self.div_factor if start is None else start
        end = start / self.final_div_factor if end is None else end
        return [start, top, start, end] if self.three_phase else [start, top, end]


class OneCyclePhases:
    """When the phases of a one-cycle of ``total`` steps end, and the path through given levels."""

    def __init__(self, library: str, total: int, given: OneCycle) -> None:
        self.library, self.total = library, total
        self.ease = _EASES[one_of("anneal_strategy", given.anneal_strategy, list(_EASES))]
        # The step at which each phase ends; the first may end before the first step.
        self.ends = _ends(given.pct_start, total, given.three_phase)

    def path(self, heights: Sequence[float], *, faithful: bool) -> Schedule:
        """Return the path through the levels at its start and at the end of each phase.

        After its last step it stays there or, if ``faithful``, takes the library's next level.
        """
        last, begin = Fraction(self.total - 1), Fraction(0)
        legs: list[Schedule] = []
        for end, start, to in zip(self.ends, heights[:-1], heights[1:], strict=True):
            first, stop = max(begin, Fraction(0)), min(end, last)
            if first < stop:
                leg = go(end - begin, frm=start, to=to, ease=self.ease)
                # The part before the first step, or after the last, is not visible.
                seen = (first, stop) == (begin, end)
                legs.append(leg if seen else leg[first - begin : stop - begin])
            elif end == 0 and not legs:
                legs.append(hold(0, at=to))
            begin = end
        past = self._past(heights) if faithful else None
        return then(legs) if past is None else then(legs) >> hold(1) >> hold(at=past)

    def _past(self, heights: Sequence[float]) -> float | None:
        """Return the library's value at the step after the last; None if it divides by zero."""
        count = len(self.ends)
        phase = next((i for i, end in enumerate(self.ends) if self.total <= end), count - 1)
        begin = self.ends[phase - 1] if phase else Fraction(0)
        start, to = heights[phase], heights[phase + 1]
        if self.ends[phase] == begin:
            return None
        u = float((self.total - begin) / (self.ends[phase] - begin))
        if self.ease == "linear":
            return start + (to - start) * u
        return to + (start - to) / 2 * (1 + math.cos(math.pi * u))

    def notes(self, heights: Sequence[float], *, faithful: bool, past: bool = True) -> list[str]:
        """Return how the library differs from :meth:`path`; if ``past``, also past its end."""
        found: list[str] = []
        if self.ends[0] == 0:
            found.append(
                f"{self.library} divides by zero at step 0, where the first phase ends; here "
                "the rate has the level of that end"
            )
        if not past:
            return found
        after = self._past(heights)
        if after is None:
            found.append(
                f"{self.library} divides by zero at step {self.total}; here the rate stays"
            )
        elif not faithful:
            found.append(
                f"at step {self.total}, one past its end, {self.library} goes to {after:.6g}"
            )
        return [
            *found,
            f"after step {self.total} {self.library} raises an error; here the rate stays",
        ]


def _ends(share: float, total: int, three_phase: bool) -> list[Fraction]:
    rise = Fraction(str(share)) * total
    exact = [*([rise - 1, 2 * rise - 2] if three_phase else [rise - 1]), Fraction(total - 1)]
    # Whether a phase of almost no steps has any depends on a rounding error, which is kept.
    if all(abs(end - begin) > _TINY for begin, end in itertools.pairwise([Fraction(0), *exact])):
        return exact
    found = [float(share * total) - 1]
    if three_phase:
        found.append(float(2 * share * total) - 2)
    return [*(Fraction(str(end)) for end in found), Fraction(total - 1)]
