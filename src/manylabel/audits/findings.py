"""Suspected label errors as people work through them: a ranked list with reasons, and what they decided of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.confident import confident_learning
from manylabel.audits.cooccurrence import cooccurrence_violations, hierarchy_violations
from manylabel.audits.quality import image_quality, self_confidence
from manylabel.decisions.platt import Platt
from manylabel.hierarchy import Parents
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean

Array = NDArray[np.float64]

WORDS = {ABSENT: "absent", UNKNOWN: "unknown", PRESENT: "present"}
STATES = {word: state for state, word in WORDS.items()}
VERDICTS = ("accept", "reject", "unknown", "")
FOLDS = 5


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
    verdict: str = ""


COLUMNS = tuple(field.name for field in fields(Finding))


def find(
    table: LabelTable,
    probabilities: NDArray[np.floating],
    *,
    parents: Parents | None = None,
    least: float = 0.9,
    pooling: str = "min",
) -> list[Finding]:
    """Suspected errors of a label table, the most suspicious first.

    A cell is listed where confident learning marks it, where a constant companion is absent (`least` is how constant)
    or where a hierarchy is broken. Cells are ordered by the model's confidence in the label as given.

    Arguments:
        table: the labels as given.
        probabilities: (N, C) in [0, 1], out of sample.
        parents: of each class, as in `manylabel.hierarchy`.
        least, pooling: see `cooccurrence_violations` and `image_quality`.
    """
    names = table.names
    cells = self_confidence(probabilities, table.state)
    wrong = confident_learning(probabilities, table.state).wrong
    reasons: dict[tuple[int, int], list[str]] = {}
    for image, c in np.argwhere(wrong):
        p = float(probabilities[image, c])
        reasons.setdefault((int(image), int(c)), []).append(f"the model says {100 * p:.0f} % present")
    violations = cooccurrence_violations(table.state, least=least)
    violations += hierarchy_violations(table.state, parents) if parents is not None else []
    for v in violations:
        share = f"in at least {100 * v.confidence:.0f} % of {v.images} images"
        one, other = names[v.present], names[v.absent]
        why = f"{one} comes with {other} {share}" if v.images else f"{one} is a kind of {other}"
        reasons.setdefault((v.image, v.absent), []).append(why)
    quality = image_quality(cells, pooling)
    order = sorted(reasons, key=lambda cell: (cells[cell], -len(reasons[cell]), cell))
    return [
        Finding(
            rank, table.ids[i], names[c], WORDS[int(table.state[i, c])], WORDS[-int(table.state[i, c])],
            round(float(cells[i, c]), 4), round(float(quality[i]), 4), "; ".join(reasons[i, c]),
        )
        for rank, (i, c) in enumerate(order, start=1)
    ]  # fmt: skip


def out_of_fold(scores: NDArray[np.floating], labels: NDArray[np.int8], *, seed: int = 0) -> Array:
    """(N, C) calibrated probabilities, each image's from a `Platt` fitted to the other folds' labels."""
    fold = np.random.default_rng(seed).permutation(len(scores)) % min(FOLDS, max(len(scores), 1))
    result = np.zeros(scores.shape)
    for k in range(int(fold.max(initial=0)) + 1):
        here = fold == k
        rest = ~here if (~here).any() else here
        result[here] = Platt().fit(scores[rest], labels[rest])(scores[here])
    return result


def write(path: str | Path, findings: Iterable[Finding]) -> Path:
    """Write findings as a CSV with the header of `COLUMNS`."""
    path = Path(path)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(asdict(finding) for finding in findings)
    return path


def read(path: str | Path) -> list[Finding]:
    """Read what `write` wrote and somebody edited; an error names the line and the column."""
    path = Path(path)
    if not path.is_file():
        raise ManylabelError(f"{path}: there is no such file of findings")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            near = did_you_mean(missing[0], reader.fieldnames or [])
            raise ManylabelError(f"{path}: column {missing[0]!r} is missing.{near}")
        return [_finding(path, line, row) for line, row in enumerate(reader, start=2)]


def _finding(path: Path, line: int, row: dict[str, str]) -> Finding:
    values = {name: (row[name] or "").strip() for name in COLUMNS}
    values["verdict"] = values["verdict"].lower()
    for name, valid in (("given", STATES), ("suggested", STATES), ("verdict", VERDICTS)):
        if values[name] not in valid:
            words = [word for word in valid if word]
            raise ManylabelError(
                f"{path}, line {line}, column {name!r}: got {values[name]!r}.{did_you_mean(values[name], words)}"
            )
    try:
        numbers = int(values["rank"]), float(values["confidence"]), float(values["image_quality"])
    except ValueError as error:
        raise ManylabelError(f"{path}, line {line}: rank, confidence and image_quality are numbers ({error})") from None
    return Finding(
        numbers[0], values["image"], values["label"], values["given"], values["suggested"], numbers[1], numbers[2],
        values["reasons"], values["verdict"],
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
    whose label is no longer as it was given, is an error: the list is of other labels.
    """
    rows, columns = ({name: i for i, name in enumerate(names)} for names in (table.ids, table.names))
    state = table.state.copy()
    changes = []
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
        if finding.verdict in ("accept", "unknown"):
            after = finding.suggested if finding.verdict == "accept" else "unknown"
            state[cell] = STATES[after]
            changes.append(Change(finding.image, finding.label, finding.given, after, finding.rank, finding.reasons))
    return LabelTable(state, table.names, table.ids), changes
