"""The page that browses a label file, in a real browser, with 100,000 rows."""

from __future__ import annotations

import time

import desks
import pytest
import server
from test_photographs import CONTRAST, READY, UNNAMED


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with server.running(desk=desks.large(tmp_path_factory.mktemp("large"))) as found:
        yield found


@pytest.fixture
def page(browser, shelf):
    def open_page(**view):
        browser.open(f"{shelf.url}/browse", **view)
        assert browser.until(READY)
        return browser

    return open_page


SEEN = (
    "(() => { const seen = [...document.querySelectorAll('.tile')].filter((e) => { const b = e.getBoundingClientRect();"
    " return b.bottom > 0 && b.top < innerHeight; }); return seen.length && seen.every((e) => e.title)"
    " && seen.every((e) => e.querySelector('img').naturalWidth) && seen.map((e) => e.title); })()"
)
SUMMARY = "document.getElementById('summary').textContent"


def choose(page, name, value):
    page.ask(f"(() => {{ const e = document.getElementById('{name}'); e.value = '{value}';"
             " e.dispatchEvent(new Event('input')); })()")  # fmt: skip


def test_a_hundred_thousand_rows_are_quick_and_never_all_in_the_page(page):
    begun = time.monotonic()
    shown = page()
    assert shown.until(SEEN)[0] == "img/000000.png"
    assert shown.ask(SUMMARY) == "All 100,000 images"
    for share in (0.25, 0.75, 1):
        shown.ask(f"scrollTo(0, document.documentElement.scrollHeight * {share})")
    assert shown.until(f"({SEEN} || []).at(-1) === 'img/099999.png'")
    assert shown.ask("document.querySelectorAll('.tile').length") < 150
    asked = [e["params"]["request"]["url"] for e in shown.events if e.get("method") == "Network.requestWillBeSent"]
    assert sum("/rows" in url for url in asked) < 8, "what was only scrolled past is not fetched"
    assert time.monotonic() - begun < 10
    assert shown.complaints() == []


@pytest.mark.slow
def test_a_million_rows_have_room(page):
    """The page is no taller than browsers can; the way through it is shrunk."""
    shown = page()
    shown.ask(
        "import('/static/grid.js').then(({ Grid }) => { document.getElementById('grid').remove();"
        " const node = document.createElement('div'); node.className = 'grid';"
        " document.querySelector('main').append(node);"
        " const fetch = async (start, many) => [...Array(many).keys()].map((k) => ({ row: start + k }));"
        " const fill = (tile, entry) => { tile.textContent = entry.row; };"
        " window.big = new Grid(node, { open() {}, fetch, fill });"
        " big.reset(3e6, [...Array(100).keys()].map((k) => ({ row: k }))); })"
    )
    assert shown.ask("document.documentElement.scrollHeight") < 9e6
    shown.ask("document.querySelector('.tile').focus()")
    shown.press("End")
    assert shown.until("document.activeElement.textContent") == "2999999"
    box = "(() => { const b = document.activeElement.getBoundingClientRect(); return [b.top, b.bottom]; })()"
    top, bottom = shown.ask(box)
    assert 0 <= top < bottom <= 900
    shown.press("ArrowUp")
    assert shown.until("document.activeElement.textContent") == str(2999999 - shown.ask("big.columns"))
    shown.press("Home")
    assert shown.until("document.activeElement.textContent === '0' && scrollY < 900")


def test_entries_that_are_on_their_way_are_waited_for_and_asked_for_again_where_they_fail(page):
    shown = page()
    told = shown.ask(
        "import('/static/grid.js').then(async ({ Grid }) => { const node = document.createElement('div');"
        " document.querySelector('main').append(node); let asked = 0;"
        " const fetch = (start, many) => new Promise((done, failed) => setTimeout(() => ++asked === 1"
        " ? failed(new Error('gone')) : done([...Array(many).keys()].map((k) => ({ row: start + k }))), 20));"
        " const grid = new Grid(node, { open() {}, fetch, fill() {} }); grid.reset(1000, []);"
        " const failed = await grid.entry(500).catch((problem) => problem.message);"
        " const both = await Promise.all([grid.entry(500), grid.entry(501)]);"
        " grid.reset(0, []); grid.stand(0);"
        " return [failed, both[0].row, both[1].row, asked, node.children.length]; })"
    )
    assert told == ["gone", 500, 501, 2, 0]


def test_filters_narrow_the_grid(page, shelf):
    shown = page()
    dataset = shelf.app.state.desk.shelf.dataset
    state, validation = dataset.labels.state[:, 3], dataset.split == "val"
    choose(shown, "label", "class 03")
    assert shown.until(f"{SUMMARY} === '{(state == 1).sum():,} of 100,000 images'")
    choose(shown, "state", "unknown")
    assert shown.until(f"{SUMMARY} === '{(state == 0).sum():,} of 100,000 images'")
    choose(shown, "part", "val")
    assert shown.until(f"{SUMMARY} === '{((state == 0) & validation).sum():,} of 100,000 images'")
    choose(shown, "label", "class 0")
    assert shown.until(f"{SUMMARY}.startsWith('No class')")
    choose(shown, "label", "")
    choose(shown, "search", "IMG/00012")
    assert shown.until(f"{SUMMARY} === '2 of 100,000 images'")
    assert shown.until(SEEN) == ["img/000120.png", "img/000125.png"]
    choose(shown, "unknown", "1-1")
    assert shown.until(f"{SUMMARY} === '0 of 100,000 images'")
    assert shown.ask("document.querySelectorAll('.tile').length") == 0
    assert shown.complaints() == []


def test_an_image_with_all_its_labels_by_keyboard(page):
    shown = page()
    shown.until(SEEN)
    shown.ask("document.querySelector('.tile').focus()")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        shown.press(key)
    columns = shown.ask("Math.round((document.getElementById('grid').clientWidth + 14) / (158 + 14) - 0.5)")
    name = "document.getElementById('detail-name').textContent"
    assert shown.until(name) == f"img/{columns:06}.png"
    assert shown.until("document.querySelector('#detail-body img')?.naturalWidth") == 48
    body = "document.getElementById('detail-body').innerText"
    assert f"labels.csv, row {columns + 2}" in shown.ask(body)
    assert "Unknown (3)" in shown.ask(body)
    shown.press("ArrowRight")
    assert shown.until(f"{name} === 'img/{columns + 1:06}.png'")
    shown.press("Escape")
    assert shown.until("!document.getElementById('detail').open")
    assert shown.ask("document.activeElement.title") == f"img/{columns + 1:06}.png", "the keyboard is where one was"
    assert shown.complaints() == []


def test_suspected_errors_and_what_doctor_found(browser, desk_server):
    browser.open(f"{desk_server.url}/browse")
    assert browser.until(READY)
    browser.click("#suspected")
    assert browser.until(f"{SUMMARY} === '9 of 24 images'")
    assert browser.until("document.querySelector('.badge')?.textContent") == "? 1"
    browser.click("#suspected")
    assert browser.until(f"{SUMMARY} === 'All 24 images'")
    equal = "[...document.getElementById('finding').options].find((o) => /several times/.test(o.text))"
    assert browser.until(f"{equal}?.text"), browser.ask("document.getElementById('finding').innerText")
    browser.ask(f"document.getElementById('finding').value = {equal}.value")
    browser.ask("document.getElementById('finding').dispatchEvent(new Event('input'))")
    assert browser.until(f"{SUMMARY} !== 'All 24 images'")
    assert set(browser.until(SEEN)) <= {"images/22.jpg", "images/23.jpg"}
    assert browser.ask("document.getElementById('advice').hidden") is False
    browser.ask("document.querySelector('.tile').click()")
    assert browser.until("document.querySelector('#detail-body .chip')?.textContent")
    browser.click("#shut")
    assert browser.complaints() == []


def test_a_photograph_that_is_not_there_says_so_in_its_place(browser, bare_server):
    lost = bare_server.app.state.desk.photos.paths[1]
    content = lost.read_bytes()
    lost.unlink()
    try:
        browser.open(f"{bare_server.url}/browse")
        assert browser.until(READY)
        why = "document.querySelector('.tile[data-place=\"1\"] .stage').dataset.why"
        assert browser.until(why).startswith("1.jpg: cannot be read")
        assert str(lost.parent) not in browser.ask(why)
    finally:
        lost.write_bytes(content)


@pytest.mark.parametrize(("mode", "width"), [("light", 400), pytest.param("dark", 1280, marks=pytest.mark.slow)])
def test_the_browser_for_every_reader(page, mode, width):
    shown = page(mode=mode, width=width)
    shown.until(SEEN)
    assert shown.ask("document.documentElement.scrollWidth") <= width
    assert [one for one in shown.ask(CONTRAST) if one[1] < 4.5] == []
    assert shown.ask(UNNAMED) == []
    place = "(e) => [e.getAttribute('aria-posinset'), e.getAttribute('aria-setsize')]"
    assert shown.ask(f"[...document.querySelectorAll('.cell')].slice(0, 2).map({place})") == [
        ["1", "100000"],
        ["2", "100000"],
    ]
    shown.click(".tile")
    assert shown.until("document.querySelector('#detail-body .chip')?.textContent")
    assert shown.ask("document.getElementById('detail').getBoundingClientRect().right") <= width
    assert [one for one in shown.ask(CONTRAST) if one[1] < 4.5 and "detail" in one[0]] == []
    shown.press("Escape")
