"""Binary cross-entropy."""

from torch import Tensor
from torch.nn.functional import softplus

from manylabel.labels import UNKNOWN
from manylabel.objectives import check


def bce(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy on logits, one value per cell: -log p of a positive, -log(1 - p) of a negative.

    Arguments:
        scores: (B, C) logits.
        labels: (B, C) int8 of ABSENT, UNKNOWN, PRESENT.

    Returns:
        (B, C), unreduced; 0 where the label is unknown. Float32 for half-precision scores.

    >>> import torch
    >>> bce(torch.tensor([[0.0, 2.0, 5.0]]), torch.tensor([[1, -1, 0]], dtype=torch.int8))
    tensor([[0.6931, 2.1269, 0.0000]])
    """
    scores = check(scores, labels)
    return softplus(-labels * scores) * (labels != UNKNOWN)
