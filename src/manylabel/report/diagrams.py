"""Reliability diagrams of every class, of the groups and of all cells, by the definitions of `metrics.calibration`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics.groups import GROUPS
from manylabel.report.inputs import ReportData
from manylabel.report.models import Model

Array = NDArray[np.float64]
BINS = 15
"""As in metrics.json: `ece` and `ece_adaptive`."""
CELLS = ("every", "positive")


@dataclass(frozen=True, eq=False)
class Diagram:
    """The bins that hold any cell: their mean probability, positives and cells, and the calibration error."""

    mean: Array
    positives: NDArray[np.int64]
    number: NDArray[np.int64]

    @cached_property
    def error(self) -> float:
        """sum over bins of n_b / n |mean probability - share of positives|."""
        share = self.positives / self.number
        return float(np.sum(self.number * np.abs(self.mean - share)) / self.number.sum())

    def flat(self) -> list[float]:
        """mean, positives, cells of each bin in turn; means at four significant digits."""
        rows = zip(self.mean.tolist(), self.positives.tolist(), self.number.tolist())
        return [x for mean, positives, number in rows for x in (float(f"{mean:.4g}"), positives, number)]


@dataclass(eq=False)
class Sorted:
    """Probabilities of known cells in rising order, and those of the positives among them: all a diagram needs."""

    every: Array
    positive: Array

    @classmethod
    def of(cls, probabilities: Array, labels: NDArray[np.int8]) -> Sorted:
        """From (n,) probabilities and labels; unknown cells are left out."""
        known = labels != UNKNOWN
        return cls(np.sort(probabilities[known]), np.sort(probabilities[labels == PRESENT]))

    @classmethod
    def joined(cls, parts: Iterable[Sorted]) -> Sorted:
        """All cells of several together."""
        parts = list(parts)
        every, positive = (np.concatenate([np.zeros(0), *(getattr(p, of) for p in parts)]) for of in CELLS)
        every.sort()
        positive.sort()
        return cls(every, positive)

    def diagram(self, *, adaptive: bool, bins: int = BINS) -> Diagram | None:
        """The points that `metrics.reliability` gives, from one sort for both kinds of bins; None without a cell.

        >>> cells = Sorted.of(np.array([0.1, 0.2, 0.8, 0.9]), np.array([-1, -1, 1, -1], np.int8))
        >>> found = cells.diagram(adaptive=False, bins=2)
        >>> found.mean.round(2), found.positives, found.number, round(found.error, 3)
        (array([0.15, 0.85]), array([0, 1]), array([2, 2]), 0.25)
        """
        n = len(self.every)
        if n == 0:
            return None
        starts = self._equal_mass(bins) if adaptive else np.searchsorted(self.every * bins, np.arange(1, bins))
        edges = np.concatenate([[0], starts, [n]])
        number = np.diff(edges)
        first = edges[:-1][number > 0]
        below = np.append(np.searchsorted(self.positive, self.every[first]), len(self.positive))
        number = number[number > 0]
        return Diagram(np.add.reduceat(self.every, first) / number, np.diff(below), number)

    def _equal_mass(self, bins: int) -> NDArray[np.int64]:
        """Where bins 2, 3, ... start: at rank ceil(b n / bins), or after the cells that tie across it."""
        n = len(self.every)
        rank = -(-np.arange(1, bins) * n // bins)
        value = self.every[np.minimum(rank, n - 1)]
        left, right = (np.searchsorted(self.every, value, side) for side in ("left", "right"))
        return np.where(rank >= n, n, np.where(left == rank, rank, right))


@dataclass(eq=False)
class Reliability:
    """Every diagram of a page.

    Arguments:
        series: (model, calibrated) of each; the first model stands twice where its calibration is known.
        scopes: "all", a group or a class's index -> of each series the diagrams of equal width and of equal mass.
        means: "all" or a group -> of each series the mean over its classes of both errors.
    """

    series: list[tuple[int, bool]]
    scopes: dict[str, list[list[Diagram | None]]] = field(default_factory=dict)
    means: dict[str, list[list[float]]] = field(default_factory=dict)


def reliability(data: ReportData) -> Reliability:
    """The diagrams of all classes, groups and cells, of all models, raw and calibrated."""
    series = [(m, True) for m in range(len(data.models))]
    if data.models[0].scales is not None:
        series.insert(1, (0, False))
    found = Reliability(series)
    for m, calibrated in series:
        for scope, pair in of_model(data, data.models[m], calibrated).items():
            found.scopes.setdefault(scope, []).append(pair)
    for scope in ("all", *GROUPS):
        if scope in found.scopes:
            found.means[scope] = [mean_errors(data, found, scope, k) for k in range(len(series))]
    return found


def of_model(data: ReportData, model: Model, calibrated: bool) -> dict[str, list[Diagram | None]]:
    """Scope -> the diagrams of equal width and of equal mass of one model."""
    chance = model.chance if calibrated else model.raw
    cells = [Sorted.of(chance(slice(None), c), data.labels[:, c]) for c in range(len(data.names))]
    whole = {g: Sorted.joined(cells[c] for c in np.flatnonzero(data.groups == g)) for g in GROUPS if g in data.groups}
    whole["all"] = Sorted.joined(cells)
    named = {**whole, **{str(c): one for c, one in enumerate(cells)}}
    return {scope: [one.diagram(adaptive=a) for a in (False, True)] for scope, one in named.items()}


def mean_errors(data: ReportData, found: Reliability, scope: str, k: int) -> list[float]:
    """Mean over the classes of a scope of both errors, as metrics.json has it for all: classes weigh alike."""
    members = range(len(data.names)) if scope == "all" else np.flatnonzero(data.groups == scope).tolist()
    pairs = [found.scopes[str(c)][k] for c in members]
    errors = [[one.error for one in pair if one is not None] for pair in pairs if pair[0] is not None]
    return [float(x) for x in np.mean(errors, axis=0)] if errors else [np.nan, np.nan]


def payload(data: ReportData, found: Reliability, *, classes: int, errors: int) -> dict[str, Any]:
    """What the script draws: diagrams of the scopes and of the `classes` most frequent classes, numbers of more.

    Arguments:
        classes: diagrams to keep, all series of a class counting one each; errors: classes whose error is kept.
    """
    drawn = data.order[: max(1, classes // len(found.series))].tolist()
    wholes = [scope for scope in ("all", *GROUPS) if scope in found.scopes]
    told = [*wholes, *map(str, data.order[:errors].tolist())]
    return {
        "series": [list(one) for one in found.series],
        "scopes": {
            s: [[d and d.flat() for d in pair] for pair in found.scopes[s]] for s in [*wholes, *map(str, drawn)]
        },
        "errors": {s: [[d and round(d.error, 5) for d in pair] for pair in found.scopes[s]] for s in told},
        "means": {s: [[round(x, 5) for x in pair] for pair in rows] for s, rows in found.means.items()},
    }
