"""A file is written as a whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lehr.files import write_whole


def test_it_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for data in (b"first", b"second, and longer", b""):
        write_whole(path, data)
        assert path.read_bytes() == data
    assert [found.name for found in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("fails_in", ["write", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_in: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "hidden name")

    if fails_in == "replace":
        monkeypatch.setattr(os, "replace", full)
        data: object = b"new"
    else:
        data = ["neither"]
    with pytest.raises((OSError, TypeError)) as caught:
        write_whole(path, data)  # type: ignore[arg-type]
    if fails_in == "replace":
        assert isinstance(caught.value, OSError)
        assert caught.value.filename == str(path)
        assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.png"]


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    write_whole(tmp_path / "link.png", b"new")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes() == b"new"


def test_a_device_is_written_to_and_stays_a_device() -> None:
    write_whole(Path(os.devnull), b"gone")
    assert Path(os.devnull).exists()
    assert not Path(os.devnull).is_file()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(tmp_path / "no" / "a.png", b"")
    assert caught.value.filename == str(tmp_path / "no" / "a.png")
