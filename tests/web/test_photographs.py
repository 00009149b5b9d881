"""The page of photographs in a real browser: upload, hover, sliders, thumbs, downloads, refusals, keyboard, phone."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
import server

from drawn import draw

CONTRAST = (Path(__file__).parents[1] / "report" / "contrast.js").read_text("utf-8")
UNNAMED = (
    "[...document.querySelectorAll('button, a, input, select')].filter((e) => e.checkVisibility() && !(e.ariaLabel"
    " || e.textContent.trim() || e.labels?.[0]?.textContent.trim() || e.querySelector('img')?.alt))"
    ".map((e) => e.outerHTML)"
)
READY = "document.documentElement.classList.contains('ready')"
DONE = "document.querySelectorAll('.card').length === {0} && !document.querySelector('.card[aria-busy]')"
NAMES = "[...document.querySelectorAll('#photo-{} .label{}')].map((e) => e.dataset.name)"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Files to upload."""
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in (("red.png", "red"), ("grey.png", "#707070"), ("white.png", "white")):
        (folder / name).write_bytes(server.picture(colour))
    draw(["red", "blue"], 3).save(folder / "drawn.jpg")
    (folder / "cut.png").write_bytes(server.noise()[:3000])
    (folder / "large.png").write_bytes(server.noise(700))
    (folder / 'odd, "name" <b>.png').write_bytes(server.picture("red"))
    return folder


@pytest.fixture
def page(browser, desk_server):
    def open_page(**view):
        browser.open(f"{desk_server.url}/", **view)
        assert browser.until(READY)
        return browser

    return open_page


def uploaded(page, *files):
    page.choose("#files", *files)
    assert page.until(DONE.format(len(files)))
    assert page.until(f"document.querySelectorAll('.frame .heat').length === {len(files)}")
    return page


def slide(page, name, value):
    page.ask(f"(() => {{ const e = document.getElementById('{name}'); e.value = {value};"
             " e.dispatchEvent(new Event('input')); })(), new Promise(requestAnimationFrame)")  # fmt: skip


def test_an_upload_shows_what_the_model_says(page, photos, desk_server):
    shown = uploaded(page(), photos / "red.png", photos / "grey.png")
    said = desk_server.predict(("red.png", (photos / "red.png").read_bytes())).json()["predictions"][0]
    assert shown.ask(NAMES.format(0, ".decided")) == [label["name"] for label in said["labels"]] == ["red"]
    assert shown.ask("document.querySelector('#photo-0 .share').textContent") == "98.1\u00a0%"
    bar, cut = (f"parseFloat(document.querySelector('#photo-0 .{kind}').style" for kind in ("fill", "cut"))
    assert shown.ask(f"{bar}.width)") == pytest.approx(100 * said["labels"][0]["probability"], abs=1e-3)
    assert shown.ask(f"{cut}.left)") == pytest.approx(50, abs=1e-3)
    assert shown.ask("document.querySelector('#photo-1 .told').textContent") == "No label reaches its threshold"
    size = "(() => { const i = document.querySelector('#photo-0 .frame img'); return [i.naturalWidth, i.alt]; })()"
    assert shown.ask(size) == [40, "red.png"]
    shown.click("#photo-1 .more")
    assert set(shown.ask(NAMES.format(1, ""))) == {"red", "green", "blue"}
    assert "red.png: red." in shown.until("document.getElementById('said').textContent")
    assert shown.complaints() == []


def test_hover_lays_a_heat_map_and_focus_does_too(page, photos):
    shown = uploaded(page(), photos / "drawn.jpg")
    while shown.ask("!document.querySelector('#photo-0 .more').textContent.startsWith('Show only')"):
        shown.click("#photo-0 .more")
    heat = "document.querySelector('#photo-0 .heat')"
    shown.hover("#photo-0 .label[data-name=red] .track")
    assert shown.until(f"!{heat}.hidden && {heat}.naturalWidth > 0")
    said = "document.querySelector('#photo-0 figcaption').textContent"
    assert shown.ask(said) == "Where the model sees red"
    slide(shown, "heat", 30)
    assert shown.ask(f"getComputedStyle({heat}).opacity") == "0.3"
    first = shown.ask(f"{heat}.src")
    shown.hover("h1")
    assert shown.until(f"{heat}.hidden")
    shown.ask("document.querySelector('#photo-0 .label[data-name=blue] button').focus()")
    assert shown.until(f"!{heat}.hidden && {said}.endsWith('blue')")
    shown.ask("document.querySelector('#photo-0 .label[data-name=red] button').focus()")
    assert shown.until(f"{heat}.src") == first, "kept, not asked for again"
    assert sum("/explain" in e["params"]["request"]["url"] for e in shown.events
               if e.get("method") == "Network.requestWillBeSent") == 2  # fmt: skip
    shown.press("Enter")
    shown.ask("document.activeElement.blur()")
    assert shown.ask(f"{heat}.hidden") is False, "pinned"
    assert shown.complaints() == []


def test_sliders_decide_anew_without_the_server(page, photos):
    shown = uploaded(page(), photos / "grey.png", photos / "white.png")
    asked = len(shown.events)
    slide(shown, "shift", -1)
    assert shown.ask(NAMES.format(0, ".decided")) == ["red", "green", "blue"]
    cut = "parseFloat(document.querySelector('#photo-0 .cut').style.left)"
    assert shown.ask(cut) == pytest.approx(26.894, abs=1e-2)
    slide(shown, "shift", 4)
    assert shown.ask(NAMES.format(1, ".decided")) == []
    slide(shown, "shift", 0)
    slide(shown, "guarantee", "'0.9'")
    assert shown.ask(NAMES.format(0, ".decided")) == ["red", "green", "blue"], "as guarantee=recall=0.9 at /predict"
    assert shown.ask("document.getElementById('shift').disabled")
    slide(shown, "guarantee", "''")
    shown.click("#photo-0 .more")
    slide(shown, "least", 50)
    assert shown.ask(NAMES.format(0, "")) == []
    slide(shown, "least", 0)
    slide(shown, "search", "'nothing'")
    said = "document.querySelector('#photo-1 .told').textContent"
    assert shown.ask(said) == "3 labels; none of that name"
    slide(shown, "search", "'WARM'")
    assert shown.ask(NAMES.format(0, "")) == ["red"], "found by what lies above it"
    slide(shown, "search", "''")
    slide(shown, "sort", "'name'")
    assert shown.ask(NAMES.format(1, "")) == ["blue", "green", "red"]
    sent = [e for e in shown.events[asked:] if e.get("method") == "Network.requestWillBeSent"]
    assert sent == []


@pytest.fixture
def modules(browser, desk_server):
    """A page of the server, from which its modules can be had."""
    browser.open(f"{desk_server.url}/health")
    return browser


def test_decisions_in_the_page_close_up_a_hierarchy_and_know_when_digits_decide(modules):
    code = (
        "import('/static/decide.js').then((m) => { const label = (name, threshold, ancestors = []) =>"
        " [name, { name, threshold, ancestors, aliases: [], train_positives: 1 }];"
        " const labels = new Map([label('animal', 0.2), label('cat', 0.5, ['animal', 'thing']),"
        " label('car', 0.5)]);"
        " const photo = { decided: new Set(['car']), asked: new Map(), own: new Map([['animal', 0.1]]),"
        " probabilities: new Map([['animal', 0.3], ['cat', 0.3], ['car', 0.6]]) };"
        " const say = (view) => [...m.decided(photo, { guarantee: null, shift: 0, ...view }, labels)].sort();"
        " const at = (threshold) => ({ guarantee: { recall: 0.9, threshold } });"
        " const unsure = (t) => m.unsure(photo, at(t));"
        " return [say({}), say({ shift: 0.01 }), say({ shift: -1 }), say(at(0.35)), say(at(0.25)), unsure(0.3),"
        " unsure(0.31)]; })"
    )
    as_said, surer, more, high, low, near, far = modules.ask(code)
    assert as_said == ["car"], "the server's word where nothing was moved"
    assert surer == ["car"], "animal has 0.1 by itself; 0.3 is what the cat has, which is not decided present"
    assert more == ["animal", "car", "cat"], "animal lies above cat"
    assert (high, low) == (["car"], ["animal", "car", "cat"])
    assert (near, far) == (True, False)


def test_names_that_are_numbers_keep_the_order_of_their_probabilities(modules):
    """JSON in a browser puts "7" before "cat"; what is saved would not be the most probable first."""
    answer = {"model": "m", "predictions": [{"image": "a", "labels": [], "own": {"cat": 0.2},
              "probabilities": {"cat": 0.9, "12": 0.5, "7": 0.1}}]}  # fmt: skip
    code = (
        f"import('/static/sending.js').then((m) => {{ window.fetch = async () => new Response('{json.dumps(answer)}');"
        " const photo = { file: new File(['x'], 'a.png'), asked: new Map() };"
        " return new Promise((done) => m.predict([photo], { files: 9, bytes: 1e6, image_bytes: 1e6 }, done)); })"
        ".then((photo) => [[...photo.probabilities.keys()], [...photo.own]])"
    )
    assert modules.ask(code) == [["cat", "12", "7"], [["cat", 0.2]]]


def test_thumbs_are_kept_changed_and_taken_back(page, photos, desk_server):
    shown = uploaded(page(), photos / 'odd, "name" <b>.png')
    pressed = "[...document.querySelectorAll('.thumb')].map((e) => e.ariaPressed).join()"
    for kind, state in (("up", "true,false"), ("down", "false,true"), ("down", "false,false")):
        shown.click(f".label[data-name=red] .{kind}")
        assert shown.until(f"{pressed} === '{state}' && !document.querySelector('.label[aria-busy]')")
    kept = list(csv.DictReader(desk_server.settings.review.read_text("utf-8").splitlines()))[-3:]
    assert [row["verdict"] for row in kept] == ["up", "down", "undo"]
    assert {row["image"] for row in kept} == {'odd, "name" <b>.png'}
    assert {row["sha256"] for row in kept} == {hashlib.sha256(server.picture("red")).hexdigest()}
    assert shown.complaints() == []


def test_the_digest_where_browsers_have_none(modules):
    """Over plain http from another machine there is no crypto.subtle."""
    for size in (0, 1, 55, 56, 63, 64, 65, 1000):
        code = f"import('/static/digest.js').then((m) => m.sha256(new Uint8Array({size}).fill(7).buffer, true))"
        assert modules.ask(code) == hashlib.sha256(b"\x07" * size).hexdigest()


def test_thumbs_that_are_not_kept_say_why(browser, bare_server, photos):
    browser.open(f"{bare_server.url}/")
    assert browser.until(READY)
    uploaded(browser, photos / "red.png")
    thumb = "document.querySelector('.thumb')"
    assert browser.ask(f"[{thumb}.ariaDisabled, {thumb}.title]") == [
        "true", "red is right: not kept, the server was started without --review FILE",
    ]  # fmt: skip
    assert "--review FILE" in browser.ask("document.getElementById('unkept').textContent")
    browser.click(".thumb")
    assert browser.complaints() == []


def test_a_file_that_cannot_be_read_says_so_on_its_card(page, photos):
    shown = uploaded(page(), photos / "cut.png", photos / "red.png", photos / "large.png")
    told = "[...document.querySelectorAll('.card > .side > .warn')].map((e) => e.textContent)"
    cut, good, large = shown.ask(told)
    assert shown.ask("document.querySelector('#photo-0 .wait').textContent") == "No picture"
    assert (cut.startswith("damaged"), good) == (True, "")
    assert large == "It has 1.4 MiB; this server takes 1 MiB a photograph."
    assert shown.ask("document.getElementById('summary').textContent") == "3 photographs · 1 label · 2 not read"
    assert shown.complaints() == []


@pytest.mark.slow
def test_files_that_all_fail_have_each_its_own_reason(page, photos, tmp_path):
    (tmp_path / "notes.jpg").write_text("some text")
    shown = uploaded(page(), photos / "cut.png", tmp_path / "notes.jpg")
    told = "[...document.querySelectorAll('.card > .side > .warn')].map((e) => e.textContent.split(/[: ]/)[0])"
    assert shown.ask(told) == ["damaged", "no"]


def test_drop_paste_and_remove(page, photos):
    shown = page()
    shown.drop("#drop", photos / "red.png", photos / "white.png")
    assert shown.until(DONE.format(2))
    shown.ask(
        "fetch('/static/report.css') && (() => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(9)], 'pasted.png', { type: 'image/png' }));"
        " dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true })); })()"
    )
    assert shown.until(DONE.format(3))
    assert shown.ask("document.querySelector('#photo-2 .warn').textContent").startswith("no image")
    shown.click("#photo-0 .close")
    assert shown.ask("document.querySelectorAll('.card').length") == 2
    assert shown.ask("document.activeElement.id") == "photo-1"
    shown.click("#clear")
    assert shown.ask("[document.querySelectorAll('.card').length, document.getElementById('controls').hidden]") == [
        0,
        True,
    ]


def test_what_is_shown_can_be_saved(page, photos, tmp_path):
    shown = uploaded(page(), photos / "white.png", photos / "cut.png")
    (tmp_path / "csv").mkdir()
    rows = list(csv.DictReader(shown.download("#csv", tmp_path / "csv").read_text("utf-8").splitlines()))
    assert list(rows[0]) == ["image", "labels", "probabilities", "error"], "as predict --csv"
    assert [row["labels"] for row in rows] == ["red|green|blue", "?"]
    assert rows[1]["error"].startswith("damaged")
    shown.ask("void (URL.createObjectURL = (blob) => { blob.text().then((t) => { window.saved = t; }); return ''; })")
    slide(shown, "shift", 4)
    shown.click("#json")
    content = json.loads(shown.until("window.saved"))
    assert content["predictions"][0]["labels"] == []
    assert content["decided_by"] == {"guarantee": None, "shift": 4, "min_score": 0}
    assert set(content["predictions"][0]["probabilities"]) == {"red", "green", "blue"}


def test_the_token_is_asked_for_and_kept_in_memory_only(browser, photos):
    with server.running(token="right") as own:
        browser.open(f"{own.url}/")
        assert browser.until("document.querySelector('dialog.token')?.open")
        for given in ("wrong", "right"):
            browser.ask(f"document.querySelector('#token').value = '{given}'")
            browser.click("dialog.token button")
            browser.until("document.querySelector('dialog.token .warn')?.textContent" if given == "wrong" else READY)
        uploaded(browser, photos / "red.png")
        assert browser.ask(NAMES.format(0, ".decided")) == ["red"]
        assert browser.ask("[localStorage.length, sessionStorage.length, document.cookie, location.search]") == [
            0,
            0,
            "",
            "",
        ]


def test_everything_is_reached_by_keyboard_and_seen(page, photos):
    shown = uploaded(page(), photos / "white.png")
    shown.ask("document.activeElement.blur(), window.walked = []")
    look = (
        "(() => { const e = document.activeElement; if (e === document.body) return 'end'; walked.push(e);"
        " const box = e.closest('.button') || e, s = getComputedStyle(box);"
        " return s.outlineStyle !== 'none' ? '' : e.outerHTML.slice(0, 80); })()"
    )
    unseen = []
    for _ in range(60):
        shown.press("Tab")
        if (said := shown.ask(look)) == "end":
            break
        unseen += [said] if said else []
    assert unseen == []
    ids = shown.ask("walked.map((e) => e.id || e.className)")
    assert ids[0] == "skip"
    assert {"files", "search", "sort", "guarantee", "shift", "least", "heat", "json", "csv", "clear", "close"} <= set(
        ids
    )
    assert ids.count("label-name") == 1, "one stop in the list; arrows walk it"
    shown.ask("document.querySelector('.label-name').focus()")
    shown.press("ArrowDown")
    shown.press("Tab")
    assert shown.ask("document.activeElement.ariaLabel") == "green is right"
    shown.press("ArrowUp")
    assert shown.ask("document.activeElement.ariaLabel") == "red is right"
    shown.press(" ")
    assert shown.until("document.activeElement.ariaPressed === 'true'")
    shown.ask("document.getElementById('shift').focus()")
    shown.press("ArrowRight")
    assert shown.ask("document.getElementById('shift').value") == "0.1"
    shown.press("Escape")


@pytest.mark.parametrize(("mode", "width"), [pytest.param("light", 1280, marks=pytest.mark.slow), ("dark", 400)])
def test_text_stands_out_and_a_phone_needs_no_sideways_scroll(page, photos, mode, width):
    shown = uploaded(page(mode=mode, width=width), photos / 'odd, "name" <b>.png', photos / "cut.png")
    shown.click("#photo-0 .more")
    shown.hover("#photo-0 .label .track")
    shown.until("document.querySelector('#photo-0 figcaption').textContent")
    assert shown.ask("document.documentElement.scrollWidth") <= width
    assert [one for one in shown.ask(CONTRAST) if one[1] < 4.5] == []
    assert shown.ask(UNNAMED) == []
    assert shown.complaints() == []
