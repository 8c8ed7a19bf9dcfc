"""Between libraries: other libraries' schedulers as schedules, and schedules as their code.

:func:`translate` reads a scheduler of another library, by its name and arguments or live;
:func:`export` writes a schedule as code for another library. A library is a module here.
"""

from lehr.translate.export import export
from lehr.translate.registry import Translation, libraries, names, reads, translate, translates

__all__ = [
    "Translation",
    "export",
    "libraries",
    "names",
    "reads",
    "translate",
    "translates",
]
