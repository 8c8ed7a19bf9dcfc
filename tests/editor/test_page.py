"""The server: its own token, its own host, small bodies; nothing that the page could leak."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("starlette", reason="starlette: lehr[studio] has it")
pytest.importorskip("uvicorn", reason="uvicorn: lehr[studio] has it")

from lehr.editor.page import MOST, address, listening
from lehr.editor.sketch import Line, Sketch
from serving import Served, served

REQUEST = {"v": 1, "sketch": {"lines": [{"role": "rate", "text": "cosine()"}]}, "size": [700, 400]}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as one:
        yield one


def fetch(
    server: Served, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=400)
    link.request(method, path, body, headers or {})
    reply = link.getresponse()
    found = reply.status, reply.read(), {k.lower(): v for k, v in reply.getheaders()}
    link.close()
    return found


def test_it_answers_who_knows_the_token(server: Served) -> None:
    status, body, headers = fetch(server, "POST", f"/{server.token}/ask", json.dumps(REQUEST))
    assert status == 200
    assert json.loads(body)["words"].startswith("The rate over 10,000 steps")
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["", "studio.js", "start.js", "studio.css", "page.css"])
def test_every_file_has_a_strict_policy(server: Served, name: str) -> None:
    status, body, headers = fetch(server, "GET", f"/{server.token}/{name}")
    assert status == 200
    assert body
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_the_front_end_names_no_other_place(server: Served) -> None:
    for name in ("", "studio.js", "start.js", "studio.css", "page.css"):
        text = fetch(server, "GET", f"/{server.token}/{name}")[1].decode()
        text = text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 404),
        ("/wrong-token/", {}, 404),
        ("/{token}/page.py", {}, 404),
        ("/{token}/..%2fpage.py", {}, 404),
        ("/{token}/../page.py", {}, 404),
        ("/{token}/ask", {}, 404),
        ("/{token}/", {"Host": "evil.example"}, 400),
        ("/{token}/", {"Host": "127.0.0.1.evil.example"}, 400),
    ],
)
def test_everything_else_is_refused(
    server: Served, path: str, headers: dict[str, str], status: int
) -> None:
    assert fetch(server, "GET", path.format(token=server.token), None, headers)[0] == status


def chunks() -> Iterator[bytes]:
    for _ in range(MOST // 1000 + 1):
        yield b"x" * 1000


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"x" * (MOST + 1), 413), (chunks(), 413), (b"{", 400), (b"\xff", 400), (b"[" * 100_000, 400),
     (b"[]", 200), (b"null", 200)],
    ids=["long", "long, in chunks", "cut", "no text", "deep", "a list", "null"],
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused(server: Served, body: Any, status: int) -> None:
    found, content, _ = fetch(server, "POST", f"/{server.token}/ask", body)
    assert found == status
    if status == 200:
        assert json.loads(content)["error"]


def test_the_address_holds_the_design_where_no_server_sees_it() -> None:
    sketch = Sketch((Line("rate", "warmup('5%') >> cosine()  # ü & <b>"),), "90ep",
                    (("steps_per_epoch", 100),))  # fmt: skip
    with listening(0) as at:
        link = urlsplit(address(at, "token", sketch))
    assert (link.hostname, link.path) == ("127.0.0.1", "/token/")
    assert " " not in link.fragment
    assert Sketch.of(json.loads(unquote(link.fragment))) == sketch


def test_it_listens_on_loopback_only() -> None:
    with listening(0) as at:
        assert at.getsockname()[0] == "127.0.0.1"
        # With another number asyncio would not send what is small at once.
        assert at.proto == socket.IPPROTO_TCP
        with pytest.raises(OSError, match="in use"):
            listening(at.getsockname()[1])
