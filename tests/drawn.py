"""Photographs for tests, drawn: colour discs on noise, one colour per class."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (40, 70, 220)}


def draw(present: list[str], seed: int, size: int = 64) -> Image.Image:
    """A noisy picture with one disc for each class."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(90, 160, (size, size, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    for name in present:
        x, y, r = rng.integers(8, size - 24), rng.integers(8, size - 24), rng.integers(8, 16)
        pen.ellipse((int(x), int(y), int(x + 2 * r), int(y + 2 * r)), fill=COLOURS[name])
    return image


def photographs(folder: Path, count: int = 36, *, parts: bool = True, seed: int = 0) -> Path:
    """`count` JPEGs and a narrow labels.csv in `folder`; a third each train, val and test where `parts`."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        present = [name for name in COLOURS if rng.random() < 0.5]
        draw(present, number).save(folder / "images" / f"{number}.jpg", quality=92)
        part = ("train", "train", "val", "test")[number % 4] if parts else ""
        rows.append(
            {"image": f"images/{number}.jpg", "split": part, "good": str(number % 2), "labels": "|".join(present)}
        )
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "labels.csv"
