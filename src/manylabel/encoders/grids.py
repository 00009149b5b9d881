"""What networks return, a map or a row of tokens, as `Features`; and weights that must come from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from manylabel.labels import ManylabelError
from manylabel.parts.batch import Features


def from_map(x: Tensor, pooled: Tensor | None = None) -> Features:
    """Features of a map (B, D, h, w); pooled by its mean unless `pooled` (B, D) is given."""
    return from_tokens(x.flatten(2).transpose(1, 2), pooled, (x.shape[2], x.shape[3]))


def from_tokens(tokens: Tensor, pooled: Tensor | None = None, size: tuple[int, int] | None = None) -> Features:
    """Features of patch tokens (B, P, D), a square of patches unless `size` says otherwise.

    A `pooled` of another width than the grid's is left for the grid's mean: methods expect one width.
    """
    if size is None:
        side = math.isqrt(tokens.shape[1])
        if side * side != tokens.shape[1]:
            raise ManylabelError(f"the encoder gives {tokens.shape[1]} patch vectors, which are no square grid")
        size = (side, side)
    if pooled is None or pooled.shape[-1] != tokens.shape[2]:
        pooled = tokens.mean(1, dtype=torch.float32)
    return Features(tokens, pooled, size)


def width_of(network: nn.Module, image_size: int) -> int:
    """D, found by running one black image."""
    with torch.no_grad():
        return network.eval()(torch.zeros(1, 3, image_size, image_size)).pooled.shape[1]


@contextmanager
def weights_of(name: str) -> Iterator[None]:
    """Whatever a library raises while it fetches weights becomes one clear error.

    Raises:
        ManylabelError: naming the encoder, the library's reason, and the ways out.
    """
    try:
        yield
    except ManylabelError:
        raise
    except Exception as error:  # every hub client and library version raises errors of its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ManylabelError(
            f"encoder {name!r} could not be loaded: {reason}. Its weights are fetched over the network on first use;"
            " without one, give a local file or folder, or use efficientnet_lite0, which is installed with manylabel"
        ) from error
