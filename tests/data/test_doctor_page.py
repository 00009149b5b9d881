"""The doctor's page: whole without a script, safe, small, and usable by keyboard, on a phone and in the dark."""

import base64
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from manylabel import data
from manylabel.cli import app
from manylabel.data.doctor import examine
from manylabel.data.doctoring import page as pages

REPORT = Path(__file__).resolve().parents[1] / "report"
EVIL = '<script>alert("x")</script>${title}&'
QUOTED = '"' + EVIL.replace('"', '""') + '"'


def picture(path, seed, size=(64, 48)):
    squares = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(squares).resize(size, Image.Resampling.NEAREST).save(path)


@pytest.fixture
def labels(tmp_path):
    for k in range(12):
        picture(tmp_path / f"{k}.jpg", k)
    (tmp_path / "3.jpg").write_bytes((tmp_path / "2.jpg").read_bytes())
    (tmp_path / "4.jpg").write_bytes(b"no image")
    picture(tmp_path / "5.jpg", 5, (400, 20))
    rows = [f"{k}.jpg,{'test' if k == 3 else 'train'},{k % 2},{'' if k < 6 else int(k > 7)}" for k in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join([f"image,split,cat,{QUOTED}", *rows]) + "\n")
    return tmp_path / "labels.csv"


@pytest.fixture
def page(labels):
    found = data.read(labels)
    return pages.write(labels.parent / "out" / "doctor.html", found, examine(found))


def test_all_is_in_the_page_without_a_script(page):
    text = page.read_text("utf-8")
    for words in (
        "row 5",
        "2.jpg",
        "labels contradict each other; in test, train",
        "only 400 x 20 pixels",
        "Tail curve",
    ):
        assert words in text
    assert text.count("<article") >= 5
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert len(pictures) >= 8
    assert all(base64.b64decode(content)[:3] == b"\xff\xd8\xff" for content in pictures)
    assert list(page.parent.iterdir()) == [page], "nothing half-written stays behind"


def test_names_stay_names_and_nothing_is_asked_of_the_network(page):
    text = page.read_text("utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_pictures_stop_where_the_page_is_full(labels, monkeypatch):
    found = data.read(labels)
    findings = examine(found)
    bare = len(pages._View(found, findings).page().encode())
    monkeypatch.setattr(pages, "LIMIT", bare + 4096 + 5000)
    text = pages.render(found, findings)
    assert bare < len(text.encode()) < bare + 4096 + 5000
    assert "pictures are left out to keep this page below 3 MB" in text


def test_unopened_files_are_said_to_be_so(labels):
    found = data.read(labels)
    text = pages.render(found, examine(found, images=False))
    assert "not opened (--no-images)" in text
    assert "data:image" not in text


def test_the_command(labels, tmp_path):
    out = tmp_path / "deep" / "d.html"
    (tmp_path / "above.csv").write_text(f"class,parent\ncat,animal\nanimal,{QUOTED}\n")
    done = CliRunner().invoke(
        app, ["doctor", str(labels), "--json", "--report", str(out), "--hierarchy", str(tmp_path / "above.csv")]
    )
    assert done.exit_code == 0, done.exception
    assert out.stat().st_size < 3_000_000
    found = json.loads(done.stdout)
    assert {"leak", "not_an_image", "odd_size", "hierarchy"} <= {one["kind"] for one in found["findings"]}


def test_reading_stops_or_goes_on(labels):
    labels.write_text(labels.read_text() + "12.jpg,train,maybe,0\n")
    stopped = CliRunner().invoke(app, ["doctor", str(labels), "--no-images"])
    assert "row 14" in str(stopped.exception)
    assert str(stopped.exception).endswith("--leave goes on past it.")
    found = json.loads(CliRunner().invoke(app, ["doctor", str(labels), "--no-images", "--json", "--leave"]).stdout)
    (one,) = [one for one in found["findings"] if one["kind"] == "left_out"]
    assert "14" in one["examples"][0]["said"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    sys.path.append(str(REPORT))
    import chromium

    if chromium.CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    found = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.mark.parametrize(("width", "mode"), [(1280, "light"), (400, "dark")])
def test_in_a_browser(browser, page, width, mode):
    browser.open(page, width=width, mode=mode)
    assert browser.complaints() == []
    assert browser.misdrawn() == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("[...document.images].every((i) => i.naturalWidth > 0 && i.alt)")
    browser.unfold()
    low = [row for row in browser.ask((REPORT / "contrast.js").read_text("utf-8")) if row[1] < 4.5]
    assert low == []


def test_filters_by_keyboard(browser, page):
    browser.open(page)
    visible = "[...document.querySelectorAll('.finding')].filter((e) => e.checkVisibility()).map((e) => e.dataset.kind)"
    every = browser.ask(visible)
    for _ in range(40):
        browser.press("Tab")
        if browser.ask("document.activeElement.id") == "words":
            break
    for letter in "test":
        browser.press(letter)
    some = browser.ask(visible)
    assert "leak" in some
    assert 0 < len(some) < len(every)
    assert browser.ask("document.getElementById('shown').textContent") == f"{len(some)} of {len(every)} shown"
    browser.press("Tab")
    browser.press(" ")
    assert "leak" not in browser.ask(visible), "errors are unticked"
