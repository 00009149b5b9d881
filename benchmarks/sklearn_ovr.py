"""scikit-learn's one-vs-rest logistic regression on the same cached features: the outside yardstick.

    python benchmarks/sklearn_ovr.py       # writes benchmarks/results/sklearn_ovr.csv

Pooled features as they are and z-scored, lbfgs, its default C = 1, 200 iterations: nothing is chosen, so validation is
unused. Other code reached 41.9 / 27.6 (total / tail) on long_tail.
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
    tail = dataset.where("long_tail", "1") & (dataset.split == "train")
    counts = dataset.labels.rows(tail).counts  # head, medium and tail as in the recipes
    test = np.flatnonzero(dataset.split == "test")
    rows = []
    for name, train in (("long_tail", np.flatnonzero(tail)), ("full", np.flatnonzero(dataset.split == "train"))):
        for features, scaler in (
            ("as they are", StandardScaler(with_mean=False, with_std=False)),
            ("z-scored", StandardScaler()),
        ):
            started = time.monotonic()
            scaler.fit(cached.pooled(train))
            model = OneVsRestClassifier(LogisticRegression(max_iter=200))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(scaler.transform(cached.pooled(train)), dataset.labels.rows(train).present.astype(int))
            numbers = evaluate(
                model.decision_function(scaler.transform(cached.pooled(test))), dataset.labels.rows(test).state,
                names=dataset.labels.names, train_counts=counts, settings=Settings(resamples=0),
            )  # fmt: skip
            keys = ("map", "map_head", "map_medium", "map_tail")
            row = {"data": name, "features": features, **{k: round(numbers[k], 5) for k in keys}}
            rows.append({**row, "seconds": round(time.monotonic() - started)})
            print(rows[-1])
    write(Path(__file__).parent / "results" / "sklearn_ovr.csv", rows)


if __name__ == "__main__":
    main()
