"""The widget in JupyterLab and marimo themselves: one drag, and its schedule follows."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("anywidget", reason="anywidget: lehr[notebook] has it")

from browser import BROWSER, NO_BROWSER, Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)]

TEXT = "warmup('5%') >> hold() >> cosine('20%', to=0.1)"
MARIMO = f"""
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    import lehr

    widget = mo.ui.anywidget(lehr.studio({TEXT!r}))
    widget
    return mo, widget


@app.cell
def _(mo, widget):
    widget.value
    mo.md(f"in Python: {{widget.widget.schedule!r}}")
    return
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def running(folder: Path, port: int, *command: str) -> Iterator[None]:
    """Run a notebook's server until the block ends."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    own = {"HOME": str(folder), "JUPYTER_PLATFORM_DIRS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=os.environ | own, **quiet
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    browser = Browser(tmp_path / "profile")
    yield browser.page(1300, 1000)
    browser.close()


# marimo puts a widget into a tree of its own.
FIND = """
(() => {
  const find = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.matches(".lehr-studio")) return element;
      const inside = element.shadowRoot && find(element.shadowRoot);
      if (inside) return inside;
    }
  };
  window.studio = find(document);
  return window.studio?.querySelectorAll(".knot").length === 4;
})()
"""
CENTRE = """
(() => {
  const dot = studio.querySelector(".knot:nth-child(2) .dot");
  dot.scrollIntoView({ block: "center" });
  const box = dot.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()
"""


def drag(page: Page) -> str:
    """Drag the end of the warmup, and return the text after that."""
    area = "studio.querySelector('textarea').value"
    page.wait(FIND)
    time.sleep(1)
    x, y = page.run(CENTRE)
    page.mouse("mousePressed", x, y)
    for i in range(1, 11):
        page.mouse("mouseMoved", x + 5 * i, y + 4 * i)
    page.wait(f"{area} !== {json.dumps(TEXT)}")
    page.mouse("mouseReleased", x + 50, y + 40)
    page.wait("!studio.querySelector('.held')")
    time.sleep(1)
    text = page.run(area)
    assert text.endswith(" >> hold() >> cosine('20%', to=0.1)")
    assert ", to=" in text.partition(">>")[0]
    own = ("http://127.0.0.1", "data:", "blob:", "chrome")
    assert [address for address in page.requests() if not address.startswith(own)] == []
    return text


def test_in_marimo(page: Page, tmp_path: Path) -> None:
    if importlib.util.find_spec("marimo") is None:
        pytest.skip("marimo is not installed")
    (tmp_path / "notebook.py").write_text(MARIMO)
    port = free_port()
    command = ("marimo", "run", "notebook.py", "--headless", "--no-token", "--port", str(port))
    with running(tmp_path, port, *command):
        page.goto(f"http://127.0.0.1:{port}/")
        text = drag(page)
        page.wait(f"document.body.innerText.includes({json.dumps('in Python: ' + text)})")


def test_in_jupyterlab(page: Page, tmp_path: Path) -> None:
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("jupyterlab is not installed")
    sources = [f"import lehr\nwidget = lehr.studio({TEXT!r})\nwidget",
               "print('in Python:', widget.schedule)"]  # fmt: skip
    cells = [{"cell_type": "code", "id": f"c{i}", "execution_count": None, "metadata": {},
              "outputs": [], "source": source} for i, source in enumerate(sources)]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebook.ipynb").write_text(json.dumps(notebook))
    port = free_port()
    command = ("jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
               "--IdentityProvider.token=", "--LabApp.news_url=None")  # fmt: skip
    with running(tmp_path, port, *command):
        page.goto(f"http://127.0.0.1:{port}/lab/tree/notebook.ipynb")
        page.wait("document.querySelectorAll('.jp-CodeCell .cm-content').length === 2")
        time.sleep(4)
        page.click(".jp-CodeCell .cm-content")
        page.key("Enter", 2)
        text = drag(page)
        page.run("document.querySelectorAll('.jp-CodeCell .cm-content')[1].focus()")
        page.key("Enter", 2)
        page.wait(f"document.body.innerText.includes({json.dumps('in Python: ' + text)})")
