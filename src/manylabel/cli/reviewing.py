"""`audit --apply`: a review carried out on a copy of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from manylabel.cli.reading import read
from manylabel.labels import ManylabelError


def carry_out(path: Path, labels: str | None, out: Path, reading: dict[str, Any], scores: Path | None) -> None:
    """Write the corrected labels and, beside them, what was changed and why, and the slice of major mistakes."""
    from manylabel.audits import accepted, corrected, findings
    from manylabel.export import answers, returned
    from manylabel.scores import load

    if labels is None:
        raise ManylabelError("--apply wants FINDINGS and the LABELS that were audited, and --out NEW.csv")
    if out.suffix != ".csv" or out.resolve() in (Path(labels).resolve(), path.resolve()):
        raise ManylabelError(f"--out {out}: give a new .csv; the original is never touched")
    dataset, unlisted = read(labels, reading), reading.get("unlisted", "absent")
    if answers.tool_of(path) is None:
        reviewed = findings.read(path)
        before = corrected.audited(dataset, reviewed, unlisted=unlisted)
    else:
        review = returned.review(path, dataset, unlisted=unlisted)
        before, reviewed = review.table, review.findings
        for line in review.lines:
            typer.echo(line)
    split = dict(zip(before.ids, dataset.split.tolist()))
    for line in corrected.write_review(out, before, reviewed, split=split, findings=str(path), labels=labels):
        typer.echo(line)
    if scores is not None:
        after, _ = findings.apply(before, reviewed)
        shares = [100 * accepted.accepted_share(load(scores), table) for table in (before, after)]
        typer.echo(
            "highest-scored class accepted: {:.1f} % of images before the review, {:.1f} % after".format(*shares)
        )
