"""The share of the memory that each worker gets."""

import subprocess
import sys

import pytest

from lehr.lab.errors import EngineError
from lehr.lab.resources import Resources, own_bytes


def test_a_process_knows_what_it_took() -> None:
    assert 10 * 2**20 < own_bytes() < 2**40


def test_the_memory_of_the_process_that_started_it_is_not_its_own() -> None:
    program = (
        "import subprocess, sys; held = bytearray(2**29); child = 'from lehr.lab.resources import "
        "own_bytes; print(own_bytes())'; subprocess.run([sys.executable, '-c', child], check=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2**29


def test_workers_share_what_this_process_leaves() -> None:
    assert Resources(own_bytes() + 1000).shared(4) == Resources(250)
    assert Resources().shared(4) == Resources()
    with pytest.raises(EngineError, match="too little: this process alone takes"):
        Resources(own_bytes()).shared(1)


def test_the_memory_of_a_device_is_its_own() -> None:
    assert Resources(1000, "cuda").shared(4) == Resources(250, "cuda")
