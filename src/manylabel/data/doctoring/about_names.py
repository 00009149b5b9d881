"""Findings on names: of classes that may be one class or none, and of images."""

from __future__ import annotations

import os
import re
import shlex
from collections import defaultdict

from manylabel.data.dataset import IMAGE_ENDINGS, Dataset
from manylabel.data.doctoring.finding import Example, Finding, many, of_classes, of_rows
from manylabel.data.files import Files

PAIRS = 20  # pairs of near names that have a finding each
SEPARATORS = re.compile(r"\s*[|;,/\t]\s*")
PLACEHOLDERS = {
    "", "-", "?", "n/a", "na", "nan", "null", "none", "nil", "undefined", "unknown", "unlabeled", "unlabelled", "todo",
    "tbd", "negative", "background", "no label", "no finding", "nothing", "normal", "empty",
}  # fmt: skip


def about_names(dataset: Dataset, near: list[tuple[str, str, str]]) -> list[Finding]:
    """All findings on names; `near` are the pairs of `near_names`."""
    return [*_near(near), *_joined(dataset), *_placeholders(dataset), *_endings(dataset), *_images(dataset)]


def _near(near: list[tuple[str, str, str]]) -> list[Finding]:
    found = []
    for a, b, how in near[:PAIRS]:
        text = f"Class names {a!r} and {b!r} differ in {how} only"
        do = f"If they are one class, join them with --rename {shlex.quote(f'{a}={b}')}."
        found.append(Finding("near_names", "warning", text, 2, [], do))
    if len(near) > PAIRS:
        text = f"{len(near) - PAIRS:,} more pairs of class names are nearly equal"
        said = [f"{a} / {b}" for a, b, _ in near[PAIRS:]]
        found.append(Finding("near_names", "warning", text, len(near) - PAIRS, of_classes(said), "See --rename."))
    return found


def _joined(dataset: Dataset) -> list[Finding]:
    """Names that hold a separator between two other names: two labels in one."""
    names = set(dataset.labels.names)
    said = []
    for name in dataset.labels.names:
        pieces = [piece for piece in SEPARATORS.split(name) if piece]
        if len(pieces) > 1 and any(piece in names for piece in pieces):
            said.append(name)
    text = f"{many(len(said), 'class name holds', 'class names hold')} other class names with a separator between"
    do = "Write one separator everywhere, or say which with --separator."
    return [Finding("joined_names", "warning", text, len(said), of_classes(said), do)] if said else []


def _placeholders(dataset: Dataset) -> list[Finding]:
    said = [name for name in dataset.labels.names if name.casefold() in PLACEHOLDERS]
    text = f"{many(len(said), 'class name means', 'class names mean')} that there is no class, or that nobody knows"
    do = "If no label is meant, leave the list of labels empty (or blank the cells, where nobody knows)."
    return [Finding("placeholder_name", "warning", text, len(said), of_classes(said), do)] if said else []


def _endings(dataset: Dataset) -> list[Finding]:
    """Image names that end like files of another kind, where most end like images."""
    other = [row for row, name in enumerate(dataset.labels.ids) if not name.lower().endswith(IMAGE_ENDINGS)]
    if not other or 2 * len(other) > len(dataset):
        return []
    text = f"{many(len(other), 'image name ends', 'image names end')} unlike an image"
    do = "Correct the names, or remove rows that are about other files."
    said = [os.path.splitext(dataset.labels.ids[row])[1] or "no ending" for row in other]
    return [Finding("other_ending", "warning", text, len(other), of_rows(dataset, other, said), do)]


def _images(dataset: Dataset) -> list[Finding]:
    """Rows of one file under two names, and names that differ in capitals only."""
    paths = dataset.paths
    texts = paths.texts if isinstance(paths, Files) else list(map(str, paths))
    same, alike = defaultdict(list), defaultdict(list)
    for row, text in enumerate(texts):
        same[text].append(row)
        alike[text.casefold()].append(row)
    twice = [rows for rows in same.values() if len(rows) > 1]
    capitals = [rows for rows in alike.values() if len({texts[row] for row in rows}) > 1]
    return [
        *_groups(dataset, twice, "same_file", "error",
                 "named by several rows, in several ways", "Keep one row of each, with all its labels."),
        *_groups(dataset, capitals, "same_but_capitals", "note", "named in several rows that differ in capitals only",
                 "Many disks hold one of the two only; rename one if they are different images."),
    ]  # fmt: skip


def _groups(dataset: Dataset, groups: list[list[int]], kind: str, severity: str, what: str, do: str) -> list[Finding]:
    if not groups:
        return []
    ids, lines = dataset.labels.ids, dataset.lines
    examples = [Example(ids[rows[0]], lines[rows[0]], f"= row {lines[rows[1]]} {ids[rows[1]]}") for rows in groups]
    text = f"{many(len(groups), 'file is', 'files are')} {what}"
    return [Finding(kind, severity, text, len(groups), examples[:1000], do)]
