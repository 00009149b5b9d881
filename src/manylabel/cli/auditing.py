"""`audit`: suspected label errors as a list to review, and the review carried out. Never imports torch."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.evaluating import joined
from manylabel.cli.reading import read, takes_reading
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

if TYPE_CHECKING:
    from manylabel.audits.findings import Change
    from manylabel.labels import LabelTable

SHOWN = 10


@takes_reading
def audit(
    scores: Annotated[
        Path, typer.Argument(help="Score file of images the model was not trained on; with --apply, the findings.")
    ],
    reading: dict[str, Any],
    labels: Annotated[
        str | None,
        typer.Argument(help="Label file or folder; not needed where SCORES holds labels.", metavar="[LABELS]"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Findings to write; with --apply, the corrected labels.")] = Path(
        "findings.csv"
    ),
    kind: Annotated[str | None, typer.Option(help="What a .csv holds: 'logit' or 'probability'.")] = None,
    pooling: Annotated[str, typer.Option(help="Label quality of an image: min, softmin, ema or mean.")] = "min",
    least: Annotated[float, typer.Option(help="How constant a companion must be for its absence to count.")] = 0.9,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out the verdicts of a reviewed findings file on LABELS.")
    ] = False,
) -> None:
    """List labels that are likely wrong, with reasons; after a review, write a corrected copy of the labels.

    Fill in the column `verdict` with accept, reject or unknown, then run
    `manylabel audit findings.csv labels.csv --apply --out corrected.csv`. Logits are calibrated out of fold. The
    original labels are never touched.

    Example: `manylabel audit scores.npz labels.csv --out findings.csv`
    """
    if apply:
        return carry_out(scores, labels, out, reading)
    from manylabel.audits import findings
    from manylabel.labels import LabelTable

    file, _, _ = joined(scores, labels, kind, reading)
    assert file.labels is not None
    table = LabelTable(file.labels, tuple(file.names.tolist()), tuple(file.ids.tolist()))
    probabilities = file.scores if file.kind == "probability" else findings.out_of_fold(file.scores, file.labels)
    found = findings.find(table, probabilities, least=least, pooling=pooling)
    findings.write(out, found)
    for one in found[:SHOWN]:
        typer.echo(f"{one.rank:>4}. {one.image}: {one.label} is {one.given}, likely {one.suggested}: {one.reasons}")
    known = int((table.state != UNKNOWN).sum())
    share = 100 * len(found) / max(known, 1)
    typer.echo(f"{len(found):,} of {known:,} known labels are suspicious ({share:.2f} %): {out}")
    return None


def carry_out(path: Path, labels: str | None, out: Path, reading: dict[str, Any]) -> None:
    """Write the corrected labels and, beside them, what was changed and why."""
    from manylabel.audits import findings

    if labels is None:
        raise ManylabelError("--apply wants FINDINGS and the LABELS that were audited, and --out NEW.csv")
    if out.suffix != ".csv" or out.resolve() in (Path(labels).resolve(), path.resolve()):
        raise ManylabelError(f"--out {out}: give a new .csv; the original is never touched")
    dataset = read(labels, reading)
    reviewed = findings.read(path)
    table, changes = findings.apply(dataset.labels, reviewed)
    write_wide(out, table, dict(zip(dataset.labels.ids, dataset.split.tolist())))
    provenance = out.with_suffix(".changes.csv")
    write_changes(provenance, changes, path, labels)
    seen = sum(one.verdict != "" for one in reviewed)
    typer.echo(f"{len(changes)} labels changed, {seen} of {len(reviewed)} findings reviewed: {out}")
    typer.echo(f"changes: {provenance}")


def write_wide(path: Path, table: LabelTable, split: dict[str, str]) -> None:
    """A wide CSV: 1 present, 0 absent, blank unknown; with the parts where there are any."""
    parts = any(split.values())
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", *(["split"] if parts else []), *table.names])
        for image, row in zip(table.ids, table.state.tolist()):
            cells = ["" if cell == UNKNOWN else str(int(cell == PRESENT)) for cell in row]
            writer.writerow([image, *([split[image]] if parts else []), *cells])


def write_changes(path: Path, changes: list[Change], reviewed: Path, labels: str) -> None:
    """What was changed, on whose word and when."""
    from manylabel.audits.findings import Change

    about = {"findings": str(reviewed), "labels": labels, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*(field.name for field in fields(Change)), *about])
        writer.writeheader()
        writer.writerows({**asdict(change), **about} for change in changes)
