"""Federated clients: every image belongs to one client, unevenly.

Label skew by Dirichlet shares: Hsu, Qi & Brown, "Measuring the effects of non-identical data distribution for federated
visual classification" (arXiv 1909.06335); label and quantity skew: Li et al., "Federated learning on non-IID data
silos" (ICDE 2022). An image with several labels goes by its rarest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import Mask, positives, told, touched, with_column
from manylabel.data.conditions._draw import Draws
from manylabel.data.dataset import Dataset
from manylabel.labels import ManylabelError, did_you_mean

NAME, COLUMN, CLIENTS = "federated", "client", 10
BY = ("labels", "quantity", "even")


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    clients: int | None = None,
    by: str = "labels",
    alpha: float = 0.5,
    smallest: int = 1,
    parts: str = "train",
) -> Dataset:
    """Federated clients (Hsu et al., 2019; Li et al., ICDE 2022): column `client`, each row in exactly one.

    Arguments:
        clients: how many, by default 10, or with a column one for each of its values.
        by: "labels": for each class the shares of the clients are drawn from Dirichlet(alpha), and an image goes by
            those of its rarest class (images without positives have shares of their own); "quantity": sizes are drawn
            from Dirichlet(alpha), labels alike; "even": same sizes, labels alike; or the name of a column: every value
            is a client of that name, or with fewer `clients` whole values are joined, the smallest client first.
        alpha: > 0; small: a client has few classes or images, large: all are alike.
        smallest: rows that each client has at least; images move from the largest clients where it lacks.
        parts: see `_change.touched`; other rows have no client.

    Labels are not touched. Lists (`SparseLabels`) do too.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), clients=3, smallest=5)
    >>> sorted(set(found.columns["client"].tolist()))
    ['', '0', '1', '2']
    """
    _check.number("alpha", alpha, least=1e-9)
    _check.whole("smallest", smallest, least=0)
    rows, draws = touched(dataset, parts), Draws(dataset, NAME, seed)
    if by in BY:
        number = CLIENTS if clients is None else _check.whole("clients", clients)
        words, client = [str(k) for k in range(number)], _drawn(dataset, rows, draws, by, (number, alpha))
    else:
        words, client = _domains(dataset, rows, by, clients)
    moved = _fill(client, rows, draws.images(1), len(words), smallest)
    column = np.append(np.array(words, np.str_), "")[client]
    given = {"clients": clients, "by": by, "alpha": float(alpha), "smallest": smallest, "parts": parts, "seed": seed}
    sizes = np.bincount(client[rows], minlength=len(words))
    said = f"{len(words)} clients of {sizes.min():,} to {sizes.max():,} images"
    said += f"; {moved:,} images moved for the smallest." if moved else "."
    return told(with_column(dataset, COLUMN, column), NAME, given, said)


def _drawn(dataset: Dataset, rows: Mask, draws: Draws, by: str, how: tuple[int, float]) -> NDArray[np.int64]:
    """(N,) the client of each image, -1 for rows that are not touched."""
    number, alpha = how
    client, drawn = np.full(len(rows), -1), draws.images()
    if by == "labels":
        leading = _rarest(dataset, rows)
        names = (*dataset.labels.names, "")  # the last: images that show nothing
        for c in np.unique(leading[rows]):
            own = np.flatnonzero(rows & (leading == c))
            edges = np.cumsum(draws.generator("shares", names[c]).dirichlet(np.full(number, alpha)))
            client[own] = np.minimum(np.searchsorted(edges, drawn[own], side="right"), number - 1)
        return client
    shares = np.full(number, 1 / number)
    if by == "quantity":
        shares = draws.generator("sizes").dirichlet(np.full(number, alpha))
    order = np.flatnonzero(rows)
    order = order[np.argsort(drawn[order])]
    edges = np.rint(np.cumsum(shares)[:-1] * len(order)).astype(np.int64)
    client[order] = np.searchsorted(edges, np.arange(len(order)), side="right")
    return client


def _rarest(dataset: Dataset, rows: Mask) -> NDArray[np.int64]:
    """(N,) the class with fewest positives that each image shows (ties by name); C where it shows none."""
    names = dataset.labels.names
    images, columns = positives(dataset.labels, rows)
    counts = np.bincount(columns, minlength=len(names))
    order = np.array(sorted(range(len(names)), key=lambda c: (counts[c], names[c])))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    best = np.full(len(rows), len(names))
    np.minimum.at(best, images, rank[columns])
    return np.append(order, len(names))[best]


def _domains(dataset: Dataset, rows: Mask, by: str, clients: int | None) -> tuple[list[str], NDArray[np.int64]]:
    """The clients' names, and (N,) the client of each image, by a column."""
    if by not in dataset.columns:
        valid = [*BY, *dataset.columns]
        raise ManylabelError(f"by: expected {', '.join(BY)} or a column, got {by!r}.{did_you_mean(str(by), valid)}")
    cells = dataset.columns[by]
    if (rows & (cells == "")).any():
        row = int(np.flatnonzero(rows & (cells == ""))[0])
        raise ManylabelError(f"{dataset.place(row)}: column {by!r} is blank, so the image has no client; fill it in")
    words, place, sizes = np.unique(cells[rows], return_inverse=True, return_counts=True)
    client = np.full(len(rows), -1)
    if clients is None or clients == len(words):
        client[rows] = place
        return words.tolist(), client
    if _check.whole("clients", clients) > len(words):
        raise ManylabelError(f"clients: {clients} are wanted, and column {by!r} has {len(words)} values")
    total, joined = np.zeros(clients, np.int64), np.zeros(len(words), np.int64)
    for value in np.argsort(-sizes, kind="stable"):  # the largest first, each to the smallest client so far
        joined[value] = total.argmin()
        total[joined[value]] += sizes[value]
    client[rows] = joined[place]
    return [str(k) for k in range(clients)], client


def _fill(client: NDArray[np.int64], rows: Mask, drawn: NDArray[np.float64], number: int, smallest: int) -> int:
    """Move images from the largest clients to those that have too few; gives how many."""
    sizes = np.bincount(client[rows], minlength=number)
    if sizes.sum() < number * smallest:
        raise ManylabelError(
            f"{sizes.sum():,} images are too few for {number} clients of {smallest}: ask for fewer clients"
        )
    moved = 0
    for poor in np.flatnonzero(sizes < smallest):
        while sizes[poor] < smallest:
            rich = int(sizes.argmax())
            spare = max(1, min(smallest - sizes[poor], (sizes[rich] - smallest) // 2))
            own = np.flatnonzero(client == rich)
            client[own[np.argsort(drawn[own])[:spare]]] = poor
            sizes[rich], sizes[poor], moved = sizes[rich] - spare, sizes[poor] + spare, moved + int(spare)
    return moved
