"""A time limit for a task's code, which can only be interrupted by ending its process."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from lehr.lab.errors import TrialError

_Answer = TypeVar("_Answer")

# The real function: while a user's code runs, os._exit is replaced by one that raises.
END = os._exit

_LAST = 0.5  # seconds for the result to leave this process before it ends
_STUCK = 5.0  # seconds until a process is killed in which Python itself no longer runs


def within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    """Call a function in its own thread, and return its result.

    If it takes too long, this process ends half a second after the error is raised, because the
    function cannot be stopped: call this in workers only.

    Raises:
        TrialError: If it takes longer; the trace shows where it was.
    """
    future: Future[_Answer] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    errors = sys.__stderr__ or sys.stderr
    faulthandler.dump_traceback_later(seconds + _STUCK, exit=True, file=errors)
    try:
        thread.start()
        thread.join(seconds)
    finally:
        faulthandler.cancel_dump_traceback_later()
    if future.done():
        return future.result()
    frame = sys._current_frames().get(thread.ident or 0)
    trace = "".join(traceback.format_stack(frame)) if frame else ""
    end = threading.Timer(_LAST, END, [1])
    end.daemon = True
    end.start()
    reason = f"it took longer than {seconds:g} s, and was stopped"
    raise TrialError(reason, f"{reason}; it was here:\n{trace}")
