"""Distribution-balanced loss."""

import torch
from torch import Tensor

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.objectives import check, class_counts
from manylabel.objectives.focal import of_margin


def distribution_balanced(
    scores: Tensor,
    labels: Tensor,
    *,
    counts: Tensor,
    images: int,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.2,
    neg_scale: float = 2.0,
    init_bias: float = 0.05,
    gamma: float = 2.0,
    balance: float = 2.0,
) -> Tensor:
    """Distribution-balanced focal loss (Wu et al., ECCV 2020, eq. 8), one value per cell.

    Two ideas on top of the focal loss. *Re-balanced weighting* undoes the over-sampling that co-occurring labels
    cause: r = (1/n_c) / sum of 1/n_j over the image's positives j, smoothed to alpha + sigmoid(beta (r - mu)).
    *Negative-tolerant regularisation* shifts each score by its class prior, -log(N / n_c - 1) init_bias /
    neg_scale, and scales a negative's score by neg_scale and its loss by 1 / neg_scale.

    Defaults are the published constants for COCO-LT; VOC-LT uses mu 0.3 and neg_scale 5. An image without a
    positive takes the limit of the weight, alpha + 1. A class without training positives counts as seen once, one
    positive in every image as missing from one. The copy inside CPRFL's repository reduces to a scalar before
    weighting; that defect is not reproduced.

    Arguments:
        scores: (B, C) logits.
        labels: (B, C) int8 of ABSENT, UNKNOWN, PRESENT. Only positives enter the image's weight.
        counts: (C,) training positives n_c.
        images: N, number of training images, at least 2.
        alpha, beta, mu: the smoothing above (`mu` is called map gamma in the published code).
        neg_scale: lambda of the paper, above 0; 1 and `init_bias=0` switch the regularisation off.
        init_bias: kappa of the paper.
        gamma: focusing exponent; 0 gives the loss without focal part.
        balance: constant factor on everything, 2 in the published focal form and 1/2 in its form without.

    Returns:
        (B, C), unreduced; 0 where the label is unknown. The published training takes the mean.

    >>> labels = torch.tensor([[1, -1]], dtype=torch.int8)
    >>> distribution_balanced(torch.zeros(1, 2), labels, counts=torch.tensor([5, 50]), images=100)
    tensor([[0.4318, 0.0639]])
    """
    scores = check(scores, labels)
    if images < 2 or neg_scale <= 0:
        raise ManylabelError(f"images must be at least 2 and neg_scale above 0, got {images} and {neg_scale}")
    n = class_counts(counts, scores).clamp(max=images - 1)
    present = (labels == PRESENT).to(scores.dtype)
    over_sampling = (present / n).sum(1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
    share = (1 / n) / over_sampling  # r (B, C)
    weight = torch.sigmoid(beta * (share - mu)) + alpha

    scale = torch.where(labels == ABSENT, neg_scale, 1.0).to(scores.dtype)
    bias = -torch.log(images / n - 1) * init_bias / neg_scale  # (C,)
    loss = of_margin(labels * (scores + bias) * scale, gamma) / scale
    return balance * weight * loss * (labels != UNKNOWN)
