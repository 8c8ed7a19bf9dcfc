"""What workers share of the memory."""

import pytest

from lehr.lab.engines.base import EngineError, Means
from lehr.lab.memory import own_bytes


def test_a_process_knows_what_it_took() -> None:
    assert 10 * 2**20 < own_bytes() < 2**40


def test_workers_share_what_this_process_leaves() -> None:
    assert Means(own_bytes() + 1000).shared(4) == Means(250)
    assert Means().shared(4) == Means()
    with pytest.raises(EngineError, match="too little: this process alone takes"):
        Means(own_bytes()).shared(1)


def test_the_memory_of_a_device_is_its_own() -> None:
    assert Means(1000, "cuda").shared(4) == Means(250, "cuda")
