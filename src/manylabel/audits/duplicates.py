"""Near-identical images, found by their hashes or by their features, whose known labels disagree."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, ManylabelError

Groups = list[NDArray[np.int64]]
"""Rows of images that show the same, two or more to a group, no row in two groups."""

Pairs = NDArray[np.int64]
MOST, ALIKE = 6, 0.98  # a photograph shrunk and saved again keeps within
COSINE = 0.98
BITS, FLAT = 64, 4.0
GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
WIDTH, SAMPLE, ROWS, COLUMNS = 128, 20_000, 1024, 8192


def difference_hash(small: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(N,) 64-bit difference hashes (Krawetz's dHash, 2013): whether each pixel is darker than the one to its right.

    Arguments:
        small: (N, 8, 9, 3) uint8, the images shrunk to 9 x 8 pixels.

    >>> ramp = np.broadcast_to(np.arange(9, dtype=np.uint8)[None, None, :, None] * 20, (1, 8, 9, 3))
    >>> hex(difference_hash(ramp)[0]), hex(difference_hash(ramp[:, :, ::-1])[0])
    ('0xffffffffffffffff', '0x0')
    """
    grey = small @ GREY
    bits = (grey[:, :, 1:] > grey[:, :, :-1]).reshape(len(small), BITS)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def similar_images(small: NDArray[np.uint8], *, most: int = MOST, alike: float = ALIKE) -> Pairs:
    """(M, 2) pairs of rows that show the same: hashes within `most` bits, colours that correlate at least `alike`.

    Two hashes that differ in at most `most` bits agree wholly in one of most + 1 bands of bits, so only images that
    share a band are compared. An image of nearly one grey (standard deviation below 4 of 255) has no hash worth the
    name and is similar to none. Equal rows are compared through their first.

    Arguments:
        small: (N, 8, 9, 3) uint8.
        most: bits of 64, 0 to 15.
        alike: correlation of the 8 * 9 * 3 values, in [-1, 1].

    >>> noise = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)
    >>> noise[2] = noise[0] // 2 + 40
    >>> similar_images(noise).tolist()
    [[0, 2]]
    """
    if not 0 <= most <= 15:
        raise ManylabelError(f"most is a number of bits from 0 to 15, got {most}")
    flat = small.reshape(len(small), int(np.prod(small.shape[1:])))
    firsts, equal = collapse([row.tobytes() for row in flat])
    rows = firsts[(small[firsts] @ GREY).std(axis=(1, 2)) >= FLAT]
    values = flat[rows].astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    near = near_hashes(difference_hash(small[rows]), most=most)
    near = near[np.einsum("mv,mv->m", values[near[:, 0]], values[near[:, 1]]) >= alike]
    structured = np.isin(equal[:, 0], rows) if len(equal) else np.zeros(0, bool)
    return np.concatenate([rows[near], equal[structured]])


def near_hashes(hashes: NDArray[np.uint64], *, most: int = MOST) -> Pairs:
    """(M, 2) all pairs of positions i < j whose hashes differ in at most `most` bits, sorted.

    >>> near_hashes(np.array([0, 2**60, 7, 2**60 + 1], np.uint64), most=1).tolist()
    [[0, 1], [1, 3]]
    """
    edges = np.linspace(0, BITS, most + 2).astype(int)
    found = [np.zeros((0, 2), np.int64)]
    for low, high in pairwise(edges.tolist()):
        key = (hashes >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)
        order = np.argsort(key, kind="stable")
        key, there = key[order], np.arange(len(key))
        for step in range(1, len(key)):  # partners `step` places on, while any shares the band
            there = there[there + step < len(key)]
            there = there[key[there] == key[there + step]]
            if not len(there):
                break
            pairs = np.stack([order[there], order[there + step]], axis=1)
            found.append(pairs[np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= most])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def similar_vectors(vectors: NDArray[np.floating], *, least: float = COSINE) -> Pairs:
    """(M, 2) all pairs of rows i < j whose cosine is at least `least`; a vector of zeros is similar to none.

    Exact. Vectors are turned onto their 128 strongest directions; what lies beyond them adds to a product at most the
    product of the lengths left over, so most pairs are ruled out by a tenth of the work, a block at a time.

    Arguments:
        vectors: (N, D), any length.
        least: in (0, 1].

    >>> similar_vectors(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.1]])).tolist()
    [[0, 2]]
    """
    if not 0 < least <= 1:
        raise ManylabelError(f"least is a cosine in (0, 1], got {least}")
    x = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(x, axis=1)
    rows = np.flatnonzero(lengths > 0)
    x = x[rows] / lengths[rows, None]
    short = _shortened(x)
    found = [np.zeros((0, 2), np.int64)]
    for i in range(0, len(x), ROWS):
        for j in range(i, len(x), COLUMNS):
            bound = short[i : i + ROWS] @ short[j : j + COLUMNS].T
            near = np.argwhere(bound >= least - 1e-4) + np.array([i, j])
            near = near[near[:, 0] < near[:, 1]]
            cosine = np.einsum("md,md->m", x[near[:, 0]], x[near[:, 1]], dtype=np.float64)
            found.append(near[cosine >= least - 1e-6])
    return rows[np.concatenate(found)]


def _shortened(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, W + 1) whose products are upper bounds of those of unit vectors (N, D); `x` itself where D is small."""
    if x.shape[1] <= 2 * WIDTH or len(x) <= ROWS:
        return x
    some = x[:: -(-len(x) // SAMPLE)].astype(np.float64)
    basis = np.linalg.eigh(some.T @ some)[1][:, -WIDTH:].astype(np.float32)
    head = x @ basis
    rest = np.sqrt(np.maximum(1 - (head.astype(np.float64) ** 2).sum(axis=1, keepdims=True), 0))
    return np.hstack([head, rest.astype(np.float32)])


def collapse(keys: Sequence[Hashable]) -> tuple[NDArray[np.int64], Pairs]:
    """The first position of each key, and pairs (first, later) of equal ones.

    >>> collapse(["a", "b", "a"])
    (array([0, 1]), array([[0, 2]]))
    """
    first: dict[Hashable, int] = {}
    pairs = [(first.setdefault(key, k), k) for k, key in enumerate(keys)]
    later = np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)
    return np.array(list(first.values()), np.int64), later


def grouped(pairs: Pairs, images: int) -> Groups:
    """Rows that pairs connect, also through others, rows ascending, groups by their first row.

    Arguments:
        pairs: (M, 2) rows.
        images: N.

    >>> grouped(np.array([[4, 1], [1, 0], [2, 5]]), 6)
    [array([0, 1, 4]), array([2, 5])]
    """
    lowest = np.arange(images)
    one, other = np.asarray(pairs, np.int64).reshape(-1, 2).T
    while (lowest[one] != lowest[other]).any():
        least = np.minimum(lowest[one], lowest[other])
        for side in (one, other):
            np.minimum.at(lowest, lowest[side], least)
            np.minimum.at(lowest, side, least)
        lowest = lowest[lowest]
    order = np.argsort(lowest, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(lowest[order])) + 1) if images else []
    return [part for part in parts if len(part) > 1]


@dataclass(frozen=True)
class Disagreement:
    """One cell that says other than most of the images which show the same.

    Arguments:
        image, label: row and class of the cell.
        other: row of the first image of the group that says otherwise.
        against, known: how many of the group say otherwise, and how many say anything.
        probability: mean of the model's over the group, in [0, 1]; what decided where `against` is half of `known`.
    """

    image: int
    label: int
    other: int
    against: int
    known: int
    probability: float

    @property
    def tie(self) -> bool:
        """Whether as many say one as the other."""
        return 2 * self.against == self.known


def disagreements(
    labels: NDArray[np.int8], probabilities: NDArray[np.floating], groups: Iterable[NDArray[np.int64]]
) -> list[Disagreement]:
    """Cells of grouped images outvoted by the group: unknown cells have no vote and never disagree.

    Where as many say present as absent, the mean of the model's probabilities decides, from 0.5 on for present.

    Arguments:
        labels: (N, C) int8.
        probabilities: (N, C) in [0, 1].
        groups: rows of images that show the same.

    >>> labels = np.array([[1, 0], [-1, 1], [1, -1]], np.int8)
    >>> p = np.array([[0.9, 0.5], [0.9, 0.9], [0.9, 0.4]])
    >>> [(d.image, d.label, d.other, d.tie) for d in disagreements(labels, p, [np.array([0, 1, 2])])]
    [(1, 0, 0, False), (2, 1, 1, True)]
    """
    found = []
    for rows in groups:
        state = labels[rows]
        for c in np.flatnonzero((state == PRESENT).any(axis=0) & (state == ABSENT).any(axis=0)):
            found += _outvoted(rows, state[:, c], probabilities[rows, c], int(c))
    return found


def _outvoted(
    rows: NDArray[np.int64], state: NDArray[np.int8], p: NDArray[np.floating], label: int
) -> list[Disagreement]:
    """The disagreements of one group in one class, `state` and `p` of its rows."""
    votes, known, mean = int(state.sum(dtype=np.int64)), int(np.count_nonzero(state)), float(p.mean(dtype=np.float64))
    right = np.sign(votes) if votes else (PRESENT if mean >= 0.5 else ABSENT)
    other = int(rows[state == right][0])
    against = int((state == right).sum())
    return [Disagreement(int(row), label, other, against, known, mean) for row in rows[state == -right]]
