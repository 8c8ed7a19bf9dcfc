"""Bounds on how much a text or a dict may build, counted in parts and in work, not in seconds.

Thirty characters can ask for thousands of parts (``rewarm_cycles(1, 4096)``), and slices inside
slices place everything in them again. So a schedule that is read is weighed as it is built, each
part once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.node import Node
from lehr.schedule.sequence import EXACT_BITS
from lehr.schedule.times import Over, Repeat, Slice

MOST_PARTS: Final = 2_000
"""The most parts of a schedule read from text: as many as can be read from its repr."""

_MOST_WORK: Final = 20_000
_WORK_OF_A_VALUE: Final = 20
_RAMP: Final = 2_000
"""The work of counting the samples of a run with a changing batch size."""


class _Weight(NamedTuple):
    """The number of pieces that a schedule is placed as, and how often all are repeated."""

    cycles: int
    again: int


class Budget:
    """The parts and the work that a text or a dict may still use."""

    def __init__(self, parts: int = MOST_PARTS) -> None:
        self._most = self._parts = parts
        self._work = _MOST_WORK
        # By identity. The schedules are kept alive, so that their ids are not reused.
        self._weights: dict[int, tuple[Node, _Weight]] = {}

    def allow_for_a_value(self) -> None:
        """Allow a little more work: a dict writes out its parts, so a long one may build more.

        A plan that was changed several times consists of slices of slices of all its parts.
        """
        self._work += _WORK_OF_A_VALUE

    def take(self, schedule: Schedule) -> None:
        """Pay for a schedule, and for those inside it that are not paid for yet.

        Raises:
            ScheduleError: If it is too much.
        """
        self._weigh(schedule)

    def _weigh(self, schedule: Node) -> _Weight:
        known = self._weights.get(id(schedule))
        if known is not None:
            return known[1]
        self._parts -= 1
        if self._parts < 0:
            raise ScheduleError(
                f"the schedule has more than {self._most} parts, which is the most that a text may "
                "build; write fewer, or build it in Python and store it with .to_json()"
            )
        inner = [self._weigh(child) for child in schedule._children]
        weight = _Weight(
            max(1, sum(weight.cycles for weight in inner)) * _cycles(schedule),
            max((weight.again for weight in inner), default=0) + isinstance(schedule, Slice | Over),
        )
        self._pay(schedule, weight)
        self._weights[id(schedule)] = schedule, weight
        return weight

    def _pay(self, schedule: Node, weight: _Weight) -> None:
        if isinstance(schedule, Slice | Over):
            self._work -= weight.cycles * weight.again
        if isinstance(schedule, Over) and not isinstance(schedule.horizon.batch, int | None):
            self._work -= _RAMP
        if self._work < 0:
            raise ScheduleError(
                "the schedule is cut, or placed over a run, too many times over; write fewer "
                "slices and .over() inside each other"
            )


def _cycles(schedule: Node) -> int:
    """Return how many cycles are laid out one by one, because each has its own length."""
    if not isinstance(schedule, Repeat) or schedule.stretch == 1:
        return 1
    stretch = schedule.stretch
    bits = max(stretch.numerator.bit_length(), stretch.denominator.bit_length())
    most = max(1, EXACT_BITS // bits)
    return most if schedule.times is None else min(schedule.times, most)
