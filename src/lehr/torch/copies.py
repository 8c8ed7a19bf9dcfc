"""Copies of a driver: what an error puts back, and what is pickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Final

from lehr.torch.shared import shared_of
from lehr.torch.writers import Lookahead

# What pickling leaves out: it is computed or found again.
_LINKED: Final = ("_shared", "_owner", "_stepped")


def attributes_of(scheduler: Any) -> dict[str, Any]:
    """Return all attributes of an object, those in slots included."""
    slots = [name for kind in type(scheduler).__mro__ for name in vars(kind).get("__slots__", ())]
    in_slots = {name: getattr(scheduler, name) for name in slots if hasattr(scheduler, name)}
    return {**vars(scheduler), **in_slots}


def set_attributes(scheduler: Any, attributes: Mapping[str, Any]) -> None:
    """Replace all attributes of an object."""
    vars(scheduler).clear()
    for name, value in attributes.items():
        setattr(scheduler, name, value)


def _kept(value: Any) -> Any:
    """Return a value with copies of the lists and dicts in it."""
    if type(value) is list:
        return [_kept(item) for item in value]
    if type(value) is dict:
        return {key: _kept(item) for key, item in value.items()}
    return value


def snapshot(driver: Any) -> Callable[[], None]:
    """Return a function that puts all attributes back as they are now."""
    attributes = {
        **attributes_of(driver),
        **{name: _kept(value) for name, value in vars(driver).items()},
        "_known": list(driver._known),
        "_ahead": driver._ahead.emptied(driver._position),
        "_guards": copy(driver._guards),
        "membership": copy(driver.membership),
    }
    restore_shared = shared_of(driver._optimizers).snapshot()

    def restore() -> None:
        set_attributes(driver, attributes)
        restore_shared()

    return restore


def pickled(driver: Any) -> dict[str, Any]:
    """Return all attributes but those that are computed or found again, for pickling."""
    driver._attach().notice()
    ahead = Lookahead(driver._position)
    return {**attributes_of(driver), **dict.fromkeys(_LINKED), "_ahead": ahead}


def restore_pickled(driver: Any, state: dict[str, Any]) -> None:
    """Restore the attributes that were pickled; the current values are its own."""
    set_attributes(driver, state)
    driver._attach().hold(driver.plan.slots)
