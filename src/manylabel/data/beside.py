"""What a label file may say beyond present, absent and unknown: it lies beside the table, never inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ManylabelError

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Facts about single cells of an (N, C) table, in any order; a cell may have several.

    Arguments:
        rows, columns: (E,) image and class of each fact.
        values: (E, ...) what is said of it; (E, 0) where being listed says all.
        words: (E,) text beside each value, or empty.

    >>> soft = Cells([0, 2], [1, 1], [0.5, 0.25])
    >>> soft.of_rows([2, 0]).rows.tolist(), soft.of_rows([2]).values.tolist()
    ([1, 0], [0.25])
    """

    rows: Ints
    columns: Ints
    values: NDArray[np.generic]
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", np.asarray(self.rows, np.int64))
        object.__setattr__(self, "columns", np.asarray(self.columns, np.int64))
        object.__setattr__(self, "values", np.asarray(self.values))
        object.__setattr__(self, "words", tuple(self.words))
        sizes = {len(self.rows), len(self.columns), len(self.values), len(self.words) if self.words else len(self.rows)}
        if len(sizes) > 1:
            raise ManylabelError(f"rows, columns, values and words of cells differ in number: {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: ArrayLike) -> Cells:
        """The facts in `chosen` (integers or a mask)."""
        index = np.arange(len(self))[np.asarray(chosen)]
        words = tuple(self.words[i] for i in index) if self.words else ()
        return Cells(self.rows[index], self.columns[index], self.values[index], words)

    def of_rows(self, index: ArrayLike) -> Cells:
        """The facts about the rows in `index`, each once, numbered by their place in it."""
        index = np.asarray(index, np.int64)
        place = np.full(max(self.rows.max(initial=-1), index.max(initial=-1)) + 1, -1)
        place[index] = np.arange(len(index))
        kept = self.take(place[self.rows] >= 0)
        return replace(kept, rows=place[kept.rows])

    def of_columns(self, place: ArrayLike) -> Cells:
        """The facts with class c renamed to place[c]; -1 leaves the class out."""
        new = np.asarray(place, np.int64)[self.columns]
        return replace(self.take(new >= 0), columns=new[new >= 0])


@dataclass(frozen=True, eq=False)
class Beside:
    """Everything beside the table; None or empty where the file says nothing of the kind.

    Arguments:
        soft: values (E,) in [0, 1] of cells that are not plainly 0 or 1; such a cell is unknown in the table.
        candidates: values (E, 0) of cells of which at least one in the image is present; unknown in the table.
        votes: values (E, 2) int64: place of the annotator in `annotators`, and the state that they gave.
        annotators: their names.
        reviewed: (N,) bool, whether somebody looked at the image: no label then means that nothing is there, and
            otherwise that it is not yet labelled.
        boxes: values (E, 4) float64 x, y, width, height of objects as shares of the image's width and height, (0, 0)
            being its upper left corner; words: what else is said of the box, separated by |, such as crowd|difficult.
        sizes: (N, 2) int64 width and height of each image in pixels, 0 where not known.
        parents: (class, parent) pairs; a class may have several parents, and a parent need not be a class itself.
        aliases: other name of a class -> its name.
        provenance: a line on each step that made these labels, oldest first.
    """

    soft: Cells | None = None
    candidates: Cells | None = None
    votes: Cells | None = None
    annotators: tuple[str, ...] = ()
    reviewed: NDArray[np.bool_] | None = None
    boxes: Cells | None = None
    sizes: NDArray[np.int64] | None = None
    parents: tuple[tuple[str, str], ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    provenance: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.said)

    @property
    def said(self) -> tuple[str, ...]:
        """The names of what is there, in the order above."""
        return tuple(one.name for one in fields(self) if not _empty(getattr(self, one.name)))

    def of_rows(self, index: ArrayLike) -> Beside:
        """What is said of the images in `index` (integers), in that order."""
        index = np.asarray(index, np.int64)
        cells: dict[str, Any] = {name: one.of_rows(index) for name, one in self.cells.items()}
        each = {name: array[index] for name in ("reviewed", "sizes") if (array := getattr(self, name)) is not None}
        return replace(self, **cells, **each)

    def of_columns(self, place: ArrayLike) -> Beside:
        """What is said with class c renamed to place[c]; -1 leaves the class out. Names are not touched."""
        cells: dict[str, Any] = {name: one.of_columns(place) for name, one in self.cells.items()}
        return replace(self, **cells)

    @property
    def cells(self) -> dict[str, Cells]:
        """Those parts that are facts about single cells, by name."""
        parts = {name: getattr(self, name) for name in ("soft", "candidates", "votes", "boxes")}
        return {name: one for name, one in parts.items() if one is not None}

    def renamed(self, names: Mapping[str, str]) -> Beside:
        """Parents and aliases with classes renamed, old name to new."""
        pairs = ((names.get(child, child), names.get(parent, parent)) for child, parent in self.parents)
        aliases = {other: names.get(name, name) for other, name in self.aliases.items()}
        return replace(self, parents=tuple(dict.fromkeys(pairs)), aliases=aliases)


def same(one: Beside, other: Beside) -> tuple[str, ...]:
    """The names of the parts in which two differ; the order of facts about cells does not matter."""
    return tuple(part.name for part in fields(one) if not _equal(getattr(one, part.name), getattr(other, part.name)))


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, (Cells, Sequence, Mapping)) and len(value) == 0)


def _equal(one: object, other: object) -> bool:
    if _empty(one) or _empty(other):
        return _empty(one) and _empty(other)
    if isinstance(one, Cells) and isinstance(other, Cells):
        return len(one) == len(other) and sorted(_facts(one)) == sorted(_facts(other))
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other  # type: ignore[arg-type]


def _facts(cells: Cells) -> list[tuple[object, ...]]:
    """A sortable tuple of each fact; shares of an image are told apart to the millionth."""
    values: NDArray[Any] = cells.values.reshape(len(cells), -1)
    rounded = np.round(values, 6) if np.issubdtype(values.dtype, np.floating) else values
    words = cells.words or ("",) * len(cells)
    return list(zip(cells.rows.tolist(), cells.columns.tolist(), map(tuple, rounded.tolist()), words, strict=True))
