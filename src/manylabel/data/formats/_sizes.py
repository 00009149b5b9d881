"""Width and height of photographs, for formats that count boxes in pixels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manylabel.data.dataset import Dataset

ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)  # values of the EXIF orientation under which width and height change places
LONGEST = 10**7  # pixels on a side; more is a mistake in the file


def image_sizes(dataset: Dataset) -> NDArray[np.int64]:
    """(N, 2) width and height in pixels: as the labels say, else from the file's header, else 0."""
    known = dataset.beside.sizes
    sizes = np.zeros((len(dataset), 2), np.int64) if known is None else known.copy()
    for row in np.flatnonzero((sizes <= 0).any(axis=1)).tolist():
        sizes[row] = size_of(dataset.paths[row])
    return sizes


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image as it is seen, upright; (0, 0) where there is no readable file.

    >>> size_of(Path("nowhere.jpg"))
    (0, 0)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of very many pixels: only the header is read
            with Image.open(path) as image:
                sideways = image.getexif().get(ORIENTATION) in SIDEWAYS
                return image.size[::-1] if sideways else image.size
    except Exception:  # decoders raise whatever damaged bytes lead them to; the doctor says which files are damaged
        return 0, 0
