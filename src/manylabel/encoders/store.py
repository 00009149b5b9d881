"""Rows of features on disk, found by the hash of the image they were made from; safe to kill at any moment.

A folder holds `meta.json` and shards. A shard is three files: `.grid` and `.pooled` hold the rows as float16, and
`.rows` is the journal, one hash a line. A row exists once its journal line is complete, and the line is
written only after the row's data has reached the disk; whatever lies behind the last complete line is ignored. The
journal's room is taken when the shard is opened, so that a disk full of rows can still say which are finished.
Every writer opens a shard of its own, so that processes cannot disturb one another and nothing is ever locked.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from manylabel.labels import ManylabelError

HASH_BYTES = 16
LINE = 2 * HASH_BYTES + 1
SHARD_BYTES, SHARD_ROWS = 2**30, 8192
ROWS_PER_SYNC = 64


@dataclass(frozen=True)
class Shape:
    """What a row is: a grid of `size` (h, w) or None, and vectors of `width`."""

    size: tuple[int, int] | None
    width: int

    @property
    def grid(self) -> tuple[int, int]:
        """(P, D) of a row's grid; P is 0 where there is none."""
        return (self.size[0] * self.size[1] if self.size else 0, self.width)

    @property
    def bytes(self) -> int:
        """Bytes of one row on disk, grid and pooled together."""
        return 2 * (self.grid[0] + 1) * self.width + LINE


class Shard:
    """One finished or still growing shard, read-only."""

    def __init__(self, stem: Path, shape: Shape) -> None:
        journal = stem.with_suffix(".rows").read_bytes()
        lines = journal.decode("ascii").split("\n")[:-1]
        sizes = [stem.with_suffix(s).stat().st_size for s in (".grid", ".pooled")]
        rows = min(len(lines), sizes[1] // (2 * shape.width))
        if shape.size:
            rows = min(rows, sizes[0] // (2 * shape.grid[0] * shape.width))
        self.hashes = lines[:rows]
        self.pooled = _mapped(stem.with_suffix(".pooled"), (rows, shape.width))
        self.grid = _mapped(stem.with_suffix(".grid"), (rows, *shape.grid))


def _mapped(path: Path, shape: tuple[int, ...]) -> torch.Tensor:
    if 0 in shape:
        return torch.empty(shape, dtype=torch.float16)
    # Copy-on-write, because torch refuses memory it could not write to; nothing here writes.
    return torch.from_numpy(np.memmap(path, np.float16, "c", shape=shape))


class Rows:
    """Chosen rows of a store, in the caller's order, gathered as float32."""

    def __init__(self, shards: Sequence[Shard], place: NDArray[np.int64], shape: Shape) -> None:
        self.shards, self.place, self.shape = shards, place, shape  # place (N, 2): shard and row in it

    def gather(self, what: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, …) float32 of the `grid` or `pooled` of `rows`."""
        shard, row = self.place[rows].T
        used = np.unique(shard)
        if len(used) == 1:
            return getattr(self.shards[used[0]], what)[torch.from_numpy(row.copy())].float().numpy()
        out = torch.empty((len(rows), *(self.shape.grid if what == "grid" else (self.shape.width,))))
        for s in used:
            here = np.flatnonzero(shard == s)
            out[torch.from_numpy(here)] = getattr(self.shards[s], what)[torch.from_numpy(row[here])].float()
        return out.numpy()


class Store:
    """The features that one encoder, at one precision, made of any images."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        self.folder, self.shape = folder, shape
        self.refresh()

    def refresh(self) -> None:
        """Read the journals again, those of other processes included."""
        stems = sorted(p.with_suffix("") for p in self.folder.glob("*.rows"))
        self.shards = [Shard(stem, self.shape) for stem in stems]
        self.index = {h: (s, r) for s, shard in enumerate(self.shards) for r, h in enumerate(shard.hashes)}

    def rows(self, hashes: Sequence[str]) -> Rows:
        """The rows of `hashes`; a hash that is not there (or is "") has place (-1, -1)."""
        place = [self.index.get(h, (-1, -1)) for h in hashes]
        return Rows(self.shards, np.array(place, np.int64).reshape(-1, 2), self.shape)

    def check_space(self, rows: int) -> None:
        """An error, before hours of work, if `rows` more rows cannot fit."""
        if rows * self.shape.bytes > shutil.disk_usage(self.folder).free:
            raise self.no_space(rows)

    def no_space(self, rows: int) -> ManylabelError:
        """The error of a full disk with `rows` rows still to write."""
        free = shutil.disk_usage(self.folder).free
        return ManylabelError(
            f"no space for the feature cache in {self.folder}: {rows} more images need"
            f" {rows * self.shape.bytes / 1e6:,.1f} MB and {free / 1e6:,.1f} MB are free. What is finished is kept:"
            " make room, or set MANYLABEL_CACHE to a folder on a larger disk, and run again"
        )


class Writer:
    """Appends rows to a shard of its own; `rows` counts those that are safe or soon will be."""

    def __init__(self, store: Store) -> None:
        self.store, self.rows = store, 0
        self.files: tuple[int, ...] = ()
        self.room, self.in_shard, self.waiting = 0, 0, b""

    def append(self, hashes: Sequence[str], grid: torch.Tensor | None, pooled: torch.Tensor) -> None:
        """Write rows (float16); their journal lines follow within 64 rows."""
        if not self.files or self.in_shard + len(hashes) > self.room:
            self._next_shard(len(hashes))
        if grid is not None:
            _write(self.files[0], _bytes(grid))
        _write(self.files[1], _bytes(pooled))
        self.waiting += "".join(f"{h}\n" for h in hashes).encode("ascii")
        self.rows += len(hashes)
        self.in_shard += len(hashes)
        if len(self.waiting) >= ROWS_PER_SYNC * LINE:
            self._commit()

    def close(self) -> None:
        """Make the rows so far safe and close the files."""
        try:
            self._commit()
        finally:
            for file in self.files:
                os.close(file)
            self.files = ()

    def _commit(self) -> None:
        if self.waiting:
            for file in self.files[:2]:
                os.fsync(file)
            lines, self.waiting = self.waiting, b""
            _write(self.files[2], lines)

    def _next_shard(self, at_least: int) -> None:
        self.close()
        stem = self.store.folder / uuid.uuid4().hex
        new = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        # The journal last: a shard that shows a journal has its other two files.
        self.files = tuple(os.open(stem.with_suffix(s), new, 0o666) for s in (".grid", ".pooled", ".rows"))
        self.in_shard = 0
        self.room = max(at_least, min(SHARD_ROWS, SHARD_BYTES // self.store.shape.bytes))
        _write(self.files[2], b" " * (self.room * LINE))
        os.lseek(self.files[2], 0, os.SEEK_SET)


def _bytes(rows: torch.Tensor) -> memoryview:
    return rows.contiguous().numpy().data.cast("B")


def _write(file: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:  # a nearly full disk takes a part and raises only at the next attempt
        view = view[os.write(file, view) :]


def is_full(error: OSError) -> bool:
    """Whether the system refused to write for want of space: disk full, quota, or file size limit."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def read_shape(folder: Path) -> Shape | None:
    """The shape in `meta.json`, or None for a new folder."""
    file = folder / "meta.json"
    if not file.exists():
        return None
    meta = json.loads(file.read_text())
    return Shape(tuple(meta["size"]) if meta["size"] else None, meta["width"])


def write_shape(folder: Path, shape: Shape, about: dict[str, object]) -> None:
    """Create the folder with its `meta.json`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{uuid.uuid4().hex}.tmp"
    draft.write_text(json.dumps({**about, "size": shape.size, "width": shape.width}, indent=1))
    os.replace(draft, folder / "meta.json")
