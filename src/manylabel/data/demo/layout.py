"""Which demo scene shows what, settled before any is drawn: a Zipf tail, themes, and a tenth of the labels hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.demo.drawings import CLASSES, NAMES, THEMES
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable

IMAGES = {"train": 2400, "val": 300, "test": 600}
CLASSES_PER_IMAGE = 2.5
MOST_PER_IMAGE = 6
ZIPF_SHIFT, ZIPF_POWER = 12.0, 2.5
"""Training positives of the class of rank r are planned in proportion to (ZIPF_SHIFT + r) ** -ZIPF_POWER."""
FLATTEN = 0.3
"""Validation and test counts go with the training counts to this power, so that the tail can be measured."""
OUT_OF_CONTEXT = 0.01
"""Odds of a class in a theme that is not its own, against 1 in its own."""
HIDDEN = 0.10
"""Share of the training cells left blank."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What each of the N scenes shows, before any is drawn.

    Arguments:
        images: N paths as the label file writes them.
        split: (N,) "train", "val" or "test".
        theme: (N,) a key of `THEMES`.
        state: (N, C) int8 PRESENT or ABSENT, nothing hidden.
        hidden: (N, C) bool, cells the label file leaves blank; training rows only.
    """

    images: tuple[str, ...]
    split: NDArray[np.str_]
    theme: NDArray[np.str_]
    state: NDArray[np.int8]
    hidden: NDArray[np.bool_]

    @property
    def labels(self) -> LabelTable:
        """The label table as the file shows it: hidden cells are unknown."""
        return LabelTable(np.where(self.hidden, UNKNOWN, self.state).astype(np.int8), NAMES, self.images)


def zipf(total: int, *, power: float = 1.0) -> NDArray[np.int64]:
    """(C,) positives per class, about `total` in all: the Zipf-Mandelbrot law, then raised to `power`.

    >>> zipf(6000)[[0, 1, 2, -1]]
    array([709, 589, 496,  11])
    """
    weight = (ZIPF_SHIFT + np.arange(1, len(NAMES) + 1)) ** (-ZIPF_POWER * power)
    return np.round(total * weight / weight.sum()).astype(np.int64)


def plan(seed: int = 0) -> Plan:
    """Which classes each scene shows, in tenths of a second and without drawing; the same for the same seed.

    >>> scenes = plan(0)
    >>> scenes.state.shape == (3300, len(NAMES)), float(scenes.hidden[:2400].mean())
    (True, 0.1)
    """
    own = np.array([[theme in themes.split(", ") for _, themes, _ in CLASSES] for theme in THEMES])
    fits = np.where(own, 1, OUT_OF_CONTEXT)
    dealt = []
    for part, (name, images) in enumerate(IMAGES.items()):
        counts = zipf(round(images * CLASSES_PER_IMAGE), power=1.0 if name == "train" else FLATTEN)
        dealt.append(_deal(counts, images, fits, np.random.default_rng([seed, part])))
    present, theme = (np.concatenate(parts) for parts in zip(*dealt))
    cells = np.random.default_rng([seed, len(IMAGES)]).permutation(IMAGES["train"] * len(NAMES))
    hidden = np.zeros(present.shape, bool)
    hidden.ravel()[cells[: round(HIDDEN * len(cells))]] = True
    return Plan(
        images=tuple(f"images/{part}-{i:04d}.jpg" for part, n in IMAGES.items() for i in range(n)),
        split=np.repeat(list(IMAGES), list(IMAGES.values())),
        theme=np.array(list(THEMES))[theme],
        state=np.where(present, PRESENT, ABSENT).astype(np.int8),
        hidden=hidden,
    )


def _deal(
    counts: NDArray[np.int64], images: int, fits: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Deal class tokens to scenes as from an urn: what each shows (images, C) and its theme (images,)."""
    spare = np.repeat(np.arange(images), MOST_PER_IMAGE - 1)
    sizes = 1 + np.bincount(rng.permutation(spare)[: counts.sum() - images], minlength=images)
    left = counts.astype(np.float64)
    present, theme = np.zeros((images, len(counts)), bool), np.zeros(images, np.int64)
    for image in range(images):
        odds = fits @ left
        theme[image] = rng.choice(len(odds), p=odds / odds.sum())
        for _ in range(sizes[image]):
            weight = np.where(present[image], 0, left * fits[theme[image]])
            if weight.sum() > 0:
                chosen = rng.choice(len(weight), p=weight / weight.sum())
                present[image, chosen] = True
                left[chosen] -= 1
    order = rng.permutation(images)  # the urn empties: no drift along the file
    return present[order], theme[order]
