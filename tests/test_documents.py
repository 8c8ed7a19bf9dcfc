"""The code in the README and the documentation runs as it stands, from the top of a page down.

A page's Python blocks share one namespace. An expression whose comment begins with a literal has
that value. Commands of lehr in shell blocks are parsed by the command line, and the cheap ones are
run. Blocks in another language, such as `text`, are not run.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import shlex
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

click_testing = pytest.importorskip("click.testing", reason="needs lehr[cli]")

from lehr.cli import lehr as command  # noqa: E402

ROOT = Path(__file__).parents[1]

PAGES = [
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "gallery.md"),
    *sorted((ROOT / "examples").rglob("*.md")),
]

# What a page needs beside NumPy is what it imports; these import nothing, but use a driver.
PACKAGES = ("torch", "pandas", "matplotlib", "sklearn", "pydantic", "jsonargparse", "yaml")
TRAINERS = (
    *("accelerate", "deepspeed", "lightning", "transformers", "hydra", "omegaconf"),
    *("jax", "keras", "optax"),
)


class Block(NamedTuple):
    """A block of code in a page."""

    language: str
    line: int
    text: str


def blocks(path: Path) -> list[Block]:
    """Return the blocks between fences, with the line that each begins on."""
    found: list[Block] = []
    pattern = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    text = path.read_text(encoding="utf-8")
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(match[1], line, match[2]))
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def comments(text: str) -> dict[int, str]:
    """Return the comments of a block by the lines that they end."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {t.start[0]: t.string[1:].strip() for t in tokens if t.type == tokenize.COMMENT}


def literal(comment: str) -> Any:
    """Return the literal that a comment begins with, or Ellipsis if there is none."""
    words = comment.split(" ")
    for count in range(len(words), 0, -1):
        try:
            return ast.literal_eval(" ".join(words[:count]).rstrip(":;,"))
        except (ValueError, SyntaxError):
            continue
    return ...


def run(path: Path, block: Block, namespace: dict[str, Any]) -> Iterator[tuple[int, Any, Any]]:
    """Run a block, and yield the line, the value and the promised value of each expression."""
    said = comments(block.text)
    # Lines are counted from the top of the page, so that a traceback shows where it is.
    tree = ast.increment_lineno(ast.parse(block.text), block.line - 1)
    for node in tree.body:
        if not isinstance(node, ast.Expr):
            module = ast.Module([node], [])
            exec(compile(module, str(path), "exec", dont_inherit=True), namespace)
            continue
        expression = ast.Expression(node.value)
        value = eval(compile(expression, str(path), "eval", dont_inherit=True), namespace)
        assert node.end_lineno is not None
        promised = literal(said.get(node.end_lineno - block.line + 1, ""))
        if promised is not ...:
            yield node.lineno, value, promised


def needed(path: Path) -> list[str]:
    """Return the packages that a page imports and this environment does not have."""
    imported = set[str]()
    for block in blocks(path):
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.Import):
                    imported |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module)
    packages = {module.partition(".")[0] for module in imported}
    packages |= {module.split(".")[2] for module in imported if module.count("lehr.interop.")}
    packages |= {"torch"} if {"lehr.torch", "lehr.lab"} & imported else set()
    wanted = packages & {*PACKAGES, *TRAINERS}
    return sorted(name for name in wanted if importlib.util.find_spec(name) is None)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let a page run in a folder of its own, as one process that torchrun has started."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for key, value in {
        "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo", "DS_ACCELERATOR": "cpu",
        "KERAS_BACKEND": "jax", "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    yield
    if importlib.util.find_spec("torch") is not None:
        import torch.distributed

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def cases(language: str) -> list[Any]:
    pages = [page for page in PAGES if any(b.language == language for b in blocks(page))]
    return [pytest.param(page, id=name(page)) for page in pages]


@pytest.mark.usefixtures("launched")
# One process without a group; libraries of others that warn about their own next release.
@pytest.mark.filterwarnings("ignore::UserWarning:torch.distributed")
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
@pytest.mark.parametrize("page", cases("python"))
def test_python(page: Path) -> None:
    if missing := needed(page):
        trainers = set(missing) & set(TRAINERS)
        where = "`make trainers` has it" if trainers else "`make test` has it"
        pytest.skip(f"needs {' and '.join(missing)}: {where}")
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.language == "python":
            for line, value, promised in run(page, block, namespace):
                assert repr(value) == repr(promised), f"{name(page)}:{line}"


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of each command in a page's shell blocks."""
    for block in blocks(page):
        if block.language == "sh":
            # A backslash at the end of a line goes on with the next.
            lines = re.sub(r"\\\n", "  ", block.text).splitlines()
            for number, line in enumerate(lines):
                if words := shlex.split(line, comments=True):
                    yield block.line + number, words


@pytest.mark.parametrize("page", cases("sh"))
def test_commands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    monkeypatch.chdir(tmp_path)
    for line, words in commands(page):
        where = f"{name(page)}:{line}"
        match words:
            case ["lehr", ("list" | "show" | "plot"), *_]:
                done = click_testing.CliRunner().invoke(command, words[1:])
                assert done.exit_code == 0, f"{where}: {done.output}"
            case ["lehr", first, *rest]:
                found = command.commands.get(first) or command.get_command(None, first)
                assert found is not None, where
                # Reads the arguments, without running anything.
                found.make_context(first, list(rest))
            case ["make", *names]:
                assert set(names) <= targets, where
            case _:
                files = [
                    word for word in words if re.fullmatch(r"(examples|benchmarks|tests)/.*", word)
                ]
                assert all((ROOT / file).exists() for file in files), where


def test_there_are_pages() -> None:
    assert len(cases("python")) >= 15
    assert len(cases("sh")) >= 5
    values = [
        literal(comment)
        for page in PAGES
        for block in blocks(page)
        if block.language == "python"
        for comment in comments(block.text).values()
    ]
    assert sum(value is not ... for value in values) >= 8


@pytest.mark.parametrize(
    ("comment", "value"),
    [
        ("(0.0, 0.5): a number in, a number out", (0.0, 0.5)),
        ("954 updates see 2e9 tokens", 954),
        ("{'lr': 0.1, 'momentum': 0.9}", {"lr": 0.1, "momentum": 0.9}),
        ("False: a factor", False),
        ("'cosine()', as text", "cosine()"),
        ("the rate", ...),
        ("", ...),
    ],
)
def test_what_a_comment_promises(comment: str, value: Any) -> None:
    assert literal(comment) == value


def test_a_wrong_promise_is_found() -> None:
    block = Block("python", 7, "x = 1\nx + 1  # 2\nx + 1  # 3: no\n")
    assert list(run(Path("page"), block, {})) == [(8, 2, 2), (9, 2, 3)]


def test_both_readmes_have_the_same_code_and_links() -> None:
    english, chinese = (ROOT / name for name in ("README.md", "README.zh.md"))

    def code(path: Path) -> list[str]:
        found = [ast.unparse(ast.parse(b.text)) for b in blocks(path) if b.language == "python"]
        return found + [shlex.join(words) for _, words in commands(path)]

    def links(path: Path) -> set[str]:
        return set(re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")))

    assert code(english) == code(chinese)
    assert links(english) - {"README.zh.md"} == links(chinese) - {"README.md"}


def test_the_chinese_readme_has_full_width_punctuation() -> None:
    text = (ROOT / "README.zh.md").read_text(encoding="utf-8")
    prose = re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    assert re.findall(r"[\u4e00-\u9fff][,.:;()!?]|[,:;(][\u4e00-\u9fff]", prose) == []


def test_links_lead_to_files() -> None:
    broken = [
        (name(page), link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert broken == []
