"""The score file: what one model said about some images, and the only door between training and judging.

Anybody's model can write one: a CSV `image,<class>,...`, or an `.npz` with ids, names, scores, kind and, where
known, labels. No pickle. Whether the numbers are logits or probabilities is declared, never guessed.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
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
        notes: what joining labels left aside, one sentence each.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", np.asarray(self.ids, dtype=np.str_))
        object.__setattr__(self, "names", np.asarray(self.names, dtype=np.str_))
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float32))
        shape = (len(self.ids), len(self.names))
        if self.kind not in KINDS:
            raise ManylabelError(f"score kind {self.kind!r} is not known.{did_you_mean(str(self.kind), KINDS)}")
        if self.scores.shape != shape:
            raise ManylabelError(f"scores must be (images, classes) = {shape}, got {self.scores.shape}")
        _check_unique("image id", self.ids)
        _check_unique("class name", self.names)
        self._check_values()
        if self.labels is not None:
            table = LabelTable(self.labels, tuple(self.names.tolist()), tuple(self.ids.tolist()))
            object.__setattr__(self, "labels", table.state)

    def _check_values(self) -> None:
        good = np.isfinite(self.scores)
        wanted = "a finite number"
        if self.kind == "probability":
            good &= (self.scores >= 0) & (self.scores <= 1)
            wanted = "a probability in [0, 1] (give kind 'logit' if these are logits)"
        if not good.all():
            row, column = np.argwhere(~good)[0]
            raise ManylabelError(
                f"row {row + 1} ({self.ids[row]}), column {str(self.names[column])!r}: expected {wanted},"
                f" got {self.scores[row, column]}; {np.count_nonzero(~good)} such cells in all"
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
        """Write to `.npz`, or to `.csv` when there are no labels; whole or not at all."""
        path = Path(path)
        if path.suffix not in (".npz", ".csv"):
            raise ManylabelError(f"{path}: a score file ends in .npz or .csv")
        if path.suffix == ".csv" and self.labels is not None:
            raise ManylabelError(f"{path}: a score CSV has no place for labels; save to .npz")
        part = path.with_name(f".{path.stem}.part{path.suffix}")
        try:
            (self._save_npz if path.suffix == ".npz" else self._save_csv)(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def _save_npz(self, path: Path) -> None:
        arrays = {"ids": self.ids, "names": self.names, "scores": self.scores, "kind": np.array(self.kind)}
        if self.labels is not None:
            arrays["labels"] = self.labels
        np.savez(path, **arrays)  # type: ignore[arg-type]

    def _save_csv(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["image", *self.names.tolist()])
            for name, row in zip(self.ids.tolist(), self.scores, strict=True):
                writer.writerow([name, *(str(value) for value in row)])  # str(float32) is its shortest exact form


def load(path: str | Path, kind: str | None = None) -> ScoreFile:
    """Read a score file.

    Arguments:
        path: `.npz`, or `.csv` with the header `image,<class>,...`.
        kind: "logit" or "probability"; required for a CSV, which cannot say it itself.

    Raises:
        ManylabelError: naming file, row and column where a value cannot be read, is not finite or, as a
            probability, lies outside [0, 1].
    """
    path = Path(path)
    if not path.is_file():
        raise ManylabelError(f"{path}: there is no such score file")
    if path.suffix not in (".npz", ".csv"):
        raise ManylabelError(f"{path}: a score file ends in .npz or .csv")
    try:
        return _load_npz(path, kind) if path.suffix == ".npz" else _load_csv(path, kind)
    except ManylabelError as error:
        raise error if str(error).startswith(str(path)) else ManylabelError(f"{path}: {error}") from error


def _load_npz(path: Path, kind: str | None) -> ScoreFile:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise ManylabelError(f"{path}: not a readable .npz of plain arrays ({error})") from error
    for name in ("ids", "names", "scores", "kind"):
        if name not in arrays:
            raise ManylabelError(f"{path}: array {name!r} is missing.{did_you_mean(name, arrays)}")
    if kind not in (None, str(arrays["kind"])):
        raise ManylabelError(f"{path}: the file says its scores are of kind {arrays['kind']}, not {kind!r}")
    return ScoreFile(arrays["ids"], arrays["names"], arrays["scores"], str(arrays["kind"]), arrays.get("labels"))


def _load_csv(path: Path, kind: str | None) -> ScoreFile:
    if kind is None:
        raise ManylabelError(f"{path}: a CSV does not say what its scores are: give kind 'logit' or 'probability'")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        if len(header) < 2 or header[0].strip() != "image":
            raise ManylabelError(f"{path}: expected the header 'image,<class>,...', got {','.join(header)[:80]!r}")
        names = [name.strip() for name in header[1:]]
        ids, rows = [], []
        for line, image, cells in _csv_rows(reader, len(header)):
            ids.append(image)
            rows.append(_numbers(cells, line, names))
    return ScoreFile(np.array(ids, np.str_), np.array(names), np.array(rows).reshape(-1, len(names)), kind)


def _csv_rows(reader: Iterator[list[str]], width: int) -> Iterator[tuple[int, str, list[str]]]:
    for line, row in enumerate(reader, start=2):
        if not row:
            continue
        if len(row) != width:
            raise ManylabelError(f"line {line}: expected {width} columns, got {len(row)}")
        yield line, row[0], row[1:]


def _numbers(cells: list[str], line: int, names: list[str]) -> NDArray[np.float32]:
    try:
        return np.array(cells, dtype=np.float32)
    except ValueError:
        for name, cell in zip(names, cells, strict=True):
            try:
                float(cell)
            except ValueError:
                raise ManylabelError(f"line {line}, column {name!r}: expected a number, got {cell!r}") from None
        raise


def _check_unique(what: str, words: NDArray[np.str_]) -> None:
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


def _plural(what: str, count: int = 2) -> str:
    return what if count == 1 else {"class": "classes"}.get(what, f"{what}s")
