"""Markup: what is text gets escaped, what is markup stays."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from lehr.view.markup import Markup, breakable, join, shortened, tag
from lehr.view.printable import printable


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(markup: str) -> _Reader:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader


_TEXT = st.text(st.characters(exclude_categories=[]))


@given(_TEXT, _TEXT)
def test_any_text_comes_back_from_content_and_attribute(content: str, value: str) -> None:
    reader = _read(tag("p", content, title=value))
    assert reader.tags == [("p", {"title": printable(value)})]
    assert reader.text == printable(content, lines=True)


def test_markup_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "a < b")) == "<p><b>a &lt; b</b></p>"


def test_text_beside_markup_is_escaped() -> None:
    assert join(["<", Markup("<br>")]) == "&lt;<br>"


def test_attribute_names_and_values() -> None:
    made = tag("input", class_="a", aria_label="b", checked=True, hidden=False, id=None, x=1.50001)
    assert made == '<input class="a" aria-label="b" checked x="1.5">'


def test_a_name_may_break_after_each_underscore() -> None:
    assert breakable("a_b_c") == "a_<wbr>b_<wbr>c"
    assert breakable("<i>") == "&lt;i&gt;"


def test_a_long_name_is_shortened_and_breaks_where_it_may() -> None:
    assert shortened("cosine(to=0.1)", 14) == "cosine(to=0.1)"
    assert shortened("warmup(10) >> hold()", 14) == "warmup(10) >>…"
    assert shortened("warmup(10) >> hold()", 12) == "warmup(10)…"
    assert breakable("warm_restarts(T_0=5)") == "warm_<wbr>restarts(<wbr>T_<wbr>0=5)"
    assert breakable("<(") == "&lt;(<wbr>"
