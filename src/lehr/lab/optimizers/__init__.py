"""Optimizers given as text: ``adam``, ``adamw(weight_decay=0.1)``, ``lion.py:Lion``."""

from lehr.lab.optimizers.entry import (
    OptimizerEntry,
    arguments_of,
    canonical,
    find_optimizer,
    identity,
    label,
    unpinned,
    with_setting,
)

__all__ = [
    "OPTIMIZERS",
    "OptimizerEntry",
    "arguments_of",
    "canonical",
    "find_optimizer",
    "identity",
    "label",
    "unpinned",
    "with_setting",
]

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam", "adamw")
"""The optimizers that are compared by default."""
