"""Drop-ins: torch's own schedulers under their own names, arguments and numbers.

Change only the import: ``from lehr.torch import StepLR``. The values are torch's (up to rounding),
but they are assigned from a closed form rather than multiplied into the current ones, so resuming
in any order, seeking and adding a group later give the right values too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lehr.catalogue.decay.elementary import cosine, exponential, linear, multistep, polynomial, step
from lehr.errors import ScheduleError, number, several
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.torch.binding import Binding, Slot, plain
from lehr.torch.dropins.arguments import counted, number_of, real_steps
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter


class StepLR(DropIn):
    """Multiply the rate by ``gamma`` every ``step_size`` epochs.

    Formula: ``base_lr * gamma ** floor(epoch / step_size)``.

    Arguments:
        optimizer: The optimizer to drive.
        step_size: Epochs between two falls, a whole number of at least 1.
        gamma: The factor, greater than 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ScheduleError: If ``step_size`` or ``gamma`` is out of range (torch fails later, at a step).
    """

    _torch = lr_scheduler.StepLR

    step_size: Any = Parameter()
    gamma: Any = Parameter()

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        return step(counted("step_size", self.step_size, at_least=1), self.gamma)


def _milestones(name: str, value: Any) -> Counter[int]:
    """Return saved milestones: JSON turns keys into strings; older torch states have a list."""
    pairs = value.items() if isinstance(value, dict) else Counter(value).items()
    found = Counter(
        {
            counted(name, int(at) if isinstance(at, str) else at, at_least=0): counted(
                name, times, at_least=0
            )
            for at, times in pairs
        }
    )
    if found.total() > 1_000_000:
        raise ScheduleError(f"{name} has {found.total()} entries, which is too many")
    return found


class MultiStepLR(DropIn):
    """Multiply the rate by ``gamma`` at each milestone.

    Formula: ``base_lr * gamma ** (how many milestones are at or before the epoch)``.

    Arguments:
        optimizer: The optimizer to drive.
        milestones: Epochs, at least 0, in any order; a repeated one counts twice.
        gamma: The factor, greater than 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ScheduleError: If a milestone is negative or not whole, or ``gamma`` is not positive.
    """

    _torch = lr_scheduler.MultiStepLR

    milestones: Any = Parameter(_milestones)
    gamma: Any = Parameter()

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        # Sets are accepted as in torch, since milestones need no order.
        if isinstance(milestones, Set | Mapping):
            milestones = list(Counter(milestones).elements())
        self.milestones = Counter(
            counted("milestones", milestone, at_least=0)
            for milestone in several("milestones", milestones)
        )
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        times = [counted("milestones", time, at_least=0) for time in self.milestones.elements()]
        return multistep(sorted(times), self.gamma)


class ExponentialLR(DropIn):
    """Multiply the rate by ``gamma`` every epoch.

    Formula: ``base_lr * gamma ** epoch``.

    Arguments:
        optimizer: The optimizer to drive.
        gamma: The factor, greater than 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ScheduleError: If ``gamma`` is not positive.
    """

    _torch = lr_scheduler.ExponentialLR

    gamma: Any = Parameter()

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        return exponential(self.gamma)


class LinearLR(DropIn):
    """Move the rate's factor in a straight line from one value to another.

    Formula: ``base_lr * (start_factor + (end_factor - start_factor) * u)`` with
    ``u = min(1, epoch / total_iters)``.

    Unlike torch's, ``total_iters=0`` starts at ``end_factor``, rather than staying at
    ``start_factor`` indefinitely.

    Arguments:
        optimizer: The optimizer to drive.
        start_factor: The factor at the start, in (0, 1]; to start from 0 see :func:`lehr.warmup`.
        end_factor: The factor at the end, in [0, 1].
        total_iters: Epochs from start to end, at least 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ValueError: If a factor is out of its range.
    """

    _torch = lr_scheduler.LinearLR

    start_factor: Any = Parameter()
    end_factor: Any = Parameter()
    total_iters: Any = Parameter()

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        if number_of("start_factor", self.start_factor) == 0:
            raise ScheduleError(
                "start_factor=0 is refused as in torch.optim; for a warmup from 0 write "
                "lehr.torch.Scheduler(optimizer, lr=lehr.warmup(steps))"
            )
        start = number("start_factor", self.start_factor, above=0, at_most=1)
        end = number("end_factor", self.end_factor, at_least=0, at_most=1)
        steps = counted("total_iters", self.total_iters, at_least=0)
        return hold(at=end) if start == end else linear(steps, to=end, start=start) >> hold()


class ConstantLR(DropIn):
    """Multiply the rate by ``factor`` until an epoch, then return to the base rate.

    Formula: ``base_lr * factor`` while ``epoch < total_iters``, then ``base_lr``.

    Unlike torch's, ``factor=0`` returns from 0 (torch divides by it), and ``total_iters=0`` starts
    at the base rate (torch never leaves the factor).

    Arguments:
        optimizer: The optimizer to drive.
        factor: In [0, 1].
        total_iters: How many epochs it lasts, a whole number of at least 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ValueError: If an argument is out of its range.
    """

    _torch = lr_scheduler.ConstantLR

    factor: Any = Parameter()
    total_iters: Any = Parameter()

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        factor = number("factor", self.factor, at_least=0, at_most=1)
        return hold(counted("total_iters", self.total_iters, at_least=0), at=factor) >> hold(at=1.0)


class PolynomialLR(DropIn):
    """Take the rate down to 0 as a power of the remaining epochs.

    Formula: ``base_lr * (1 - min(epoch, total_iters) / total_iters) ** power``.

    Arguments:
        optimizer: The optimizer to drive.
        total_iters: Epochs until 0, at least 1.
        power: Greater than 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ScheduleError: If an argument is out of its range.
    """

    _torch = lr_scheduler.PolynomialLR

    total_iters: Any = Parameter()
    power: Any = Parameter()

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        steps = counted("total_iters", self.total_iters, at_least=1)
        power = number("power", self.power, above=0, at_least=1e-9, at_most=1e9)
        return polynomial(steps, power=power)


class CosineAnnealingLR(DropIn):
    """Take the rate along a cosine from its base to ``eta_min`` and, past ``T_max``, back up.

    Formula: ``eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``.

    Its period is ``2 * T_max``, as in torch. To stay at ``eta_min`` after ``T_max``, use
    ``Scheduler(optimizer, lr=lehr.cosine(T_max))``.

    Arguments:
        optimizer: The optimizer to drive.
        T_max: Epochs from the top to the bottom, greater than 0.
        eta_min: The rate at the bottom, the same for all groups; at least 0.
        last_epoch: The last epoch done, or -1.

    Raises:
        ScheduleError: If ``T_max`` is not positive (torch divides by zero) or ``eta_min`` negative.
    """

    _torch = lr_scheduler.CosineAnnealingLR

    T_max: Any = Parameter()
    eta_min: Any = Parameter()

    def __init__(
        self, optimizer: Optimizer, T_max: float, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        number("eta_min", number_of("eta_min", self.eta_min), at_least=0)
        half = real_steps("T_max", self.T_max)
        return (cosine(half) >> cosine(half, to=1.0)).repeat()

    def _bind(self, slot: Slot, index: int) -> Binding:
        floor = number_of("eta_min", self.eta_min)
        return Binding(gain=plain(self.base_lrs[index]) - floor, offset=floor)
