"""Synthetic long-tailed results in the shape a run leaves behind."""

from __future__ import annotations

import io
import json
import re
import zlib
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from manylabel.audits import findings
from manylabel.labels import LabelTable
from manylabel.report import Other, ReportData


class Scored(NamedTuple):
    """What the report reads of a score file."""

    ids: Any
    names: Any
    scores: Any
    labels: Any
    kind: str = "logit"


def states(rng: np.random.Generator, images: int, classes: int, unknown: float = 0.0) -> np.ndarray:
    """Labels with a Zipf tail and classes that come in themes of five."""
    share = 0.5 / (1 + np.arange(classes)) ** 0.85
    theme = np.arange(classes) % max(1, classes // 5)
    boost = np.where(theme == rng.integers(0, theme.max() + 1, images)[:, None], 4.0, 0.5)
    state = np.where(rng.random((images, classes)) < share * boost, 1, -1).astype(np.int8)
    state[rng.random(state.shape) < unknown] = 0
    return state


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean precision at each positive, over known cells; None without a positive."""
    known = labels != 0
    y = labels[known][np.argsort(-scores[known], kind="stable")] == 1
    return float((np.cumsum(y)[y] / (np.flatnonzero(y) + 1)).mean()) if y.any() else None


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float | None]:
    """The score of highest F1 and that F1; 0 and None without a positive."""
    if not (labels == 1).any():
        return 0.0, None
    cuts = np.unique(scores[labels == 1])
    tp, fp = (((scores >= cuts[:, None]) & (labels == s)).sum(1) for s in (1, -1))
    f1 = 2 * tp / (tp + fp + (labels == 1).sum())
    return float(cuts[f1.argmax()]), float(f1.max())


def group_of(positives: int) -> str:
    return "head" if positives >= 100 else "medium" if positives >= 20 else "tail"


def jpeg(identity: str) -> bytes:
    """A small drawing that depends on the id alone."""
    rng = np.random.default_rng(zlib.crc32(identity.encode()))
    image = Image.new("RGB", (160, 120), tuple(int(x) for x in rng.integers(90, 230, 3)))
    pen = ImageDraw.Draw(image)
    for x, y, r in rng.integers(8, 110, (6, 3)).tolist():
        pen.ellipse((x, y, x + r // 2, y + r // 2), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=75)
    return packed.getvalue()


def results(images: int = 120, classes: int = 12, *, seed: int = 0, **changes: Any) -> ReportData:
    """A whole report's data; `changes` replaces fields of `ReportData`, or `names`, `ids`, `labels`, `scores`."""
    rng = np.random.default_rng(seed)
    parts = {"train": states(rng, 4 * images, classes, 0.1), "val": states(rng, max(1, images // 2), classes)}
    labels = changes.pop("labels", None)
    if labels is None:
        labels = states(rng, images, classes, 0.02)
    scores = changes.pop("scores", None)
    if scores is None:
        scores = (labels == 1) * 2.2 + rng.normal(-2.5, 1.3, labels.shape)
    names = changes.pop("names", [f"class {c:02d}" for c in range(classes)])
    ids = changes.pop("ids", [f"photos/{n:05d}.jpg" for n in range(images)])
    scored = Scored(
        np.array(ids), np.array(names), np.asarray(scores, np.float32), labels, changes.pop("kind", "logit")
    )
    parts["test"] = labels
    metrics, thresholds = measured(scored, parts["train"])
    given: dict[str, Any] = {
        "metrics": metrics, "thresholds": thresholds, "parts": parts,
        "temperatures": np.full(classes, 0.8), "biases": np.full(classes, 0.1),
        "log": [
            {"epoch": e, "loss": 0.3 * 0.8**e + 0.02 + 0.004 * rng.random(), "val_map": 0.6 - 0.5 * 0.75**e}
            for e in range(20)
        ],
        "command": "manylabel train labels.csv --method cprfl --out runs/example --seed 0",
        "config": {"method": {"name": "cprfl", "alpha": 0.2}, "seed": 0, "versions": {"numpy": np.__version__}},
        "notes": ["2 damaged images were left out: photos/00017.jpg (truncated), photos/00391.jpg (empty file)."],
    }  # fmt: skip
    return ReportData(**{"title": "Synthetic scenes", "scores": scored, **given, **changes})


def measured(scored: Scored, train: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """metrics.json as the contract has it, and thresholds of best F1."""
    counts = (train == 1).sum(0)
    scores, labels = np.asarray(scored.scores, np.float64), scored.labels
    ap = [average_precision(scores[:, c], labels[:, c]) for c in range(len(counts))]
    best = [best_threshold(scores[:, c], labels[:, c]) for c in range(len(counts))]
    per_class = [
        {"name": str(n), "train_positives": int(counts[c]), "test_positives": int((labels[:, c] == 1).sum()),
         "ap": ap[c], "threshold": best[c][0], "f1": best[c][1], "group": group_of(counts[c])}
        for c, n in enumerate(scored.names)
    ]  # fmt: skip
    metrics: dict[str, Any] = {"images": len(scored.ids), "classes": len(counts), "per_class": per_class}
    metrics["classes_without_positives"] = sum(x is None for x in ap)
    metrics["unknown_share"] = float((labels == 0).mean()) if labels.size else 0.0
    for key, group in (("map", None), ("map_head", "head"), ("map_medium", "medium"), ("map_tail", "tail")):
        found = [e["ap"] for e in per_class if e["ap"] is not None and group in (None, e["group"])]
        metrics[key] = float(np.mean(found)) if found else None
    metrics |= {"cf1": 0.4321, "of1": 0.5678, "cp": 0.4102, "cr": 0.4567, "op": 0.6011, "or": 0.5379}
    metrics["intervals"] = {
        k: [v - 0.021, v + 0.018] for k, v in metrics.items() if isinstance(v, float) and k != "unknown_share"
    }
    return metrics, np.array([t for t, _ in best])


def whole(**changes: Any) -> ReportData:
    """A report with everything: two more models, findings with reasons, intervals of thresholds."""
    data = results(**{"images": 200, "classes": 9, **changes})
    noise = np.random.default_rng(7).normal(0, 1.2, (2, *data.values.shape))
    table = LabelTable(data.labels, tuple(data.names), tuple(data.ids))
    found = findings.find(table, findings.out_of_fold(data.values.astype(np.float32), data.labels))
    some = [replace(one, severity=("minor", "major", "major")[k % 3]) for k, one in enumerate(found)]
    some[1] = replace(some[1], reasons='Says "No",\nor not')
    others = [
        Other("ridge", data.values + noise[0]),
        Other("linear, wide", data.values + noise[1], decisions=noise[1] > 1.5),
    ]
    ends = np.stack([data.cuts - 0.2, data.cuts + 0.3], axis=1)
    return replace(data, others=others, findings=some, threshold_intervals=ends, name="first")


def payload(page: str) -> dict[str, Any]:
    """The numbers that a page draws."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def plain(html: str) -> str:
    """The text of some HTML, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def other(data: Any, seed: int = 1, **given: Any) -> Other:
    noise = np.random.default_rng(seed).normal(0, 1.5, data.values.shape)
    return Other(**{"name": f"model {seed}", "scores": (data.values + noise).astype(np.float32), **given})
