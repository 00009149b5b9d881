"""Scores of every image by a model that did not see it: k-fold, near-identical images kept together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.duplicates import Groups, grouped, similar_vectors
from manylabel.data import Dataset
from manylabel.data.split import VAL_OF_TRAIN, assign
from manylabel.labels import PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.loops.score import score
from manylabel.loops.sources import FeatureSource
from manylabel.loops.train import make_fabric
from manylabel.methods import Method
from manylabel.parts.settings import Fit, Settings

Rows = NDArray[np.int64]


ALIKE = 0.95  # cosine of pooled features: tiles of one field, shots of one burst; other photographs stay below


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, to select on and to score."""

    train: Rows
    val: Rows
    test: Rows


def divide(table: LabelTable, number: int, *, groups: Iterable[Rows] = (), seed: int = 0) -> list[Fold]:
    """`number` stratified folds; every image is scored in one of them, and no group lies on both sides.

    Folds come from iterative stratification (see `data.split`) of groups rather than images; of what a fold does not
    score a tenth, stratified again, is kept to select on.

    Arguments:
        table: the labels; by their known positives folds are alike.
        number: of folds, from 2 to the number of units (groups, and images alone) less 2: a fold needs an image to
            score, and outside it one to learn from and one to select on.
        groups: rows of images that show the same; no row in two of them.
        seed: of the stratification.

    Raises ManylabelError where there are too few images for so many folds.

    >>> table = LabelTable(np.ones((8, 1), np.int8), ("cat",), tuple("abcdefgh"))
    >>> folds = divide(table, 2, groups=[np.array([0, 7])])
    >>> sorted(np.concatenate([fold.test for fold in folds]).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    >>> [{0, 7} <= set(fold.test.tolist()) for fold in folds].count(True)
    1
    """
    unit = units(len(table), groups)
    whole = unit_table(table, unit)
    if not 2 <= number <= len(whole) - 2:
        raise ManylabelError(
            f"{number} folds of {len(table):,} images, {len(whole):,} of which differ: expected from 2 to"
            f" {max(len(whole) - 2, 0)} folds"
        )
    names = {str(k): 1 / number for k in range(number)}
    part = assign(whole, fractions=names, seed=seed).astype(np.int64)
    folds = []
    for k in range(number):
        rest = np.flatnonzero(part != k)
        held = rest[assign(whole.rows(rest), fractions=VAL_OF_TRAIN, seed=seed) == "val"]
        role = np.where(part == k, 2, 0)
        role[held] = 1
        folds.append(Fold(*(np.flatnonzero(role[unit] == r) for r in range(3))))
    return folds


def alike(source: FeatureSource, *, least: float = ALIKE) -> Groups:
    """Rows whose pooled features have a cosine of at least `least`, which must not be on both sides of a fold."""
    return grouped(similar_vectors(source.pooled().numpy(), least=least), len(source))


def units(images: int, groups: Iterable[Rows]) -> Rows:
    """(N,) the unit of each image: a group, or the image alone; numbered from 0 without gaps.

    >>> units(4, [np.array([1, 3])])
    array([0, 1, 2, 1])
    """
    first = np.arange(images)
    for rows in groups:
        first[rows] = rows.min()
    return np.unique(first, return_inverse=True)[1]


def unit_table(table: LabelTable, unit: Rows) -> LabelTable:
    """One row for each unit, with every positive of its images, under the id of its first image."""
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(unit[order]) > 0])
    present = np.logical_or.reduceat(table.present[order], starts, axis=0)
    ids = tuple(table.ids[i] for i in order[starts])
    return LabelTable(np.where(present, PRESENT, UNKNOWN).astype(np.int8), table.names, ids)


def score_out_of_fold(
    source: FeatureSource,
    folds: Sequence[Fold],
    *,
    build: Callable[[Rows], Method],
    fit: Callable[..., Fit],
    settings: Settings,
    fabric: Any = None,
    progress: Callable[..., Any] | None = None,
) -> NDArray[np.float32]:
    """(N, C) logits, each image's by a model fitted on the other folds.

    Arguments:
        source: N images with their labels.
        folds: of `divide`; every row is scored in one of them.
        build: the untrained method for the training rows it is given.
        fit: `loops.train.fit`, or the method's own.
        settings, fabric: as for `loops.train.fit`.
        progress: a context manager `progress(steps, done, what=...)` that gives a tick.

    Raises KeyboardInterrupt where training was interrupted: half a cross-validation is none.
    """
    logits = np.full(source.labels.shape, np.nan, np.float32)
    for number, fold in enumerate(folds, start=1):
        method = build(fold.train)
        train, val, test = (part(source, rows, grid=method.needs_grid) for rows in (fold.train, fold.val, fold.test))
        named = None if progress is None else _named(progress, f"fold {number} of {len(folds)}")
        outcome = fit(method, train, val, settings, fabric=fabric, folder=None, resume=False, progress=named)
        if outcome.ended == "interrupted":
            raise KeyboardInterrupt
        logits[fold.test] = score(method, test, fabric=fabric)
    return logits


def score_dataset(
    dataset: Dataset,
    source: FeatureSource,
    number: int,
    *,
    make: Callable[[Dataset], Method],
    fit: Callable[..., Fit],
    settings: Settings,
    progress: Callable[..., Any] | None = None,
) -> NDArray[np.float32]:
    """(N, C) logits of a data set's images by `number` folds; images with like features stay in one.

    Arguments:
        dataset: N images with labels; its own parts do not matter.
        source: the features of these images, row by row.
        make: the untrained method for a data set whose training rows are those of `split` "train".
        fit, settings, progress: as for `score_out_of_fold`.
    """

    def build(rows: Rows) -> Method:
        named = np.full(len(dataset), "", "<U5")
        named[rows] = "train"
        return make(replace(dataset, split=named))

    folds = divide(dataset.labels, number, groups=alike(source), seed=settings.seed)
    return score_out_of_fold(
        source, folds, build=build, fit=fit, settings=settings, fabric=make_fabric(settings), progress=progress
    )


def part(source: FeatureSource, rows: Rows, *, grid: bool) -> FeatureSource:
    """Some rows of a source, with their patch vectors or without."""
    return FeatureSource(source.cached, source.rows[rows], source.labels.numpy()[rows], grid=grid)


def _named(progress: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The bar of one fold; a method that trains several systems names each of them behind it."""

    def bar(steps: int, done: int, what: str = "") -> Any:
        return progress(steps, done, what=f"{name} {what}".rstrip())

    return bar
