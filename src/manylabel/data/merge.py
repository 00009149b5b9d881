"""Several label sets as one, where each knows other classes: what a set never judged is unknown in it, not absent.

Zhou, Liu et al. ("Learning semantic segmentation from multiple datasets with label shifts", ECCV 2022) do the same with
the losses of a union of segmentation sets; here it is done to the labels, for everything that comes after.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data import repeats
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.data.near_names import near_names
from manylabel.labels import UNKNOWN, LabelTable, ManylabelError


def merge(datasets: Sequence[Dataset], *, conflicts: str = "error") -> Dataset:
    """The union of images and classes; rename classes first where two sets call one class by two names.

    Arguments:
        datasets: at least one; images of one file (the same absolute path) are one image.
        conflicts: "error", or "unknown" for cells that one set calls present and another absent.

    Returns:
        Images and classes in order of first appearance; column `source` says which sets an image is in. A cell is
        unknown where no set that holds the image has the class. Known wins over unknown.

    Raises ManylabelError for an image in different parts of two sets, and for two images of one id.
    """
    if not datasets:
        raise ManylabelError("nothing to merge: expected at least one dataset")
    names = list(dict.fromkeys(name for one in datasets for name in one.labels.names))
    place = {name: c for c, name in enumerate(names)}
    grouped = repeats.groups([str(path) for one in datasets for path in one.paths])
    columns = [[place[name] for name in one.labels.names] for one in datasets]
    state = np.full((sum(map(len, datasets)), len(names)), UNKNOWN, np.int8)
    starts = np.cumsum([0, *map(len, datasets)])
    for one, start, own in zip(datasets, starts, columns):
        state[start : start + len(one), own] = one.labels.state
    merged, broken = repeats.merge_labels(state, grouped)
    rows = [(d, r) for d, one in enumerate(datasets) for r in range(len(one))]
    notes = repeats.settle(
        datasets[0].source,
        [f"{_told(datasets, rows, group)} on {', '.join(names[c] for c in cells[:5])}" for group, cells in broken],
        rule=conflicts,
    )
    first = [rows[group[0]] for group in grouped]
    new = np.empty(len(rows), np.int64)
    for k, group in enumerate(grouped):
        new[group] = k
    labels = LabelTable(merged, tuple(names), _ids(datasets, first))
    return Dataset(
        labels=labels,
        paths=[datasets[d].paths[r] for d, r in first],
        split=_split(datasets, rows, grouped),
        columns=_columns(datasets, rows, grouped),
        source=datasets[0].source,
        kind="merged",
        notes=(*(note for one in datasets for note in one.notes), *notes, *_notes(datasets, labels)),
        lines=[datasets[d].lines[r] for d, r in first],
        mistakes=tuple(said for one in datasets for said in one.mistakes),
        beside=_beside(datasets, [new[a:b] for a, b in pairwise(starts)], columns, len(first)),
        unit=datasets[0].unit,
    )


def _told(datasets: Sequence[Dataset], rows: list[tuple[int, int]], group: list[int]) -> str:
    return " and ".join(datasets[d].place(r) for d, r in (rows[k] for k in group[:3]))


def _ids(datasets: Sequence[Dataset], first: list[tuple[int, int]]) -> tuple[str, ...]:
    """The images' own ids; where two sets use one id for two files, the set's name goes before it."""
    own = [datasets[d].labels.ids[r] for d, r in first]
    times = Counter(own)
    return tuple(
        f"{datasets[d].source.parent.name}/{name}" if times[name] > 1 else name for name, (d, _) in zip(own, first)
    )


def _split(datasets: Sequence[Dataset], rows: list[tuple[int, int]], grouped: list[list[int]]) -> NDArray[np.str_]:
    parts = []
    for group in grouped:
        said = {str(datasets[d].split[r]) for d, r in (rows[k] for k in group)} - {""}
        if len(said) > 1:
            raise ManylabelError(
                f"{_told(datasets, rows, group)}: the image is in {' and '.join(sorted(said))}; an image belongs to"
                " one part: split the sets anew, or remove it from one"
            )
        parts.append(next(iter(said), ""))
    return np.array(parts, dtype="<U5")


def _columns(
    datasets: Sequence[Dataset], rows: list[tuple[int, int]], grouped: list[list[int]]
) -> dict[str, NDArray[np.str_]]:
    """Every further column, blank for images of sets without it, and `source`."""
    wanted = dict.fromkeys(["source", *(name for one in datasets for name in one.columns)])
    found = {}
    for name in wanted:
        cells = [
            str(one.columns[name][r]) if name in one.columns else one.source.name if name == "source" else ""
            for one, r in ((datasets[d], r) for d, r in rows)
        ]
        joined = ["|".join(dict.fromkeys(cells[k] for k in group if cells[k])) for group in grouped]
        found[name] = np.array(joined, np.str_)
    return found


def _notes(datasets: Sequence[Dataset], labels: LabelTable) -> list[str]:
    total, images, names = sum(map(len, datasets)), len(labels), labels.names
    notes = [
        f"{len(datasets)} sets merged: {images:,} images ({total - images:,} in more than one), {len(names):,} classes;"
        " a class that a set does not have is unknown in its images."
    ]
    own = [set(one.labels.names) for one in datasets]
    near = [(a, b) for a, b, _ in near_names(names, labels.counts) if not any({a, b} <= one for one in own)]
    if near:
        said = ", ".join(f"{a!r} and {b!r}" for a, b in near[:5])
        cure = shlex.quote(f"{near[0][0]}={near[0][1]}")
        notes.append(f"Names of different sets that may be one class: {said}; join them with --rename {cure}.")
    return notes


def _beside(
    datasets: Sequence[Dataset], rows: list[NDArray[np.int64]], columns: list[list[int]], images: int
) -> Beside:
    """All that lies beside the sets, with images and classes renumbered."""
    parts = _each(datasets, rows, images)
    annotators = list(dict.fromkeys(name for one in datasets for name in one.beside.annotators))
    for one, place, own in zip(datasets, rows, columns):
        for kind, cells in one.beside.cells.items():
            moved = replace(cells.of_columns(own), rows=place[cells.rows])
            if kind == "votes":
                who = np.array([annotators.index(name) for name in one.beside.annotators])
                moved = replace(moved, values=np.column_stack([who[moved.values[:, 0]], moved.values[:, 1]]))
            parts[kind] = moved if kind not in parts else _joined(parts[kind], moved)
    aliases: Mapping[str, str] = {k: v for one in datasets for k, v in one.beside.aliases.items()}
    pairs = dict.fromkeys(pair for one in datasets for pair in one.beside.parents)
    steps = [step for one in datasets for step in one.beside.provenance]
    merged = f"merged: {', '.join(one.source.name for one in datasets)}"
    return Beside(
        annotators=tuple(annotators), parents=tuple(pairs), aliases=aliases, provenance=(*steps, merged), **parts
    )


def _each(datasets: Sequence[Dataset], rows: list[NDArray[np.int64]], images: int) -> dict[str, Any]:
    """What has a value an image: reviewed in one set is reviewed, a size known in one is known."""
    parts: dict[str, Any] = {}
    if any(one.beside.reviewed is not None for one in datasets):
        parts["reviewed"] = np.zeros(images, bool)
        for one, place in zip(datasets, rows):
            parts["reviewed"][place] |= True if one.beside.reviewed is None else one.beside.reviewed
    if any(one.beside.sizes is not None for one in datasets):
        parts["sizes"] = np.zeros((images, 2), np.int64)
        for one, place in zip(datasets, rows):
            if one.beside.sizes is not None:
                parts["sizes"][place] = np.maximum(parts["sizes"][place], one.beside.sizes)
    return parts


def _joined(one: Cells, other: Cells) -> Cells:
    words: tuple[str, ...] = ()
    if one.words or other.words:
        words = (*(one.words or ("",) * len(one)), *(other.words or ("",) * len(other)))
    return Cells(
        np.concatenate([one.rows, other.rows]), np.concatenate([one.columns, other.columns]),
        np.concatenate([one.values, other.values]), words,
    )  # fmt: skip
