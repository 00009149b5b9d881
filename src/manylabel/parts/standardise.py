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

    def shares(self, grid: Tensor, pooled: Tensor, weight: Tensor) -> Tensor:
        """(B, C, P): the linear score weight . z divided among the patches, of which `pooled` is the mean.

        Class activation (Zhou et al., CVPR 2016) behind the root and the z-score. With x_d the mean of the P values
        g_pd, the root is x_d / sqrt|x_d|, so each patch has a part in it as in the mean; the centring, a constant,
        falls on all patches alike:

            share_cp = 1/P sum_d w_cd / std_d * (g_pd / sqrt|x_d| - mean_d)

        The shares of a class sum to its score without the bias, exactly where `pooled` is exactly the mean.

        Arguments:
            grid: (B, P, D).
            pooled: (B, D).
            weight: (C, D) of the linear classifier, or (B, C, D) where each image has its own.
        """
        scale = ((pooled.abs() + 1e-6).rsqrt() if self.root else torch.ones_like(pooled)) / self.std  # (B, D)
        each = (weight * scale[:, None]) @ grid.transpose(1, 2)  # (B, C, P)
        return (each - (weight @ (self.mean / self.std))[..., None]) / grid.shape[1]
