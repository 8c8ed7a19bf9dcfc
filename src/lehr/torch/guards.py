"""Guards: the mistakes that tutorials warn of, noticed while training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from lehr.errors import GuardError, ScheduleError
from lehr.torch.binding import warn

__all__ = ["GUARDS", "Guards", "Mode"]

Mode = Literal["error", "warn", "off"]

GUARDS: Final = {
    "order": "the scheduler was stepped before the optimizer",
    "per_epoch": "it was stepped once an epoch, and its schedule counts updates",
    "repeated": "it was stepped more than once an update",
    "skipped": "the gradient scaler skipped an update, so the schedule did not move",
    "past_end": "training went on past the end of the run",
    "warmup": "the warmup is longer than the run",
    "jump": "the rate rises at once by more than tenfold, to above anything before",
    "conflict": "somebody else drives the same number",
}
"""What each guard looks for."""

_QUIET: Final = ("skipped",)
"""Guards that are off unless asked for: what they tell is ordinary, and taken care of."""


class Guards:
    """What is to be done about each kind of mistake; each is told once.

    Arguments:
        given: ``"warn"``, ``"error"`` or ``"off"`` for all, or a mapping from names of guards (and
            ``"*"`` for the rest).

    Raises:
        ScheduleError: If a name or a mode is unknown.
    """

    def __init__(self, given: Mode | Mapping[str, Mode] = "warn") -> None:
        named: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"*": given}
        default = named.pop("*", "warn")
        for name in named:
            if name not in GUARDS:
                raise ScheduleError(f"guards: {name!r} is none; there are {', '.join(GUARDS)}")
        for mode in (default, *named.values()):
            if mode not in ("error", "warn", "off"):
                raise ScheduleError(f"guards: {mode!r} must be 'error', 'warn' or 'off'")
        self._modes: dict[str, Any] = {
            name: named.get(name, "off" if name in _QUIET else default) for name in GUARDS
        }
        self._told: set[str] = set()

    def watches(self, name: str) -> bool:
        """Return whether a guard still has something to tell."""
        return self._modes[name] != "off" and name not in self._told

    def tell(self, name: str, message: str) -> None:
        """Tell of a mistake, once.

        Raises:
            GuardError: If its guard was told to refuse it.
        """
        if self._modes[name] == "error":
            raise GuardError(f"{message} (guard {name!r})")
        if self.watches(name):
            self._told.add(name)
            warn(f"{message} (guard {name!r}; guards={{{name!r}: 'off'}} silences it)")
