"""Image files read once: for near-identical ones, and for all that `doctor` says of files. Pillow, no torch."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manylabel.audits.duplicates import Groups, collapse, grouped, similar_images
from manylabel.data.images import DamagedImage, decode, image_bytes

SHAPE = (8, 9, 3)
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # EXIF: under these values width and height change places


@dataclass(frozen=True)
class Header:
    """What the first bytes of an image file say; the pixels may be damaged all the same.

    Arguments:
        format: as Pillow calls it, such as "JPEG"; "" where the bytes are no image.
        mode: of the pixels as stored, such as "RGB", "CMYK", "I;16".
        size: (width, height) upright; (0, 0) where the bytes are no image.
        moves: whether there are several frames or pages, of which only the first is ever used.
    """

    format: str = ""
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    moves: bool = False


@dataclass(frozen=True)
class Looked:
    """What reading N image files showed.

    Arguments:
        digests: hash of each file's bytes, b"" where there is no such file.
        small: (N, 8, 9, 3) uint8, each image upright at 9 x 8 pixels; zeros where it cannot be read.
        problems: row -> why the file cannot be read.
        headers: what the first bytes of each file say.
        spread: (N,) float32 in [0, 127.5], how far pixels lie from their mean, as the standard deviation of the
            channel in which it is largest; 0 for one colour, and where the file cannot be read.
    """

    digests: list[bytes]
    small: NDArray[np.uint8]
    problems: dict[int, str]
    headers: list[Header] = field(default_factory=list)
    spread: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def groups(self) -> Groups:
        """Rows of equal files and of images that look the same; a file that cannot be read is in no group."""
        good = np.array([row for row in range(len(self.digests)) if row not in self.problems], np.int64)
        firsts, equal = collapse([self.digests[row] for row in good])
        near = similar_images(self.small[good[firsts]])
        return grouped(np.concatenate([good[equal], good[firsts[near]]]), len(self.digests))


def look(paths: Sequence[str | Path], *, progress: Callable[[int, int], None] | None = None) -> Looked:
    """Read image files in a pool of threads; one that is missing or damaged is named, and the work goes on.

    Arguments:
        paths: N files.
        progress: called with (files done, files in all).
    """
    digests, headers, problems = [], [], {}
    small, spread = np.zeros((len(paths), *SHAPE), np.uint8), np.zeros(len(paths), np.float32)
    with warnings.catch_warnings(), ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # what is wrong with a file stands in `problems`, not in the terminal
        try:
            for row, seen in enumerate(pool.map(_one, map(Path, paths))):
                digests.append(seen.digest)
                headers.append(seen.header)
                if seen.pixels is None:
                    problems[row] = seen.problem
                else:
                    small[row], spread[row] = seen.pixels, seen.spread
                if progress is not None:
                    progress(row + 1, len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Looked(digests, small, problems, headers, spread)


@dataclass(frozen=True)
class _Seen:
    """One file: hash of its bytes, its header, the small picture or None, how far pixels spread, why there is none."""

    digest: bytes = b""
    header: Header = Header()
    pixels: NDArray[np.uint8] | None = None
    spread: float = 0.0
    problem: str = ""


def _one(path: Path) -> _Seen:
    try:
        data = image_bytes(path)
    except OSError as problem:
        return _Seen(
            problem="there is no such file"
            if isinstance(problem, FileNotFoundError)
            else problem.strerror or str(problem)
        )
    digest = hashlib.blake2b(data, digest_size=16).digest() if data else b""
    header = read_header(data)
    try:
        image = decode(data, path, at_least=4 * SHAPE[1])
    except DamagedImage as problem:
        return _Seen(digest, header, problem=str(problem).removeprefix(f"{path}: "))
    small = np.asarray(image.resize((SHAPE[1], SHAPE[0]), Image.Resampling.BILINEAR))
    return _Seen(digest, header, small, _spread(image))


def read_header(data: bytes) -> Header:
    """What the first bytes of a file say, whatever the rest is like.

    >>> read_header(b"P6 40 30 255 and no pixels"), read_header(b"no image").format
    (Header(format='PPM', mode='RGB', size=(40, 30), moves=False), '')
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            moves = image.format != "MPO" and bool(getattr(image, "is_animated", False))
            return Header(image.format or "", image.mode, _upright_size(image), moves)
    except Exception:  # decoders raise whatever damaged bytes lead them to; `problems` will name them
        return Header()


def _upright_size(image: Image.Image) -> tuple[int, int]:
    if image.format == "PNG" and "exif" not in image.info:
        return image.size  # Pillow would decode all pixels to look behind them
    try:
        sideways = image.getexif().get(ORIENTATION) in SIDEWAYS
    except Exception:  # the EXIF block is broken, the picture need not be
        sideways = False
    return image.size[::-1] if sideways else image.size


def _spread(image: Image.Image) -> float:
    """The largest standard deviation of a channel."""
    counts = np.array(image.histogram(), np.float64).reshape(-1, 256)
    values, number = np.arange(256), counts.sum(axis=1)
    mean = counts @ values / number
    return float(np.sqrt(np.maximum(counts @ values**2 / number - mean**2, 0)).max())
