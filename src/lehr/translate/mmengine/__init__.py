"""mmengine: its parameter schedulers, alone and in a list, with their own arguments.

The values are factors of the optimizer's rate (``OneCycleLR`` alone gives rates). The schedulers
of the momentum leave the rate alone, and give the momentum. A scheduler acts on the steps from
``begin`` up to, but without, ``end``; outside, the rate stays as it is, so a cosine over its own
window never reaches its end, and holds its value of one step before. An absolute ``eta_min``
becomes a factor by ``lr`` (or by ``momentum``). ``epoch_length`` turns epochs into steps, as
``convert_to_iter_based`` does.
"""

from lehr.translate.mmengine import combined, schedulers, windows

__all__ = ["combined", "schedulers", "windows"]
