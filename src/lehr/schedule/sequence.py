"""One after the other: ``a >> b``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lehr.curves import Curve, Path, cut
from lehr.curves.arithmetic import as_number
from lehr.errors import NeedsHorizon, ScheduleError
from lehr.schedule.base import THEN, Reach, Schedule, Span, bracketed
from lehr.schedule.leaves import Piece
from lehr.schedule.run import Run
from lehr.time.duration import LONGEST, round_half_up

__all__ = ["EXACT_BITS", "Sequence", "bounded"]

# Lengths are exact. A cycle's is its stretch multiplied again and again: this many bits are allowed
# to grow, which is more than a hundred cycles of any stretch, and hundreds of usual ones.
EXACT_BITS: Final = 2**13


def bounded(steps: Fraction, schedule: Schedule) -> Fraction:
    """Return a length, refusing one that no run can have."""
    if steps > LONGEST:
        raise ScheduleError(f"{schedule} would last more than {LONGEST:.0e} steps")
    return steps


@dataclass(frozen=True, repr=False)
class Sequence(Schedule):
    """``a >> b``: one after the other. Sequences inside are merged, so brackets do not matter."""

    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        parts: list[Schedule] = []
        for part in self.parts:
            parts.extend(part.parts if isinstance(part, Sequence) else [part])
        if len(parts) < 2:
            raise ScheduleError("a sequence has at least two parts")
        object.__setattr__(self, "parts", tuple(parts))
        opened = [part for part in parts if part._reach is not Reach.FIXED]
        if len(opened) > 1:
            raise ScheduleError(
                f"{opened[0]} and {opened[1]} both take what is left of the run; "
                "give one of them a length"
            )
        for before, after in itertools.pairwise(parts):
            if isinstance(before, Piece) and isinstance(after, Piece) and after.to is not None:
                after._check_moves(before.to if after.start is None else after.start)

    @property
    def _reach(self) -> Reach:
        for part in self.parts:
            reach = part._reach
            if reach is not Reach.FIXED:
                # Only at the end can an endless part stay endless.
                return reach if part is self.parts[-1] else Reach.FLEXIBLE
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        spans, total = self._spans(run, self.parts)
        return Span(
            total,
            any(span.rounds for span in spans),
            any(span.shares for span in spans),
        )

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        curves: list[Curve] = []
        for part, length in zip(self.parts, self._lengths(run, room), strict=True):
            curve = part._place(run, entry, length, length)
            if length is not None and curve.length != length:
                curve = cut(curve, Fraction(0), length)
            curves.append(curve)
            if length is not None:
                entry, run = curve.end, run.after(length)
        return Path(curves)

    def _lengths(self, run: Run, room: Fraction | None) -> list[Fraction | None]:
        """Return the parts' lengths; boundaries are rounded, so that they sum to the whole."""
        spans, taken = self._all_spans(run, room)
        rounding = any(span.rounds for span in spans if span)
        exact = at = Fraction(0)
        lengths: list[Fraction | None] = []
        for part, span in zip(self.parts, spans, strict=True):
            if span is None:
                left = self._left(part, run, room, taken)
                if left is None:
                    lengths.append(None)
                    continue
                # It ends where the rounded boundaries of the others leave it.
                span = Span(left, rounding, False)
            exact += span.steps
            to = at + span.steps
            if span.rounds and run.rounding:
                to = max(at, Fraction(round_half_up(exact)))
            if span.shares and room is not None and to > room:
                # What stands around it may have rounded its room down, but by less than a step.
                if exact - room >= 1:
                    raise ScheduleError(
                        f"{self} asks for {as_number(to)} of {as_number(room)} {run.noun}; "
                        "its shares must leave room for what stands before them"
                    )
                to = max(at, room)
            lengths.append(to - at)
            at = to
        return lengths

    def _all_spans(self, run: Run, room: Fraction | None) -> tuple[list[Span | None], Fraction]:
        """Return the spans of all parts but the open one, and their sum.

        What follows the open part is measured from the end: there it is known where it stands.
        """
        opened = next((i for i, p in enumerate(self.parts) if p._reach is not Reach.FIXED), None)
        if opened is None:
            spans, taken = self._spans(run, self.parts)
            return list(spans), taken
        before, first = self._spans(run, self.parts[:opened])
        if room is not None:
            run = run.ending(room)
        after, second = self._spans(run, self.parts[opened + 1 :])
        return [*before, None, *after], bounded(first + second, self)

    def _spans(self, run: Run, parts: tuple[Schedule, ...]) -> tuple[list[Span], Fraction]:
        """Return the spans of fixed parts, each measured where it stands, and their sum."""
        total = Fraction(0)
        spans: list[Span] = []
        for part in reversed(parts) if run.backwards else parts:
            span = part._span(run)
            run = run.after(span.steps)
            spans.append(span)
            total += span.steps
            # Thousands of unlike denominators would make a number of thousands of digits.
            if total.denominator.bit_length() > 2 * EXACT_BITS:
                raise ScheduleError(
                    f"{self.parts[0]} and what follows it have too many unlike fractions of steps "
                    "for an exact sum; write decimals"
                )
        return (spans[::-1] if run.backwards else spans), bounded(total, self)

    def _left(
        self, part: Schedule, run: Run, room: Fraction | None, taken: Fraction
    ) -> Fraction | None:
        if room is not None:
            if taken > room and part._reach is Reach.FLEXIBLE:
                raise ScheduleError(
                    f"{part} takes what is left, but the rest of {self} takes "
                    f"{as_number(taken)} of {as_number(room)} {run.noun}"
                )
            return max(room - taken, Fraction(0))
        if part is self.parts[-1] and part._reach is Reach.ENDLESS:
            return None
        raise NeedsHorizon(f"{part} takes what is left of a run: write .over(1000) first")

    def _text(self) -> tuple[str, int]:
        return " >> ".join(bracketed(part, THEN) for part in self.parts), THEN
