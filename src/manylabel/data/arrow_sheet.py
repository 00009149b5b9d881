"""Parquet and arrow files as one `Sheet`: each column as its different texts and where each stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.arrow import Part, pyarrow
from manylabel.data.sheet import UNNAMED, Sheet
from manylabel.labels import ManylabelError

Ints = NDArray[np.int64]
FEW = 100  # different cells up to which where they stand takes a byte each
LIST = "a list"  # stands for every cell of a column of lists where cells are counted


class ArrowSheet(Sheet):
    """Files that hold the same columns, one after the other, as one sheet; rows are counted through all of them.

    Arguments:
        path: what the user gave.
        parts: the files.
        classes: class names of columns that hold their numbers, as `datasets` writes them.
    """

    def __init__(self, path: Path, parts: Sequence[Part], classes: Mapping[str, Sequence[str]]) -> None:
        self.parts, self.classes = parts, classes
        self.photos = next((part.photos for part in parts if part.photos), "")
        self.objects = next((part.objects for part in parts if part.objects), "")
        self._known: dict[str, tuple[list[str], Ints]] = {}
        self._counted: dict[tuple[str, int], Counter[str]] = {}
        names, notes = _names(path, parts)
        total = sum(part.rows for part in parts)
        unnamed = {name for name in names if UNNAMED.fullmatch(name) or name.startswith("__index_level_")}
        super().__init__(path, names, range(total), range(1, total + 1), notes, unnamed)

    def at(self, row: int, column: str | None = None) -> str:
        """Where a cell stands: in which file, and on which of its rows."""
        line, where = self.lines[row], ""
        for part in self.parts:
            if line <= part.rows:
                where = f"{part.path}, row {part.lines[line - 1] if part.lines else line}"
                break
            line -= part.rows
        return where if column is None else f"{where}, column {column!r}"

    def is_list(self, column: str) -> bool:
        """Whether each cell of a column holds a list."""
        kind = self._kind(column)
        return kind is not None and _is_list(kind)

    def holds_text(self, column: str) -> bool:
        """Whether the cells of a column of lists are text."""
        types = pyarrow().types
        inner = self._kind(column).value_type
        inner = inner.value_type if types.is_dictionary(inner) else inner
        return bool(types.is_string(inner) or types.is_large_string(inner))

    def raw(self, column: str) -> tuple[str, ...]:
        """The cells of one column as text; "" where there is nothing."""
        texts, places = self.coded(column)
        return tuple(np.array(texts, object)[places].tolist())

    def counts(self, column: str) -> Counter[str]:
        """How often each cell occurs, blanks and capitals aside."""
        key = column, len(self.rows)
        if key not in self._counted:
            folded: Counter[str] = Counter()
            texts, places = ([LIST], np.zeros(len(self.rows), int)) if self.is_list(column) else self.coded(column)
            for text, times in zip(texts, np.bincount(places, minlength=len(texts)).tolist()):
                folded[text.strip().lower()] += times
            self._counted[key] = +folded
        return self._counted[key]

    def coded(self, column: str) -> tuple[list[str], Ints]:
        """(different texts, (N,) place of each cell's text among them)."""
        if column == self.photos and self._made_up:
            return self._made_up, np.asarray(self.rows, np.int64)
        if column not in self._known:
            self._known[column] = self._read(column)
        texts, found = self._known[column]
        if len(texts) > FEW:
            del self._known[column]  # a column of labels is kept, for it is asked for twice and small
        return texts, found if len(self.rows) == len(found) else found[np.asarray(self.rows, np.int64)]

    def _read(self, column: str) -> tuple[list[str], Ints]:
        coded = [_coded(cells, part, column, self.classes.get(column)) for part, cells in self._cells(column)]
        if len(coded) == 1:
            return coded[0]
        texts: dict[str, int] = {}
        new = [np.array([texts.setdefault(one, len(texts)) for one in own], np.int64) for own, _ in coded]
        places = [own[index] for own, (_, index) in zip(new, coded)]
        return list(texts), np.concatenate(places).astype(_small(len(texts)), copy=False)

    def _cells(self, column: str) -> list[tuple[Part, Any]]:
        arrow = pyarrow()
        kind = self._kind(column) or arrow.string()
        return [
            (part, part.column(column) if column in part.schema.names
             else arrow.chunked_array([arrow.array([part.given[column]] * part.rows, arrow.string())
                                       if column in part.given else arrow.nulls(part.rows, kind)]))
            for part in self.parts
        ]  # fmt: skip

    def _kind(self, column: str) -> Any:
        """The type of a column in the first file that has it; None where none has it."""
        return next((p.schema.field(column).type for p in self.parts if column in p.schema.names), None)

    def lists(self, column: str) -> Lists:
        """The items of a column of lists; a column of single classes is one of lists of one."""
        read = _listed if self.is_list(column) else _singles
        found = [read(cells, part, column) for part, cells in self._cells(column)]
        firsts = np.cumsum([0, *(part.rows for part in self.parts)])
        rows = np.concatenate([one.rows + first for one, first in zip(found, firsts)])
        missing = np.concatenate([one.missing for one in found])
        items = [item for one in found for item in one.items]
        bases = np.cumsum([0, *(len(one.items) for one in found)])
        places = np.concatenate([one.places + base for one, base in zip(found, bases)])
        lists = Lists(rows, places, items, missing)
        return lists if len(self.rows) == len(missing) else lists.of_rows(np.asarray(self.rows, np.int64))

    @cached_property
    def _made_up(self) -> list[str]:
        """Names part/row for photographs that lie in the files and have no names, or not one each; else nothing."""
        if not any(part.inside for part in self.parts):
            return []
        texts = [text for part, cells in self._cells(self.photos) for text in cells.to_pylist()]
        if all(texts) and len(set(texts)) == len(texts):
            return []
        labels = [part.given.get("split", part.path.stem) for part in self.parts]
        first: Counter[str] = Counter()
        made = []
        for label, part in zip(labels, self.parts):
            made += [f"{label}/{row}" for row in range(first[label], first[label] + part.rows)]
            first[label] += part.rows
        return made


@dataclass(frozen=True)
class Lists:
    """A list in each of N cells.

    Arguments:
        rows: (E,) cell that each item stands in, ascending.
        places: (E,) which of `items` it is.
        items: different values; the same may stand there twice.
        missing: (N,) bool, cells that hold no list at all.
    """

    rows: Ints
    places: Ints
    items: list[Any]
    missing: NDArray[np.bool_]

    def of_rows(self, chosen: Ints) -> Lists:
        """The lists of the cells in `chosen`, which ascend."""
        place = np.full(len(self.missing), -1)
        place[chosen] = np.arange(len(chosen))
        kept = place[self.rows] >= 0
        return Lists(place[self.rows[kept]], self.places[kept], self.items, self.missing[chosen])


def _names(path: Path, parts: Sequence[Part]) -> tuple[list[str], list[str]]:
    """(columns that hold labels or text, what is said of the others and of those that some files lack)."""
    kinds: dict[str, Any] = {}
    for part in parts:
        own = list(part.schema.names)
        twice = next((name for name, times in Counter(own).items() if times > 1), None)
        if twice is not None:
            raise ManylabelError(f"{part.path}: two columns are named {twice!r}; rename or remove one")
        for one in part.schema:
            if _is_list(kinds.setdefault(one.name, one.type)) != _is_list(one.type):
                raise ManylabelError(
                    f"{part.path}, column {one.name!r}: expected {kinds[one.name]} as in other files, got {one.type}"
                )
    photos = {part.photos for part in parts}
    read = [name for name, kind in kinds.items() if name in photos or _is_read(kind)]
    left = [f"{name} ({kind})" for name, kind in kinds.items() if name not in read]
    notes = [f"Columns that hold neither labels nor text are left out: {', '.join(left)}."] if left else []
    lacking = {name: part.path for part in parts for name in kinds if name not in (*part.schema.names, *part.given)}
    notes += [
        f"The file {path.name} lacks the column {name!r}: nothing is known there." for name, path in lacking.items()
    ]
    if not read:
        raise ManylabelError(f"{path}: no column holds labels or text; got {', '.join(left) or 'no column'}")
    return read + [
        name for name in dict.fromkeys(key for part in parts for key in part.given) if name not in kinds
    ], notes


def _is_list(kind: Any) -> bool:
    types = pyarrow().types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_read(kind: Any) -> bool:
    types = pyarrow().types
    if _is_list(kind):
        inner = kind.value_type
        return not types.is_nested(inner) and not types.is_binary(inner) and not types.is_large_binary(inner)
    return not types.is_nested(kind) and not types.is_binary(kind) and not types.is_large_binary(kind)


def _coded(cells: Any, part: Part, column: str, names: Sequence[str] | None) -> tuple[list[str], Ints]:
    """(texts, (n,) which one each cell is) of a column of one file."""
    arrow = pyarrow()
    if arrow.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if arrow.types.is_float16(cells.type):
        cells = cells.cast(arrow.float32())
    texts, places, index = [""], {None: 0}, [np.zeros(0, np.int64)]
    for chunk in cells.chunks:
        coded = chunk.dictionary_encode() if chunk.type != arrow.null() else None
        own = coded.dictionary.to_pylist() if coded is not None else []
        for value in own:
            if value not in places:
                places[value] = len(texts)
                texts.append(_text(value))
        if coded is None:
            index.append(np.zeros(len(chunk), np.int64))
            continue
        new = np.array([*(places[value] for value in own), 0], _small(len(texts)))
        index.append(new[coded.indices.fill_null(len(own)).to_numpy(zero_copy_only=False)])
    found = np.concatenate([one.astype(_small(len(texts)), copy=False) for one in index])
    return (texts if names is None else _named(texts, found, names, f"{part.path}", column)), found


def _small(number: int) -> type[np.signedinteger[Any]]:
    """What is wide enough to number that many texts."""
    return np.int8 if number <= FEW else np.int64


def _named(texts: list[str], places: Ints, names: Sequence[str], path: str, column: str) -> list[str]:
    """Numbers of classes to their names; -1 is what `datasets` writes where there is none."""
    valid = {str(k): name for k, name in enumerate(names)} | {"": "", "-1": ""}
    bad = [k for k, text in enumerate(texts) if text not in valid]
    if bad:
        row = int(np.flatnonzero(np.isin(places, bad))[0]) + 1
        raise ManylabelError(
            f"{path}, row {row}, column {column!r}: expected the number of a class, 0 to {len(names) - 1}, got"
            f" {texts[int(places[row - 1])]}"
        )
    return [valid[text] for text in texts]


def _singles(cells: Any, part: Part, column: str) -> Lists:
    """The number of a class in each cell as a list of one; null and -1 are images that nobody judged."""
    items, places = _items(cells)
    missing = np.isin(places, [k for k, item in enumerate(items) if item is None or item == -1])
    return Lists(np.flatnonzero(~missing), places[~missing], items, missing)


def _listed(cells: Any, part: Part, column: str) -> Lists:
    """The items of a column of lists in one file."""
    arrow, rows, places, missing, first = pyarrow(), [], [], [], 0
    items: dict[Any, int] = {}
    for chunk in cells.chunks or []:
        if arrow.types.is_fixed_size_list(chunk.type):
            chunk = chunk.cast(arrow.list_(chunk.type.value_type))
        lengths = arrow.compute.list_value_length(chunk).fill_null(0).to_numpy(zero_copy_only=False)
        flat = arrow.chunked_array([chunk.flatten()])
        own, index = _items(flat)
        new = np.array([items.setdefault(item, len(items)) for item in own], np.int64)
        rows.append(np.repeat(np.arange(len(chunk)) + first, lengths))
        places.append(new[index])
        missing.append(chunk.is_null().to_numpy(zero_copy_only=False))
        first += len(chunk)
    none = [np.zeros(0, np.int64)]
    return Lists(np.concatenate(none + rows), np.concatenate(none + places), list(items),
                 np.concatenate([np.zeros(0, bool), *missing]))  # fmt: skip


def _items(flat: Any) -> tuple[list[Any], Ints]:
    """(different values, (e,) which one each item is); None is a value too."""
    arrow = pyarrow()
    flat = flat.cast(flat.type.value_type) if arrow.types.is_dictionary(flat.type) else flat
    chunk = flat.combine_chunks()
    chunk = chunk.chunk(0) if isinstance(chunk, arrow.ChunkedArray) else chunk
    if chunk.type == arrow.null():
        return [None], np.zeros(len(chunk), np.int64)
    coded = (chunk.cast(arrow.float32()) if arrow.types.is_float16(chunk.type) else chunk).dictionary_encode()
    own = coded.dictionary.to_pylist()
    return [*own, None], coded.indices.fill_null(len(own)).to_numpy(zero_copy_only=False).astype(np.int64)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)
