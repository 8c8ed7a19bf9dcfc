"""A time limit for the code of a task, which nothing can interrupt but the end of its process."""

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

# The real one: while a user's code runs, calls of os._exit raise an error.
END = os._exit

_LAST = 0.5  # seconds for the result to leave this process before it ends
_STUCK = 5.0  # seconds until a process is ended in which not even Python runs any more


def within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    """Call a function, in a thread of its own, and return its result.

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
