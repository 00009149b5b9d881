"""Makes docs/images/serve-*.png: the pages of `manylabel serve` with a run on the demo scenes.

    python docs/pages_pictures.py [RUN] [--into FOLDER]

RUN is what `manylabel demo` left (runs/demo). It needs Chromium. Only demo scenes are shown: their drawings are free to
share. With --into all pages are also taken dark and as narrow as a phone, to be looked at.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import manylabel
from manylabel import data
from manylabel.audits import findings
from manylabel.data import demo
from manylabel.encoders.cache import default_folder
from manylabel.scores import load
from manylabel.scores.join import join
from manylabel.web.desk import Desk
from manylabel.web.photos import Photos, roots_of
from manylabel.web.reviewing import Reviewing
from manylabel.web.shelf import Shelf

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent / "tests" / name) for name in ("report", "web")]
SCENES = ("test-0254", "test-0001", "test-0348")
READY = "document.documentElement.classList.contains('ready')"


def photographs(page, scenes: Path) -> None:
    """Three photographs, a verdict, and the heat map of a label."""
    page.choose("#files", *(scenes / f"{name}.jpg" for name in SCENES))
    page.until("document.querySelectorAll('.frame .heat').length === 3 && !document.querySelector('.card[aria-busy]')")
    page.click(".label .up")
    page.until("document.querySelector('.thumb[aria-pressed=true]')?.title")
    page.hover("#photo-0 .label:nth-child(2) .track")
    page.until("!document.querySelector('#photo-0 .heat').hidden")


def review(page, scenes: Path) -> None:
    """The fourth finding."""
    for key in "ars":
        page.press(key)
    page.until("document.getElementById('place').textContent.startsWith('4 ')")
    page.until("document.getElementById('photo').naturalWidth")


def browse(page, scenes: Path) -> None:
    """Images with a cat."""
    page.ask("document.getElementById('label').value = 'cat'")
    page.ask("document.getElementById('label').dispatchEvent(new Event('input'))")
    page.until("document.getElementById('summary').textContent.includes(' of ')")
    page.until("[...document.querySelectorAll('.tile img')].slice(0, 12).every((i) => i.naturalWidth)")


PAGES = {"photographs": ("", photographs), "review": ("review", review), "browse": ("browse", browse)}


def desk(run: Path, folder: Path) -> Desk:
    """The demo's labels, and what its own scores say against those of its test part."""
    labels = demo.build(default_folder() / "demo")
    dataset = data.read(labels)
    joined = join(load(run / "scores-test.npz"), dataset.labels)
    found = findings.find(joined.table(), findings.out_of_fold(joined.scores, joined.labels))
    reviewing = Reviewing(findings.write(folder / "findings.csv", found), dataset)
    return Desk(reviewing, Shelf(dataset, reviewing), Photos(dataset.paths, roots_of(dataset, None)))


def keep(picture: Path, place: Path) -> None:
    """A PNG of few colours, small enough for a repository."""
    Image.open(picture).convert("RGB").quantize(160, dither=Image.Dither.NONE).save(place, optimize=True)


def main() -> int:
    import chromium
    import server

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=DOCS.parent / "runs" / "demo")
    parser.add_argument("--into", type=Path, help="also take every page dark and narrow, into this folder")
    options = parser.parse_args()
    if options.into:
        options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        lying, browser = desk(options.run, folder), chromium.Browser(folder / "profile")
        scenes = lying.shelf.dataset.paths[0].parent
        with server.running(manylabel.load(options.run), lying, name="demo", review=folder / "verdicts.csv") as own:
            views = [("light", 1180, 780)]
            views += [("dark", 1280, 900), ("light", 400, 860), ("dark", 400, 860)] if options.into else []
            for mode, width, height in views:
                for page, (path, act) in PAGES.items():
                    browser.open(f"{own.url}/{path}", mode=mode, width=width, height=height)
                    browser.until(READY)
                    act(browser, scenes)
                    time.sleep(0.3)  # the last pictures are drawn
                    picture = browser.shot((options.into or folder) / f"{page}-{mode}-{width}.png")
                    if (mode, width) == ("light", 1180):
                        keep(picture, DOCS / "images" / f"serve-{page}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
