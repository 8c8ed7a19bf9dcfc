"""The studio in a real browser: by mouse, by keyboard alone, by touch, and when things go wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="starlette: lehr[studio] has it")
pytest.importorskip("uvicorn", reason="uvicorn: lehr[studio] has it")

from browser import ALT, BROWSER, CTRL, NO_BROWSER, SHIFT, Browser, Page
from serving import Served, served

pytestmark = pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)

TEXT = "warmup('5%') >> hold() >> cosine('20%', to=0.1)"
AREA = "document.querySelector('textarea').value"
CURVE = "document.querySelector('.series').getAttribute('d')"
CODE = "document.querySelector('.code').textContent"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as one:
        yield one


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture
def page(browser: Browser, server: Served) -> Iterator[Page]:
    one = browser.page()
    show(one, server.link(TEXT))
    yield one
    assert one.complaints() == []
    one.close()


def show(page: Page, link: str) -> None:
    page.goto(link)
    page.wait("document.querySelectorAll('.knot').length > 0")
    page.wait("document.querySelector('.unseen').textContent")


def knot(n: int) -> str:
    return f".knot:nth-child({n})"


def focus(page: Page, n: int) -> None:
    page.run(f"document.querySelector('{knot(n)}').focus()")


def test_a_drag_changes_curve_text_and_code_before_it_ends(page: Page) -> None:
    before = page.run(f"[{AREA}, {CURVE}, {CODE}]")
    x, y = page.centre(f"{knot(2)} .dot")
    page.mouse("mousePressed", x, y)
    for i in range(1, 11):
        page.mouse("mouseMoved", x + 10 * i, y + 5 * i)
    page.wait(f"{AREA} !== {json.dumps(before[0])}")
    page.wait(f"{CODE}.includes({AREA})")
    during = page.run(f"[{AREA}, {CURVE}, {CODE}]")
    assert all(old != new for old, new in zip(before, during, strict=True))
    # The knot is where the pointer is, to the width of a pixel and a half.
    page.wait(f"(() => {{ const b = document.querySelector('{knot(2)} .dot')"
              f".getBoundingClientRect(); return Math.hypot(b.x + b.width / 2 - {x + 100},"
              f" b.y + b.height / 2 - {y + 50}) < 1.5; }})()")  # fmt: skip
    page.mouse("mouseReleased", x + 100, y + 50)
    page.wait("!document.querySelector('.held')")
    assert page.run(AREA).endswith(" >> hold() >> cosine('20%', to=0.1)")
    # One gesture is undone at once.
    page.click(".bar button:nth-child(2)")
    page.wait(f"{AREA} === {json.dumps(TEXT)}")
    page.click(".bar button:nth-child(3)")
    page.wait(f"{AREA} === {json.dumps(during[0])} || {AREA} !== {json.dumps(TEXT)}")


def test_shift_keeps_one_axis_and_alt_pushes(page: Page, server: Served) -> None:
    text = "hold(4000) >> linear(3000)"
    page.goto(server.link(text))
    page.wait(f"{AREA} === '{text}' && document.querySelectorAll('.knot').length === 3")
    x, y = page.centre(f"{knot(1)} .dot")
    page.mouse("mousePressed", x, y)
    page.mouse("mouseMoved", x + 64, y + 3, ALT | SHIFT)
    page.wait(f"{AREA} !== '{text}'")
    page.mouse("mouseReleased", x + 64, y + 3)
    page.wait("!document.querySelector('.held')")
    assert page.run(AREA).endswith(">> linear(3000)")


def test_by_keyboard_alone_from_tab_to_copied_code(page: Page) -> None:
    label = "document.activeElement.getAttribute('aria-label') || ''"
    page.run("document.activeElement.blur()")
    for _ in range(80):
        page.key("Tab")
        if page.run(label).startswith("Knot 2 of 4"):
            break
    assert page.run(label) == (
        "Knot 2 of 4 of rate; left and right: warmup steps; up and down: warmup to"
    )
    for _ in range(30):
        page.key("ArrowRight")
    page.wait(f"{AREA}.startsWith(\"warmup('8%')\")")
    page.key("ArrowDown")
    page.wait(f"{AREA}.startsWith(\"warmup('8%', to=0.9)\")")
    # The knot keeps the focus while it is redrawn.
    assert page.run(label).startswith("Knot 2 of 4")
    value = page.run("document.activeElement.getAttribute('aria-valuetext')")
    assert value == "step 800, rate 0.9"
    for _ in range(80):
        page.key("Tab")
        if page.run("document.activeElement.textContent") == "Copy code":
            break
    page.key("Enter")
    page.wait("document.querySelector('.copied').textContent === 'Copied'")
    assert page.run("navigator.clipboard.readText()") == page.run(CODE)
    assert "warmup('8%', to=0.9)" in page.run(CODE)


def test_thirty_quick_keys_are_one_undo(page: Page) -> None:
    focus(page, 2)
    for _ in range(30):
        page.key("ArrowLeft")
    page.wait(f"{AREA}.startsWith(\"warmup('2%')\")")
    page.key("z", CTRL)
    page.wait(f"{AREA} === {json.dumps(TEXT)}")


def test_delete_on_a_knot_joins_its_pieces(page: Page) -> None:
    focus(page, 3)
    page.key("Delete")
    page.wait(f"{AREA} === \"warmup('5%') >> cosine(to=0.1)\"")


def test_a_double_click_splits_the_piece_there(page: Page) -> None:
    x, y = page.centre(".plot")
    for clicks in (1, 2):
        page.mouse("mousePressed", x, y, clicks=clicks)
        page.mouse("mouseReleased", x, y, clicks=clicks)
    page.wait(f"{AREA}.split('>>').length === 4")


def test_an_ease_is_chosen_from_a_menu_with_pictures(page: Page) -> None:
    page.run("document.querySelector('[aria-label=\"Ease of piece 3: cosine\"]').click()")
    page.wait("document.querySelectorAll('dialog[open] .thumb').length > 10")
    page.run("[...document.querySelectorAll('dialog[open] .cards button')]"
             ".find((b) => b.textContent === '1-sqrt').click()")  # fmt: skip
    page.wait(f"{AREA}.endsWith(\"ramp('20%', to=0.1, ease='1-sqrt')\")")


def test_a_named_schedule_is_a_start_and_is_taken_apart(page: Page) -> None:
    page.click(".bar button")
    page.wait("document.querySelectorAll('dialog[open] .thumb').length > 60")
    page.run("[...document.querySelectorAll('dialog[open] .cards button')]"
             ".find((b) => b.textContent === 'wsd').click()")  # fmt: skip
    page.wait(f"{AREA} === \"wsd('10%', '20%')\"")
    page.wait("document.querySelector('.pieces button')?.textContent === 'Take apart'")
    page.run("document.querySelector('.pieces button').click()")
    page.wait(f"{AREA} === \"warmup('10%') >> hold() >> ramp('20%', to=0.0, ease='1-sqrt')\"")


def test_a_number_is_typed_into_its_field(page: Page) -> None:
    page.run("(() => { const field = document.querySelector('.numbers input');"
             "field.value = '12.5'; field.dispatchEvent(new Event('change')); })()")  # fmt: skip
    page.wait(f"{AREA}.startsWith(\"warmup('12.5%')\")")


def test_a_wrong_text_keeps_the_last_good_curve_and_shows_the_place(page: Page) -> None:
    curve = page.run(CURVE)
    page.run("document.querySelector('textarea').select()")
    page.write("warmup('5%') >> cosin('20%')")
    page.wait("document.querySelector('[role=alert]').textContent.includes('did you mean')")
    alert = page.run("document.querySelector('[role=alert]').textContent").splitlines()
    assert alert[-2] == "  warmup('5%') >> cosin('20%')"
    assert alert[-1] == " " * 18 + "^"
    assert page.run(CURVE) == curve
    assert page.run("document.querySelector('textarea').getAttribute('aria-invalid')") == "true"
    page.run("document.querySelector('textarea').select()")
    page.write("cosine('20%') >> hold()")
    page.wait("document.querySelector('[role=alert]').textContent === ''")
    page.wait(f"{CURVE} !== {json.dumps(curve)}")
    # What is being typed is not written over.
    assert page.run(AREA) == "cosine('20%') >> hold()"


def test_a_link_holds_the_whole_design(page: Page, browser: Browser, server: Served) -> None:
    page.run("document.querySelector('[type=checkbox]').click()")
    focus(page, 2)
    page.key("ArrowRight")
    text = page.wait(f"{AREA} !== {json.dumps(TEXT)} && {AREA}")
    page.wait("decodeURIComponent(location.hash).includes('\"log\":true')")
    page.wait(f"decodeURIComponent(location.hash).includes({AREA})")
    page.run("document.querySelector('.bar button:nth-child(4)').click()")
    page.wait("document.querySelector('.copied').textContent === 'Copied'")
    other = browser.page()
    show(other, page.run("navigator.clipboard.readText()"))
    assert other.run(AREA) == text
    assert other.run("document.querySelector('[type=checkbox]').checked") is True
    assert other.run(CURVE) == page.run(CURVE)
    # A fragment is never sent to the server.
    assert all("#" not in address or address.startswith(server.start)
               for address in other.requests())  # fmt: skip
    other.close()


def test_every_knot_has_a_name_in_the_accessibility_tree(page: Page) -> None:
    sliders = [node for node in page.tree() if node["role"] == "slider"]
    assert [node["name"].partition(" of rate")[0] for node in sliders] == [
        f"Knot {n} of 4" for n in range(1, 5)
    ]
    groups = [node["name"] for node in page.tree() if node["role"] in ("group", "GraphicsObject")]
    assert any(str(name).startswith("The rate over 10,000 steps") for name in groups)


def test_no_request_leaves_the_origin(page: Page, server: Served) -> None:
    focus(page, 2)
    page.key("ArrowRight")
    page.wait(f"{AREA} !== {json.dumps(TEXT)}")
    sent = page.requests()
    assert len(sent) > 4
    assert [a for a in sent if not a.startswith((server.start, "data:", "blob:"))] == []


def test_pictures_are_saved(page: Page, tmp_path: Path) -> None:
    page.browser.call("Browser.setDownloadBehavior", behavior="allow",
                      browserContextId=page.context, downloadPath=str(tmp_path))  # fmt: skip
    for kind, start in (("SVG", b"<svg xmlns"), ("PNG", b"\x89PNG")):
        page.run(f"[...document.querySelectorAll('button')].find((b) => "
                 f"b.textContent === 'Save {kind}').click()")  # fmt: skip
        path = tmp_path / f"schedule.{kind.lower()}"
        for _ in range(200):
            if path.exists() and path.stat().st_size:
                break
            time.sleep(0.05)
        assert path.read_bytes().startswith(start)


def test_lines_are_added_and_overlaid(page: Page) -> None:
    page.run("[...document.querySelectorAll('button')].find((b) => "
             "b.textContent === 'Add a line').click()")  # fmt: skip
    page.wait("document.querySelectorAll('.plot .series').length === 2")
    assert "Momentum" in page.run("document.querySelector('.plot').textContent")
    page.wait("document.querySelectorAll('.line')[1].classList.contains('chosen')")
    page.run("document.querySelectorAll('.remove')[1].click()")
    page.wait("document.querySelectorAll('.plot .series').length === 1")


def test_by_touch_on_a_phone(browser: Browser, server: Served) -> None:
    page = browser.page(390, 844, touch=True)
    show(page, server.link(TEXT))
    assert page.run("document.documentElement.scrollWidth") <= 390
    box = page.run("(() => { const b = document.querySelector('.hit').getBoundingClientRect();"
                   "return [b.width, b.height]; })()")  # fmt: skip
    assert min(box) >= 43
    x, y = page.centre(f"{knot(2)} .dot")
    before = page.run("scrollY")
    page.touch("touchStart", (x, y))
    for i in range(1, 11):
        page.touch("touchMove", (x + 4 * i, y + 6 * i))
    page.wait(f"{AREA} !== {json.dumps(TEXT)}")
    page.touch("touchEnd")
    page.wait("!document.querySelector('.held')")
    # A drag of a knot does not scroll the page.
    assert page.run("scrollY") == before
    assert page.complaints() == []
    page.close()


def test_a_server_that_is_gone_is_said(browser: Browser) -> None:
    with served("another") as gone:
        page = browser.page()
        show(page, gone.link(TEXT))
        curve = page.run(CURVE)
    focus(page, 2)
    page.key("ArrowRight")
    page.wait("document.querySelector('[role=alert]').textContent.includes('does not answer')")
    assert page.run(CURVE) == curve
    page.close()
