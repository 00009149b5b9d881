"""Pictures for encoder tests, drawn from a formula so that recorded numbers can be compared."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(size: int) -> np.ndarray:
    """(size, size, 3) uint8: smooth colours and a disc; tests/golden/efficientnet_lite.npz was recorded from it."""
    y, x = np.mgrid[:size, :size] / (size - 1)
    disc = (x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.06
    return np.stack([255 * x, 255 * y, np.where(disc, 255, 128 * (1 - x))], -1).round().astype(np.uint8)


def draw(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """`count` different 24x20 PNG files."""
    rng = np.random.default_rng(seed)
    files = [folder / f"{seed}-{i}.png" for i in range(count)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(file)
    return files
