"""All that speaks against labels, cell by cell, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.confident import confident_learning
from manylabel.audits.cooccurrence import Violation, cooccurrence_violations, hierarchy_violations
from manylabel.audits.duplicates import Disagreement, Groups, disagreements
from manylabel.audits.severity import COMPANION, DUPLICATE, HIERARCHY, MODEL
from manylabel.hierarchy import Parents
from manylabel.labels import ABSENT, PRESENT, LabelTable

WORDS = {ABSENT: "absent", PRESENT: "present"}
SPOKEN = 5  # reasons of one cell that are told in words

Cell = tuple[int, int]


@dataclass
class Evidence:
    """Reasons and their kinds, by cell (row, class)."""

    reasons: dict[Cell, list[str]] = field(default_factory=dict)
    kinds: dict[Cell, int] = field(default_factory=dict)

    def add(self, cell: Cell, kind: int, reason: str) -> None:
        """One more reason against a cell."""
        self.reasons.setdefault(cell, []).append(reason)
        self.kinds[cell] = self.kinds.get(cell, 0) | kind

    def told(self, cell: Cell) -> str:
        """The reasons against a cell, joined by "; ", at most five of them."""
        reasons = self.reasons[cell]
        more = f"; and {len(reasons) - SPOKEN} more" if len(reasons) > SPOKEN else ""
        return "; ".join(reasons[:SPOKEN]) + more


def gather(
    table: LabelTable, probabilities: NDArray[np.floating], *, parents: Parents | None = None,
    groups: Groups | None = None, least: float = 0.9,
) -> Evidence:  # fmt: skip
    """What confident learning, companions, a hierarchy and near-identical images say against known labels.

    Arguments as for `manylabel.audits.findings.find`.
    """
    evidence = Evidence()
    wrong = np.argwhere(confident_learning(probabilities, table.state).wrong)
    percent = 100 * np.asarray(probabilities[wrong[:, 0], wrong[:, 1]], np.float64)
    for (image, c), p in zip(wrong.tolist(), percent.tolist()):
        evidence.add((image, c), MODEL, f"the model says {p:.0f} % present")
    _contradictions(evidence, table, cooccurrence_violations(table.state, least=least), COMPANION)
    if parents is not None:
        _contradictions(evidence, table, hierarchy_violations(table.state, parents), HIERARCHY)
    for one in disagreements(table.state, probabilities, groups or []):
        evidence.add((one.image, one.label), DUPLICATE, _disagrees(table, one))
    return evidence


def _contradictions(evidence: Evidence, table: LabelTable, violations: Iterable[Violation], kind: int) -> None:
    for v in violations:
        one, other = table.names[v.present], table.names[v.absent]
        share = f"in at least {100 * v.confidence:.0f} % of {v.images} images"
        why = f"{one} is a kind of {other}" if kind == HIERARCHY else f"{one} comes with {other} {share}"
        evidence.add((v.image, v.absent), kind, why)


def _disagrees(table: LabelTable, one: Disagreement) -> str:
    state = WORDS[int(table.state[one.other, one.label])]
    near = f"near-identical to {table.ids[one.other]}, where it is {state}"
    if one.tie:
        return f"{near} (a tie, {one.against} against {one.against}: the model's {100 * one.probability:.0f} % decides)"
    return f"{near} (as in {one.against} of {one.known} such images)"
