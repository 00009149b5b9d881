"""Reliability, confusions, all numbers, rules without thresholds and findings."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from synthetic import other, payload, plain

from manylabel.audits import findings
from manylabel.labels import LabelTable
from manylabel.metrics import Settings, calibration_error, evaluate, reliability
from manylabel.metrics.more import METRICS
from manylabel.metrics.shares import wilson
from manylabel.report import compared, render, review, write
from manylabel.report import confused as confusion
from manylabel.report.all_numbers import group_of
from manylabel.report.diagrams import Sorted
from manylabel.report.diagrams import reliability as diagrams

HOSTILE = "</script><b onclick=throw>${title}"


# == reliability
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("cells", [1, 7, 14, 400])
def test_diagrams_are_those_of_the_metrics(adaptive: bool, cells: int):
    rng = np.random.default_rng(cells)
    for probabilities in (rng.random(cells), rng.integers(0, 11, cells) / 10, rng.beta(0.2, 9, cells), np.ones(cells)):
        labels = rng.choice([-1, 0, 1], cells).astype(np.int8)
        labels[0] = 1
        found = Sorted.of(probabilities, labels).diagram(adaptive=adaptive)
        known = labels != 0
        mean, share, number = reliability(probabilities[known], labels[known] == 1, adaptive=adaptive)
        np.testing.assert_array_equal(found.number, number)
        np.testing.assert_array_equal(found.positives, np.rint(share * number))
        np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
        expected = calibration_error(probabilities[:, None], labels[:, None], adaptive=adaptive)[0]
        assert found.error == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert Sorted.of(np.ones(2), np.zeros(2, np.int8)).diagram(adaptive=adaptive) is None


def test_errors_on_the_page_are_those_of_the_metrics(results):
    labels = results(images=120, classes=20).labels.copy()
    labels[:, 4] = 0
    data = results(images=120, classes=20, labels=labels)
    data = replace(data, others=[other(data), other(data, 2, probabilities=np.full(data.values.shape, 0.3))])
    shown = payload(render(data))["reliability"]
    assert shown["series"] == [[0, True], [0, False], [1, True], [2, True]]
    raw = 1 / (1 + np.exp(-data.values))
    second = 1 / (1 + np.exp(-data.models[1].values.astype(float)))
    for s, p in enumerate((data.probabilities, raw, second, np.full(data.values.shape, 0.3))):
        both = [calibration_error(p, data.labels, adaptive=a) for a in (False, True)]
        numbers = evaluate(p, data.labels, names=data.names, probabilities=p, settings=Settings(resamples=0))
        assert shown["means"]["all"][s] == pytest.approx([numbers["ece"], numbers["ece_adaptive"]], abs=5.1e-6)
        for c in range(20):
            told = shown["errors"][str(c)][s]
            assert told == [None, None] if c == 4 else told == pytest.approx([x[c] for x in both], abs=5.1e-6)
        for group in ("head", "medium"):
            members = data.groups == group
            known = data.labels[:, members] != 0
            cells, present = p[:, members][known], (data.labels[:, members] == 1)[known]
            for a in (False, True):
                flat = np.reshape(shown["scopes"][group][s][a], (-1, 3))
                mean, share, number = reliability(cells, present, adaptive=bool(a))
                np.testing.assert_allclose(flat[:, 0], mean, rtol=5.1e-4)
                np.testing.assert_array_equal(flat[:, 1:], np.stack([np.rint(share * number), number], 1))
                error = float((number * abs(mean - share)).sum() / number.sum())
                assert shown["errors"][group][s][a] == pytest.approx(error, abs=5.1e-6)


def test_wilson_intervals_are_scipys():
    for k, n in ((0, 5), (3, 10), (10, 10), (120, 1190)):
        expected = binomtest(k, n).proportion_ci(method="wilson")
        assert np.stack(wilson(np.array(k), np.array(n))) == pytest.approx([expected.low, expected.high], abs=1e-12)
    assert np.isnan(wilson(np.array(0), np.array(0))[0])


# == confused with
def counted(data: Any, i: int, j: int) -> tuple[int, int]:
    """The definition, image by image."""
    wrong = base = 0
    for n in range(len(data.ids)):
        if data.labels[n, i] == 1 and not data.decided[n, i] and data.labels[n, j] != 0:
            base += 1
            wrong += bool(data.decided[n, j] and data.labels[n, j] == -1)
    return wrong, base


def test_confusions_are_those_of_a_loop(results):
    labels = np.random.default_rng(0).choice([-1, 0, 1], (90, 7), p=[0.5, 0.2, 0.3]).astype(np.int8)
    data = results(90, 7, labels=labels, scores=labels + np.random.default_rng(1).normal(0, 2, labels.shape))
    shown = payload(render(data))
    wrong, base = (shown["confused"][key] for key in ("wrong", "base"))
    classes = shown["matrix"]["classes"]
    for a, i in enumerate(classes):
        for b, j in enumerate(classes):
            assert (wrong[a][b], base[a][b]) == counted(data, i, j), (i, j)
    assert max(map(max, wrong)) > 2


def test_the_surest_confusions_come_first(results):
    data = results(images=300, classes=9)
    found = confusion.top_pairs(data, most=6)
    every = {(i, j): counted(data, i, j) for i in range(9) for j in range(9) if i != j}
    low = {pair: wilson(np.array(k), np.array(n))[0] for pair, (k, n) in every.items() if k > 1}
    assert [low[i, j] for i, j, *_ in found] == pytest.approx(sorted(low.values(), reverse=True)[:6])
    for i, j, k, n, anywhere in found:
        assert (k, n) == every[i, j]
        assert anywhere == data.extra[:, j].sum() / (data.labels[:, j] != 0).sum()
    page = render(data)
    i, j, k, n, _ = confusion.top_pairs(data)[0]
    assert f'<th scope="row">{data.names[i]}<td>{data.names[j]}<td class="n">{100 * k / n:.0f}' in page
    assert "No two classes were confused" in render(results(labels=np.ones((120, 12), np.int8)))


# == rules without thresholds, intervals of thresholds
def test_decisions_of_a_rule_replace_the_cuts_everywhere(results):
    given = np.zeros((120, 12), bool)
    given[:, 2] = True
    data = results(thresholds=None, decisions=given)
    shown = payload(page := render(data))
    assert shown["gallery"]["totals"] == [int((data.labels[:, 2] == -1).sum()),
                                          int((data.labels == 1).sum() - (data.labels[:, 2] == 1).sum())]  # fmt: skip
    assert shown["models"][0]["ruled"][0] == [int((data.labels[:, c] == 1).sum()) if c == 2 else 0 for c in range(12)]
    assert shown["curves"]["0"]["line"]["at"] is None
    assert "the slider starts at the best F1 on these very images" in page
    kept = results(decisions=given)
    assert "starts at the stored threshold" in render(kept)
    assert payload(render(kept))["curves"]["0"]["line"]["at"] is not None


def test_intervals_of_thresholds_stand_in_the_table(results):
    ends = np.tile([-1.25, 0.5], (12, 1))
    ends[3], ends[4] = np.nan, (0.25, np.inf)
    page = render(results(threshold_intervals=ends))
    rows = dict(re.findall(r'<tr data-i="(\d+)">(.*)', page))
    assert '<td class="n" data-v="1.75">−1.25 – 0.5<td' in rows["0"]
    assert '<td class="n">–<td' in rows["3"]
    assert "0.25 – never<td" in rows["4"]
    assert payload(page)["cutIntervals"][3:5] == [None, [0.25, None]]


# == all numbers
def test_every_number_stands_on_the_page_with_its_interval_and_meaning(results):
    data = results(images=80)
    numbers = evaluate(
        data.values, data.labels, names=data.names, decisions=data.decided, train_images=480,
        train_counts=(data.parts["train"] == 1).sum(0), settings=Settings(resamples=50),
    )  # fmt: skip
    page = render(replace(data, metrics=numbers))
    rows = dict(re.findall(r'<tr data-metric="([^"]+)">(.*?)(?=<tr|</table>)', page, re.S))
    for metric in METRICS:
        words, value, between = plain(rows[metric.key]), numbers[metric.key], numbers["intervals"].get(metric.key)
        assert words.startswith(metric.name)
        assert (f" {value:.4f} " if value is not None else " – ") in words
        assert f"{between[0]:.4f} – {between[1]:.4f}" in words if between else words.count("–") >= 1
        assert words.endswith("higher" if metric.higher else "lower")
        assert group_of(metric.key) != "Further", f"{metric.key} wants a place in all_numbers.GROUPS"
    assert plain(rows["map"]).startswith("mAP Mean of AP over classes with a positive.")
    assert "Probabilities (0 of 3 defined)" in page
    assert "No numbers were given" in render(results(metrics={}))


# == findings
def suspects(data: Any) -> list[Any]:
    table = LabelTable(data.labels, tuple(data.names), tuple(data.ids))
    return findings.find(table, findings.out_of_fold(data.values.astype(np.float32), data.labels))


def test_findings_on_the_page_are_the_rows_of_their_file(results, tmp_path):
    data = results(images=200)
    found = [replace(one, reasons='Says "No", or\nnot') if k == 1 else one for k, one in enumerate(suspects(data))]
    shown = payload(page := render(replace(data, findings=found)))["findings"]
    with findings.write(tmp_path / "f.csv", found).open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert (shown["columns"], shown["rows"]) == (header, rows)
    assert set(shown["facets"]) == {"category", "severity"}
    assert shown["facets"]["category"] == [one.category for one in found]
    assert f"{len(found):,} labels that are likely wrong" in page
    elsewhere = payload(render(replace(data, findings=found[1:])))["findings"]
    assert elsewhere["key"] != shown["key"]


def test_findings_of_another_kind_are_taken_as_they_are(results):
    bare = SimpleNamespace(rank=1, image="a.jpg", label=HOSTILE, given="present", suggested="absent", confidence=0.1,
                           reasons=None)  # fmt: skip
    page = render(results(findings=[bare], others=[other(results(), name=HOSTILE)]))
    found = payload(page)["findings"]
    cells = dict(zip(found["columns"], found["rows"][0]))
    assert (cells["label"], cells["confidence"], cells["reasons"], cells["verdict"]) == (HOSTILE, "0.1", "", "")
    assert cells["image_quality"] == "nan"
    assert found["facets"] == {}
    assert page.count("<script") == 2
    assert "onclick=throw>" not in page
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow(found["rows"][0])
    assert list(review.columns()) == found["columns"]


# == size
def test_four_models_of_a_thousand_classes_and_many_findings_fit(results, tmp_path, monkeypatch):
    monkeypatch.setattr(compared, "RESAMPLES", compared.FEWEST)  # intervals are as long from fewer resamples
    data = results(300, 1000, pictures=lambda identity: b"\xff\xd8\xff" + b"x" * 6000)
    one = suspects(results(60))[0]
    many = [replace(one, rank=k, image=data.ids[k % 300], reasons="because " * 12) for k in range(1, 9001)]
    data = replace(data, others=[other(data, k) for k in (1, 2, 3)], findings=many)
    path = write(tmp_path / "report.html", data)
    assert 1_000_000 < path.stat().st_size < 3_000_000
    page = path.read_text("utf-8")
    assert re.search(r"Reliability diagrams are kept for the \d+ most frequent of 1,000 classes", page)
    assert re.search(r"Curves of the other models have at most \d+ points each", page)
    assert re.search(r"The first [\d,]+ of 9,000 suspected label errors are here", page)
    shown = payload(page)
    assert len(shown["pictures"]) > 20
    assert all(len(shown["curves"][str(c)]["others"]) == 3 for c in range(1000) if shown["curves"][str(c)]["line"])
    assert len(shown["reliability"]["errors"]) > 1000


def test_the_series_of_a_page_are_its_models(results):
    data = results(images=50, temperatures=None, biases=None)
    assert diagrams(data).series == [(0, True)]
    assert diagrams(replace(data, others=[other(data)])).series == [(0, True), (1, True)]


# == groups and hierarchies that were given
def test_groups_of_the_user_stand_in_the_headline_and_among_all_numbers(results):
    data = results(images=80, parts={})
    names = [HOSTILE, "things", None]
    numbers = evaluate(
        data.values, data.labels, names=data.names, decisions=data.decided, settings=Settings(resamples=50),
        grouping=[names[c % 3] for c in range(12)],
    )  # fmt: skip
    page = render(replace(data, metrics=numbers))
    told = re.findall(r'<tr data-key="group [^"]*">(.*?)(?=<tr|</table>)', page, re.S)
    every = re.findall(r'<tr data-metric="group [^"]*">(.*?)(?=<tr|</table>)', page, re.S)
    assert len(told) == len(every) == 2
    for name, line, row in zip(names, told, every):
        one = numbers["grouping"][name]
        low, high = one["interval"]
        shown = name.replace("<", "&lt;").replace(">", "&gt;")
        assert f'scope="row">mAP {shown}<small>over {one["averaged"]} of {one["classes"]} classes' in line
        assert plain(line).endswith(f"{100 * one['map']:.1f} {100 * low:.1f} – {100 * high:.1f}")
        assert f"{one['map']:.4f} {low:.4f} – {high:.4f} higher" in plain(row)
    many = {f"g{k}": {"classes": 1, "averaged": 0, "map": None, "interval": None} for k in range(30)}
    page = render(replace(data, metrics={**numbers, "grouping": many}))
    assert (page.count('data-key="group '), page.count('data-metric="group ')) == (12, 30)
    assert "18 more groups stand among all numbers" in page


def test_head_medium_and_tail_are_not_shown_where_nobody_knows_them(results):
    data = results(images=80, parts={})
    numbers = evaluate(data.values, data.labels, names=data.names, settings=Settings(resamples=0))
    known, page = render(results(images=80)), render(replace(data, metrics=numbers))
    for sign in ('data-key="map_head"', '<table id="table"><caption', 'id="group"'):
        assert sign in known
        assert sign not in page
    assert '<table id="table" class="ungrouped">' in page


def test_numbers_that_a_hierarchy_completes_stand_among_all_numbers(results):
    found = {"hp": 0.1234, "hr": 0.5, "hf": None, "hp_micro": 0.25, "intervals": {"hp": [0.1, 0.2]}}
    page = render(results(metrics={"hierarchical": found}))
    rows = dict(re.findall(r'<tr data-metric="(h[prf][^"]*)">(.*?)(?=<tr|</table>)', page, re.S))
    assert set(rows) == {"hp", "hr", "hf", "hp_micro"}
    assert "0.1234 0.1000 – 0.2000 higher" in plain(rows["hp"])
    assert plain(rows["hf"]).endswith("– – higher")
    assert "Hierarchy (3 of 4 defined)" in page
