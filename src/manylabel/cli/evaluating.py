"""`evaluate`: from a score file, anybody's, to metrics and a report. Never imports torch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.reading import read, takes_reading
from manylabel.labels import LabelTable, ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.data import Dataset
    from manylabel.scores import ScoreFile, TopFile


SCORES = "Score file: .npz; .csv, .tsv or .parquet with columns image,<class>,... or image,label,score."
KIND = "What a table of scores holds: 'logit', 'probability' or 'percent'."


@takes_reading
def evaluate(
    scores: Annotated[Path, typer.Argument(help=SCORES, metavar="SCORES")],
    reading: dict[str, Any],
    labels: Annotated[
        str | None,
        typer.Argument(help="Label file or folder; not needed where SCORES holds labels.", metavar="[LABELS]"),
    ] = None,
    kind: Annotated[str | None, typer.Option(help=KIND)] = None,
    train: Annotated[str | None, typer.Option(help="Labels of the training images, for head, medium and tail.")] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV with columns class,group: mAP of each group, whatever it is.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="labels.json of a run, or a file with names and thresholds.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Print every metric there is, not only the headline.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first mistake instead of leaving out what it spoils.")
    ] = False,
) -> None:
    """Evaluate anybody's scores: mAP, head/medium/tail, CP CR CF1 OP OR OF1, with intervals.

    What cannot be used in either file (cells without a number, images without labels, ...) is left out and said.

    Example: `manylabel evaluate scores.csv labels.csv --kind probability --report report.html`
    """
    from manylabel.scores import TopFile

    file, counts, images = opened(scores, labels, kind, reading, strict=strict)
    if train is not None:
        known = read(train, reading)
        rows = known.split == "train" if (known.split == "train").any() else np.ones(len(known), bool)
        counts, images = counts_by_name(known.labels.rows(rows), file.names), int(rows.sum())
    training = Training(counts, images, None if groups is None else read_groups(groups, file.names.tolist()))
    if isinstance(file, TopFile):
        report_lists(file, decisions, training, json_, report, all_)
    else:
        report_numbers(
            file, decisions=decisions, training=training, json_path=json_, report_path=report, all_=all_
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Training:
    """What is known of the classes besides their scores: training positives (C,), training images, groups (C,)."""

    counts: Any = None
    images: int = 0
    grouping: list[str | None] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As `metrics.evaluate` takes it."""
        return {"train_counts": self.counts, "train_images": self.images, "grouping": self.grouping}


def read_groups(path: Path, names: list[str]) -> list[str | None]:
    """The group of each class in a CSV with columns class,group; what does not match is printed."""
    from manylabel.data.sheet import read_sheet
    from manylabel.scores.join import CLASSES, match

    sheet = read_sheet(path)
    plain = {name.lower(): name for name in sheet.header}
    if not {"class", "group"} <= plain.keys():
        raise ManylabelError(f"{path}: expected the columns class and group, got {', '.join(sheet.header[:8])}")
    classes, groups = sheet.cells(plain["class"]), sheet.cells(plain["group"])
    place, _ = match(names, classes, CLASSES)
    lost = [name for name, k in zip(names, place) if k < 0 or not groups[k]]
    if len(lost) == len(names):
        raise ManylabelError(f"{path}: holds no group of a scored class, such as {names[0]!r}; it has {classes[0]!r}")
    if lost:
        typer.echo(
            f"note: {path} gives no group to {len(lost)} of {len(names)} classes: {', '.join(lost[:3])}", err=True
        )
    return [groups[k] or None if k >= 0 else None for k in place]


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


def report_numbers(
    file: ScoreFile, *, decisions: Path | None = None, training: Training = Training(), json_path: Path | None = None,
    report_path: Path | None = None, all_: bool = False, lists: bool = False,
) -> None:  # fmt: skip
    """Print the metrics of a score file with labels, and write them where asked.

    `lists` says that the table was made from lists: then calibration cannot be judged.
    """
    from manylabel import metrics
    from manylabel.config import command_line

    assert file.labels is not None
    decided, thresholds = read_decisions(decisions, file)
    numbers = metrics.evaluate(
        file.scores, file.labels, names=file.names.tolist(), decisions=decided, thresholds=thresholds,
        probabilities=file.scores if file.kind == "probability" and not lists else None, **training.options,
    )  # fmt: skip
    say(numbers, file.kind, decisions, json_path, all_=all_)
    if report_path is not None:
        from manylabel import report

        data = report.ReportData(
            title="Evaluation", scores=file, metrics=numbers, thresholds=shown(thresholds, file),
            parts={"test": file.labels}, command=command_line(), notes=list(file.notes),
        )  # fmt: skip
        typer.echo(f"report: {report.write(report_path, data)}")


def report_lists(
    file: TopFile, decisions: Path | None, training: Training, json_path: Path | None, report: Path | None, all_: bool
) -> None:
    """The same for lists: as a table if it is small enough, else from the lists as they are."""
    from manylabel import metrics

    if file.fits:
        return report_numbers(
            file.dense(), decisions=decisions, training=training, json_path=json_path, report_path=report, all_=all_,
            lists=True,
        )  # fmt: skip
    if report is not None:
        raise ManylabelError(
            f"--report draws every class for every image, and {len(file):,} images by {len(file.names):,} classes are"
            " too many: leave it out, --json holds all numbers"
        )
    limits = list_thresholds(decisions, file)
    assert file.labels is not None
    numbers = metrics.evaluate_lists(
        file.top, file.labels, names=file.names.tolist(), thresholds=limits, **training.options
    )
    return say(numbers, file.kind, decisions, json_path, all_=all_)


def say(numbers: dict[str, Any], kind: str, decisions: Path | None, json_path: Path | None, *, all_: bool) -> None:
    """Print numbers, and write them where asked."""
    from manylabel.cli.tables import further, headline

    typer.echo(headline(numbers))
    if all_:
        typer.echo(further(numbers))
    if decisions is None:
        typer.echo(
            f"decisions: {kind} >= {0 if kind == 'logit' else 0.5:g} for every class; give --decisions for your own"
        )
    if json_path is not None:
        json_path.write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        typer.echo(f"numbers: {json_path}")


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
    content = _content(path, file.kind)
    columns = _places(path, content["names"], file.names.tolist())
    names, place = file.names.tolist(), content["names"]
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


def list_thresholds(path: Path | None, file: TopFile) -> np.ndarray:
    """(C,) thresholds for lists."""
    if path is None:
        return np.full(len(file.names), 0.0 if file.kind == "logit" else 0.5)
    content = _content(path, file.kind)
    if "thresholds" not in content:
        raise ManylabelError(f"{path} decides over all classes together, which lists do not hold")
    cut = np.array([np.inf if t is None else t for t in content["thresholds"]], np.float64)
    return cut[_places(path, content["names"], file.names.tolist())]


def _places(path: Path, there: list[str], names: list[str]) -> np.ndarray:
    """Where each class stands in a decisions file."""
    place = {name: c for c, name in enumerate(there)}
    for name in names:
        if name not in place:
            raise ManylabelError(f"{path} has no threshold for class {name!r}.{did_you_mean(name, place)}")
    return np.array([place[name] for name in names])


def _content(path: Path, wanted: str) -> dict[str, Any]:
    """A decisions file, checked: of the wanted kind, with names, and thresholds of equal length or a decision."""
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
    if (kind := content.get("kind", wanted)) != wanted:
        raise ManylabelError(f"{path} holds decisions for scores of kind {kind!r}, and these scores are {wanted!r}")
    return content
