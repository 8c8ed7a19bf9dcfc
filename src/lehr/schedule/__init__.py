"""The algebra of schedules: leaves, operators, and the runs that they are placed over."""

# The operators of a schedule find the classes that they make among the kinds that these register.
from lehr.schedule import leaves, sequence, times, values

__all__ = ["leaves", "sequence", "times", "values"]
