"""What patches say for classes, asked of a model of torch: the method's own evidence, or the gradient's."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from manylabel.labels import ManylabelError
from manylabel.network import Network
from manylabel.parts.batch import Features

Maps = NDArray[np.float64]


def chosen(network: Network, features: Features) -> str:
    """What "auto" stands for: "own" where the method has evidence, else "gradient", else "occlusion"."""
    if not readable(network, features):
        return "occlusion"
    return "gradient" if network.head.evidence(features) is None else "own"


@torch.no_grad()
def features_of(network: Network, image: NDArray[np.uint8]) -> Features:
    """The features of one prepared image (S, S, 3): as the method reads them, a fine-tuned encoder's too."""
    return network.forward.features(torch.from_numpy(image[None].copy()))


@torch.no_grad()
def own(network: Network, features: Features) -> Maps:
    """(C, h, w) of the method's own evidence; ManylabelError where it has none."""
    check(network, features)
    evidence = network.head.evidence(features)  # (1, C, P)
    if evidence is None:
        raise ManylabelError("this method has no evidence of its own to show: take the kind gradient or occlusion")
    assert features.size is not None
    return evidence[0].double().unflatten(1, features.size).numpy()


def gradient(network: Network, features: Features, columns: list[int]) -> Maps:
    """(K, h, w): for each of the classes `columns` Grad-CAM on the grid (Selvaraju et al., ICCV 2017), not yet clipped.

        evidence_cp = sum_d g_pd * (1/P sum_q dz_c/dg_qd)

    The gradient is averaged over the patches q first. Taken at each patch alone it says little where the method
    normalises every patch: a patch that is made longer then changes nothing, and its product with its own gradient is
    nearly 0. Of methods that read nothing but the grid's mean the two are the same, and are class activation.
    """
    check(network, features)
    assert features.grid is not None
    assert features.size is not None
    with torch.inference_mode(False), torch.enable_grad():
        grid = features.grid.clone().requires_grad_(True)
        logits = network.head.scores(Features(grid, connected(features, grid), features.size))[0]
        maps = []
        for column in columns:
            (slope,) = torch.autograd.grad(logits[column], grid, retain_graph=True)  # (1, P, D)
            maps.append((grid.detach() @ slope.mean(1)[..., None])[0, :, 0].double().unflatten(0, features.size))
    return torch.stack(maps).numpy() if maps else np.zeros((0, *features.size))


def connected(features: Features, grid: torch.Tensor) -> torch.Tensor:
    """(1, D) the pooled vector as it is, with the gradient of the grid's mean where it is that mean."""
    pooled = features.pooled.clone()
    if not features.pooled_by_mean():
        return pooled
    mean = grid.mean(1)
    return pooled + mean - mean.detach()


def readable(network: Network, features: Features) -> bool:
    """Whether what the method reads can be led back to patches."""
    return features.grid is not None and (network.head.needs_grid or features.pooled_by_mean())


def check(network: Network, features: Features) -> None:
    """Raise ManylabelError where nothing leads back to patches."""
    if not readable(network, features):
        what = "gives no patches" if features.grid is None else "pools otherwise than by the mean of its patches"
        raise ManylabelError(
            f"encoder {network.encoder.name} {what}, and this method reads nothing but what is pooled: take the kind"
            " occlusion"
        )
