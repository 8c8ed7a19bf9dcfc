"""A missing package costs one sentence, with the command that installs it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lehr import extras
from lehr.extras import MissingExtra, install, needs

ROOT = Path(__file__).parents[1]


def without(packages: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run a program as if these packages, written with spaces between, were not installed."""
    hidden = packages.split()
    program = f"""
import sys
class Hidden:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden)
{code}
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("hidden", "code", "sentence"),
    [
        ("torch", "import lehr.torch", "lehr.torch needs torch: {torch}"),
        ("torch", "import lehr.torch.scheduler", "lehr.torch needs torch: {torch}"),
        ("torch", "import lehr.interop.checkpoint", "lehr.interop.checkpoint needs torch: {torch}"),
        ("torch", "import lehr.interop.lightning", "lehr.interop.lightning needs torch: {torch}"),
        ("rich", "import lehr.view.terminal", "drawing in a terminal needs rich: {cli}"),
        (
            "matplotlib",
            "import lehr; from lehr.view.plot import draw; draw({'a': lehr.linear(10)}, 10)",
            "drawing needs matplotlib: {plot}",
        ),
    ],
)
def test_an_extra_that_is_missing(hidden: str, code: str, sentence: str) -> None:
    pytest.importorskip("torch", reason="needs lehr[torch]")
    done = without(hidden, code)
    assert done.returncode == 1
    wanted = sentence.format(torch=install("torch"), cli=install("cli"), plot=install("plot"))
    assert done.stderr.splitlines()[-1] == f"lehr.extras.MissingExtra: {wanted}"


@pytest.mark.parametrize("hidden", ["click", "rich", "click rich"])
def test_the_command_line_without_its_packages(hidden: str) -> None:
    done = without(
        hidden, "sys.argv = ['lehr', 'list']; from lehr.__main__ import main; sys.exit(main())"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr in [
        f"Error: the command line needs {package}: {install('cli')}\n" for package in hidden.split()
    ]


def test_a_package_that_no_extra_has_is_not_explained() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match="No module named 'xyz'") as caught,
        needs("drawing", "plot", "matplotlib"),
    ):
        import xyz  # type: ignore[import-not-found]  # noqa: F401
    assert not isinstance(caught.value, MissingExtra)


def test_it_is_a_missing_module_still() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needs("drawing", "plot", "xyz"):
        import xyz  # type: ignore[import-not-found]  # noqa: F401
    assert caught.value.name == "xyz"


class Installed:
    """A distribution that pip wrote down the origin of, if from a place that it was given."""

    def __init__(self, origin: str | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.origin


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first pip that is found be that of this Python."""
    monkeypatch.setattr(shutil, "which", lambda _: str(Path(sys.executable).parent / "pip"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let lehr be in a folder of installed packages."""
    path = tmp_path / "site-packages" / "lehr" / "x" / "extras.py"
    monkeypatch.setattr(extras, "__file__", str(path.parents[1] / "extras.py"))


@pytest.mark.usefixtures("pip", "installed")
@pytest.mark.parametrize("origin", [None, '{"url": "https://example.org/lehr-1.whl"}'])
def test_installed_from_an_index(monkeypatch: pytest.MonkeyPatch, origin: str | None) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(origin))
    assert install("torch") == "pip install 'lehr[torch]'"


@pytest.mark.usefixtures("pip", "installed")
def test_installed_from_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "a checkout"
    folder.mkdir()
    origin = json.dumps({"url": folder.as_uri(), "dir_info": {}})
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(origin))
    # The checkout is gone: nothing but an index is left.
    assert install("lab") == "pip install 'lehr[lab]'"
    (folder / "pyproject.toml").touch()
    assert shlex.split(install("lab")) == ["pip", "install", f"{folder}[lab]"]


@pytest.mark.usefixtures("pip")
def test_run_from_a_checkout() -> None:
    assert Path(extras.__file__).is_relative_to(ROOT)
    assert shlex.split(install("cli")) == ["pip", "install", "-e", f"{ROOT}[cli]"]


@pytest.mark.usefixtures("installed")
def test_another_pythons_pip_would_install_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> Installed:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", unknown)
    monkeypatch.setattr(shutil, "which", lambda _: "/somewhere/else/pip")
    assert shlex.split(install("plot")) == [
        sys.executable, "-m", "pip", "install", "lehr[plot]"
    ]  # fmt: skip
