"""Writing files so that a failure leaves the old content."""

import os
import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file completely or not at all; text is written in UTF-8.

    The data first goes into a new file in the same folder, under an unpredictable name, which then
    replaces the old one. A symbolic link is followed; a device or a pipe is written to directly.

    Raises:
        OSError: If the file cannot be written. An existing file then stays unchanged, and no other
            file is left behind.
    """
    path, data = path.resolve(), data.encode() if isinstance(data, str) else data
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            try:
                file.write(data)
                file.flush()
                os.replace(part, path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        # Report the name that the user knows.
        raise OSError(error.errno, error.strerror, str(path)) from None
