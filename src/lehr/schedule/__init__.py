"""The algebra of schedules: leaves, operators, and the runs that they are placed over."""

# Importing these registers the classes that the operators of a schedule make.
from lehr.schedule import leaves, sequence, times, values

__all__ = ["leaves", "sequence", "times", "values"]
