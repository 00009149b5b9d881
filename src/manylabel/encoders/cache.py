"""Frozen features, computed once: `encode` reads photographs and keeps what an encoder makes of them on disk."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from manylabel.encoders import Encoder
from manylabel.encoders.inference import for_inference
from manylabel.encoders.store import HASH_BYTES, Rows, Shape, Store, Writer, is_full, read_shape, write_shape
from manylabel.labels import ManylabelError

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
    batch_size: int = 32,
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
        batch_size: images per forward pass; it changes no result beyond rounding.
        progress: whether to show a bar with rate and time left (on stderr).
        precision: "float32" or "bfloat16" of the forward pass. Features are stored as float16.

    Raises:
        ManylabelError: if the disk is full, or a feature does not fit float16. Finished rows are kept.
    """
    files = [Path(p) for p in paths]
    place = Path(folder) if folder else default_folder()
    runner = Runner(encoder, precision)
    store = runner.store(place)
    hashes, errors = hash_all(files)
    missing: dict[str, int] = {}
    for row, h in enumerate(hashes):
        if h and h not in store.index:
            missing.setdefault(h, row)
    found = sum(h in store.index for h in hashes)
    if missing:
        bad = fill(store, runner, {h: files[row] for h, row in missing.items()}, batch_size, progress=progress)
        errors |= {row: bad[h] for row, h in enumerate(hashes) if h in bad}
        store.refresh()
    rows = store.rows(hashes)
    return Cached(store.shape.size, encoder.width, rows.place[:, 0] >= 0, errors, found, rows)


def default_folder() -> Path:
    """MANYLABEL_CACHE, or ~/.cache/manylabel."""
    return Path(os.environ.get("MANYLABEL_CACHE") or Path.home() / ".cache" / "manylabel")


def hash_all(files: Sequence[Path]) -> tuple[list[str], dict[int, str]]:
    """The blake2 hash of each file's bytes, "" and a reason where it cannot be read."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        answers = list(pool.map(hash_file, files, chunksize=16))
    errors = {row: reason for row, (h, reason) in enumerate(answers) if not h}
    return [h for h, _ in answers], errors


def hash_file(file: Path) -> tuple[str, str]:
    """(hash, "") or ("", why not)."""
    try:
        return hashlib.blake2b(file.read_bytes(), digest_size=HASH_BYTES).hexdigest(), ""
    except OSError as error:
        return "", f"{file}: {error.strerror or error}"


class Runner:
    """An encoder made ready to run: a frozen folded copy, and the key its features are stored under."""

    def __init__(self, encoder: Encoder, precision: str) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = for_inference(encoder, precision, device=self.device)
        self.image_size, self.resize = encoder.image_size, encoder.resize
        self.key = f"{encoder.key}-{precision}"
        self.about = {"encoder": encoder.name, "image_size": encoder.image_size, "resize": encoder.resize}
        self.label = re.sub(r"[^\w.-]+", "_", Path(encoder.name).name)

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
        grid, pooled, size = self(np.zeros((1, self.image_size, self.image_size, 3), np.uint8))
        return Shape(size if grid is not None else None, pooled.shape[1])

    def __call__(self, images: NDArray[np.uint8]) -> tuple[torch.Tensor | None, torch.Tensor, tuple[int, int]]:
        """Grid or None, pooled, and size, of images (B, H, W, 3), on the CPU in the network's precision."""
        with torch.inference_mode():
            features = self.model(torch.from_numpy(images).permute(0, 3, 1, 2).to(self.device))
        grid = None if features.grid is None else features.grid.cpu()
        return grid, features.pooled.cpu(), features.size


def fill(
    store: Store, runner: Runner, jobs: dict[str, Path], batch_size: int, *, progress: bool
) -> dict[str, str]:
    """Compute and write the rows of `jobs` (hash -> file); hash -> reason for those that cannot be.

    Three things run at once: threads read and decode ahead, this thread computes, one more thread writes.
    """
    store.check_space(len(jobs))
    bad: dict[str, str] = {}
    writer, written = Writer(store), 0
    with ThreadPoolExecutor(1) as disk, bar(len(jobs), enabled=progress) as advance:
        pending: Future[None] | None = None
        try:
            for batch in batches(jobs, runner, batch_size, bad):
                hashes, images = zip(*batch)
                grid, pooled, _ = runner(np.stack(images))
                half = to_half(grid, pooled, [jobs[h] for h in hashes])
                if pending:
                    pending.result()
                pending = disk.submit(writer.append, hashes, *half)
                written += len(hashes)
                advance(written + len(bad))
            if pending:
                pending.result()
        except OSError as error:
            if not is_full(error):
                raise
            raise store.no_space(len(jobs) - written - len(bad) + batch_size) from error
        finally:  # also on Ctrl-C: what was handed to the disk gets there
            disk.shutdown()
            writer.close()
    return bad


def batches(
    jobs: dict[str, Path], runner: Runner, batch_size: int, bad: dict[str, str]
) -> Iterator[list[tuple[str, NDArray[np.uint8]]]]:
    """Decoded images by the batch; what cannot be decoded goes to `bad` with its reason."""
    from manylabel.data.images import DamagedImage

    batch = []
    for h, decoded in decode_ahead(jobs, runner, 3 * batch_size):
        try:
            batch.append((h, decoded.result()))
        except DamagedImage as error:
            bad[h] = str(error)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def decode_ahead(
    jobs: dict[str, Path], runner: Runner, ahead: int
) -> Iterator[tuple[str, Future[NDArray[np.uint8]]]]:
    """Decode in threads, at most `ahead` images beyond the one being consumed; Pillow releases the GIL."""
    pool = ThreadPoolExecutor(torch.get_num_threads())
    todo = iter(jobs.items())

    def start(n: int) -> list[tuple[str, Future[NDArray[np.uint8]]]]:
        return [(h, pool.submit(decode, f, h, runner)) for h, f in itertools.islice(todo, n)]

    try:
        queue = start(ahead)
        while queue:
            yield queue.pop(0)
            queue += start(1)
    finally:
        pool.shutdown(cancel_futures=True)


def decode(file: Path, expected: str, runner: Runner) -> NDArray[np.uint8]:
    """One image as (S, S, 3) uint8; refused if its bytes are no longer those that were hashed."""
    from manylabel.data.images import DamagedImage, read_image, to_array

    array = to_array(read_image(file), runner.image_size, resize=runner.resize)
    if hash_file(file)[0] != expected:
        raise DamagedImage(f"{file}: the file changed while it was read; run again")
    return array


def to_half(
    grid: torch.Tensor | None, pooled: torch.Tensor, files: Sequence[Path]
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """The same as float16, or an error naming the image: infinity would be served as a feature for ever after."""
    for values in (grid, pooled):
        if values is None or (-HALF_MAX <= values.min() and values.max() <= HALF_MAX):  # NaN fails as well
            continue
        worst = values.flatten(1).abs().nan_to_num(nan=torch.inf).amax(1)
        file = files[int((worst > HALF_MAX).int().argmax())]
        raise ManylabelError(
            f"the encoder gave a feature of {worst.max():.3g} for {file}, beyond what the float16 cache holds"
            f" ({HALF_MAX:.0f}); is the precision or the normalisation right for these weights?"
        )
    return None if grid is None else grid.half(), pooled.half()


class Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f}/s")


class bar:
    """A progress bar on stderr; entering gives a function that sets how many images are done."""

    def __init__(self, total: int, *, enabled: bool) -> None:
        columns: Iterable[ProgressColumn] = (
            TextColumn("encoding"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=Console(stderr=True), disable=not enabled)
        self.task = self.progress.add_task("", total=total)

    def __enter__(self):
        self.progress.start()
        return lambda done: self.progress.update(self.task, completed=done)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
