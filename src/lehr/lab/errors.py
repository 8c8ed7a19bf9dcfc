"""The errors of the lab."""

__all__ = [
    "EngineError",
    "ExportError",
    "StoppedError",
    "StoreError",
    "TaskError",
    "WorkerError",
]


class EngineError(ValueError):
    """An unknown engine, or one that cannot run the request."""


class WorkerError(RuntimeError):
    """Workers that cannot be started, or that failed."""


class TaskError(ValueError):
    """A task that cannot be found or used; the message says what is wrong with it."""


class StoreError(ValueError):
    """A store of trials that cannot be used."""


class ExportError(RuntimeError):
    """A package that an export needs is missing, or failed."""


class StoppedError(Exception):
    """Training was stopped before its end."""
