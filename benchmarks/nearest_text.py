"""Zero-shot baselines in closed form: what label text gives without any training loop.

    nearest    photo -> mean label vector of its labels, by ridge regression; score = cosine with the class's vector
    weights    label vector -> the class's ridge weights, by ridge regression over the trained classes (the two-sided
               regression of Romera-Paredes & Torr, ICML 2015, solved one side after the other)

Photos are pooled features, z-scored. Both give scores to any class that has a label vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from manylabel.labels import PRESENT
from manylabel.methods.ridge import solve_known
from manylabel.metrics import average_precision

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # penalty per training photo
LAMBDAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # penalty of the regression from label vectors, which have length 1


@dataclass(frozen=True)
class Photos:
    """Features x (N, D) float64, z-scored, and labels (N, K) int8 of the trained classes."""

    x: Tensor
    labels: Tensor


def mean_ap(scores: Tensor, labels: Tensor) -> float:
    """mAP over the classes with a known positive."""
    return float(np.nanmean(average_precision(scores.numpy(), labels.numpy())))


def nearest(train: Photos, val: Photos, text: Tensor, trained: NDArray[np.bool_], x: Tensor) -> tuple[Tensor, float]:
    """Cosines (N, C) of photos x (N, D) with label vectors (C, M), and mAP on `val`, on which the penalty is chosen.

    `trained` (C,) marks the classes of the labels' columns; photos without a label are left out.
    """
    present = (train.labels == PRESENT).double()
    some = present.any(1)
    target = present[some] @ text[trained] / present[some].sum(1, keepdim=True)  # (N, M)
    best = (-1.0, train.x[:0], train.x[:0])
    for weight, bias in solve_known(train.x[some], target, [a * int(some.sum()) for a in ALPHAS]):
        value = mean_ap(cosines(val.x @ weight.T + bias, text[trained]), val.labels)
        best = max(best, (value, weight, bias), key=lambda candidate: candidate[0])
    return cosines(x @ best[1].T + best[2], text), best[0]


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """(N, C) cosines between the rows of a (N, M) and of b (C, M)."""
    return F.normalize(a) @ F.normalize(b).T


def weights(train: Photos, val: Photos, text: Tensor, trained: NDArray[np.bool_], x: Tensor) -> tuple[Tensor, float]:
    """Scores (N, C) of photos x: trained classes by their own ridge weights, others by weights predicted from text.

    The ridge penalty is that of the best mAP on `val`. The regression from text is judged there too, each trained
    class scored by the weights that the other classes predict for it; this, too, asks nothing of untrained classes.
    Returns the former mAP beside the scores.
    """
    y = (train.labels == PRESENT).double()
    solved = [w for w, _ in solve_known(train.x, y, [a * len(y) for a in ALPHAS])]  # each (K, D)
    values = [mean_ap(val.x @ w.T, val.labels) for w in solved]
    own, known = solved[int(np.argmax(values))], text[trained]
    held_out = [mean_ap(val.x @ left_out(known, own, penalty).T, val.labels) for penalty in LAMBDAS]
    predicted = text @ regression(known, own, LAMBDAS[int(np.argmax(held_out))])  # (C, D)
    predicted[torch.from_numpy(trained)] = own
    return x @ predicted.T, max(values)


def regression(text: Tensor, own: Tensor, penalty: float) -> Tensor:
    """A (M, D) with text (K, M) @ A near own (K, D), through the K x K system: A = T' (T T' + penalty)^-1 W."""
    system = text @ text.T + penalty * torch.eye(len(text), dtype=text.dtype)
    return text.T @ torch.linalg.solve(system, own)


def left_out(text: Tensor, own: Tensor, penalty: float) -> Tensor:
    """(K, D) weights that the other classes predict for each: (h_c - H_cc w_c) / (1 - H_cc), H = T T' (T T' + p)^-1."""
    gram = text @ text.T
    hat = gram @ torch.linalg.inv(gram + penalty * torch.eye(len(text), dtype=text.dtype))
    own_share = hat.diagonal()[:, None]
    return (hat @ own - own_share * own) / (1 - own_share)
