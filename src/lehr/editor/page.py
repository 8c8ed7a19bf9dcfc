"""The studio as a page on loopback: it keeps no state, and sends nothing anywhere else."""

from __future__ import annotations

import json
import socket
from functools import partial
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from lehr.extras import needs

with needs("lehr studio", "studio", "starlette", "uvicorn", "anyio"):
    import anyio.to_thread
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Mount, Route

from lehr.editor.answer import answer
from lehr.editor.evidence import Evidence
from lehr.editor.sketch import Sketch

MOST: Final = 262_144
"""The most bytes of a request: six lines of the longest texts, twice over."""

_TYPES: Final = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "studio.css": "text/css; charset=utf-8",
    "studio.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_LOOPBACK: Final = "127.0.0.1"


def app(token: str, evidence: Evidence | None = None) -> Starlette:
    """Return the page as an ASGI application; every path begins with the secret `token`."""

    async def ask(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST:
                return Response("too long", 413, _HEADERS)
        try:
            given: Any = json.loads(body)
        except (ValueError, RecursionError):
            return Response("not JSON", 400, _HEADERS)
        work = partial(answer, given if isinstance(given, dict) else {}, evidence or Evidence())
        return JSONResponse(await anyio.to_thread.run_sync(work), headers=_HEADERS)

    routes = [
        Route("/ask", ask, methods=["POST"]),
        Route("/", _asset),
        Route("/{name}", _asset),
    ]
    # Requests under another site's name that leads to this machine are refused.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[_LOOPBACK, "localhost"])
    return Starlette(routes=[Mount(f"/{token}", routes=routes)], middleware=[hosts])


async def _asset(request: Request) -> Response:
    name = request.path_params.get("name", "page.html")
    if name not in _TYPES:
        return Response("not found", 404, _HEADERS)
    content = (files("lehr.editor") / "assets" / name).read_bytes()
    return Response(content, headers=_HEADERS, media_type=_TYPES[name])


def listening(port: int) -> socket.socket:
    """Return a socket on loopback; port 0 is any that is free.

    Raises:
        OSError: If the port is taken.
    """
    # Named as TCP, or asyncio would leave Nagle's algorithm on: each answer would take 40 ms more.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((_LOOPBACK, port))
        # From now on, a browser that connects early waits for its answer.
        found.listen()
    except BaseException:
        found.close()
        raise
    return found


def address(at: socket.socket, token: str, sketch: Sketch) -> str:
    """Return the address of the page with a sketch, which is in the fragment."""
    usual = Sketch(sketch.lines).to_dict()
    needed = {
        name: value
        for name, value in sketch.to_dict().items()
        if name == "lines" or value != usual[name]
    }
    # These mean nothing in a fragment, and are easier to read as they are.
    fragment = quote(json.dumps(needed, separators=(",", ":")), safe="{}[]():,'*/=")
    return f"http://{_LOOPBACK}:{at.getsockname()[1]}/{token}/#{fragment}"


def serve(at: socket.socket, token: str, evidence: Evidence | None = None) -> None:
    """Answer requests until Ctrl-C."""
    config = uvicorn.Config(
        app(token, evidence),
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    try:
        uvicorn.Server(config).run(sockets=[at])
    except KeyboardInterrupt:
        # The server has shut down in order before it passes the signal on.
        return
