"""Models side by side: the table, the differences of every class, regressions, curves."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from synthetic import other, payload, plain

from manylabel.compare import Side, compare
from manylabel.metrics import Settings, evaluate
from manylabel.report import compared as models
from manylabel.report import render


def test_the_table_of_models_is_compares(results):
    data = results(classes=20, name="first")
    data = replace(data, others=[other(data), other(data, 2)])
    page = render(data)
    counts = (data.parts["train"] == 1).sum(0)
    for m, model in enumerate(data.others, start=1):
        sides = Side("first", data.values, data.decided), Side("b", model.scores, model.model.decided)
        found = compare(*sides, data.labels, train_counts=counts)
        row = re.search(rf'<span class="letter of-m{m}">.*?(?=<tr>|</table>)', page, re.S)
        for key in ("map", "map_head", "map_medium", "cf1", "of1"):
            one = found["numbers"][key]
            low, high = (models.signed(end) for end in one["interval"])
            difference = models.signed(one["difference"])
            assert f"{100 * one['after']:.1f} {difference} {one['verdict']} [{low}, {high}]" in plain(row[0]), key
        assert plain(row[0]).endswith(f"{100 * found['cells'].churn:.2f}")
        shown = payload(page)["compared"][m - 1]
        assert shown["ap"] == pytest.approx(found["classes"]["after"].tolist(), abs=5.1e-6)
        assert shown["interval"][0] == pytest.approx(found["classes"]["interval"][:, 0].tolist(), abs=5.1e-6)
        assert (shown["gained"], shown["lost"]) == (found["cells"].gained.tolist(), found["cells"].lost.tolist())


def test_groups_of_the_table_keep_the_bounds_of_the_page(results):
    data = results(images=300, classes=9)
    counts = (data.parts["train"] == 1).sum(0)
    bounds = Settings(head=int(np.sort(counts)[6]), tail=int(np.sort(counts)[3]), resamples=0)
    numbers = evaluate(data.values, data.labels, names=data.names, train_counts=counts, settings=bounds)
    data = replace(data, metrics=numbers, others=[other(data)])
    (found,), _ = models.comparisons(data)
    for group in ("head", "medium", "tail"):
        assert found["numbers"][f"map_{group}"]["before"] == pytest.approx(numbers[f"map_{group}"])


def test_a_comparison_that_is_given_is_not_made_again(results):
    data = results(images=60)
    sides = Side("a", data.values, data.decided), Side("b", other(data).scores)
    found = compare(*sides, data.labels, number=20)
    found["numbers"]["map"]["interval"] = [0.111, 0.222]
    page = render(replace(data, others=[other(data, comparison=found)]))
    assert "[+11.1, +22.2]" in page
    assert payload(page)["compared"][0]["lost"] == models.flips(data.decided, other(data).model.decided,
                                                                data.labels).lost.tolist()  # fmt: skip


def test_no_intervals_where_they_would_take_minutes_and_the_page_says_so(results, monkeypatch):
    monkeypatch.setattr(models, "WORK", 1e5)
    data = results()
    page = render(replace(data, others=[other(data)]))
    assert "Differences between models have no intervals" in page
    assert "no interval</small>" in page


def test_regressions_are_the_surest_cells_that_got_wrong(results):
    data = results(images=200, classes=6)
    data = replace(data, others=[other(data)])
    model = data.models[1]
    shown = payload(render(data))["compared"][0]
    lost = {
        (n, c) for n, c in np.argwhere(data.decided != model.decided).tolist()
        if data.labels[n, c] and data.decided[n, c] == (data.labels[n, c] == 1)
    }  # fmt: skip
    assert shown["total"] == len(lost) > 20
    p = model.chance(slice(None), slice(None))
    for present in (0, 1):
        cells = [(data.ids.index(i), c, after) for i, c, there, _, after in shown["regressions"] if there == present]
        assert all((n, c) in lost and data.labels[n, c] == 2 * present - 1 for n, c, _ in cells)
        assert [x for *_, x in cells] == [round(1000 * p[n, c]) for n, c, _ in cells]
        assert [x for *_, x in cells] == sorted((x for *_, x in cells), reverse=not present)
        best = max((p[n, c] if not present else -p[n, c]) for n, c in lost if data.labels[n, c] == 2 * present - 1)
        assert cells[0][2] == round(1000 * abs(best))
    assert [there for _, _, there, *_ in shown["regressions"][:4]].count(1) == 2
    assert max(np.bincount([c for _, c, *_ in shown["regressions"]])) <= 6


def test_curves_of_the_others_hold_exact_counts(results):
    data = results(images=400, classes=5)
    data = replace(data, others=[other(data, thresholds=np.full(5, 0.25))])
    scores = data.models[1].values
    for c in range(5):
        (line,) = payload(render(data))["curves"][str(c)]["others"]
        assert line["t"][line["at"]] == 0.25
        for t, tp, fp in zip(line["t"], line["tp"], line["fp"]):
            decided = scores[:, c].astype(float) >= t
            assert (tp, fp) == tuple(int((decided & (data.labels[:, c] == s)).sum()) for s in (1, -1))


def test_sections_without_anything_to_show_are_left_out(results):
    page = render(results())
    for word in ('id="models"', 'href="#models"', 'id="findings"', 'href="#findings"'):
        assert word not in page
