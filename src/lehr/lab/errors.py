"""The errors of the lab."""


class EngineError(ValueError):
    """An unknown engine, or one that cannot run the request."""


class WorkerError(RuntimeError):
    """Workers that cannot be started, or that failed."""


class TaskError(ValueError):
    """A task that cannot be found or used; the message says why."""


class StoreError(ValueError):
    """A store of trials that cannot be used."""


class ExportError(RuntimeError):
    """A package that an export needs is missing, or failed."""


class TrialError(Exception):
    """The code of a task failed in training.

    Attributes:
        reason: One line: the class and the message of the error.
        trace: The traceback, of several lines.
    """

    def __init__(self, reason: str, trace: str) -> None:
        # Both are arguments of the exception, so that it can be sent between processes.
        super().__init__(reason, trace)
        self.reason, self.trace = reason, trace

    def __str__(self) -> str:
        return self.reason


class StoppedError(Exception):
    """Training was stopped before its end."""


def describe(error: BaseException) -> str:
    """Return the class and the first line of an error.

    Example:
        >>> describe(ValueError("too small\\nby far"))
        'ValueError: too small'
    """
    try:
        line = str(error).strip().partition("\n")[0]
    except Exception:  # a task's error may have a `__str__` that fails
        line = ""
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
