"""Feedback rules: factors of the rate that depend on a metric rather than on time.

A rule is a frozen value with three pure functions (:class:`~lehr.catalogue.registry.Rule`):

>>> rule = plateau(factor=0.5, patience=1)
>>> state = rule.init()
>>> for loss in (1.0, 0.9, 0.95, 0.93, 0.92):
...     state = rule.update(state, loss)
>>> rule.value(state)
0.5

The state consists of plain JSON types, and the value is a factor of the base rate, like a
schedule's. A state from a file is checked by ``check_state`` before the rule continues from it.
"""

from lehr.catalogue.feedback import comparing, slope
from lehr.catalogue.feedback.comparing import *  # noqa: F403
from lehr.catalogue.feedback.comparing import Mode as Mode
from lehr.catalogue.feedback.comparing import ThresholdMode as ThresholdMode
from lehr.catalogue.feedback.slope import *  # noqa: F403

__all__: list[str] = []
__all__ += comparing.__all__
__all__ += slope.__all__
