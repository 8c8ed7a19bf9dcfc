"""lehr: design, drive and choose learning-rate schedules.

>>> import lehr
>>> s = lehr.warmup("10%") >> lehr.cosine(to=0.1)
>>> run = s.over(1_000)
>>> run(0), run(100), round(run(550), 3)
(0.0, 1.0, 0.55)

``lehr.torch`` drives optimizers with schedules; ``lehr compare`` on the command line shows which
schedule suits which optimizer.
"""

from lehr.catalogue import (
    ENTRIES,
    RULES,
    Entry,
    Rule,
    RuleEntry,
    find_entries,
    find_entry,
    find_rule,
)
from lehr.catalogue import cyclic as _cyclic
from lehr.catalogue import decay as _decay
from lehr.catalogue import derived as _derived
from lehr.catalogue import feedback as _feedback
from lehr.catalogue import phases as _phases
from lehr.catalogue import warmup as _warmup
from lehr.catalogue.cyclic import *  # noqa: F403
from lehr.catalogue.decay import *  # noqa: F403
from lehr.catalogue.derived import *  # noqa: F403
from lehr.catalogue.feedback import *  # noqa: F403
from lehr.catalogue.phases import *  # noqa: F403
from lehr.catalogue.warmup import *  # noqa: F403
from lehr.check import Finding, check
from lehr.curves.easing import Ease
from lehr.curves.functions import register
from lehr.editor.notebook import studio
from lehr.errors import (
    GuardError,
    NeedsClock,
    NeedsHorizon,
    PastEnd,
    ScheduleError,
    UnknownSchedule,
)
from lehr.export import export
from lehr.notation import ParseError, from_dict, from_json, parse
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.schedule.leaves import formula, hold, ramp, table
from lehr.time.duration import Duration
from lehr.translate import Translation, translate

# Registers the pictures for notebooks.
from lehr.view import notebook as _notebook  # noqa: F401  # pyright: ignore[reportUnusedImport]
from lehr.walltime.wallclock import WallClock

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
    # elapsed time
    "WallClock",
    # the catalogue
    "ENTRIES",
    "Entry",
    "find_entry",
    "find_entries",
    "RULES",
    "Rule",
    "RuleEntry",
    "find_rule",
    # texts and dicts
    "parse",
    "from_dict",
    "from_json",
    "register",
    # errors
    "ScheduleError",
    "check",
    "Finding",
    "GuardError",
    "NeedsHorizon",
    "NeedsClock",
    "PastEnd",
    "UnknownSchedule",
    "ParseError",
    # translation
    "translate",
    "export",
    "Translation",
    # by hand
    "studio",
    "__version__",
]

# The schedules and the feedback rules, by the `__all__` of their families.
__all__ += _decay.__all__
__all__ += _warmup.__all__
__all__ += _cyclic.__all__
__all__ += _phases.__all__
__all__ += _derived.__all__
__all__ += _feedback.__all__
