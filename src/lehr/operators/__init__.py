"""The operators: what schedules are made of other schedules.

Nobody writes these names: they are what ``a >> b``, ``a * b``, ``a + b``, ``s[a:b]`` and the
methods of :class:`~lehr.schedule.Schedule` build.
"""

from lehr.operators.sequence import Sequence
from lehr.operators.times import Over, Repeat, Slice
from lehr.operators.values import Clip, Every, Product, Sum

__all__ = ["Clip", "Every", "Over", "Product", "Repeat", "Sequence", "Slice", "Sum"]
