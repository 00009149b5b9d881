"""The review page in a real browser: keys, buttons, undo, filters, what is written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import server
from test_photographs import CONTRAST, READY, UNNAMED

from manylabel.audits import findings
from manylabel.web.refusal import Refusal


@pytest.fixture
def review(browser, bare_server):
    """A page on a review that nobody has begun."""
    own, desk = bare_server, bare_server.app.state.desk
    folder = desk.reviewing.path.parent
    desk.reviewing.verdicts[:], desk.reviewing.history[:] = [""] * 9, []
    for file in (desk.reviewing.journal.path, *folder.glob("labels.corrected*")):
        file.unlink(missing_ok=True)

    def open_page(**view):
        browser.open(f"{own.url}/review", **view)
        assert browser.until(READY)
        return browser

    open_page.desk, open_page.photos, open_page.folder, open_page.client = (
        desk.reviewing,
        desk.photos,
        folder,
        own.client,
    )
    return open_page


def choose(page, name, value):
    """Sift, and wait until it is done."""
    page.ask(
        f"(() => {{ const e = document.getElementById('{name}'); e.value = '{value}';"
        " e.dispatchEvent(new Event('input')); })(), new Promise((done) => setTimeout(done, 20))"
    )
    assert page.until("!document.getElementById('finding').hasAttribute('aria-busy')")


def pressed(page, *keys):
    for key in keys:
        page.press(key)


PLACE = "document.getElementById('place').textContent"
COUNTS = "document.getElementById('counts').textContent"


def test_a_review_by_keyboard_writes_corrected_labels(review):
    page = review()
    before = (review.folder / "set" / "labels.csv").read_bytes()
    assert page.ask(PLACE) == "1 of 9"
    assert page.until("document.getElementById('photo').naturalWidth") == 64
    pressed(page, "a", "r", "n", "s")
    assert page.until(f"{PLACE} === '5 of 9'")
    assert page.ask(COUNTS) == "3 of 9 decided: 1 accepted, 1 rejected, 1 unknown; 1 skipped"
    assert review.desk.verdicts[:5] == ["accept", "reject", "unknown", "skip", ""]
    pressed(page, "u", "u")
    assert page.until(f"{PLACE} === '3 of 9'")
    assert review.desk.verdicts[:4] == ["accept", "reject", "", ""]
    pressed(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight")
    assert page.until(f"{PLACE} === '2 of 9'")
    assert page.ask("document.querySelector('[data-verdict=reject]').ariaPressed") == "true"
    page.ask("document.getElementById('save').focus()")
    page.press("Enter")
    assert page.until("document.getElementById('written').children.length") >= 3
    assert "1 labels changed, 2 of 9" in page.ask("document.getElementById('written').textContent")
    assert (review.folder / "labels.corrected.csv").exists()
    assert (review.folder / "set" / "labels.csv").read_bytes() == before
    done = findings.read(review.folder / "labels.corrected.findings.csv")
    assert [one.verdict for one in done[:3]] == ["accept", "reject", ""]
    assert page.complaints() == []


@pytest.mark.slow
def test_a_review_by_buttons_and_after_a_reload(review):
    page = review()
    page.click("[data-verdict=accept]")
    assert page.until(f"{PLACE} === '2 of 9'")
    page.click("[data-verdict=skip]")
    assert page.until(f"{PLACE} === '3 of 9'")
    page = review()
    assert page.ask(COUNTS) == "1 of 9 decided: 1 accepted, 0 rejected, 0 unknown; 1 skipped"
    page.click("#undo")
    assert page.until(f"{COUNTS}.endsWith('0 unknown')")
    assert page.ask(PLACE) == "2 of 9"
    page.click("#back")
    assert page.until(f"{PLACE} === '1 of 9'")
    page.click("[data-verdict=accept]")
    assert page.until(f"{COUNTS}.startsWith('0 of 9')"), "the same verdict again takes it back"
    assert review.desk.verdicts == [""] * 9
    assert page.complaints() == []


def test_what_is_suspected_and_why_and_neighbours(review):
    page = review()
    told = review.desk.told(0)
    words = "document.getElementById('{}').innerText"
    assert page.ask(words.format("question")) == f"blue is marked {told['given']}, likely {told['suggested']}"
    assert page.ask(words.format("reasons")).startswith("the model says 3 % present\nnear-identical to images/5.jpg")
    assert "row 2 (images/0.jpg)" in page.ask(words.format("caption"))
    assert page.until("document.querySelector('#neighbours img')?.naturalWidth") == 64
    page.press("ArrowRight")
    assert page.until(f"{PLACE} === '2 of 9'")
    assert page.ask("document.getElementById('neighbours-part').hidden")


def test_findings_are_sifted_and_open_ones_stay_in_place(review):
    page = review()
    choose(page, "label", "green")
    assert page.ask(PLACE) == "1 of 3"
    choose(page, "seen", "open")
    page.press("a")
    assert page.until(f"{PLACE} === '2 of 3'")
    page.ask("document.getElementById('search').focus()")
    pressed(page, *"arsun")
    assert page.until("!document.getElementById('nothing').hidden")
    assert review.desk.verdicts.count("") == 8, "letters that are typed are no verdicts"
    assert page.complaints() == []


@pytest.mark.slow
def test_a_verdict_that_cannot_be_kept_is_told_and_not_shown(review, monkeypatch):
    page = review()
    monkeypatch.setattr(review.desk.journal, "append", lambda row: (_ for _ in ()).throw(OSError("disk full")))
    page.press("a")
    assert page.until("!document.getElementById('failed').hidden")
    assert page.ask(f"[{PLACE}, {COUNTS}]")[0] == "1 of 9"
    assert review.desk.verdicts[0] == ""
    monkeypatch.undo()
    page.press("a")
    assert page.until(f"{PLACE} === '2 of 9' && document.getElementById('failed').hidden")


def test_two_who_review_at_once_take_back_each_their_own(review):
    page = review()
    page.press("a")
    assert page.until(f"{PLACE} === '2 of 9'")
    for number in (4, 5):
        review.client.post("/review/verdict", json={"number": number, "verdict": "reject"})
    page.press("u")
    assert page.until(f"{PLACE} === '1 of 9'")
    assert review.desk.verdicts == [""] * 4 + ["reject"] * 2 + [""] * 3
    page.press("a")
    assert page.until(f"{PLACE} === '2 of 9'")
    review.client.post("/review/undo", params={"finding": 0})
    page.press("u")
    assert page.until(f"{PLACE} === '6 of 9'"), "ones own is gone already: the last of all"
    assert page.ask("document.getElementById('failed').hidden")


def test_keys_that_are_pressed_too_often_take_nothing_away(review):
    page = review()
    pressed(page, *("a" * 12))
    assert page.until(f"{PLACE} === '9 of 9: that was the last one' && {COUNTS}.startsWith('9 of 9')")
    page.press("A")
    page.click("[data-verdict=accept]")
    assert page.until(f"{COUNTS}.startsWith('9 of 9')")
    assert review.desk.verdicts == ["accept"] * 9
    assert len(review.desk.journal.rows()) == 9
    page.ask(
        "dispatchEvent(new KeyboardEvent('keydown', { key: 'R', repeat: true, bubbles: true }))"
        " ?? document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'R', repeat: true, bubbles: true }))"
    )
    page.press("ArrowLeft")
    assert page.until(f"{PLACE} === '8 of 9'")
    assert review.desk.verdicts == ["accept"] * 9, "a key that is held down is no verdict, in capitals neither"


@pytest.mark.slow
def test_steps_while_findings_are_sifted_name_none_twice(review, monkeypatch):
    page, matching = review(), review.desk.matching
    monkeypatch.setattr(review.desk, "matching", lambda sift: time.sleep(0.15) or matching(sift))
    page.ask("(() => { const e = document.getElementById('label'); e.value = 'green';"
             " e.dispatchEvent(new Event('input')); })(), new Promise((done) => setTimeout(done, 30))")  # fmt: skip
    pressed(page, *["ArrowRight"] * 5)
    assert page.until(f"{PLACE} === '3 of 3: that was the last one'")


@pytest.mark.slow
def test_a_picture_that_comes_too_late_does_not_spoil_the_next_finding(review, monkeypatch):
    jpeg, failed = review.photos.jpeg, []

    def slow(row, size):
        if row:
            return jpeg(row, size)
        time.sleep(0.3)
        failed.append(row)
        raise Refusal(422, "damaged", "0.jpg: damaged")

    monkeypatch.setattr(review.photos, "jpeg", slow)
    page = review()
    page.press("ArrowRight")
    assert page.until("document.getElementById('photo').naturalWidth") == 64
    server.until(lambda: failed)
    page.ask("new Promise((done) => setTimeout(done, 100))")
    assert page.ask("document.getElementById('stage').className") == "stage"


@pytest.mark.parametrize(("mode", "width"), [("light", 400), pytest.param("dark", 1280, marks=pytest.mark.slow)])
def test_the_review_for_every_reader(review, mode, width):
    page = review(mode=mode, width=width)
    page.click("[data-verdict=reject]")
    page.until(f"{PLACE} === '2 of 9'")
    page.press("ArrowLeft")
    page.until(f"{PLACE} === '1 of 9'")
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask("document.querySelector('details.fold').open") == (width > 560)
    page.call("Emulation.setDeviceMetricsOverride", width=800, height=400, deviceScaleFactor=1, mobile=False)
    assert page.until("document.querySelector('details.fold').open"), "a phone that is turned has its filters"
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    assert [one for one in page.ask(CONTRAST) if one[1] < 4.5] == []
    assert page.ask(UNNAMED) == []
    page.ask("document.activeElement.blur()")
    assert page.ask("document.getElementById('said').getAttribute('aria-live')") == "polite"
    assert Path(review.folder / "findings.verdicts.csv").exists()
