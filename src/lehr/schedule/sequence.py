"""One after the other: ``a >> b``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

from lehr.curves import Curve, Path, cut
from lehr.curves.arithmetic import as_number
from lehr.errors import NeedsHorizon, ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.kinds import kind
from lehr.schedule.leaves import Piece
from lehr.schedule.node import THEN, Length, Reach, Site, bracketed
from lehr.schedule.run import Run
from lehr.time.duration import LONGEST, round_half_up

# Lengths are exact. A cycle's is a power of its stretch, and may grow to this many bits: more than
# a hundred cycles for any stretch, and hundreds for the usual ones.
EXACT_BITS: Final = 2**13


def bounded(steps: Fraction, schedule: Schedule) -> Fraction:
    """Return a length; raise ScheduleError if no run can be that long."""
    if steps > LONGEST:
        raise ScheduleError(f"{schedule} would last more than {LONGEST:.0e} steps")
    return steps


@kind
@dataclass(frozen=True, repr=False)
class Sequence(Schedule):
    """``a >> b``: one after the other. Nested sequences are merged, so brackets do not matter."""

    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        # Sequences among the parts were checked when they were made, so only new neighbours are
        # checked, which keeps a loop of ``s = s >> piece`` fast.
        parts: tuple[Schedule, ...] = ()
        opened: Schedule | None = None
        depth = 0
        for operand in self.parts:
            inside = operand.parts if isinstance(operand, Sequence) else (operand,)
            if parts:
                _check_moves(parts[-1], inside[0])
            other = _open_part(operand)
            if opened is not None and other is not None:
                raise ScheduleError(
                    f"{opened} and {other} both take the rest of the run; give one of them a length"
                )
            opened = other or opened
            depth = max(depth, operand._depth - 1 if operand is not inside[0] else operand._depth)
            parts = parts + inside if parts else inside
        if len(parts) < 2:
            raise ScheduleError("a sequence has at least two parts")
        object.__setattr__(self, "parts", parts)
        vars(self).update(_opened=opened, _depth=depth + 1)
        self._check_depth()

    @property
    def _children(self) -> tuple[Schedule, ...]:
        return self.parts

    @cached_property
    def _opened(self) -> Schedule | None:
        """The part that takes the rest of the run."""
        return next((part for part in self.parts if part._reach is not Reach.FIXED), None)

    @property
    def _reach(self) -> Reach:
        if self._opened is None:
            return Reach.FIXED
        # An endless part can stay endless only at the end.
        return self._opened._reach if self._opened is self.parts[-1] else Reach.FLEXIBLE

    def _span(self, run: Run) -> Length | None:
        if self._opened is not None:
            return None
        spans, total = self._spans(run, self.parts)
        rounds, shares = any(span.rounds for span in spans), any(span.shares for span in spans)
        return Length(total, rounds, shares)

    def _place(self, at: Site) -> Curve:
        run, entry = at.run, at.entry
        curves: list[Curve] = []
        for part, length in zip(self.parts, self._lengths(run, at.room), strict=True):
            curve = part._place(Site(run, entry, length, length))
            if length is not None and curve.length != length:
                curve = cut(curve, Fraction(0), length)
            curves.append(curve)
            if length is not None:
                entry, run = curve.end, run.moved_by(length)
        return Path(curves)

    def _lengths(self, run: Run, room: Fraction | None) -> list[Fraction | None]:
        """Return the parts' lengths; the boundaries are rounded, so that they sum to the whole."""
        spans, taken = self._all_spans(run, room)
        rounding = any(span.rounds for span in spans if span)
        exact = at = Fraction(0)
        lengths: list[Fraction | None] = []
        for part, span in zip(self.parts, spans, strict=True):
            if span is None:
                left = self._left(part, room, taken)
                if left is None:
                    lengths.append(None)
                    continue
                # It ends where the rounded boundaries of the others leave it.
                span = Length(left, rounding, False)
            exact += span.steps
            to = at + span.steps
            if span.rounds and run.rounding:
                to = max(at, Fraction(round_half_up(exact)))
            if span.shares and room is not None and to > room:
                # An outer sequence may have rounded its room down, but by less than a step.
                if exact - room >= 1:
                    raise ScheduleError(
                        f"{self} asks for {as_number(to)} of {as_number(room)} {run.noun}; "
                        "its shares must leave room for what comes before them"
                    )
                to = max(at, room)
            lengths.append(to - at)
            at = to
        return lengths

    def _all_spans(self, run: Run, room: Fraction | None) -> tuple[list[Length | None], Fraction]:
        """Return the lengths of all parts but the open one, and their sum.

        Parts after the open one are measured backwards from the end, because only that position is
        known.
        """
        if self._opened is None:
            spans, taken = self._spans(run, self.parts)
            return list(spans), taken
        opened = next(i for i, part in enumerate(self.parts) if part is self._opened)
        before, first = self._spans(run, self.parts[:opened])
        if room is not None:
            run = run.ending_at(room)
        after, second = self._spans(run, self.parts[opened + 1 :])
        return [*before, None, *after], bounded(first + second, self)

    def _spans(self, run: Run, parts: tuple[Schedule, ...]) -> tuple[list[Length], Fraction]:
        """Return the lengths of fixed parts, each measured at its position, and their sum."""
        total = Fraction(0)
        spans: list[Length] = []
        for part in reversed(parts) if run.backwards else parts:
            span = part._span(run)
            assert span is not None
            run = run.moved_by(span.steps)
            spans.append(span)
            total += span.steps
            # Thousands of different denominators would make a number with thousands of digits.
            if total.denominator.bit_length() > 2 * EXACT_BITS:
                raise ScheduleError(
                    f"{self.parts[0]} and what follows it have too many unlike fractions of steps "
                    "for an exact sum; write decimals"
                )
        return (spans[::-1] if run.backwards else spans), bounded(total, self)

    def _left(self, part: Schedule, room: Fraction | None, taken: Fraction) -> Fraction | None:
        """Return the length of the open part; zero if the others are longer than the run."""
        if room is not None:
            return max(room - taken, Fraction(0))
        if part is self.parts[-1] and part._reach is Reach.ENDLESS:
            return None
        raise NeedsHorizon(f"{part} takes the rest of a run: write .over(1000) first")

    def _text(self) -> tuple[str, int]:
        return " >> ".join(bracketed(part, THEN) for part in self.parts), THEN


def fixed_length(schedule: Schedule, run: Run) -> Fraction:
    """Return the least length of a schedule in a run: that of its fixed-length parts.

    If it exceeds the run, a part that takes the rest gets nothing, and the run ends before the
    schedule does.
    """
    if isinstance(schedule, Sequence):
        return schedule._all_spans(run, run.length)[1]
    span = schedule._span(run)
    return span.steps if span else Fraction(0)


def _open_part(operand: Schedule) -> Schedule | None:
    if isinstance(operand, Sequence):
        return operand._opened
    return None if operand._reach is Reach.FIXED else operand


def _check_moves(before: Schedule, after: Schedule) -> None:
    """Raise ScheduleError if the piece ``after`` would not move from where ``before`` ends."""
    if isinstance(before, Piece) and isinstance(after, Piece) and after.to is not None:
        after._check_moves(before.to if after.start is None else after.start)
