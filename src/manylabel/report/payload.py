"""The numbers the script draws, as plain lists, with as much detail as a level allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT
from manylabel.report import compared, confused, diagrams, review
from manylabel.report.curves import curve, histogram
from manylabel.report.gallery import gallery
from manylabel.report.inputs import ReportData
from manylabel.report.models import Model
from manylabel.report.summaries import cooccurrence, grouped_order, labels_per_image, unknown_shares

MATRIX_CLASSES = 60
LOG_ROWS = 400


@dataclass(frozen=True)
class Detail:
    """How much of each thing a page shows; `classes` is the vocabulary up to which this is tried first.

    Arguments:
        points, bins: of a curve and of a histogram of scores; others: points of another model's curve.
        curves, rows: classes with curves, and rows of the class table.
        errors, findings: cards kept; diagrams: reliability diagrams of single classes, over all series together.
    """

    classes: int
    points: int
    bins: int
    curves: int
    rows: int
    errors: int
    others: int
    diagrams: int
    findings: int


@dataclass(frozen=True, eq=False)
class Prepared:
    """What no level of detail changes, made once."""

    reliability: diagrams.Reliability
    comparisons: list[compared.Comparison]
    pairs: list[tuple[int, int, int, int, float]]
    notes: list[str]


def prepare(data: ReportData) -> Prepared:
    """The slow parts of a page."""
    found, notes = compared.comparisons(data)
    return Prepared(diagrams.reliability(data), found, confused.top_pairs(data), notes)


def numbers(data: ReportData, level: Detail, ready: Prepared) -> dict[str, Any]:
    """All the script draws."""
    chosen = data.order[:MATRIX_CLASSES]
    per_class = max(1, min(8, level.errors // max(1, len(data.names)) + 1))
    return {
        **facts(data),
        "curves": curves(data, level),
        "matrix": matrix(data, chosen),
        "confused": confused.matrix(data, chosen),
        "unknown": unknown_shares(data.all_parts),
        "perImage": labels_per_image(data.labels, data.decided),
        "gallery": gallery(data, per_class=per_class, most=level.errors),
        "reliability": diagrams.payload(
            data, ready.reliability, classes=level.diagrams, errors=max(level.curves, level.diagrams)
        ),
        "compared": compared.payload(data, ready.comparisons, regressions=level.errors // max(1, len(data.others))),
        "findings": review.payload(data, most=level.findings),
        "log": log(data),
        "pictures": {},
    }


def facts(data: ReportData) -> dict[str, Any]:
    """What is known of the models and of every class."""
    return {
        "part": data.part,
        "models": [model_facts(data, model) for model in data.models],
        "names": data.names,
        "order": data.order.tolist(),
        "train": data.training_positives.tolist() if data.has_training_counts else None,
        "test": (data.labels == PRESENT).sum(axis=0).tolist(),
        "group": [entry.get("group") for entry in data.per_class],
        "ap": [rounded(entry.get("ap")) for entry in data.per_class],
        "f1": [rounded(entry.get("f1")) for entry in data.per_class],
        "cuts": data.cuts.tolist(),
        "cutsGiven": data.thresholds is not None,
        "cutIntervals": intervals(data),
        "calibration": None if data.models[0].scales is None else data.models[0].scales.tolist(),
        "groupAp": {g: data.metrics.get(f"map_{g}") for g in ("head", "medium", "tail")},
    }


def model_facts(data: ReportData, model: Model) -> dict[str, Any]:
    """A model's name and kind; and where it decides by a rule, its right and wrong decisions of each class."""
    ruled = None
    if model.thresholds is None or (model is data.models[0] and data.decisions is not None):
        ruled = [(model.decided & (data.labels == state)).sum(axis=0).tolist() for state in (PRESENT, ABSENT)]
    given = model.given_probabilities is not None
    return {"name": model.name, "kind": model.kind, "ruled": ruled, "probabilitiesGiven": given}


def intervals(data: ReportData) -> list[list[float] | None] | None:
    """The threshold's interval of each class, None where it has none."""
    if data.threshold_intervals is None:
        return None
    pairs = np.asarray(data.threshold_intervals, np.float64)
    return [None if np.isnan(pair).any() else pair.tolist() for pair in pairs]


def rounded(x: float | None) -> float | None:
    """Five decimals are more than the page shows."""
    return None if x is None or not math.isfinite(x) else round(float(x), 5)


def curves(data: ReportData, level: Detail) -> dict[str, Any]:
    """Class index -> precision-recall curve of every model and score histogram, for the most frequent classes."""
    found = {}
    for c in data.order[: level.curves].tolist():
        labels = data.labels[:, c]
        lines = [
            curve(m.values[:, c].astype(np.float64), labels, threshold=float(m.cuts[c]), points=points)
            for m, points in zip(data.models, [level.points] + [level.others] * len(data.others))
        ]
        bars = histogram(data.values[:, c], labels, level.bins)
        found[str(c)] = {"line": lines[0], "bars": bars} | ({"others": lines[1:]} if data.others else {})
    return found


def matrix(data: ReportData, chosen: NDArray[np.intp]) -> dict[str, Any]:
    """Co-occurrence counts of the chosen classes, in each part's truth and as decided."""
    decided = np.where(data.decided[:, chosen], 1, -1).astype(np.int8)
    states = {f"{part}, truth": state[:, chosen] for part, state in data.all_parts.items()}
    tables = {what: cooccurrence(state) for what, state in states.items()}
    tables[f"{data.part}, decided"] = cooccurrence(decided)
    first = next(iter(states))
    return {
        "classes": chosen.tolist(),
        "grouped": grouped_order(tables[first][0], len(states[first])).tolist(),
        "tables": {what: [both.tolist(), base.tolist()] for what, (both, base) in tables.items()},
    }


def log(data: ReportData) -> dict[str, list[float | None]] | None:
    """The numeric columns of the training log, evenly thinned to LOG_ROWS rows, or None."""
    if not data.log or data.systems:
        return None
    keep = np.unique(np.linspace(0, len(data.log) - 1, min(len(data.log), LOG_ROWS)).round().astype(int))
    columns = {str(k): [as_number(data.log[r].get(k)) for r in keep] for row in data.log[:1] for k in row}
    numeric = {name: column for name, column in columns.items() if any(x is not None for x in column)}
    return numeric or None


def as_number(cell: Any) -> float | None:
    """A cell of a log as a finite number, or None."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return float(f"{value:.6g}") if math.isfinite(value) else None
