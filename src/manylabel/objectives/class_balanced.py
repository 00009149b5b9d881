"""Class-balanced loss."""

import math

import torch
from torch import Tensor

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.objectives import check, class_counts
from manylabel.objectives.focal import of_margin


def class_balanced(
    scores: Tensor,
    labels: Tensor,
    *,
    counts: Tensor,
    beta: float = 0.9,
    gamma: float = 2.0,
    per_image: bool = False,
) -> Tensor:
    """Class-balanced focal loss (Cui et al., CVPR 2019, eq. 12): w_c (1 - p_t)^gamma (-log p_t), one value per cell.

    w_c is proportional to 1 / E_c with the effective number of samples E_c = (1 - beta^n_c) / (1 - beta), and is
    scaled to average 1 over the classes. A class without training positives counts as seen once.

    Arguments:
        scores: (B, C) logits.
        labels: (B, C) int8 of ABSENT, UNKNOWN, PRESENT.
        counts: (C,) training positives n_c.
        beta: in [0, 1): 0 weighs all classes alike, towards 1 by inverse frequency. Cui et al. try 0.9 to 0.9999;
            0.9 is what Wu et al. (ECCV 2020) use on long-tailed multi-label data.
        gamma: focusing exponent, at least 0; 0 gives class-balanced cross-entropy.
        per_image: False weighs each cell by its class ("by_class" in Wu et al.'s code), True weighs a whole image
            by the mean weight of its positives ("average_w" there), 1 where it has none.

    Returns:
        (B, C), unreduced; 0 where the label is unknown.

    >>> labels = torch.tensor([[1, 1, -1]], dtype=torch.int8)
    >>> class_balanced(torch.zeros(1, 3), labels, counts=torch.tensor([100, 10, 1]), gamma=0.0)
    tensor([[0.1659, 0.2547, 1.6589]])
    """
    scores = check(scores, labels)
    weight = class_weights(class_counts(counts, scores), beta)  # (C,)
    if per_image:
        present = labels == PRESENT
        mean = (present * weight).sum(1, keepdim=True) / present.sum(1, keepdim=True).clamp(min=1)
        weight = torch.where(present.any(1, keepdim=True), mean, 1.0)  # (B, 1)
    return weight * of_margin(labels * scores, gamma) * (labels != UNKNOWN)


def class_weights(counts: Tensor, beta: float) -> Tensor:
    """(C,) inverse effective numbers of samples, scaled to average 1."""
    if not 0 <= beta < 1:
        raise ManylabelError(f"beta must be in [0, 1), got {beta}")
    # 1 - beta^n through expm1, exact for beta near 1; beta 0 is the limit 1 - 0^n = 1.
    effective = -torch.expm1(counts * math.log(beta)) if beta else torch.ones_like(counts)
    return (1 / effective) / (1 / effective).mean()
