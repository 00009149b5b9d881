"""Weak sources: labelling functions that speak of some cells, are right at a rate, and may copy each other.

Data programming: Ratner et al., "Data programming: creating large training sets, quickly" (NeurIPS 2016), with
accuracy, coverage and abstention; correlated sources as in Bach et al., "Learning the structure of generative models
without labeled data" (ICML 2017).
"""

from __future__ import annotations

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import told, touched
from manylabel.data.conditions._draw import Draws
from manylabel.data.conditions._votes import Voters, vote
from manylabel.data.dataset import Dataset

NAME = "weak_sources"


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    number: int = 5,
    accuracy: _check.Rates = 0.75,
    coverage: _check.Rates = 0.3,
    correlation: float = 0.0,
    parts: str = "train",
) -> Dataset:
    """Weak sources (Ratner et al., NeurIPS 2016): votes beside the table, the majority in it, unknown where none is.

    Arguments:
        number: A sources, named source 1 to A.
        accuracy: in [0, 1], how often a source is right where it speaks; or {class: value}, "*" for all others.
        coverage: likewise, the share of known cells of which a source speaks.
        correlation: in [0, 1], how often a source says, or leaves unsaid, what source 1 does. Accuracy and coverage of
            each stay as they are; the correlation of what a source and source 1 say is this, that of two others its
            square.
        parts: see `_change.touched`.

    Lists (`SparseLabels`) are an error, and so are more than 50,000,000 votes.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), number=3, coverage=1.0, correlation=1.0, accuracy=0.5)
    >>> int(found.labels.rows(found.split == "train").known.sum()), 48 * 3  # three that agree are never a tie
    (144, 144)
    """
    _check.whole("number", number)
    names, copies = dataset.labels.names, _check.number("correlation", correlation, most=1)
    right = _check.per_class("accuracy", accuracy, names)
    silent = 1 - _check.per_class("coverage", coverage, names)
    voters = Voters([f"source {a + 1}" for a in range(number)], right, right, silent, copies)
    rows = touched(dataset, parts)
    made, votes, wrong = vote(dataset, rows, Draws(dataset, NAME, seed), voters, NAME)
    given = {
        "number": number, "accuracy": _check.plain(accuracy), "coverage": _check.plain(coverage),
        "correlation": copies, "parts": parts, "seed": seed,
    }  # fmt: skip
    return told(made, NAME, given, f"{votes:,} votes; the majority is wrong in {wrong:,} cells.")
