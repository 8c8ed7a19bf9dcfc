"""The catalogue: every named schedule, with a folder for each family and related ones in a file.

An entry is a function of a few lines of algebra together with its formula, its paper and its names
in other libraries. To add one, write it under :func:`entry` in the file of related ones and add its
name to that file's ``__all__``; everything else reads :data:`ENTRIES`. Rules that follow a metric
rather than time are in :data:`RULES`.
"""

# The order in which the families are read is the order in which they are listed.
from lehr.catalogue import decay, warmup, cyclic, phases, derived, feedback  # noqa: I001
from lehr.catalogue.registry import (
    ENTRIES,
    RULES,
    Entry,
    Paper,
    Rule,
    RuleEntry,
    entry,
    find_entry,
    find_entries,
    find_rule,
    nearest,
)

__all__ = [
    "ENTRIES",
    "RULES",
    "Entry",
    "Paper",
    "Rule",
    "RuleEntry",
    "cyclic",
    "decay",
    "derived",
    "entry",
    "feedback",
    "find_entry",
    "find_entries",
    "find_rule",
    "nearest",
    "phases",
    "warmup",
]
