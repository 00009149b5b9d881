"""Mixup of features (Zhang et al., ICLR 2018; of hidden layers: Verma et al., ICML 2019)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from manylabel.labels import ManylabelError
from manylabel.parts.batch import Features


def check_mixup(alpha: float) -> None:
    """Raise ManylabelError for a parameter that no Beta distribution has."""
    if alpha < 0:
        raise ManylabelError(f"method.mixup is at least 0, got {alpha}")


def mixed_loss(
    loss: Callable[[Features], Callable[[Tensor], Tensor]], inputs: Features, labels: Tensor, alpha: float
) -> Tensor:
    """The loss of features of pairs of images, mixed with one share for the batch, on the labels of either.

    x = share x_i + (1 - share) x_j, and share L(x, y_i) + (1 - share) L(x, y_j), with share drawn from
    Beta(alpha, alpha) and j a random order of the batch. An unknown cell of either image stays unknown in its term.

    Arguments:
        loss: takes features and returns what takes labels (B, C) to a scalar, so that scores are computed once.
        inputs: patch and pooled features, both mixed.
        labels: (B, C) int8.
        alpha: 0 mixes nothing.
    """
    if not alpha:
        return loss(inputs)(labels)
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    other = torch.randperm(len(labels), device=labels.device)
    grid = None if inputs.grid is None else inputs.grid[other].lerp(inputs.grid, share)
    of_labels = loss(Features(grid, inputs.pooled[other].lerp(inputs.pooled, share), inputs.size))
    return share * of_labels(labels) + (1 - share) * of_labels(labels[other])
