"""HTML and SVG as text; what is not markup already is escaped."""

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

from lehr.view.printable import printable

_VOID = frozenset({"br", "hr", "input", "link", "meta", "wbr"})

Attribute: TypeAlias = str | int | float | bool | None


class Markup(str):
    """Text that is markup already; all other text is escaped before it enters a page."""

    __slots__ = ()


def _escape(child: str) -> str:
    if isinstance(child, Markup):
        return child
    return html.escape(printable(child, lines=True), quote=False)


def join(children: Iterable[str]) -> Markup:
    """Join pieces of a page; plain text among them is escaped."""
    return Markup("".join(_escape(child) for child in children))


def _attribute(name: str, value: Attribute) -> str:
    # With a trailing underscore, Python's keywords (class, for) can be attribute names.
    name = name.removesuffix("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        value = f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{html.escape(printable(str(value)))}"'


def tag(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """Build one element.

    Arguments:
        name: the element's name, such as `"td"`; void elements get no closing tag.
        children: its content, in order; plain text is escaped, `Markup` is not.
        attributes: underscores become hyphens and a trailing one is dropped (`class_`);
            `None` and `False` leave the attribute out, `True` writes it bare; a float is written
            with two decimals, which is enough for a coordinate.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(start if name in _VOID else f"{start}{join(children)}</{name}>")


def table(look: str, caption: str, head: Markup, rows: Iterable[Markup], *more: Markup) -> Markup:
    """Build a table of the CSS class `look`; `more` follows its body."""
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", head),
        tag("tbody", *rows),
        *more,
        class_=look,
    )


def scrolling(content: Markup, label: str) -> Markup:
    """Let wide content scroll by itself, with a name for screen readers."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def heads(names: Iterable[str]) -> list[Markup]:
    """Build the heads of columns."""
    return [tag("th", name, scope="col") for name in names]


def row_head(optimizer: str, schedule: str) -> Markup:
    """Build the head of the row of a pair."""
    return tag("th", optimizer, " ", tag("b", breakable(schedule)), scope="row")


def described(look: str, rows: Iterable[tuple[str, str]]) -> Markup:
    """Build a list of terms with their descriptions; terms without one are left out."""
    items = [tag("div", tag("dt", name), tag("dd", text)) for name, text in rows if text]
    return tag("dl", *items, class_=look)


def breakable(name: str) -> Markup:
    """Let a name break after an underscore, a colon or a bracket, so that columns can be narrow."""
    parts = re.split(r"(?<=[_:])|(?<=\()(?!\))", name)
    return join([parts[0], *(join([tag("wbr"), part]) for part in parts[1:])])


def shortened(name: str, most: int) -> str:
    """Cut a name to at most `most` characters; a name that was cut ends in an ellipsis."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"
