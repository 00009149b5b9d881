"""Models side by side, reliability, confusions, and the review of findings, in a real browser."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manylabel.audits import findings
from manylabel.labels import LabelTable
from manylabel.metrics import reliability
from manylabel.metrics.shares import wilson
from manylabel.report import Other


# == several models in one class
def test_curves_lie_over_each_other_and_the_slider_walks_the_chosen_one(opened, whole):
    data = whole()
    page = opened(data)
    page.ask("show(3)")
    paths = page.ask("[...document.querySelectorAll('#curve path.line')].map(p => p.getAttribute('d').length)")
    assert len(paths) == 3
    assert min(paths) > 50
    dashes = page.ask(
        "[...document.querySelectorAll('#curve path.line')].map(p => getComputedStyle(p).strokeDasharray)"
    )
    assert len(set(dashes)) == 3, "told apart without colour"
    letters = page.ask("[...document.querySelectorAll('#curve text.letter')].map(t => t.textContent)")
    assert sorted(letters) == ["A", "B", "C"]
    legend = page.ask("[...document.querySelectorAll('#models-shown label')].map(l => l.textContent)")
    ap = page.ask("D.compared[0].ap[3]")
    assert legend[1] == "Bridge" + f"AP {100 * ap:.1f} %"
    assert page.ask("getComputedStyle(document.querySelector('#scale .between')).opacity") == "0.07"
    page.click("#models-shown label:nth-of-type(2) input")
    page.ask("at('slider').value = 9; at('slider').oninput({ target: at('slider') })")
    t = page.ask("D.curves[3].others[0].t[step]")
    decided, truth = data.models[1].values[:, 3] >= t, data.labels[:, 3]
    tp, fp = int((decided & (truth == 1)).sum()), int((decided & (truth == -1)).sum())
    assert page.readout()["right / wrong / missed"] == f"{tp} / {fp} / {(truth == 1).sum() - tp}"
    assert float(page.readout()["probability %"]) == pytest.approx(100 / (1 + np.exp(-t)), abs=0.051)
    assert "ridge: threshold" in page.ask("at('slider').getAttribute('aria-valuetext')")
    assert page.complaints() == []


def test_arrow_keys_choose_a_model_and_the_pointer_reads_any_curve(opened, whole):
    page = opened(whole())
    page.ask("document.querySelector('#models-shown input').focus()")
    page.press("ArrowDown")
    assert page.ask("model") == 1
    spot = page.ask(
        "(() => { const s = document.querySelector('#curve svg');"
        " s.scrollIntoView({ block: 'center', behavior: 'instant' });"
        " const b = s.getBoundingClientRect(); return [b.x + b.width * 0.5, b.y + b.height * 0.4]; })()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=spot[0], y=spot[1])
    assert page.ask("at('tip').textContent").split("\n")[1].startswith("threshold ")
    assert page.ask("at('tip').textContent")[0] in "ABC"


def test_a_rule_is_marked_where_it_decides_and_the_slider_starts_at_the_best_f1(opened, results):
    given = np.random.default_rng(0).random((200, 9)) < 0.3
    data = results(images=200, classes=9, thresholds=None, decisions=given)
    page = opened(data)
    page.ask("show(2)")
    line = page.ask("D.curves[2].line")
    f1 = [2 * tp / (tp + fp + line["positives"]) for tp, fp in zip(line["tp"], line["fp"])]
    assert page.ask("step") == int(np.argmax(f1))
    assert page.ask("at('stored').textContent") == "Best F1"
    corners = page.ask("document.querySelector('#curve polygon.ring').getAttribute('points')").split()
    x, y = np.mean([[float(v) for v in corner.split(",")] for corner in corners], axis=0)
    tp, fp = ((given[:, 2] & (data.labels[:, 2] == s)).sum() for s in (1, -1))
    size = page.ask("[...document.querySelectorAll('#curve .base')].map(l => [l.x1.baseVal.value, l.x2.baseVal.value])")
    left, right = size[0]
    assert (x - left) / (right - left) == pytest.approx(tp / line["positives"], abs=0.01)
    assert (y - 8) / ((right - left) * 0.82) == pytest.approx(1 - tp / (tp + fp), abs=0.01)
    assert page.complaints() == []


# == models against the first
def test_differences_open_their_class_and_regressions_follow_the_model(opened, whole, jpeg):
    data = whole(pictures=jpeg)
    page = opened(data)
    order = page.ask("[...document.querySelectorAll('#differences .column')].map(c => +c.dataset.i)")
    change = page.ask("D.compared[0].difference")
    assert [change[c] for c in order] == sorted((x for x in change if x is not None), reverse=True)
    page.ask("document.querySelector('#differences .column').focus()")
    for key in ("ArrowRight", "Enter"):
        page.press(key)
    assert page.ask("+at('choose').value") == order[1]
    page.ask("at('other').value = 1; at('compare-form').onchange()")
    lost = page.ask("D.compared[1].regressions[0]")
    card = page.ask("document.querySelector('#lost li').innerText").split("\n")
    assert data.names[lost[1]] in card
    assert card[-1] == lost[0]
    assert page.ask("document.querySelector('#lost img').src.slice(0, 22)") == "data:image/jpeg;base64"
    page.ask("at('differences-table').open = true; at('differences-table').ontoggle()")
    table = page.rows("#differences-table")
    assert [int(row[5]) for row in table] == [page.ask(f"D.compared[1].lost[{c}]") for c in data.order]


# == calibration
@pytest.mark.parametrize(("kind", "adaptive"), [("mass", True), ("width", False)])
def test_the_diagram_shows_the_numbers_of_the_library(opened, whole, kind: str, adaptive: bool):
    data = whole()
    page = opened(data)
    page.ask(f"at('reliability-scope').value = '2'; at('reliability-form').elements.bins.value = '{kind}'")
    page.ask(
        "at('reliability-form').onchange(); at('reliability-table').open = true; at('reliability-table').ontoggle()"
    )
    shown = [row for row in page.rows("#reliability-table") if row[0] == "A first, calibrated"]
    known = data.labels[:, 2] != 0
    mean, share, number = reliability(data.probabilities[known, 2], data.labels[known, 2] == 1, adaptive=adaptive)
    low, high = wilson(np.rint(share * number), number)
    for row, *expected in zip(shown, mean, share, number, low, high, strict=True):
        assert [float(row[1]), float(row[2])] == pytest.approx([100 * x for x in expected[:2]], abs=0.0051 + 5e-4 * 100)
        assert int(row[5]) == expected[2]
        assert [float(x) for x in row[3].split(" – ")] == pytest.approx([100 * x for x in expected[3:]], abs=0.0051)
    markers = page.ask("document.querySelectorAll('#reliability [data-series=\"0\"] .mark').length")
    assert markers == len(number)
    error = float((number * abs(mean - share)).sum() / number.sum())
    told = {row[0]: row[1:] for row in page.rows("#reliability-errors")}
    assert float(told["A first, calibrated"][0 if adaptive else 1]) == pytest.approx(100 * error, abs=0.0051)
    assert page.complaints() == []


def test_series_can_be_left_out_and_points_read_by_keyboard(opened, whole):
    page = opened(whole())
    assert page.ask("document.querySelectorAll('#reliability g[data-series]').length") == 4
    page.click("#reliability-series label:nth-of-type(3) input")
    series = "[...document.querySelectorAll('#reliability g[data-series]')].map(g => g.dataset.series)"
    assert page.ask(series) == ["0", "0r", "2"]
    page.ask("document.querySelector('#reliability svg').focus()")
    before = page.ask("at('reliability-under').textContent")
    page.press("ArrowRight")
    after = page.ask("at('reliability-under').textContent")
    assert before != after
    assert after.startswith("A first, calibrated: mean probability")
    page.press("ArrowDown")
    assert page.ask("at('reliability-under').textContent").startswith("A first, raw")
    page.click("#reliability-zoom")
    assert page.complaints() == []


# == confused with
def test_a_cell_tells_its_counts(opened, whole):
    data = whole()
    page = opened(data)
    page.ask(
        "at('confusion-order').value = 'frequency'; confusions(); document.querySelector('#confusion svg').focus()"
    )
    wrong = np.array(page.ask("D.confused.wrong"))
    down, right = np.argwhere(wrong > wrong.T)[0].tolist()
    for key in ["ArrowDown"] * down + ["ArrowRight"] * right:
        page.press(key)
    i, j = data.order[down], data.order[right]
    here = (data.labels[:, i] == 1) & ~data.decided[:, i] & (data.labels[:, j] != 0)
    mistaken = int((here & data.decided[:, j] & (data.labels[:, j] == -1)).sum())
    said = page.ask("at('confusion-under').textContent")
    assert said.startswith(f"{data.names[i]} missed: {data.names[j]} decided wrongly in")
    assert f"({mistaken} of {here.sum()} images in which {data.names[j]} is known)" in said


# == findings
def test_verdicts_by_key_and_button_are_saved_as_the_findings_file(opened, whole, tmp_path: Path):
    data = whole()
    page = opened(data)
    page.ask("document.querySelector('#findings-list li').focus()")
    for key in ("a", "r", "ArrowRight", "u"):
        page.press(key)
    assert page.ask("document.activeElement.dataset.k") == "4"
    page.click("#findings-list li:nth-child(6) [data-verdict=reject]")
    for _ in range(2):  # given and taken back
        page.click("#findings-list li:nth-child(8) [data-verdict=accept]")
    given = {0: "accept", 1: "reject", 3: "unknown", 5: "reject"}
    expected = [replace(one, verdict=given.get(k, "")) for k, one in enumerate(data.findings)]
    folder = tmp_path / "saved"
    folder.mkdir()
    saved = page.download("#save-verdicts", folder)
    assert saved.name == "findings.csv"
    assert saved.read_bytes() == findings.write(tmp_path / "expected.csv", expected).read_bytes()
    assert findings.read(saved) == expected
    table = LabelTable(data.labels, tuple(data.names), tuple(data.ids))
    _, changes = findings.apply(table, findings.read(saved))
    assert [change.finding for change in changes] == [1, 4]
    told = page.ask("at('findings-count').textContent")
    assert told.startswith(f"4 of {len(expected)} reviewed: 1 accepted, 2 rejected, 1 unknown")
    assert page.complaints() == []


def test_verdicts_survive_a_reload_and_belong_to_their_findings(opened, whole):
    data = whole(images=150)
    page = opened(data)
    page.click("#findings-list li:nth-child(3) [data-verdict=unknown]")
    page = opened(data)
    pressed = "[...document.querySelectorAll('#findings-list [aria-pressed=true]')].map(b => b.closest('li').dataset.k)"
    assert page.ask(pressed) == ["2"]
    assert page.ask("at('findings-progress').value") == 1
    page = opened(replace(data, findings=data.findings[1:]))
    assert page.ask(pressed) == []


def test_the_review_works_where_the_browser_keeps_nothing(opened, browser, whole):
    refuse = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('kept out'); } })"
    script = browser.call("Page.addScriptToEvaluateOnNewDocument", source=refuse)["identifier"]
    try:
        page = opened(whole(images=100))
        page.click("#findings-list li:nth-child(2) [data-verdict=accept]")
        assert page.ask("verdicts[1]") == "accept"
        assert not page.ask("at('findings-kept').hidden")
        assert page.complaints() == []
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def test_findings_are_sifted(opened, whole):
    data = whole(images=300)
    page = opened(data)
    shown = "[...listed]"
    page.ask(f"at('finding-class').value = {json.dumps(data.findings[3].label)}; at('findings-form').onchange()")
    assert page.ask(shown) == [k for k, one in enumerate(data.findings) if one.label == data.findings[3].label]
    page.ask("at('finding-class').value = ''; document.querySelector('[data-facet=severity]').value = 'minor'")
    page.ask("at('findings-form').onchange()")
    assert page.ask(shown) == [k for k, one in enumerate(data.findings) if one.severity == "minor"]
    page.ask("document.querySelector('[data-facet=severity]').value = ''; at('finding-seen').value = 'seen'")
    page.ask("verdicts[4] = 'accept'; at('findings-form').onchange()")
    assert page.ask(shown) == [4]
    page.ask("at('finding-seen').value = 'open'; at('findings-form').onchange()")
    assert 4 not in page.ask(shown)
    assert page.ask("at('findings-count').textContent").endswith(f"{len(data.findings) - 1} listed.")


def test_walking_past_the_last_card_shows_more(opened, whole):
    data = whole(images=300)
    assert len(data.findings) > 30
    page = opened(data)
    page.ask("stand(23, true)")
    page.press("ArrowRight")
    assert page.ask("document.activeElement.dataset.k") == "24"
    assert page.ask("document.querySelectorAll('#findings-list > li').length") > 24
    across = page.ask("getComputedStyle(at('findings-list')).gridTemplateColumns.split(' ').length")
    page.press("ArrowUp")
    assert page.ask("+document.activeElement.dataset.k") == 24 - across


CASES: dict[str, dict[str, Any]] = {
    "one class": {"classes": 1},
    "one image": {"images": 1},
    "no positives": {"labels": np.where(np.random.default_rng(0).random((200, 9)) < 0.2, 0, -1).astype(np.int8)},
    "all unknown": {"labels": np.zeros((200, 9), np.int8)},
    "all present": {"labels": np.ones((200, 9), np.int8)},
}


@pytest.mark.parametrize("case", CASES)
def test_no_complaint_with_other_models_whatever_is_missing(opened, results, case: str):
    data = results(**{"images": 200, "classes": 9, **CASES[case]})
    shape = data.values.shape
    others = [Other("b", data.values + 1), Other("c", np.full(shape, 0.5), "probability", decisions=np.zeros(shape))]
    page = opened(replace(data, others=others, threshold_intervals=np.full((shape[1], 2), np.nan)))
    page.ask("[0, 1, 2].forEach((m) => { if (linesOf(chosen)[m]) pick(m); })")
    page.ask("[...at('reliability-scope').options].forEach((o) => { o.selected = true; drawReliability(); })")
    page.unfold()
    assert page.misdrawn() == []
    assert page.complaints() == []
