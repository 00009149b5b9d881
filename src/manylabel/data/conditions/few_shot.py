"""Few shots: an episode of N classes with K images each, and images to query.

Multi-label episodes as in Alfassi et al., "LaSO: Label-set operations networks for multi-label few-shot learning"
(CVPR 2019): images show several classes, so they are taken greedily until each class has at least K.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import only_classes, told, touched, with_column
from manylabel.data.conditions._draw import Draws
from manylabel.data.conditions._pick import Shown, cover
from manylabel.data.dataset import Dataset
from manylabel.labels import ManylabelError

NAME = "few_shot"


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    shots: int = 5,
    ways: int | None = None,
    queries: int = 0,
    episode: int = 0,
    parts: str = "train",
) -> Dataset:
    """A multi-label episode (Alfassi et al., CVPR 2019): at least K images of each of N classes.

    Arguments:
        shots: K >= 1. The support is greedy, see `_pick.cover`: no image in it could leave without some class falling
            below K. A class with fewer than K images has all of them, which the note says.
        ways: N classes, drawn among those with K + `queries` images; the others leave the dataset. None: all classes.
        queries: images to query of each class, chosen likewise among the images left; 0 for none.
        episode: its number: other numbers, other draws.
        parts: where support and queries come from; see `_change.touched`.

    Column `episode` says support or query. The support is in train. Without queries the rows of other parts stay as
    they are; with queries these are test, and nothing else stays. Lists (`SparseLabels`) do too.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), shots=3, queries=2, ways=2)
    >>> len(found.labels.names), sorted(set(found.columns["episode"].tolist())), sorted(set(found.split.tolist()))
    (2, ['query', 'support'], ['test', 'train'])
    """
    _check.whole("shots", shots)
    _check.whole("queries", queries, least=0)
    _check.whole("episode", episode, least=0)
    rows, draws = touched(dataset, parts), Draws(dataset, f"{NAME} {episode}", seed)
    if ways is not None:
        dataset = only_classes(dataset, _ways(dataset, rows, draws, ways, shots + queries))
    support = _chosen(dataset, rows, draws, shots)
    query = _chosen(dataset, rows & ~support, draws, queries)
    word = np.where(support, "support", np.where(query, "query", ""))
    split = np.where(support, "train", np.where(query, "test", dataset.split)).astype("<U5")
    made = with_column(replace(dataset, split=split), "episode", word)
    kept = support | query if queries else support | ~rows
    given = {"shots": shots, "ways": ways, "queries": queries, "episode": episode, "parts": parts, "seed": seed}
    return told(made.rows(kept), NAME, given, _said(dataset, support, query, shots))


def _ways(dataset: Dataset, rows: NDArray[np.bool_], draws: Draws, ways: int, least: int) -> NDArray[np.int64]:
    """The classes of an episode, in the order of the dataset."""
    counts = Shown.of(dataset.labels, rows).counts()
    enough = np.flatnonzero(counts >= least)
    if len(enough) < _check.whole("ways", ways):
        raise ManylabelError(
            f"{dataset.source}: {ways} ways of {least} images each are wanted, and only {len(enough)} classes have so"
            " many; ask for fewer ways, shots or queries"
        )
    key = {c: draws.generator("class", dataset.labels.names[c]).random() for c in enough.tolist()}
    return np.array(sorted(sorted(key, key=key.__getitem__)[:ways]), np.int64)


def _chosen(dataset: Dataset, rows: NDArray[np.bool_], draws: Draws, number: int) -> NDArray[np.bool_]:
    """(N,) images of a mask that give each class `number` positives."""
    found = np.zeros(len(rows), bool)
    if number:
        shown = Shown.of(dataset.labels, rows)
        wanted = np.full(shown.classes, number)
        found[shown.rows[cover(shown, wanted, draws.images()[shown.rows])]] = True
    return found


def _said(dataset: Dataset, support: NDArray[np.bool_], query: NDArray[np.bool_], shots: int) -> str:
    counts = Shown.of(dataset.labels, support).counts()
    short = [f"{dataset.labels.names[c]} ({counts[c]})" for c in np.flatnonzero(counts < shots)[:10]]
    lacking = f" Fewer than {shots} images: {', '.join(short)}." if short else ""
    return (
        f"{int(support.sum()):,} support and {int(query.sum()):,} query images for {len(counts)} classes, {shots} shots"
        f" or more of each.{lacking}"
    )
