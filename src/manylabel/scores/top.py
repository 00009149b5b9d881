"""The highest classes of every image, where there are too many classes for a table of scores."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError, did_you_mean
from manylabel.scores.file import KINDS, ScoreFile, check_unique
from manylabel.sparse import SparseLabels, TopScores

CELLS = 100_000_000
"""Images times classes up to which lists are made a table (0.4 GB of scores)."""


@dataclass(frozen=True, eq=False)
class TopFile:
    """The highest classes of N images out of C, all others being scored below those that are listed.

    Arguments:
        ids: (N,) image identifiers, unique.
        names: (C,) class names, unique.
        top: of N images and C classes.
        kind: "logit" or "probability".
        labels: of the same images and classes, or None.
        notes: as in `ScoreFile`.
        whole: whether `names` is the whole vocabulary, or only what some list holds: then labels may add classes.

    >>> top = TopScores([[1], [0]], [[0.9], [0.4]], classes=2)
    >>> TopFile(["a.jpg", "b.jpg"], ["cat", "dog"], top, "probability").dense().scores
    array([[0. , 0.9],
           [0.4, 0. ]], dtype=float32)
    """

    ids: NDArray[np.str_]
    names: NDArray[np.str_]
    top: TopScores
    kind: str
    labels: SparseLabels | None = None
    notes: tuple[str, ...] = ()
    whole: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", np.asarray(self.ids, dtype=np.str_))
        object.__setattr__(self, "names", np.asarray(self.names, dtype=np.str_))
        if self.kind not in KINDS:
            raise ManylabelError(f"score kind {self.kind!r} is not known.{did_you_mean(str(self.kind), KINDS)}")
        for what, found in (("top", self.top), ("labels", self.labels)):
            if found is not None and (len(found), found.classes) != (len(self.ids), len(self.names)):
                raise ManylabelError(
                    f"{what} must be of {len(self.ids)} images and {len(self.names)} classes, got {len(found)} and"
                    f" {found.classes}"
                )
        check_unique("image id", self.ids)
        check_unique("class name", self.names)
        listed = self.top.scores[self.top.listed]
        if self.kind == "probability" and len(listed) and not 0 <= listed.min() <= listed.max() <= 1:
            row, place = np.argwhere(self.top.listed & ((self.top.scores < 0) | (self.top.scores > 1)))[0]
            name, score = self.names[self.top.columns[row, place]], self.top.scores[row, place]
            raise ManylabelError(
                f"{self.ids[row]}, {str(name)!r}: expected a probability in [0, 1] (give kind 'logit' if these are"
                f" logits, 'percent' if they are percents), got {score}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fits(self) -> bool:
        """Whether the table of images by classes is small enough to be made."""
        return len(self.ids) * len(self.names) <= CELLS

    def dense(self) -> ScoreFile:
        """A table, what is not listed being 0 as a probability, and as a logit one below the lowest that is listed."""
        if not self.fits:
            raise ManylabelError(
                f"{len(self.ids):,} images by {len(self.names):,} classes are too many for a table; `evaluate` takes"
                " the lists as they are"
            )
        listed = self.top.scores[self.top.listed]
        fill = 0.0 if self.kind == "probability" else float(listed.min(initial=0)) - 1
        labels = None if self.labels is None else self.labels.dense()
        return ScoreFile(self.ids, self.names, self.top.dense(fill), self.kind, labels, self.notes)

    def save(self, path: str | Path) -> Path:
        """Write to `.npz`; whole or not at all."""
        path = Path(path)
        if path.suffix != ".npz":
            raise ManylabelError(f"{path}: lists of the highest classes are saved as .npz")
        arrays = {
            "ids": self.ids, "names": self.names, "columns": self.top.columns, "scores": self.top.scores,
            "kind": np.array(self.kind),
        }  # fmt: skip
        if self.labels is not None:
            own = self.labels
            arrays |= {"label_starts": own.starts, "label_columns": own.columns, "label_states": own.states}
            arrays |= {"label_default": np.array(own.default)}
        part = path.with_name(f".{path.stem}.part.npz")
        try:
            np.savez(part, **arrays)  # type: ignore[arg-type]
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def widened(self, extra: list[str]) -> TopFile:
        """The same with further classes, which no list holds."""
        top = TopScores(self.top.columns, self.top.scores, len(self.names) + len(extra))
        return replace(self, names=np.append(self.names, np.array(extra, np.str_)), top=top)
