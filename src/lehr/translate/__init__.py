"""Other libraries' schedulers as schedules, one module for each library.

:func:`translate` reads a scheduler of another library, by its name and arguments or live.
"""

from lehr.translate.registry import Translation, libraries, names, reads, translate, translates

__all__ = ["Translation", "libraries", "names", "reads", "translate", "translates"]
