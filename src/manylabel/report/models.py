"""Several models side by side: what another model brings, checked, and how the page sees every one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.decisions.platt import sigmoid
from manylabel.labels import ManylabelError

LETTERS = "ABCDEFGH"
"""How curves are labelled; eight models are the most one chart can tell apart."""


@dataclass(frozen=True, eq=False)
class Other:
    """Another model's answers for the same images and classes in the same order.

    Arguments:
        name: for legends and tables, unlike any other model's.
        scores: (N, C) finite.
        kind: "logit" or "probability".
        thresholds: (C,) on the scores' own scale. None: logit 0 or probability 0.5.
        probabilities: (N, C) calibrated, in [0, 1]. None: the sigmoid of a logit, or the scores themselves.
        decisions: (N, C) bool, of a rule without a threshold a class. None: score >= threshold.
        comparison: what `manylabel.compare.compare` gave for the first model before and this one after. None: the
            report makes it, with as many resamples as take some seconds.
    """

    name: str
    scores: ArrayLike
    kind: str = "logit"
    thresholds: ArrayLike | None = None
    probabilities: ArrayLike | None = None
    decisions: ArrayLike | None = None
    comparison: Mapping[str, Any] | None = None

    def check(self, shape: tuple[int, int]) -> None:
        """Raise ManylabelError, naming the model, where something has not the form of (images, classes)."""
        if self.kind not in ("logit", "probability"):
            raise ManylabelError(f'{self.name}: kind must be "logit" or "probability", got {self.kind!r}')
        for what, wanted in (("scores", shape), ("probabilities", shape), ("decisions", shape)):
            check_shape(f"{self.name}: {what}", getattr(self, what), wanted)
        check_shape(f"{self.name}: thresholds", self.thresholds, shape[1:])
        for what in ("scores", "probabilities"):
            array = getattr(self, what)
            if array is not None and not np.isfinite(array).all():
                row, column = np.argwhere(~np.isfinite(np.asarray(array)))[0]
                raise ManylabelError(f"{self.name}: {what} are not finite in row {row}, column {column}; score again")

    @cached_property
    def model(self) -> Model:
        """The same as the page sees it."""
        cuts = self.thresholds
        if cuts is None and self.decisions is None:
            cuts = np.full(np.shape(self.scores)[1], 0.0 if self.kind == "logit" else 0.5)
        given = None if self.probabilities is None else np.asarray(self.probabilities)
        return Model(self.name, self.kind, np.asarray(self.scores), cuts, self.decisions, given)


@dataclass(frozen=True, eq=False)
class Model:
    """One model as the page draws it.

    Arguments:
        name, kind: as in `Other`; values: (N, C) scores.
        thresholds: (C,), or None where only `given_decisions` decide; given_probabilities: (N, C) or None.
        scales: (C, 2) temperature and bias, calibrating as sigmoid(score / temperature + bias), or None.
    """

    name: str
    kind: str
    values: NDArray[np.floating]
    thresholds: ArrayLike | None
    given_decisions: ArrayLike | None = None
    given_probabilities: NDArray[np.floating] | None = None
    scales: NDArray[np.float64] | None = None

    @cached_property
    def cuts(self) -> NDArray[np.float64]:
        """(C,) threshold of each class; NaN where there is none."""
        if self.thresholds is None:
            return np.full(self.values.shape[1], np.nan)
        return np.asarray(self.thresholds, np.float64)

    @cached_property
    def decided(self) -> NDArray[np.bool_]:
        """(N, C) the decisions given, else score >= threshold; a NaN threshold decides nothing."""
        if self.given_decisions is not None:
            return np.asarray(self.given_decisions, np.bool_)
        return self.values >= self.cuts

    def raw(self, rows: Any, columns: Any) -> NDArray[np.float64]:
        """Probabilities of some cells before calibration: the sigmoid of a logit, or the score itself."""
        values = self.values[rows, columns].astype(np.float64)
        return sigmoid(values) if self.kind == "logit" else values

    def chance(self, rows: Any, columns: Any) -> NDArray[np.float64]:
        """Probabilities in force of some cells: those given, else calibrated, else raw."""
        if self.given_probabilities is not None:
            return self.given_probabilities[rows, columns].astype(np.float64)
        if self.scales is None:
            return self.raw(rows, columns)
        scale = self.scales[columns]
        return sigmoid(self.values[rows, columns].astype(np.float64) / scale[..., 0] + scale[..., 1])


def check_shape(what: str, array: ArrayLike | None, wanted: tuple[int, ...], words: str = "(images, classes)") -> None:
    """Raise where an array that is there has another shape than wanted; `words` say what its two axes are."""
    if array is not None and np.shape(array) != wanted:
        shape = f"{words} =" if len(wanted) == 2 else "one number per class"
        raise ManylabelError(f"{what} must be {shape} {wanted}, got {np.shape(array)}")


def check_names(names: list[str]) -> None:
    """Raise where two models bear one name, or there are more of them than a chart can tell apart.

    >>> check_names(["ridge", "cprfl"])
    """
    if len(names) > len(LETTERS):
        raise ManylabelError(f"a page lays at most {len(LETTERS)} models over each other, got {len(names)}")
    for k, name in enumerate(names):
        if name in names[:k]:
            raise ManylabelError(f"two models are called {name!r}; give each a name of its own")
