"""Whether a device that is asked for is there."""

from __future__ import annotations

import torch

from lehr.lab.engines.base import EngineError

__all__ = ["check_device"]


def check_device(name: str) -> None:
    """Put a tensor on the device that torch calls so.

    Raises:
        EngineError: If there is no such device where this runs.
    """
    try:
        torch.zeros(1, device=name)
    # Builds of torch that lack a device say so by an assertion.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise EngineError(f"device={name!r} cannot be used ({reason}): write 'cpu'") from error
