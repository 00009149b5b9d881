"""What the labels themselves look like: which come together, which are unknown, how many an image has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN

States = NDArray[np.int8]


def cooccurrence(state: States) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Images with i and j present, and images with i present and j known, both (C, C).

    Their ratio is P(j | i) with unknown cells left out.

    >>> both, base = cooccurrence(np.array([[1, 1], [1, 0], [1, -1]], np.int8))
    >>> both.tolist(), base.tolist()
    ([[3, 1], [1, 1]], [[3, 2], [1, 1]])
    """
    present = (state == PRESENT).astype(np.float64)
    known = (state != UNKNOWN).astype(np.float64)
    return (present.T @ present).astype(np.int64), (present.T @ known).astype(np.int64)


def grouped_order(both: NDArray[np.int64], images: int) -> NDArray[np.intp]:
    """Classes in an order that puts those which come together side by side.

    Order of the second eigenvector of the normalised graph Laplacian (Atkins, Boman, Hendrickson, SIAM J. Comput.
    1998), classes weighted by their positive phi correlation; unknown cells count as absent for the order alone.

    Arguments:
        both: (C, C) images with i and j present; images: how many there are.

    >>> order = grouped_order(np.array([[4, 0, 4], [0, 4, 0], [4, 0, 4]]), 8).tolist()
    >>> abs(order.index(0) - order.index(2))
    1
    """
    if len(both) < 3:
        return np.arange(len(both))
    n = np.diag(both).astype(np.float64)
    spread = np.sqrt(np.maximum(n * (images - n), 1.0))
    weight = np.maximum((images * both - np.outer(n, n)) / np.outer(spread, spread), 0.0) + 1e-4
    np.fill_diagonal(weight, 0.0)
    scale = 1.0 / np.sqrt(weight.sum(axis=1))
    vectors = np.linalg.eigh(np.eye(len(weight)) - scale[:, None] * weight * scale)[1]
    second = vectors[:, 1] * scale
    return np.argsort(second * np.sign(second[np.argmax(np.abs(second))]), kind="stable")


def unknown_shares(parts: Mapping[str, States]) -> dict[str, list[float | None]]:
    """Share of unknown cells of each class in each part; None where a part has no image.

    >>> unknown_shares({"train": np.array([[0, 1], [0, -1]], np.int8)})
    {'train': [1.0, 0.0]}
    """
    return {
        part: [round(x, 4) for x in (np.asarray(state) == UNKNOWN).mean(axis=0).tolist()]
        if len(state)
        else [None] * np.shape(state)[1]
        for part, state in parts.items()
    }


def labels_per_image(labels: States, decided: NDArray[np.bool_], *, most: int = 24) -> dict[str, Any]:
    """Images by their number of labels, in truth and as decided, both counted over known cells.

    Counts above `most` share the last bin; `capped` says whether there are any.

    >>> labels_per_image(np.array([[1, 1], [0, -1]], np.int8), np.array([[True, False], [True, False]]))
    {'truth': [1, 0, 1], 'decided': [1, 1, 0], 'capped': False, 'mean': [1.0, 0.5]}
    """
    truth = (labels == PRESENT).sum(axis=1)
    chosen = (decided & (labels != UNKNOWN)).sum(axis=1)
    top = int(max(truth.max(initial=0), chosen.max(initial=0)))
    bins = min(top, most) + 1
    counts = [np.bincount(np.minimum(x, most), minlength=bins).tolist() for x in (truth, chosen)]
    means = [float(x.mean()) if len(x) else 0.0 for x in (truth, chosen)]
    return {"truth": counts[0], "decided": counts[1], "capped": top > most, "mean": means}
