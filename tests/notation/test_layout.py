"""A text may have several lines and comments; a caret still shows the right place."""

from __future__ import annotations

import pytest

from lehr import ParseError, parse

PLAIN = parse("warmup(5) >> cosine(9, to=0.1)")


@pytest.mark.parametrize(
    "text",
    [
        "warmup(5) >> cosine(9, to=0.1)  # the usual",
        "# the usual\nwarmup(5) >> cosine(9, to=0.1)",
        "warmup(5)  # up\n>> cosine(9, to=0.1)  # down",
        "warmup(\n  5,  # steps\n)\n>>\ncosine(9, # (, ', \", ) are words here\n to=0.1)",
        "  # Grüße, 学习率, ∑ and \\ too\r\n warmup(5) >> cosine(9, to=0.1)#",
        "warmup(5) >> cosine(9, to=0.1)\r# a\r\n# b\n\n",
    ],
)
def test_comments_and_lines_change_nothing(text: str) -> None:
    assert parse(text) == PLAIN


def test_a_mark_in_a_text_is_no_comment() -> None:
    with pytest.raises(ParseError, match="is not a duration"):
        parse("hold('5#st')")


@pytest.mark.parametrize(
    ("text", "line", "caret"),
    [
        ("# Grüße, 学习率\nwarmup(5) >> cosin(9)", "warmup(5) >> cosin(9)", 13),
        ("warmup(5) # ∑∑∑\n  >> cosin(9)  # here", "  >> cosin(9)  # here", 5),
        ("warmup(5) >> cosin(9)  # 学", "warmup(5) >> cosin(9)  # ?", 13),
        ("warmup(5) >> cosine(9, # a\n  by=3)", "  by=3)", 2),
        ("hold(1) # a\n>> 5", ">> 5", 3),
        ("hold(1) # a\n>> hold(2", ">> hold(2", 7),
    ],
)
def test_the_caret_is_at_the_place(text: str, line: str, caret: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    _, shown, below = str(caught.value).split("\n")
    assert shown == f"  {line}"
    assert below == f"  {' ' * caret}^"
    place = caught.value.place
    assert isinstance(place, int)
    assert place == text.rfind("\n", 0, place) + 1 + caret


@pytest.mark.parametrize("text", ["# nothing", " # nothing\n# at all\n", "#"])
def test_only_a_comment_is_empty(text: str) -> None:
    with pytest.raises(ParseError, match="the text is empty; write cosine"):
        parse(text)
