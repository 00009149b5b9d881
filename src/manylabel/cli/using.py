"""`score` and `predict`: a trained run on images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from manylabel.cli.reading import read, takes_reading
from manylabel.labels import ManylabelError


@takes_reading
def score(
    run: Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN")],
    data: Annotated[str, typer.Argument(help="CSV file or folder.", metavar="DATA")],
    reading: dict[str, Any],
    out: Annotated[Path, typer.Option(help="Score file to write: .npz with the labels, or .csv.")],
    split: Annotated[str | None, typer.Option(help="Only this part: train, val or test.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Also print metrics with these decisions instead of the run's own.")
    ] = None,
) -> None:
    """Score images with a trained run and write a score file.

    Example: `manylabel score runs/x photos/labels.csv --split test --out scores.npz`
    """
    from manylabel.cli.evaluating import report_numbers
    from manylabel.model import load
    from manylabel.scoring import score_dataset

    if out.suffix not in (".npz", ".csv"):
        raise ManylabelError(f"--out {out}: a score file ends in .npz or .csv")
    file, notes = score_dataset(load(run), read(data, reading), split=split)
    (replace(file, labels=None) if out.suffix == ".csv" else file).save(out)  # a CSV has no place for labels
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(f"{len(file.ids):,} images x {len(file.names):,} classes written to {out}")
    if decisions is not None:
        report_numbers(file, decisions=decisions)


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
