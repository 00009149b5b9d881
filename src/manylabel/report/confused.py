"""Confused-with: where one label was missed, which others were decided wrongly in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN
from manylabel.metrics.shares import wilson
from manylabel.report.inputs import ReportData
from manylabel.report.words import percent, text

MOST_CLASSES = 1000
"""Pairs for the table are looked for among so many of the most missed and the most wrongly decided classes."""


def confused(
    labels: NDArray[np.int8], decided: NDArray[np.bool_], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images in which i was missed and j decided wrongly, and images in which i was missed and j is known.

    Their ratio is P(j decided and absent | i present and not decided), unknown cells left out.

    Arguments:
        labels, decided: (N, C); rows, columns: the classes i (I,) and j (J,).

    Returns two (I, J) tables.

    >>> labels = np.array([[1, -1, 0], [1, -1, -1]], np.int8)
    >>> wrong, base = confused(labels, np.array([[0, 1, 1], [0, 0, 1]], bool), np.array([0]), np.array([1, 2]))
    >>> wrong.tolist(), base.tolist()
    ([[1, 1]], [[2, 1]])
    """
    missed = (labels[:, rows] == PRESENT) & ~decided[:, rows]
    hit = missed.any(axis=1)  # the other images add nothing
    missed, there, said = missed[hit].astype(np.float32), labels[hit][:, columns], decided[hit][:, columns]
    wrong = (said & (there == ABSENT)).astype(np.float32)
    known = (there != UNKNOWN).astype(np.float32)
    return (missed.T @ wrong).astype(np.int64), (missed.T @ known).astype(np.int64)


def matrix(data: ReportData, chosen: NDArray[np.intp]) -> dict[str, Any]:
    """The table of the chosen classes as the script draws it."""
    wrong, base = confused(data.labels, data.decided, chosen, chosen)
    return {"wrong": wrong.tolist(), "base": base.tolist()}


def top_pairs(data: ReportData, *, most: int = 25) -> list[tuple[int, int, int, int, float]]:
    """The pairs (i, j, wrong, base, share of j decided wrongly anywhere) whose share is surest to be high.

    Ordered by the lower end of Wilson's interval, so that 20 of 40 images come before 1 of 1; pairs seen once only
    are left out.
    """
    missed, extra = data.missed.sum(axis=0), data.extra.sum(axis=0)
    rows, columns = (np.sort(np.argsort(-n, kind="stable")[:MOST_CLASSES]) for n in (missed, extra))
    rows, columns = rows[missed[rows] > 0], columns[extra[columns] > 0]
    if not len(rows) or not len(columns):
        return []
    wrong, base = confused(data.labels, data.decided, rows, columns)
    low = np.where(wrong > 1, wilson(wrong, base)[0], -1.0)
    known = (data.labels[:, columns] != UNKNOWN).sum(axis=0)
    best = np.argsort(-low, axis=None, kind="stable")[:most]
    cells = [(int(k) // len(columns), int(k) % len(columns)) for k in best if low.flat[k] >= 0]
    return [
        (int(rows[a]), int(columns[b]), int(wrong[a, b]), int(base[a, b]), float(extra[columns[b]] / known[b]))
        for a, b in cells
    ]


def pairs_table(data: ReportData, found: list[tuple[int, int, int, int, float]]) -> str:
    """The top pairs beside the matrix, for readers of text and for paper."""
    if not found:
        return '<p class="quiet">No two classes were confused in more than one image.</p>'
    body = "".join(
        f'<tr><th scope="row">{text(data.names[i])}<td>{text(data.names[j])}<td class="n">{percent(wrong / base, 0)}'
        f'<td class="n">{wrong:,} of {base:,}<td class="n">{percent(anywhere)}'
        for i, j, wrong, base, anywhere in found
    )
    head = "".join(
        f'<th scope="col"{numeric}>{words}'
        for words, numeric in (
            ("missed", ""), ("decided wrongly", ""), ("%", ' class="n"'), ("images", ' class="n"'),
            ("anywhere %", ' class="n"'),
        )
    )  # fmt: skip
    return (
        '<details class="keep" open><summary>Most confused pairs as a table</summary><div class="scroll"><table>'
        "<caption>Surest first, by the lower end of the share’s Wilson interval. Anywhere: how often the second"
        " class is decided wrongly over all images where it is known.</caption>"
        f"<thead><tr>{head}<tbody>{body}</table></div></details>"
    )
