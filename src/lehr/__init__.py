"""lehr: learning-rate schedules, designed, driven and decided.

>>> import lehr
>>> s = lehr.warmup("10%") >> lehr.cosine(to=0.1)
>>> run = s.over(1_000)
>>> run(0), run(100), round(run(550), 3)
(0.0, 1.0, 0.55)

``lehr.torch`` drives optimizers with schedules; ``lehr compare`` on the command line shows which
schedule goes with which optimizer.
"""

from lehr.catalogue import ENTRIES, RULES, Entry, Rule, RuleEntry, find, find_rule
from lehr.catalogue.cyclic import (
    cyclic,
    exp_range,
    triangular,
    triangular2,
    warm_restarts,
)
from lehr.catalogue.decay.cosines import (
    cosine_power,
    k_decay_cosine,
    mirror_cosine,
    quarter_cosine,
    second_half_cosine,
    soft_cosine,
)
from lehr.catalogue.decay.curves import (
    chebyshev,
    complement_power,
    exp_hyperbolic,
    hyperbolic,
    k_decay,
    normalised_exponential,
    rex,
    tanh_decay,
)
from lehr.catalogue.decay.elementary import (
    constant,
    cosine,
    exponential,
    geometric,
    inverse,
    linear,
    multistep,
    piecewise_constant,
    polynomial,
    step,
)
from lehr.catalogue.decay.powers import (
    inverse_sqrt,
    noam,
    power_law,
    power_scheduler,
    relative_step,
)
from lehr.catalogue.derived import (
    proportional,
    range_ramp,
    swa,
)
from lehr.catalogue.feedback import (
    dlrs,
    greedy,
    plateau,
)
from lehr.catalogue.perturbed import noise
from lehr.catalogue.phases import (
    one_cycle,
    one_cycle_inverse,
    one_cycle_momentum,
    piecewise,
    slanted_triangular,
    trapezoid,
    wsd,
)
from lehr.catalogue.plans import (
    cosine_linear,
    cosine_then_floor,
    flat_cosine,
    infinite,
    power_cooldown,
    rewarm_cycles,
    wsd_s,
)
from lehr.catalogue.restarts import (
    hard_restarts,
    linear_cycles,
    polynomial_cycle,
    restart_list,
    warmup_restarts,
)
from lehr.catalogue.untuned import radam_warmup, untuned_exponential, untuned_linear
from lehr.catalogue.warmup import (
    complement_warmup,
    constant_factor,
    cosine_warmup,
    exponential_warmup,
    inverse_warmup,
    log_warmup,
    power_warmup,
    warmup,
)
from lehr.check import Finding, check
from lehr.curves.easing import Ease
from lehr.curves.functions import register
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
    # the catalogue
    "constant",
    "step",
    "multistep",
    "piecewise_constant",
    "exponential",
    "inverse",
    "linear",
    "polynomial",
    "cosine",
    "geometric",
    "normalised_exponential",
    "complement_power",
    "k_decay",
    "tanh_decay",
    "rex",
    "hyperbolic",
    "exp_hyperbolic",
    "chebyshev",
    "cosine_power",
    "k_decay_cosine",
    "quarter_cosine",
    "second_half_cosine",
    "mirror_cosine",
    "soft_cosine",
    "warmup",
    "constant_factor",
    "exponential_warmup",
    "log_warmup",
    "cosine_warmup",
    "power_warmup",
    "complement_warmup",
    "inverse_warmup",
    "untuned_linear",
    "untuned_exponential",
    "radam_warmup",
    "noam",
    "inverse_sqrt",
    "power_law",
    "power_scheduler",
    "relative_step",
    "warm_restarts",
    "triangular",
    "triangular2",
    "exp_range",
    "cyclic",
    "hard_restarts",
    "restart_list",
    "warmup_restarts",
    "linear_cycles",
    "polynomial_cycle",
    "trapezoid",
    "one_cycle",
    "wsd",
    "slanted_triangular",
    "one_cycle_inverse",
    "piecewise",
    "one_cycle_momentum",
    "flat_cosine",
    "wsd_s",
    "rewarm_cycles",
    "power_cooldown",
    "cosine_linear",
    "cosine_then_floor",
    "infinite",
    "swa",
    "proportional",
    "noise",
    "range_ramp",
    # time that passes
    "WallClock",
    "ENTRIES",
    "Entry",
    "find",
    # feedback rules
    "plateau",
    "greedy",
    "dlrs",
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
    "__version__",
]
