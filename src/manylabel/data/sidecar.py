"""What a format has no place for, in a small JSON file beside the one that was written, so that nothing is lost.

It is found by reading back what was written: whatever then differs from the dataset is kept. When the labels are read
again it is put back, cell by cell, unless the cell was changed in the meantime: the label file always wins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.beside import Beside, Cells, same
from manylabel.data.dataset import Dataset
from manylabel.data.files import Files
from manylabel.data.source import parse_json
from manylabel.data.tarred import split_path
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.metrics.blocks import row_blocks

VERSION = 1
LOOKED = 20  # photographs by which it is told whether they are where they were
WORDS = {ABSENT: "absent", UNKNOWN: "unknown", PRESENT: "present"}
STATES = {word: state for state, word in WORDS.items()}
EACH = ("reviewed", "sizes")  # parts of `Beside` with one value an image
Json = dict[str, Any]


def place_of(path: Path) -> Path:
    """The file beside a label file, or in a folder.

    >>> place_of(Path("labels.txt")).name
    'labels.txt.manylabel.json'
    """
    return path / "manylabel.json" if path.is_dir() else path.with_name(f"{path.name}.manylabel.json")


def keep(dataset: Dataset, native: Dataset, ids: Sequence[str], path: Path) -> list[str]:
    """Write what `native`, read back from `path`, lacks of `dataset`; a note on it, or none where it lacks nothing.

    Arguments:
        ids: (N,) the id that each row of `dataset` has in `native`.
    """
    found = difference(dataset, native, ids)
    folder = path if path.is_dir() else path.parent
    files = [os.path.relpath(file, folder.absolute()) for file in map(str, dataset.paths)]
    if files != [os.path.relpath(file, folder.absolute()) for file in _files(native, ids)]:
        found["files"] = files
    place = place_of(path)
    found = {"columns": dict.fromkeys(columns_of(path)), **found} if columns_of(path) else found
    if not found:
        return []
    text = {"manylabel": VERSION, "about": f"What {path.name} has no place for; keep it beside it.", **found}
    place.write_text(json.dumps(text, ensure_ascii=False) + "\n", encoding="utf-8")
    return [f"what the format has no place for ({', '.join(found)}): {place}"]


def _content(place: Path) -> Any:
    """The JSON of such a file; an error names it, and says what to do without it."""
    try:
        text = place.read_bytes().decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ManylabelError(f"{place} is damaged ({problem}); remove it to do without it") from None
    return parse_json(text, str(place))


def name_columns(path: Path, names: Sequence[str]) -> None:
    """Say beside a label file which of its columns are no classes although they hold 0 and 1."""
    about = f"What {path.name} does not say of itself; keep it beside it."
    text = {"manylabel": VERSION, "about": about, "columns": dict.fromkeys(names)}
    place_of(path).write_text(json.dumps(text, ensure_ascii=False) + "\n", encoding="utf-8")


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns that are said beside a label file: no class is among them."""
    place = place_of(path)
    if not place.is_file():
        return ()
    text = _content(place)
    columns = text.get("columns") if isinstance(text, dict) else None
    return tuple(columns) if isinstance(columns, dict) else ()


def _files(native: Dataset, ids: Sequence[str]) -> list[str]:
    place = {name: r for r, name in enumerate(native.labels.ids)}
    return [str(native.paths[place[name]]) if name in place else "" for name in ids]


def difference(dataset: Dataset, native: Dataset, ids: Sequence[str]) -> Json:
    """What must be known besides `native` to have `dataset`."""
    found: Json = {}
    if dataset.labels.names != native.labels.names:
        found["classes"] = list(dataset.labels.names)
    if dataset.labels.ids != native.labels.ids:
        found["images"] = [[name, own] for name, own in zip(ids, dataset.labels.ids, strict=True)]
    there = _aligned(native, ids, dataset)
    if cells := list(_cells(dataset.labels, there.labels)):
        found["cells"] = cells
    if (dataset.split != there.split).any():
        found["split"] = dataset.split.tolist()
    columns = {
        name: cells.tolist()
        for name, cells in dataset.columns.items()
        if name not in there.columns or (there.columns[name] != cells).any()
    }
    if columns or list(dataset.columns) != list(there.columns):
        found["columns"] = {name: columns.get(name) for name in dataset.columns}
    if parts := same(dataset.beside, there.beside):
        found["beside"] = {name: _plain(name, getattr(dataset.beside, name), dataset) for name in parts}
    return found


def _aligned(native: Dataset, ids: Sequence[str], dataset: Dataset) -> Dataset:
    """The rows of `native` in the order of `ids`, with the classes of `dataset`; what it lacks is absent."""
    place = {name: r for r, name in enumerate(native.labels.ids)}
    if lost := [name for name in ids if name not in place]:
        raise ManylabelError(f"{native.source}: {len(lost):,} images written are not read back, such as {lost[0]!r}")
    rows = native if tuple(ids) == native.labels.ids else native.rows([place[name] for name in ids])
    if rows.labels.names == dataset.labels.names:
        return rows
    return with_classes(rows, dataset.labels.names)


def with_classes(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The dataset with the classes `names` in that order; classes that it lacks are absent everywhere."""
    old = {name: c for c, name in enumerate(dataset.labels.names)}
    state = np.full((len(dataset), len(names)), ABSENT, np.int8)
    known = [c for c, name in enumerate(names) if name in old]
    state[:, known] = dataset.labels.state[:, [old[names[c]] for c in known]]
    new = {name: c for c, name in enumerate(names)}
    moved = dataset.beside.of_columns([new.get(name, -1) for name in dataset.labels.names])
    return replace(dataset, labels=LabelTable(state, tuple(names), dataset.labels.ids), beside=moved)


def _cells(wanted: LabelTable, there: LabelTable) -> Iterator[Json]:
    """Cells whose state differs: {"image", "from", "to", "classes"}."""
    names = np.array(wanted.names, object)
    for block in row_blocks(np.broadcast_to(np.int8(0), wanted.shape)):
        rows = np.arange(block.start, block.stop)
        new, old = wanted.rows(rows).state, there.rows(rows).state
        for row in np.flatnonzero((new != old).any(axis=1)):
            for was in WORDS:
                for state in WORDS:
                    chosen = (old[row] == was) & (new[row] == state)
                    if was != state and chosen.any():
                        yield {
                            "image": wanted.ids[rows[row]], "from": WORDS[was], "to": WORDS[state],
                            "classes": names[chosen].tolist(),
                        }  # fmt: skip


def _plain(name: str, value: Any, dataset: Dataset) -> Any:
    """A part of `Beside` as JSON."""
    if isinstance(value, Cells):
        ids, names = dataset.labels.ids, dataset.labels.names
        words = value.words or ("",) * len(value)
        return [
            [ids[r], names[c], v, w]
            for r, c, v, w in zip(value.rows, value.columns, value.values.tolist(), words, strict=True)
        ]
    return value.tolist() if isinstance(value, np.ndarray) else value


def restore(dataset: Dataset, path: Path, *, said: str) -> Dataset:
    """The dataset with what lies beside its file put back; `said` becomes the first of its notes."""
    place = place_of(path)
    notes = (said, *dataset.notes)
    if not place.is_file():
        return replace(dataset, notes=notes)
    text = _content(place)
    if not isinstance(text, dict) or text.get("manylabel") != VERSION:
        raise ManylabelError(f'{place}: expected what `convert` writes, with "manylabel": {VERSION}; remove the file')
    try:
        put, more = _put_back(dataset, text, path if path.is_dir() else path.parent)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as problem:
        raise ManylabelError(
            f"{place} is damaged ({type(problem).__name__}: {problem}); remove it to do without it"
        ) from problem
    return replace(put, notes=(*notes, f"Put back from {place.name}: {', '.join(_told(text))}.", *more))


def _told(text: Json) -> list[str]:
    return [key for key in text if key not in ("manylabel", "about")]


def _put_back(dataset: Dataset, text: Json, folder: Path) -> tuple[Dataset, list[str]]:
    notes: list[str] = []
    if "classes" in text:
        new = [name for name in dataset.labels.names if name not in text["classes"]]
        dataset = with_classes(dataset, [*text["classes"], *new])
    if "images" in text:
        dataset, notes = _named(dataset, text["images"])
    state, lost = _corrected(dataset.labels, text.get("cells", []))
    if lost:
        notes.append(f"{lost:,} cells were changed since and stay as the label file has them.")
    labels = LabelTable(state, dataset.labels.names, dataset.labels.ids)
    changed: Json = {"labels": labels}
    if len(dataset) != len(text.get("split", dataset.split)) or len(dataset) != len(text.get("files", dataset.paths)):
        return replace(dataset, **changed), [
            *notes,
            "Images were added or removed since: parts, columns and the like are left as they are.",
        ]
    if "files" in text:
        changed["paths"] = _found(Files(os.path.normpath(folder.absolute() / file) for file in text["files"]), dataset)
    if "split" in text:
        changed["split"] = np.array(text["split"], dtype="<U5")
    if "columns" in text:
        changed["columns"] = {
            name: dataset.columns[name] if cells is None else np.array(cells, np.str_)
            for name, cells in text["columns"].items()
            if cells is not None or name in dataset.columns  # it may have been removed since
        }
        changed["columns"] |= {name: c for name, c in dataset.columns.items() if name not in text["columns"]}
    if "beside" in text:
        changed["beside"] = replace(dataset.beside, **{k: _part(k, v, labels) for k, v in text["beside"].items()})
    return replace(dataset, **changed), notes


def _found(kept: Files, dataset: Dataset) -> Sequence[Path]:
    """The photographs where they were, unless none of the first is there any more and the format has its own."""
    there = [any(map(_exists, paths[:LOOKED])) for paths in (kept, dataset.paths)]
    return dataset.paths if there == [False, True] else kept


def _exists(path: Path) -> bool:
    inside = split_path(path)
    return path.exists() if inside is None else inside[0].exists()


def _named(dataset: Dataset, pairs: list[list[str]]) -> tuple[Dataset, list[str]]:
    """The images in their order and with their own ids; those that came since stay, at the end."""
    place = {name: r for r, name in enumerate(dataset.labels.ids)}
    known = [(place[name], own) for name, own in pairs if name in place]
    chosen = {r for r, _ in known}
    rest = [r for r in range(len(dataset)) if r not in chosen]
    rows = dataset.rows([*(r for r, _ in known), *rest])
    ids = (*(own for _, own in known), *(dataset.labels.ids[r] for r in rest))
    notes = (
        [f"{len(pairs) - len(known):,} images kept beside it are no longer in the label file."]
        if len(pairs) > len(known)
        else []
    )
    return replace(rows, labels=replace(rows.labels, ids=ids)), notes


def _corrected(labels: LabelTable, cells: list[Json]) -> tuple[NDArray[np.int8], int]:
    """((N, C) state with the cells set that still are what they were, how many were not)."""
    state, lost = labels.state.copy(), 0
    rows, columns = ({word: k for k, word in enumerate(words)} for words in (labels.ids, labels.names))
    for cell in cells:
        row = rows.get(cell["image"])
        if row is None:
            continue
        chosen = np.array([columns[name] for name in cell["classes"]])
        still = state[row, chosen] == STATES[cell["from"]]
        state[row, chosen[still]] = STATES[cell["to"]]
        lost += int((~still).sum())
    return state, lost


def _part(name: str, value: Any, labels: LabelTable) -> Any:
    """A part of `Beside` from JSON."""
    if name in EACH:
        return None if value is None else np.array(value, bool if name == "reviewed" else np.int64)
    if name in ("annotators", "provenance"):
        return tuple(value)
    if name == "parents":
        return tuple((child, parent) for child, parent in value)
    if name == "aliases" or value is None:
        return value
    if name not in {field.name for field in fields(Beside)}:
        raise KeyError(name)
    rows, columns = ({word: k for k, word in enumerate(words)} for words in (labels.ids, labels.names))
    kept = [one for one in value if one[0] in rows]
    types = {"soft": np.float64, "votes": np.int64, "boxes": np.float64, "candidates": np.int8}
    shape = (len(kept), *np.shape(value[0][2])) if value else (0,)
    words = tuple(one[3] for one in kept)
    return Cells(
        np.array([rows[one[0]] for one in kept], np.int64), np.array([columns[one[1]] for one in kept], np.int64),
        np.array([one[2] for one in kept], types[name]).reshape(shape), words if any(words) else (),
    )  # fmt: skip
