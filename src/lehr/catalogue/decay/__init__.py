"""The decay family: elementary decays, other curves, cosines and powers."""

# The order in which the files are read is the order in which the schedules are listed.
from lehr.catalogue.decay import elementary, curves, cosines, powers  # noqa: I001
from lehr.catalogue.decay.cosines import *  # noqa: F403
from lehr.catalogue.decay.curves import *  # noqa: F403
from lehr.catalogue.decay.elementary import *  # noqa: F403
from lehr.catalogue.decay.powers import *  # noqa: F403

__all__: list[str] = []
__all__ += elementary.__all__
__all__ += curves.__all__
__all__ += cosines.__all__
__all__ += powers.__all__
