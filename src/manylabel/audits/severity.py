"""What kind of mistake a suspected label is, and how bad: after the review of ImageNet's remaining mistakes.

Vasudevan et al., When does dough become a bagel? (NeurIPS 2022), sorted mistakes by hand into kinds and into major and
minor ones. Here rules suggest both, from the labels, the model's probabilities and the hierarchy; people decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.cooccurrence import count_together, lower_bound
from manylabel.hierarchy import Parents
from manylabel.labels import ABSENT, PRESENT, UNKNOWN

Array = NDArray[np.float64]

MODEL, COMPANION, DUPLICATE, HIERARCHY = 1, 2, 4, 8
"""What speaks against a label, as bits: each of greater weight for its category than those before it."""

OFTEN, FEWEST, TIMES = 0.2, 3, 2.0
MAJOR, MINOR = "major", "minor"
ROWS = 4096


def confusions(probabilities: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """(C, C) how surely class k is seen in place of class c: entry [c, k], the same as [k, c]; 0 where not often.

    Over the images where c is present and the model misses it (probability below 0.5), the share in which the model
    sees k although k is absent, as Wilson's lower bound at 95 %. It counts as often from 0.2 on, where it rests on
    three images or more and is more than twice the share of all images without k in which k is seen. Of [c, k] and
    [k, c] the larger stands for both.

    Arguments:
        probabilities: (N, C) in [0, 1], out of sample.
        labels: (N, C) int8; unknown cells are neither missed nor seen wrongly.

    >>> labels = np.array([[1, -1]] * 8 + [[-1, 1]] * 8 + [[-1, -1]] * 50, np.int8)
    >>> p = np.where(labels == 1, 0.9, 0.1)
    >>> p[:4] = [0.3, 0.8]  # a wolf taken for a dog, again and again
    >>> confusions(p, labels).round(2)
    array([[0. , 0.6],
           [0.6, 0. ]])
    """
    seen = np.asarray(probabilities) >= 0.5
    missed, wrongly = (labels == PRESENT) & ~seen, (labels == ABSENT) & seen
    some = missed.any(axis=1)
    missed, known = missed[some], labels[some] != UNKNOWN
    together, judged = count_together(missed, wrongly[some]), count_together(missed, known)
    absent = (labels == ABSENT).sum(axis=0)
    usual = wrongly.sum(axis=0) / np.maximum(absent, 1)  # (C,)
    low = lower_bound(together, judged)
    often = np.where((low >= OFTEN) & (together >= FEWEST) & (low > TIMES * usual), low, 0.0)
    np.fill_diagonal(often, 0.0)
    return np.maximum(often, often.T)


def siblings(parents: Parents) -> NDArray[np.bool_]:
    """(C, C) whether two classes share a parent; no class is its own sibling, and roots are no siblings.

    >>> siblings([[], [0], [0], []]).astype(int).tolist()
    [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    """
    of = np.zeros((len(parents), len(parents)), np.float32)
    for c, above in enumerate(parents):
        of[c, list(above)] = 1
    shared = of @ of.T > 0
    np.fill_diagonal(shared, False)
    return np.asarray(shared)


@dataclass(frozen=True)
class Judged:
    """Category and severity of F suspected cells, in their order."""

    categories: list[str]
    severities: list[str]


def judge(
    table: NDArray[np.int8],
    cells: NDArray[np.int64],
    evidence: NDArray[np.int64],
    *,
    names: tuple[str, ...],
    confused: Array,
    parents: Parents | None = None,
) -> Judged:
    """Category and severity of suspected cells.

    The category is the first that holds: "broken hierarchy", "duplicate disagrees", "companion absent", "confused with
    K" (often confused with this class and standing in the same image), "missing label" or "wrong label". The severity
    is "minor" where a class that is often confused with this one, or shares a parent with it, stands in the same
    image, else "major". A class stands in an image that is present as given or that a suspected cell of it suggests.

    Arguments:
        table: (N, C) int8 labels as given.
        cells: (F, 2) row and class of each suspected cell.
        evidence: (F,) bits of MODEL, COMPANION, DUPLICATE, HIERARCHY.
        names: C class names.
        confused: (C, C) of `confusions`.
        parents: as in `manylabel.hierarchy`.

    >>> confused = np.array([[0, 0.6, 0], [0.6, 0, 0], [0, 0, 0]])
    >>> judge(np.array([[1, -1, -1]], np.int8), np.array([[0, 1], [0, 2]]), np.array([MODEL, MODEL]),
    ...       names=("wolf", "dog", "car"), confused=confused)
    Judged(categories=['confused with wolf', 'missing label'], severities=['minor', 'major'])
    """
    kin = (confused > 0) | (siblings(parents) if parents is not None else False)
    rows, place = np.unique(cells[:, 0], return_inverse=True)
    stands = table[rows] == PRESENT
    stands[place, cells[:, 1]] = True
    partner, near = _partners(stands, place, cells[:, 1], confused, kin)
    given = table[cells[:, 0], cells[:, 1]].tolist()
    words = [
        _category(bits, state, "" if k < 0 else names[k])
        for bits, state, k in zip(evidence.tolist(), given, partner.tolist())
    ]
    return Judged(words, [MINOR if one else MAJOR for one in near.tolist()])


def _partners(
    stands: NDArray[np.bool_], place: NDArray[np.intp], labels: NDArray[np.int64], confused: Array,
    kin: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:  # fmt: skip
    """(F,) the class most confused with each cell's that stands in its image, or -1; (F,) whether any kin does."""
    partner, near = np.full(len(labels), -1), np.zeros(len(labels), bool)
    for start in range(0, len(labels), ROWS):
        some = slice(start, start + ROWS)
        there = stands[place[some]]  # (n, C)
        near[some] = (there & kin[labels[some]]).any(axis=1)
        share = np.where(there, confused[labels[some]], 0.0)
        partner[some] = np.where(share.max(axis=1, initial=0) > 0, share.argmax(axis=1), -1)
    return partner, near


def _category(evidence: int, given: int, partner: str) -> str:
    for bit, word in ((HIERARCHY, "broken hierarchy"), (DUPLICATE, "duplicate disagrees"),
                      (COMPANION, "companion absent")):  # fmt: skip
        if evidence & bit:
            return word
    if partner:
        return f"confused with {partner}"
    return "missing label" if given == ABSENT else "wrong label"
