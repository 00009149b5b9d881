"""`audit`: suspected label errors as a list to review, and the review carried out. Imports torch only for --folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli import tooling
from manylabel.cli.classes import read_parents
from manylabel.cli.deciding import decide
from manylabel.cli.joining import KIND, labelled, said_of
from manylabel.cli.reading import read, takes_reading
from manylabel.cli.reviewing import carry_out
from manylabel.hierarchy import from_pairs
from manylabel.labels import UNKNOWN, LabelTable, ManylabelError

if TYPE_CHECKING:
    from manylabel.audits.duplicates import Groups
    from manylabel.audits.findings import Finding
    from manylabel.data import Dataset
    from manylabel.scores import ScoreFile


@takes_reading
def audit(
    scores: Annotated[
        Path,
        typer.Argument(
            help="Score file of images the model was not trained on; with --folds, a label file or a folder;"
            " with --apply, the findings, or what a labelling tool exported."
        ),
    ],
    reading: dict[str, Any],
    labels: Annotated[
        str | None,
        typer.Argument(help="Label file or folder; not needed where SCORES holds labels.", metavar="[LABELS]"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Findings to write; with --apply, the corrected labels.")] = Path(
        "findings.csv"
    ),
    kind: Annotated[str | None, typer.Option(help=KIND)] = None,
    pooling: Annotated[str, typer.Option(help="Label quality of an image: min, softmin, ema or mean.")] = "min",
    least: Annotated[float, typer.Option(help="How constant a companion must be for its absence to count.")] = 0.9,
    images: Annotated[
        bool, typer.Option("--images", help="Open the images of LABELS to find near-identical ones that disagree.")
    ] = False,
    hierarchy: Annotated[
        Path | None, typer.Option(help="CSV with columns class,parent: a class wants all above it.")
    ] = None,
    stats: Annotated[
        Path | None, typer.Option(help="Write a CSV of the classes: unknown, expected, how often annotated.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report with the suspected errors here.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="Encode the photos and score them by this many folds, such as 5.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="With --folds: see `manylabel methods`; by default ridge.")] = None,
    encoder: Annotated[str | None, typer.Option(help="With --folds: see `manylabel encoders`.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="With --folds: section.key=value, as for train; may be repeated.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="With --folds, score file (.npz) to write; with --apply, one to judge by the review."
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out the verdicts of a reviewed findings file on LABELS.")
    ] = False,
    label_studio: tooling.LabelStudio = None,
    fiftyone: tooling.FiftyOne = None,
    url_prefix: tooling.UrlPrefix = None,
) -> None:
    """List labels that are likely wrong, with reasons; after a review, write a corrected copy of the labels.

    Fill in the column `verdict` with accept, reject or unknown, then run
    `manylabel audit findings.csv labels.csv --apply --out corrected.csv`. Logits are calibrated out of fold. The
    original labels are never touched. Without scores, `manylabel audit labels.csv --folds 5` makes them: every image
    is scored by a model of the others.

    Example: `manylabel audit scores.npz labels.csv --out findings.csv`
    """
    tools = tooling.Tools(label_studio, fiftyone, url_prefix)
    if apply:
        refuse("leave out with --apply:", **{"--label-studio": label_studio, "--fiftyone": fiftyone})
        return carry_out(scores, labels, out, reading, keep)
    if folds is not None:
        refuse("labels are the first argument with --folds; leave out", LABELS=labels)
        subject = by_folds(scores, reading, folds, method or "ridge", encoder, set_ or [])
        kept = subject.file.save(keep or out.with_suffix(".scores.npz"))
        typer.echo(f"scores of every image by a model of the others: {kept}")
    else:
        refuse("only with --folds:", **{"--method": method, "--encoder": encoder, "--set": set_, "--scores": keep})
        subject = by_scores(scores, labels, kind, reading)
    from manylabel.audits import findings

    groups = look_alike(subject) if images else None
    names = list(subject.table.names)
    parents = None if hierarchy is None else from_pairs(read_parents(hierarchy, names), names)
    found = findings.find(
        subject.table, subject.probabilities, parents=parents, groups=groups, least=least, pooling=pooling
    )
    findings.write(out, found)
    tools.suspected(found, subject.table, subject.paths, root=reading.get("root"))
    tell_findings(found, subject.table, out)
    tell_stats(subject, stats)
    if report is not None:
        write_report(report, subject, found)
    return None


@dataclass(frozen=True)
class Subject:
    """What is audited: scores with labels, probabilities (N, C), and the image file of each row where it is known."""

    file: ScoreFile
    probabilities: np.ndarray
    paths: Sequence[Path] | None = None

    @property
    def table(self) -> LabelTable:
        return self.file.table()


def refuse(why: str, **given: Any) -> None:
    """An error where an option was given that has no meaning here."""
    for name, value in given.items():
        if value is not None:
            raise ManylabelError(f"{why} {name} (got {value})")


def by_scores(scores: Path, labels: str | None, kind: str | None, reading: dict[str, Any]) -> Subject:
    """Anybody's scores, beside the labels of a file or their own; images and classes as the label file names them."""
    from manylabel.scores import TopFile
    from manylabel.scores.join import CLASSES, IMAGES, match
    from manylabel.scores.loading import read as load

    loaded = load(scores, kind, mistakes="leave")
    dataset = None if labels is None else read(labels, {**reading, "mistakes": "leave"})
    notes = [] if dataset is None or labels is None else said_of(labels, dataset)
    joined = loaded if dataset is None else labelled(loaded, dataset, reading)
    if joined.labels is None:
        raise ManylabelError(f"{scores} holds no labels; give a label file: SCORES LABELS")
    for note in (*notes, *joined.notes):
        typer.echo(f"note: {note}", err=True)
    file = joined.dense() if isinstance(joined, TopFile) else joined
    if dataset is None:
        return Subject(file, probabilities_of(file))
    rows = match(file.ids.tolist(), dataset.labels.ids, IMAGES)[0]
    columns = match(file.names.tolist(), dataset.labels.names, CLASSES)[0]
    names = [dataset.labels.names[c] if c >= 0 else str(own) for c, own in zip(columns, file.names)]
    file = replace(file, ids=np.array([dataset.labels.ids[r] for r in rows]), names=np.array(names))
    return Subject(file, probabilities_of(file), tuple(dataset.paths[r] for r in rows))


def by_folds(
    data: Path, reading: dict[str, Any], folds: int, method: str, encoder: str | None, items: list[str]
) -> Subject:
    """Probabilities of every image by a model of the other folds, on features of the cache."""
    from manylabel import encoders, methods, progress
    from manylabel.config import merge, parse_set
    from manylabel.encoders.cache import encode
    from manylabel.loops.out_of_fold import score_dataset
    from manylabel.loops.sources import FeatureSource
    from manylabel.loops.train import fit
    from manylabel.plan import plan
    from manylabel.run import make_method
    from manylabel.scores import ScoreFile

    options = merge({"data": reading, "encoder": {"name": encoder} if encoder else {}}, parse_set(items))
    made = plan(data, method=method, options=options)
    if made.encoder.finetune or made.settings.devices * made.settings.nodes > 1:
        raise ManylabelError("--folds scores frozen features in one process: leave out finetune, devices and nodes")
    dataset, wanted = read(str(data), reading), made.encoder
    network = encoders.load(wanted.name, image_size=wanted.image_size, normalise=wanted.normalise, flip=wanted.flip)
    cached = encode(dataset.paths, network, precision=wanted.precision)
    left_out(dataset, cached.errors)
    kept = np.flatnonzero(cached.ok)
    dataset = dataset.rows(kept)

    logits = score_dataset(
        dataset, FeatureSource(cached, kept, dataset.labels.state, grid=False), folds,
        make=lambda part: make_method(made, part, network)[0], fit=getattr(methods.load(made.method), "train", fit),
        settings=made.settings, progress=progress.training,
    )  # fmt: skip
    table = dataset.labels
    file = ScoreFile(np.array(table.ids), np.array(table.names), logits, "logit", table.state)
    calibrated = replace(file, scores=probabilities_of(file), kind="probability")
    return Subject(calibrated, calibrated.scores, dataset.paths)


def left_out(dataset: Dataset, errors: dict[int, str]) -> None:
    """Say which images cannot be scored; the audit is of the others."""
    from manylabel.audits import told

    lost = [f"{dataset.place(row)}: {errors[row]}" for row in sorted(errors)]
    if len(lost) == len(dataset):
        raise ManylabelError(f"none of {len(lost):,} images can be read: {lost[0]}; --root says where the images are")
    if lost:
        typer.echo(f"note: {len(lost):,} images cannot be read and are left out: {told.some(lost)}", err=True)


def probabilities_of(file: ScoreFile, *, anew: bool = False) -> np.ndarray:
    """(N, C) of a score file with labels, see `audits.calibrated`; says where logits cannot be calibrated."""
    from manylabel.audits.calibrated import probabilities
    from manylabel.audits.findings import calibratable

    assert file.labels is not None
    if file.kind == "logit" and not anew and not calibratable(file.labels):
        typer.echo("note: too few known positives or negatives: logits are not calibrated", err=True)
    return probabilities(file.scores, file.labels, kind=file.kind, anew=anew)


def look_alike(subject: Subject) -> Groups:
    """Near-identical images among those of the label file; what cannot be read is named, and the audit goes on."""
    from manylabel import progress
    from manylabel.audits import pictures, told

    if subject.paths is None:
        raise ManylabelError("--images opens the files that a label file names; give one: SCORES LABELS")
    with progress.bar("open images", len(subject.paths)) as advance:
        looked = pictures.look(subject.paths, progress=lambda done, total: advance(1, ""))
    lost = [f"{subject.file.ids[row]} ({why})" for row, why in sorted(looked.problems.items())]
    if lost:
        hint = "; --root says where the images are" if len(lost) == len(subject.paths) else ""
        typer.echo(
            f"note: {len(lost):,} of {len(subject.paths):,} images not compared: {told.some(lost)}{hint}", err=True
        )
    groups = looked.groups()
    typer.echo(f"{sum(map(len, groups)):,} images in {len(groups):,} groups show the same")
    return groups


def tell_findings(found: list[Finding], table: LabelTable, out: Path) -> None:
    """The most suspicious labels, and what there is of each kind."""
    from manylabel.audits import told

    for line in told.worst(found):
        typer.echo(line)
    known = int(np.count_nonzero(table.state))
    share = 100 * len(found) / max(known, 1)
    typer.echo(f"{len(found):,} of {known:,} known labels are suspicious ({share:.2f} %): {out}")
    if found:
        typer.echo(told.kinds(found))


def tell_stats(subject: Subject, out: Path | None) -> None:
    """How complete the labels are and which classes annotators forget; as a CSV where asked."""
    from manylabel.audits import bias, told
    from manylabel.cli.tables import columns

    file, table = subject.file, subject.table
    typer.echo(told.completeness(table))
    if out is None and (table.state != UNKNOWN).all():
        return
    p = probabilities_of(file, anew=True) if (table.state == UNKNOWN).any() else subject.probabilities
    found = bias.mentions(table.state, p if file.missing is None else np.where(file.missing, 0.0, p))
    if rows := told.forgotten(table.names, found):
        typer.echo("forgotten most often, by the model's expectation:\n" + columns(rows))
    if out is not None:
        typer.echo(f"classes: {bias.write(out, table, found)}")


def write_report(path: Path, subject: Subject, found: list[Finding]) -> None:
    """The page of `evaluate` with a gallery of the suspected errors."""
    from manylabel import metrics, report
    from manylabel.config import command_line

    chances = subject.probabilities.astype(np.float32)  # what the findings rest on, at one half
    file = replace(subject.file, scores=chances, kind="probability")
    assert file.labels is not None
    decided = decide(None, file)
    numbers = metrics.evaluate(
        file.scores, file.labels, names=file.names.tolist(), decisions=decided.decisions,
        thresholds=decided.thresholds, probabilities=chances,
    )  # fmt: skip
    data = report.ReportData(
        title="Label errors", scores=file, metrics=numbers, findings=found, **decided.shown,
        pictures=pictures_of(subject), command=command_line(), notes=list(file.notes),
    )  # fmt: skip
    typer.echo(f"report: {report.write(path, data)}")


def pictures_of(subject: Subject) -> Any:
    """Image -> small JPEG, or None where no image file is known."""
    if subject.paths is None:
        return None
    from manylabel.data.images import thumbnail_jpeg

    paths = dict(zip(subject.file.ids.tolist(), subject.paths))
    return lambda image: thumbnail_jpeg(paths[image], 160)
