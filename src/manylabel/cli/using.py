"""`score` and `predict`: a trained run on images."""

from __future__ import annotations

import csv
import json
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


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN")],
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.", metavar="IMAGE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image and line.")] = False,
) -> None:
    """Name what is in images: calibrated probabilities, and decisions with per-class thresholds.

    Example: `manylabel predict runs/x photo.jpg --json`
    """
    from manylabel.model import load

    files = expand(images)
    failed = 0
    for prediction in load(run).stream(files):
        failed += prediction.error is not None
        if as_json:
            typer.echo(json.dumps(prediction.as_dict(), ensure_ascii=False))
        elif prediction.error:
            typer.secho(f"{prediction.image}: error: {prediction.error}", fg="red", err=True)
        else:
            named = [f"{n} {100 * prediction.probabilities[n]:.0f} %" for n in prediction.labels]
            typer.echo(f"{prediction.image}: {', '.join(named) or '(no label)'}")
    if failed:
        typer.secho(f"{failed} of {len(files)} images could not be read", fg="red", err=True)
        raise typer.Exit(1)


def expand(paths: list[Path]) -> list[Path]:
    """Files as they are, folders as the images below them in order of name."""
    from manylabel.data.dataset import IMAGE_ENDINGS

    files: list[Path] = []
    for path in paths:
        below = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGE_ENDINGS) if path.is_dir() else [path]
        if not below:
            raise ManylabelError(f"there is no image in {path}")
        files.extend(below)
    return files
