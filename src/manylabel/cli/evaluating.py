"""`evaluate`: from a score file, anybody's, to metrics and a report. Never imports torch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.classes import read_groups, read_parents
from manylabel.cli.deciding import cuts_of_lists, decide
from manylabel.cli.joining import KIND, SCORES, counts_by_name, opened
from manylabel.cli.reading import read, takes_reading
from manylabel.hierarchy import Parents, from_pairs
from manylabel.labels import UNKNOWN, ManylabelError

if TYPE_CHECKING:
    from manylabel.scores import ScoreFile, TopFile

SLOW = 10_000_000  # cells from which measuring takes long enough to be watched


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
    hierarchy: Annotated[
        Path | None, typer.Option(help="CSV with columns class,parent: precision and recall that it completes.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="What `tune` wrote, labels.json of a run, or a file with names and thresholds.")
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
        counts, images = counts_by_name(known.labels.rows(rows), file.names, source=train), int(rows.sum())
    names = file.names.tolist()
    about = About(
        counts, images, None if groups is None else read_groups(groups, names),
        None if hierarchy is None else from_pairs(read_parents(hierarchy, names), names),
    )  # fmt: skip
    wanted = Wanted(decisions, json_, report, all_)
    if isinstance(file, TopFile):
        report_lists(file, about, wanted)
    else:
        report_numbers(file, about, wanted)


@dataclasses.dataclass(frozen=True)
class About:
    """What is known of the classes besides their scores: training positives (C,), training images, groups, parents."""

    counts: Any = None
    images: int = 0
    grouping: list[str | None] | None = None
    parents: Parents | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As `metrics.evaluate` takes it."""
        return {"train_counts": self.counts, "train_images": self.images, "grouping": self.grouping}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The file of decisions, where numbers and report go, and whether every metric is printed."""

    decisions: Path | None = None
    json: Path | None = None
    report: Path | None = None
    all: bool = False


def report_numbers(
    file: ScoreFile, about: About = About(), wanted: Wanted = Wanted(), *, lists: bool = False
) -> None:  # fmt: skip
    """Print the metrics of a score file with labels, and write them where asked.

    `lists` says that the table was made from lists: then calibration cannot be judged.
    """
    from manylabel import metrics, progress
    from manylabel.config import command_line

    decided = decide(wanted.decisions, file)
    file = decided.file
    assert file.labels is not None
    with progress.bar("resample images", metrics.Settings().resamples, shown=file.scores.size > SLOW) as advance:
        numbers = metrics.evaluate(
            file.scores, file.labels, names=file.names.tolist(), decisions=decided.decisions,
            thresholds=decided.thresholds,
            probabilities=file.scores if file.kind == "probability" and not lists else None, **about.options,
            progress=lambda number: advance(number, ""),
        )  # fmt: skip
    if about.parents is not None:
        numbers["hierarchical"] = hierarchical(decided.decisions, file.labels, about.parents)
    say(numbers, file.kind, wanted)
    if wanted.report is not None:
        from manylabel import report

        data = report.ReportData(
            title="Evaluation", scores=file, metrics=numbers, parts={"test": file.labels}, command=command_line(),
            notes=list(file.notes), **decided.shown,
        )  # fmt: skip
        typer.echo(f"report: {report.write(wanted.report, data)}")


def hierarchical(decisions: np.ndarray, labels: np.ndarray, parents: Parents) -> dict[str, Any]:
    """Precision, recall and F that the hierarchy completes: means over images with intervals, and over all cells.

    Where a class is present and one above it absent, the latter is taken as unknown, and that is said.
    """
    from manylabel.audits.cooccurrence import hierarchy_violations
    from manylabel.metrics import Settings, count_hierarchical, hierarchical_precision_recall_f
    from manylabel.metrics.evaluation import mean_intervals
    from manylabel.metrics.hierarchical import micro
    from manylabel.metrics.more import number

    broken = hierarchy_violations(labels, parents)
    labels = labels.copy()
    for one in broken:
        labels[one.image, one.absent] = UNKNOWN
    if broken:
        typer.echo(
            f"note: {len(broken):,} labels are absent though a class below them is present; taken as unknown for the"
            " hierarchical numbers (`audit --hierarchy` lists them)", err=True,
        )  # fmt: skip
    counts = count_hierarchical(decisions, labels, parents)
    each, whole = hierarchical_precision_recall_f(counts), hierarchical_precision_recall_f(micro(counts))
    found = {key: number(values) for key, values in each.items()} | {f"{k}_micro": float(v) for k, v in whole.items()}
    plain = {key: None if np.isnan(value) else value for key, value in found.items()}
    return {**plain, "intervals": mean_intervals(dict(each), Settings())}


def report_lists(file: TopFile, about: About, wanted: Wanted) -> None:
    """The same for lists: as a table if it is small enough, else from the lists as they are."""
    from manylabel import metrics

    if file.fits:
        return report_numbers(file.dense(), about, wanted, lists=True)
    for option, given in (("--report", wanted.report), ("--hierarchy", about.parents)):
        if given is not None:
            raise ManylabelError(
                f"{option} looks at every class for every image, and {len(file):,} images by {len(file.names):,}"
                " classes are too many: leave it out; --json holds all other numbers"
            )
    assert file.labels is not None
    numbers = metrics.evaluate_lists(
        file.top, file.labels, names=file.names.tolist(), thresholds=cuts_of_lists(wanted.decisions, file),
        **about.options,
    )  # fmt: skip
    return say(numbers, file.kind, wanted)


def say(numbers: dict[str, Any], kind: str, wanted: Wanted) -> None:
    """Print numbers, and write them where asked."""
    from manylabel.cli.tables import further, headline

    typer.echo(headline(numbers))
    if wanted.all:
        typer.echo(further(numbers))
    if wanted.decisions is None:
        half = 0 if kind == "logit" else 0.5
        typer.echo(f"decisions: {kind} >= {half:g} for every class; give --decisions for your own")
    if wanted.json is not None:
        wanted.json.write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        typer.echo(f"numbers: {wanted.json}")
