"""The files a review leaves: corrected labels, and beside them what was changed, on whose word and when."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

from manylabel.audits.accepted import completed, major_slice
from manylabel.audits.findings import Change, Finding, apply
from manylabel.data.dataset import Dataset
from manylabel.labels import PRESENT, UNKNOWN, LabelTable

CELLS = {-1: "0", UNKNOWN: "", PRESENT: "1"}


def write_wide(path: str | Path, table: LabelTable, split: Mapping[str, str]) -> Path:
    """Write a wide CSV: 1 present, 0 absent, blank unknown; with a column of the parts where there are any.

    Arguments:
        path: file to write.
        table: the labels.
        split: image -> "train", "val", "test" or "".

    >>> import numpy as np, tempfile
    >>> table = LabelTable(np.array([[1, -1], [0, 1]], np.int8), ("cat", "dog"), ("a", "b"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wide(Path(folder) / "labels.csv", table, {"a": "train", "b": ""}).read_text().splitlines()
    ['image,split,cat,dog', 'a,train,1,0', 'b,,,1']
    """
    path = Path(path)
    parts = any(split.get(image) for image in table.ids)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", *(["split"] if parts else []), *table.names])
        for image, row in zip(table.ids, table.state):
            own = [split.get(image, "")] if parts else []
            writer.writerow([image, *own, *(CELLS[cell] for cell in row.tolist())])
    return path


def write_changes(path: str | Path, changes: Iterable[Change], *, findings: str, labels: str) -> Path:
    """Write every change as a row, with the findings file, the label file and the time (UTC)."""
    path = Path(path)
    about = {"findings": findings, "labels": labels, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*(field.name for field in fields(Change)), *about])
        writer.writeheader()
        writer.writerows({**asdict(change), **about} for change in changes)
    return path


def audited(dataset: Dataset, reviewed: Sequence[Finding], *, unlisted: str = "absent") -> LabelTable:
    """The table that findings are about: that of the file, and where its lists are complete the classes nobody listed.

    Arguments:
        dataset: as it is read now.
        reviewed: the findings.
        unlisted: what a label is that a row does not list: "absent" or "unknown".
    """
    complete = dataset.kind != "csv-wide" and unlisted == "absent"
    return completed(dataset.labels, reviewed) if complete else dataset.labels


def write_review(
    out: Path, table: LabelTable, reviewed: Sequence[Finding], *, split: Mapping[str, str], findings: str, labels: str
) -> list[str]:
    """Write the corrected labels to `out`, beside it the changes and, where there is one, the major slice.

    Arguments:
        out: NAME.csv; the others are NAME.changes.csv and NAME.major.csv.
        table: the labels that were audited.
        reviewed: the findings with their verdicts.
        split: as for `write_wide`.
        findings, labels: the files that `reviewed` and `table` came from, for the changes.

    Returns:
        A line on each file. Raises ManylabelError as `findings.apply` does, before anything is written.
    """
    after, changes = apply(table, reviewed)
    seen = sum(one.verdict != "" for one in reviewed)
    write_wide(out, after, split)
    changed = write_changes(out.with_suffix(".changes.csv"), changes, findings=findings, labels=labels)
    lines = [
        f"{len(changes)} labels changed, {seen} of {len(reviewed)} findings reviewed: {out}",
        f"changes: {changed}",
    ]
    major = major_slice(table, reviewed)
    if len(major):
        written = write_wide(out.with_suffix(".major.csv"), major, split)
        lines.append(f"{len(major):,} images with a major mistake of the model, to be asked again: {written}")
    return lines
