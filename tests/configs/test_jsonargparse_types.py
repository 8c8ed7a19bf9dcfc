"""`lehr.Schedule` in signatures that jsonargparse reads."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("jsonargparse", reason="`make test` installs jsonargparse")

from jsonargparse import ArgumentParser
from jsonargparse.typing import register_type

import lehr


class Training:
    def __init__(self, schedule: lehr.Schedule = "cosine()", peak: float = 1e-3) -> None:  # type: ignore[assignment]
        self.schedule, self.peak = schedule, peak


@pytest.fixture
def parser() -> ArgumentParser:
    register_type(
        lehr.Schedule,
        serializer=repr,
        deserializer=lehr.parse,
        type_check=isinstance,
        fail_already_registered=False,
    )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Training, "training")
    return parser


def test_the_default_is_read(parser: ArgumentParser) -> None:
    assert parser.instantiate(parser.parse_args([])).training.schedule == lehr.cosine()


def test_a_text_is_read_and_written(parser: ArgumentParser, tmp_path: Path) -> None:
    text = "warmup('10%') >> cosine(to=0.1)"
    parsed = parser.parse_args(["--training.schedule", text])
    assert parser.instantiate(parsed).training.schedule == lehr.parse(text)
    path = tmp_path / "config.yaml"
    path.write_text(parser.dump(parsed))
    again = parser.parse_args(["--config", str(path)])
    assert again.training.schedule == lehr.parse(text)


def test_a_wrong_text_is_refused_when_it_is_read(parser: ArgumentParser) -> None:
    with pytest.raises(Exception, match="did you mean 'cosine'"):
        parser.parse_args(["--training.schedule", "cosin()"])
