"""`evaluate`: from a score file, anybody's, to metrics and a report. Never imports torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.reading import read, takes_reading
from manylabel.labels import LabelTable, ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.scores import ScoreFile


@takes_reading
def evaluate(
    scores: Annotated[
        Path, typer.Argument(help="Score file: .npz, or .csv with header image,<class>,...", metavar="SCORES")
    ],
    reading: dict[str, Any],
    labels: Annotated[
        str | None,
        typer.Argument(help="Label file or folder; not needed where SCORES holds labels.", metavar="[LABELS]"),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="What a .csv holds: 'logit' or 'probability'.")] = None,
    train: Annotated[str | None, typer.Option(help="Labels of the training images, for head, medium and tail.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="labels.json of a run, or a file with names and thresholds.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Print every metric there is, not only the headline.")] = False,
) -> None:
    """Evaluate anybody's scores: mAP, head/medium/tail, CP CR CF1 OP OR OF1, with intervals.

    Example: `manylabel evaluate scores.csv labels.csv --kind probability --report report.html`
    """
    from manylabel.scores import load

    file = load(scores, kind)
    counts, images = None, 0
    if labels is not None:
        dataset = read(labels, reading)
        file = file.with_labels(dataset.labels)
        if (dataset.split == "train").any():
            counts = counts_by_name(dataset.rows(dataset.split == "train").labels, file.names)
            images = int((dataset.split == "train").sum())
    if file.labels is None:
        raise ManylabelError(f"{scores} holds no labels; give a label file: manylabel evaluate {scores} LABELS")
    if train is not None:
        known = read(train, reading)
        rows = known.split == "train" if (known.split == "train").any() else np.ones(len(known), bool)
        counts, images = counts_by_name(known.labels.rows(rows), file.names), int(rows.sum())
    for note in file.notes:
        typer.echo(f"note: {note}", err=True)
    report_numbers(
        file, decisions=decisions, counts=counts, train_images=images, json_path=json_, report_path=report, all_=all_
    )


def counts_by_name(table: LabelTable, names: Any) -> np.ndarray:
    """Positives of each class in `names`; a class the table does not have counts 0."""
    counts = dict(zip(table.names, table.counts.tolist()))
    return np.array([counts.get(str(name), 0) for name in names], dtype=np.int64)


def report_numbers(
    file: ScoreFile, *, decisions: Path | None = None, counts: Any = None, train_images: int = 0,
    json_path: Path | None = None, report_path: Path | None = None, all_: bool = False,
) -> None:  # fmt: skip
    """Print the metrics of a score file with labels, and write them where asked."""
    from manylabel import metrics
    from manylabel.cli.tables import further, headline
    from manylabel.config import command_line

    assert file.labels is not None
    thresholds = read_thresholds(decisions, file)
    numbers = metrics.evaluate(
        file.scores, file.labels, names=file.names.tolist(), train_counts=counts,
        decisions=file.scores >= thresholds, thresholds=thresholds, train_images=train_images,
        probabilities=file.scores if file.kind == "probability" else None,
    )  # fmt: skip
    typer.echo(headline(numbers))
    if all_:
        typer.echo(further(numbers))
    if decisions is None:
        typer.echo(f"decisions: {file.kind} >= {thresholds[0]:g} for every class; give --decisions for your own")
    if json_path is not None:
        json_path.write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        typer.echo(f"numbers: {json_path}")
    if report_path is not None:
        from manylabel import report

        data = report.ReportData(
            title="Evaluation", scores=file, metrics=numbers, thresholds=thresholds,
            parts={"test": file.labels}, command=command_line(), notes=list(file.notes),
        )  # fmt: skip
        typer.echo(f"report: {report.write(report_path, data)}")


def read_thresholds(path: Path | None, file: ScoreFile) -> np.ndarray:
    """(C,) thresholds in the order of the score file's classes; logit 0 or probability 0.5 without a file."""
    if path is None:
        return np.full(len(file.names), 0.0 if file.kind == "logit" else 0.5)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        table = dict(zip(content["names"], content["thresholds"], strict=True))
    except FileNotFoundError:
        raise ManylabelError(f"there is no file {path}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ManylabelError(
            f"{path} is no decisions file: it wants names and thresholds of equal length ({error})"
        ) from None
    kind = content.get("kind", file.kind)
    if kind != file.kind:
        raise ManylabelError(f"{path} holds thresholds for scores of kind {kind!r}, and these scores are {file.kind!r}")
    for name in file.names.tolist():
        if name not in table:
            raise ManylabelError(f"{path} has no threshold for class {name!r}.{did_you_mean(name, table)}")
    return np.array([table[name] for name in file.names.tolist()], dtype=np.float64)
