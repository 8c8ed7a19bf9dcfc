"""The cyclic family: restarts at the peak, and triangles."""

# The order in which the files are read is the order in which the schedules are listed.
from lehr.catalogue.cyclic import triangles, restarts  # noqa: I001
from lehr.catalogue.cyclic.restarts import *  # noqa: F403
from lehr.catalogue.cyclic.triangles import *  # noqa: F403

__all__: list[str] = []
__all__ += triangles.__all__
__all__ += restarts.__all__
