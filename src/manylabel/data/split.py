"""Train, validation and test parts, or folds, in which every class keeps its share, down to the rarest.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011), with these additions: groups of images that
stay together; a class with at least as many positives (with groups: as many groups that hold one) as there are parts
is in each of them; parts keep their sizes; swaps even out what is left over. See `manylabel.data.splitting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.data.dataset import PARTS, Dataset
from manylabel.data.splitting.divide import Choices, divide_table
from manylabel.data.splitting.goals import FRACTIONS, checked
from manylabel.labels import LabelTable, ManylabelError

VAL_OF_TRAIN = {"train": 0.9, "val": 0.1}


def assign(
    table: LabelTable,
    *,
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
    groups: ArrayLike | None = None,
    kept: ArrayLike | None = None,
    negatives: bool = False,
) -> NDArray[np.str_]:
    """(N,) the part of each image, stratified by known positives; the same for any order of the rows.

    Unknown cells never count as negatives: shares are kept of the known positives, of the images without one, of
    those nobody judged, and of all images.

    Arguments:
        table: a table or lists of labels.
        fractions: share of each part, of any name and number, summing to 1; by default .8 train, .1 val, .1 test.
        seed: of the order in which images are taken, which depends on it and on their ids alone.
        groups: (N,) whole numbers; images of one number come into one part. None: every image by itself.
        kept: (N,) part that an image keeps, or ""; the others are divided so that the whole comes to the shares.
            A group goes where its kept images are. Raises ManylabelError where they are in two parts.
        negatives: whether verified negatives keep their shares as well; without it they follow from the positives as
            far as nothing is unknown.

    Part sizes are the shares of N rounded (with groups, as near as these allow), each part at least one image where N
    allows, unless the guarantee asks for more: a class with at least as many positives as there are parts has one in
    every part. Where many classes share very few images no split may do that; `splitting.told` says which and why.

    >>> table = LabelTable(np.ones((10, 1), np.int8), ("cat",), tuple("abcdefghij"))
    >>> sorted(assign(table).tolist())
    ['test', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'val']
    >>> assign(table, fractions={"0": 0.4, "1": 0.6}, groups=[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]).tolist()
    ['1', '1', '0', '0', '0', '0', '1', '1', '1', '1']
    """
    shares = checked(FRACTIONS if fractions is None else fractions)
    number = None if groups is None else np.asarray(groups, np.int64)
    tally = divide_table(table, shares, number, kept, Choices(seed, negatives))
    return np.array(list(shares), dtype=f"<U{max(map(len, shares))}")[tally.part[tally.units.unit]]


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
