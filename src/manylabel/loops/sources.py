"""Where batches come from: features encoded once, or images decoded and augmented each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manylabel.data.augment import Augment
from manylabel.data.images import read_image, to_array
from manylabel.encoders import Encoder
from manylabel.encoders.cache import Cached
from manylabel.parts.batch import Batch, Features


class Source(Protocol):
    """Rows with labels, as a method and a loop read them."""

    labels: Tensor
    """(N, C) int8."""

    def __len__(self) -> int: ...

    def batch(self, index: NDArray[np.int64], epoch: int) -> Batch:
        """The rows of `index`; `epoch` seeds augmentation, where there is any."""
        ...

    def pooled(self) -> Tensor:
        """(N, D) pooled features without augmentation."""
        ...


class FeatureSource:
    """Rows of the feature cache.

    Arguments:
        cached: features of a data set's images.
        rows: (N,) which of them.
        labels: (N, C) int8.
        grid: whether batches carry the patch vectors too.
    """

    def __init__(self, cached: Cached, rows: NDArray[np.int64], labels: NDArray[np.int8], *, grid: bool = True):
        self.cached, self.rows, self.grid = cached, np.asarray(rows), grid
        self.labels = torch.from_numpy(np.ascontiguousarray(labels))

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: NDArray[np.int64], epoch: int = 0) -> Batch:
        rows = self.rows[index]
        grid = torch.from_numpy(self.cached.grid(rows)) if self.grid else None
        features = Features(grid, torch.from_numpy(self.cached.pooled(rows)), self.cached.size)
        where = torch.from_numpy(np.asarray(index))
        return Batch(features, self.labels[where], where)

    def pooled(self) -> Tensor:
        return torch.from_numpy(self.cached.pooled(self.rows))


class ArraySource:
    """Features in memory.

    Arguments:
        features: of N rows.
        labels: (N, C) int8.
    """

    def __init__(self, features: Features, labels: NDArray[np.int8]) -> None:
        self.features, self.labels = features, torch.from_numpy(np.ascontiguousarray(labels))

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: NDArray[np.int64], epoch: int = 0) -> Batch:
        where, grid = torch.from_numpy(np.asarray(index)), self.features.grid
        some = Features(None if grid is None else grid[where], self.features.pooled[where], self.features.size)
        return Batch(some, self.labels[where], where)

    def pooled(self) -> Tensor:
        return self.features.pooled


class ImageSource:
    """Images read from disk, for training the encoder too.

    Arguments:
        paths: N image files.
        labels: (N, C) int8.
        encoder: gives size and resize rule, and the pooled features where they are asked for.
        augment: applied to every image, or None for the plain resize.
        seed: an image's augmentation depends on the seed, the epoch and its row alone, not on the order of work.
    """

    def __init__(
        self, paths: Sequence[Path], labels: NDArray[np.int8], encoder: Encoder, *,
        augment: Augment | None = None, seed: int = 0, workers: int = 2,
    ) -> None:  # fmt: skip
        self.paths, self.encoder, self.augment, self.seed = paths, encoder, augment, seed
        self.labels = torch.from_numpy(np.ascontiguousarray(labels))
        self.pool = ThreadPoolExecutor(workers)

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, index: NDArray[np.int64], epoch: int = 0) -> Batch:
        where = torch.from_numpy(np.asarray(index))
        arrays = list(self.pool.map(lambda row: self._image(int(row), epoch), index))
        images = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()  # (B, 3, H, W) uint8
        return Batch(images, self.labels[where], where)

    def _image(self, row: int, epoch: int) -> NDArray[np.uint8]:
        image = read_image(self.paths[row])
        if self.augment is None:
            return to_array(image, self.encoder.image_size, resize=self.encoder.resize)
        rng = np.random.default_rng((self.seed, epoch, row))
        return self.augment(image, self.encoder.image_size, rng)

    @torch.no_grad()
    def pooled(self) -> Tensor:
        plain = ImageSource(self.paths, self.labels.numpy(), self.encoder)
        was = self.encoder.training
        self.encoder.eval()
        device = next(self.encoder.parameters()).device
        parts = [self.encoder(plain.batch(i).inputs.to(device)).pooled.cpu() for i in chunks(len(self), 32)]  # type: ignore[union-attr]
        self.encoder.train(was)
        return torch.cat(parts)


def chunks(count: int, size: int) -> list[NDArray[np.int64]]:
    """0..count-1 in order, `size` at a time, the last one ragged."""
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def shuffled(count: int, size: int, *, seed: int, epoch: int, rank: int = 0, world: int = 1) -> list[NDArray[np.int64]]:
    """One rank's batches of one epoch: all rows in an order that depends on seed and epoch alone.

    Every rank gets the same number of batches, of the same sizes: where the rows do not divide evenly, the
    first of the order come again at the end.
    """
    order = np.random.default_rng((seed, epoch)).permutation(count)
    if world > 1:
        order = np.resize(order, -(-count // world) * world)[rank::world]
    return [order[i] for i in chunks(len(order), size)]


def prefetched(source: Source, batches: Sequence[NDArray[np.int64]], epoch: int, *, ahead: int = 2) -> Iterator[Batch]:
    """The batches in order, the next `ahead` of them read in a thread while the caller computes."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(source.batch, index, epoch) for index in batches[:ahead]]
        for number in range(len(batches)):
            if number + ahead < len(batches):
                waiting.append(pool.submit(source.batch, batches[number + ahead], epoch))
            yield waiting.pop(0).result()
