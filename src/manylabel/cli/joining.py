"""Scores and labels as the commands take them: read, joined, and every mistake said."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from manylabel.cli.reading import read
from manylabel.labels import LabelTable, ManylabelError

if TYPE_CHECKING:
    from manylabel.data import Dataset
    from manylabel.scores import ScoreFile, TopFile

SCORES = "Score file: .npz; .csv, .tsv or .parquet with columns image,<class>,... or image,label,score."
KIND = "What a table of scores holds: 'logit', 'probability' or 'percent'."


def joined(scores: Path, labels: str | None, kind: str | None, reading: dict[str, Any]) -> tuple[ScoreFile, Any, int]:
    """As `opened`, lists made a table."""
    from manylabel.scores import TopFile

    file, counts, images = opened(scores, labels, kind, reading)
    if isinstance(file, TopFile):
        typer.echo("note: classes that are not listed for an image count as scored below all that are", err=True)
        return file.dense(), counts, images
    return file, counts, images


def opened(
    scores: Path, labels: str | None, kind: str | None, reading: dict[str, Any], *, strict: bool = False
) -> tuple[ScoreFile | TopFile, Any, int]:
    """A score file with labels, the training counts (C,) that the labels hold or None, and the training images.

    What was left out and what did not match is printed; with `strict` it is an error.
    """
    from manylabel.scores.loading import read as load

    file = load(scores, kind, mistakes="error" if strict else "leave")
    counts, images, notes = None, 0, list(file.notes)
    if labels is not None:
        dataset = read(labels, {**reading, "mistakes": "error" if strict else "leave"})
        notes += said_of(labels, dataset)
        before = len(file.notes)
        file = labelled(file, dataset, reading)
        notes += file.notes[before:]
        if (dataset.split == "train").any():
            counts = counts_by_name(dataset.rows(dataset.split == "train").labels, file.names)
            images = int((dataset.split == "train").sum())
    if file.labels is None:
        raise ManylabelError(f"{scores} holds no labels; give a label file: SCORES LABELS")
    if strict and (aside := [note for note in notes if " scored " in note and "left aside" in note]):
        raise ManylabelError(f"{scores}: {'; '.join(aside)}")
    notes += only_positives(file)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    return dataclasses.replace(file, notes=tuple(notes)), counts, images


def said_of(labels: str, dataset: Dataset) -> list[str]:
    """Notes on a label file: its mistakes, and what was read in another way than it is written."""
    other = [note.removesuffix(".") for note in dataset.notes if " read as " in note]
    return [f"{labels}: {note}" for note in (*other, *dataset.mistakes)]


def only_positives(file: ScoreFile | TopFile) -> list[str]:
    """A note where no label says absent: precision and AP of positives alone are 1 whatever the scores."""
    from manylabel.labels import ABSENT, PRESENT
    from manylabel.sparse import SparseLabels

    labels = file.labels
    states = labels.states if isinstance(labels, SparseLabels) else labels
    if states is None or not (states == PRESENT).any() or (states == ABSENT).any():
        return []
    if isinstance(labels, SparseLabels) and labels.default == ABSENT:
        return []
    return [
        "no label says absent, so precision and AP are 1 whatever the scores; if a blank (0 in a .npz) means absent,"
        " write 0 (-1 in a .npz)"
    ]


def labelled(file: ScoreFile | TopFile, dataset: Dataset, reading: dict[str, Any]) -> ScoreFile | TopFile:
    """The scores with the labels of a file; complete lists say that what they never name is absent."""
    from manylabel.labels import ABSENT, UNKNOWN
    from manylabel.scores import TopFile
    from manylabel.scores.join import join, join_top

    complete = dataset.kind != "csv-wide" and reading.get("unlisted", "absent") == "absent"
    unlisted = ABSENT if complete else UNKNOWN
    if isinstance(file, TopFile):
        return join_top(file, dataset.labels, unlisted=unlisted)
    return join(file, dataset.labels, unlisted=unlisted)


def counts_by_name(table: LabelTable, names: Any, *, source: str = "") -> np.ndarray:
    """Positives of each class in `names`; a class the table does not have counts 0, which is said of a `source`."""
    from manylabel.scores.join import CLASSES, match

    place = match([str(name) for name in names], table.names, CLASSES)[0]
    lost = [str(name) for name, k in zip(names, place) if k < 0]
    if source and len(lost) == len(place):
        raise ManylabelError(f"{source}: holds no scored class: it has {', '.join(table.names[:3])}, not {lost[0]}")
    if source and lost:
        more = ", ..." if len(lost) > 3 else ""
        typer.echo(f"note: {source} holds no training label of {', '.join(lost[:3])}{more}: counted as 0", err=True)
    return np.where(place >= 0, table.counts[place], 0).astype(np.int64)
