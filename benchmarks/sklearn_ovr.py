"""scikit-learn's one-vs-rest logistic regression on the same cached features: the outside yardstick.

    python benchmarks/sklearn_ovr.py       # writes benchmarks/results/sklearn_ovr.csv

Standardised pooled features, lbfgs, its default C = 1, 200 iterations: no choice is made, so validation is unused.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from manylabel import data as datasets
from manylabel import encoders
from manylabel.encoders.cache import encode
from manylabel.metrics import Settings, evaluate
from results import write

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    dataset = datasets.read(ROOT / "../shared/data/coco80/labels.csv")
    cached = encode(dataset.paths, encoders.load("efficientnet_lite0"))
    test = np.flatnonzero(dataset.split == "test")
    rows = []
    for name, kept in (("long_tail", dataset.where("long_tail", "1")), ("full", np.ones(len(dataset), bool))):
        train = np.flatnonzero((dataset.split == "train") & kept)
        scaler = StandardScaler().fit(cached.pooled(train))
        present = dataset.labels.rows(train).present
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = OneVsRestClassifier(LogisticRegression(max_iter=200), n_jobs=1)
            model.fit(scaler.transform(cached.pooled(train)), present.astype(int))
        scores = model.decision_function(scaler.transform(cached.pooled(test)))
        numbers = evaluate(
            scores, dataset.labels.rows(test).state, names=dataset.labels.names,
            train_counts=present.sum(0), settings=Settings(resamples=0),
        )  # fmt: skip
        keys = ("map", "map_head", "map_medium", "map_tail")
        rows.append(
            {"data": name, **{k: round(numbers[k], 5) for k in keys}, "seconds": round(time.monotonic() - started)}
        )
        print(rows[-1])
    write(Path(__file__).parent / "results" / "sklearn_ovr.csv", rows)


if __name__ == "__main__":
    main()
