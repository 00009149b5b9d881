"""A dataset as tar archives of samples: the same bytes whenever the same dataset is written."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.dataset import IMAGE_ENDINGS, PARTS, Dataset
from manylabel.data.tarred import member_bytes
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

SAMPLES = 10_000  # in one archive
TAKEN = ("image", "file_name", "labels", "tags", "classes", "categories", "label", "tag", "class", "cls", "category",
         "absent", "unknown", "split")  # fmt: skip


def write(dataset: Dataset, path: Path) -> Sequence[str]:
    """The archives `train-000000.tar`, ... (`images-` where no part is said) and `classes.txt`, in a new folder."""
    if twice := [name for name in dataset.columns if name in TAKEN]:
        raise ManylabelError(f"{path}: the column {twice[0]!r} has the name of one that is written; rename it")
    path.mkdir()
    (path / "classes.txt").write_text("".join(f"{name}\n" for name in dataset.labels.names), encoding="utf-8")
    for part in (*PARTS, ""):
        rows = np.flatnonzero(dataset.split == part)
        for number, first in enumerate(range(0, len(rows), SAMPLES)):
            file = path / f"{part or 'images'}-{number:06d}.tar"
            with tarfile.open(file, "x", format=tarfile.USTAR_FORMAT) as tar:
                for row in rows[first : first + SAMPLES].tolist():
                    _sample(tar, dataset, row)
    return dataset.labels.ids


def _sample(tar: tarfile.TarFile, dataset: Dataset, row: int) -> None:
    photo = dataset.paths[row]
    ending = photo.suffix.lower()
    if ending in IMAGE_ENDINGS and (inside := member_bytes(photo)) is not None:
        _add(tar, f"{row:08d}{ending}", inside)
    elif ending in IMAGE_ENDINGS and photo.is_file():
        _add(tar, f"{row:08d}{ending}", photo.read_bytes())
    _add(tar, f"{row:08d}.json", (json.dumps(_said(dataset, row), ensure_ascii=False) + "\n").encode())


def _said(dataset: Dataset, row: int) -> dict[str, Any]:
    names = dataset.labels.names
    state = dataset.labels.rows([row]).state[0]
    said: dict[str, Any] = {"image": dataset.labels.ids[row]}
    said["labels"] = [names[c] for c in np.flatnonzero(state == PRESENT)]
    if (unknown := np.flatnonzero(state == UNKNOWN)).size:
        said["unknown"] = [names[c] for c in unknown]
    if dataset.split[row]:
        said["split"] = str(dataset.split[row])
    return said | {column: str(cells[row]) for column, cells in dataset.columns.items()}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # of nobody, from 1970: nothing of the machine gets in
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
