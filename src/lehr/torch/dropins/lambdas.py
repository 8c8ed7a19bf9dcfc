"""Drop-ins: ``LambdaLR`` and ``MultiplicativeLR``, whose factors are user-defined functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

from lehr.errors import ScheduleError
from lehr.schedule.leaves import formula
from lehr.torch.binding import LR, Binding, plain
from lehr.torch.checkpoint import short
from lehr.torch.dropins.arguments import counted, listed, number_of, rates_of, restore_function
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter, check_alike
from lehr.torch.optimizers import check_optimizer
from lehr.torch.plan import Driven, DrivePlan, StepLevels

Function = Callable[[Any], Any]

# Products are kept at these intervals: often enough for seeking, and few enough to keep.
_STRIDE = 1024


def _factor(function: Function, position: float) -> float:
    """Call a user's function, which must return a finite number."""
    value = function(position)
    if type(value) is float and math.isfinite(value):
        return value
    if type(value).__name__ in ("bool", "bool_"):
        return float(value)
    return number_of(f"lr_lambda({position})", value)


class _FromFunctions(DropIn):
    """A drop-in that takes one function for all groups, or a list."""

    __slots__ = ("_used",)

    lr_lambdas: Any = Parameter(saved=False)

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Function | Sequence[Function], last_epoch: int = -1
    ) -> None:
        check_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        members = None if callable(lr_lambda) else listed(lr_lambda)
        given: list[Any] = [lr_lambda] * groups if members is None else members
        if len(given) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(given)}")
        for function in given:
            if not callable(function):
                raise TypeError(
                    f"lr_lambda should be a function, but got {type(function).__name__}"
                )
        self.lr_lambdas = given
        self._used: list[Function] = []
        super().__init__(optimizer, last_epoch)

    def _factors(self) -> list[Function]:
        """Return, for each group, the function from the epoch to the factor of the base rate."""
        raise NotImplementedError

    def _resolve(self) -> DrivePlan:
        self._used = list(self._factors())
        if len(self._used) != len(self.base_lrs):
            raise ScheduleError(
                f"lr_lambdas={short(self.lr_lambdas)}: one function is needed for each of the "
                f"{len(self.base_lrs)} groups"
            )
        driven: list[Driven] = []
        # A function shared by all groups is called once per epoch, not once per group.
        for function in {id(f): f for f in self._used}.values():
            bindings = tuple(
                Binding(gain=plain(base)) if used is function else None
                for used, base in zip(self._used, self.base_lrs, strict=True)
            )
            driven.append(Driven(LR, StepLevels(formula(partial(_factor, function))), bindings))
        return DrivePlan(tuple(driven))

    def _regroup(self, old: list[int | None]) -> None:
        check_alike(old, "lr_lambda", self.lr_lambdas)
        self.lr_lambdas = [self.lr_lambdas[origin or 0] for origin in old]
        super()._regroup(old)

    def state_dict(self) -> dict[str, Any]:
        """Return the position, and the attributes of callable objects.

        Functions are not saved (their entry is None), nor are callables without a ``__dict__``:
        build the scheduler with the same functions before you load it.
        """
        state = super().state_dict()
        # A function's own __dict__ is nearly always empty. None means that it must be given again.
        state["lr_lambdas"] = [
            None if _is_function(function) else _copied(vars(function))
            for function in self.lr_lambdas
        ]
        return state

    def _load(self, state: dict[str, Any]) -> None:
        saved = state.pop("lr_lambdas", None)
        if not isinstance(saved, list | tuple) or len(saved) != len(self.lr_lambdas):
            raise ScheduleError(
                f"not a state of a {type(self).__name__} of {len(self.lr_lambdas)} functions: "
                f"lr_lambdas={short(saved)}"
            )
        for function, attributes in zip(self.lr_lambdas, saved, strict=True):
            restore_function("lr_lambdas", function, _copied(attributes))
        super()._load(state)

    def callables(self) -> dict[str, list[Any]]:
        """Return the functions."""
        return {"lr_lambdas": self.lr_lambdas}


class LambdaLR(_FromFunctions):
    """Take each group's rate from a function of the epoch.

    Formula: ``base_lr * lr_lambda(epoch)``.

    Arguments:
        optimizer: The optimizer to drive.
        lr_lambda: A function from the epoch (a Python number) to a factor of the base rate; one for
            all groups or a list with one for each.
        last_epoch: The last epoch done, or -1.

    Raises:
        ValueError: If a list does not have one function for each group; at a step, if a
            function does not return a finite number.
        TypeError: If what is given cannot be called.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    _torch = lr_scheduler.LambdaLR
    _recursive = False
    _carries_changes = False

    def _factors(self) -> list[Function]:
        return self.lr_lambdas


class MultiplicativeLR(_FromFunctions):
    """Multiply each group's rate, epoch by epoch, by the value of a function.

    Formula: ``base_lr * lr_lambda(1) * lr_lambda(2) * ... * lr_lambda(epoch)``.

    The product is a function of the epoch alone: ``step(n)`` and ``last_epoch`` work from anywhere,
    whereas torch multiplies the current rate by ``lr_lambda(n)``. As a later child of a
    ``SequentialLR`` this one begins at the base rate; torch's begins at the base rate times
    ``lr_lambda(0)``.

    Arguments:
        optimizer: The optimizer to drive.
        lr_lambda: A function from the epoch, at least 1, to the factor that it adds to the product;
            one for all groups or a list with one for each.
        last_epoch: The last epoch done, or -1.

    Raises:
        ValueError: If a list does not have one function for each group; at a step, if a
            function does not return a finite number.
        TypeError: If what is given cannot be called.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = MultiplicativeLR(optimizer, lambda epoch: 0.5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    _torch = lr_scheduler.MultiplicativeLR

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Function | Sequence[Function], last_epoch: int = -1
    ) -> None:
        # A position, and the products there, known without calling the functions.
        self._begun: tuple[int, list[float]] | None = None
        super().__init__(optimizer, lr_lambda, last_epoch)

    def _factors(self) -> list[Function]:
        products: list[_Cumulative] = []
        for index, function in enumerate(self.lr_lambdas):
            begun = (0, 1.0) if self._begun is None else (self._begun[0], self._begun[1][index])
            alike = (p for p in products if p.function is function and p.begun == begun)
            products.append(next(alike, None) or _Cumulative(function, begun))
        return list(products)

    def state_dict(self) -> dict[str, Any]:
        """Return the position, the products so far, and the attributes of callable objects.

        Thanks to the products, a loaded scheduler does not call the functions again for past
        epochs: they may depend on more than the epoch.
        """
        state = super().state_dict()
        begun = max(self.last_epoch, 0)
        return {**state, "products": [product(begun) for product in self._used]}

    def _load(self, state: dict[str, Any]) -> None:
        # A state of torch's class has no products, so the functions are called for them again.
        products, self._begun = state.pop("products", None), None
        if products is not None:
            if not isinstance(products, list) or len(products) != len(self.lr_lambdas):
                raise ScheduleError(
                    f"the state has products={short(products)}; there are {len(self.lr_lambdas)} "
                    "functions"
                )
            begun = max(counted("last_epoch", state.get("last_epoch"), at_least=-1), 0)
            self._begun = (begun, rates_of("products", products))
        super()._load(state)

    def _regroup(self, old: list[int | None]) -> None:
        if self._begun is not None:
            at, products = self._begun
            self._begun = at, [products[origin or 0] for origin in old]
        super()._regroup(old)


class _Cumulative:
    """The product of a function's values from 1 to a position, which is 1 at 0.

    Arguments:
        function: Called once for each factor, as long as the position grows.
        begun: A position and the product there, so that it is not called for the factors before.
    """

    def __init__(self, function: Function, begun: tuple[int, float]) -> None:
        self.function, self.begun = function, begun
        self._at, self._product = begun
        self._marks = [1.0]

    def __call__(self, position: float) -> float:
        end = math.floor(position)
        if not self._at <= end <= self._at + 1:
            mark = min(end // _STRIDE, len(self._marks) - 1)
            known = (self._at, self._product), self.begun, (mark * _STRIDE, self._marks[mark])
            self._at, self._product = max(place for place in known if place[0] <= end)
        while self._at < end:
            product = self._product * _factor(self.function, self._at + 1)
            if self._at + 1 == len(self._marks) * _STRIDE:
                self._marks.append(product)
            self._at, self._product = self._at + 1, product
        return self._product


def _is_function(function: Function) -> bool:
    """Return whether a callable is a plain function, without attributes to save."""
    return hasattr(function, "__code__") or not hasattr(function, "__dict__")


def _copied(value: Any) -> Any:
    """Return a copy of a value, with new containers and tensors."""
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_copied(item) for item in value)
    return value.clone() if isinstance(value, Tensor) else value
