"""The attributes that a drop-in's plan depends on: set on the live scheduler, saved and loaded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lehr.errors import ScheduleError, number
from lehr.torch.checkpoint import short
from lehr.torch.dropins.arguments import plain_copy, rates_of
from lehr.torch.plan import DrivePlan


class Parameter:
    """An attribute that the plan of a drop-in depends on.

    Setting it on a live scheduler drops the values computed ahead, so that the next step resolves
    the plan again. There is no ``__get__``, so that it is read from the instance at full speed.

    Arguments:
        read: Called with the name and a saved value; returns the value to keep. Without it, a saved
            value must be of the same kind as the current one.
        saved: Whether the state has an entry for it.
        per_group: Whether it is a list with one number for each group, at least 0.
        fixed: Whether setting it again is refused.
    """

    def __init__(
        self,
        read: Callable[[str, Any], Any] | None = None,
        *,
        saved: bool = True,
        per_group: bool = False,
        fixed: bool = False,
    ) -> None:
        self.saved, self.per_group, self.fixed = saved, per_group, fixed
        self._read = rates_of if per_group else read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, scheduler: Any, value: Any) -> None:
        name, present = self._name, vars(scheduler)
        if self.fixed and name in present:
            kind = type(scheduler).__name__
            raise ScheduleError(
                f"{name}={value!r} cannot be set on a {kind} that is built: build another one "
                f"with {name}={value!r} and last_epoch=scheduler.last_epoch"
            )
        present[name] = value
        scheduler.parameter_set()

    def load(self, scheduler: Any, value: Any) -> None:
        """Restore the value from a state; an error names it with the value."""
        name = self._name.lstrip("_")
        try:
            found = plain_copy(value)
            if self._read is not None:
                found = self._read(name, found)
            else:
                _check_kind(name, found, vars(scheduler).get(self._name))
        except (TypeError, AttributeError, LookupError, ArithmeticError, ValueError) as error:
            if isinstance(error, ScheduleError) and name in str(error):
                raise
            raise ScheduleError(f"the state has {name}={short(value)}: {error}") from None
        vars(scheduler)[self._name] = found


def _check_kind(name: str, value: Any, present: Any) -> None:
    """Raise ScheduleError unless a value is of the kind of the present one."""
    if isinstance(present, bool | str):
        if type(value) is not type(present):
            raise ScheduleError(f"{name}={short(value)} must be {type(present).__name__}")
    elif isinstance(present, int | float):
        number(name, value)


class Parameters:
    """The parameters of a class of drop-ins, by the names of their attributes."""

    def __init__(self, by_name: Mapping[str, Parameter]) -> None:
        self.by_name = dict(by_name)
        self.saved = [name for name, parameter in by_name.items() if parameter.saved]
        self.per_group = [name for name, parameter in by_name.items() if parameter.per_group]

    def of_class(self, kind: type) -> Parameters:
        """Return the parameters of a subclass: these, and those that it adds."""
        own = {name: p for name, p in vars(kind).items() if isinstance(p, Parameter)}
        return Parameters({**self.by_name, **own})

    def lists(self, scheduler: Any) -> list[Any]:
        """Return the values that people change in place."""
        present = vars(scheduler)
        return [v for name in self.by_name if isinstance(v := present.get(name), list | dict)]

    def regroup(self, scheduler: Any, old: Sequence[int | None]) -> None:
        """Reorder the lists for a new order of groups; an added group gets the others' value."""
        for name in self.per_group:
            values = getattr(scheduler, name)
            check_alike(old, name, values)
            setattr(scheduler, name, [values[0 if i is None else i] for i in old])

    def load(self, scheduler: Any, state: Mapping[str, Any], groups: int) -> None:
        """Restore the values from a state that is known to have all of them."""
        for name in self.saved:
            self.by_name[name].load(scheduler, state[name])
        for name in ("base_lrs", *self.per_group):
            if len(values := getattr(scheduler, name)) != groups:
                raise ScheduleError(
                    f"the state has {name}={short(values)}; the optimizer has {groups} groups"
                )

    def resolve(self, scheduler: Any) -> DrivePlan:
        """Return the plan of a drop-in whose parameters were changed; an error names them all."""
        try:
            return scheduler._resolve()
        except ScheduleError:
            raise
        except (
            *(ValueError, TypeError, AttributeError),
            *(LookupError, ArithmeticError, RuntimeError),
        ) as error:
            names = ("base_lrs", *self.saved, *scheduler.callables())
            shown = ", ".join(f"{name}={short(getattr(scheduler, name))}" for name in names)
            raise ScheduleError(
                f"{type(scheduler).__name__} cannot go on with {shown}: {error}"
            ) from None

    @contextmanager
    def blamed(self, scheduler: Any, before: Mapping[str, Any], position: float) -> Generator[None]:
        """Name the loaded value that makes the block fail, where its previous value would not.

        If no single value is to blame, all are named.
        """
        try:
            yield
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            if isinstance(error, ScheduleError) and any(n in str(error) for n in self.saved):
                raise
            loaded = {name: vars(scheduler)[name] for name in ("base_lrs", *self.saved)}
            bad = [n for n in loaded if self._fits_with(scheduler, n, before[n], position)]
            shown = ", ".join(f"{name}={short(loaded[name])}" for name in bad[:1] or loaded)
            functions = "".join(f", {name} of the state" for name in scheduler.callables())
            raise ScheduleError(
                f"the state does not fit ({shown}{'' if bad else functions}): {error}"
            ) from None

    @staticmethod
    def _fits_with(scheduler: Any, name: str, value: Any, position: float) -> bool:
        """Return whether there are rates at a position with another value of one parameter."""
        present = vars(scheduler)
        loaded, present[name] = present[name], value
        try:
            scheduler.check_plan(position)
        except Exception:
            return False
        finally:
            present[name] = loaded
        return True


def check_alike(old: Sequence[int | None], name: str, values: Sequence[Any]) -> None:
    """Raise ValueError if a group was added and its value is not clear."""
    if None in old and any(value != values[0] for value in values):
        known = len(values)
        raise ValueError(
            f"group {known} was added, but {name}={values!r} is a list for {known} groups; "
            "build a new scheduler with a list for all"
        )
