"""What is learnt from the scores of images that were not trained on: how good they are, their scale, and their sum."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from manylabel.decisions.platt import Platt
from manylabel.labels import ABSENT, PRESENT, UNKNOWN
from manylabel.metrics import average_precision


def filled(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, C) targets 1 and 0, and for unknown cells the class's share of positives."""
    present, known = labels == PRESENT, labels != UNKNOWN
    prior = present.sum(0) / known.sum(0).clamp(min=1)
    return torch.where(known, present.to(dtype), prior.to(dtype))


def mean_ap(scores: Tensor, labels: Tensor) -> float:
    """mAP over the classes that have one; NaN where none has."""
    ap = average_precision(scores.numpy(), labels.numpy())
    return float(np.mean(ap[~np.isnan(ap)])) if (~np.isnan(ap)).any() else math.nan


def logit_scale(predictions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes above 0 and shifts (C,) that turn predictions into logits; 1 and 0 where labels are of one kind only."""
    ones = torch.ones(labels.shape[1], dtype=predictions.dtype)
    if not ((labels == PRESENT).any() and (labels == ABSENT).any()):
        return ones, torch.zeros_like(ones)
    platt = Platt().fit(predictions.numpy(), labels.numpy())
    return 1 / torch.from_numpy(platt.temperatures), torch.from_numpy(platt.biases)


def select(scores: Tensor, labels: Tensor, rounds: int) -> tuple[Tensor, float]:
    """Weights (K,) that sum to 1, and the mAP of the weighted sum (Caruana et al., ICML 2004).

    Each round adds the system, again and again if need be, with which the sum so far has the largest mAP; of the
    sums met on the way the best is returned, the shortest of equals. So no system alone is better.

    Arguments:
        scores: (K, N, C) on a common scale.
        labels: (N, C) int8 with a known positive.
        rounds: additions, at least 1.
    """
    counts, total = torch.zeros(len(scores)), torch.zeros_like(scores[0])
    weights, best = counts, -math.inf
    for number in range(1, rounds + 1):
        values = [mean_ap(total + scores[k], labels) for k in range(len(scores))]
        k = max(range(len(scores)), key=values.__getitem__)
        counts[k] += 1
        total += scores[k]
        if values[k] > best:
            weights, best = counts / number, values[k]
    return weights, best
