"""timm: the schedulers of its factory by their names, and its classes by theirs.

The values are factors of the optimizer's rate; where an argument is a rate itself (``min_lr``,
``warmup_lr``, ``lr_min``, ``warmup_lr_init``), ``lr`` is that rate. A step of the schedule is
a step of timm's own counter: an epoch by default, an update with ``step_on_epochs=False`` or
``t_in_epochs=False``.

Unless ``warmup_prefix`` is given, the decay runs under the warmup, and the rate jumps down to it
when the warmup ends. That is timm's default, and is kept.
"""

from lehr.translate.timm import classes, factory

__all__ = ["classes", "factory"]
