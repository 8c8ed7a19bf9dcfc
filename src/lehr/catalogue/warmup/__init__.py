"""The warmup family: rises of a given length, and rises determined by Adam's betas."""

from lehr.catalogue.warmup import elementary, untuned
from lehr.catalogue.warmup.elementary import *  # noqa: F403
from lehr.catalogue.warmup.untuned import *  # noqa: F403

__all__: list[str] = []
__all__ += elementary.__all__
__all__ += untuned.__all__
