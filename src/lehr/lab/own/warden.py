"""Run one command, and make sure that no process of it remains, whatever it does.

This is a separate program that needs only the standard library. It reads a request, one line of
JSON, from its input; runs the command in its own session; and answers with one line of JSON. The
command and everything that it started are ended when it exits, when it takes too long, and when the
input is closed, as happens when the requesting program dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
_PATIENCE = 15.0  # seconds to wait for an earlier run in the same folder to end

_LOG = 1 << 20  # bytes of a log; one earlier log of that size is kept beside it
_TAIL = 1 << 16  # bytes from the end of each output that go into the answer

# Options of Linux's prctl.
_DEATH_SIGNAL, _SUBREAPER = 1, 36


class Log:
    """The end of an output, in a file of bounded size; data that cannot be written is dropped."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        self._size = 0
        try:
            self._file = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644
            )
        except OSError:
            self._file = -1

    def write(self, data: bytes) -> None:
        """Add to the file, which is moved to `<name>.old` when it is full."""
        if self._size + len(data) > _LOG:
            with contextlib.suppress(OSError):
                os.close(self._file)
                os.replace(self._path, f"{self._path}.old")
            self._open()
        # The training continues if the disk is full: it may make room itself.
        with contextlib.suppress(OSError):
            self._size += os.write(self._file, data)


def main() -> None:
    """Serve one request."""
    request = json.loads(sys.stdin.buffer.readline())
    answer = _run(request)
    # The requesting program may be gone.
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> dict[str, Any]:
    if not _locked(request["lock"]):
        return {"error": "another process is training this trial in its folder"}
    control = _control()
    if control is not None:
        # The children of a process that ends become children of this one, and can be found.
        control(_SUBREAPER, 1, 0, 0, 0)

    def die_with_parent() -> None:
        if control is not None:
            control(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)

    try:
        process = subprocess.Popen(
            request["argv"],
            cwd=request["cwd"],
            env=request["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except (OSError, ValueError) as error:
        return {"error": f"{request['argv'][0]!r:.200} cannot be run: {error}"}
    print(json.dumps({"group": process.pid}), flush=True)
    begun = time.monotonic()
    why, tails = _watch(process, request["timeout"], Log(request["log"]))
    _end(process)
    return {
        "ended": why,
        "code": process.returncode,
        "seconds": time.monotonic() - begun,
        "stdout": tails[0].decode(errors="replace"),
        "stderr": tails[1].decode(errors="replace"),
    }


def _locked(path: str) -> bool:
    """Lock a file until this process ends; return False if another process holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        else:
            return True


def _control() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "prctl", None)


def _watch(
    process: subprocess.Popen[bytes], timeout: float | None, log: Log
) -> tuple[str, list[bytes]]:
    """Copy the output until the command exits or times out, or the input is closed."""
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = [process.stdout.fileno(), process.stderr.fileno()]
    tails = dict.fromkeys(outputs, b"")
    exited = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    deadline = None if timeout is None else time.monotonic() + timeout

    def copy(output: int) -> bool:
        data = os.read(output, 1 << 16)
        log.write(data)
        tails[output] = (tails[output] + data)[-_TAIL:]
        return bool(data)

    why = "exit"
    watched = [0, *outputs] + ([] if exited is None else [exited])
    while process.poll() is None:
        left = 3600.0 if deadline is None else deadline - time.monotonic()
        if left <= 0:
            why = "timeout"
            break
        if exited is None:
            left = min(left, 0.05)
        ready = select.select(watched, [], [], min(left, 3600.0))[0]
        if 0 in ready and not os.read(0, 1 << 12):
            why = "stopped"
            break
        for output in outputs:
            if output in ready and not copy(output):
                watched.remove(output)
    if why != "exit":
        _ask_to_end(process, [output for output in outputs if output in watched], copy)
    # Its remaining output; processes that it started may go on writing indefinitely.
    _signal(process.pid, signal.SIGKILL)
    end = time.monotonic() + GRACE
    for output in outputs:
        while (
            output in watched
            and time.monotonic() < end
            and select.select([output], [], [], 0)[0]
            and copy(output)
        ):
            pass
    return why, [tails[output] for output in outputs]


def _ask_to_end(process: subprocess.Popen[bytes], outputs: list[int], copy: Any) -> None:
    """Send SIGTERM, and read on for a moment: a process that waits for its output cannot end."""
    _signal(process.pid, signal.SIGTERM)
    end = time.monotonic() + GRACE
    while process.poll() is None and (left := end - time.monotonic()) > 0:
        for output in select.select(outputs, [], [], min(left, 0.02))[0]:
            if not copy(output):
                outputs.remove(output)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill processes that have left the command's session, and wait for all to end."""
    process.wait()
    end = time.monotonic() + GRACE
    while (children := _children()) and time.monotonic() < end:
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _children() -> list[int]:
    """Return the children of this process, on Linux."""
    found: list[int] = []
    own = str(os.getpid())
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    # The name of the program, in brackets, may have spaces and brackets.
                    parent = file.read().rpartition(")")[2].split()[1]
            except (OSError, IndexError):
                continue
            if parent == own:
                found.append(int(name))
    return found


if __name__ == "__main__":
    main()
