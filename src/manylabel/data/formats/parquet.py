"""Parquet tables of labels: wide, narrow, long, or with lists; one file, or a folder of part files. Needs pyarrow.

What each column is follows from its name and cells, as in a CSV (`manylabel.data.table_csv`). In a column of lists a
null is an image nobody judged and an empty list one that shows none of the classes; lists of 0 and 1 that are all of
one length are a column a class. `convert` says which columns are classes in the schema's metadata, `manylabel`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.arrow import Part, footer, parquet_part, pyarrow
from manylabel.data.arrow_lists import from_lists
from manylabel.data.arrow_objects import with_objects
from manylabel.data.arrow_sheet import ArrowSheet
from manylabel.data.dataset import PART_WORDS, Dataset
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.data.table_csv import Roles, find_roles, from_sheet
from manylabel.delimited import IMAGE
from manylabel.labels import ManylabelError
from manylabel.metrics.blocks import row_blocks

ENDING = ".parquet"
ENDINGS = (".parquet", ".pq", ".parq")
KEY = b"manylabel"  # in the schema's metadata: which columns are no classes
LEFT = ("_", ".")  # how files begin that are no data, such as _SUCCESS and _metadata


def clue(source: Source) -> str | None:
    """A file that begins and ends as parquet does, or is named so; a folder with such files in it."""
    if source.is_folder:
        files = [] if "dataset_info.json" in source.inside else _files(source)
        if not files or _is_hub(files[0]):
            return None
        return f"the folder holds parquet files, such as {files[0].relative_to(source.path)}"
    if _is_hub(source.path):
        return None
    if source.ending in ENDINGS:
        return f"its name ends in {source.ending}"
    return "it begins with PAR1, as parquet does" if source.head[:4] == b"PAR1" else None


def load(source: Source, reading: Reading) -> Dataset:
    """A table of one file or several; see `manylabel.data.read` for the choices."""
    files = _files(source) if source.is_folder else [source.path]
    if not files:
        raise ManylabelError(f"{source.path}: no parquet file is in this folder; expected such as part-0.parquet")
    parts = [with_objects(parquet_part(file, _given(file, source.path))) for file in files]
    told = _told(parts[0])
    reading = replace(reading, columns=(*reading.columns, *(c for c in told if c not in reading.columns)))
    return of_sheet(ArrowSheet(source.path, parts, {}), reading, "parquet")


def of_sheet(sheet: ArrowSheet, reading: Reading, kind: str) -> Dataset:
    """The dataset in the columns: where labels are lists they are read as such, all else is as in a CSV."""
    if sheet.photos and any(part.inside for part in sheet.parts):
        sheet.notes.append(
            f"Photographs lie inside the file, in column {sheet.photos!r}: labels are read, pictures are not;"
            " `manylabel.data.arrow.photographs` gives their bytes, to be written to files."
        )
    _by_name(sheet)
    if len(sheet.rows):
        roles = _listed(sheet, find_roles(sheet, reading.columns), reading)
        if roles.labels is not None and _holds_lists(sheet, roles.labels):
            return from_lists(sheet, roles, reading, kind)
    nested = [name for name in sheet.header if sheet.is_list(name)]
    if nested:
        sheet.header[:] = [name for name in sheet.header if name not in nested]
        sheet.notes.append(f"Columns of lists that are not the labels are left out: {', '.join(nested)}.")
    return from_sheet(sheet, reading, kind=kind)


def _holds_lists(sheet: ArrowSheet, column: str) -> bool:
    return sheet.is_list(column) or column in sheet.classes


def _by_name(sheet: ArrowSheet) -> None:
    """Where a column of text names each photograph, the column of photographs itself is not needed."""
    for name in sheet.header:
        if sheet.photos in sheet.header and name != sheet.photos and name.lower() in IMAGE and not sheet.is_list(name):
            texts, places = sheet.coded(name)
            if len(texts) >= len(places) and all(texts[place] for place in places):
                sheet.header.remove(sheet.photos)
                return


def _listed(sheet: ArrowSheet, roles: Roles, reading: Reading) -> Roles:
    """The only column of lists of classes, or of lists of names, holds the labels whatever it is called."""
    if roles.labels is not None:
        return roles
    lists = [name for name in roles.rest if sheet.is_list(name) and name not in reading.columns]
    known = [name for name in lists if name in sheet.classes]
    known = known or [name for name in lists if name == sheet.objects or sheet.holds_text(name)]
    if len(known) > 1:
        raise ManylabelError(
            f"{sheet.path}: several columns list classes: {', '.join(known)}. Say with --column (Python: columns) which"
            " of them are not the labels"
        )
    if not known:
        return roles
    rest, note = [name for name in roles.rest if name != known[0]], f"The labels are listed in column {known[0]!r}."
    return replace(roles, labels=known[0], rest=rest, notes=[*roles.notes, note])


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """One wide file: int8 1 present, 0 absent, null unknown, with the part and further columns before the classes."""
    arrow = pyarrow()
    names, extra = dataset.labels.names, dataset.columns
    if twice := [name for name in names if name in {"image", "split", *extra}]:
        raise ManylabelError(f"{path}: class {twice[0]!r} has the name of another column; rename it (--rename)")
    parts = {"split": dataset.split} if (dataset.split != "").any() else {}
    text = {"image": np.array(dataset.labels.ids, object), **parts, **extra}
    fields = [*((name, arrow.string()) for name in text), *((name, arrow.int8()) for name in names)]
    schema = arrow.schema(fields, {KEY: json.dumps({"columns": list(extra)}).encode()})
    with path.open("xb") as stream, arrow.parquet.ParquetWriter(stream, schema) as writer:
        for block in row_blocks(np.broadcast_to(np.int8(0), dataset.labels.shape)):
            state = dataset.labels.rows(np.arange(block.start, block.stop)).state
            cells = [arrow.array(column[block].tolist(), arrow.string()) for column in text.values()]
            cells += [arrow.array(column == 1, arrow.int8(), mask=column == 0) for column in _bytes(state)]
            writer.write_table(arrow.table(cells, schema=schema))
    return dataset.labels.ids


def _bytes(state: Any) -> Any:
    return np.ascontiguousarray(state.T)


def _files(source: Source) -> list[Path]:
    """The parquet files in a folder and in folders of it that say a column, as site=north does."""
    found, folders = [], [source.path]
    for folder in folders:
        for one in sorted(folder.iterdir()):
            if one.name.startswith(LEFT):
                continue
            if one.is_dir() and "=" in one.name:
                folders.append(one)
            elif one.suffix.lower() in ENDINGS:
                found.append(one)
    return found


def _given(file: Path, root: Path) -> dict[str, str]:
    """The columns that folders say, and the part that the file's name does."""
    if root == file:
        return {}
    folders = dict(one.split("=", 1) for one in file.relative_to(root).parts[:-1])
    word = file.stem.replace("_", "-").split("-")[0].lower()
    return folders if "split" in folders or word not in PART_WORDS else {**folders, "split": word}


def _is_hub(path: Path) -> bool:
    """Whether the footer describes its columns as `datasets` does."""
    said = footer(path)
    return b"huggingface" in said and b"features" in said


def _told(part: Part) -> list[str]:
    """The columns that the file itself says are no classes."""
    try:
        said = json.loads((part.schema.metadata or {}).get(KEY, b"{}"))["columns"]
    except (ValueError, TypeError, KeyError):
        return []
    return [name for name in said if name in part.schema.names] if isinstance(said, list) else []
