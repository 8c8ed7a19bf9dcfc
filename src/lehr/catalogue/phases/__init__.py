"""The phases family: one peak, plans for long runs, and arbitrary points."""

# The order in which the files are read is the order in which the schedules are listed.
from lehr.catalogue.phases import one_peak, points, long_runs  # noqa: I001
from lehr.catalogue.phases.long_runs import *  # noqa: F403
from lehr.catalogue.phases.one_peak import *  # noqa: F403
from lehr.catalogue.phases.points import *  # noqa: F403

__all__: list[str] = []
__all__ += one_peak.__all__
__all__ += points.__all__
__all__ += long_runs.__all__
