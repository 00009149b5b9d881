"""What all rules with one threshold a class share: fitting class by class, deciding, and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.decisions._cuts import NEVER, Cuts, cuts
from manylabel.decisions.platt import Platt
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.bootstrap import resamples

Array = NDArray[np.float64]
BLOCK = 32  # columns picked at once


class PerClass:
    """A threshold for each class, chosen among its cuts; a class without a known positive takes the pooled one.

    Subclasses set `rule` and `parameters` (the names of their arguments) and define `choose`.

    Arguments:
        smoothing: positives that calibrated probabilities count as. With m of them, a class with n known positives
            is judged by (n label + m probability) / (n + m) in place of its labels, the probability being that of
            `Platt`, whose fit of a rare class leans on all classes. 0: labels alone.

    Attributes after `fit`:
        thresholds: (C,) float64 on the scale of the scores; infinite where the rule is never to decide present.
        pooled: (C,) bool, classes that had no positive of their own.
    """

    rule: str
    parameters: tuple[str, ...] = ("smoothing",)
    thresholds: Array
    pooled: NDArray[np.bool_]

    def __init__(self, *, smoothing: float = 0.0) -> None:
        if not 0 <= smoothing < np.inf:
            raise ManylabelError(f"smoothing must not be negative and be finite, got {smoothing}")
        self.smoothing = float(smoothing)

    def choose(self, table: Cuts) -> NDArray[np.int64]:
        """Index of the best of the K cuts (...,), the highest of equals; K where none will do."""
        raise NotImplementedError

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from (N, C) scores of one scale and int8 labels with at least one known positive."""
        scores = check(scores, labels)
        known, truth = labels != UNKNOWN, self._truth(scores, labels)
        self.pooled = ~(labels == PRESENT).any(axis=0)
        self.thresholds = np.zeros(scores.shape[1])
        for c, (column, judged, target) in enumerate(_columns(scores, known, truth)):
            if not self.pooled[c]:
                self.thresholds[c] = self._best(cuts(column[judged], target[judged]))
        if self.pooled.any():
            self.thresholds[self.pooled] = self._best(cuts(scores[known], truth[known]))
        return self

    def intervals(
        self,
        scores: NDArray[np.floating],
        labels: NDArray[np.int8],
        *,
        number: int = 200,
        level: float = 0.95,
        seed: int = 0,
    ) -> Array:
        """(C, 2) where `level` of the thresholds lie that `number` resamples of the images would have given.

        Percentiles of the bootstrap; NaN for the classes in `pooled`. Resamples without a positive are left out.
        """
        scores = check(scores, labels)
        known, truth = labels != UNKNOWN, self._truth(scores, labels)
        weights = np.concatenate(list(resamples(len(scores), number, seed)))
        result = np.full((scores.shape[1], 2), np.nan)
        for c in np.flatnonzero((labels == PRESENT).any(axis=0)):
            rows = known[:, c]
            drawn = weights[:, rows]
            drawn = drawn[(drawn[:, labels[rows, c] == PRESENT] > 0).any(axis=1)]
            found = self._best(cuts(scores[rows, c], truth[rows, c], drawn))
            result[c] = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
        return result

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool: the score is at least its class's threshold."""
        return np.asarray(scores) >= self.thresholds

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps; floats survive the round trip exactly, an infinite threshold is null."""
        thresholds = [None if value == NEVER else value for value in self.thresholds.tolist()]
        own = {name: getattr(self, name) for name in self.parameters}
        return {"rule": self.rule, **own, "thresholds": thresholds, "pooled": self.pooled.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(**{name: data[name] for name in cls.parameters if name in data})
        rule.thresholds = np.array([NEVER if value is None else value for value in data["thresholds"]], np.float64)
        rule.pooled = np.array(data["pooled"], np.bool_)
        return rule

    def _best(self, table: Cuts) -> Array:
        """The threshold of the chosen cut, (...,); infinite where none will do."""
        chosen, last = self.choose(table), len(table.values) - 1
        return np.where(chosen <= last, table.threshold(np.minimum(chosen, last)), NEVER)

    def _truth(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array | NDArray[np.bool_]:
        """(N, C) bool, or drawn towards calibrated probabilities as `smoothing` says; of unknown cells meaningless."""
        present = labels == PRESENT
        if not present.any():
            raise ManylabelError(
                f"the rule {self.rule!r} needs at least one known positive among the labels it is fitted on;"
                " use more validation images or the rule 'fixed'"
            )
        if not self.smoothing or not (labels == ABSENT).any():
            return present
        share = self.smoothing / (self.smoothing + present.sum(axis=0))
        return (1 - share) * present + share * Platt().fit(scores, labels)(scores)


def _columns(*tables: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    """The columns of tables (N, C) side by side, each in one piece of memory: much faster to pick cells from."""
    for start in range(0, tables[0].shape[1], BLOCK):
        yield from zip(*(np.ascontiguousarray(table[:, start : start + BLOCK].T) for table in tables))
