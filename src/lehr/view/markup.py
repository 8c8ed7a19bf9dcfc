"""HTML and SVG as text, escaped unless it is markup already."""

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Markup", "breakable", "join", "shortened", "tag"]

_VOID = frozenset({"br", "hr", "input", "link", "meta", "wbr"})

Attribute: TypeAlias = str | int | float | bool | None


class Markup(str):
    """Text that is markup already. Every other text is escaped on its way into a page."""

    __slots__ = ()


def _escape(child: str) -> str:
    return child if isinstance(child, Markup) else html.escape(child, quote=False)


def join(children: Iterable[str]) -> Markup:
    """Put pieces next to each other; plain text among them is escaped."""
    return Markup("".join(_escape(child) for child in children))


def _attribute(name: str, value: Attribute) -> str:
    # A trailing underscore lets Python's own words (class, for) be attribute names.
    name = name.removesuffix("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        value = f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{html.escape(str(value))}"'


def tag(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """One element.

    Arguments:
        name: the element's name, such as `"td"`; void elements get no closing tag.
        children: its content, in order; plain text is escaped, `Markup` is not.
        attributes: underscores become hyphens and a trailing one is dropped (`class_`);
            `None` and `False` leave the attribute out, `True` writes it bare; a float is written
            with two decimals, which is enough for a coordinate.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(start if name in _VOID else f"{start}{join(children)}</{name}>")


def breakable(name: str) -> Markup:
    """A name that may break after an underscore or a bracket, so that columns can be narrow."""
    parts = re.split(r"(?<=[_(])", name)
    return join([parts[0], *(join([tag("wbr"), part]) for part in parts[1:])])


def shortened(name: str, most: int) -> str:
    """A name of at most so many characters; where some are left out, it ends in three dots."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"
