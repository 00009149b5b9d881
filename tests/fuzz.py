"""Damaged label files of every format, for as long as you like: `make fuzz` (ten minutes), or

    PYTHONPATH=tests python tests/fuzz.py --minutes 10 --start 0

Each seed draws a dataset, writes it in a format, damages one of the files and reads it twice, strictly and leaving
mistakes out. Whatever happens but a `ManylabelError` that names the file is printed with its seed, and ends in failure.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from damage import corruptions, survives
from made import IMAGES, NAMES, PARTS, photographs
from manylabel.data import formats
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.labels import LabelTable

PICTURES = (".png", ".jpg")


def drawn(seed: int, photos: Path) -> Dataset:
    """A dataset of some of the photographs, with boxes, soft values and all that a seed decides."""
    rng = np.random.default_rng(seed)
    images = [IMAGES[k] for k in rng.permutation(len(IMAGES))[: rng.integers(1, 7)]]
    names = [NAMES[k] for k in rng.permutation(len(NAMES))[: rng.integers(1, 6)]]
    state = rng.integers(-1, 2, (len(images), len(names))).astype(np.int8)
    rows, columns = np.nonzero(state == 1)
    boxes = Cells(rows, columns, rng.uniform(0, 0.5, (len(rows), 4)).round(3)) if len(rows) else None
    open_rows, open_columns = np.nonzero(state == 0)
    soft = Cells(open_rows, open_columns, rng.uniform(size=len(open_rows)).round(3)) if len(open_rows) else None
    beside = Beside(soft=soft if rng.random() < 0.5 else None, boxes=boxes, sizes=np.full((len(images), 2), (8, 6)))
    return Dataset(
        LabelTable(state, tuple(names), tuple(images)), [photos / name for name in images],
        rng.choice(PARTS, len(images)), {"site": rng.choice(["north", "0", ""], len(images))}, photos, "made", (),
        (0,) * len(images), beside=beside,
    )  # fmt: skip


def one(seed: int, photos: Path, folder: Path) -> str:
    """Write, damage and read one file; what was done. Raises AssertionError where the reading fails in a wrong way."""
    rng = random.Random(seed)
    name = rng.choice(formats.writable())
    path = folder / formats.named(name, "labels")
    formats.write(drawn(seed, photos), path, name)
    files = [path] if path.is_file() else []
    files += sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in PICTURES and p not in files)
    file = rng.choice(files)
    damage, data = rng.choice(list(corruptions(file.read_bytes(), seed)))
    file.write_bytes(data)
    what = f"seed {seed}: {name}, {file.relative_to(folder)}: {damage}"
    for mistakes in ("error", "leave"):
        survives(path, what, mistakes=mistakes)
        survives(path, f"{what}, as {name}", mistakes=mistakes, format=name)
    return what


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--start", type=int, default=0)
    given = parser.parse_args()
    end, seed, failed = time.monotonic() + 60 * given.minutes, given.start, 0
    with tempfile.TemporaryDirectory() as photos:
        photographs(Path(photos))
        while time.monotonic() < end:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    one(seed, Path(photos), Path(folder))
                except AssertionError as problem:
                    failed += 1
                    print(problem, flush=True)
            seed += 1
    if failed:
        sys.exit(f"{failed} of {seed - given.start:,} damaged files fail")
    print(f"{seed - given.start:,} damaged files, no failure")


if __name__ == "__main__":
    main()
