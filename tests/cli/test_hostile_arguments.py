"""Whatever is given to an option, the command line answers in one line, or does what it says.

The commands and their options are read from the program, so that a new option is swept too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lehr.cli import COMMANDS
from lehr.cli import lehr as program
from transcribed_laws import logged


def command(name: str) -> click.Command:
    found = program.get_command(click.Context(program), name)
    assert found is not None
    return found


BASE: dict[str, list[str]] = {
    "list": [],
    "show": ["cosine"],
    "plot": ["cosine"],
    "studio": ["cosine()", "--no-browser"],
    "compare": [
        *("--task", "quadratic", "--optimizers", "sgd", "--schedules", "cosine", "--steps", "2"),
        *("--seeds", "1", "--tuning-seeds", "1", "--peaks", "0.1", "--jobs", "1", "--out", "out"),
    ],
    "find": ["quadratic", "--steps", "60", "--budget", "60", "--jobs", "1", "--out", "out"],
    "fit": ["linear.csv", "cosine.csv", "--law", "annealing"],
    "predict": ["law.json", "cosine()", "--steps", "100"],
    "design": ["law.json", "--steps", "50"],
    "bound": ["cosine()", "--steps", "100"],
    "results": ["store"],
}
"""Arguments with which each command does its work."""

TRAINING = ("compare", "find", "fit", "results")
"""The commands that train, fit or write where a value is a good one: they are given fewer."""

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


FEW = ["", " ", "-1", "nan", "1e400", "9" * 400, "x" * 5000, "\x1b[2J", "a\nb", "a\0b"]
FEW += ["missing/below", "file.txt", "folder", "wrong.json"]


def names(parameter: click.Parameter) -> list[str]:
    """Return an option's name, or nothing for an argument."""
    return [parameter.opts[-1]] if isinstance(parameter, click.Option) else []


def cases(name: str) -> Iterator[list[str]]:
    """Give the arguments of a command, with one at a time replaced by something hostile."""
    kind, base = command(name), BASE[name]
    hostile = FEW if name in TRAINING else HOSTILE
    yield [*base, "--unknown"]
    yield [*base, "extra", "and", "more"]
    places = [i for i, word in enumerate(base) if word.endswith("()")]
    for parameter in kind.params:
        if isinstance(parameter, click.Option) and parameter.is_flag:
            yield [*base, *names(parameter), *names(parameter)]
            yield [*base, f"{parameter.opts[-1]}=x"]
            continue
        if isinstance(parameter, click.Option):
            for value in hostile:
                yield [*base, *names(parameter), value]
            yield [*base, *names(parameter)]
            yield [*base, *names(parameter), "1", *names(parameter), "x"]
    for place in places or range(min(1, len(base))):
        for value in hostile if not base[place].startswith("--") else ():
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
    """A folder with runs, a law and a store, and files of the wrong kinds."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "file.txt").write_text("neither a store nor a law")
    (folder / "wrong.json").write_text("[{}, 1e999]")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    for kind in ("linear", "cosine"):
        run = logged(kind, 400)
        rows = [
            f"{s},{run.rates[min(s, 399)]},{x}" for s, x in zip(run.steps, run.losses, strict=True)
        ]
        (folder / f"{kind}.csv").write_text("\n".join(["step,lr,val_loss", *rows]))
    files = [str(folder / f"{kind}.csv") for kind in ("linear", "cosine")]
    for words in (
        ["fit", *files, *BASE["fit"][2:], "--out", str(folder / "law.json")],
        ["compare", *BASE["compare"][:-1], str(folder / "store")],
    ):
        made = CliRunner().invoke(program, words)
        assert made.exit_code == 0, made.output
    return folder


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The studio ends as soon as it would serve, which waits for Ctrl-C; no browser is opened."""

    def open_browser(link: str) -> None:
        raise AssertionError(f"opens {link}")

    monkeypatch.setattr("webbrowser.open", open_browser)
    with suppress(ImportError):  # without the server the studio is refused
        monkeypatch.setattr("lehr.editor.page.serve", lambda *_: None)


@pytest.mark.parametrize("name", COMMANDS)
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
    """Return the faults of an answer; none if all is well."""
    # It did something: well, with failed trials, or, if `fit` was asked to be strict, with a doubt.
    if result.exit_code == 0 or "Report:" in result.stdout or result.exit_code == 3:
        return ""
    if not isinstance(result.exception, SystemExit):
        return f"raises {result.exception!r}"
    if result.exit_code != 2:
        return f"exit code {result.exit_code}"
    if not re.fullmatch(r"Error: [^\x00-\x1f\x7f\ud800-\udfff]{,900}\n", result.stderr):
        return f"says {result.stderr!r}"
    if result.stdout:
        return f"prints {result.stdout!r}"
    # A store that is read has such a file beside it while somebody else may be writing.
    now = {
        name: text for name, text in below(Path()).items() if not name.endswith(("-wal", "-shm"))
    }
    changed = {name for name, text in now.items() if before.get(name) != text}
    return f"leaves {sorted(changed)}" if changed else ""


@pytest.mark.parametrize(
    "words",
    [
        ["results", "store", "--json", "--csv"],
        ["results", "store", "store", "--law", "law.json"],
        ["results", "store", "--law", "missing.json"],
        ["results", "store", "--report", "folder/below/page.html"],
        ["predict", "law.json", "cosine()", "--steps", "100", "--lr", "rate"],
        ["predict", "law.json", "cosine()", "--steps", "100", "--schedule", "a=b"],
        ["predict", "law.json", "cosine()", "--against", "linear.csv"],
        ["predict", "law.json", "cosine()", "--steps", "99999999999"],
        ["design", "law.json", "--steps", "99999999999"],
        ["bound", "cosine()", "--steps", "99999999999"],
        ["fit", "--plan", "--steps", "100", "--peak", "0.1", "--out", "law2.json"],
        ["fit", "--plan", "--steps", "100", "--peak", "0.1", "--lr", "rate"],
        ["fit", "store", "--optimizer", "sgd", "--lr", "rate"],
        ["fit", "linear.csv", "cosine.csv", "--only", "cosine"],
        ["compare", "--train", "a.py:f", "--command", "x"],
        ["compare", "--task", "digits", "--command", "x"],
        ["compare", "--shell"],
        ["compare", "--metric", "loss"],
        ["compare", "--budget", "5", "--hours", "1"],
        ["compare", "--budget", "100", "--seeds", "3"],
        ["compare", "--engine", "population", "--jobs", "2"],
        ["compare", "--engine", "population", "--timeout", "3s"],
        ["compare", "--engine", "population", "--devices", "cpu,cpu"],
        ["compare", "--devices", "cpu,", "--out", "new/below"],
        ["compare", "--devices", "typewriter", "--out", "new/below"],
        ["compare", "--store", "file.txt", "--out", "new/below"],
        ["compare", "--store", "new/file.db", "--out", "file.txt"],
        ["compare", "--jobs", "99999999999", "--out", "new"],
        ["compare", "--seeds", "100001"],
        ["compare", "--further", "101"],
        ["compare", "--lengths", "99999999999"],
        ["compare", "--task", "text:/dev/zero"],
        ["compare", "--memory", "9e9"],
        ["find"],
        ["find", "digits", "--command", "x"],
        ["find", "digits", "--shell"],
        ["studio", "--over", "90ep", "--no-browser"],
    ],
)
def test_what_contradicts_itself_or_is_too_much_is_refused(
    words: list[str], material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(material, tmp_path / "it", symlinks=True)
    monkeypatch.chdir(tmp_path / "it")
    before, folders = below(Path()), set(Path().iterdir())
    result = CliRunner().invoke(program, words, prog_name="lehr")
    assert result.exit_code == 2
    assert fault_of(result, before) == ""
    assert set(Path().iterdir()) == folders
