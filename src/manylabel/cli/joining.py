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
        notes += [f"{labels}: {mistake}" for mistake in dataset.mistakes]
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
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    return dataclasses.replace(file, notes=tuple(notes)), counts, images


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


def counts_by_name(table: LabelTable, names: Any) -> np.ndarray:
    """Positives of each class in `names`; a class the table does not have counts 0."""
    from manylabel.scores.join import CLASSES, match

    place = match([str(name) for name in names], table.names, CLASSES)[0]
    return np.where(place >= 0, table.counts[place], 0).astype(np.int64)
