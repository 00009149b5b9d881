"""Which classes occur together: counted from the positives alone, so that 100,000 classes are no more work than ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.doctoring.counts import Counts, known_of
from manylabel.labels import LabelTable

Ints = NDArray[np.int64]
MOST = 2000  # labels of one image beyond which it says nothing of which classes belong together
AT_ONCE = 1 << 22  # pairs counted in one go
SQUARE = 1 << 22  # classes squared up to which pairs have a table
FREQUENT = 1000  # classes among which pairs that never occur are looked for
EXPECTED, SUPPORT, STRONG = 10.0, 10, 5
EVERYWHERE, MORE = 0.9, 1.1
MOST_COUPLES = 30


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of classes a < b (M,) that occur together, in `number` (M,) images."""

    a: Ints
    b: Ints
    number: Ints

    def matrix(self, chosen: Ints) -> Ints:
        """(K, K) images with both of the chosen classes, 0 on the diagonal."""
        place = np.full(max(self.b.max(initial=-1), chosen.max(initial=-1)) + 1, -1)
        place[chosen] = np.arange(len(chosen))
        i, j = place[self.a], place[self.b]
        kept = (i >= 0) & (j >= 0)
        square = np.zeros((len(chosen), len(chosen)), np.int64)
        square[i[kept], j[kept]] = square[j[kept], i[kept]] = self.number[kept]
        return square


def count_pairs(table: LabelTable) -> Pairs:
    """All pairs that occur in some image; images of more than 2,000 labels are left out.

    >>> table = LabelTable(np.array([[1, 1, -1], [1, 1, 1]], np.int8), ("a", "b", "c"), ("1", "2"))
    >>> pairs = count_pairs(table)
    >>> list(zip(pairs.a.tolist(), pairs.b.tolist(), pairs.number.tolist()))
    [(0, 1, 2), (0, 2, 1), (1, 2, 1)]
    """
    rows, columns = table.positives
    classes = len(table.names)
    sizes = np.bincount(rows, minlength=len(table))
    if (sizes > MOST).any():
        kept = sizes[rows] <= MOST
        rows, columns, sizes = rows[kept], columns[kept], np.where(sizes <= MOST, sizes, 0)
    ends = np.cumsum(sizes)
    work = np.cumsum(sizes * (sizes - 1) // 2)
    tally = _Tally(classes)
    first = 0
    while first < len(sizes):
        done = work[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(work, done + AT_ONCE)))
        span = slice(ends[first - 1] if first else 0, ends[last - 1])
        tally.add(rows[span], columns[span])
        first = last
    return tally.pairs()


class _Tally:
    """Counts of pairs: a table for few classes, else sorted keys."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.square = np.zeros(classes * classes, np.int64) if classes * classes <= SQUARE else None
        self.keys, self.number = np.zeros((2, 0), np.int64)

    def add(self, rows: Ints, columns: Ints) -> None:
        """Pairs of positives of one image, given image by image with classes ascending."""
        found, step = [np.zeros(0, np.int64)], 1
        there = np.arange(len(rows) - 1)
        while len(there):
            there = there[there + step < len(rows)]
            there = there[rows[there] == rows[there + step]]
            found.append(columns[there].astype(np.int64) * self.classes + columns[there + step])
            step += 1
        keys = np.concatenate(found)
        if self.square is not None:
            self.square += np.bincount(keys, minlength=len(self.square))
            return
        self.keys, place = np.unique(np.concatenate([self.keys, keys]), return_inverse=True)
        weights = np.concatenate([self.number, np.ones(len(keys), np.int64)])
        self.number = np.rint(np.bincount(place, weights=weights, minlength=len(self.keys))).astype(np.int64)

    def pairs(self) -> Pairs:
        if self.square is not None:
            self.keys = np.flatnonzero(self.square)
            self.number = self.square[self.keys]
        return Pairs(self.keys // self.classes, self.keys % self.classes, self.number)


@dataclass(frozen=True)
class Couple:
    """Two classes and the images that hold both.

    Arguments:
        one, other: class names.
        together: images with both.
        expected: images with both if the two had nothing to do with each other.
        share: of the images with either, those with both (Jaccard), in [0, 1].
    """

    one: str
    other: str
    together: int
    expected: float
    share: float


@dataclass(frozen=True)
class Company:
    """Which classes keep company.

    Arguments:
        strongest: pairs with the largest share of images in common, 5 images or more, a tenth more than by chance.
        never: pairs never seen together though 10 or more images were expected to show both.
        within: (a, b, images): a never occurs without b; 10 images with a or more.
        equal: pairs present in exactly the same images, 3 or more.
        classes: the most frequent classes, at most 30.
        matrix: images with each two of them; on the diagonal all images with the class.
    """

    strongest: list[Couple]
    never: list[Couple]
    within: list[tuple[str, str, int]]
    equal: list[tuple[str, str, int]]
    classes: list[str]
    matrix: list[list[int]]


def company(table: LabelTable, counts: Counts, *, most: int = MOST_COUPLES) -> Company:
    """Look for pairs that belong together, avoid each other, or contain each other.

    Arguments:
        most: length of each list, and of the matrix's sides.
    """
    pairs, total = count_pairs(table), counts.totals
    shown = np.argsort(-total, kind="stable")[: min(most, int((total > 0).sum()))]
    matrix = pairs.matrix(shown)
    matrix[np.diag_indices(len(shown))] = total[shown]
    one, other = total[pairs.a], total[pairs.b]
    share = pairs.number / np.maximum(one + other - pairs.number, 1)
    equal = (pairs.number == one) & (pairs.number == other) & (one >= 3)
    more = pairs.number * len(table) > MORE * one * other  # than by chance
    strong = np.flatnonzero((pairs.number >= STRONG) & more & ~equal)
    strong = strong[np.argsort(-share[strong], kind="stable")][:most]
    names = table.names
    return Company(
        strongest=[
            _couple(table, total, (int(pairs.a[k]), int(pairs.b[k])), int(pairs.number[k]), len(table)) for k in strong
        ],
        never=_never(table, pairs, counts)[:most],
        within=_within(names, pairs, counts),
        equal=[(names[pairs.a[k]], names[pairs.b[k]], int(one[k])) for k in np.flatnonzero(equal)],
        classes=[names[c] for c in shown],
        matrix=matrix.tolist(),
    )


def _couple(table: LabelTable, total: Ints, pair: tuple[int, int], together: int, images: int) -> Couple:
    """With the share and the expectation that independence gives over `images`."""
    one, other = (int(total[c]) for c in pair)
    share = together / max(one + other - together, 1)
    expected = one * other / max(images, 1)
    return Couple(table.names[pair[0]], table.names[pair[1]], together, round(expected, 1), round(share, 4))


def _within(names: tuple[str, ...], pairs: Pairs, counts: Counts) -> list[tuple[str, str, int]]:
    """(a, b, images with a): every image with a shows b, which is neither everywhere nor just the same."""
    total, images = counts.totals, counts.known_images
    found = []
    for a, b in ((pairs.a, pairs.b), (pairs.b, pairs.a)):
        usual = total[b] >= EVERYWHERE * images[b]
        inside = (pairs.number == total[a]) & (total[a] >= SUPPORT) & (total[b] > total[a]) & ~usual
        found += [(int(total[a[k]]), int(a[k]), int(b[k])) for k in np.flatnonzero(inside)]
    return [(names[a], names[b], n) for n, a, b in sorted(found, key=lambda one: (-one[0], one[1:]))]


def _never(table: LabelTable, pairs: Pairs, counts: Counts) -> list[Couple]:
    """Pairs of frequent classes that were judged in the same images and never meet."""
    total, images = counts.totals, len(table)
    top = np.argsort(-total, kind="stable")[:FREQUENT]
    expected = np.triu(np.outer(total[top], total[top]) / max(images, 1), k=1)
    expected[pairs.matrix(top) > 0] = 0
    i, j = np.nonzero(expected >= EXPECTED)
    order = np.argsort(-expected[i, j], kind="stable")[:40]
    chosen = [(int(min(pair)), int(max(pair))) for pair in zip(top[i[order]], top[j[order]])]
    found = [_couple(table, total, pair, 0, images) for pair in chosen]
    if not counts.unknown.any():
        return found
    return [one for one, pair in zip(found, chosen) if _judged_together(table, counts, pair) >= EXPECTED]


def _judged_together(table: LabelTable, counts: Counts, pair: tuple[int, int]) -> float:
    """Images expected to show both, of those in which both are known."""
    both = int((known_of(table, pair[0]) & known_of(table, pair[1])).sum())
    rates = [counts.totals[c] / max(counts.known_images[c], 1) for c in pair]
    return float(both * rates[0] * rates[1])
