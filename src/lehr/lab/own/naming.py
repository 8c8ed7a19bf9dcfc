"""Users' own trainings by name: ``train:FILE.py:FUNCTION``, ``command:TEXT``, ``shell:TEXT``.

The metric may be given after the first word: ``train[loss:bits]:FILE.py:FUNCTION``.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.python_source import fingerprint, read_content

_FUNCTION, _COMMAND, _SHELL = "train", "command", "shell"
_NAME = re.compile(
    r"(?:batch\[(\d+)\]:)?(train|command|shell)(?:\[(score|loss(?::[\w/ -]{0,20})?)\])?:(.*)",
    re.DOTALL,
)
_BATCH = re.compile(r"batch\[(\d+)\]:")
_LARGEST = 1 << 24  # bytes: larger files are data, and not hashed
_PIN = re.compile("@[0-9a-f]{16}$")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

PLACEHOLDERS = {
    "peak": "the peak rate",
    "schedule": "the schedule's text, a factor on the peak",
    "momentum": "the momentum's text, or nothing",
    "optimizer": "the optimizer's text",
    "seed": "the seed",
    "steps": "the number of updates",
    "batch": "the batch size, where `lehr find --sweep batch=...` sets it",
    "out": "the trial's folder, for outcome.json and for checkpoints",
    "device": "the device",
    "trial": "a file with all of this, as JSON",
    "rates": "a file with the rate of each update, as CSV",
}
"""The words that a command may contain in braces, with their meanings."""


class Own(NamedTuple):
    """A user's own training.

    Attributes:
        kind: "train" for a function, "command", or "shell" for a command that a shell runs.
        text: The command; or the name of the function.
        file: The function's file; None for a command.
        measure: "score"; "loss", which is in nats, or "loss:UNIT"; empty if the first outcome
            decides: a score if it has one, otherwise a loss in nats.
        batch: The batch size, if a sweep sets it.
    """

    kind: str
    text: str
    file: Path | None
    measure: str = ""
    batch: int | None = None

    @property
    def metric(self) -> Metric | None:
        """The metric that was given, if any."""
        return metric_of(self.measure) if self.measure else None

    @property
    def title(self) -> str:
        """A short name."""
        if self.file is not None:
            return f"{self.file.name}:{self.text}"
        return self.text if len(self.text) <= 60 else f"{self.text[:57]}..."


def metric_of(measure: str) -> Metric:
    """Return the metric of "score", "loss" or "loss:UNIT".

    Example:
        >>> metric_of("loss:bits").text(1.25)
        '1.250 bits'
    """
    kind, colon, unit = measure.partition(":")
    return Metric.score() if kind == "score" else Metric.loss(unit=unit if colon else "nats")


def with_batch(name: str, batch: int) -> str:
    """Return the name of a task or a user's own training with another batch size."""
    if is_own(name) and (own := find_own(name)).file is None:
        places = {match[1] for match in _BRACES.finditer(own.text)}
        if not places & {"batch", "trial"}:
            raise TaskError(
                f"command {own.title!r} has no {{batch}}: write it where the batch size belongs, "
                "such as --batch-size {batch}"
            )
    return f"batch[{batch}]:{name}"


def is_own(name: str) -> bool:
    """Return whether a name is that of a user's own training rather than of a task."""
    return _NAME.fullmatch(name) is not None


def _parts(name: str) -> tuple[str, str, str]:
    """Return the kind, the metric and the rest of a name without its pin."""
    match = _NAME.fullmatch(_PIN.sub("", name))
    assert match is not None
    return match[2], match[3] or "", match[4]


def split_batch(name: str) -> tuple[int | None, str]:
    """Return the batch size of a name that a sweep has changed, and the name without it.

    Example:
        >>> split_batch("batch[64]:digits"), split_batch("digits")
        ((64, 'digits'), (None, 'digits'))
    """
    match = _BATCH.match(name)
    return (None, name) if match is None else (int(match[1]), name[match.end() :])


def find_own(name: str) -> Own:
    """Return the training of this name, pinned or not; raise TaskError if a part is missing."""
    kind, measure, text = _parts(name)
    batch, _ = split_batch(name)
    if kind != _FUNCTION:
        return Own(kind, text, None, measure, batch)
    file, _, function = text.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise TaskError(f"{text!r} is not a function in a file: write FILE.py:FUNCTION")
    return Own(kind, function, Path(file).expanduser().absolute(), measure, batch)


def own_words(name: str) -> list[str]:
    """Return the options of `lehr compare` for this training; none for a task."""
    if not is_own(name):
        return []
    kind, measure, text = _parts(name)
    words = {
        _FUNCTION: ["--train", text],
        _COMMAND: ["--command", text],
        _SHELL: ["--shell", "--command", text],
    }[kind]
    return [*words, "--metric", measure] if measure else words


def pinned_own(name: str) -> str:
    """Return the name with a hash of the file, or of the command and the files that it names.

    The file of a function gets its absolute path. A command names a file if a word of it, or the
    part of a word after ``=``, is the file's relative path. Raises TaskError if it cannot be run.
    """
    if _PIN.search(name):
        return name
    own = find_own(name)
    head = f"{own.kind}[{own.measure}]" if own.measure else own.kind
    if own.batch is not None:
        head = f"batch[{own.batch}]:{head}"
    if own.file is not None:
        content = read_content(own.file)
        _check_function(own, content)
        return f"{head}:{own.file}:{own.text}@{fingerprint(content)}"
    fill(own, dict.fromkeys(PLACEHOLDERS, ""))
    return f"{head}:{own.text}@{command_hash(own, Path())}"


def own_identity(name: str) -> str:
    """Return the part of the name that defines the training, without the path of its file."""
    known, _, pin = pinned_own(name).rpartition("@")
    own = find_own(known)
    what = own.text if own.file is not None else own.kind
    if own.batch is not None:
        what = f"batch[{own.batch}]:{what}"
    return f"{what}[{own.measure}]@{pin}" if own.measure else f"{what}@{pin}"


def command_hash(own: Own, directory: Path) -> str:
    """Return a hash of a command and the files of this directory that it names."""
    parts = [own.kind.encode(), own.text.encode(errors="surrogateescape")]
    for word in _words(own):
        path = directory / word.rpartition("=")[2]
        if not Path(word).is_absolute() and path.is_file() and path.stat().st_size <= _LARGEST:
            parts.append(fingerprint(read_content(path)).encode())
    return fingerprint(b"\0".join(parts))


def fill(own: Own, values: Mapping[str, str]) -> list[str]:
    """Return the words of a command, with each placeholder replaced by its value.

    Without a shell, a value stays part of one word, whatever it contains. For a shell it is quoted,
    so a placeholder inside quotes is an error.
    """
    if own.batch is None:
        values = {name: value for name, value in values.items() if name != "batch"}
    if own.kind == _SHELL:
        _check_quotes(own.text)
        return ["/bin/sh", "-c", _filled(own.text, {k: shlex.quote(v) for k, v in values.items()})]
    return [_filled(word, values) for word in _words(own)]


def _words(own: Own) -> list[str]:
    try:
        words = shlex.split(own.text)
    except ValueError as error:
        raise TaskError(f"command {own.text!r:.200} cannot be read: {error}") from None
    if not words:
        raise TaskError(
            "the command is empty: write one such as 'python train.py --lr {peak} --seed {seed} "
            "--out {out}'"
        )
    return words


def _filled(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] == "batch" and "batch" not in values:
            raise TaskError(
                f"command {text!r:.200} has '{{batch}}', and nothing sets it: write lehr find "
                "--sweep batch=16,64, or a number in its place"
            )
        if match[1] not in values:
            raise TaskError(
                f"command {text!r:.200} has {match[0]!r:.60}, which is not known: in braces there "
                f"may be {', '.join(PLACEHOLDERS)}; a brace itself is written twice"
            )
        return values[match[1]]

    return _BRACES.sub(value, text)


def _check_quotes(text: str) -> None:
    quote = ""
    for at, letter in enumerate(text):
        if letter in "\"'" and letter == (quote or letter):
            quote = "" if quote else letter
        elif letter == "{" and quote and text[at - 1] != "{" and text[at + 1 : at + 2] != "{":
            raise TaskError(
                f"command {text!r:.200} has a placeholder inside quotes: write it without them, "
                "because it is quoted when the shell gets it"
            )


def _check_function(own: Own, content: bytes) -> None:
    """Check that a file defines a function, without running it."""
    assert own.file is not None
    try:
        body = ast.parse(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"{own.file.name} is not Python: {error}") from None
    names: set[str] = set()
    for node in ast.walk(ast.Module(body, [])):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name)
            case _:
                pass
    if own.text not in names and "*" not in names:
        raise TaskError(f"{own.file.name} has no function {own.text!r}")
