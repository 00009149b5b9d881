"""What the right half makes of somebody's scores: CLIP's cosines on 5,640 photographs of VOC 2012, no training at all.

    python benchmarks/clip_scores.py         # `make bench-clip-scores`

Zero-shot average precision, thresholds, calibration, guaranteed recall and planted label errors, each over many
splits; writes benchmarks/results/clip_scores.csv. Every fitted number is of the half it was not fitted on. The
file's scores are half precision with an offset, a few hundred different values in all: most of them tie.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel import decisions
from manylabel.audits.findings import out_of_fold
from manylabel.audits.quality import POOLINGS, image_quality, self_confidence
from manylabel.decisions.f1 import F1
from manylabel.decisions.platt import sigmoid
from manylabel.decisions.risk import Risk
from manylabel.metrics import average_precision_by, calibration_error, count
from manylabel.metrics.ordering import auroc
from recipes import ROOT
from results import write

FILE = ROOT / "../shared/data/voc_clip_scores/voc2012_clip_rn50x64_scores.npz"
CORRUPTED = 0.1  # share of images with one cell flipped

Array = NDArray[np.float64]
Labels = NDArray[np.int8]


def halves(images: int, number: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for seed in range(number):
        order = np.random.default_rng(seed).permutation(images)
        yield order[: images // 2], order[images // 2 :]


def zero_shot(sources: dict[str, Array], labels: Labels) -> Iterator[dict[str, Any]]:
    for name, scores in sources.items():
        for definition in ("steps", "rank"):
            value = np.nanmean(average_precision_by(definition, scores, labels))
            yield row("mAP", f"{name}, ties as {definition}", [value])


def thresholds(scores: Array, labels: Labels) -> Iterator[dict[str, Any]]:
    def one(a: Array, y: Labels) -> Callable[[Array], NDArray[np.bool_]]:
        cut = F1().fit(a.reshape(-1, 1), y.reshape(-1, 1)).thresholds[0]
        return lambda b: b >= cut

    rules: dict[str, Callable[[Array, Labels], Any]] = {
        "one threshold": one,
        "per class": lambda a, y: F1().fit(a, y),
        "per class, smoothing 100": lambda a, y: F1(smoothing=100).fit(a, y),
    }
    for name, fit in rules.items():
        found = [
            np.nanmean(count(fit(scores[a], labels[a])(scores[b]), labels[b]).f1) for a, b in halves(len(labels), 20)
        ]
        yield row("macro F1", name, found)


def guarantees(scores: Array, labels: Labels) -> Iterator[dict[str, Any]]:
    for method in ("crc", "ltt"):
        found = []
        for a, b in halves(len(labels), 100):
            first, second = a[::2], a[1::2]  # to calibrate on, so that classes compare, and for the promise
            calibrated = decisions.load("platt")().fit(scores[first], labels[first])
            rule = Risk(0.9, method=method).fit(calibrated(scores[second]), labels[second])
            decided, present = rule(calibrated(scores[b])), labels[b] == 1
            found.append(((decided & present).sum(axis=1) / present.sum(axis=1))[present.any(axis=1)].mean())
        yield row("recall", f"guaranteed 0.9 by {method}", found)


def calibration(scores: Array, labels: Labels) -> Iterator[dict[str, Any]]:
    raw = {"sigmoid of the cosine": sigmoid(scores), "softmax of 100 cosines": softmax(100 * scores)}
    for name, probabilities in raw.items():
        found = [np.nanmean(calibration_error(probabilities[b], labels[b])) for _, b in halves(len(labels), 5)]
        yield row("ECE", f"raw, {name}", found)
    for name in decisions.CALIBRATORS:
        found = []
        for a, b in halves(len(labels), 5):
            logits = 100 * (scores - scores[a].mean())  # CLIP's own scale
            fitted = decisions.load(name)().fit(logits[a], labels[a])
            found.append(np.nanmean(calibration_error(fitted(logits[b]), labels[b])))
        yield row("ECE", f"calibrated by {name}", found)


def k_fold(features: Array, labels: Labels, seed: int) -> Array:
    """(N, C) scores of a ridge regression on the folds that an image is not in."""
    x = np.hstack([(features - features.mean(axis=0)) / features.std(axis=0), np.ones((len(features), 1))])
    fold = np.random.default_rng(seed).permutation(len(x)) % 5
    scores = np.empty(labels.shape)
    for k in range(5):
        rest = x[fold != k]
        system = rest.T @ rest + len(rest) * 0.003 * np.eye(x.shape[1])
        scores[fold == k] = x[fold == k] @ np.linalg.solve(system, rest.T @ labels[fold != k].astype(np.float64))
    return scores


def label_errors(features: Array, labels: Labels) -> Iterator[dict[str, Any]]:
    found: dict[str, list[float]] = {pooling: [] for pooling in POOLINGS}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        spoilt = labels.copy()
        rows = rng.choice(len(labels), round(CORRUPTED * len(labels)), replace=False)
        spoilt[rows, rng.integers(0, labels.shape[1], len(rows))] *= -1
        scores = k_fold(features, spoilt, seed)
        cells = self_confidence(out_of_fold(scores, spoilt, seed=seed), spoilt)
        wrong = np.where((spoilt != labels).any(axis=1), 1, -1).astype(np.int8)[:, None]
        for pooling, values in found.items():
            values.append(float(auroc(-image_quality(cells, pooling)[:, None], wrong)[0]))
    for pooling, values in found.items():
        yield row("AUROC of images with a wrong label", pooling, values)


def row(measure: str, what: str, values: list[Any]) -> dict[str, Any]:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else ""
    told: dict[str, Any] = {
        "measure": measure,
        "what": what,
        "splits": len(values),
        "mean": round(float(np.mean(values)), 4),
    }
    print(told, flush=True)
    return told | {"sd": round(spread, 4) if spread != "" else ""}


def standardised(values: Array) -> Array:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main() -> None:
    if not FILE.exists():
        sys.exit(f"the bench needs {FILE}, which is not here")
    with np.load(FILE) as file:
        labels = np.where(file["y"] > 0, 1, -1).astype(np.int8)
        whole, tiles, least = (file[f"cos_{name}"].astype(np.float64) for name in ("global", "tilemax", "tilemin"))
    mixed = (whole + tiles) / 2
    sources = {
        "whole image": whole,
        "mean of whole image and best tile": mixed,
        "the same, each standardised by class": standardised(whole) + standardised(tiles),
    }
    rows = [*zero_shot(sources, labels)]
    for part in (thresholds, guarantees, calibration):
        rows += part(mixed, labels)
    rows += label_errors(np.hstack([whole, tiles, least]), labels)
    write(ROOT / "benchmarks" / "results" / "clip_scores.csv", rows)


if __name__ == "__main__":
    main()
