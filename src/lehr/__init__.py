"""lehr: learning-rate schedules, designed, driven and decided.

>>> import lehr
>>> s = lehr.warmup("10%") >> lehr.cosine(to=0.1)
>>> run = s.over(1_000)
>>> run(0), run(100), round(run(550), 3)
(0.0, 1.0, 0.55)

``lehr.torch`` drives optimizers with schedules; ``lehr compare`` on the command line shows which
schedule goes with which optimizer.
"""

from lehr.catalogue import ENTRIES, Entry, find
from lehr.catalogue.cyclic import cyclic, exp_range, triangular, triangular2, warm_restarts
from lehr.catalogue.decay import (
    constant,
    cosine,
    exponential,
    geometric,
    inverse,
    linear,
    multistep,
    polynomial,
    step,
)
from lehr.catalogue.phases import one_cycle, one_cycle_momentum, trapezoid, wsd
from lehr.catalogue.warmup import warmup
from lehr.easing import Ease
from lehr.errors import NeedsHorizon, PastEnd, ScheduleError, UnknownSchedule
from lehr.horizon import Duration, Horizon
from lehr.leaves import formula, hold, ramp, table
from lehr.schedule import Schedule

__version__ = "0.1.0"

__all__ = [
    "Schedule",
    "Horizon",
    "Duration",
    "Ease",
    # leaves
    "hold",
    "ramp",
    "table",
    "formula",
    # the catalogue
    "constant",
    "step",
    "multistep",
    "exponential",
    "inverse",
    "linear",
    "polynomial",
    "cosine",
    "geometric",
    "warm_restarts",
    "triangular",
    "triangular2",
    "exp_range",
    "cyclic",
    "trapezoid",
    "one_cycle",
    "one_cycle_momentum",
    "wsd",
    "warmup",
    "ENTRIES",
    "Entry",
    "find",
    # errors
    "ScheduleError",
    "NeedsHorizon",
    "PastEnd",
    "UnknownSchedule",
    "__version__",
]
