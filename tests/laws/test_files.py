"""Law files: what is written comes back, and what is damaged is named."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import transcribed_laws as true
from lehr.laws import FORMS, Law, LawError, fit, load, save
from lehr.laws.files import from_dict, to_dict
from transcribed_laws import logged

RUNS = [logged(kind, 2000, noise=1e-3, seed=i) for i, kind in enumerate(("constant", "wsd20"))]


def law_of(form: str) -> Law:
    return fit(RUNS, law=form, optimizer="adamw", weight_decay=true.DECAY)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return to_dict(law_of("effective-rate"))


@pytest.mark.parametrize("form", FORMS)
def test_a_law_comes_back_and_predicts_the_same(tmp_path: Path, form: str) -> None:
    law = law_of(form)
    save(law, tmp_path / "law.json")
    again = load(tmp_path / "law.json")
    for name in ("form", "fitted", "choice", "blurred", "advice", "warnings", "kind", "horizon"):
        assert getattr(again, name) == getattr(law, name)
    found, expected = (one.predict("warmup(50) >> linear()", steps=3000) for one in (again, law))
    assert found.loss == pytest.approx(expected.loss, rel=1e-9)
    assert found.low == pytest.approx(expected.low, rel=1e-9)


def test_a_person_can_read_it(data: dict[str, Any]) -> None:
    assert data["lehr"] == "loss law"
    assert data["version"] == 1
    assert set(data["parameters"]) == {"L0", "A", "B", "alpha", "C", "beta", "peak"}
    assert set(data["parameters"]) <= set(data["units"])
    assert [run["name"] for run in data["fitted"]] == ["constant", "wsd20"]
    assert data["peak"] == true.PEAK


def keys(value: Any, within: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of everything that a law is read from."""
    found: list[tuple[Any, ...]] = []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        place = (*within, key)
        if key in ("paper", "units"):
            continue
        found.append(place)
        if isinstance(inner, dict) or (isinstance(inner, list) and key == "fitted"):
            found += keys(inner, place)
    return found


NEEDED = [
    ("lehr",),
    ("version",),
    ("law",),
    ("parameters",),
    ("parameters", "alpha"),
    ("parameters", "L0"),
    ("covariance",),
    ("noise",),
    ("unit",),
    ("peak",),
    ("weight_decay",),
    ("warmup",),
    ("horizon",),
    ("gain",),
    ("fitted",),
    ("fitted", 0, "steps"),
    ("fitted", 1, "name"),
    ("choice",),
    ("not_told_apart",),
    ("warnings",),
]


def put(data: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the data with another value at a place; without the place where it is None."""
    changed = copy.deepcopy(data)
    inner: Any = changed
    for key in place[:-1]:
        inner = inner[key]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return changed


@pytest.mark.parametrize("place", NEEDED, ids=str)
def test_a_key_that_is_missing_is_named(data: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(LawError, match=str(place[-1])):
        from_dict(put(data, place, None))


@pytest.mark.parametrize("value", [True, [[]], {"a": {}}, "x" * 100, float("nan"), -1e300, 10**400])
def test_whatever_a_key_has_is_read_or_refused_by_name(data: dict[str, Any], value: Any) -> None:
    refused = 0
    for place in keys(data):
        law, words = attempt(put(data, place, value))
        if law is None:
            named = [str(key) for key in place if isinstance(key, str)]
            assert any(name in words for name in named), (place, words)
            refused += 1
        else:
            # Words may be any, and predictions stay numbers.
            assert np.isfinite(law.predict("warmup(50) >> linear()", steps=500).loss).all()
    assert refused > 0.5 * len(keys(data))


def attempt(data: dict[str, Any]) -> tuple[Law | None, str]:
    try:
        return from_dict(data), ""
    except LawError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("version",), 2, "of a newer lehr"),
        (("version",), 0, "out of its range"),
        (("law",), "newton", "'newton' is not one of"),
        (("weight_decay",), 0, "above 0"),
        (("unit",), 0, "unit: 0 is out of its range"),
        (("parameters", "C"), -1.0, "parameters.C: -1 is out of its range"),
        (("fitted", 0, "steps"), 1.5, r"fitted\[0\]\.steps: 1.5 is not a whole number"),
        (("covariance",), [[1.0]], "covariance: must be 7 rows"),
        (("covariance",), np.diag([-1.0] * 7).tolist(), "symmetric and positive"),
        (("covariance",), [[1.0] * 7] * 6 + [["a"] * 7], "covariance: must be 7 rows"),
    ],
)
def test_what_contradicts_is_refused(
    data: dict[str, Any], place: tuple[Any, ...], value: Any, words: str
) -> None:
    with pytest.raises(LawError, match=words):
        from_dict(put(data, place, value))


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, data: dict[str, Any]) -> None:
    path, text = tmp_path / "law.json", json.dumps(data)
    for size in (0, 1, len(text) // 2, len(text) - 1):
        path.write_text(text[:size])
        with pytest.raises(LawError, match=r"law\.json: is not JSON, or was cut off"):
            load(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not an object"),
        ("{}", "not a law file"),
        ('{"lehr": "schedule"}', "not a law file"),
        ("[" * 100_000, "is not JSON"),
        ("\x00", "is not JSON"),
        (" " * (10**6 + 1), "too large"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "law.json").write_text(text)
    with pytest.raises(LawError, match=words):
        load(tmp_path / "law.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LawError, match="there is no such file"):
        load(tmp_path / "gone.json")
    with pytest.raises(LawError, match="cannot be read"):
        load(tmp_path)
