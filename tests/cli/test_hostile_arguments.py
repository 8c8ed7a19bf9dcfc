"""Whatever is given to an option, the command line answers in one line, or does what it says.

The commands and their options are read from the program, so that a new option is swept too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lehr.cli import COMMANDS
from lehr.cli import lehr as program


def command(name: str) -> click.Command:
    found = program.get_command(click.Context(program), name)
    assert found is not None
    return found


SWEPT = [name for name in COMMANDS if name in ("list", "show", "plot", "bound")]
"""The commands that answer in milliseconds."""

BASE: dict[str, list[str]] = {
    "list": [],
    "show": ["cosine"],
    "plot": ["cosine"],
    "bound": ["cosine()", "--steps", "100"],
}
"""Arguments with which each command does its work."""

HOSTILE = [
    *("", " ", ",", "-1", "0", "1.5", "nan", "inf", "-inf", "1e400", "9" * 400, "1_0", "0x1F"),
    *(
        "None",
        "--",
        "-",
        "x" * 5000,
        "ф∞\u202e",
        "\x1b[2J",
        "a\nb",
        "\udcff",
        "a\0b",
        "()",
        "%s{peak}",
    ),
    *(".", "/", "..", "missing/below", "/dev/full", "/dev/null", "/proc/1/mem", "file.txt"),
    *("file.txt/below", "folder", "loop", "missing.json", "wrong.json", "file.txt/new.svg"),
]


def names(parameter: click.Parameter) -> list[str]:
    """Return an option's name, or nothing for an argument."""
    return [parameter.opts[-1]] if isinstance(parameter, click.Option) else []


def cases(name: str) -> Iterator[list[str]]:
    """Give the arguments of a command, with one at a time replaced by something hostile."""
    kind = command(name)
    base = BASE[name]
    yield [*base, "--unknown"]
    yield [*base, "extra", "and", "more"]
    places = [i for i, word in enumerate(base) if word.endswith("()")]
    for parameter in kind.params:
        if isinstance(parameter, click.Option) and parameter.is_flag:
            yield [*base, *names(parameter), *names(parameter)]
            yield [*base, f"{parameter.opts[-1]}=x"]
            continue
        for value in HOSTILE:
            if isinstance(parameter, click.Option):
                yield [*base, *names(parameter), value]
        if isinstance(parameter, click.Option):
            yield [*base, *names(parameter)]
            yield [*base, *names(parameter), "1", *names(parameter), "x"]
    for place in places or range(min(1, len(base))):
        for value in HOSTILE:
            yield [*base[:place], value, *base[place + 1 :]]


def below(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, with what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of the wrong kinds."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "file.txt").write_text("neither a store nor a law")
    (folder / "wrong.json").write_text("[{}, 1e999]")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    return folder


@pytest.mark.parametrize("name", SWEPT)
def test_sweep(name: str, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(material, tmp_path / "it", symlinks=True)
    monkeypatch.chdir(tmp_path / "it")
    before = below(Path())
    wrong: list[str] = []
    for words in cases(name):
        result = CliRunner().invoke(program, [name, *words], prog_name="lehr")
        fault = fault_of(result, before)
        if fault:
            wrong.append(f"{fault}: lehr {name} {[w[:60] for w in words]}")
        if below(Path()) != before:
            shutil.rmtree(tmp_path / "it")
            shutil.copytree(material, tmp_path / "it", symlinks=True)
            monkeypatch.chdir(tmp_path / "it")
    assert not wrong, "\n".join(wrong)


def fault_of(result: Result, before: dict[str, bytes]) -> str:
    """Return what is wrong with an answer; nothing if all is well."""
    if result.exit_code == 0:
        return ""
    if not isinstance(result.exception, SystemExit):
        return f"raises {result.exception!r}"
    if result.exit_code != 2:
        return f"exit code {result.exit_code}"
    if not re.fullmatch(r"Error: [^\x00-\x1f\x7f\ud800-\udfff]+\n", result.stderr):
        return f"says {result.stderr!r}"
    if result.stdout:
        return f"prints {result.stdout!r}"
    changed = {name for name, text in below(Path()).items() if before.get(name) != text}
    return f"leaves {sorted(changed)}" if changed else ""
