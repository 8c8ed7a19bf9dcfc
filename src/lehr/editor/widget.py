"""The studio as a notebook widget."""

# ipywidgets leaves the types of its messages open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from lehr.extras import needs

with needs("lehr.studio", "notebook", "anywidget", "traitlets"):
    import anywidget
    import traitlets

from lehr.editor.answer import answer
from lehr.editor.evidence import Evidence
from lehr.editor.sketch import Sketch
from lehr.notation import parse
from lehr.schedule.base import Schedule

_ASSETS = Path(str(files("lehr.editor") / "assets"))


class Studio(anywidget.AnyWidget):
    """A studio in a cell; :func:`lehr.studio` makes one.

    Attributes:
        sketch: The lines and their run, as a dict; it follows after each gesture, and may be set.
    """

    _esm = _ASSETS / "studio.js"
    _css = _ASSETS / "studio.css"
    sketch = traitlets.Dict().tag(sync=True)

    def __init__(self, sketch: Sketch, evidence: Evidence | None = None) -> None:
        super().__init__(sketch=sketch.to_dict())
        self._evidence = evidence or Evidence()
        self.on_msg(self._answer)

    def _answer(self, _: object, request: Any, buffers: object) -> None:
        given = cast("dict[str, Any]", request) if isinstance(request, dict) else {}
        self.send(answer(given, self._evidence))

    @property
    def text(self) -> str:
        """The text of the selected line."""
        sketch = self._read()
        return sketch.lines[sketch.selected].text

    @property
    def schedule(self) -> Schedule:
        """The schedule of the selected line."""
        return parse(self.text)

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The first schedule of each role, by the name that a torch optimizer has for it."""
        names = {"rate": "lr", "momentum": "momentum", "weight decay": "weight_decay"}
        found: dict[str, Schedule] = {}
        for line in self._read().lines:
            found.setdefault(names[line.role], parse(line.text))
        return found

    def _read(self) -> Sketch:
        return Sketch.of(self.sketch)
