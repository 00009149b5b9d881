"""Asymmetric loss."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from manylabel.labels import ABSENT, PRESENT, ManylabelError
from manylabel.objectives import check


def asl(
    scores: Tensor,
    labels: Tensor,
    *,
    gamma_negative: float = 4.0,
    gamma_positive: float = 0.0,
    clip: float = 0.05,
    detach: bool = True,
) -> Tensor:
    """Asymmetric loss (Ridnik et al., ICCV 2021, eq. 4-7), one value per cell.

    A positive costs -(1 - p)^gamma_positive log p, a negative -p_m^gamma_negative log(1 - p_m) with the shifted
    probability p_m = max(p - clip, 0): a negative below `clip` costs nothing. `asl(0, 0, 0)` is `bce`.

    The published code sums over all cells where CPRFL and this library take the mean, and clamps its logarithms
    at 1e-8. This is the exact form: it equals the published one wherever that clamp is inactive. A positive below
    logit -18.4 (or, without clip, a negative above 18.4) costs there at most 18.4 and gives, weight detached,
    no gradient; here its cost and its gradient keep growing as the equations say.

    Arguments:
        scores: (B, C) logits.
        labels: (B, C) int8 of ABSENT, UNKNOWN, PRESENT.
        gamma_negative, gamma_positive: focusing exponents, at least 0 (paper: gamma- 4, gamma+ 0).
        clip: probability shift m in [0, 1).
        detach: no gradient through the focusing weight, as CPRFL and the published class train; False follows
            the equations' full derivative.

    Returns:
        (B, C), unreduced; 0 where the label is unknown.

    >>> labels = torch.tensor([[1, -1, -1, 0]], dtype=torch.int8)
    >>> asl(torch.tensor([[0.0, 2.0, -3.0, 1.0]]), labels)
    tensor([[0.6931, 0.8464, 0.0000, 0.0000]])
    """
    scores = check(scores, labels)
    if min(gamma_negative, gamma_positive) < 0 or not 0 <= clip < 1:
        raise ManylabelError(
            "gamma_negative and gamma_positive must be at least 0 and clip in [0, 1),"
            f" got {gamma_negative}, {gamma_positive} and {clip}"
        )
    weight = torch.exp(gamma_positive * logsigmoid(-scores))
    positive = -(weight.detach() if detach else weight) * logsigmoid(scores)
    negative = _negative(scores, gamma_negative, clip, detach)
    return torch.where(labels == PRESENT, positive, torch.where(labels == ABSENT, negative, 0.0))


def _negative(scores: Tensor, gamma: float, clip: float, detach: bool) -> Tensor:
    """-p_m^gamma log(1 - p_m), in log space where no clip keeps 1 - p_m away from 0."""
    if clip == 0:
        weight, log_absent = torch.exp(gamma * logsigmoid(scores)), logsigmoid(-scores)
    else:
        above = torch.sigmoid(scores) > clip
        # Cells below the clip cost 0; the stand-in 0.5 keeps NaN out of the backward pass of their unused branch.
        shifted = torch.where(above, torch.sigmoid(scores) - clip, 0.5)  # p_m
        weight, log_absent = shifted**gamma * above, torch.log1p(-shifted)
    return -(weight.detach() if detach else weight) * log_absent
