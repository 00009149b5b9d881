"""Simulated annotators: each judges every known cell with a sensitivity and a specificity, or abstains.

The two-coin model of Raykar et al., "Learning from crowds" (JMLR 2010), after Dawid & Skene (1979).
"""

from __future__ import annotations

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import told, touched
from manylabel.data.conditions._draw import Draws
from manylabel.data.conditions._votes import Voters, vote
from manylabel.data.dataset import Dataset

NAME = "annotators"


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    number: int = 3,
    sensitivity: _check.Rates = 0.8,
    specificity: _check.Rates = 0.95,
    abstain: _check.Rates = 0.0,
    parts: str = "train",
) -> Dataset:
    """Simulated annotators (Raykar et al., JMLR 2010): votes beside the table, the majority in it.

    Arguments:
        number: A annotators, named simulated 1 to A; those who voted before keep their votes, but do not count.
        sensitivity: in [0, 1], how often a present label is called present; or {class: value}, "*" for all others.
        specificity: likewise, how often an absent label is called absent.
        abstain: likewise, how often an annotator says nothing of a cell; no vote is listed then.
        parts: see `_change.touched`.

    A tie, or no vote, is unknown. Cells unknown before get no votes and stay unknown. Lists (`SparseLabels`) are an
    error, and so are more than 50,000,000 votes.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), number=2, specificity=1.0, parts="all")
    >>> len(found.beside.votes), found.beside.annotators, int((found.labels.present & ~example().labels.present).sum())
    (360, ('simulated 1', 'simulated 2'), 0)
    """
    _check.whole("number", number)
    names = dataset.labels.names
    voters = Voters(
        [f"simulated {a + 1}" for a in range(number)],
        _check.per_class("sensitivity", sensitivity, names), _check.per_class("specificity", specificity, names),
        _check.per_class("abstain", abstain, names),
    )  # fmt: skip
    rows = touched(dataset, parts)
    made, votes, wrong = vote(dataset, rows, Draws(dataset, NAME, seed), voters, NAME)
    given = {
        "number": number, "sensitivity": _check.plain(sensitivity), "specificity": _check.plain(specificity),
        "abstain": _check.plain(abstain), "parts": parts, "seed": seed,
    }  # fmt: skip
    return told(made, NAME, given, f"{votes:,} votes; the majority is wrong in {wrong:,} cells.")
