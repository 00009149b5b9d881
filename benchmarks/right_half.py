"""Audit, guaranteed recall and thresholds per class against cleanlab and MAPIE, and how they grow.

    python benchmarks/right_half.py [--repeats 5] [--out benchmarks/results/right_half.csv]

All run side by side in one process on one thread, in turn within each repeat; the median is kept, and of two tools only
the ratio means something. Needs `pip install 'manylabel[bench]'`.

audit: 50,000 images x 80 classes, probabilities of a model that is right most of the time, one cell flipped in every
tenth image. Both tools find the cells that confident learning marks and score every image; what they find is compared
by AUROC and average precision of the images with a flipped cell.
conformal: recall of 0.9 guaranteed in expectation (conformal risk control), fitted to 20,000 images and applied to
20,000 others, once with positives everywhere and once with images without any and 20 % of cells unknown.
thresholds: F1 thresholds per class of 20,000, 200,000 and 2,000,000 images x 20 classes.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.confident import confident_learning
from manylabel.audits.quality import image_quality, self_confidence
from manylabel.decisions.f1 import F1
from manylabel.decisions.risk import Risk
from manylabel.metrics import auroc, average_precision
from results import write

Row = dict[str, object]
TARGET = 0.9


def noisy(images: int, classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.bool_]]:
    """Probabilities (N, C), labels given (N, C) and which of them are flipped, one in every tenth image."""
    rng = np.random.default_rng(seed)
    truth = rng.random((images, classes)) < np.geomspace(0.3, 0.01, classes)
    logits = rng.normal(size=truth.shape) * 1.5 + np.where(truth, 2.5, -3.5)
    flipped = np.zeros(truth.shape, bool)
    rows = np.arange(0, images, 10)
    flipped[rows, rng.integers(0, classes, len(rows))] = True
    return 1 / (1 + np.exp(-logits)), np.where(truth ^ flipped, 1, -1).astype(np.int8), flipped


def timed(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds of a call, and what it returned last."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)), result


def audit(repeats: int) -> list[Row]:
    from cleanlab.multilabel_classification import get_label_quality_scores
    from cleanlab.multilabel_classification.filter import find_label_issues

    probabilities, labels, flipped = noisy(50_000, 80)
    lists = [np.flatnonzero(row == 1).tolist() for row in labels]  # what cleanlab takes

    def ours() -> tuple[Any, Any]:
        return confident_learning(probabilities, labels).wrong, image_quality(self_confidence(probabilities, labels))

    def theirs() -> tuple[Any, Any]:
        found = find_label_issues(lists, probabilities, n_jobs=1)
        return found, get_label_quality_scores(lists, probabilities)

    wrong = flipped.any(axis=1)
    side, rows = np.where(wrong, 1, -1).astype(np.int8)[:, None], []
    for tool, function in (("manylabel", ours), ("cleanlab", theirs)):
        seconds, (marked, quality) = timed(function, repeats)
        marked = marked.any(axis=1) if marked.ndim == 2 else marked
        found = float(auroc(-quality[:, None], side)[0])
        ap = float(average_precision(-quality[:, None], side)[0])
        rows.append({
            "task": "audit", "size": "50,000 x 80", "tool": tool, "seconds": seconds, "auroc_images": round(found, 4),
            "ap_images": round(ap, 4), "precision_marked": round(float(wrong[marked].mean()), 4),
            "recall_marked": round(float(marked[wrong].mean()), 4),
        })  # fmt: skip
    return rows


def conformal(repeats: int) -> list[Row]:
    from mapie.risk_control import MultiLabelClassificationController

    rows: list[Row] = []
    for what in ("positives everywhere", "empty images and unknown cells"):
        probabilities, labels, _ = noisy(40_000, 80, seed=1)
        if what == "positives everywhere":
            kept = (labels == 1).any(axis=1)
            probabilities, labels = probabilities[kept], labels[kept]
        else:
            labels = np.where(np.random.default_rng(2).random(labels.shape) < 0.2, np.int8(0), labels)
        half = len(labels) // 2
        fit, new = slice(0, half), slice(half, 2 * half)

        def ours() -> Any:
            return Risk(TARGET).fit(probabilities[fit], labels[fit])(probabilities[new])  # noqa: B023

        def theirs() -> Any:
            tool = MultiLabelClassificationController(lambda x: x, risk="recall", method="crc", target_level=TARGET)
            tool.calibrate(probabilities[fit], (labels[fit] == 1).astype(int))  # noqa: B023
            return np.asarray(tool.predict(probabilities[new])).reshape(half, -1).astype(bool)  # noqa: B023

        for name, function in (("manylabel", ours), ("MAPIE", theirs)):
            row: Row = {"task": "recall guaranteed 0.9", "size": f"{2 * half:,} x 80, {what}", "tool": name}
            try:
                seconds, decided = timed(function, repeats)
            except ValueError as error:
                rows.append(row | {"note": f"refuses: {str(error).splitlines()[0][:60]}"})
                continue
            present = labels[new] == 1
            recall = (decided & present).sum(axis=1)[present.any(axis=1)] / present.sum(axis=1)[present.any(axis=1)]
            chosen = (decided & (labels[new] != 0)).sum(axis=1).mean()
            rows.append(row | {"seconds": seconds, "recall": round(float(recall.mean()), 4),
                               "labels_an_image": round(float(chosen), 2)})  # fmt: skip
    return rows


def thresholds(repeats: int) -> list[Row]:
    rows: list[Row] = []
    for images in (20_000, 200_000, 2_000_000):
        rng = np.random.default_rng(0)
        labels = np.where(rng.random((images, 20), dtype=np.float32) < 0.05, 1, -1).astype(np.int8)
        scores = rng.standard_normal((images, 20), dtype=np.float32) + labels
        seconds, _ = timed(lambda: F1().fit(scores, labels), repeats)  # noqa: B023
        sorting, _ = timed(lambda: np.sort(scores, axis=0), repeats)  # noqa: B023
        rows.append({"task": "F1 thresholds per class", "size": f"{images:,} x 20", "tool": "manylabel",
                     "seconds": seconds, "note": f"{seconds / sorting:.1f} times one numpy.sort"})  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "right_half.csv")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [*audit(arguments.repeats), *conformal(arguments.repeats), *thresholds(arguments.repeats)]
    for row in rows:
        first = next(r for r in rows if (r["task"], r["size"]) == (row["task"], row["size"]))
        if "seconds" in row:
            row["times_manylabel"] = round(row["seconds"] / first["seconds"], 2)  # type: ignore[operator]
            row["seconds"] = round(row["seconds"], 4)  # type: ignore[call-overload]
        print(row)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write(arguments.out, [{column: row.get(column, "") for column in columns} for row in rows])


if __name__ == "__main__":
    main()
