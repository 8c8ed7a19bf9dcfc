"""Waiting for what another process or thread does, however slow the machine is."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

PATIENCE = 400
"""Seconds after which something will not happen any more, on a machine with much else to do."""


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def session(leader: int) -> list[int]:
    """Return the living processes of a session, by Linux's table of processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, _, owner = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:  # it ended meanwhile
            continue
        if int(owner) == leader and state != "Z":
            found.append(int(entry.name))
    return found


def skip_without(engine: str) -> None:
    """Skip the test if an engine's library is not installed."""
    needs = {"dask": ("distributed", "lehr[dask]"), "ray": ("ray", "lehr[ray]")}
    library, extra = needs.get(engine, ("lehr", ""))
    if find_spec(library) is None:
        pytest.skip(f"needs {extra}")
