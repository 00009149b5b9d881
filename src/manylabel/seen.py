"""What an estimator is given as X: photographs, which are encoded, or features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from manylabel import encoders
from manylabel.data.images import DamagedImage, to_array
from manylabel.encoders.cache import Cached, Runner, encode, single_threads, to_half
from manylabel.labels import LabelTable, ManylabelError
from manylabel.loops.sources import ArraySource, FeatureSource, Source
from manylabel.model import cores, opened
from manylabel.parts.batch import Features


@dataclass(frozen=True)
class Seen:
    """Features of N rows: grid (N, P, D) and pooled (N, D), and the encoder that made them of photographs.

    Where they are in the cache, `cached` has the grid too, and reads it as it is needed.
    """

    grid: torch.Tensor | None
    pooled: torch.Tensor
    size: tuple[int, int] | None = None
    encoder: encoders.Encoder | None = None
    cached: Cached | None = None

    def __len__(self) -> int:
        return len(self.pooled)

    @property
    def width(self) -> int:
        return self.pooled.shape[1]

    def features(self, rows: NDArray[np.int64]) -> Features:
        return Features(None if self.grid is None else self.grid[rows], self.pooled[rows], self.size)

    def source(self, rows: NDArray[np.int64], table: LabelTable, *, grid: bool) -> Source:
        """Those rows with their labels; `grid` says whether the method reads patches."""
        if self.cached is not None:
            return FeatureSource(self.cached, rows, table.state[rows], grid=grid)
        return ArraySource(self.features(rows), table.state[rows])

    def described(self) -> dict[str, Any]:
        """The section `encoder` of config.json."""
        if self.encoder is None:
            return {"name": None, "width": self.width}
        e = self.encoder
        return {"name": e.name, "image_size": e.image_size, "normalise": True, "flip": e.flip, "precision": "float32",
                "finetune": False, "key": e.key, "width": e.width}  # fmt: skip


def photos_of(X: Any) -> list[Any] | None:
    """The photographs of X, or None where X holds features."""
    if getattr(X, "ndim", None) == 4:
        return list(np.asarray(X))
    if getattr(X, "ndim", 1) != 1:
        return None
    rows = list(X) if hasattr(X, "__len__") and not isinstance(X, str | bytes | Path) else []
    kinds = (str, Path, bytes, Image.Image)
    if rows and all(isinstance(row, kinds) or (isinstance(row, np.ndarray) and row.ndim == 3) for row in rows):
        return rows
    return None


def holds_text(X: Any) -> bool:
    """Whether X, which is no list of photographs, is one path all the same, or a table with paths in it.

    >>> holds_text("a.jpg"), holds_text([["a.jpg"]]), holds_text([[1.0]])
    (True, True, False)
    """
    if isinstance(X, str | Path) or not hasattr(X, "__getitem__") or hasattr(X, "toarray"):
        return isinstance(X, str | Path)
    first = np.asarray(X[:1])
    return first.dtype.kind in "UO" and any(isinstance(one, str | Path) for one in first.flat)


def encoded(photos: list[Any], encoder: encoders.Encoder) -> Seen:
    """Features of photographs, rounded as the cache stores them; paths go through the cache."""
    if all(isinstance(photo, str | Path) for photo in photos):
        cached = encode(photos, encoder)
        if cached.errors:
            row, reason = min(cached.errors.items())
            raise ManylabelError(f"X, row {row}: {reason} ({len(cached.errors):,} such rows in all)")
        return Seen(None, torch.from_numpy(cached.pooled(np.arange(len(cached)))), cached.size, encoder, cached)
    runner, parts = Runner(encoder, "float32"), []
    with single_threads():
        torch.set_num_threads(cores())
        for start in range(0, len(photos), 8):
            some = range(start, min(start + 8, len(photos)))
            features = runner.features([_prepared(photos[row], row, encoder) for row in some])
            parts.append((*to_half(features, [Path(f"X, row {row}") for row in some]), features.size))
    grids = [grid for grid, _, _ in parts if grid is not None]
    return Seen(
        torch.cat(grids).float() if grids else None,
        torch.cat([pooled for _, pooled, _ in parts]).float(),
        parts[0][2],
        encoder,
    )


def _prepared(photo: Any, row: int, encoder: encoders.Encoder) -> NDArray[np.uint8]:
    try:
        return to_array(opened(photo, encoder.image_size), encoder.image_size, resize=encoder.resize)
    except DamagedImage as problem:
        raise ManylabelError(f"X, row {row}: {problem}") from None
