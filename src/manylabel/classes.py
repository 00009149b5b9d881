"""What a model knows of its classes, beside its weights: the content of labels.json. numpy only.

Scores become probabilities and decisions here and nowhere else, so that Python, terminal, server and ONNX Runtime
say the same of an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel import hierarchy
from manylabel.decisions.platt import sigmoid
from manylabel.decisions.risk import recall_cuts
from manylabel.labels import ManylabelError, did_you_mean

Array = NDArray[np.float64]
WANTED = tuple(round(0.5 + i / 100, 2) for i in range(50))
"""The recalls for which a guaranteed threshold is kept: 0.50, 0.51, ..., 0.99."""


@dataclass(frozen=True, eq=False)
class Classes:
    """C classes with their thresholds, calibration, hierarchy and other names.

    Arguments:
        names: C, unique.
        thresholds: (C,) logits; a class is decided present at or above its own.
        temperatures, biases: (C,) of the calibration p = sigmoid(score / temperature + bias).
        counts: (C,) training positives; `images` is how many images were trained on.
        pairs: (class, parent) names; a parent need be no class of the model.
        aliases: other name -> name.
        guarantee: {"recall": {"images": n, "cuts": {"0.90": z, ...}}}: thresholds on score / temperature + bias at
            which recall is guaranteed on images like those of validation; null decides everything. Empty where there
            was no validation.
        decision: how `thresholds` were chosen.
        text_source: of the label vectors that were learnt with.

    >>> pets = Classes(("animal", "cat"), np.zeros(2), np.ones(2), np.zeros(2), pairs=(("cat", "animal"),))
    >>> scores = np.array([[-2.0, 1.0]])
    >>> pets.probabilities(scores).round(2).tolist(), pets.decide(scores).tolist()
    ([[0.73, 0.73]], [[True, True]])
    """

    names: tuple[str, ...]
    thresholds: Array
    temperatures: Array
    biases: Array
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    images: int = 0
    pairs: tuple[tuple[str, str], ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    guarantee: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    text_source: str = "none"

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def parents(self) -> list[list[int]]:
        """Of each class its parents among the classes."""
        return hierarchy.from_pairs(self.pairs, self.names)

    @cached_property
    def ancestors(self) -> dict[str, tuple[str, ...]]:
        """All that lies above a name, nearest first, names that are no classes included."""
        direct: dict[str, list[str]] = {}
        for child, parent in self.pairs:
            direct.setdefault(child, []).append(parent)
        found = {}
        for name in self.names:
            above = list(dict.fromkeys(direct.get(name, [])))
            for one in above:
                above += [high for high in direct.get(one, []) if high not in above]
            found[name] = tuple(above)
        return found

    @cached_property
    def other_names(self) -> dict[str, tuple[str, ...]]:
        """The aliases of each class that has some."""
        found: dict[str, tuple[str, ...]] = {}
        for alias, name in self.aliases.items():
            found[name] = (*found.get(name, ()), alias)
        return found

    def calibrated(self, scores: NDArray[np.floating]) -> Array:
        """Logits (..., C) divided by the temperatures, plus the biases."""
        return np.asarray(scores, np.float64) / self.temperatures + self.biases

    def probabilities(self, scores: NDArray[np.floating]) -> Array:
        """Calibrated probabilities of logits (..., C); with a hierarchy, at least that of every class below."""
        p: Array = np.asarray(sigmoid(self.calibrated(scores)))
        return np.asarray(hierarchy.coherent(np.atleast_2d(p), self.parents)).reshape(p.shape) if self.pairs else p

    def cuts(self, wanted: float | None = None) -> Array:
        """(C,) thresholds on logits: the stored ones, or with `wanted` those that guarantee so much recall.

        A recall between two that are kept takes the higher. Raises ManylabelError where none is kept that is as high.
        """
        if wanted is None:
            return self.thresholds
        kept = self.guarantee.get("recall", {}).get("cuts", {})
        if not kept:
            raise ManylabelError(
                "this model keeps no guaranteed recall: it was trained without validation images, or by a manylabel"
                " that kept none; fit one with `manylabel tune SCORES --rule risk=0.9` and give --decisions"
            )
        enough = [text for text in sorted(kept) if float(text) >= wanted - 1e-9]
        if not 0 < wanted < 1 or not enough:
            raise ManylabelError(f"a recall can be guaranteed up to {max(kept)}, got {wanted}")
        cut = kept[enough[0]]
        return np.full(len(self), -np.inf) if cut is None else (cut - self.biases) * self.temperatures

    def decide(self, scores: NDArray[np.floating], thresholds: Array | None = None) -> NDArray[np.bool_]:
        """(N, C) bool of logits: at or above the threshold, and whatever lies above a class that is."""
        decided = np.asarray(scores) >= (self.thresholds if thresholds is None else thresholds)
        return hierarchy.close_up(decided, self.parents) if self.pairs else decided

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json."""
        return {
            "names": list(self.names), "kind": "logit", "counts": self.counts.tolist(), "images": self.images,
            "thresholds": self.thresholds.tolist(), "temperatures": self.temperatures.tolist(),
            "biases": self.biases.tolist(), "hierarchy": [list(pair) for pair in self.pairs],
            "aliases": dict(self.aliases), "guarantee": dict(self.guarantee), "text_source": self.text_source,
            "decision": dict(self.decision),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Classes:
        """What `to_dict` wrote; ManylabelError names what is missing or of another length."""
        try:
            numbers = {key: np.asarray(data[key], np.float64) for key in ("thresholds", "temperatures", "biases")}
            names = tuple(data["names"])
        except KeyError as missing:
            raise ManylabelError(f"labels.json has no {missing}") from None
        wrong = [key for key, values in numbers.items() if values.shape != (len(names),)]
        if wrong or len(set(names)) < len(names):
            what = f"{len(numbers[wrong[0]])} {wrong[0]}" if wrong else "a name twice"
            raise ManylabelError(f"labels.json has {len(names)} names and {what}")
        return cls(
            names, **numbers, counts=np.asarray(data.get("counts", []), np.int64), images=int(data.get("images", 0)),
            pairs=tuple((child, parent) for child, parent in data.get("hierarchy") or ()),
            aliases=data.get("aliases") or {}, guarantee=data.get("guarantee") or {},
            decision=data.get("decision") or {}, text_source=data.get("text_source", "none"),
        )  # fmt: skip


def guarantee(calibrated: Array, labels: NDArray[np.int8]) -> dict[str, Any]:
    """The content of `Classes.guarantee`, from calibrated logits (N, C) and labels of validation images.

    Conformal risk control of the recall (`decisions.risk.Risk`), for every recall in `WANTED`.
    """
    images, cuts = recall_cuts(calibrated, labels, WANTED)
    if not images:
        return {}
    return {"recall": {"images": images, "cuts": {f"{w:.2f}": c if np.isfinite(c) else None
                                                   for w, c in zip(WANTED, cuts)}}}  # fmt: skip


def parse_guarantee(text: str) -> float:
    """The recall in "recall=0.9" (or "recall>=0.9").

    >>> parse_guarantee("recall=0.9")
    0.9
    """
    word, _, value = text.replace(">=", "=").partition("=")
    if word.strip() != "recall":
        hint = did_you_mean(word.strip(), ["recall"])
        raise ManylabelError(f"expected recall=VALUE, such as recall=0.9, as the guarantee, got {text!r}.{hint}")
    try:
        return float(value)
    except ValueError:
        raise ManylabelError(f"expected a number after recall=, got {value!r}") from None
