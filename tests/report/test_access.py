"""The page for every reader: keyboard, screen reader, contrast, phone and paper, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manylabel.report import Other

CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8")
NAMED = {
    "application", "button", "checkbox", "combobox", "DisclosureTriangle", "image", "link", "navigation", "progressbar",
    "radio", "region", "searchbox", "slider", "table",
}  # fmt: skip


def tree(page: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """(role, name, properties) of all that a screen reader meets, in its order."""
    page.call("Accessibility.enable")
    nodes = {node["nodeId"]: node for node in page.call("Accessibility.getFullAXTree")["nodes"]}
    page.call("Accessibility.disable")
    found, waiting = [], [next(iter(nodes))]
    while waiting:
        node = nodes.get(waiting.pop())
        if node is None:
            continue
        waiting += reversed(node.get("childIds", []))
        if not node.get("ignored"):
            said = {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])}
            found.append((node["role"]["value"], node.get("name", {}).get("value", ""), said))
    return found


def test_a_screen_reader_finds_names_landmarks_and_headings_in_order(opened, whole, jpeg):
    page = opened(whole(pictures=jpeg))
    page.unfold()
    found = tree(page)
    assert [role for role, name, _ in found if role in NAMED and not name.strip()] == []
    charts = [name for role, name, _ in found if role == "application"]
    assert [name.split(":")[0].split(" of ")[0] for name in charts] == [
        "Reliability diagram", "Confused with", "Co-occurrence", "Share",
    ]  # fmt: skip
    tables = [name for role, name, _ in found if role == "table"]
    assert len(tables) == len(set(tables)) > 9, "tables are told apart by their names"
    for landmark in ("banner", "navigation", "main", "search", "contentinfo"):
        assert sum(role == landmark for role, *_ in found) == 1, landmark
    levels = [said["level"] for role, _, said in found if role == "heading"]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert max(np.diff(levels)) == 1, "no level is jumped"
    lists = "[...document.querySelectorAll('ul:not([role])')].flatMap((l) => [...l.children])"
    assert page.ask(f"{lists}.filter((e) => e.tagName !== 'LI' || e.getAttribute('role')).length") == 0
    assert page.ask("document.documentElement.lang") == "en"


def test_tab_walks_the_page_in_reading_order_and_shows_where_it_is(opened, whole):
    page = opened(whole(images=60, classes=5))
    page.ask("window.walked = [document.body]")
    look = (
        "(() => { const e = document.activeElement, last = walked.at(-1); if (e === document.body) return 'end';"
        " const on = last === document.body || last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING;"
        " const seen = [e, ...e.querySelectorAll('.hit')].some((x) => { const s = getComputedStyle(x);"
        " return (s.outlineStyle !== 'none' && e === x) || (x !== e && s.stroke !== 'none'); });"
        " walked.push(e); return on && seen ? '' : (on ? 'unseen: ' : 'back to: ') + e.outerHTML.slice(0, 90); })()"
    )
    wrong = []
    for _ in range(200):
        page.press("Tab")
        if (said := page.ask(look)) == "end":
            break
        wrong += [said] if said else []
    assert wrong == []
    assert page.ask("walked[1].className") == "skip"
    assert page.ask("walked.filter((e) => e.matches?.('.column')).length") == 2, "one stop a chart"
    assert page.ask("walked.length") > 60


def test_a_class_opened_by_key_takes_the_keyboard_with_it(opened, results):
    page = opened(results(classes=5))
    page.ask("document.querySelector('#bars .column').focus()")
    for key in ("ArrowRight", "Enter"):
        page.press(key)
    assert page.ask("[document.activeElement.id, document.activeElement.value]") == ["choose", "1"]


def test_the_table_says_by_which_column_it_is_sorted(opened, results):
    page = opened(results(classes=5))
    sorts = "[...at('table').tHead.rows[0].cells].map((h) => h.ariaSort && `${h.textContent} ${h.ariaSort}`)"
    assert [s for s in page.ask(sorts) if s] == ["train positives descending"]
    page.ask("at('table').tHead.rows[0].cells[2].firstChild.click()")
    assert [s for s in page.ask(sorts) if s] == ["AP % descending"]
    page = opened(results(classes=5, parts={}, metrics={}))
    assert [s for s in page.ask(sorts) if s] == ["test positives descending"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(opened, whole, mode: str):
    data = whole(images=60, classes=5)
    others = [Other(f"model {k}", data.values + k / 9) for k in range(7)]
    page = opened(replace(data, others=others), mode=mode)
    page.ask("at('findings-list').querySelectorAll('button').forEach((b, k) => k < 9 && k % 4 === 0 && b.click())")
    page.unfold()
    page.ask("tip('words', 9, 9)")
    found = page.ask(CONTRAST)
    assert len(found) > 500
    assert [one for one in found if one[1] < 4.5] == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_phone_shows_every_part_without_sideways_scroll(opened, whole, mode: str):
    hostile = "</script><script>throw 1</script>"
    data = whole(names=[hostile, "x" * 200, *[f"class {c}" for c in range(7)]], title="t" * 150)
    data = replace(data, others=[replace(data.others[0], name="y" * 120), replace(data.others[1], name=hostile)])
    page = opened(data, width=390, mode=mode)
    page.unfold()
    assert page.ask("document.documentElement.scrollWidth") <= 390
    assert page.complaints() == []


def test_paper_shows_what_is_folded_and_no_control(opened, whole, jpeg):
    data = whole(classes=24, pictures=jpeg)
    page = opened(data, mode="dark")
    page.ask("at('findings-list').querySelector('[data-verdict=accept]').click(); show(3)")
    page.ask("document.querySelector('#numbers details').open = false")
    page.ask("dispatchEvent(new Event('beforeprint'))")
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    shown = "[...document.querySelectorAll({!r})].filter((e) => e.checkVisibility()).map((e) => e.textContent || e.id)"
    assert page.ask("document.querySelectorAll('details.keep:not([open])').length") == 0
    assert page.ask(shown.format("nav, input, progress, .onscreen, .spot, .cursor, .pointer")) == []
    assert page.ask(shown.format("button:not(#table button)")) == ["accept"], "the verdict that was given"
    looks = page.ask("[...document.querySelectorAll('select')].map((s) => getComputedStyle(s).appearance)")
    assert set(looks) == {"none"}
    assert page.ask("getComputedStyle(document.querySelector('#table thead button')).display") == "contents"
    kinds = page.ask("[...document.querySelectorAll('#cards .kind')].map((e) => e.textContent)")
    assert kinds == [
        f"The worst 15 of {data.extra.sum()} false positives", f"The worst 15 of {data.missed.sum()} false negatives",
    ]  # fmt: skip
    assert page.ask("document.querySelectorAll('#cards li:not(.kind)').length") == 30
    widths = page.ask("[...document.querySelectorAll('.chart > svg')].map((s) => s.width.baseVal.value)")
    assert len(widths) > 8
    assert max(widths) <= 680, "drawn for paper, not shrunk from a screen"
    assert page.ask("getComputedStyle(document.documentElement).getPropertyValue('--m1')") == "#1b7464", "not dark"
    assert [one for one in page.ask(CONTRAST) if one[1] < 4.5] == []
    page.ask("dispatchEvent(new Event('afterprint'))")
    assert page.ask("document.querySelectorAll('details.keep:not([open])').length") == 1
    assert page.ask("document.querySelectorAll('#cards .kind').length") == 0
    assert page.ask("[+at('choose').value, document.documentElement.className]") == [3, "js"]
    assert page.complaints() == []


def test_names_of_a_wide_matrix_do_not_run_into_each_other(opened, results):
    page = opened(results(images=200, classes=60))
    boxes = page.ask(
        "[...document.querySelectorAll('#confusion text[text-anchor=end]')].map((t) => t.getBoundingClientRect())"
        ".map((b) => [b.top, b.bottom])"
    )
    assert len(boxes) == 60
    middles = [(top + bottom) / 2 for top, bottom in boxes]
    size = page.ask("parseFloat(getComputedStyle(document.querySelector('#confusion text')).fontSize)")
    assert size <= min(np.diff(middles)) + 0.01


def test_names_below_and_beside_a_chart_are_cut_to_their_room(opened, results):
    names = ["猫" * 30, "W" * 30, "drinking glasses", "short"]
    page = opened(results(classes=4, names=names))
    outside = (
        "[...document.querySelectorAll('#bars .column text, #confusion text')].filter((t) => {"
        " const b = t.getBoundingClientRect(), s = t.ownerSVGElement.getBoundingClientRect();"
        " return b.left < s.left - 1 || b.bottom > s.bottom + 1 || b.top < s.top - 1; }).map((t) => t.textContent)"
    )
    assert page.ask(outside) == []
    shown = page.ask("[...document.querySelectorAll('#bars .column text')].map((t) => t.textContent)")
    assert sorted(name for name in shown if name[-1] != "…") == ["drinking glasses", "short"]
