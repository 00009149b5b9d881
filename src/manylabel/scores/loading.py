"""Reading score files of every layout; what is wrong with one ends the reading, or is left out and said."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError, did_you_mean
from manylabel.scores import sheet
from manylabel.scores.file import KINDS, ScoreFile
from manylabel.scores.mistakes import Mistakes
from manylabel.scores.sheet import Long, Wide
from manylabel.scores.top import TopFile
from manylabel.sparse import SparseLabels, TopScores

TABLES = (".csv", ".tsv", ".txt", ".tab")
ENDINGS = (".npz", ".parquet", *TABLES)
ASKED = (*KINDS, "percent")
FEW = 0.01  # of images with a value outside [0, 1]: with more, the file holds something else than probabilities

IMPOSSIBLE = "cell that is no probability", "cells that are no probabilities"


def load(path: str | Path, kind: str | None = None, *, mistakes: str = "error") -> ScoreFile:
    """Read the scores of every class for every image.

    Arguments:
        path: `.npz`, or `.csv`, `.tsv`, `.parquet` with a column of images and one a class (wide), or with columns of
            image, label and score that list every cell (long).
        kind: "logit", "probability" or "percent"; required for a table that cannot say it itself.
        mistakes: "error", or "leave" to leave out what cannot be used and say so in `notes`.

    Raises:
        ManylabelError: naming file, line and column where a value cannot be read, is not finite or, as a
            probability, lies outside [0, 1]; or where the file lists only the highest classes of each image.
    """
    found = read(path, kind, mistakes=mistakes)
    if isinstance(found, ScoreFile):
        return found
    raise ManylabelError(
        f"{path}: lists {int(found.top.listed.sum()):,} scores for {len(found):,} images and {len(found.names):,}"
        " classes, not every class for every image: read it by `load_top`"
    )


def load_top(path: str | Path, kind: str | None = None, *, mistakes: str = "error") -> TopFile:
    """Read lists of the highest classes of each image; arguments and errors as of `load`.

    A `.npz` holds ids (N,), names (C,), kind, and columns and scores (N, K) as `TopScores` has them.
    """
    found = read(path, kind, mistakes=mistakes)
    if isinstance(found, TopFile):
        return found
    raise ManylabelError(f"{path}: holds a score of every class for every image, no lists: read it by `load`")


def read(path: str | Path, kind: str | None = None, *, mistakes: str = "error") -> ScoreFile | TopFile:
    """Read a score file, whichever it is; arguments as of `load`."""
    path = Path(path)
    if path.is_dir():
        raise ManylabelError(f"{path} is a folder: expected a score file that ends in {', '.join(ENDINGS[:4])}")
    if not path.is_file():
        near = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ManylabelError(f"{path}: there is no such score file.{did_you_mean(path.name, near)}")
    if path.suffix.lower() not in ENDINGS:
        raise ManylabelError(f"{path}: a score file ends in {', '.join(ENDINGS[:4])}")
    if kind is not None and kind not in ASKED:
        raise ManylabelError(f"score kind {kind!r} is not known.{did_you_mean(kind, ASKED)}")
    found = Mistakes(path, mistakes)
    try:
        return _npz(path, kind, found) if path.suffix.lower() == ".npz" else _table(path, kind, found)
    except ManylabelError as error:
        raise error if str(error).startswith(str(path)) else ManylabelError(f"{path}: {error}") from error


def _npz(path: Path, kind: str | None, mistakes: Mistakes) -> ScoreFile | TopFile:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, BadZipFile, zlib.error):  # pickled objects are a ValueError
        raise ManylabelError(
            f"{path}: not a readable .npz of plain arrays: it is cut off, something else, or holds pickled objects."
            " Write it by np.savez from arrays of text and numbers"
        ) from None
    for name in ("ids", "names", "scores", "kind"):
        if name not in arrays:
            raise ManylabelError(f"{path}: array {name!r} is missing.{did_you_mean(name, arrays)}")
    own = str(arrays["kind"])
    if kind not in (None, own):
        raise ManylabelError(f"{path}: the file says its scores are of kind {own}, not {kind!r}")
    ids, names = (np.asarray(arrays[key], np.str_) for key in ("ids", "names"))
    if "columns" in arrays:
        top = TopScores(arrays["columns"], arrays["scores"], len(names))
        return TopFile(ids, names, top, own, _sparse_labels(arrays, len(names)))
    scores = np.asarray(arrays["scores"], np.float32)
    if mistakes.rule == "error" or scores.shape != (len(ids), len(names)):
        return ScoreFile(ids, names, scores, own, arrays.get("labels"))
    for row in np.flatnonzero(~np.isfinite(scores).all(axis=1)):
        bad = np.flatnonzero(~np.isfinite(scores[row]))
        cell, score = f"row {row + 1} ({ids[row]}), column {str(names[bad[0]])!r}", scores[row, bad[0]]
        mistakes.add(*sheet.NO_NUMBER, f"{cell}: expected a number, got {score}", number=len(bad))
    wide = Wide(ids.tolist(), names.tolist(), np.where(np.isfinite(scores), scores, np.nan))
    return _whole(wide, own, mistakes, arrays.get("labels"))


def _sparse_labels(arrays: dict[str, Any], classes: int) -> SparseLabels | None:
    if "label_starts" not in arrays:
        return None
    starts, columns, states = (arrays[f"label_{part}"] for part in ("starts", "columns", "states"))
    return SparseLabels(starts, columns, states, classes, int(arrays["label_default"]))


def _table(path: Path, kind: str | None, mistakes: Mistakes) -> ScoreFile | TopFile:
    if path.suffix.lower() == ".parquet":
        from manylabel.scores import parquet

        found = parquet.read(path, mistakes)
    else:
        found = sheet.read(path, mistakes, percent=kind == "percent")
    values = found.scores if isinstance(found, Wide) else found.values
    kind = _kind(path, kind, found.kind, values)
    if kind == "percent":
        values /= 100
        found.notes.append("percents were divided by 100")
        kind = "probability"
    if isinstance(found, Wide):
        return _whole(_without_repeats(found, mistakes), kind, mistakes)
    return _listed(found, kind, mistakes)


def _kind(path: Path, asked: str | None, own: str | None, values: NDArray[np.float32]) -> str:
    """What was asked for or what the file says; they must agree, and one of them is needed."""
    if asked is None and own is None:
        known = values[np.isfinite(values)]
        between = f" (its values lie between {known.min():.4g} and {known.max():.4g})" if len(known) else ""
        raise ManylabelError(
            f"{path}: a table does not say what its scores are: give kind 'logit', 'probability' or 'percent' (--kind)"
            f"{between}"
        )
    if own is not None and asked not in (None, own) and not (own == "probability" and asked == "percent"):
        raise ManylabelError(f"{path}: the file says its scores are of kind {own}, not {asked!r}")
    return asked or own or ""


def _without_repeats(found: Wide, mistakes: Mistakes) -> Wide:
    """Each image once: rows that agree are joined, of those that do not none is kept."""
    rows: dict[str, list[int]] = {}
    for row, image in enumerate(found.ids):
        rows.setdefault(image, []).append(row)
    if len(rows) == len(found.ids):
        return found
    kept, joined = [], 0
    for image, same in rows.items():
        if all(np.array_equal(found.scores[same[0]], found.scores[r], equal_nan=True) for r in same[1:]):
            kept.append(same[0])
            joined += len(same) - 1
        else:
            there = ", ".join(str(found.lines[r]) for r in same[:4])
            where = f"image id {image!r} occurs twice with different scores (lines {there})"
            mistakes.add("image scored in two ways", "images scored in two ways", where)
    if joined:
        found.notes.append(f"{joined:,} {'row repeats' if joined == 1 else 'rows repeat'} another and count once")
    lines = [found.lines[r] for r in kept]
    return Wide([found.ids[r] for r in kept], found.names, found.scores[kept], lines, found.notes)


def _whole(found: Wide, kind: str, mistakes: Mistakes, labels: NDArray[np.int8] | None = None) -> ScoreFile:
    """A score file, with placeholders where scores are missing."""
    scores = found.scores
    if mistakes.rule == "leave" and kind == "probability":
        scores = _possible(found, mistakes)
    missing = np.isnan(scores)
    if not missing.any():
        return ScoreFile(found.ids, found.names, scores, kind, labels, _notes(found.notes, mistakes))  # type: ignore[arg-type]
    lowest = np.nan_to_num(np.where(missing, np.inf, scores).min(axis=0, initial=np.inf), posinf=0.0)
    filled = np.where(missing, lowest, scores)
    return ScoreFile(found.ids, found.names, filled, kind, labels, _notes(found.notes, mistakes), missing)  # type: ignore[arg-type]


def _possible(found: Wide, mistakes: Mistakes) -> NDArray[np.float32]:
    """Scores with NaN for the few that are no probabilities; an error where they are many."""
    wrong = (found.scores < 0) | (found.scores > 1)
    if not wrong.any():
        return found.scores
    slips = wrong.sum() <= 3 and wrong.mean() <= 0.2
    if not slips and wrong.any(axis=1).mean() > FEW:
        return found.scores  # the score file will refuse them
    for row, c in np.argwhere(wrong)[:1]:
        where = f"line {found.lines[row]}, " if found.lines else ""
        what = f"{where}column {found.names[c]!r}: expected a probability in [0, 1], got {found.scores[row, c]:g}"
        mistakes.add(*IMPOSSIBLE, what, number=int(wrong.sum()))
    return np.where(wrong, np.float32(np.nan), found.scores)


def _listed(found: Long, kind: str, mistakes: Mistakes) -> ScoreFile | TopFile:
    """A table if every cell is listed, else lists; of a class listed twice for an image the higher score counts."""
    images, classes = len(found.ids), len(found.names)
    order = np.lexsort((-found.values, found.rows * max(classes, 1) + found.columns))
    rows, columns, values = found.rows[order], found.columns[order], found.values[order]
    keys = rows * max(classes, 1) + columns
    first = np.append(True, keys[1:] != keys[:-1]) if len(keys) else np.zeros(0, bool)
    if (twice := len(keys) - int(first.sum())) > 0:
        what = "line names" if twice == 1 else "lines name"
        found.notes.append(f"{twice:,} {what} a class of an image once more; the highest score counts")
    rows, columns, values = rows[first], columns[first], values[first]
    if len(values) == images * classes:
        return _whole(Wide(found.ids, found.names, values.reshape(images, classes), [], found.notes), kind, mistakes)
    length = np.bincount(rows, minlength=images)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length)
    lists = np.full((images, int(length.max(initial=1))), -1, np.int32)
    scored = np.zeros(lists.shape, np.float32)
    lists[rows, place], scored[rows, place] = columns, values
    top = TopScores(lists, scored, classes)
    notes = _notes(found.notes, mistakes)
    return TopFile(np.array(found.ids), np.array(found.names), top, kind, None, notes, whole=False)


def _notes(notes: list[str], mistakes: Mistakes) -> tuple[str, ...]:
    return (*notes, *mistakes.notes())
