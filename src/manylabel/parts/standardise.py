"""Z-scores of pooled features, with statistics taken once from the training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardise(nn.Module):
    """(x - mean) / std per feature; statistics are 0 and 1 until `fit`. Constant features are centred only.

    Arguments:
        width: D.
        root: takes the signed square root sign(x) sqrt|x| first (the Hellinger map, which tames the long tail of
            activations: Perronnin et al., ECCV 2010).

    >>> z = Standardise(1, root=True)
    >>> z.fit(torch.tensor([[1.0], [9.0]]))
    >>> round(z(torch.tensor([[9.0]])).item(), 4)
    1.0
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int, *, root: bool = False) -> None:
        super().__init__()
        self.root = root
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def prepare(self, pooled: Tensor) -> Tensor:
        # x / sqrt(|x| + eps): the root with a gradient at 0, which an encoder under training needs
        return pooled / (pooled.abs() + 1e-6).sqrt() if self.root else pooled

    @torch.no_grad()
    def fit(self, pooled: Tensor) -> None:
        """Statistics of (N, D) training features (the population standard deviation)."""
        std, mean = torch.std_mean(self.prepare(pooled).double(), dim=0, correction=0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        return (self.prepare(pooled) - self.mean) / self.std
