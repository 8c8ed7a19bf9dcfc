"""The decay family: elementary decays, other curves, cosines and powers."""

# The order in which the files are read is the order in which the schedules are listed.
from lehr.catalogue.decay import elementary, curves, cosines, powers  # noqa: I001

__all__ = ["cosines", "curves", "elementary", "powers"]
