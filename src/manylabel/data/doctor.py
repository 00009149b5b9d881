"""What a label file says and what is wrong with it, before a model is trained on it."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from manylabel.data import advice, doctor_text
from manylabel.data.dataset import PARTS, Dataset
from manylabel.data.images import DamagedImage, decode
from manylabel.data.locate import find_root
from manylabel.data.near_names import near_names
from manylabel.labels import ABSENT, PRESENT, UNKNOWN

HEAD, TAIL = 100, 20
SMALL_SIDE, LONG_RATIO, MANY_PIXELS = 32, 10.0, 50_000_000


@dataclass(frozen=True)
class ClassFinding:
    """One class: positives by part ("" where the file names no part), verified negatives, unknown cells, group."""

    name: str
    positives: dict[str, int]
    train_positives: int
    absent: int
    unknown: int
    group: str


@dataclass(frozen=True)
class Row:
    """One image of the file as understood; `line` is 0 for a folder."""

    line: int
    image: str
    part: str
    present: list[str]
    unknown: int


@dataclass(frozen=True)
class Fault:
    """An image with something wrong or odd about its file."""

    line: int
    image: str
    reason: str


@dataclass(frozen=True)
class Repeat:
    """Images equal byte for byte; the parts they lie in and the classes on which their labels disagree."""

    images: list[str]
    lines: list[int]
    parts: list[str]
    disagree: list[str]


@dataclass(frozen=True)
class ImageFindings:
    """What reading every image file showed; `pixels` are (smallest, median, largest) width x height."""

    read: int = 0
    damaged: list[Fault] = field(default_factory=list)
    odd: list[Fault] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    pixels: list[tuple[int, int]] = field(default_factory=list)
    root_hint: str = ""

    @property
    def leaks(self) -> list[Repeat]:
        """Equal images in more than one part."""
        return [repeat for repeat in self.repeats if len(repeat.parts) > 1]

    @property
    def disagreeing(self) -> list[Repeat]:
        """Equal images with labels that contradict each other."""
        return [repeat for repeat in self.repeats if repeat.disagree]


@dataclass(frozen=True)
class Findings:
    """All that `examine` found; `str()` is the text, `as_dict()` what JSON holds. `files` is None if not looked at."""

    source: str
    kind: str
    notes: list[str]
    images: int
    classes: list[ClassFinding]
    parts: dict[str, int]
    labels_per_image: dict[str, float]
    histogram: list[int]
    without_label: int
    nothing_known: int
    unknown_share: float
    groups: dict[str, int]
    without_positives: list[str]
    near_names: list[tuple[str, str, str]]
    columns: list[str]
    first_rows: list[Row]
    files: ImageFindings | None
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return doctor_text.render(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, texts and numbers."""
        return asdict(self)


def examine(dataset: Dataset, *, images: bool = True, progress: Callable[[int, int], None] | None = None) -> Findings:
    """Look at the labels and, unless `images` is False, read every image file; nothing is changed.

    Arguments:
        progress: called with (images done, images in all) while files are read.

    Groups count training positives: head from 100, medium 20 to 99, tail below 20. Rows of no part count as
    training rows.
    """
    table = dataset.labels
    present = table.present.sum(axis=1)
    classes = _classes(dataset)
    groups = Counter(c.group for c in classes)
    findings = Findings(
        source=str(dataset.source),
        kind=dataset.kind,
        notes=list(dataset.notes),
        images=len(dataset),
        classes=classes,
        parts={part: int((dataset.split == part).sum()) for part in _parts(dataset)},
        labels_per_image={
            "mean": round(float(present.mean()), 3) if len(present) else 0.0,
            "median": float(np.median(present)) if len(present) else 0.0,
            "most": int(present.max(initial=0)),
        },
        histogram=np.bincount(present).tolist(),
        without_label=int((present == 0).sum()),
        nothing_known=int((~table.known.any(axis=1)).sum()),
        unknown_share=round(table.unknown_share, 6),
        groups={group: groups[group] for group in ("head", "medium", "tail")},
        without_positives=[c.name for c in classes if not any(c.positives.values())],
        near_names=near_names(table.names),
        columns=list(dataset.columns),
        first_rows=[_row(dataset, r) for r in range(min(5, len(dataset)))],
        files=examine_files(dataset, progress) if images else None,
    )
    findings.problems.extend(advice.problems(findings))
    findings.advice.extend(advice.advice(findings))
    return findings


def examine_files(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> ImageFindings:
    """Read every image in a pool of threads: damaged ones with their rows, odd sizes, equal files."""
    seen: list[Seen] = []
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        try:
            for one in pool.map(look, dataset.paths):
                seen.append(one)
                if progress is not None:
                    progress(len(seen), len(dataset))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    damaged = [_fault(dataset, r, one.reason) for r, one in enumerate(seen) if one.reason]
    odd = [_fault(dataset, r, one.odd) for r, one in enumerate(seen) if one.odd]
    good = sorted((one.size for one in seen if not one.reason), key=lambda size: size[0] * size[1])
    return ImageFindings(
        read=len(good),
        damaged=damaged,
        odd=odd,
        repeats=_repeats(dataset, [one.digest for one in seen]),
        pixels=[good[0], good[len(good) // 2], good[-1]] if good else [],
        root_hint=find_root(dataset.labels.ids, dataset.paths, dataset.source),
    )


@dataclass(frozen=True)
class Seen:
    """One file looked at: hash of its bytes, (width, height), why it cannot be read, what is odd about it."""

    digest: bytes = b""
    size: tuple[int, int] = (0, 0)
    reason: str = ""
    odd: str = ""


def look(path: Path) -> Seen:
    """Read one image wholly, as training would."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        return Seen(reason="there is no such file" if not path.exists() else problem.strerror or str(problem))
    digest = hashlib.blake2b(data, digest_size=16).digest() if data else b""
    try:
        decode(data, path, at_least=SMALL_SIDE)
    except DamagedImage as problem:
        return Seen(digest=digest, reason=str(problem).removeprefix(f"{path}: "))
    with Image.open(io.BytesIO(data)) as image:
        return Seen(digest, image.size, odd=_odd(*image.size))


def _odd(width: int, height: int) -> str:
    if min(width, height) < SMALL_SIDE:
        return f"only {width} x {height} pixels"
    if max(width, height) > LONG_RATIO * min(width, height):
        return f"very long: {width} x {height} pixels"
    return f"very large: {width} x {height} pixels" if width * height > MANY_PIXELS else ""


def _fault(dataset: Dataset, row: int, reason: str) -> Fault:
    return Fault(dataset.lines[row], dataset.labels.ids[row], reason)


def _repeats(dataset: Dataset, digests: list[bytes]) -> list[Repeat]:
    same: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        if digest:
            same[digest].append(row)
    return [_repeat(dataset, rows) for rows in same.values() if len(rows) > 1]


def _repeat(dataset: Dataset, rows: list[int]) -> Repeat:
    cells = dataset.labels.state[rows]
    clash = (cells == PRESENT).any(axis=0) & (cells == ABSENT).any(axis=0)
    return Repeat(
        images=[dataset.labels.ids[r] for r in rows],
        lines=[dataset.lines[r] for r in rows],
        parts=sorted({str(dataset.split[r]) for r in rows} - {""}),
        disagree=[dataset.labels.names[c] for c in np.flatnonzero(clash)],
    )


def _parts(dataset: Dataset) -> list[str]:
    named = set(dataset.split.tolist())
    return [part for part in (*PARTS, "") if part in named]


def _classes(dataset: Dataset) -> list[ClassFinding]:
    table = dataset.labels
    positives = {part: table.present[dataset.split == part].sum(axis=0) for part in _parts(dataset)}
    train = table.present[np.isin(dataset.split, ("train", ""))].sum(axis=0)
    return [
        ClassFinding(
            name=name,
            positives={part: int(counts[c]) for part, counts in positives.items()},
            train_positives=int(train[c]),
            absent=int((table.state[:, c] == ABSENT).sum()),
            unknown=int((table.state[:, c] == UNKNOWN).sum()),
            group="head" if train[c] >= HEAD else "medium" if train[c] >= TAIL else "tail",
        )
        for c, name in enumerate(table.names)
    ]


def _row(dataset: Dataset, row: int) -> Row:
    state = dataset.labels.state[row]
    return Row(
        line=dataset.lines[row],
        image=dataset.labels.ids[row],
        part=str(dataset.split[row]),
        present=[dataset.labels.names[c] for c in np.flatnonzero(state == PRESENT)],
        unknown=int((state == UNKNOWN).sum()),
    )
