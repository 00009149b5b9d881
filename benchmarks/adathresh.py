"""Thresholds that follow rarity and neighbours against one a class, on CLIP's scores of 5,640 photographs of VOC 2012.

    python benchmarks/adathresh.py

Macro F1 of the half that nothing was fitted on, 20 splits, every rule on the same ones; writes
benchmarks/results/adathresh.csv with the paired difference to the F1 cuts of each class. Neighbours are found by the
score rows, so no rule sees more of a new image than its scores; yet the adaptive ones also see the other half's labels
image by image, which per-class cuts do not. "neighbours alone" shows how far those labels go without the score, and
"lambda = 1" how far the score goes without them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_scores import FILE, halves
from manylabel.decisions._neighbours import local_share, nearest, prevalence
from manylabel.decisions.adathresh import Adathresh
from manylabel.decisions.f1 import F1
from manylabel.decisions.platt import Platt
from manylabel.metrics import count
from recipes import ROOT
from results import write

SPLITS = 20
BASE = "per class, F1 cuts"

Array = NDArray[np.float64]
Labels = NDArray[np.int8]
Rule = Callable[[Array, Labels, Array], NDArray[np.bool_]]
"""From the scores and labels of one half and the scores of the other to its decisions."""


def fixed(a: Array, y: Labels, b: Array) -> NDArray[np.bool_]:
    pooled = Platt().fit(a.reshape(-1, 1), y.reshape(-1, 1))
    return pooled(b.reshape(-1, 1)).reshape(b.shape) >= 0.5


def one(a: Array, y: Labels, b: Array) -> NDArray[np.bool_]:
    return b >= F1().fit(a.reshape(-1, 1), y.reshape(-1, 1)).thresholds[0]


def neighbours_alone(a: Array, y: Labels, b: Array) -> NDArray[np.bool_]:
    own = local_share(y, nearest(a), prevalence(y))
    return F1().fit(own, y)(local_share(y, nearest(a, b), prevalence(y)))


def adaptive(**options: Any) -> Rule:
    return lambda a, y, b: Adathresh(**options).fit(a, y)(b)


RULES: dict[str, Rule] = {
    "fixed 0.5 of one calibrated sigmoid": fixed,
    "fixed 0.5 calibrated per class": lambda a, y, b: Platt().fit(a, y)(b) >= 0.5,
    "one threshold, F1 cut": one,
    BASE: lambda a, y, b: F1().fit(a, y)(b),
    "per class, F1 cuts, smoothing 100": lambda a, y, b: F1(smoothing=100).fit(a, y)(b),
    "per class, F1 cuts of the neighbours alone": neighbours_alone,
    "adathresh": adaptive(),
    "adathresh, positive weight 1": adaptive(positive_weight=1.0),
    "adathresh, positive weight 10": adaptive(positive_weight=10.0),
    "adathresh, lambda = 1 (no neighbours)": adaptive(share=1.0),
    "adathresh, lambda = 0 (no rarity)": adaptive(share=0.0),
    "adathresh as in the paper: row scale, positive weight 10": adaptive(scale="row", positive_weight=10.0),
}


def main() -> None:
    if not FILE.exists():
        sys.exit(f"the bench needs {FILE}, which is not here")
    with np.load(FILE) as file:
        labels = np.where(file["y"] > 0, 1, -1).astype(np.int8)
        scores = (file["cos_global"].astype(np.float64) + file["cos_tilemax"].astype(np.float64)) / 2
    found: dict[str, list[float]] = {name: [] for name in RULES}
    for number, (a, b) in enumerate(halves(len(labels), SPLITS), start=1):
        for name, rule in RULES.items():
            found[name].append(float(np.nanmean(count(rule(scores[a], labels[a], scores[b]), labels[b]).f1)))
        print(f"split {number} of {SPLITS}", flush=True)
    rows = [told(name, np.array(values), np.array(found[BASE])) for name, values in found.items()]
    write(ROOT / "benchmarks" / "results" / "adathresh.csv", rows)


def told(name: str, values: Array, base: Array) -> dict[str, Any]:
    gain = values - base
    row = {
        "measure": "macro F1", "rule": name, "splits": len(values), "mean": round(float(values.mean()), 4),
        "sd": round(float(values.std(ddof=1)), 4), f"less {BASE}": round(float(gain.mean()), 4),
        "sd of that": round(float(gain.std(ddof=1)), 4), "splits won": int((gain > 0).sum()),
    }  # fmt: skip
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
