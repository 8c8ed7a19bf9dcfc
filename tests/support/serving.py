"""The studio's page, served in a thread of the test's own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from lehr.editor.evidence import Evidence
from lehr.editor.page import address, app, listening
from lehr.editor.sketch import Line, Sketch


@dataclass
class Served:
    """A running server."""

    token: str
    port: int
    start: str
    server: uvicorn.Server

    def link(self, *texts: str, roles: tuple[str, ...] = ()) -> str:
        """The address of a sketch with these texts."""
        lines = tuple(
            Line(roles[i] if i < len(roles) else "rate", text) for i, text in enumerate(texts)
        )
        with listening(0) as other:
            own = address(other, self.token, Sketch(lines))
            return own.replace(f":{other.getsockname()[1]}/", f":{self.port}/")


@contextmanager
def served(token: str = "a-token", evidence: Evidence | None = None) -> Iterator[Served]:
    at = listening(0)
    config = uvicorn.Config(app(token, evidence), log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [at]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = at.getsockname()[1]
    try:
        yield Served(token, port, f"http://127.0.0.1:{port}/{token}/", server)
    finally:
        server.should_exit = True
        thread.join(10)
        at.close()
