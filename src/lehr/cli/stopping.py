"""The first Ctrl-C or SIGTERM stops in order and says so; the second ends the program at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

_LAST = 1.0  # seconds for an orderly end after a second signal

# The real one: while a user's code runs, calls of os._exit raise an error.
_END = os._exit

_WORD = "Stopping: unfinished trials start again next time. Once more to stop at once.\n"


class Stop:
    """The signals that have asked this program to stop.

    Attributes:
        farewell: The last line of the program if a second signal ends it.
    """

    def __init__(self) -> None:
        self.farewell = "Stopped."
        self._first: int | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of a program that this signal ended, as shells count it."""
        return 128 + (self._first or signal.SIGINT)

    def handle(self, number: int, _: object) -> None:
        """Stop the program in order; at the second signal, at once.

        Raises:
            KeyboardInterrupt: At the first signal.
        """
        if self._first is None:
            self._first = number
            _write(_WORD)
            raise KeyboardInterrupt
        # Killing these processes ends the wait for them, and the orderly end continues.
        for child in multiprocessing.active_children():
            child.kill()
        end = threading.Timer(_LAST, self._end)
        end.daemon = True
        end.start()

    def _end(self) -> None:
        _write(f"{self.farewell}\n")
        _END(self.exit_code)


def _write(text: str) -> None:
    # Unbuffered, because the signal may have come while Python was writing to its own stream.
    os.write(2, text.encode(errors="replace"))


@contextmanager
def stoppable() -> Generator[Stop]:
    """Handle Ctrl-C and SIGTERM for the length of a block."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may handle signals
        return
    before = {
        number: signal.signal(number, stop.handle) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
