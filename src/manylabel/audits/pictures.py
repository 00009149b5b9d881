"""Image files looked at for near-identical ones: the only audit that opens files, with Pillow and without torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manylabel.audits.duplicates import Groups, collapse, grouped, similar_images
from manylabel.data.images import DamagedImage, decode

SHAPE = (8, 9, 3)


@dataclass(frozen=True)
class Looked:
    """What reading N image files showed.

    Arguments:
        digests: hash of each file's bytes, b"" where there is no such file.
        small: (N, 8, 9, 3) uint8, each image upright at 9 x 8 pixels; zeros where it cannot be read.
        problems: row -> why the file cannot be read.
    """

    digests: list[bytes]
    small: NDArray[np.uint8]
    problems: dict[int, str]

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
    digests, problems = [], {}
    small = np.zeros((len(paths), *SHAPE), np.uint8)
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        try:
            for row, (digest, pixels, problem) in enumerate(pool.map(_one, map(Path, paths))):
                digests.append(digest)
                if pixels is None:
                    problems[row] = problem
                else:
                    small[row] = pixels
                if progress is not None:
                    progress(row + 1, len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Looked(digests, small, problems)


def _one(path: Path) -> tuple[bytes, NDArray[np.uint8] | None, str]:
    """Hash of the bytes, the small picture or None, and why there is none."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        return b"", None, "there is no such file" if not path.exists() else problem.strerror or str(problem)
    digest = hashlib.blake2b(data, digest_size=16).digest()
    try:
        image = decode(data, path, at_least=4 * SHAPE[1])
    except DamagedImage as problem:
        return digest, None, str(problem).removeprefix(f"{path}: ")
    return digest, np.asarray(image.resize((SHAPE[1], SHAPE[0]), Image.Resampling.BILINEAR)), ""
