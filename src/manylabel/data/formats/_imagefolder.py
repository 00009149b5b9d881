"""An image folder as `datasets` reads one: metadata.jsonl, .csv or .parquet beside the photographs they name."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manylabel.data.arrow import Part, parquet_part, pyarrow
from manylabel.data.sheet import read_sheet
from manylabel.data.source import parse_json
from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError, did_you_mean

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
NAME = "file_name"


def metadata_in(folder: Path) -> list[Path]:
    """The metadata files in a folder, or in the folders in it."""
    here = [folder / name for name in METADATA if (folder / name).is_file()]
    if here:
        return here
    inner = [one for one in sorted(folder.iterdir()) if one.is_dir() and not one.name.startswith(".")]
    return [one / name for one in inner for name in METADATA if (one / name).is_file()]


def metadata_part(file: Path, root: Path, given: Mapping[str, str]) -> Part:
    """A metadata file; the names of its photographs start at `root`."""
    inside = file.parent.relative_to(root).as_posix()
    if file.suffix == ".parquet":
        part = parquet_part(file, given)
        plain = part.read
        part.read = lambda name: _moved(plain(name), inside) if name == NAME else plain(name)
    else:
        part = _text_part(file, inside, given)
    if NAME not in part.schema.names:
        near = did_you_mean(NAME, part.schema.names)
        raise ManylabelError(f"{file}: no column is named {NAME}, which names the photographs.{near}")
    return part


def _text_part(file: Path, inside: str, given: Mapping[str, str]) -> Part:
    arrow = pyarrow()
    columns, lines = _csv(file) if file.suffix == ".csv" else _jsonl(file)
    cells = {name: _array(values, f"{file}, column {name!r}") for name, values in columns.items()}
    schema = arrow.schema([(name, column.type) for name, column in cells.items()])

    def read(name: str) -> Any:
        return _moved(cells[name], inside) if name == NAME else cells[name]

    return Part(file, schema, len(lines), read, dict(given), lines=lines)


def _array(values: list[Any], where: str) -> Any:
    arrow = pyarrow()
    try:
        return arrow.chunked_array([arrow.array(values)])
    except (arrow.ArrowException, OverflowError, ValueError, TypeError) as problem:
        raise ManylabelError(
            f"{where}: expected values of one kind, got {str(problem).splitlines()[0][:120]}"
        ) from None


def _moved(cells: Any, inside: str) -> Any:
    if inside == ".":
        return cells
    arrow = pyarrow()
    names = [name and posixpath.join(inside, str(name)) for name in cells.to_pylist()]
    return arrow.chunked_array([arrow.array(names, arrow.string())])


def _csv(file: Path) -> tuple[dict[str, list[Any]], list[int]]:
    sheet = read_sheet(file)
    return {name: list(sheet.raw(name)) for name in sheet.header}, list(sheet.lines)


def _jsonl(file: Path) -> tuple[dict[str, list[Any]], list[int]]:
    """Columns of all keys that any line has; a key that a line lacks is null there."""
    rows, lines = [], []
    with file.open(encoding=encoding_of(file)) as stream:
        for line, text in enumerate(stream, 1):
            if text.strip():
                row = parse_json(text.removeprefix("\ufeff"), f"{file}, line {line}")
                if not isinstance(row, dict):
                    raise ManylabelError(f"{file}, line {line}: expected an object, got {text.strip()[:40]}")
                rows.append(row)
                lines.append(line)
    if not rows:
        raise ManylabelError(f"{file} is empty: expected one object a line")
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(key for row in rows for key in row)}, lines
