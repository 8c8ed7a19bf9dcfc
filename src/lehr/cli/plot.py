"""The command that draws schedules, in the terminal or into a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from lehr.catalogue import ENTRIES
from lehr.cli import Refused, console, refusing, writing
from lehr.cli.names import complete_schedules, find_schedule, split
from lehr.cli.steps import Steps
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.view.printable import printable
from lehr.view.scales import UNITS, Look, TimeUnit, Unit
from lehr.view.terminal import can_show_blocks, draw

if TYPE_CHECKING:
    from rich.console import Console


_WIDEST = 100
"""The widest drawing: more width would only make it flatter."""

_NO_LOOK = Look()


def drawing(
    schedules: Mapping[str, Schedule], steps: int, out: Console, look: Look = _NO_LOOK
) -> Text:
    """Return a drawing of schedules that fits an output."""
    width = min(out.width, _WIDEST if out.is_terminal else 80)
    return draw(
        schedules,
        steps,
        width=width,
        unicode=can_show_blocks(out.encoding),
        colour=out.color_system is not None and not out.no_color,
        look=look,
    )


@click.command()
@click.argument(
    "schedules",
    nargs=-1,
    required=True,
    metavar="SCHEDULE...",
    shell_complete=complete_schedules,
)
@click.option(
    "--steps",
    type=Steps(),
    default=1000,
    show_default=True,
    help="The run's length: 5000, or 10kst.",
)
@click.option(
    "--peak", type=float, default=1.0, help="The peak rate, which multiplies every value: 3e-4."
)
@click.option("--log", is_flag=True, help="Draw the rate on a log axis.")
@click.option("--momentum", is_flag=True, help="Draw the momentum of the schedules that have one.")
@click.option(
    "--units",
    type=click.Choice(UNITS),
    default="steps",
    show_default=True,
    help="The unit of the time axis. Epochs need --steps-per-epoch, samples --batch, and tokens "
    "--sequence too.",
)
@click.option("--steps-per-epoch", type=int, help="Updates in an epoch.")
@click.option("--samples-per-epoch", type=int, help="Samples in an epoch, instead of updates.")
@click.option("--batch", type=int, help="Samples in an update.")
@click.option("--sequence", type=int, help="Tokens in a sample.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture, .png or .svg, instead of drawing here.",
)
def plot(
    schedules: tuple[str, ...],
    steps: int,
    peak: float,
    log: bool,
    momentum: bool,
    units: Unit,
    out: Path | None,
    **run: int | None,
) -> None:
    """Draw schedules, here or into a file.

    A SCHEDULE is a name that `lehr list` has, or a text such as 'warmup(0.1) >> cosine()'. Give
    several with spaces or commas between them.
    """
    texts = [text for given in schedules for text in split(given)]
    drawn = {text: find_schedule(text) for text in texts}
    # A run may be too short for a schedule, and a file of another kind.
    with refusing(ValueError):
        given: dict[str, Any] = {name: value for name, value in run.items() if value is not None}
        horizon = Horizon(steps, **given)
        look = Look(TimeUnit.of(units, horizon), peak, log)
        rates = {text: schedule.over(horizon) for text, schedule in drawn.items()}
        momenta = _momenta(texts) if momentum else {}
        if out is None:
            _show(rates, momenta, steps, look)
        else:
            from lehr.view import plot as pictures  # Loads NumPy, and matplotlib when it draws.

            with writing(out):
                pictures.draw(rates, steps, out, momentum=momenta, look=look)
            click.echo(f"Wrote {printable(str(out))}")


def _momenta(texts: list[str]) -> dict[str, Schedule]:
    """Return the momentum of each schedule of the catalogue that has one, by name."""
    known = {name: entry.momentum for name, entry in ENTRIES.items() if entry.momentum}
    found = {text: known[text] for text in texts if text in known}
    if not found:
        names = ", ".join(known)
        raise Refused(f"--momentum: none of these changes the momentum; those that do are {names}")
    return found


def _show(
    rates: Mapping[str, Schedule], momenta: Mapping[str, Schedule], steps: int, look: Look
) -> None:
    here = console()
    here.print(drawing(rates, steps, here, look), soft_wrap=True)
    if momenta:
        here.print("\nmomentum", style="bold")
        below = drawing(momenta, steps, here, Look(look.time, from_zero=False))
        here.print(below, soft_wrap=True)
