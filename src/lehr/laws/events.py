"""TensorBoard's event files: their scalars, read without TensorBoard.

A file is a sequence of records: eight bytes of length, four of checksum, the record, four of
checksum. A record is a protocol buffer ``Event`` (step = 2, summary = 5); a summary has values (1)
with a tag (1) and a simple value (2) or a tensor (8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from lehr.laws.runs import LawError

_Field = tuple[int, int | bytes]

_LARGEST = 2**28
"""The most bytes of an event with a scalar; a larger number means a damaged file."""

_FLOAT, _DOUBLE = 1, 2


def scalars(path: Path) -> Iterator[tuple[str, int, float]]:
    """Yield the tag, step and value of each scalar in an event file, in order.

    A file that ends within a record is read up to that record: its writer may still be running.

    Raises:
        LawError: If it is not an event file.
    """
    with path.open("rb") as file:
        number = 0
        while len(head := file.read(12)) == 12:
            (size,) = struct.unpack("<Q", head[:8])
            if size > _LARGEST:
                raise LawError(f"{path}: record {number} has {size} bytes: not an event file")
            record = file.read(size)
            if len(record) < size or len(file.read(4)) < 4:
                return
            try:
                yield from _event(record)
            except (struct.error, IndexError, UnicodeDecodeError):
                raise LawError(f"{path}: record {number} is not an event") from None
            number += 1


def _event(record: bytes) -> Iterator[tuple[str, int, float]]:
    step, summaries = 0, list[bytes]()
    for field, value in _fields(record):
        if field == 2 and isinstance(value, int):
            step = value
        elif field == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for field, value in _fields(summary):
            if field == 1 and isinstance(value, bytes):
                tag, number = _value(value)
                if number is not None:
                    yield tag, step, number


def _value(record: bytes) -> tuple[str, float | None]:
    tag, number = "", None
    for field, value in _fields(record):
        if field == 1 and isinstance(value, bytes):
            tag = value.decode()
        elif field == 2 and isinstance(value, bytes) and len(value) == 4:
            (number,) = struct.unpack("<f", value)
        elif field == 8 and isinstance(value, bytes):
            number = _tensor(value)
    return tag, number


def _tensor(record: bytes) -> float | None:
    """Return the number in a tensor with a single one, or None."""
    kind, found = 0, list[tuple[int, bytes]]()
    for field, value in _fields(record):
        if field == 1 and isinstance(value, int):
            kind = value
        elif isinstance(value, bytes) and field in (4, 5, 6):
            found.append((field, value))
    for field, value in found:
        if kind == _FLOAT and field in (4, 5) and len(value) == 4:
            return float(struct.unpack("<f", value)[0])
        if kind == _DOUBLE and field in (4, 6) and len(value) == 8:
            return float(struct.unpack("<d", value)[0])
    return None


def _fields(record: bytes) -> Iterator[_Field]:
    """Yield the number and the value of each field of a protocol buffer."""
    at = 0
    while at < len(record):
        key, at = _varint(record, at)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(record, at)
            yield field, value
            continue
        if kind == 2:
            size, at = _varint(record, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise IndexError(kind)
        if at + size > len(record):
            raise IndexError(at)
        yield field, record[at : at + size]
        at += size


def _varint(record: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = record[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
