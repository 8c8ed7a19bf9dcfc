"""The resources of a worker: its memory and its device."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lehr.lab.errors import EngineError

if sys.platform != "win32":
    import resource


class Resources(NamedTuple):
    """The memory, device, time and files of a worker.

    Attributes:
        memory: Bytes that training may take; None leaves it unbounded.
        device: The device of its tensors, as torch names it.
        timeout: Seconds that a trial may take; None sets no limit.
        folder: The parent of the trial folders of users' own trainings.
        directory: The directory in which such a training runs.
        files: The content of users' Python files, by their pinned names.
    """

    memory: int | None = None
    device: str = "cpu"
    timeout: float | None = None
    folder: str = ""
    directory: str = ""
    files: Mapping[str, bytes] = {}

    def shared(self, jobs: int) -> Resources:
        """Return the share of each of `jobs` workers on this machine, in addition to this process.

        Raises:
            EngineError: If this process alone takes up all of the memory.
        """
        if self.memory is None:
            return self
        left = self.memory - (own_bytes() if self.device == "cpu" else 0)
        if left <= 0:
            raise EngineError(
                f"memory={self.memory:,} bytes are too little: this process alone takes "
                f"{own_bytes():,}"
            )
        return self._replace(memory=left // jobs)


@cache
def own_bytes() -> int:
    """Return the peak memory of this process in bytes, measured once.

    Raises:
        ValueError: On systems that do not report it.
    """
    if sys.platform == "win32":
        raise ValueError("memory cannot be bounded on Windows, which does not report what is used")
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        if found := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
            return 1024 * int(found[1])
    # On Linux it is at least the parent process's.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def check_name(device: str) -> None:
    """Check that torch knows the kind of a device, without using the device.

    Raises:
        EngineError: If it does not.
    """
    import torch  # It takes a second to load, so only here.

    try:
        torch.device(device)
    except RuntimeError:
        raise EngineError(
            f"device={device!r:.80} is not a device of torch: write cpu or cuda:0"
        ) from None


def check_device(name: str) -> None:
    """Try to put a tensor on a device.

    Raises:
        EngineError: If torch cannot use that device here.
    """
    import torch  # It takes a second to load, so only here.

    try:
        torch.zeros(1, device=name)
    # Builds of torch that lack a device raise an AssertionError.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise EngineError(f"device={name!r} cannot be used ({reason}): write 'cpu'") from error
