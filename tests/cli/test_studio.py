"""`lehr studio`: it starts, says where it is, ends at Ctrl-C, and refuses what it cannot show."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("click", reason="needs lehr[cli]")
pytest.importorskip("uvicorn", reason="uvicorn: lehr[studio] has it")

from click.testing import CliRunner

from lehr.cli import lehr as command


def test_it_serves_until_ctrl_c() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lehr", "studio", "wsd", "--over", "90ep", "--steps-per-epoch",
         "100", "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    link = urlsplit(line.split()[-1])
    sketch = json.loads(unquote(link.fragment))
    assert sketch == {"lines": [{"role": "rate", "text": "wsd('10%', '20%')"}], "run": "90ep",
                      "units": {"steps_per_epoch": 100}}  # fmt: skip
    assert link.port is not None
    reached = http.client.HTTPConnection("127.0.0.1", link.port, timeout=400)
    reached.request("GET", link.path)
    assert reached.getresponse().status == 200
    reached.close()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=400)
    assert (process.returncode, errors) == (0, "")
    assert output.splitlines()[-1].startswith("Stopped.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cosin()"], "did you mean 'cosine'?"),
        (["cosine()", "--over", "ten"], "is not a duration"),
        (["cosine()", "--over", "90ep"], "in epochs: give --steps-per-epoch"),
        (["warmup('60%') >> linear('60%')"], "its shares"),
        (["--momentum", "x"], "unknown schedule 'x'"),
        (["--law", "no-such-file.json"], "no-such-file.json"),
        (["--store", "no-such-folder"], "no-such-folder"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["studio", *arguments, "--no-browser"])
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_port_that_is_taken_is_said() -> None:
    from lehr.editor.page import listening

    with listening(0) as other:
        port = other.getsockname()[1]
        done = CliRunner().invoke(command, ["studio", "--port", str(port), "--no-browser"])
    assert done.exit_code == 2
    assert f"--port {port}: Address already in use; leave it out for a free one" in done.output
