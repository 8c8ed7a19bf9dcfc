"""Law files: human-readable JSON with everything that a law needs to predict."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from lehr.files import write_whole
from lehr.laws.forms import FORMS, Form
from lehr.laws.law import FittedRun, Law
from lehr.laws.model import names
from lehr.laws.runs import Floats, LawError

VERSION = 1

_LARGEST = 10**6
"""The most bytes of a law file."""

_HIGHEST = 1e9
"""The largest number in a law, unless a range says otherwise."""


def to_dict(law: Law) -> dict[str, Any]:
    """Return a law as plain JSON types; inner parameters as values, not logarithms."""
    linear, inside = law.values[:3], np.exp(law.values[3:-1])
    numbers = [*linear, *inside, law.values[-1]]
    return {
        "lehr": "loss law",
        "version": VERSION,
        "law": law.form.name,
        "paper": law.form.paper,
        "loss": law.kind,
        "optimizer": law.optimizer,
        "measured": law.measured,
        "parameters": dict(zip(names(law.form), map(float, numbers), strict=True)),
        "units": _units(law.form),
        "unit": law.unit,
        "peak": law.peak,
        "weight_decay": law.weight_decay,
        "warmup": law.warmup,
        "horizon": law.horizon,
        "gain": law.gain,
        "width": law.width,
        "noise": law.noise,
        "covariance": law.covariance.tolist(),
        "fitted": [asdict(run) | {"notes": list(run.notes)} for run in law.fitted],
        "choice": dict(law.choice),
        "not_told_apart": list(law.blurred),
        "advice": law.advice,
        "warnings": list(law.warnings),
    }


def _units(form: Form) -> dict[str, str]:
    return {
        "L0": "nats: the loss after endless training at a rate that went to 0",
        "A": "nats: how far the loss at a constant rate is above L0 when progress is `unit`",
        "B": "nats: what a drop from the peak to 0 gains in the end",
        **{parameter.name: parameter.words for parameter in form.parameters},
        "peak": "nats for each e-fold of the peak rate",
        "unit": "progress in steps at the peak",
        "covariance": "of the parameters in their order, L0, A, B and peak as they are, the others "
        "by their logarithms",
    }


def save(law: Law, path: str | Path) -> None:
    """Write a law to a file.

    Raises:
        OSError: If it cannot be written; an existing file then stays unchanged.
    """
    write_whole(Path(path), json.dumps(to_dict(law), indent=2, allow_nan=False) + "\n")


def load(path: str | Path) -> Law:
    """Read a law from a file.

    Raises:
        LawError: If it is not a law file, or is damaged; the message names the key.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise LawError("too large for a law file")
        return from_dict(json.loads(text))
    except FileNotFoundError:
        raise LawError(f"{path}: there is no such file") from None
    except OSError as error:
        raise LawError(f"{path}: cannot be read: {error.strerror}") from None
    except LawError as error:
        raise LawError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise LawError(f"{path}: is not JSON, or was cut off") from None


def from_dict(value: object) -> Law:
    """Return the law from which :func:`to_dict` made this value.

    Raises:
        LawError: If a key is missing or its value is wrong; the message names it.
    """
    data = _Checked(value, "")
    if data.text("lehr", "") != "loss law":
        raise LawError("is not a law file: its key 'lehr' is not 'loss law'")
    version = data.number("version", low=1)
    if version > VERSION:
        raise LawError(f"version: {version:g} is of a newer lehr, this one reads {VERSION}")
    name = data.text("law")
    if name not in FORMS:
        raise LawError(f"law: {name[:40]!r} is not one of {', '.join(FORMS)}")
    form = FORMS[name]
    weight_decay = data.number("weight_decay", low=0, high=10)
    if form.effective and not weight_decay:
        raise LawError(f"weight_decay: must be above 0 for the law {name!r}")
    choice = data.inner("choice")
    return Law(
        form,
        _values(form, data.inner("parameters")),
        _covariance(form, data.get("covariance")),
        data.number("noise", low=0, high=10),
        data.number("unit", above=0),
        data.number("peak", above=0),
        weight_decay,
        data.whole("warmup", low=0),
        data.whole("horizon", low=1),
        data.number("gain"),
        data.number("width", low=1),
        data.text("loss", ""),
        data.text("optimizer", ""),
        data.number("measured", low=0),
        tuple(_run(row, i) for i, row in enumerate(data.several("fitted"))),
        tuple((key, choice.number(key)) for key in choice.keys),
        data.texts("not_told_apart"),
        data.text("advice", ""),
        data.texts("warnings"),
    )


def _values(form: Form, data: _Checked) -> Floats:
    linear = [data.number(name, low=0) for name in ("L0", "A", "B")]
    inside = [math.log(data.number(one.name, above=0)) for one in form.parameters]
    return np.array([*linear, *inside, data.number("peak")])


def _covariance(form: Form, value: object) -> Floats:
    size = len(names(form))
    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != (size, size) or not (np.abs(found) < _HIGHEST).all():
        raise LawError(f"covariance: must be {size} rows of {size} finite numbers")
    if not np.allclose(found, found.T, rtol=1e-6, atol=1e-12) or np.linalg.eigvalsh(found)[0] <= 0:
        raise LawError("covariance: must be symmetric and positive")
    return (found + found.T) / 2


def _run(value: object, number: int) -> FittedRun:
    data = _Checked(value, f"fitted[{number}].")
    return FittedRun(
        data.text("name"),
        data.whole("steps", low=1),
        data.whole("points", low=1),
        data.number("peak", above=0),
        data.number("error", low=0),
        data.texts("notes"),
    )


class _Checked:
    """A JSON object whose values are checked as they are read."""

    def __init__(self, value: object, within: str) -> None:
        if not isinstance(value, Mapping):
            raise LawError(f"{within.rstrip('.') or 'it'} is not an object")
        self._value = cast("Mapping[str, object]", value)
        self._within = within

    @property
    def keys(self) -> list[str]:
        return list(self._value)

    def get(self, key: str) -> object:
        if key not in self._value:
            raise LawError(f"{self._within}{key}: is missing")
        return self._value[key]

    def number(
        self, key: str, *, low: float = -math.inf, above: float = -math.inf, high: float = _HIGHEST
    ) -> float:
        value = self.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise LawError(f"{self._within}{key}: {str(value)[:40]!r} is not a number")
        if not abs(value) <= high:
            raise LawError(f"{self._within}{key}: is not finite, or out of its range")
        number = float(value)
        if number < low or not number > above:
            raise LawError(f"{self._within}{key}: {number:g} is out of its range")
        return number

    def whole(self, key: str, *, low: int) -> int:
        number = self.number(key, low=low, high=1e12)
        if number != int(number):
            raise LawError(f"{self._within}{key}: {number:g} is not a whole number")
        return int(number)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value.get(key, default) if default is not None else self.get(key)
        if not isinstance(value, str):
            raise LawError(f"{self._within}{key}: {str(value)[:40]!r} is not text")
        return value

    def several(self, key: str) -> list[object]:
        value = self.get(key)
        if not isinstance(value, list):
            raise LawError(f"{self._within}{key}: is not a list")
        return cast("list[object]", value)

    def texts(self, key: str) -> tuple[str, ...]:
        found = self.several(key)
        if not all(isinstance(one, str) for one in found):
            raise LawError(f"{self._within}{key}: is not a list of strings")
        return tuple(cast("list[str]", found))

    def inner(self, key: str) -> _Checked:
        return _Checked(self.get(key), f"{self._within}{key}.")
