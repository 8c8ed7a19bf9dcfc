"""Text of unknown origin, made safe to print.

Names come from users' files, from strangers' stores, from other libraries. A terminal obeys the
control characters in them: it clears the screen, renames the window, or types an answer.
"""

import re

# Control characters of ASCII and of Latin-1, delete, surrogates, and what reorders a line of text.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text with its control characters written out, as Python would write them.

    Arguments:
        text: The text.
        lines: Keep line breaks and tabs, for a text of several lines.

    Example:
        >>> print(printable("a\\x1b[2Jb"))
        a\\x1b[2Jb
    """

    def written(found: re.Match[str]) -> str:
        if lines and found[0] in "\n\t":
            return found[0]
        return repr(found[0])[1:-1]

    return _UNSAFE.sub(written, text)
