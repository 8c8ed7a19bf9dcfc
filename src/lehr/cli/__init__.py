"""The command line: a thin layer over the library that imports each command when it is needed."""

import os
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lehr import __version__
from lehr.extras import MissingExtra, needs
from lehr.view.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

COMMANDS = {
    "list": ("lehr.cli.schedules", "list_", "List the schedules of the catalogue."),
    "show": ("lehr.cli.schedules", "show", "Show all there is to know about a schedule."),
    "plot": ("lehr.cli.plot", "plot", "Draw schedules, here or into a file."),
    "studio": ("lehr.cli.studio", "studio", "Design a schedule by hand, in the browser."),
    "compare": ("lehr.cli.compare", "compare", "Compare optimizers and schedules by training."),
    "find": ("lehr.cli.find", "find", "Find the peak rate for a schedule."),
    "fit": ("lehr.cli.fit", "fit", "Fit a loss law to logged runs."),
    "predict": ("lehr.cli.predict", "predict", "Predict the loss curve of a schedule."),
    "design": ("lehr.cli.predict", "design", "Propose the best schedule for a budget."),
    "bound": ("lehr.cli.predict", "bound", "Compare best peak rates by the convex bound."),
    "results": ("lehr.cli.results", "results", "Show the trials that comparisons have kept."),
}
"""Module, function and help of each command, so that help needs no command's imports."""

_Command = Callable[..., Any]

_WIDE = 10_000

_INTERRUPTED = 130  # the code that shells use for Ctrl-C


class Refused(click.ClickException):
    """A request that cannot be carried out: one line on the error output, exit code 2."""

    exit_code = 2

    def __init__(self, message: object) -> None:
        super().__init__(_line(_as_options(str(message))))


@contextmanager
def refusing(*errors: type[Exception]) -> Generator[None]:
    """Turn these errors of a block into a `Refused`."""
    try:
        yield
    except errors as error:
        raise Refused(error) from None


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn an OSError of a block into a `Refused` that names the file it writes."""
    try:
        yield
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None


def options(*each: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Return a decorator that adds options to a command, in this order in its help."""

    def add(command: _Command) -> _Command:
        for option in reversed(each):
            command = option(command)
        return command

    return add


def _as_options(message: str) -> str:
    """Return a message of the library with arguments written as the running command's options.

    Only those that the message begins with, or says to give: ``write engine='processes'``.
    """
    context = click.get_current_context(silent=True)
    options = {each.name: each.opts[-1] for each in context.command.params} if context else {}

    def option(found: re.Match[str]) -> str:
        before, name, value = found.groups()
        return f"{before}{options[name]}" + ("" if value == "..." else " " + value.strip("'"))

    known = "|".join(name for name, text in options.items() if name and text.startswith("--"))
    pattern = rf"(^|\b(?:needs|write|give|or|leave out) )({known})=('[\w.%/:]+'|\.\.\.|)"
    return re.sub(pattern, option, message) if known else message


_POINTING = re.compile(r"(.*)\n  (.*)\n  ( *)\^", re.DOTALL)
_LONG = re.compile(r"(\S{100})\S{200,}")  # longer than the name of a file may be


def _line(message: str) -> str:
    """Return a message in one line, with the place that a caret points at put into words."""
    if pointing := _POINTING.fullmatch(message):
        message, text, before = pointing.groups()
        if text.strip() and text not in message:
            message += f" (character {len(before) + 1} of {text.rstrip()})"
    return printable(_LONG.sub(r"\1...", message))


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        with needs("the command line", "cli", "rich"):
            return getattr(import_module(module), function)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        # No path has one, and the functions that look for files raise ValueError.
        if any("\0" in argument for argument in args):
            raise Refused("an argument has a NUL character; leave it out")
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _in_a_line(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _in_a_line(error) from None
        except MissingExtra as error:
            raise Refused(error) from None
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click's own would import every command for its help.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


def _in_a_line(error: click.UsageError) -> click.ClickException:
    """Return a mistake in the arguments as one line, like all refusals."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    return Refused(error.format_message())


def console() -> "Console":
    """Return the terminal; to a file or a pipe, lines are as long as they need to be."""
    # Loads rich, which takes a tenth of the start-up.
    from rich.console import Console

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_WIDE if piped else None, highlight=False)


def echo(text: str) -> None:
    """Print a line that may be longer than the terminal is wide."""
    console().print(printable(text, lines=True), markup=False, soft_wrap=True)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="lehr %(version)s")
def lehr() -> None:
    """Learning-rate schedules: design them, drive optimizers with them, decide by evidence."""
    # A name that the terminal's encoding lacks should cost a question mark, not the whole output.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def run() -> int:
    """Run the command line on the arguments of this process.

    Returns:
        The exit code: 0; 2 for a request that cannot be carried out; 1 for a pipe that was closed
        early; and 130 for Ctrl-C.
    """
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        click.echo("Error: the output cannot be written: it is closed", err=True)
        return 2
    code = 0
    try:
        try:
            lehr(prog_name="lehr")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        # Flush now, while a write error can still be reported.
        sys.stdout.flush()
    except OSError as error:
        # An error with a file's name is not about the output.
        if error.filename is not None:
            raise
        # The unwritten rest would fail again when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return code or 1
        click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
        return 2
    return code
