"""The catalogue: every named schedule, a family a file.

An entry is a function of a few lines of algebra together with its formula, its paper and its names
elsewhere. To add one, write it into its family's file under :func:`entry`; everything else reads
:data:`ENTRIES`.
"""

# The order in which the families are read is the order in which they are listed.
from lehr.catalogue import decay, warmup, cyclic, phases  # noqa: I001
from lehr.catalogue.registry import ENTRIES, Entry, Paper, entry, find

__all__ = ["ENTRIES", "Entry", "Paper", "cyclic", "decay", "entry", "find", "phases", "warmup"]
