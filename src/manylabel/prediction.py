"""What a model says of one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.classes import Classes
from manylabel.decisions.platt import sigmoid
from manylabel.labels import ManylabelError


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Arguments:
        image: the path, or "" for an image that came without one.
        labels: names decided present, the most probable first; may be empty.
        probabilities: calibrated, in [0, 1], of every class, the most probable first.
        thresholds: on the same scale; a class is decided present at or above its threshold. Empty where the rule has
            none.
        ancestors: of each label that has some, what lies above it, nearest first.
        aliases: of each label that has some, its other names.
        error: why the image could not be read, or None.
    """

    image: str
    labels: tuple[str, ...] = ()
    probabilities: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    ancestors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the decided labels with all that is said of them, then all probabilities."""
        if self.error is not None:
            return {"image": self.image, "error": self.error}
        return {
            "image": self.image,
            "labels": [self.label(name) for name in self.labels],
            "probabilities": {n: round(p, 6) for n, p in self.probabilities.items()},
        }

    def label(self, name: str) -> dict[str, Any]:
        """All that is said of one class."""
        told: dict[str, Any] = {"name": name, "probability": round(self.probabilities[name], 6)}
        if name in self.thresholds:
            told["threshold"] = round(self.thresholds[name], 6)
        for key, words in (("ancestors", self.ancestors), ("aliases", self.aliases)):
            if name in words:
                told[key] = list(words[name])
        return told


@dataclass(frozen=True)
class Choice:
    """Which classes are named, where it is not by the stored thresholds alone.

    Arguments:
        min_score: leave out labels whose probability is lower, in [0, 1].
        max_labels: name at most so many, the most probable.
        recall: take the thresholds that guarantee so much recall instead of the stored ones.
        rule: what makes decisions (N, C) of logits (N, C), instead of the stored thresholds.
    """

    min_score: float = 0.0
    max_labels: int | None = None
    recall: float | None = None
    rule: Callable[[NDArray[np.floating]], NDArray[np.bool_]] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ManylabelError(f"the lowest probability to name (min-score) lies in [0, 1], got {self.min_score}")
        if self.max_labels is not None and self.max_labels < 1:
            raise ManylabelError(f"at most one label or more (max-labels), got {self.max_labels}")
        if self.recall is not None and self.rule is not None:
            raise ManylabelError("a guarantee and a decision rule both say what is named: give one of them")


def predictions(
    classes: Classes, images: Sequence[str], scores: NDArray[np.floating], choice: Choice
) -> list[Prediction]:
    """What logits (N, C) say of N images."""
    p = classes.probabilities(scores)
    if choice.rule is None:
        thresholds = classes.cuts(choice.recall)
        decided, cuts = classes.decide(scores, thresholds), sigmoid(classes.calibrated(thresholds))
    else:
        decided, cuts = choice.rule(scores), None
    decided = decided & (p >= choice.min_score)
    return [_one(classes, image, a, b, cuts, choice.max_labels) for image, a, b in zip(images, p, decided)]


def _one(
    classes: Classes, image: str, p: NDArray[np.float64], decided: NDArray[np.bool_],
    cuts: NDArray[np.float64] | None, most: int | None,
) -> Prediction:  # fmt: skip
    order = np.argsort(-p, kind="stable")
    names = [classes.names[i] for i in order]
    labels = tuple(name for name, i in zip(names, order) if decided[i])[:most]
    return Prediction(
        image,
        labels=labels,
        probabilities=dict(zip(names, p[order].tolist())),
        thresholds={} if cuts is None else dict(zip(names, cuts[order].tolist())),
        ancestors={name: classes.ancestors[name] for name in labels if classes.ancestors[name]},
        aliases={name: classes.other_names[name] for name in labels if name in classes.other_names},
    )
