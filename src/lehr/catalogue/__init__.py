"""The catalogue: every named schedule, a kind a file.

An entry is a function of a few lines of algebra together with its formula, its paper and its names
elsewhere. To add one, write it into its family's file under :func:`entry`; everything else reads
:data:`ENTRIES`. Rules that follow a metric rather than the time are in :data:`RULES`.
"""

# The order in which the families are read is the order in which they are listed.
from lehr.catalogue import (  # noqa: I001
    decay,
    warmup,
    untuned,
    cyclic,
    restarts,
    phases,
    plans,
    derived,
    perturbed,
    feedback,
)
from lehr.catalogue.registry import (
    ENTRIES,
    RULES,
    Entry,
    Paper,
    Rule,
    RuleEntry,
    State,
    entry,
    find,
    find_rule,
    rule,
)

__all__ = [
    "ENTRIES",
    "RULES",
    "Entry",
    "Paper",
    "Rule",
    "RuleEntry",
    "State",
    "cyclic",
    "decay",
    "derived",
    "entry",
    "feedback",
    "find",
    "find_rule",
    "perturbed",
    "phases",
    "plans",
    "restarts",
    "rule",
    "untuned",
    "warmup",
]
