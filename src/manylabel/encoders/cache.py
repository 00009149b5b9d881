"""Frozen features, computed once: `encode` reads photographs and keeps what an encoder makes of them on disk."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from manylabel import progress as bars
from manylabel.data.images import DamagedImage, decode, image_bytes, to_array
from manylabel.encoders import Encoder
from manylabel.encoders.inference import for_inference
from manylabel.encoders.store import HASH_BYTES, Rows, Shape, Store, Writer, is_full, read_shape, write_shape
from manylabel.labels import ManylabelError
from manylabel.parts.batch import Features

HALF_MAX = 65504.0


@dataclass(eq=False)
class Cached:
    """Features of N images, in the order of the paths they were asked for.

    Arguments:
        size: (h, w) of the grid, or None where the encoder gives only pooled vectors.
        width: D.
        ok: (N,) whether the image has features.
        errors: row -> why it has none.
        found: how many rows were in the cache already.
    """

    size: tuple[int, int] | None
    width: int
    ok: NDArray[np.bool_]
    errors: dict[int, str]
    found: int
    data: Rows = field(repr=False)

    def __len__(self) -> int:
        return len(self.ok)

    def pooled(self, rows: ArrayLike) -> NDArray[np.float32]:
        """(n, D) float32 of `rows` (integers or a boolean mask)."""
        return self.data.gather("pooled", self._checked(rows))

    def grid(self, rows: ArrayLike) -> NDArray[np.float32]:
        """(n, P, D) float32 of `rows`, patches row by row."""
        if self.size is None:
            raise ManylabelError("this encoder gives one pooled vector per image and no grid; use a pooled method")
        return self.data.gather("grid", self._checked(rows))

    def _checked(self, rows: ArrayLike) -> NDArray[np.int64]:
        index = np.atleast_1d(np.asarray(rows))
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        if not self.ok[index].all():
            row = int(index[~self.ok[index]][0])
            raise ManylabelError(f"row {row} has no features: {self.errors[row]}; choose rows where `ok` is true")
        return index


def encode(
    paths: Sequence[str | Path],
    encoder: Encoder,
    *,
    folder: str | Path | None = None,
    batch_size: int | None = None,
    progress: bool = True,
    precision: str = "float32",
) -> Cached:
    """Features of the photographs at `paths`, from the cache where they are there and computed where not.

    A row is found by the encoder's key, the precision and the image's own bytes: names, order and data set do not
    matter, and identical images are stored once. A run that was killed goes on where it stopped. A damaged image is
    reported in `errors` and never replaced. On a machine with CUDA the encoder runs there.

    Arguments:
        paths: N image files.
        folder: of the cache; None takes the variable MANYLABEL_CACHE, else ~/.cache/manylabel.
        batch_size: images per forward pass, by default 4, and 64 on CUDA; it changes no result beyond rounding.
        progress: whether to show a bar with rate and time left (on stderr).
        precision: "float32" or "bfloat16" of the forward pass. Features are stored as float16.

    Raises:
        ManylabelError: if the disk is full, or a feature does not fit float16. Finished rows are kept.
    """
    files = [Path(p) for p in paths]
    with single_threads() as threads:
        runner = Runner(encoder, precision, threads)
        store = runner.store(Path(folder) if folder else default_folder())
        hashes, errors = hash_all(files, threads, progress=progress)
        found = sum(h in store.index for h in hashes)
        missing: dict[str, Path] = {}
        for h, file in zip(hashes, files, strict=True):
            if h and h not in store.index:
                missing.setdefault(h, file)
        if missing:
            bad = fill(store, runner, missing, batch_size or (64 if runner.device == "cuda" else 4), progress=progress)
            errors |= {row: bad[h] for row, h in enumerate(hashes) if h in bad}
            store.refresh()
    rows = store.rows(hashes)
    return Cached(store.shape.size, encoder.width, rows.place[:, 0] >= 0, errors, found, rows)


@contextmanager
def single_threads() -> Generator[int, None, None]:
    """Let every thread compute alone, and give how many torch had, which is how many batches then run side by side.

    Whole batches side by side beat one batch spread over the threads: nothing waits at the end of each layer, small
    batches stay in a core's cache, and decoding (Pillow releases the GIL) fills the gaps by itself.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def default_folder() -> Path:
    """MANYLABEL_CACHE, or ~/.cache/manylabel."""
    return Path(os.environ.get("MANYLABEL_CACHE") or Path.home() / ".cache" / "manylabel")


def hash_all(files: Sequence[Path], threads: int, *, progress: bool) -> tuple[list[str], dict[int, str]]:
    """The blake2 hash of each file's bytes, "" and a reason where it cannot be read."""
    hashes, errors = [], {}
    with (
        ThreadPoolExecutor(threads) as pool,
        bars.bar("looking up images", len(files), shown=progress) as advance,
    ):
        for row, (h, reason) in enumerate(pool.map(hash_file, files)):
            hashes.append(h)
            if not h:
                errors[row] = reason
            advance(1, "")
    return hashes, errors


def hash_file(file: Path) -> tuple[str, str]:
    """(hash, "") or ("", why not)."""
    try:
        return digest(image_bytes(file)), ""
    except OSError as error:
        return "", f"{file}: {error.strerror or error}"


def digest(data: bytes) -> str:
    """The name of an image in the cache."""
    return hashlib.blake2b(data, digest_size=HASH_BYTES).hexdigest()


class Runner:
    """An encoder made ready to run: a frozen folded copy, and the key its features are stored under."""

    def __init__(self, encoder: Encoder, precision: str, threads: int = 1) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.encoder, self.precision, self.threads = encoder, precision, threads
        self.image_size, self.resize = encoder.image_size, encoder.resize
        self.key = f"{encoder.key}-{precision}"
        self.about = {"encoder": encoder.name, "image_size": encoder.image_size, "resize": encoder.resize}
        self.label = re.sub(r"[^\w.-]+", "_", Path(encoder.name).name)

    @cached_property
    def model(self) -> Encoder:
        """The copy, made only once something has to be computed."""
        return for_inference(self.encoder, self.precision, device=self.device)

    def store(self, folder: Path) -> Store:
        """The store of this encoder's features under `folder`, made on first use."""
        here = folder / f"{self.label}-{self.image_size}-{self.key}"
        try:
            shape = read_shape(here)
            if shape is None:
                shape = self.shape()
                write_shape(here, shape, self.about | {"key": self.key})
        except OSError as error:
            raise ManylabelError(
                f"the feature cache cannot be written at {here}: {error.strerror or error};"
                " set MANYLABEL_CACHE to a folder you may write to"
            ) from error
        return Store(here, shape)

    def shape(self) -> Shape:
        """What the encoder makes of one black image."""
        features = self.features([np.zeros((self.image_size, self.image_size, 3), np.uint8)])
        return Shape(features.size if features.grid is not None else None, features.pooled.shape[1])

    def image(self, file: Path, expected: str) -> NDArray[np.uint8]:
        """One image as (S, S, 3) uint8; refused if its bytes are no longer those that were hashed."""
        try:
            data = image_bytes(file)
        except OSError:
            data = b""
        if digest(data) != expected:
            raise DamagedImage(f"{file}: the file changed while images were encoded; run again")
        return to_array(decode(data, file, at_least=self.image_size), self.image_size, resize=self.resize)

    def features(self, images: Sequence[NDArray[np.uint8]]) -> Features:
        """Features of images (S, S, 3), on the CPU, in the network's precision."""
        with torch.inference_mode():
            stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, S, S), channels last
            features = self.model(stacked.to(self.device))
        grid = None if features.grid is None else features.grid.cpu()
        return Features(grid, features.pooled.cpu(), features.size)


@dataclass(frozen=True)
class Batch:
    """What one worker made of some files: rows for the hashes that worked, a reason for those that did not."""

    hashes: list[str]
    rows: tuple[torch.Tensor | None, torch.Tensor] | None
    bad: dict[str, str]


def work(runner: Runner, jobs: Sequence[tuple[str, Path]]) -> Batch:
    """Read, decode and encode some files (hash, path)."""
    images, bad = {}, {}
    for h, file in jobs:
        try:
            images[h] = runner.image(file, h)
        except DamagedImage as error:
            bad[h] = str(error)
    if not images:
        return Batch([], None, bad)
    files = dict(jobs)
    features = runner.features(list(images.values()))
    return Batch(list(images), to_half(features, [files[h] for h in images]), bad)


def fill(store: Store, runner: Runner, jobs: dict[str, Path], batch_size: int, *, progress: bool) -> dict[str, str]:
    """Compute and write the rows of `jobs` (hash -> file); hash -> reason for those that cannot be."""
    store.check_space(len(jobs))
    bad: dict[str, str] = {}
    writer = Writer(store)
    try:
        with (
            bars.bar("encoding", len(jobs), shown=progress) as advance,
            closing(writer),  # also on Ctrl-C
            closing(in_threads(runner, list(jobs.items()), batch_size)) as batches,
        ):
            for batch in batches:
                bad |= batch.bad
                if batch.rows:
                    writer.append(batch.hashes, *batch.rows)
                advance(len(batch.hashes) + len(batch.bad), "")
    except OSError as error:
        if not is_full(error):
            raise
        raise store.no_space(len(jobs) - writer.rows - len(bad)) from error
    return bad


def in_threads(runner: Runner, jobs: list[tuple[str, Path]], batch_size: int) -> Generator[Batch, None, None]:
    """`work` on batches, `runner.threads` of them at once, each with one thread of torch's own."""
    pool = ThreadPoolExecutor(runner.threads, initializer=torch.set_num_threads, initargs=(1,))
    todo = iter([jobs[i : i + batch_size] for i in range(0, len(jobs), batch_size)])
    try:
        running = deque(pool.submit(work, runner, some) for some in itertools.islice(todo, 4 * runner.threads))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(work, runner, some) for some in itertools.islice(todo, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def to_half(features: Features, files: Sequence[Path]) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Grid and pooled as float16, or an error naming the image: an infinity would be served for ever after."""
    for values in (features.grid, features.pooled):
        if values is None or (values.min() >= -HALF_MAX and values.max() <= HALF_MAX):  # NaN fails as well
            continue
        worst = values.float().flatten(1).abs().nan_to_num(nan=torch.inf).amax(1)
        file = files[int((worst > HALF_MAX).int().argmax())]
        raise ManylabelError(
            f"the encoder gave a feature of {worst.max():.3g} for {file}, beyond what the float16 cache holds"
            f" ({HALF_MAX:.0f}); are the precision and the normalisation right for these weights?"
        )
    return None if features.grid is None else features.grid.half(), features.pooled.half()
