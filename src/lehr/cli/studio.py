"""`lehr studio`: a schedule designed by hand, on a page that only this machine sees."""

from __future__ import annotations

import re
import secrets
import webbrowser
from pathlib import Path

import click

from lehr.catalogue import ENTRIES
from lehr.cli import Refused
from lehr.editor.evidence import Evidence
from lehr.editor.handles import place
from lehr.editor.sketch import Line, Sketch
from lehr.errors import ScheduleError

_TEXT = "warmup('5%') >> hold() >> cosine('20%', to=0.1)"


@click.command()
@click.argument("text", default=_TEXT)
@click.option("--over", default="10_000", show_default=True, help="The run: 5000, 90ep, 2Gtok.")
@click.option("--steps-per-epoch", type=click.IntRange(1), help="For a run in epochs.")
@click.option("--batch", type=click.IntRange(1), help="For a run in tokens: samples in an update.")
@click.option("--sequence", type=click.IntRange(1), help="For a run in tokens: tokens in a sample.")
@click.option("--momentum", metavar="TEXT", help="A schedule for the momentum beside it.")
@click.option(
    "--law",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A law of `lehr fit`: predict the final loss while something is moved.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="A store of `lehr compare`: show what training gave for the same shape.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="By default, any free port.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def studio(
    text: str,
    over: str,
    steps_per_epoch: int | None,
    batch: int | None,
    sequence: int | None,
    momentum: str | None,
    law: Path | None,
    store: Path | None,
    port: int,
    no_browser: bool,
) -> None:
    """Design a schedule by hand, in the browser.

    TEXT is the schedule to begin with, or a name from `lehr list`. The page is on this machine
    only, behind an address that cannot be guessed, and sends nothing anywhere else. Ctrl-C ends it;
    the link in the browser holds the whole design.
    """
    from lehr.editor.page import address, listening, serve  # Loads NumPy and the server.

    known = {"steps_per_epoch": steps_per_epoch, "batch": batch, "sequence": sequence}
    units = tuple((name, value) for name, value in known.items() if value is not None)
    lines = [Line("rate", ENTRIES[text].call if text in ENTRIES else text)]
    if momentum is not None:
        lines.append(Line("momentum", momentum))
    sketch = Sketch(tuple(lines), over, units)
    try:
        for line in lines:
            place(line.text, sketch.horizon)(0)
    except ScheduleError as error:
        # Other units need a Horizon in Python, and options here.
        message, _, units_of = str(error).partition("write .over(Horizon(..., ")
        options = [f"--{name.replace('_', '-')}" for name in re.findall(r"(\w+)=", units_of)]
        raise Refused(f"{message}give {' and '.join(options)}" if options else error) from None
    evidence = _evidence(law, store)
    try:
        at = listening(port)
    except OSError as error:
        raise Refused(f"--port {port}: {error.strerror}; leave it out for a free one") from None
    token = secrets.token_urlsafe(16)
    with at:
        link = address(at, token, sketch)
        click.echo(f"lehr studio is at {link}\nCtrl-C ends it.")
        if not no_browser:
            webbrowser.open(link)
        serve(at, token, evidence)
    click.echo("Stopped. The link in the browser's address bar has the whole design.")


def _evidence(law: Path | None, store: Path | None) -> Evidence:
    """Read the law and the comparisons that are shown beside the picture."""
    loaded = None
    if law is not None:
        from lehr.laws import LawError, load  # Loads SciPy.

        try:
            loaded = load(law)
        except (LawError, OSError) as error:
            raise Refused(f"--law {law}: {error}") from None
    if store is None:
        return Evidence(loaded)
    from lehr.cli.results import opened  # Loads rich.
    from lehr.lab.comparison import stored_results  # Loads NumPy and more.

    with opened(store) as found:
        return Evidence(loaded, tuple(stored_results(found)))
