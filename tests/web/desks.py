"""What the pages work on, small and large."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from drawn import photographs
from manylabel import data
from manylabel.audits import findings
from manylabel.audits.findings import Finding
from manylabel.data.dataset import Dataset
from manylabel.data.files import Files
from manylabel.labels import LabelTable
from manylabel.web.desk import Desk
from manylabel.web.photos import Photos, roots_of
from manylabel.web.reviewing import Reviewing
from manylabel.web.shelf import Shelf

LARGE = 100_000


def suspected(dataset: Dataset, most: int = 9) -> list[Finding]:
    """Findings on the first images, each of the label whose turn it is; the first has a neighbour."""
    found = []
    for number in range(most):
        name = dataset.labels.names[number % 3]
        there = dataset.labels.present[number, number % 3]
        given, other = ("present", "absent") if there else ("absent", "present")
        why = "the model says 3 % present"
        if number == 0:
            why += f"; near-identical to {dataset.labels.ids[5]}, where it is {other} (as in 1 of 1 such images)"
        severity = "major" if number % 2 else "minor"
        found.append(Finding(number + 1, dataset.labels.ids[number], name, given, other, 0.03, 0.2, why,
                             "wrong label", severity))  # fmt: skip
    return found


@cache
def drawn() -> dict[str, bytes]:
    """The files of 24 drawn photographs, two of them equal, and their labels."""
    with tempfile.TemporaryDirectory() as name:
        photographs(Path(name, "set"), 24)
        shutil.copy(Path(name, "set/images/22.jpg"), Path(name, "set/images/23.jpg"))
        files = [file for file in Path(name, "set").rglob("*") if file.is_file()]
        return {str(file.relative_to(name)): file.read_bytes() for file in files}


def small(folder: Path, *, file: str = "findings.csv") -> Desk:
    """24 drawn photographs with 9 findings."""
    if not (folder / "set").exists():
        (folder / "set/images").mkdir(parents=True)
        for name, content in drawn().items():
            (folder / name).write_bytes(content)
    dataset = data.read(folder / "set" / "labels.csv")
    if not (folder / file).exists():
        findings.write(folder / file, suspected(dataset))
    reviewing = Reviewing(folder / file, dataset)
    return Desk(reviewing, Shelf(dataset, reviewing, open_images=True), Photos(dataset.paths, roots_of(dataset, None)))


def large(folder: Path) -> Desk:
    """100,000 rows over a dozen files, every seventh cell unknown."""
    files = [str(folder / f"{k}.png") for k in range(12)]
    for k, file in enumerate(files):
        Image.new("RGB", (48, 36), (20 * k, 90, 240 - 20 * k)).save(file)
    numbers = np.arange(LARGE)
    columns = numbers[:, None] + np.arange(20)
    state = np.where(columns % 7 == 0, 0, np.where(columns % 20 == 0, 1, -1))
    table = LabelTable(state.astype(np.int8), tuple(f"class {c:02}" for c in range(20)),
                       tuple(f"img/{n:06}.png" for n in numbers.tolist()))  # fmt: skip
    dataset = Dataset(
        table, Files(files[n % 12] for n in range(LARGE)), np.where(numbers % 5 == 0, "val", "train"), {},
        folder / "labels.csv", "csv-wide", (), tuple(range(2, LARGE + 2)),
    )  # fmt: skip
    return Desk(None, Shelf(dataset), Photos(dataset.paths, [folder]))
