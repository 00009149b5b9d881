"""Exact average precision per class: manylabel, one numpy.sort of the same matrix, scikit-learn, torchmetrics.

    python benchmarks/metrics.py [--repeats 5] [--out benchmarks/results/metrics.csv]

All run side by side in one process on one thread, in turn within each repeat, on the same random float32 scores;
the median of the repeats is kept. At 20,000 x 5,000 scikit-learn and torchmetrics are timed on 200 of the classes and
scaled by 25 (column `classes_timed`; both work class by class). Equality of the results is checked before timing.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

import manylabel.metrics
from results import write

SIZES = [(50_000, 80, 0.036), (20_000, 5_000, 0.002)]  # images, classes, share of positives (0.036 is COCO's)
SUBSET = 200
Scores, Labels = NDArray[np.float32], NDArray[np.int8]


def problem(images: int, classes: int, share: float) -> tuple[Scores, Labels]:
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((images, classes), dtype=np.float32) < share, 1, -1).astype(np.int8)
    labels[0] = 1
    return rng.standard_normal((images, classes), dtype=np.float32) + labels, labels


def ours(scores: Scores, labels: Labels) -> NDArray[np.float64]:
    return manylabel.metrics.average_precision(scores, labels)


def one_sort(scores: Scores, labels: Labels) -> None:
    np.sort(scores, axis=0)


def scikit_learn(scores: Scores, labels: Labels) -> NDArray[np.float64]:
    return np.array([average_precision_score(labels[:, c] == 1, scores[:, c]) for c in range(scores.shape[1])])


def torchmetrics_exact(scores: Scores, labels: Labels) -> NDArray[np.float64]:
    from torchmetrics.functional.classification import multilabel_average_precision

    # Probabilities, as it asks for: it would apply a sigmoid to anything outside [0, 1].
    probabilities = torch.from_numpy(scores).double().sigmoid()
    truth = torch.from_numpy(labels == 1).int()
    return multilabel_average_precision(probabilities, truth, num_labels=scores.shape[1], average="none").numpy()


def torchmetrics_usable() -> bool:
    """Whether it imports; a CUDA torchvision beside a CPU torch needs two operators declared first."""
    try:
        import torchmetrics.functional.classification
    except ImportError:
        return False
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torchmetrics_usable.kept = library  # type: ignore[attr-defined]
        import torchmetrics.functional.classification  # noqa: F401
    return True


def seconds(function: Callable[[Scores, Labels], object], scores: Scores, labels: Labels) -> float:
    start = time.perf_counter()
    function(scores, labels)
    return time.perf_counter() - start


def compare(images: int, classes: int, share: float, repeats: int) -> list[dict[str, object]]:
    """One row per contestant: seconds for the whole matrix and the ratio to ours."""
    scores, labels = problem(images, classes, share)
    part = slice(0, min(classes, SUBSET))
    some = np.ascontiguousarray(scores[:, part]), np.ascontiguousarray(labels[:, part])
    peers = {"scikit-learn": scikit_learn} | ({"torchmetrics": torchmetrics_exact} if torchmetrics_usable() else {})
    for name, peer in peers.items():
        np.testing.assert_allclose(ours(*some), peer(*some), atol=1e-5 if name == "torchmetrics" else 1e-12)
    runs: dict[str, list[float]] = {}
    for _ in range(repeats):
        runs.setdefault("manylabel", []).append(seconds(ours, scores, labels))
        runs.setdefault("one numpy.sort(axis=0)", []).append(seconds(one_sort, scores, labels))
        for name, peer in peers.items():
            runs.setdefault(name, []).append(seconds(peer, *some) * classes / some[0].shape[1])
    base = float(np.median(runs["manylabel"]))
    return [
        {
            "images": images,
            "classes": classes,
            "what": name,
            "classes_timed": some[0].shape[1] if name in peers else classes,
            "repeats": repeats,
            "seconds_median": round(float(np.median(times)), 4),
            "seconds_min": round(min(times), 4),
            "seconds_max": round(max(times), 4),
            "manylabel_is_faster_by": round(float(np.median(times)) / base, 2),
            "numpy": np.__version__,
            "scikit_learn": sklearn.__version__,
        }
        for name, times in runs.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "metrics.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for size in SIZES for row in compare(*size, arguments.repeats)]
    write(arguments.out, rows)
    for row in rows:
        print(
            f"{row['images']:>7,} x {row['classes']:>5,}  {row['what']:<24}"
            f"{row['seconds_median']:>9} s  x{row['manylabel_is_faster_by']}"
        )


if __name__ == "__main__":
    main()
