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
    file, counts, images = joined(scores, labels, kind, reading)
    if train is not None:
        known = read(train, reading)
        rows = known.split == "train" if (known.split == "train").any() else np.ones(len(known), bool)
        counts, images = counts_by_name(known.labels.rows(rows), file.names), int(rows.sum())
    report_numbers(
        file, decisions=decisions, counts=counts, train_images=images, json_path=json_, report_path=report, all_=all_
    )


def joined(scores: Path, labels: str | None, kind: str | None, reading: dict[str, Any]) -> tuple[ScoreFile, Any, int]:
    """A score file with labels, the training counts (C,) that the labels hold or None, and the training images.

    What did not match is printed.
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
        raise ManylabelError(f"{scores} holds no labels; give a label file: SCORES LABELS")
    for note in file.notes:
        typer.echo(f"note: {note}", err=True)
    return file, counts, images


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
    decided, thresholds = read_decisions(decisions, file)
    numbers = metrics.evaluate(
        file.scores, file.labels, names=file.names.tolist(), train_counts=counts,
        decisions=decided, thresholds=thresholds, train_images=train_images,
        probabilities=file.scores if file.kind == "probability" else None,
    )  # fmt: skip
    typer.echo(headline(numbers))
    if all_:
        typer.echo(further(numbers))
    if decisions is None:
        cut = 0 if file.kind == "logit" else 0.5
        typer.echo(f"decisions: {file.kind} >= {cut:g} for every class; give --decisions for your own")
    if json_path is not None:
        json_path.write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        typer.echo(f"numbers: {json_path}")
    if report_path is not None:
        from manylabel import report

        data = report.ReportData(
            title="Evaluation", scores=file, metrics=numbers, thresholds=shown(thresholds, file),
            parts={"test": file.labels}, command=command_line(), notes=list(file.notes),
        )  # fmt: skip
        typer.echo(f"report: {report.write(report_path, data)}")


def shown(thresholds: np.ndarray | None, file: ScoreFile) -> np.ndarray | None:
    """Thresholds as the report draws them: one that is never reached stands just above the highest score."""
    if thresholds is None:
        return None
    above = np.nextafter(file.scores.max(axis=0, initial=0.0), np.inf, dtype=np.float32).astype(np.float64)
    return np.where(np.isinf(thresholds), above, thresholds)


def read_decisions(path: Path | None, file: ScoreFile) -> tuple[np.ndarray, np.ndarray | None]:
    """Decisions (N, C), and the thresholds (C,) behind them or None where a rule has none a class.

    Without a file: logit 0 or probability 0.5. A file is one that `tune` wrote, a run's labels.json, or anybody's with
    names and thresholds.
    """
    if path is None:
        cut = np.full(len(file.names), 0.0 if file.kind == "logit" else 0.5)
        return file.scores >= cut, cut
    content = _content(path)
    kind = content.get("kind", file.kind)
    if kind != file.kind:
        raise ManylabelError(f"{path} holds decisions for scores of kind {kind!r}, and these scores are {file.kind!r}")
    names, place = file.names.tolist(), {name: c for c, name in enumerate(content["names"])}
    for name in names:
        if name not in place:
            raise ManylabelError(f"{path} has no threshold for class {name!r}.{did_you_mean(name, place)}")
    columns = np.array([place[name] for name in names])
    if "thresholds" in content:
        cut = np.array([np.inf if t is None else t for t in content["thresholds"]], np.float64)[columns]
        return file.scores >= cut, cut
    if len(names) != len(place):
        aside = sorted(set(place) - set(names))
        raise ManylabelError(f"{path} decides over all its classes together, and these scores lack {', '.join(aside)}")
    from manylabel.decisions import from_dict

    ordered = np.empty_like(file.scores)
    ordered[:, columns] = file.scores
    return from_dict(content["decision"])(ordered)[:, columns], None


def _content(path: Path) -> dict[str, Any]:
    """A decisions file, checked: names, and thresholds of equal length or a decision."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = content["names"]
        if "decision" not in content or "thresholds" in content:
            pairs = zip(names, content["thresholds"], strict=True)
            content["thresholds"] = [None if cut is None else float(cut) for _, cut in pairs]
    except FileNotFoundError:
        raise ManylabelError(f"there is no file {path}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ManylabelError(
            f"{path} is no decisions file: it wants names and thresholds of equal length ({error})"
        ) from None
    assert isinstance(content, dict)
    return content
