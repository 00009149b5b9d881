"""The page: a template, a style sheet, a script, and the numbers as JSON that no name can break out of."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from manylabel.labels import PRESENT
from manylabel.report import sections
from manylabel.report.curves import curve, histogram
from manylabel.report.gallery import add_pictures, gallery
from manylabel.report.inputs import ReportData
from manylabel.report.summaries import cooccurrence, grouped_order, labels_per_image, unknown_shares

LIMIT = 2_950_000
"""Bytes a page may have; the promise is below 3 MB."""

MATRIX_CLASSES = 60
PICTURES = 360
LOG_ROWS = 400


@dataclass(frozen=True)
class Detail:
    """How much of each thing a page shows; `classes` is the vocabulary up to which this is tried first."""

    classes: int
    points: int
    bins: int
    curves: int
    rows: int
    errors: int


LEVELS = (
    Detail(classes=120, points=200, bins=32, curves=120, rows=6000, errors=320),
    Detail(classes=400, points=100, bins=32, curves=400, rows=6000, errors=320),
    Detail(classes=1000, points=48, bins=24, curves=1000, rows=6000, errors=320),
    Detail(classes=3000, points=16, bins=16, curves=3000, rows=6000, errors=240),
    Detail(classes=6000, points=16, bins=16, curves=2500, rows=6000, errors=200),
    Detail(classes=20000, points=12, bins=12, curves=800, rows=3000, errors=100),
    Detail(classes=10**9, points=12, bins=12, curves=200, rows=500, errors=60),
)


def render(data: ReportData) -> str:
    """The whole page as text, below 3 MB as UTF-8, with the most detail that fits."""
    tried = [level for level in LEVELS if level.classes >= len(data.names)]
    for level in tried:
        payload = numbers(data, level)
        notes = [*data.notes, *limits(data, level)]
        room = LIMIT - size(assemble(data, payload, notes, level))
        if room > 0:
            break
    if data.pictures is not None:
        notes += pictures_within(data, payload, room - 4096)
    return assemble(data, payload, notes, level)


def size(page: str) -> int:
    """Bytes of a page as UTF-8."""
    return len(page.encode("utf-8"))


def pictures_within(data: ReportData, payload: dict[str, Any], room: int) -> list[str]:
    """Put pictures into the payload as far as there is room; returns what there is to say about it."""
    assert data.pictures is not None
    left_out, missing = add_pictures(payload["gallery"], data.pictures, room=room, most=PICTURES)
    notes = []
    if left_out:
        images = len(payload["gallery"]["images"])
        notes.append(f"Gallery: {left_out} of {images} images have no picture here, to keep this file small.")
    if missing:
        named = "; ".join(missing[:5]) + ("; …" if len(missing) > 5 else "")
        notes.append(f"Gallery: {len(missing)} pictures could not be had ({named[:600]}).")
    return notes


def limits(data: ReportData, level: Detail) -> list[str]:
    """What this level of detail leaves out, in words."""
    classes, notes = len(data.names), []
    if level.points < LEVELS[0].points:
        notes.append(f"Curves have at most {level.points} points each, to keep {classes:,} classes in one small file.")
    if classes > level.curves:
        notes.append(f"Curves are kept for the {level.curves:,} most frequent of {classes:,} classes.")
    if classes > level.rows:
        notes.append(f"The class table lists the {level.rows:,} most frequent of {classes:,} classes.")
    if data.log and len(data.log) > LOG_ROWS:
        notes.append(f"Learning curves show {LOG_ROWS} of {len(data.log):,} rows of the log, evenly spaced.")
    return notes


def numbers(data: ReportData, level: Detail) -> dict[str, Any]:
    """All the script draws, as plain lists."""
    order = data.order
    return {
        "kind": data.scores.kind,
        "part": data.part,
        "names": data.names,
        "order": order.tolist(),
        "train": data.training_positives.tolist() if data.has_training_counts else None,
        "test": (data.labels == PRESENT).sum(axis=0).tolist(),
        "group": [entry.get("group") for entry in data.per_class],
        "ap": [rounded(entry.get("ap")) for entry in data.per_class],
        "f1": [rounded(entry.get("f1")) for entry in data.per_class],
        "cuts": data.cuts.tolist(),
        "cutsGiven": data.thresholds is not None,
        "calibration": calibration(data),
        "groupAp": {g: data.metrics.get(f"map_{g}") for g in ("head", "medium", "tail")},
        "curves": curves(data, level),
        "matrix": matrix(data),
        "unknown": unknown_shares(data.all_parts),
        "perImage": labels_per_image(data.labels, data.decided),
        "gallery": gallery(data, per_class=max(1, min(8, level.errors // max(1, len(order)) + 1)), most=level.errors),
        "log": log(data),
    }


def rounded(x: float | None) -> float | None:
    """Five decimals are more than the page shows."""
    return None if x is None or not math.isfinite(x) else round(float(x), 5)


def calibration(data: ReportData) -> list[list[float]] | None:
    """(temperature, bias) of each class, or None."""
    if data.temperatures is None or data.biases is None:
        return None
    return np.stack([np.asarray(data.temperatures, np.float64), np.asarray(data.biases, np.float64)], 1).tolist()


def curves(data: ReportData, level: Detail) -> dict[str, Any]:
    """Class index -> precision-recall curve and score histogram, for the most frequent classes."""
    found = {}
    for c in data.order[: level.curves].tolist():
        scores, labels = data.values[:, c], data.labels[:, c]
        line = curve(scores, labels, threshold=float(data.cuts[c]), points=level.points)
        found[str(c)] = {"line": line, "bars": histogram(scores, labels, level.bins)}
    return found


def matrix(data: ReportData) -> dict[str, Any]:
    """Co-occurrence counts of the most frequent classes, in each part's truth and as decided."""
    chosen = data.order[:MATRIX_CLASSES]
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


def assemble(data: ReportData, payload: dict[str, Any], notes: list[str], level: Detail) -> str:
    """Fill the template. The policy allows this page's own script by its hash and no request at all."""
    folder = resources.files("manylabel.report")
    script = (folder / "page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    page = Template((folder / "page.html").read_text("utf-8")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        style=(folder / "page.css").read_text("utf-8"),
        script=script,
        data=embedded(payload),
        **sections.all_sections(data, payload, notes, rows=level.rows),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def embedded(payload: Any) -> str:
    """JSON fit for a script element: no `<`, `>` or `&` survives, NaN and infinities become null.

    >>> embedded({"name": "</script>", "ap": float("nan")})
    '{"name":"\\\\u003c/script\\\\u003e","ap":null}'
    """
    text = json.dumps(finite(payload), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.translate({ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def finite(value: Any) -> Any:
    """The same lists and dictionaries with None for every number JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
