"""Out-of-sample probabilities from scores of either kind, as far as the labels allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.findings import calibratable, out_of_fold
from manylabel.decisions.platt import sigmoid

EDGE = 1e-7  # probabilities nearer to 0 and 1 have no logit worth the name


def probabilities(
    scores: NDArray[np.floating], labels: NDArray[np.int8], *, kind: str, anew: bool = False
) -> NDArray[np.floating]:
    """(N, C) in [0, 1]: logits calibrated out of fold, probabilities as they are or, with `anew`, calibrated too.

    Where positives or negatives are too few for `findings.out_of_fold`, logits become the plain sigmoid and
    probabilities stay.

    Arguments:
        scores: (N, C).
        labels: (N, C) int8, of which the known cells calibrate.
        kind: "logit" or "probability".

    >>> probabilities(np.array([[0.0], [2.0]]), np.array([[0], [1]], np.int8), kind="logit").round(2).tolist()
    [[0.5], [0.88]]
    """
    if kind == "probability" and not (anew and calibratable(labels)):
        return scores
    if not calibratable(labels):
        return sigmoid(np.asarray(scores, np.float64))
    if kind == "logit":
        return out_of_fold(scores, labels)
    p = np.clip(scores, EDGE, 1 - EDGE)
    return out_of_fold(np.log(p) - np.log1p(-p), labels)
