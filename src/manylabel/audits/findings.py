"""Suspected label errors as people work through them: a ranked list with reasons, and what they decided of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.audits import binned
from manylabel.audits.duplicates import Groups
from manylabel.audits.evidence import Evidence, gather
from manylabel.audits.quality import image_quality, self_confidence
from manylabel.audits.severity import MAJOR, MINOR, Judged, confusions, judge
from manylabel.checks import check
from manylabel.data.sheet import read_sheet
from manylabel.decisions.platt import Platt, sigmoid
from manylabel.hierarchy import Parents
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean
from manylabel.metrics.calibration import check_probabilities

Array = NDArray[np.float64]

WORDS = {ABSENT: "absent", UNKNOWN: "unknown", PRESENT: "present"}
STATES = {word: state for state, word in WORDS.items()}
VERDICTS = ("accept", "reject", "unknown", "")
FOLDS = 5
ROWS = 4096
EXACT = 500_000  # cells up to which `Platt` itself is fitted


@dataclass(frozen=True)
class Finding:
    """One label that is likely wrong.

    Arguments:
        rank: 1 is the most suspicious.
        image, label: the cell.
        given, suggested: "present" or "absent".
        confidence: of the model in the label as given, in [0, 1].
        image_quality: of all labels of the image, in [0, 1].
        reasons: sentences joined by "; ".
        category, severity: what kind of mistake it would be, and "major" or "minor"; see `audits.severity.judge`.
        verdict: filled in by whoever reviews: "accept" the suggestion, "reject" it, "unknown", or "" not yet seen.
    """

    rank: int
    image: str
    label: str
    given: str
    suggested: str
    confidence: float
    image_quality: float
    reasons: str
    category: str
    severity: str
    verdict: str = ""


COLUMNS = tuple(field.name for field in fields(Finding))


def find(
    table: LabelTable,
    probabilities: NDArray[np.floating],
    *,
    parents: Parents | None = None,
    groups: Groups | None = None,
    least: float = 0.9,
    pooling: str = "min",
) -> list[Finding]:
    """Suspected errors of a label table, the most suspicious first.

    A cell is listed where confident learning marks it, where a constant companion is absent (`least` is how constant),
    where a hierarchy is broken, or where images that show the same outvote it. Cells are ordered by the model's
    confidence in the label as given, then by the number of reasons, the image and the class. Unknown cells are never
    listed.

    Arguments:
        table: the labels as given.
        probabilities: (N, C) in [0, 1], out of sample.
        parents: of each class, as in `manylabel.hierarchy`.
        groups: rows of images that show the same, from `audits.duplicates` or `audits.pictures`.
        least, pooling: see `cooccurrence_violations` and `image_quality`.

    Raises ManylabelError where no cell is known or a value is no probability.

    >>> table = LabelTable(np.array([[1], [-1], [1], [-1], [1]], np.int8), ("cat",), tuple("abcde"))
    >>> p = np.array([[0.9], [0.1], [0.8], [0.2], [0.05]])
    >>> [(f.image, f.suggested, f.category, f.severity, f.reasons) for f in find(table, p)]
    [('e', 'absent', 'wrong label', 'major', 'the model says 5 % present')]
    """
    p = check_probabilities(probabilities, table.state)
    evidence = gather(table, p, parents=parents, groups=groups, least=least)
    if not evidence.reasons:
        return []
    cells = np.array(list(evidence.reasons), np.int64)
    values = np.asarray(p[cells[:, 0], cells[:, 1]], np.float64)
    confidence = np.where(table.state[cells[:, 0], cells[:, 1]] == PRESENT, values, 1 - values)
    order = _order(table, cells, confidence, [len(reasons) for reasons in evidence.reasons.values()])
    cells = cells[order]
    kinds = np.array([evidence.kinds[i, c] for i, c in cells.tolist()])
    judged = judge(table.state, cells, kinds, names=table.names, confused=confusions(p, table.state), parents=parents)
    return _listed(table, cells, confidence[order], _quality(table, p, cells[:, 0], pooling), judged, evidence)


def _listed(
    table: LabelTable, cells: NDArray[np.int64], confidence: Array, quality: Array, judged: Judged, evidence: Evidence
) -> list[Finding]:
    """Findings of cells in their order."""
    given = table.state[cells[:, 0], cells[:, 1]].tolist()
    rows = zip(cells.tolist(), given, confidence.tolist(), quality.tolist(), judged.categories, judged.severities)
    return [
        Finding(
            rank, table.ids[i], table.names[c], WORDS[state], WORDS[-state], round(sure, 4), round(image, 4),
            evidence.told((i, c)), category, severity,
        )
        for rank, ((i, c), state, sure, image, category, severity) in enumerate(rows, start=1)
    ]  # fmt: skip


def _order(table: LabelTable, cells: NDArray[np.int64], confidence: Array, reasons: list[int]) -> NDArray[np.intp]:
    """Positions of cells, the least believed first; equals by names, so that the order of the rows changes nothing."""
    images, names = (np.unique(words, return_inverse=True)[1] for words in (table.ids, table.names))
    return np.lexsort((names[cells[:, 1]], images[cells[:, 0]], -np.array(reasons), confidence))


def _quality(table: LabelTable, p: NDArray[np.floating], images: NDArray[np.int64], pooling: str) -> Array:
    """(F,) label quality of each cell's image; some thousand images at a time."""
    rows, place = np.unique(images, return_inverse=True)
    parts = [
        image_quality(self_confidence(p[some], table.state[some]), pooling)
        for some in (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))
    ]
    return np.asarray(np.concatenate(parts)[place])


def out_of_fold(scores: NDArray[np.floating], labels: NDArray[np.int8], *, seed: int = 0) -> Array:
    """(N, C) calibrated probabilities, each image's from a `Platt` fitted to the other folds' labels.

    For tables of more than half a million cells scores are counted into 512 bins a class first (`audits.binned`),
    which moves a probability by less than 0.001.

    Arguments:
        scores: (N, C) of any scale.
        labels: (N, C) int8, holding in every four fifths of the images a known positive and a known negative.
            Else a ManylabelError, of which `calibratable` warns.
        seed: of the folds.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.where(rng.random((400, 1)) < 0.5, 1, -1).astype(np.int8)
    >>> out_of_fold(labels + rng.normal(size=(400, 1)), labels).mean().round(1)
    np.float64(0.5)
    """
    if not calibratable(labels, seed=seed):
        raise ManylabelError("every four fifths of the images must hold a known positive and a known negative")
    fold, folds = _folds(len(scores), seed)
    rules = _rules_binned(scores, labels, fold, folds) if scores.size > EXACT else _rules(scores, labels, fold, folds)
    result = np.zeros(scores.shape)
    for k, (slope, offset) in enumerate(rules):
        here = np.flatnonzero(fold == k)
        for start in range(0, len(here), ROWS):
            some = here[start : start + ROWS]
            result[some] = sigmoid(np.asarray(scores[some], np.float64) * slope + offset)
    return result


def calibratable(labels: NDArray[np.int8], *, seed: int = 0) -> bool:
    """Whether `out_of_fold` can do with these labels (N, C): each fold's others hold a known positive and negative.

    >>> calibratable(np.array([[1, -1], [-1, 0]], np.int8)), calibratable(np.array([[1, -1], [-1, 1]], np.int8))
    (False, True)
    """
    fold, folds = _folds(len(labels), seed)
    holding = (len(np.unique(fold[(labels == state).any(axis=1)])) for state in (PRESENT, ABSENT))
    return all(number >= min(folds, 2) for number in holding)  # of two folds one is always among the others


def _folds(images: int, seed: int) -> tuple[NDArray[np.int64], int]:
    """The fold of each image, and how many there are."""
    folds = min(FOLDS, max(images, 1))
    return np.random.default_rng(seed).permutation(images) % folds, folds


def _rules(
    scores: NDArray[np.floating], labels: NDArray[np.int8], fold: NDArray[np.int64], folds: int
) -> list[tuple[Array, Array]]:
    """Slopes and offsets (C,) for each fold, of `Platt` on the others, or on the same where there is one only."""
    found = []
    for k in range(folds):
        rest = fold != k if (fold != k).any() else fold == k
        rule = Platt().fit(scores[rest], labels[rest])
        found.append((1 / rule.temperatures, rule.biases))
    return found


def _rules_binned(
    scores: NDArray[np.floating], labels: NDArray[np.int8], fold: NDArray[np.int64], folds: int
) -> list[tuple[Array, Array]]:
    """The same from counts of the scores."""
    table = binned.count(check(scores, labels), labels, fold, folds)
    positives, negatives = table.positives.sum(axis=0), table.negatives.sum(axis=0)
    return [
        binned.fit(table.values, positives - mine, negatives - others)
        for mine, others in zip(table.positives, table.negatives)
    ]


def write(path: str | Path, findings: Iterable[Finding]) -> Path:
    """Write findings as a CSV with the header of `COLUMNS`."""
    path = Path(path)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(map(attrgetter(*COLUMNS), findings))
    return path


def read(path: str | Path) -> list[Finding]:
    """Read what `write` wrote and somebody edited and saved, as spreadsheets do with other delimiters and encodings.

    Raises ManylabelError naming the line and the column.
    """
    path = Path(path)
    if not path.is_file():
        raise ManylabelError(f"{path}: there is no such file of findings")
    sheet = read_sheet(path)
    if missing := [name for name in COLUMNS if name not in sheet.header]:
        raise ManylabelError(f"{path}: column {missing[0]!r} is missing.{did_you_mean(missing[0], sheet.header)}")
    rows = zip(*(sheet.cells(name) for name in COLUMNS))
    return [_finding(path, line, dict(zip(COLUMNS, row))) for line, row in zip(sheet.lines, rows)]


def _finding(path: Path, line: int, values: dict[str, str]) -> Finding:
    values["verdict"] = values["verdict"].lower()
    for name, valid in (("given", STATES), ("suggested", STATES), ("verdict", VERDICTS), ("severity", (MAJOR, MINOR))):
        if values[name] not in valid:
            words = [word for word in valid if word]
            raise ManylabelError(
                f"{path}, line {line}, column {name!r}: got {values[name]!r}.{did_you_mean(values[name], words)}"
            )
    try:
        shares = [float(values[name].replace(",", ".")) for name in ("confidence", "image_quality")]
        rank = int(values["rank"])
    except ValueError as error:
        raise ManylabelError(f"{path}, line {line}: rank, confidence and image_quality are numbers ({error})") from None
    return Finding(
        rank, values["image"], values["label"], values["given"], values["suggested"], shares[0], shares[1],
        values["reasons"], values["category"], values["severity"], values["verdict"],
    )  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One cell that was changed: where, from what to what, and on which finding's word."""

    image: str
    label: str
    before: str
    after: str
    finding: int
    reasons: str


def apply(table: LabelTable, findings: Sequence[Finding]) -> tuple[LabelTable, list[Change]]:
    """The table with every accepted suggestion carried out and every "unknown" blanked; the changes made.

    Rejected findings and those not yet seen change nothing. A finding whose image or label the table does not have, or
    whose label is no longer as it was given, is an error: the list is of other labels. So are two verdicts on a cell.
    """
    rows, columns = ({name: i for i, name in enumerate(names)} for names in (table.ids, table.names))
    state = table.state.copy()
    changes, seen = [], dict[tuple[int, int], Finding]()
    for finding in findings:
        for word, there, what in ((finding.image, rows, "image"), (finding.label, columns, "class")):
            if word not in there:
                near = did_you_mean(word, list(there)[:2000])
                raise ManylabelError(f"finding {finding.rank}: the labels have no {what} {word!r}.{near}")
        cell = rows[finding.image], columns[finding.label]
        if WORDS[int(table.state[cell])] != finding.given:
            raise ManylabelError(
                f"finding {finding.rank}: {finding.label!r} of {finding.image} was {finding.given} when it was audited"
                f" and is {WORDS[int(table.state[cell])]} now; audit these labels anew"
            )
        first = seen.setdefault(cell, finding) if finding.verdict else finding
        if first.verdict != finding.verdict:
            raise ManylabelError(
                f"findings {first.rank} and {finding.rank}: {finding.label!r} of {finding.image} has the verdicts"
                f" {first.verdict!r} and {finding.verdict!r}; keep one of them"
            )
        if finding.verdict in ("accept", "unknown") and state[cell] == table.state[cell]:  # not done by a line before
            after = finding.suggested if finding.verdict == "accept" else "unknown"
            state[cell] = STATES[after]
            changes.append(Change(finding.image, finding.label, finding.given, after, finding.rank, finding.reasons))
    return LabelTable(state, table.names, table.ids), changes
