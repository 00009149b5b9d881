"""What a label file says and what is wrong with it, before a model is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from manylabel.data import advice, doctor_text
from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.about_beside import about_beside, summary
from manylabel.data.doctoring.about_files import about_files
from manylabel.data.doctoring.about_labels import about_labels
from manylabel.data.doctoring.about_names import about_names
from manylabel.data.doctoring.copies import Repeat
from manylabel.data.doctoring.counts import Counts, count
from manylabel.data.doctoring.families import about_families
from manylabel.data.doctoring.files import Fault, ImageFindings, examine_files
from manylabel.data.doctoring.finding import Example, Finding, ordered
from manylabel.data.doctoring.together import Company, Couple, company
from manylabel.data.near_names import near_names
from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics.groups import GROUPS, frequency_groups

__all__ = [
    "ClassFinding", "Company", "Couple", "Example", "Fault", "Finding", "Findings", "ImageFindings", "Repeat", "Row",
    "examine", "examine_files",
]  # fmt: skip


@dataclass(frozen=True)
class ClassFinding:
    """One class: positives by part ("" where the file names no part), verified negatives, unknown cells, group.

    Arguments:
        unknown_in: unknown cells by part.
    """

    name: str
    positives: dict[str, int]
    train_positives: int
    absent: int
    unknown: int
    group: str
    unknown_in: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One image of the file as understood; `line` is 0 for a folder."""

    line: int
    image: str
    part: str
    present: list[str]
    unknown: int


@dataclass(frozen=True)
class Findings:
    """All that `examine` found; `str()` is the text, `as_dict()` what JSON holds. `files` is None if not looked at.

    Arguments:
        source, kind, notes, columns, first_rows: how the labels were understood.
        images, classes, parts, labels_per_image, histogram, without_label, nothing_known, unknown_share, groups,
            without_positives: counts; `parts` is the images of each, `histogram` the images with 0, 1, 2, ... labels.
        near_names: pairs of class names that are nearly equal, and how they differ.
        company: which classes occur together.
        beside: numbers on soft values, votes, candidates, boxes, reviewed, by these names; {} where there are none.
        findings: what is wrong or worth knowing, the gravest first.
        problems: errors and warnings as sentences.
        advice: what to train with, and why.
    """

    source: str
    kind: str
    notes: list[str]
    images: int
    classes: list[ClassFinding]
    parts: dict[str, int]
    labels_per_image: dict[str, float]
    histogram: list[int]
    without_label: int
    nothing_known: int
    unknown_share: float
    groups: dict[str, int]
    without_positives: list[str]
    near_names: list[tuple[str, str, str]]
    columns: list[str]
    first_rows: list[Row]
    files: ImageFindings | None
    company: Company
    beside: dict[str, Any] = field(default_factory=dict)
    hierarchy: bool = False
    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return doctor_text.render(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, texts and numbers."""
        return asdict(self)


def examine(
    dataset: Dataset,
    *,
    images: bool = True,
    parents: Sequence[tuple[str, str]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Findings:
    """Look at the labels and, unless `images` is False, read every image file once; nothing is changed.

    Arguments:
        images: whether image files are opened.
        parents: (class, parent) pairs; None takes those that the dataset itself holds.
        progress: called with (images done, images in all) while files are read.

    Groups count training positives: head from 100, medium 20 to 99, tail below 20. Rows of no part count as
    training rows. Lists of labels (`sparse.SparseLabels`) are never laid out as a table.

    >>> import tempfile, pathlib
    >>> from manylabel import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "labels.csv")
    ...     _ = file.write_text("image,labels\\na.jpg,cat|dog\\nb.jpg,Cat\\n")
    ...     found = examine(data.read(file), images=False)
    >>> [(finding.kind, finding.severity) for finding in found.findings]
    [('too_rare', 'warning'), ('near_names', 'warning')]
    >>> found.findings[1].text
    "Class names 'Cat' and 'cat' differ in capitals only"
    """
    counts = count(dataset)
    pairs = dataset.beside.parents if parents is None else tuple(parents)
    classes = _classes(dataset, counts)
    groups = Counter(c.group for c in classes)
    found = Findings(
        source=str(dataset.source),
        kind=dataset.kind,
        notes=list(dataset.notes),
        images=len(dataset),
        classes=classes,
        parts=dict(zip(counts.parts, counts.images.tolist())),
        labels_per_image=_per_image(counts),
        histogram=np.bincount(counts.labels).tolist(),
        without_label=int((counts.labels == 0).sum()),
        nothing_known=int((counts.known == 0).sum()),
        unknown_share=round(dataset.labels.unknown_share, 6),
        groups={group: groups[group] for group in GROUPS},
        without_positives=[c.name for c in classes if not any(c.positives.values())],
        near_names=near_names(dataset.labels.names, dataset.labels.counts),
        columns=list(dataset.columns),
        first_rows=[_row(dataset, counts, r) for r in range(min(5, len(dataset)))],
        files=examine_files(dataset, progress) if images else None,
        company=company(dataset.labels, counts),
        beside=summary(dataset),
        hierarchy=bool(pairs),
    )
    found.findings.extend(_all_findings(dataset, counts, found, pairs))
    found.problems.extend(one.sentence for one in found.findings if one.severity != "note")
    found.advice.extend(advice.advice(found))
    return found


def _all_findings(dataset: Dataset, counts: Counts, found: Findings, pairs: Sequence[tuple[str, str]]) -> list[Finding]:
    return ordered(
        [
            *(about_files(dataset, found.files) if found.files is not None else ()),
            *about_labels(dataset, counts, found.company),
            *about_families(dataset, pairs),
            *about_beside(dataset, counts),
            *about_names(dataset, found.near_names),
        ]
    )


def _per_image(counts: Counts) -> dict[str, float]:
    labels = counts.labels
    return {
        "mean": round(float(labels.mean()), 3) if len(labels) else 0.0,
        "median": float(np.median(labels)) if len(labels) else 0.0,
        "most": int(labels.max(initial=0)),
    }


def _classes(dataset: Dataset, counts: Counts) -> list[ClassFinding]:
    names, training = dataset.labels.names, counts.training
    absent = counts.known_images - counts.totals
    groups = frequency_groups(training).tolist()
    positives, unknown = counts.positives.T.tolist(), counts.unknown.T.tolist()
    return [
        ClassFinding(
            name=name,
            positives=dict(zip(counts.parts, positives[c])),
            train_positives=int(training[c]),
            absent=int(absent[c]),
            unknown=sum(unknown[c]),
            group=groups[c],
            unknown_in=dict(zip(counts.parts, unknown[c])),
        )
        for c, name in enumerate(names)
    ]


def _row(dataset: Dataset, counts: Counts, row: int) -> Row:
    names = dataset.labels.names
    if dataset.labels.is_sparse:
        lists = dataset.labels.sparse
        own = slice(lists.starts[row], lists.starts[row + 1])
        present = lists.columns[own][lists.states[own] == PRESENT]
        unknown = len(names) - int(counts.known[row])
    else:
        state = dataset.labels.state[row]
        present, unknown = np.flatnonzero(state == PRESENT), int((state == UNKNOWN).sum())
    return Row(
        line=dataset.lines[row],
        image=dataset.labels.ids[row],
        part=str(dataset.split[row]),
        present=[names[c] for c in present],
        unknown=unknown,
    )
