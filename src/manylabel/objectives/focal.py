"""Focal loss."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.objectives import check


def focal(scores: Tensor, labels: Tensor, *, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017, eq. 5): -alpha_t (1 - p_t)^gamma log p_t, one value per cell.

    p_t is the probability given to what the cell holds. `focal(gamma=0)` is `bce`. Gradients flow through the
    focusing weight, as in the paper.

    Arguments:
        scores: (B, C) logits.
        labels: (B, C) int8 of ABSENT, UNKNOWN, PRESENT.
        gamma: focusing exponent, at least 0.
        alpha: weight of positives in [0, 1], negatives get 1 - alpha (0.25 in the paper's detector); None weighs
            both by 1. Some repositories multiply *all* cells by 0.25 instead: that only scales the loss.

    Returns:
        (B, C), unreduced; 0 where the label is unknown. Float32 for half-precision scores.

    >>> focal(torch.tensor([[0.0, 2.0]]), torch.tensor([[1, -1]], dtype=torch.int8), gamma=2.0)
    tensor([[0.1733, 1.6501]])
    """
    scores = check(scores, labels)
    if alpha is not None and not 0 <= alpha <= 1:
        raise ManylabelError(f"alpha must be in [0, 1] or None, got {alpha}")
    loss = of_margin(labels * scores, gamma) * (labels != UNKNOWN)
    return loss if alpha is None else loss * torch.where(labels == PRESENT, alpha, 1 - alpha)


def of_margin(margin: Tensor, gamma: float) -> Tensor:
    """-(1 - p_t)^gamma log p_t with p_t = sigmoid(margin), in log space."""
    if gamma < 0:
        raise ManylabelError(f"the focusing exponent gamma must be at least 0, got {gamma}")
    return -torch.exp(gamma * logsigmoid(-margin)) * logsigmoid(margin)
