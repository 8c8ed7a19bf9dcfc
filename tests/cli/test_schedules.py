"""The commands that look at schedules: what they say, how they refuse, what they do not import."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import lehr
from lehr.catalogue import ENTRIES, RULES
from lehr.cli import COMMANDS
from lehr.cli import lehr as command

HEAVY = ("torch", "matplotlib", "sklearn", "scipy")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, prog_name="lehr")


def start(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the whole program, its output going to a pipe."""
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "lehr", *arguments],
        capture_output=True,
        encoding="utf-8",
        env=kept | {"PYTHONIOENCODING": "utf-8"} | (environment or {}),
        check=False,
        timeout=60,
    )


def test_list_has_a_line_for_every_schedule_even_through_a_pipe() -> None:
    lines = start("list").stdout.splitlines()
    assert len(lines) == len(ENTRIES) + len(RULES)
    for line, entry in zip(lines, ENTRIES.values(), strict=False):
        name, family, curve, *words = line.split()
        assert (name, family) == (entry.name, entry.family)
        assert set(curve) <= set("▁▂▃▄▅▆▇█")
        assert len(curve) == 24
        assert " ".join(words) == entry.summary
    for line, rule in zip(lines[len(ENTRIES) :], RULES.values(), strict=True):
        assert line.split() == [rule.name, "feedback", "by", "a", "metric", *rule.summary.split()]


def test_list_keeps_to_the_width_it_is_given() -> None:
    lines = start("list", environment={"COLUMNS": "75"}).stdout.splitlines()
    assert max(map(len, lines)) <= 75
    words = " ".join(" ".join(lines).split())
    for entry in ENTRIES.values():
        assert all(word in words for word in entry.summary.split())


def test_list_in_ascii() -> None:
    done = start("list", environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert len(done.stdout.splitlines()) == len(ENTRIES) + len(RULES)


def test_list_of_a_family() -> None:
    names = [line.split()[0] for line in call("list", "--family", "cyclic").output.splitlines()]
    assert names == [entry.name for entry in ENTRIES.values() if entry.family == "cyclic"]
    refused = call("list", "--family", "other")
    assert refused.exit_code == 2
    assert "'cyclic'" in refused.stderr


def test_list_as_json() -> None:
    found = json.loads(call("list", "--json").output)
    assert [facts["name"] for facts in found] == list(ENTRIES)
    for facts, entry in zip(found, ENTRIES.values(), strict=True):
        assert facts["family"] == entry.family
        assert facts["formula"] == entry.formula
        assert facts["aliases"] == list(entry.aliases)
        assert facts["kind"] == "schedule"
        # The example is text that builds it again, and fits any run.
        assert lehr.parse(facts["example"]) == entry.example
        assert lehr.parse(facts["example"]).over(1000)(999) >= 0
        if entry.paper:
            assert facts["paper"]["year"] == entry.paper.year
        else:
            assert facts["paper"] is None


def test_list_of_the_feedback_rules_as_json() -> None:
    found = json.loads(call("list", "--family", "feedback", "--json").output)
    assert [facts["name"] for facts in found] == list(RULES)
    for facts, rule in zip(found, RULES.values(), strict=True):
        assert (facts["kind"], facts["family"]) == ("rule", "feedback")
        assert facts["formula"] == rule.formula
        assert facts["aliases"] == list(rule.aliases)
        assert eval(facts["example"], vars(lehr)) == rule.example


@pytest.mark.parametrize("name", RULES)
def test_show_a_feedback_rule(name: str) -> None:
    rule = RULES[name]
    done = call("show", name)
    assert done.exit_code == 0
    for words in (rule.summary, "feedback", rule.formula, repr(rule.example), *rule.aliases):
        assert words in done.output
    assert all(
        f"    {parameter}: " in done.output
        for parameter in inspect.signature(rule.function).parameters
    )
    assert "└───" not in done.output
    facts = json.loads(call("show", name, "--json").output)
    assert facts["kind"] == "rule"
    assert facts["call"].startswith(f"{name}(")


def test_a_rule_that_is_nearly_named() -> None:
    done = call("show", "plateu")
    assert done.exit_code == 2
    assert "did you mean 'plateau'?" in done.stderr
    refused = call("plot", "plateau")
    assert refused.exit_code == 2
    assert "is a feedback rule" in refused.stderr


@pytest.mark.parametrize("name", ENTRIES)
def test_show_says_all_there_is_to_know(name: str) -> None:
    entry = ENTRIES[name]
    done = call("show", name)
    assert done.exit_code == 0
    said = done.output
    for words in (entry.summary, entry.family, entry.formula, repr(entry.example), *entry.aliases):
        assert words in said
    for parameter in inspect.signature(entry.function).parameters:
        assert f"    {parameter}: " in said or f"{parameter}, " in said or f"{parameter}=" in said
    if entry.paper:
        assert entry.paper.title in said
    assert "└───" in said
    assert "``" not in said
    assert ":func:" not in said


def test_show_as_json() -> None:
    facts = json.loads(call("show", "one_cycle", "--json").output)
    assert facts["name"] == "one_cycle"
    assert "pct_start=0.3" in facts["call"]
    assert eval(facts["momentum"], vars(lehr)) == ENTRIES["one_cycle"].momentum


def test_plot_draws_here() -> None:
    done = call("plot", "cosine", "linear", "--steps", "200")
    assert done.exit_code == 0
    assert "199" in done.output
    assert done.output.splitlines()[-2:] == ["a cosine", "b linear"]


@pytest.mark.parametrize("steps", ["20000", "20_000", "2e4", "20kst", "0.02Mst", "40000/2st"])
def test_plot_reads_steps_as_lehr_writes_them(steps: str) -> None:
    done = call("plot", "cosine", "--steps", steps)
    assert done.exit_code == 0
    assert "19999" in done.output


@pytest.mark.parametrize(
    "steps",
    ["0", "-5", "10k", "1e999", "nan", "1.5", "2.5st", "20%", "3ep", "2Mtok", "2h", "many", ""],
)
def test_plot_refuses_what_is_no_number_of_steps(steps: str) -> None:
    done = call("plot", "cosine", "--steps", steps)
    assert done.exit_code == 2
    assert f"'--steps': {steps!r} is no run of whole steps" in done.stderr
    assert "write 1000000, 1e6 or 1Mst" in done.stderr


@pytest.mark.parametrize(("ending", "first"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_plot_writes_a_picture(tmp_path: Path, ending: str, first: bytes) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"curve{ending}"
    done = call("plot", "cosine", "--out", str(path))
    assert done.exit_code == 0
    assert done.output == f"Wrote {path}\n"
    assert path.read_bytes().startswith(first)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "cosin"),
        ("plot", "cosine", "cosin"),
        ("plot", "cosin", "--out", "curve.png"),
    ],
)
def test_a_wrong_name_gets_one_line_with_the_right_ones(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "did you mean 'cosine'?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("plot", "cosine", "--out", "curve.gif"), ".png or .svg", 2),
        (("plot", "cosine", "--out", "no/such/folder/curve.png"), "No such file", 1),
        (("plot",), "NAME", 2),
    ],
)
def test_what_cannot_be_plotted(arguments: tuple[str, ...], words: str, code: int) -> None:
    done = call(*arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def start_without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as where this package is not installed."""
    code = f"""
import sys
class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {package!r}", name={package!r})
sys.meta_path.insert(0, Missing)
sys.argv = ["lehr", *{arguments!r}]
from lehr.__main__ import main
sys.exit(main())
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_matplotlib_plot_says_what_to_install() -> None:
    done = start_without("matplotlib", "plot", "cosine", "--out", "curve.png")
    assert done.returncode == 1
    assert done.stderr == "Error: drawing needs matplotlib: pip install 'lehr[plot]'\n"


def test_version() -> None:
    assert call("--version").output == f"lehr {lehr.__version__}\n"


def test_help_has_every_command_in_its_own_words() -> None:
    said = call("--help").output
    for name, (_, _, text) in COMMANDS.items():
        assert name in said
        assert text in said


@pytest.mark.parametrize("name", ["list", "show", "plot"])
def test_a_commands_own_help_begins_with_the_same_words(name: str) -> None:
    assert COMMANDS[name][2] in call(name, "--help").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("list",),
        ("list", "--json"),
        ("show", "cosine"),
        ("plot", "cosine"),
    ],
)
def test_nothing_heavy_is_imported(arguments: tuple[str, ...]) -> None:
    code = f"""
import sys
sys.argv = ["lehr", *{arguments!r}]
from lehr.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
found = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit(f"imported: {{found}}" if found else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_the_extra_one_line_says_what_to_install(package: str) -> None:
    done = start_without(package, "list")
    assert done.returncode == 1
    assert done.stderr == "The command line needs: pip install 'lehr[cli]'\n"
    assert done.stdout == ""


def test_other_missing_modules_are_not_taken_for_the_extra() -> None:
    assert "ModuleNotFoundError: No module named 'json'" in start_without("json", "list").stderr


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", "cosine")])
def test_a_closed_pipe_is_quiet(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lehr", *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""
    assert done.returncode != 0
