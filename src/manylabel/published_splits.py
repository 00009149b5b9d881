"""Which numbers of classes would explain a published table whose groups are given without their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError
from manylabel.published import Published, Row

MOST, LISTED = 50_000_000, 1000  # splits that are tried, and kept
DIGITS = 9  # decimals beyond which whole numbers would not fit in 64 bits


@dataclass(frozen=True)
class Splits:
    """Which numbers of classes would explain a table.

    Arguments:
        number: how many splits explain every whole row.
        splits: (at most 1,000 of) them, in order; if there is none, those that explain the most rows.
        rows: whole rows, which are all that is looked at.
        explained: how many of them each of `splits` explains.
        left_over: systems that the first of `splits` does not explain.
    """

    number: int
    splits: tuple[tuple[int, ...], ...]
    rows: int
    explained: int
    left_over: tuple[str, ...]


def explain(table: Published, classes: int) -> Splits:
    """Which splits of `classes` classes into the table's groups, none empty, explain all rows that are whole.

    Every split is tried, each row as exactly as in `check_rows`; a table that no split explains does not print means
    over disjoint groups of all classes, or misprints somewhere.

    >>> from manylabel.published import Printed
    >>> row = Row("ours", Printed("0.6"), (Printed("0.5"), Printed("1.0")))
    >>> explain(Published(("head", "tail"), (row,)), 10).splits  # 0.55 to 0.65; 0.45 to 0.55 and 0.95 to 1.05
    ((6, 4), (7, 3), (8, 2), (9, 1))
    """
    number = len(table.groups)
    rows = [row for row in table.rows if row.whole]
    if classes < number:
        raise ManylabelError(f"{classes} classes do not fill {number} groups")
    if comb(classes - 1, number - 1) > MOST:
        raise ManylabelError(
            f"{classes} classes can be split into {number} groups in {comb(classes - 1, number - 1):,} ways, more than"
            f" the {MOST:,} that are tried: give the numbers of classes, or join groups"
        )
    if not rows:
        raise ManylabelError("no row has its total and all its groups; there is nothing to explain")
    low, high = _units(rows, number)
    best, kept, ways = -1, list[list[int]](), 0
    for sizes in _sizes(classes, number):  # (S, G)
        totals = classes * low[:, 0], classes * high[:, 0]
        fits = (sizes @ low[:, 1:].T <= totals[1]) & (sizes @ high[:, 1:].T >= totals[0])  # (S, R)
        explained = fits.sum(axis=1)
        if explained.max() > best:
            best, kept, ways = int(explained.max()), [], 0
        found = sizes[explained == best]
        ways += len(found)
        kept += found[: LISTED - len(kept)].tolist()
    first = np.array(kept[0])
    right = (low[:, 1:] @ first <= classes * high[:, 0]) & (high[:, 1:] @ first >= classes * low[:, 0])
    left_over = tuple(row.system for row, good in zip(rows, right) if not good)
    return Splits(ways if best == len(rows) else 0, tuple(map(tuple, kept)), len(rows), best, left_over)


def _sizes(classes: int, groups: int) -> Iterator[NDArray[np.int64]]:
    """Every split of the classes into groups of at least one, in order, (S, G) at a time."""
    if groups == 1:
        yield np.array([[classes]])
        return
    for first in product(range(1, classes - groups + 2), repeat=groups - 2):
        left = classes - sum(first)
        if left >= 2:
            last = np.arange(1, left)
            yield np.column_stack([np.tile(first, (len(last), 1)).astype(np.int64), last, left - last])


def _units(rows: Sequence[Row], groups: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(R, 1 + G) bounds of totals and groups in whole halves of the finest last digit of the table."""
    numbers = [[number for number in (row.total, *row.groups) if number is not None] for row in rows]
    finest = max((number.decimals for line in numbers for number in line), default=0)
    if finest > DIGITS:
        raise ManylabelError(f"a number has {finest} decimals; at most {DIGITS} can be searched")
    unit = 2 * 10**finest
    ends = [[[int(end * unit) for end in number.bounds] for number in line] for line in numbers]
    table = np.array(ends, np.int64).reshape(-1, 1 + groups, 2)
    return table[..., 0], table[..., 1]
