"""torch: every scheduler of ``torch.optim``, by name, from a saved state, or live.

Nothing here imports torch, but for a ``faithful`` translation of a container that torch runs in a
way of its own: that is replayed by torch itself.
"""

from lehr.translate.torch import containers, cycles, decays, live

__all__ = ["containers", "cycles", "decays", "live"]
