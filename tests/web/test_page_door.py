"""The page is a door too: what it shows of a photograph is what the model says in Python, to the digits shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import server
from test_photographs import DONE, READY, slide

from manylabel.model import Model, load

NEAR = 2e-6  # probabilities come with six digits
ALL = (
    "document.querySelectorAll('.more').forEach((b) => {"
    " while (!b.hidden && !b.textContent.startsWith('Show only')) b.click(); })"
)
SHOWN = (
    "[...document.querySelectorAll('.card')].map((card) => Object.fromEntries([...card.querySelectorAll('.label')]"
    ".map((e) => [e.dataset.name, { p: Number(e.dataset.probability), on: e.classList.contains('decided'),"
    " said: e.querySelector('.share').textContent, heard: e.querySelector('.label-name').ariaLabel }])))"
)


def words(p):
    """A probability as the page writes it."""
    return "<\u00a00.1\u00a0%" if 0 < p < 0.0005 else f"{100 * p:.1f}\u00a0%"


def halved(model, files, pairs):
    """The model with thresholds that half of the photographs reach, probabilities of all sizes, and a hierarchy."""
    scores = np.sort(np.stack(list(model.scored(files))), axis=0).astype(np.float64)
    middle, spread = len(files) // 2, scores.std(axis=0)
    cuts = scores[middle - 1 : middle + 1].mean(axis=0)
    cuts += spread * np.isin(model.names, [child for child, _ in pairs])  # rarely reached, and yet they raise a parent
    changed = {"thresholds": cuts, "temperatures": spread, "biases": -scores.mean(axis=0) / spread, "pairs": pairs}
    return Model(model.network, replace(model.classes, **changed))


TREE = (("red", "blue"), ("green", "blue"))


@pytest.mark.parametrize(
    "pairs", [None, pytest.param((), marks=pytest.mark.slow), TREE], ids=["as trained", "flat", "hierarchy"]
)
def test_the_page_says_what_the_model_says(browser, trained, pairs):
    files, model = trained.files, load(trained.folder)
    model = model if pairs is None else halved(model, files, pairs)
    classes, scores = model.classes, np.stack(list(model.scored(files)))
    with server.running(model, name="run") as own:
        browser.open(f"{own.url}/")
        assert browser.until(READY)
        browser.choose("#files", *files)

        def agree(decided):
            assert browser.until(DONE.format(len(files))), "where the last digit decides, the page asks the server"
            browser.ask(ALL)
            cards = browser.ask(SHOWN)
            for card, one, on in zip(cards, model.predict(files), decided, strict=True):
                assert {name: row["p"] for name, row in card.items()} == pytest.approx(one.probabilities, abs=NEAR)
                assert {name for name, row in card.items() if row["on"]} == set(on)
                assert all(row["said"] == words(row["p"]) and row["said"] in row["heard"] for row in card.values())
                assert all(("not decided present" in row["heard"]) != row["on"] for row in card.values())

        agree([one.labels for one in model.predict(files)])
        for shift in (0.1, -0.4, 1.5, 0) if pairs is not None else ():
            slide(browser, "shift", shift)
            moved = classes.decide(scores, classes.thresholds + shift * classes.temperatures)
            agree([[n for n, there in zip(classes.names, row) if there] for row in moved])
        for recall in (0.5, 0.75):
            slide(browser, "guarantee", f"'{recall}'")
            agree([one.labels for one in model.predict(files, guarantee=recall)])
        assert browser.complaints() == []
