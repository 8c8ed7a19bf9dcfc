"""torch: every scheduler of ``torch.optim``, by name, from a saved state, or live.

Only a ``faithful`` translation of a container that torch runs in a way of its own imports torch,
which then replays it.
"""

from lehr.translate.torch import containers, cycles, decays, live

__all__ = ["containers", "cycles", "decays", "live"]
