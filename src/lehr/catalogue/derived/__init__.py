"""The derived family: made from another schedule, multiplied onto one, or for range tests."""

# The order in which the files are read is the order in which the schedules are listed.
from lehr.catalogue.derived import transforms, perturbed  # noqa: I001
from lehr.catalogue.derived.perturbed import *  # noqa: F403
from lehr.catalogue.derived.transforms import *  # noqa: F403

__all__: list[str] = []
__all__ += transforms.__all__
__all__ += perturbed.__all__
