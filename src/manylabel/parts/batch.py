"""The three things that travel between data, encoder, method and loop: features, a batch, and the clock.

They are not frozen because Fabric rebuilds what passes a mixed-precision module; nobody changes them in place.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Features:
    """What an encoder makes of images, for any method.

    Arguments:
        grid: (B, P, D) patch vectors, row by row of the map, or None where only `pooled` was asked for.
        pooled: (B, D) one vector per image, by the encoder's own pooling.
        size: (h, w) with h * w = P, or None where the encoder has no map.
    """

    grid: Tensor | None
    pooled: Tensor
    size: tuple[int, int] | None

    def pooled_by_mean(self) -> bool:
        """Whether `pooled` is the mean of the grid, up to the rounding of half precision; some encoders pool a token of
        its own."""
        if self.grid is None:
            return False
        apart = (self.pooled - self.grid.mean(1)).abs().amax()
        return bool(apart <= 0.02 * self.pooled.abs().amax())


@dataclass
class Batch:
    """Some rows of the training set.

    Arguments:
        inputs: `Features`, or images (B, 3, H, W) where the encoder is trained too.
        labels: (B, C) int8 of ABSENT, UNKNOWN, PRESENT.
        index: (B,) int64 rows in the training set.
    """

    inputs: Features | Tensor
    labels: Tensor
    index: Tensor


@dataclass
class Clock:
    """Where training stands: `epoch` of `epochs`, optimiser `step` of `steps`, all counted from 0.

    >>> Clock(epoch=1, epochs=4, step=10, steps=40).progress
    0.25
    """

    epoch: int = 0
    epochs: int = 1
    step: int = 0
    steps: int = 1

    @property
    def progress(self) -> float:
        """Share of the steps already done, in [0, 1]."""
        return self.step / max(self.steps, 1)
