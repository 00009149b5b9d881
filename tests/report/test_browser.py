"""The page in a real browser: headless Chromium, driven over its debugging pipe. Skips where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def test_a_click_on_a_class_shows_its_curve_and_numbers(opened, results, jpeg):
    data = results(images=400, classes=20, pictures=jpeg)
    page = opened(data)
    page.click(".column[data-i='11']")
    assert page.ask("document.getElementById('choose').value") == "11"
    assert page.ask("document.getElementById('pr-line').getAttribute('d').length") > 50
    load = "(async (i) => { i.loading = 'eager'; await i.decode(); return i.naturalWidth; })"
    assert page.ask(load + "(document.querySelector('#cards img'))") == 160
    entry, shown = data.metrics["per_class"][11], page.readout()
    assert float(shown["F1 %"]) == pytest.approx(100 * entry["f1"], abs=0.051)
    assert float(shown["threshold"].replace("−", "-")) == pytest.approx(entry["threshold"], rel=1e-3)
    assert page.complaints() == []


def test_the_slider_recounts_the_class_at_its_threshold(opened, results):
    data = results(images=400, classes=8)
    page = opened(data)
    page.ask("show(3)")
    for place in (5, 40):
        page.ask(f"at('slider').value = {place}; at('slider').oninput({{ target: at('slider') }})")
        t = page.ask("D.curves[3].line.t[step]")
        decided, truth = data.values[:, 3] >= t, data.labels[:, 3]
        tp, fp = int((decided & (truth == 1)).sum()), int((decided & (truth == -1)).sum())
        shown, positives = page.readout(), int((truth == 1).sum())
        assert shown["right / wrong / missed"] == f"{tp} / {fp} / {positives - tp}"
        assert float(shown["precision %"]) == pytest.approx(100 * tp / (tp + fp), abs=0.051)
        assert float(shown["recall %"]) == pytest.approx(100 * tp / positives, abs=0.051)
        assert float(shown["probability %"]) == pytest.approx(100 / (1 + np.exp(-(t / 0.8 + 0.1))), abs=0.051)
    page.click("#stored")
    assert page.ask("D.curves[3].line.t.length - 1 - at('slider').value") == page.ask("D.curves[3].line.at")
    assert float(page.readout()["threshold"].replace("−", "-")) == pytest.approx(data.cuts[3], rel=1e-3)


def test_the_keyboard_walks_the_bars(opened, results):
    data = results(classes=10)
    page = opened(data)
    page.ask("document.querySelector('.column').focus()")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.press(key)
    assert page.ask("+document.getElementById('choose').value") == data.order[2]
    assert page.ask("document.querySelectorAll('.column[tabindex=\"0\"]').length") == 1


def test_the_table_sorts_and_filters(opened, results):
    labels = np.where(np.random.default_rng(0).random((120, 15)) < 0.3, 1, -1).astype(np.int8)
    labels[:, 4] = -1
    data = results(classes=15, labels=labels)
    page = opened(data)
    shown = "[...at('table').tBodies[0].rows].filter(r => !r.hidden).map(r => +r.dataset.i)"
    ap = [entry["ap"] for entry in data.metrics["per_class"]]
    page.ask("at('table').tHead.rows[0].cells[2].firstChild.click()")
    falling = page.ask(shown)
    assert falling[-1] == 4
    values = [round(ap[c], 3) for c in falling[:-1]]
    assert values == sorted(values, reverse=True)
    page.ask("at('table').tHead.rows[0].cells[2].firstChild.click()")
    assert page.ask(shown)[-1] == 4
    page.ask("at('filter').value = 'SS 1'; at('filters').oninput()")
    assert sorted(page.ask(shown)) == [10, 11, 12, 13, 14]


def test_the_gallery_keeps_to_the_chosen_class_and_kind(opened, results):
    data = results(images=300)
    page = opened(data)
    page.ask("at('which').elements.kind.value = 'missed'; at('error-class').value = '0'; at('which').onchange()")
    heads = page.ask("[...document.querySelectorAll('#cards h3')].map(h => h.textContent)")
    assert heads
    assert set(heads) == {"class 00"}
    ids = page.ask("[...document.querySelectorAll('#cards .id')].map(h => h.textContent.split(' ')[0])")
    assert all(data.labels[data.ids.index(i), 0] == 1 and not data.decided[data.ids.index(i), 0] for i in ids)


CASES: dict[str, dict[str, Any]] = {
    "one class": {"classes": 1},
    "one image": {"images": 1},
    "no image": {"images": 0},
    "all unknown": {"labels": np.zeros((120, 12), np.int8)},
    "no positives": {"labels": np.full((120, 12), -1, np.int8)},
    "huge scores": {"scores": np.full((120, 12), -1e30)},
    "nothing given": {
        "metrics": {},
        "parts": {},
        "thresholds": None,
        "temperatures": None,
        "biases": None,
        "log": None,
    },
    "endless thresholds": {"thresholds": np.full(12, np.inf)},
    "text log": {"log": [{"epoch": 0, "note": "x", "loss": float("nan")}]},
    "probabilities": {"kind": "probability", "scores": np.random.default_rng(0).random((120, 12)), "thresholds": None},
    "hostile": {
        "classes": 3,
        "names": ["</script><script>throw 1</script>", "<img src=//x.invalid/a onerror=throw>", "\u202e"],
    },
    "many": {"images": 50, "classes": 1200},
}


@pytest.mark.parametrize("case", CASES)
def test_no_complaint_whatever_is_missing(opened, results, case: str):
    page = opened(results(**CASES[case]))
    page.ask("D.order.slice(0, 20).forEach((c) => show(c, true))")
    page.unfold()
    assert page.misdrawn() == []
    assert page.complaints() == []
