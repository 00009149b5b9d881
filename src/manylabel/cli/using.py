"""`score`: a trained run on a data set."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.reading import read, reading_of, takes_reading
from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.data import Dataset


@takes_reading
def score(
    run: Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN")],
    data: Annotated[str, typer.Argument(help="CSV file or folder.", metavar="DATA")],
    reading: dict[str, Any],
    out: Annotated[Path, typer.Option(help="Score file to write: .npz with the labels, or .csv.")],
    split: Annotated[str | None, typer.Option(help="Only this part: train, val or test.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Also print metrics, with the thresholds of this file.")
    ] = None,
) -> None:
    """Score images with a trained run and write a score file; labels are read as they were for training.

    Example: `manylabel score runs/x photos/labels.csv --split test --out scores.npz`
    """
    from manylabel.cli.evaluating import Wanted, report_numbers
    from manylabel.config import read_toml
    from manylabel.model import load
    from manylabel.scoring import score_dataset

    if out.suffix not in (".npz", ".csv"):
        raise ManylabelError(f"--out {out}: a score file ends in .npz or .csv")
    trained = read_toml(run / "config.toml") if (run / "config.toml").exists() else {}
    dataset = read(data, {**reading_of(trained), **reading})
    if split is not None and not (dataset.split != "").any():
        dataset = as_trained(run, dataset)
    file, notes = score_dataset(load(run), dataset, split=split)
    (replace(file, labels=None) if out.suffix == ".csv" else file).save(out)  # a CSV has no place for labels
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(f"{len(file.ids):,} images x {len(file.names):,} classes written to {out}")
    if decisions is not None:
        report_numbers(file, wanted=Wanted(decisions))


def as_trained(run: Path, dataset: Dataset) -> Dataset:
    """The data set with the parts that training made, where its own file does not name any."""
    recorded = run / "split.csv"
    if not recorded.exists():
        raise ManylabelError(f"{dataset.source} names no parts, and {run} recorded none; leave --split out")
    with recorded.open(encoding="utf-8", newline="") as file:
        parts = {row["image"]: row["split"] for row in csv.DictReader(file)}
    new = [image for image in dataset.labels.ids if image not in parts]
    if new:
        typer.echo(
            f"note: {len(new):,} images were not there in training and belong to no part: {new[0]}, ...", err=True
        )
    return replace(dataset, split=np.array([parts.get(image, "") for image in dataset.labels.ids], dtype=np.str_))
