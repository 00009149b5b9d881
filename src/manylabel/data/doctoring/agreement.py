"""How far annotators agree on the cells that several of them judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.beside import Cells


@dataclass(frozen=True)
class Agreement:
    """Agreement on present and absent; an abstention is no judgement.

    Arguments:
        cells: cells that two annotators or more judged.
        comparisons: pairs of judgements of one cell.
        share: of these pairs those that agree, in [0, 1]; None without any.
        alpha: Krippendorff's alpha for nominal data: 1 is perfect, 0 what chance gives; None where all judgements are
            the same, so that chance gives agreement too.
        annotators: of each its name, the share of its comparisons with others that agree (or None), and their number.
    """

    cells: int
    comparisons: int
    share: float | None
    alpha: float | None
    annotators: tuple[tuple[str, float | None, int], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "cells_judged_twice": self.cells, "comparisons": self.comparisons, "agreement": self.share,
            "alpha": self.alpha,
            "each": [{"name": name, "agreement": share, "comparisons": n} for name, share, n in self.annotators],
        }  # fmt: skip


def agreement(votes: Cells, annotators: Sequence[str], classes: int) -> Agreement:
    """Compare all judgements of a cell with each other (Krippendorff, Content Analysis, 2004, chapter 11).

    With p present and q absent among the m = p + q judgements of a cell, D_o is the sum of 2 p q / (m - 1) over cells,
    and with P and Q those sums over all cells with m > 1, D_e = 2 P Q / (P + Q - 1); alpha = 1 - D_o / D_e.

    Arguments:
        votes: values (E, 2), place of the annotator and state given.
        classes: C of the table.

    >>> votes = Cells([0, 0, 1, 1, 2, 2], [0] * 6, [[0, 1], [1, 1], [0, -1], [1, -1], [0, 1], [1, -1]])
    >>> found = agreement(votes, ("Ann", "Bob"), 1)
    >>> round(found.share, 3), round(found.alpha, 3), found.annotators
    (0.667, 0.444, (('Ann', 0.6667, 3), ('Bob', 0.6667, 3)))
    """
    who, said = np.asarray(votes.values).reshape(-1, 2).astype(np.int64).T
    judged = said != 0
    who, said, rows, columns = who[judged], said[judged], votes.rows[judged], votes.columns[judged]
    place = np.unique(rows * classes + columns, return_inverse=True)[1]
    yes, no = (
        np.bincount(place[said > 0], minlength=place.max(initial=-1) + 1),
        np.bincount(place[said < 0], minlength=place.max(initial=-1) + 1),
    )
    m = yes + no
    pairs, apart = int((m * (m - 1) // 2).sum()), int((yes * no).sum())
    same = np.where(said > 0, yes[place], no[place]) - 1  # of each judgement: others that agree with it
    each = tuple(_each(who, same, m[place] - 1, k, name) for k, name in enumerate(annotators))
    share = round(1 - apart / pairs, 4) if pairs else None
    return Agreement(int((m > 1).sum()), pairs, share, _alpha(yes[m > 1], no[m > 1]), each)


def _each(
    who: NDArray[np.int64], same: NDArray[np.int64], others: NDArray[np.int64], k: int, name: str
) -> tuple[str, float | None, int]:
    own = who == k
    number = int(others[own].sum())
    return name, round(float(same[own].sum() / number), 4) if number else None, number


def _alpha(yes: NDArray[np.int64], no: NDArray[np.int64]) -> float | None:
    total_yes, total_no, m = int(yes.sum()), int(no.sum()), yes + no
    if not total_yes or not total_no:
        return None
    observed = float((2 * yes * no / (m - 1)).sum())
    return round(1 - observed * (total_yes + total_no - 1) / (2 * total_yes * total_no), 4)
