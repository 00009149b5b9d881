"""Candidate sets: the true labels of an image hidden among false ones (partial multi-label learning).

Xie & Huang, "Partial multi-label learning" (AAAI 2018): every image has a set of candidates, of which some are true.
The false ones come at random, or as in "Instance-dependent partial label learning" (Xu et al., NeurIPS 2021) where a
model, or the likeness of features, finds them plausible.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.data.beside import Cells
from manylabel.data.conditions import _check
from manylabel.data.conditions._change import rebuilt, table_needed, told, touched
from manylabel.data.conditions._draw import Draws, lowest, row_blocks, share_of
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

NAME = "candidates"
WHY = "false candidates are drawn among all absent classes; take fewer classes"
Floats = NDArray[np.floating]


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    rate: float = 0.1,
    by: str = "cell",
    scores: ArrayLike | str | Path | None = None,
    temperature: float = 1.0,
    parts: str = "train",
) -> Dataset:
    """Candidate sets (Xie & Huang, AAAI 2018): true and false candidates become unknown, the rest stays absent.

    Arguments:
        rate: "cell", in [0, 1]: each absent cell is a false candidate with that probability. "image": an image gets
            the nearest whole number to rate x (its positives) false candidates, or all that is absent if that is less.
        by: "cell" or "image". Images without positives get none, for of candidates at least one is true.
        scores: (N, C), higher where a class is more plausible, in any unit; or a file of them (`.npz` with ids, names
            and scores, or ids and features (N, D), for `similarity`). Of the absent classes of an image, as many as
            above are then drawn one after another with probability in proportion to exp(score / temperature).
        temperature: > 0; small: always the most plausible, large: as if there were no scores.
        parts: see `_change.touched`.

    Cells unknown before stay unknown and are no candidates. Lists (`SparseLabels`) are an error.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), rate=1.0, parts="all")
    >>> sorted(set(map(tuple, found.labels.state.tolist()))), len(found.beside.candidates)
    ([(-1, -1, -1), (0, 0, 0)], 132)
    """
    rate = _check.number("rate", rate, most=1 if _check.word("by", by, ("cell", "image")) == "cell" else float("inf"))
    _check.number("temperature", temperature, least=1e-9)
    rows, draws = touched(dataset, parts), Draws(dataset, NAME, seed)
    plausible = None if scores is None else _scores(dataset, scores)
    state = table_needed(dataset, NAME, WHY)
    found = []
    for some in row_blocks(state.shape):
        logits = None if plausible is None else plausible[some] / temperature
        false = _false(state[some], draws, some, rate, by, logits)
        own = ((state[some] == PRESENT) | false) & rows[some, None]
        state[some][own] = UNKNOWN
        images, columns = np.nonzero(own)
        found.append((images + some.start, columns))
    after = _with(dataset, found)
    given = {"rate": rate, "by": by, "scores": _named(scores), "temperature": float(temperature), "parts": parts}
    number = sum(len(one) for one, _ in found)
    said = f"{number:,} candidates, {number - int(dataset.labels.present[rows].sum()):,} of them false."
    return told(replace(after, labels=rebuilt(dataset.labels, state)), NAME, {**given, "seed": seed}, said)


def _false(
    state: NDArray[np.int8], draws: Draws, some: slice, rate: float, by: str, logits: Floats | None
) -> NDArray[np.bool_]:
    """(R, C) the false candidates of some rows."""
    positives = (state == PRESENT).sum(axis=1)
    eligible = (state == ABSENT) & (positives > 0)[:, None]
    keys = draws.block(some)
    if by == "cell":
        false = eligible & (keys < rate)
        if logits is None:
            return false
        number, keys = false.sum(axis=1), draws.block(some, stream=1)
    else:
        number = share_of(rate, positives)
    # The highest of score + Gumbel noise come out as if drawn one after another in proportion to exp(score).
    if logits is not None:
        with np.errstate(divide="ignore"):
            keys = np.log(-np.log1p(-keys)) - logits
    return lowest(keys, eligible, number)


def _with(dataset: Dataset, found: list[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> Dataset:
    """The dataset with more candidates listed."""
    rows, columns = (np.concatenate(part) for part in zip(*found))
    old = dataset.beside.candidates
    if old is not None:
        rows, columns = np.concatenate([old.rows, rows]), np.concatenate([old.columns, columns])
    cells = Cells(rows, columns, np.zeros((len(rows), 0), np.int8))
    return replace(dataset, beside=replace(dataset.beside, candidates=cells))


def _named(scores: ArrayLike | str | Path | None) -> str | None:
    """What the provenance says of scores."""
    if scores is None or isinstance(scores, str | Path):
        return None if scores is None else str(scores)
    array = np.ascontiguousarray(scores)
    return f"{'x'.join(map(str, array.shape))}, sha256 {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


def _scores(dataset: Dataset, scores: ArrayLike | str | Path) -> Floats:
    """(N, C) finite scores in the order of the dataset."""
    table = _loaded(dataset, Path(scores)) if isinstance(scores, str | Path) else np.asarray(scores)
    if table.shape != dataset.labels.shape:
        raise ManylabelError(
            f"scores: expected (images, classes) = {dataset.labels.shape}, got {table.shape}; features become scores"
            " with candidates.similarity"
        )
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ManylabelError(f"scores: expected finite numbers, got {table[row, column]} in row {row}, class {column}")
    return table


def _loaded(dataset: Dataset, path: Path) -> Floats:
    """Scores from a file, or from the features in it."""
    from manylabel import scores

    if path.suffix == ".npz" and path.is_file():
        with np.load(path, allow_pickle=False) as file:
            if {"ids", "features"} <= set(file.files):
                features = file["features"][_places(file["ids"], dataset.labels.ids, path, "image")]
                return similarity(features, dataset.labels)
    held = scores.load(path)
    rows = _places(held.ids, dataset.labels.ids, path, "image")
    table: Floats = held.scores[np.ix_(rows, _places(held.names, dataset.labels.names, path, "class"))]
    return table


def _places(there: ArrayLike, wanted: tuple[str, ...], path: Path, what: str) -> NDArray[np.intp]:
    place = {str(name): k for k, name in enumerate(np.asarray(there))}
    if lacking := [name for name in wanted if name not in place]:
        raise ManylabelError(f"{path}: {len(lacking):,} of the dataset's {what} names are not there: {lacking[0]!r}")
    return np.array([place[name] for name in wanted], np.intp)


def similarity(features: ArrayLike, labels: LabelTable) -> Floats:
    """(N, C) cosine of each image's centred features (N, D) with the mean of the images that show a class.

    A class without positives gets 0 everywhere. In [-1, 1]: a temperature near 0.1 makes it felt.

    >>> labels = LabelTable.from_values([[1, 0], [0, 1]], names=["a", "b"], ids=["x", "y"])
    >>> similarity([[1.0, 0.0], [0.0, 1.0]], labels).round(3).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    array = np.asarray(features, np.float64)
    if array.ndim != 2 or len(array) != len(labels):
        raise ManylabelError(f"features: expected ({len(labels)}, D), got {array.shape}")
    array = array - array.mean(axis=0)
    means = np.zeros((len(labels.names), array.shape[1]))
    images, columns = labels.positives
    np.add.at(means, columns, array[images])
    cosine: Floats = _unit(array) @ _unit(means).T
    return cosine


def _unit(array: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.linalg.norm(array, axis=1, keepdims=True)
    return np.divide(array, norm, out=np.zeros_like(array), where=norm > 0)
