"""A headless Chromium that is driven by its DevTools protocol, over a pipe: nothing to install."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
NO_BROWSER = f"no browser: none of {', '.join(NAMES)} is installed"
PATIENCE = 120.0

ALT, CTRL, SHIFT = 1, 2, 8
# The browser reads from file descriptor 3 and writes to 4.
_START = """
import os, sys
for to, own in ((101, int(sys.argv[1])), (102, int(sys.argv[2])), (3, 101), (4, 102)):
    os.dup2(own, to)
os.execv(sys.argv[3], sys.argv[3:])
"""
CODES = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
         "Delete": 46, "Escape": 27, "z": 90, "PageUp": 33}  # fmt: skip


class Browser:
    """A running browser; a page of it is one :class:`Page`."""

    def __init__(self, folder: Path) -> None:
        assert BROWSER is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--disable-extensions", "--mute-audio",
                 f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank")  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, str(to_browser), str(from_browser), BROWSER, *flags],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._rest, self._count = b"", 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": given}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while number not in self._answers:
            self.listen(until - time.monotonic())
        answer = self._answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def listen(self, seconds: float) -> None:
        """Take what the browser says, for at most so long."""
        if not select.select([self._read], [], [], max(seconds, 0.0))[0]:
            raise AssertionError("the browser does not answer")
        self._rest += os.read(self._read, 1 << 20)
        *messages, self._rest = self._rest.split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self.events.append(message)

    def page(self, width: int = 1200, height: int = 900, **look: Any) -> Page:
        """Open an empty page."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        opened = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        return Page(self, opened["sessionId"], context, width, height, **look)

    def close(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        os.close(self._write)
        os.close(self._read)


class Page:
    """A page of the browser."""

    def __init__(
        self, browser: Browser, session: str, context: str, width: int, height: int, *,
        touch: bool = False, dark: bool = False,
    ) -> None:  # fmt: skip
        self.browser, self.session, self.context = browser, session, context
        for domain in ("Page", "Runtime", "Network", "Accessibility", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if touch else 1, mobile=touch)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        if touch:
            self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        granted = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        browser.call("Browser.grantPermissions", browserContextId=context, permissions=granted)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **given)

    def goto(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                          returnByValue=True, userGesture=True)  # fmt: skip
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = PATIENCE) -> Any:
        """Wait until an expression is true, and return it."""
        until = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > until:
                raise AssertionError(f"never true: {script}; the page: {self.run(_STATE)}")
            time.sleep(0.02)
        return value

    def mouse(self, kind: str, x: float, y: float, modifiers: int = 0, clicks: int = 1) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                  clickCount=clicks, modifiers=modifiers)  # fmt: skip

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        self.call("Input.dispatchTouchEvent", type=kind,
                  touchPoints=[{"x": x, "y": y} for x, y in points])  # fmt: skip

    def key(self, name: str, modifiers: int = 0) -> None:
        code = CODES[name]
        given = {"key": name, "code": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        text = {"text": "\r"} if name == "Enter" else {}
        self.call(
            "Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **given, **text
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def centre(self, selector: str) -> tuple[float, float]:
        """Scroll to an element and return its middle."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return x, y

    def click(self, selector: str) -> None:
        x, y = self.centre(selector)
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def tree(self) -> list[dict[str, Any]]:
        """Return the accessibility tree: the role, the name and the value of each node."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            {key: node.get(key, {}).get("value") for key in ("role", "name", "value")}
            for node in nodes
            if not node.get("ignored")
        ]

    def requests(self) -> list[str]:
        """Return the addresses of all requests so far."""
        return [e["params"]["request"]["url"] for e in self._events("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Return the errors and warnings on the console."""
        said = [str(e["params"]["entry"]["text"]) for e in self._events("Log.entryAdded")]
        thrown = self._events("Runtime.exceptionThrown")
        return said + [str(e["params"]["exceptionDetails"]) for e in thrown]

    def _events(self, method: str) -> Iterator[dict[str, Any]] | list[dict[str, Any]]:
        self.run("1")
        mine = (e for e in self.browser.events if e.get("sessionId") == self.session)
        return [event for event in mine if event["method"] == method]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write a screenshot."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)


_STATE = "document.body?.innerText.slice(0, 500)"
