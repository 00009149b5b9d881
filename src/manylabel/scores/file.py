"""Scores of every class for every image, with the labels where they are known."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import UNKNOWN, LabelTable, ManylabelError, did_you_mean

KINDS = ("logit", "probability")


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """Scores of N images for C classes, with the labels where they are known.

    Arguments:
        ids: (N,) image identifiers, unique.
        names: (C,) class names, unique.
        scores: (N, C) float32, finite.
        kind: "logit" (any real number) or "probability" (in [0, 1]).
        labels: (N, C) int8 of ABSENT, UNKNOWN, PRESENT, or None.
        notes: what was read in another way than written, left out or left aside, one sentence each.
        missing: (N, C) bool, cells without a usable score, or None: there `scores` holds a placeholder and the label
            counts as unknown, so that the cell takes part in nothing.

    >>> file = ScoreFile(["a.jpg", "b.jpg"], ["cat"], [[0.9], [0.2]], "probability")
    >>> table = LabelTable.from_values([[0], [1]], names=["cat"], ids=["b.jpg", "a.jpg"])
    >>> file.with_labels(table).labels
    array([[ 1], [-1]], dtype=int8)
    """

    ids: NDArray[np.str_]
    names: NDArray[np.str_]
    scores: NDArray[np.float32]
    kind: str
    labels: NDArray[np.int8] | None = None
    notes: tuple[str, ...] = ()
    missing: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", np.asarray(self.ids, dtype=np.str_))
        object.__setattr__(self, "names", np.asarray(self.names, dtype=np.str_))
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float32))
        shape = (len(self.ids), len(self.names))
        if self.kind not in KINDS:
            raise ManylabelError(f"score kind {self.kind!r} is not known.{did_you_mean(str(self.kind), KINDS)}")
        if self.scores.shape != shape:
            raise ManylabelError(f"scores must be (images, classes) = {shape}, got {self.scores.shape}")
        check_unique("image id", self.ids)
        check_unique("class name", self.names)
        self._check_values()
        if self.labels is not None:
            table = LabelTable(self.labels, tuple(self.names.tolist()), tuple(self.ids.tolist()))
            state = table.state if self.missing is None else np.where(self.missing, np.int8(UNKNOWN), table.state)
            object.__setattr__(self, "labels", state)

    def _check_values(self) -> None:
        good = np.isfinite(self.scores)
        wanted = "a finite number"
        if self.kind == "probability":
            good &= (self.scores >= 0) & (self.scores <= 1)
            wanted = "a probability in [0, 1] (give kind 'logit' if these are logits, 'percent' if they are percents)"
        if not good.all():
            row, column = np.argwhere(~good)[0]
            one = not np.delete(~good, column, axis=1).any() and not good[:, column].any() and good.shape[1] > 1
            hint = "; if this column is no class, take it out of the file" if one else ""
            raise ManylabelError(
                f"row {row + 1} ({self.ids[row]}), column {str(self.names[column])!r}: expected {wanted},"
                f" got {self.scores[row, column]:g}; {_cells(int(np.count_nonzero(~good)))} in all{hint}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def with_labels(self, table: LabelTable) -> ScoreFile:
        """The same scores with labels joined by image id and class name.

        Every scored image and class must be in the table; what the table holds beyond that is left aside and
        counted in `notes`.
        """
        rows = _positions("image", self.ids.tolist(), table.ids)
        columns = _positions("class", self.names.tolist(), table.names)
        notes = [*_left_aside("image", table.ids, rows), *_left_aside("class", table.names, columns)]
        labels = table.state[np.ix_(rows, columns)]
        return replace(self, labels=labels, notes=(*self.notes, *notes))

    def table(self) -> LabelTable:
        """The labels as a table; all unknown where the file has none."""
        state = np.full(self.scores.shape, UNKNOWN, np.int8) if self.labels is None else self.labels
        return LabelTable(state, tuple(self.names.tolist()), tuple(self.ids.tolist()))

    def save(self, path: str | Path) -> Path:
        """Write to `.npz`, or to `.csv` or `.parquet` when there are no labels; whole or not at all."""
        path = Path(path)
        writers = {".npz": self._save_npz, ".csv": self._save_csv, ".parquet": self._save_parquet}
        if path.suffix not in writers:
            raise ManylabelError(f"{path}: a score file ends in {', '.join(writers)}")
        if path.suffix != ".npz" and self.labels is not None:
            raise ManylabelError(f"{path}: a {path.suffix} of scores has no place for labels; save to .npz")
        part = path.with_name(f".{path.stem}.part{path.suffix}")
        try:
            writers[path.suffix](part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return path

    @property
    def written(self) -> NDArray[np.float32]:
        """(N, C) the scores as files hold them: NaN where one is missing."""
        return self.scores if self.missing is None else np.where(self.missing, np.float32(np.nan), self.scores)

    def _save_npz(self, path: Path) -> None:
        arrays = {"ids": self.ids, "names": self.names, "scores": self.written, "kind": np.array(self.kind)}
        if self.labels is not None:
            arrays["labels"] = self.labels
        np.savez(path, **arrays)  # type: ignore[arg-type]

    def _save_csv(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["image", *self.names.tolist()])
            for name, row in zip(self.ids.tolist(), self.written, strict=True):
                writer.writerow([name, *(str(value) for value in row)])  # str(float32) is its shortest exact form

    def _save_parquet(self, path: Path) -> None:
        from manylabel.scores import parquet

        parquet.write(path, self.ids.tolist(), self.names.tolist(), self.written, self.kind)


def check_unique(what: str, words: NDArray[np.str_]) -> None:
    """An error that names the first word that occurs twice."""
    values, counts = np.unique(words, return_counts=True)
    if len(values) != len(words):
        raise ManylabelError(f"{what} {str(values[counts > 1][0])!r} occurs twice")


def _positions(what: str, wanted: Sequence[str], there: Sequence[str]) -> list[int]:
    """Index of each wanted word among those there; an error names the missing ones and what they may have meant."""
    index = {word: i for i, word in enumerate(there)}
    missing = [word for word in wanted if word not in index]
    if missing:
        near = [word for word in there if Path(word).name == Path(missing[0]).name] or there[:2000]
        raise ManylabelError(
            f"{len(missing)} of {len(wanted)} scored {_plural(what)} have no labels:"
            f" {', '.join(map(repr, missing[:3]))}{', ...' if len(missing) > 3 else ''}."
            f"{did_you_mean(missing[0], near)}"
            " Add them to the labels (blank = unknown) or leave them out of the scores."
        )
    return [index[word] for word in wanted]


def _left_aside(what: str, there: Sequence[str], used: Iterable[int]) -> list[str]:
    rest = sorted(set(range(len(there))) - set(used))
    if not rest:
        return []
    examples = ", ".join(there[i] for i in rest[:3]) + (", ..." if len(rest) > 3 else "")
    return [f"{len(rest)} labelled {_plural(what, len(rest))} without scores left aside: {examples}"]


def _cells(number: int) -> str:
    return f"{number:,} such cell{'' if number == 1 else 's'}"


def _plural(what: str, count: int = 2) -> str:
    return what if count == 1 else {"class": "classes"}.get(what, f"{what}s")
