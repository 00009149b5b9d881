"""Train, validation and test parts in which every class keeps its share, down to the rarest.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011): the class with fewest images left goes
first, each of its images to the part that still wants most of that class. Three additions: parts keep their sizes, a
class with at least as many positives as there are parts is in each of them, and swaps even out what is left over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import PARTS, Dataset
from manylabel.labels import LabelTable, ManylabelError

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
VAL_OF_TRAIN = {"train": 0.9, "val": 0.1}
MOST_SWAPS, SAMPLE = 2000, 1000


def assign(table: LabelTable, *, fractions: Mapping[str, float] | None = None, seed: int = 0) -> NDArray[np.str_]:
    """(N,) the part of each image, stratified by known positives; the same for any order of the rows.

    Arguments:
        fractions: share of each part, summing to 1; by default .8 train, .1 val, .1 test.

    Part sizes are the shares of N rounded, each part at least one image where N allows, unless the guarantee
    asks for more: a class with at least as many positives as there are parts has one in every part. (Where many
    classes share very few images no split may do that; then as many as the search finds.)

    >>> table = LabelTable(np.ones((10, 1), np.int8), ("cat",), tuple("abcdefghij"))
    >>> sorted(assign(table).tolist())
    ['test', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'val']
    """
    shares = _checked(FRACTIONS if fractions is None else fractions)
    order = _order(table.ids, seed)
    present = table.present[order]
    sizes = _sizes(len(table), np.array(list(shares.values())))
    rng = np.random.default_rng(seed)
    part = _stratify(present, sizes, rng)
    part = _balance(_cover(part, present, len(sizes)), present, sizes)
    part = _even(part, present, sizes, rng)
    named = np.empty(len(table), dtype=f"<U{max(map(len, shares))}")
    named[order] = np.array(list(shares))[part]
    return named


def complete(dataset: Dataset, *, seed: int = 0) -> Dataset:
    """The dataset with the parts its file lacks, and a note on each.

    No part named: three are made. Validation is carved out of train where it lacks; test is carved out too where
    only train is named, and stays empty beside train and val. Rows without a part join train.
    """
    split, notes = dataset.split.astype("<U5"), []
    blank = split == ""
    if blank.any() and not blank.all():
        notes.append(f"{int(blank.sum()):,} rows name no part; they join train.")
        split[blank] = "train"
    named = set(split.tolist()) - {""}
    if named <= {"train"}:
        split = assign(dataset.labels, seed=seed).astype("<U5")
        notes.append(f"The file names {'train only' if named else 'no part'}: {_said(split, seed)}")
    elif "train" not in named:
        raise ManylabelError(f"{dataset.source}: the parts are {' and '.join(sorted(named))}; expected rows of train")
    elif "val" not in named:
        train = split == "train"
        split[train] = assign(dataset.labels.rows(train), fractions=VAL_OF_TRAIN, seed=seed)
        notes.append(f"The file has no val; it is taken out of train: {_said(split, seed)}")
    elif "test" not in named:
        notes.append("The file has no test part; there will be no test results.")
    return replace(dataset, split=split, notes=(*dataset.notes, *notes))


def _said(split: NDArray[np.str_], seed: int) -> str:
    sizes = ", ".join(f"{part} {int((split == part).sum()):,}" for part in PARTS)
    return f"stratified split with seed {seed} ({sizes})."


def _checked(fractions: Mapping[str, float]) -> dict[str, float]:
    shares = {part: float(share) for part, share in fractions.items()}
    if not shares or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ManylabelError(f"fractions of a split are not negative and sum to 1, got {shares}")
    return {part: share for part, share in shares.items() if share > 0}


def _order(ids: tuple[str, ...], seed: int) -> NDArray[np.intp]:
    """Rows sorted by a seeded hash of their ids."""
    salt = str(seed).encode()
    keys = [hashlib.blake2b(name.encode(), digest_size=16, salt=salt[:16]).digest() for name in ids]
    return np.array(sorted(range(len(ids)), key=keys.__getitem__), dtype=np.intp)


def _sizes(images: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """(P,) whole sizes nearest to the shares, summing to `images`, none empty while there are images enough."""
    exact = images * shares
    sizes = np.floor(exact).astype(np.int64)
    sizes[np.argsort(sizes - exact, kind="stable")[: images - sizes.sum()]] += 1
    if images >= len(shares):
        while (sizes == 0).any():
            sizes[sizes.argmin()] += 1
            sizes[sizes.argmax()] -= 1
    return sizes


def _stratify(present: NDArray[np.bool_], sizes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) part numbers by iterative stratification with parts that are full once they have their size."""
    images = len(present)
    table = np.column_stack([present, ~present.any(axis=1)])  # (N, C + 1): showing nothing is a class too
    left = table.sum(axis=0)  # (C + 1,)
    shares = sizes / max(images, 1)
    wanted = _wanted(left, shares)
    labels = [np.flatnonzero(row) for row in table]
    room, part, ties = sizes.astype(np.float64), np.full(images, -1), rng.random((images, len(sizes)))
    while (left > 0).any():
        rarest = int(np.where(left > 0, left, np.inf).argmin())
        for image in np.flatnonzero(table[:, rarest] & (part < 0)):
            keys = zip(room > 0, wanted[rarest], room, ties[image])
            best = max(enumerate(keys), key=lambda pair: pair[1])[0]
            part[image] = best
            room[best] -= 1
            wanted[labels[image], best] -= 1
            left[labels[image]] -= 1
    return part


def _wanted(counts: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, P) positives each part should get: its share, and at least one of each class that has enough."""
    wanted = counts[:, None] * shares
    enough = counts >= len(shares)
    raised = np.maximum(wanted, 1)
    largest = int(shares.argmax())
    raised[:, largest] -= raised.sum(axis=1) - counts
    return np.where(enough[:, None], raised, wanted)


def _cover(part: NDArray[np.int64], present: NDArray[np.bool_], parts: int) -> NDArray[np.int64]:
    """Move images until every class with at least `parts` positives is in every part.

    Each step mends one gap with the image that mends most and breaks least; images moved before are avoided, which
    leads out of circles. The best state met is returned.
    """
    table = present[:, present.sum(axis=0) >= parts]
    part, moves = part.copy(), np.zeros(len(part))
    counts = _counts(part, table, parts)
    best, fewest = part.copy(), int((counts == 0).sum())
    for step in range(200 + 20 * fewest):
        lacking = np.argwhere(counts == 0)
        if not len(lacking):
            break
        to, c = lacking[step % len(lacking)]
        rows = np.flatnonzero(table[:, c])
        mends = (table[rows] & (counts[to] == 0)).sum(axis=1)
        breaks = (table[rows] & (counts[part[rows]] == 1)).sum(axis=1)
        spare = counts[part[rows], c] / len(rows)  # in [0, 1]: takes from the part that has most of the class
        image = rows[(mends - breaks - moves[rows] / 2 + spare / 10).argmax()]
        _move(part, counts, table, image, int(to))
        moves[image] += 1
        if (counts == 0).sum() < fewest:
            best, fewest = part.copy(), int((counts == 0).sum())
    return best


def _balance(part: NDArray[np.int64], present: NDArray[np.bool_], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring the parts back to their sizes with images whose leaving takes no class out of a part."""
    part, wanted = part.copy(), present.sum(axis=0)[:, None] * (sizes / max(len(part), 1))
    counts, common = _counts(part, present, len(sizes)), np.maximum(present.sum(axis=0), 1)
    guarded = present.sum(axis=0) >= len(sizes)
    while True:
        excess = np.bincount(part, minlength=len(sizes)) - sizes
        pairs = [(a, b) for a in np.flatnonzero(excess > 0) for b in np.flatnonzero(excess < 0)]
        for a, b in pairs:
            rows = np.flatnonzero(part == a)
            rows = rows[~(present[rows] & (guarded & (counts[a] == 1))).any(axis=1)]
            if len(rows):
                # Change of the squared distance from the wanted counts when one positive goes from a to b.
                price = 2 + 2 * (counts[b] - wanted[:, b]) - 2 * (counts[a] - wanted[:, a])
                _move(part, counts, present, rows[(present[rows] @ (price / common)).argmin()], int(b))
                break
        else:
            return part


def _even(
    part: NDArray[np.int64], present: NDArray[np.bool_], sizes: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Swap images between parts while that lowers sum over classes of (count - wanted count)^2 / positives.

    The greedy pass has no choice left for the last, most frequent class; this mends it. No class leaves a part.
    """
    part, total = part.copy(), present.sum(axis=0)
    wanted = (total[:, None] * (sizes / max(len(part), 1))).T  # (P, C)
    counts, weight = _counts(part, present, len(sizes)), 1 / np.maximum(total, 1)
    pairs = [(a, b) for a in range(len(sizes)) for b in range(a + 1, len(sizes))]
    failed = 0
    for step in range(MOST_SWAPS if pairs else 0):
        a, b = pairs[step % len(pairs)]
        ours, theirs = (_sample(np.flatnonzero(part == p), rng) for p in (a, b))
        # What one positive going from a to b adds to the sum, to first order.
        price = 2 * weight * ((counts - wanted)[b] - (counts - wanted)[a])
        swap = _best_swap(present[ours], present[theirs], price, weight, counts[[a, b]])
        failed = failed + 1 if swap is None else 0
        if swap is not None:
            _move(part, counts, present, ours[swap[0]], b)
            _move(part, counts, present, theirs[swap[1]], a)
        elif failed > 5 * len(pairs):
            break
    return part


def _best_swap(
    ours: NDArray[np.bool_],
    theirs: NDArray[np.bool_],
    price: NDArray[np.float64],
    weight: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> tuple[int, int] | None:
    """Rows of `ours` and `theirs` (labels, (n, C)) whose swap lowers the sum most, of the 8 most willing each.

    `counts` (2, C) are those of the two parts; a swap that takes the last of a class is left out. None: nothing helps.
    """
    if not len(ours) or not len(theirs):
        return None
    i = np.argsort(ours @ (2 * weight + price), kind="stable")[:8]
    j = np.argsort(theirs @ (2 * weight - price), kind="stable")[:8]
    change = (ours[i].astype(int)[:, None] - theirs[j]).reshape(-1, len(weight))  # (64, C) what leaves our part
    cost = change @ price + 2 * change**2 @ weight
    after = counts[:, None] + np.stack([-change, change])  # (2, 64, C)
    cost[(after < np.minimum(counts, 1)[:, None]).any(axis=(0, 2))] = np.inf
    best = int(cost.argmin())
    return (int(i[best // len(j)]), int(j[best % len(j)])) if cost[best] < -1e-9 else None


def _sample(rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    return rows if len(rows) <= SAMPLE else rows[rng.integers(len(rows), size=SAMPLE)]


def _counts(part: NDArray[np.int64], table: NDArray[np.bool_], parts: int) -> NDArray[np.int64]:
    """(P, C) positives of each class in each part."""
    return np.stack([table[part == p].sum(axis=0) for p in range(parts)])


def _move(part: NDArray[np.int64], counts: NDArray[np.int64], table: NDArray[np.bool_], image: int, to: int) -> None:
    counts[part[image]] -= table[image]
    counts[to] += table[image]
    part[image] = to
