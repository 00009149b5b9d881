"""Sets of label sets with a guarantee: which combinations of labels cannot be ruled out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError, did_you_mean
from manylabel.metrics.calibration import check_probabilities

Array = NDArray[np.float64]

NORMS = ("l1", "l2", "max")


class LpIcp:
    """Label-powerset inductive conformal prediction (Maltoudoglou et al., Pattern Recognition 2022).

    A whole label set Y is one candidate, strange to the degree of s(Y) = ||Y - p||, p being the image's probabilities.
    Of n images with known labels the set contains the truth of a new one with probability at least 1 - `miss`: it holds
    all Y with s(Y) <= q, the ceil((1 - miss) (n + 1))-th smallest strangeness of the n.

    There are 2^C candidates, but flipping label j of the likeliest set adds |1 - 2 p_j| (in "l1" and in "l2", squared):
    which labels are in every member, in none or undecided follows from those numbers alone, and members are listed by
    a search that never leaves the set.

    Arguments:
        miss: share of images whose truth may lie outside, in (0, 1).
        norm: "l1", "l2" (squared) or "max".

    Attributes after `fit`:
        strangeness: (n,) of the truth of the images fitted on, ascending.
        left_out: images with an unknown cell, which cannot be judged.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random((500, 3))
    >>> labels = np.where(rng.random(p.shape) < p, 1, -1).astype(np.int8)
    >>> rule = LpIcp(0.2).fit(p, labels)
    >>> [member.astype(int).tolist() for member in rule.members(np.array([0.95, 0.02, 0.6]))]
    [[1, 0, 1], [1, 0, 0]]
    >>> rule.forced(np.array([[0.95, 0.02, 0.6]]))
    array([[ 1, -1,  0]], dtype=int8)
    """

    strangeness: Array
    left_out: int

    def __init__(self, miss: float = 0.1, *, norm: str = "l1") -> None:
        if not 0 < miss < 1:
            raise ManylabelError(f"miss must lie between 0 and 1, got {miss}")
        if norm not in NORMS:
            raise ManylabelError(f"there is no norm {norm!r}.{did_you_mean(norm, NORMS)}")
        self.miss, self.norm = float(miss), norm

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from probabilities (N, C) and int8 labels of images that training has not seen."""
        probabilities = check_probabilities(scores, labels).astype(np.float64)
        whole = (labels != UNKNOWN).all(axis=1)
        if not whole.any():
            raise ManylabelError("no image has all its labels known, and a label set is judged whole")
        self.left_out = int((~whole).sum())
        self.strangeness = np.sort(self.strange(probabilities[whole], labels[whole] == PRESENT))
        return self

    @property
    def limit(self) -> float:
        """q: how strange a member may be; infinite where the images fitted on are too few for `miss`."""
        place = int(np.ceil((1 - self.miss) * (len(self.strangeness) + 1) - 1e-9))
        return float(self.strangeness[place - 1]) if place <= len(self.strangeness) else np.inf

    def strange(self, probabilities: Array, sets: NDArray[np.bool_]) -> Array:
        """(N,) s(Y) of the label sets (N, C); an error where a value is no probability."""
        p = np.asarray(probabilities, np.float64)
        if not ((p >= 0) & (p <= 1)).all():
            bad = p[~((p >= 0) & (p <= 1))][0]
            raise ManylabelError(f"'lp_icp' takes probabilities in [0, 1], got {bad:g}; calibrate logits first")
        difference = np.abs(np.asarray(sets, np.float64) - p)
        if self.norm == "max":
            return difference.max(axis=1)
        return (difference if self.norm == "l1" else difference**2).sum(axis=1)

    def p_value(self, probabilities: Array, sets: NDArray[np.bool_]) -> Array:
        """(N,) share of the images fitted on, with the new one, that are at least as strange."""
        stranger = len(self.strangeness) - np.searchsorted(self.strangeness, self.strange(probabilities, sets) - 1e-12)
        return (stranger + 1) / (len(self.strangeness) + 1)

    def forced(self, probabilities: Array) -> NDArray[np.int8]:
        """(N, C) 1 in every member, -1 in none, 0 undecided; all 0 where the set is empty."""
        p = np.asarray(probabilities, np.float64)
        likeliest = p > 0.5
        base = self.strange(p, likeliest)[:, None]
        flipped = self._flip(p)
        after = np.maximum(base, flipped) if self.norm == "max" else base + flipped
        fixed = (after > self.limit + 1e-12) & (base <= self.limit + 1e-12)
        return np.where(fixed, np.where(likeliest, 1, -1), 0).astype(np.int8)

    def members(self, probabilities: Array, *, most: int = 10_000) -> Iterator[NDArray[np.bool_]]:
        """The label sets (C,) of one image's probabilities (C,), the likeliest first, then by the labels flipped.

        Raises ManylabelError beyond `most` of them: `forced` says what they have in common at any number.
        """
        p = np.asarray(probabilities, np.float64)
        likeliest = p > 0.5
        limit = self.limit + 1e-12
        start = float(self.strange(p[None], likeliest[None])[0])
        if start > limit:
            return
        flips = self._flip(p[None])[0]
        order = np.argsort(flips, kind="stable")
        stack: list[tuple[int, float, tuple[int, ...]]] = [(0, start, ())]
        found = 0
        while stack:
            first, reached, flipped = stack.pop()
            found += 1
            if found > most:
                raise ManylabelError(
                    f"more than {most:,} label sets cannot be ruled out; see `forced` for what they share"
                )
            member = likeliest.copy()
            member[list(flipped)] ^= True
            yield member
            for place in range(len(order) - 1, first - 1, -1):
                j = int(order[place])
                after = max(reached, float(flips[j])) if self.norm == "max" else reached + float(flips[j])
                if after <= limit:
                    stack.append((place + 1, after, (*flipped, j)))

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool: the labels in every member, which are there with the confidence asked for."""
        return self.forced(np.asarray(scores, np.float64)) == 1

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        own = {"rule": "lp_icp", "miss": self.miss, "norm": self.norm, "left_out": self.left_out}
        return own | {"strangeness": self.strangeness.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(data["miss"], norm=data["norm"])
        rule.strangeness, rule.left_out = np.array(data["strangeness"], np.float64), data["left_out"]
        return rule

    def _flip(self, probabilities: Array) -> Array:
        """(N, C) what flipping each label of the likeliest set adds; under "max", what it then amounts to."""
        apart = np.abs(1 - 2 * probabilities)
        return np.maximum(probabilities, 1 - probabilities) if self.norm == "max" else apart
