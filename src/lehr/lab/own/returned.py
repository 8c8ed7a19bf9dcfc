"""The numbers that a user's own training returns, checked before use."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from lehr.lab.errors import TrialError

OUTCOME = "outcome.json"
"""The file in a trial's folder with what the training returned."""

_WANTED = 'return {"validation": {"loss": ...}, "test": {"loss": ...}}, or "score" in both'
_PARTS = ("validation", "test")

_LARGEST = 1 << 20  # bytes of the file
_MOST = 200  # numbers, and characters of their names
_DEEPEST = 5


class Returned(NamedTuple):
    """The numbers of a training.

    Attributes:
        kind: "score" (a share from 0 to 1; higher is better) or "loss".
        validation: The number on the data used to choose the peak rate; None if it is not finite,
            because the training diverged.
        test: The number on the data used for no choice, likewise.
        test_loss: The loss on the test data, if it was returned.
        numbers: All finite numbers by name, such as "validation.loss" and "test.perplexity".
    """

    kind: str
    validation: float | None
    test: float | None
    test_loss: float | None
    numbers: dict[str, float]


def check_returned(value: object, wanted: str = "") -> Returned:
    """Check what a training returned; a TrialError says what is wrong and what is expected.

    If `wanted` is empty, the score counts if there is one, otherwise the loss.

    Example:
        >>> found = check_returned({"validation": {"loss": 2.5}, "test": {"loss": 2}, "tokens": 7})
        >>> found.kind, found.validation, found.test
        ('loss', 2.5, 2.0)
        >>> found.numbers
        {'validation.loss': 2.5, 'test.loss': 2.0, 'tokens': 7.0}
    """
    if not isinstance(value, Mapping):
        raise _wrong(f"it is {_shown(value)}")
    found = cast("Mapping[object, Any]", value)
    for part in _PARTS:
        if not isinstance(found.get(part), Mapping):
            has = f"is {_shown(found[part])}" if part in found else "is missing"
            raise _wrong(f"{part!r} {has}")
    kinds = (wanted,) if wanted else ("score", "loss")
    kind = next((k for k in kinds if all(k in found[part] for part in _PARTS)), None)
    if kind is None:
        has = " and ".join(f"{part!r} has {_names(found[part])}" for part in _PARTS)
        which = f"{wanted!r}, the metric of this comparison," if wanted else "'score' or 'loss'"
        raise _wrong(f"{has}: {which} must be in both")
    numbers = dict(_numbers(found, ""))
    validation, test = (_measured(numbers, part, kind) for part in _PARTS)
    finite = {name: number for name, number in numbers.items() if math.isfinite(number)}
    return Returned(kind, validation, test, finite.get("test.loss"), finite)


def _numbers(values: Mapping[Any, Any], path: str, depth: int = 0) -> Iterator[tuple[str, float]]:
    """Yield all numbers in nested mappings, with the path of each."""
    if len(values) > _MOST or depth > _DEEPEST:
        raise _wrong(f"it has more than {_MOST} numbers, or is nested deeper than {_DEEPEST}")
    for name, value in values.items():
        if not isinstance(name, str) or not name.isprintable() or len(name) > _MOST:
            raise _wrong(f"it has the name {name!r:.60}: names are strings of one line")
        where = f"{path}{name}"
        if isinstance(value, Mapping):
            yield from _numbers(cast("Mapping[Any, Any]", value), f"{where}.", depth + 1)
            continue
        try:
            # Otherwise text would be read as a number, and True as 1.
            if isinstance(value, str | bytes | bool):
                raise TypeError
            # A missing number is None in the file. Tensors and arrays of one number are numbers.
            yield where, math.nan if value is None else float(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise _wrong(f"{where!r} is {_shown(value)}, not a number") from None


def plain(returned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers in JSON's types, with None for one that is not finite."""
    found: dict[str, Any] = {}
    for name, value in returned.items():
        if isinstance(value, Mapping):
            found[name] = plain(cast("Mapping[str, Any]", value))
        else:
            found[name] = None if value is None else finite(float(value))
    return found


def _measured(numbers: Mapping[str, float], part: str, kind: str) -> float | None:
    value = finite(numbers.get(f"{part}.{kind}"))  # None where the value is itself not a number
    if value is not None and kind == "score" and not 0 <= value <= 1:
        raise _wrong(
            f"its {part} score is {value:g}: a score is a share from 0 to 1, and higher is "
            "better; return any other number as a loss, of which lower is better"
        )
    return value


def finite(number: float | None) -> float | None:
    """Return a number, or None if it is missing or not finite."""
    return number if number is not None and math.isfinite(number) else None


def _names(values: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name!r:.40}" for name in list(values)[:5]) or "nothing"


def _shown(value: object) -> str:
    if value is None:
        return "None"
    text = repr(value)
    return f"the {type(value).__name__} {text if len(text) <= 60 else text[:60] + '...'}"


def _wrong(problem: str) -> TrialError:
    reason = f"what it returned cannot be used: {problem}; {_WANTED}"
    return TrialError(reason, reason)


def read_file(path: Path) -> object:
    """Read the JSON file that a command leaves; raise FileNotFoundError if there is none."""
    try:
        content = plain_content(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _wrong(f"{path.name} cannot be read: {error.strerror}") from None
    return read_text(content.decode(errors="replace"), path.name)


def plain_content(path: Path) -> bytes:
    """Return the content of a regular file of at most a megabyte; raise OSError for others."""
    # A pipe would keep this process waiting.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a plain file")
        content = opened.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, f"it has more than {_LARGEST:,} bytes")
    return content


def read_text(text: str, where: str) -> object:
    """Read JSON; if it is not, raise a TrialError that quotes its beginning."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise _wrong(f"{where} has {text[:60]!r}, which is not JSON ({reason})") from None


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r:.60} appears twice")
        found[name] = value
    return found
