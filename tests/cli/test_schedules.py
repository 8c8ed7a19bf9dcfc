"""The commands that look at schedules: what they say, how they refuse, what they do not import."""

import inspect
import json
import os
import re
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
        timeout=400,
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
    assert f"'--steps': {steps!r} is not a whole number of steps" in done.stderr
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
    ("arguments", "near"),
    [
        (("show", "cosin"), "cosine"),
        (("show", "CosinAnealingLR"), "cosine"),
        (("plot", "cosine", "cosin"), "cosine"),
        (("plot", "cosin", "--out", "curve.png"), "cosine"),
        (("show", "one-cycle"), "one_cycle"),
        (("show", "Trapezoid"), "trapezoid"),
        (("show", "plateu"), "plateau"),
    ],
)
def test_a_wrong_name_gets_one_line_with_the_nearest(arguments: tuple[str, ...], near: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"{near!r}" in done.stderr
    # A few names, and not all.
    assert done.stderr.count("'") <= 8


def test_a_name_that_is_like_none() -> None:
    refused = call("show", "\x1b]0;" + "x" * 10_000)
    assert refused.exit_code == 2
    assert "\x1b" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "entry", "translations"),
    [
        ("CosineAnnealingLR", "cosine", ["torch", "mmengine"]),
        ("cosineannealinglr", "cosine", []),
        ("OneCycleLR", "one_cycle", ["torch", "mmengine"]),
        ("get_wsd_schedule", "wsd", ["transformers"]),
        ("CyclicLR", "triangular", ["torch"]),
        ("ReduceLROnPlateau", "plateau", ["torch"]),
    ],
)
def test_show_knows_the_names_of_other_libraries(
    name: str, entry: str, translations: list[str]
) -> None:
    done = call("show", name)
    assert done.exit_code == 0
    assert done.output.startswith(entry)
    for library in translations:
        assert f"lehr.translate({library!r}, {name!r}, ...)" in done.output
    assert json.loads(call("show", name, "--json").output)["name"] == entry


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("SequentialLR", "torch"),
        ("get_cosine_schedule_with_warmup", "transformers"),
        ("join_schedules", "optax"),
    ],
)
def test_show_says_how_to_translate_what_has_no_entry(name: str, library: str) -> None:
    done = call("show", name)
    assert done.exit_code == 0
    assert f"lehr.translate({library!r}, {name!r}, ...)" in done.output


def test_a_name_of_several_schedules_shows_the_first_and_names_the_others() -> None:
    done = call("show", "LinearLR")
    assert done.output.startswith("linear")
    assert "\nSee also   warmup\n" in done.output


def test_an_own_name_is_not_looked_up_elsewhere() -> None:
    # timm and transformers have a scheduler of this name.
    assert "lehr.translate" not in call("show", "cosine").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("cosine", "warmup('5%') >> cosine(to=0.1)", "wsd"),
        ("cosine,warmup('5%') >> cosine(to=0.1)", "wsd"),
        ("cosine, warmup('5%') >> cosine(to=0.1), wsd",),
    ],
)
def test_plot_takes_texts(arguments: tuple[str, ...]) -> None:
    done = call("plot", *arguments)
    assert done.exit_code == 0
    assert done.output.splitlines()[-3:] == [
        "a cosine",
        "b warmup('5%') >> cosine(to=0.1)",
        "c wsd",
    ]


@pytest.mark.parametrize(
    "text", ["cosine(", "cosine(tu=1)", "cosine() >>", "1 / 0", "", "cosine,,wsd"]
)
def test_plot_refuses_a_text_that_is_no_schedule(text: str) -> None:
    done = call("plot", text)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plot", "cosine", "--out", "curve.gif"), ".png or .svg"),
        (("plot", "cosine", "--out", "no/such/folder/curve.png"), "No such file"),
        (("plot", "cosine", "--out", "file/curve.svg"), "cannot be written: Not a directory"),
        (("plot", "cosine", "--out", "folder.png"), "is a directory"),
        (("plot", "cosine", "--steps", "abc"), "'abc' is not a whole number of steps"),
        (("plot",), "SCHEDULE"),
        (("plot", "plateau"), "is a feedback rule"),
    ],
)
def test_what_cannot_be_plotted(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--out" in arguments:
        pytest.importorskip("matplotlib", reason="pictures need lehr[plot]")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    done = call(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder.png"]
    assert (tmp_path / "file").read_text() == "kept"


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
assert main() == 0
found = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit(f"imported: {{found}}" if found else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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


@pytest.mark.skipif(
    not Path("/dev/full").is_char_device(), reason="needs a device that is always full"
)
@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("plot", "cosine"), ("--help",), ("--version",)]
)
def test_an_output_that_is_full(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lehr", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "Error: the output cannot be written: No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize("width", [40, 60, 75])
def test_list_keeps_name_and_curve_in_a_narrow_terminal(width: int) -> None:
    lines = start("list", environment={"COLUMNS": str(width)}).stdout.splitlines()
    assert max(map(len, lines)) <= width
    heads = [line.split() for line in lines if line[:1].strip()]
    assert [head[0] for head in heads] == [*ENTRIES, *RULES]
    for head in heads[: len(ENTRIES)]:
        curve = next(word for word in head if set(word) <= set("▁▂▃▄▅▆▇█"))
        assert len(curve) == 12
    words = " ".join(" ".join(lines).split())
    assert all(word in words for entry in ENTRIES.values() for word in entry.summary.split())


@pytest.mark.parametrize("width", [40, 60])
def test_a_drawing_fits_a_narrow_terminal(width: int) -> None:
    environment = {"COLUMNS": str(width), "FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}
    drawn = start("plot", "cosine", "wsd", environment=environment).stdout
    lines = re.sub(r"\x1b\[\d*m", "", drawn).splitlines()
    assert max(map(len, lines)) == width


def test_without_colour_curves_are_told_apart_on_a_terminal_too() -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    coloured = start("plot", "cosine", "linear", environment=terminal).stdout
    assert "⠒⠒" in coloured
    assert "\x1b[36m" in coloured
    plain = start("plot", "cosine", "linear", environment=terminal | {"NO_COLOR": "1"}).stdout
    assert plain.splitlines()[-2:] == ["a cosine", "b linear"]
    assert "\x1b[3" not in plain


def complete(words: str, shell: str = "bash") -> list[str]:
    """Return a shell's completions of the last of these words, which has no space after it."""
    done = start(
        environment={
            "_LEHR_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lehr pl", ["plot"]),
        ("lehr plot one_", ["one_cycle", "one_cycle_inverse"]),
        ("lehr plot cosine trap", ["trapezoid"]),
        ("lehr plot cosine,trap", ["cosine,trapezoid"]),
        ("lehr show plat", ["plateau"]),
    ],
)
def test_names_are_completed(words: str, offered: list[str]) -> None:
    assert complete(words) == offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lehr compare --optimizers ada", ["adam", "adamw"]),
        ("lehr compare --optimizers adam,ada", ["adam,adamw"]),
        ("lehr compare --schedules cosine,trap", ["cosine,trapezoid"]),
        ("lehr compare --task digits-", ["digits-conv"]),
    ],
)
def test_names_to_compare_are_completed(words: str, offered: list[str]) -> None:
    pytest.importorskip("torch", reason="needs lehr[lab]")
    pytest.importorskip("scipy", reason="needs lehr[lab]")
    assert complete(words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_evaluates_to_complete(shell: str) -> None:
    done = start(environment={"_LEHR_COMPLETE": f"{shell}_source"})
    if shell == "bash" and done.returncode:
        pytest.skip(f"click refuses this bash: {done.stderr}")
    assert "_LEHR_COMPLETE" in done.stdout


def test_completion_imports_no_torch() -> None:
    code = f"""
import sys, os
os.environ.update(_LEHR_COMPLETE="bash_complete", COMP_WORDS="lehr plot cos", COMP_CWORD="2")
sys.argv = ["lehr"]
from lehr.__main__ import main
main()
found = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit(f"imported: {{found}}" if found else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cosine" in done.stdout


@pytest.mark.parametrize("width", [40, 60])
@pytest.mark.parametrize("name", ["plateau", "cosine", "CyclicLR", "wsd_s"])
def test_what_is_shown_is_filled_anew_in_a_narrow_terminal(name: str, width: int) -> None:
    environment = {"COLUMNS": str(width)}
    narrow = start("show", name, environment=environment).stdout
    wide = start("show", name).stdout
    for text in (narrow, wide):
        assert "Arguments:" in text
    # The same words in the same order, but for the drawing, whose size is that of the output.
    words, same = (
        [word for line in text.splitlines() if not set(line) & set("│└") for word in line.split()]
        for text in (narrow, wide)
    )
    assert words == same
    begin = narrow.splitlines().index("Arguments:")
    end = next(i for i, line in enumerate(narrow.splitlines()) if line.startswith("Example"))
    assert max(map(len, narrow.splitlines()[begin:end])) <= width
