"""The command line: thin over the library, each command imported only when it is asked for."""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from lehr import __version__

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Refused", "console", "lehr"]

COMMANDS = {
    "list": ("lehr.cli.schedules", "list_", "List the schedules of the catalogue."),
    "show": ("lehr.cli.schedules", "show", "Show all there is to know about a schedule."),
    "plot": ("lehr.cli.schedules", "plot", "Draw schedules, here or into a file."),
    "compare": ("lehr.cli.compare", "compare", "Compare optimizers and schedules by training."),
    "results": ("lehr.cli.results", "results", "Show the trials that comparisons have kept."),
}
"""Module, function and help of each command, so that help needs no command's imports."""

_WIDE = 10_000


class Refused(click.ClickException):
    """What was asked for cannot be done: one line on the error output, exit code 2."""

    exit_code = 2


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        return getattr(import_module(module), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click's own would import every command for its help.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


def console() -> "Console":
    """The terminal, or a file or pipe, in which lines are as long as they need to be."""
    from rich.console import Console  # a tenth of the start-up, and only output needs it

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_WIDE if piped else None, highlight=False)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="lehr %(version)s")
def lehr() -> None:
    """Learning-rate schedules: design them, drive optimizers with them, decide by evidence."""
    # A name that the terminal's encoding lacks should cost a question mark, not the whole output.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
