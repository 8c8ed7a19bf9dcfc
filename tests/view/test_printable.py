"""Text from outside does nothing to a terminal, a picture or a page."""

from __future__ import annotations

import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lehr
from lehr.view.markup import tag
from lehr.view.printable import printable

EVIL = "\x1b]0;renamed\x07\x1b[2Jname\r\n\x9b5n\u202egnp.exe\ud800\x00"


@given(st.text(st.characters(exclude_categories=[])))
def test_no_control_character_is_left(text: str) -> None:
    shown = printable(text)
    # Cc: control characters, Cs: surrogates, and the line and paragraph separators.
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Zl", "Zp"}
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "M"])))
def test_other_text_is_left_alone(text: str) -> None:
    assert printable(text) == text


def test_what_was_there_can_still_be_read() -> None:
    assert printable("\x1b[31m\n") == r"\x1b[31m\n"
    assert printable("a\tb\nc\x1b\r", lines=True) == "a\tb\nc\\x1b\\r"


def test_a_page_stays_well_formed() -> None:
    made = tag("p", EVIL, title=EVIL)
    ElementTree.fromstring(made.encode("utf-8"))
    assert "\x1b" not in made
    assert "\u202e" not in made


def test_a_name_in_a_drawing_is_harmless() -> None:
    terminal = pytest.importorskip("lehr.view.terminal", reason="needs lehr[cli]")
    drawn = terminal.draw({EVIL: lehr.linear(), "other": lehr.cosine()}, 10).plain
    assert printable(EVIL) in drawn
    assert printable(drawn, lines=True) == drawn


def test_a_name_in_a_picture_is_harmless() -> None:
    pytest.importorskip("matplotlib", reason="needs lehr[plot]")
    from lehr.view.plot import draw

    label = draw({EVIL: lehr.linear()}, 10).axes[0].lines[0].get_label()
    assert label == printable(EVIL)
    # matplotlib would hide a name with a leading underscore, and read dollars as a formula.
    axes = draw({"_a": lehr.linear(), "$b_$": lehr.linear()}, 10).axes[0]
    texts = axes.get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["_a", "$b_$"]
    assert not any(text.get_parse_math() for text in texts)
