"""Models against the first one: the table, every class's difference, what changed, and the worst that got wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.compare import Side, compare, flips
from manylabel.labels import PRESENT
from manylabel.report.gallery import thousandths
from manylabel.report.headline import HEADLINE, level_words
from manylabel.report.inputs import ReportData
from manylabel.report.models import LETTERS, Model
from manylabel.report.words import percent, text

WORK = 1e9
"""Cells times resamples that a report may spend on intervals, some ten seconds; `compare` knows no such bound."""
RESAMPLES, FEWEST = 1000, 200
COUNTS = {"head": 100, "medium": 20, "tail": 0}
"""Stand-ins for training counts that give each class the group it has on this page, whatever its bounds."""
SHOWN = ("map", "map_head", "map_medium", "map_tail", "cf1", "of1")
Comparison = Mapping[str, Any]


def comparisons(data: ReportData) -> tuple[list[Comparison], list[str]]:
    """What `manylabel.compare` finds for each other model against the first, and what there is to say about it."""
    missing = sum(other.comparison is None for other in data.others)
    number = resamples_within(data.labels.size, missing) if (data.labels == PRESENT).any() else 0
    found: list[Comparison] = []
    for other, model in zip(data.others, data.models[1:]):
        one = other.comparison or compare(
            side(data.models[0]), side(model), data.labels, train_counts=stand_ins(data), number=number
        )
        found.append({**one, "cells": one["cells"] or flips(data.models[0].decided, model.decided, data.labels)})
    notes = []
    if missing and resamples_within(data.labels.size, missing) < RESAMPLES:
        words = "have no intervals" if number == 0 else f"have intervals from {number} resamples of the images"
        notes.append(f"Differences between models {words}: more would take this page minutes; `compare` has no bound.")
    return found, notes


def resamples_within(cells: int, comparisons: int) -> int:
    """How many resamples there is time for; 0 where fewer than an interval needs.

    >>> resamples_within(4000, 2), resamples_within(1_000_000, 2), resamples_within(10_000_000, 3)
    (1000, 250, 0)
    """
    number = min(RESAMPLES, int(WORK // max(1, 2 * cells * comparisons)))
    return number if number >= FEWEST else 0


def side(model: Model) -> Side:
    """The model as `compare` takes it."""
    return Side(model.name, model.values, model.decided)


def stand_ins(data: ReportData) -> NDArray[np.int64] | None:
    """(C,) counts that put each class into its group, or None where a class has none.

    A class without a positive has no AP, so it goes with another: a group of nothing but such has no mean to compare.
    """
    if not set(data.groups.tolist()) <= set(COUNTS):
        return None
    counts = np.array([COUNTS[str(g)] for g in data.groups], np.int64)
    judged = (data.labels == PRESENT).any(axis=0)
    return np.where(judged, counts, counts[judged][0]) if judged.any() else None


def payload(data: ReportData, found: list[Comparison], *, regressions: int) -> list[dict[str, Any]]:
    """Of each other model: every class's AP, difference and interval, decisions gained and lost, and regressions.

    Arguments:
        regressions: how many cells to show of each model.
    """
    return [
        {
            "ap": thousandth_percent(one["classes"]["after"]),
            "difference": thousandth_percent(one["classes"]["difference"]),
            "interval": [thousandth_percent(ends) for ends in one["classes"]["interval"].T],
            "gained": one["cells"].gained.tolist(), "lost": one["cells"].lost.tolist(),
            "p": [float(f"{p:.3g}") for p in one["cells"].p.tolist()],
            "known": int(one["cells"].known.sum()), "total": len(one["cells"].regressions),
            "regressions": worst_regressions(data, model, one["cells"].regressions, most=regressions),
        }
        for model, one in zip(data.models[1:], found)
    ]  # fmt: skip


def thousandth_percent(values: NDArray[np.float64]) -> list[float]:
    """Five decimals are more than the page shows."""
    return np.round(np.asarray(values, np.float64), 5).tolist()


def worst_regressions(
    data: ReportData, model: Model, cells: NDArray[np.int64], *, most: int, per_class: int = 6
) -> list[list[Any]]:
    """[image id, class, present, probability of the first, of the other] of cells only the first decided rightly.

    Those of which the other model is surest come first, missed and wrongly decided labels in turn, at most `per_class`
    of a class; probabilities in thousandths.
    """
    if not len(cells):
        return []
    rows, columns = cells.T
    present = data.labels[rows, columns] == PRESENT
    before, after = (one.chance(rows, columns) for one in (data.models[0], model))
    order = np.argsort(np.where(present, after, -after), kind="stable")
    turn = np.where(present[order], np.cumsum(present[order]), np.cumsum(~present[order]))
    order = order[np.argsort(turn, kind="stable")]
    shown: list[list[Any]] = []
    taken: Counter[int] = Counter()
    for k in order.tolist():
        c = int(columns[k])
        if len(shown) == most:
            break
        if taken[c] < per_class:
            taken[c] += 1
            shown.append([data.ids[rows[k]], c, int(present[k]), thousandths(before[k]), thousandths(after[k])])
    return shown


def table(data: ReportData, found: list[Comparison]) -> str:
    """One row per model; below each number of another model its difference to the first, interval and verdict."""
    keys = [key for key in SHOWN if key in found[0]["numbers"]]
    head = "".join(f'<th scope="col" class="n">{HEADLINE[key][0].removeprefix("mAP ")} %' for key in keys)
    first = "".join(f'<td class="n"><b>{percent(found[0]["numbers"][key]["before"])}</b>' for key in keys)
    rows = [f'<tr>{name_cell(0, data.models[0].name)}{first}<td class="n">–']
    for m, (model, one) in enumerate(zip(data.models[1:], found), start=1):
        cells = "".join(number_cell(one["numbers"][key]) for key in keys)
        rows.append(f'<tr>{name_cell(m, model.name)}{cells}<td class="n">{percent(one["cells"].churn, 2)}')
    caption = (
        f"Below a number its difference to the first model, the paired {level_words(data.metrics)} of the difference"
        " in brackets, and whether chance explains it. Churn: known cells whose decision changed."
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of models"><table class="models">'
        f'<caption class="sr">Models compared</caption><thead><tr><th scope="col">model{head}'
        f'<th scope="col" class="n">churn %<tbody>{"".join(rows)}</table></div>'
        f'<p class="under">{caption}</p>'
    )


def name_cell(m: int, name: str) -> str:
    """A model's letter and name."""
    return f'<th scope="row"><span class="letter of-m{m}">{LETTERS[m]}</span> <span class="name">{text(name)}</span>'


def number_cell(row: Mapping[str, Any]) -> str:
    """A number with its difference to the first model."""
    low, high = row["interval"]
    known = bool(np.isfinite([low, high]).all())
    verdict, between = (text(row["verdict"]), f"[{signed(low)}, {signed(high)}]") if known else ("", "no interval")
    if not np.isfinite(row["after"]):
        return '<td class="n">–'
    return (
        f'<td class="n is-{verdict}"><b>{percent(row["after"])}</b>'
        f"<small class=verdict-word>{signed(row['difference'])} {verdict}</small><small>{between}</small>"
    )


def signed(value: float) -> str:
    """A difference in percentage points with its sign.

    >>> signed(0.0123), signed(-0.0004), signed(float("nan"))
    ('+1.2', '0.0', '–')
    """
    if not np.isfinite(value):
        return "–"
    shown = f"{100 * value:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def lead(data: ReportData) -> str:
    """What stands above the table."""
    return (
        f"{len(data.models)} models on the same images and classes, the first the one to beat. Both sides of a"
        " difference see the same resamples of the images, so what they share does not count."
    )
