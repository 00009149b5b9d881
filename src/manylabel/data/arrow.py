"""Parquet and arrow files, of which a column is read when it is asked for; needs pyarrow, which is imported late."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manylabel.labels import ManylabelError

Read = Callable[[str], Any]
PHOTOS = ("image", "img", "photo", "picture", "jpg", "png", "jpeg", "webp", "bytes", "image_bytes")


@dataclass
class Part:
    """One file: its columns are read when asked for.

    Arguments:
        given: columns that its name or folder says, such as {"split": "train"}.
        photos: the column of photographs, of which only the names are read, or "".
        inside: whether photographs themselves lie in it, as bytes.
        lines: where the rows stand in a text file; empty where they are counted from 1.
        objects, objects_read: the column that is read as the classes of its objects, or "", and what reads it whole.
    """

    path: Path
    schema: Any
    rows: int
    read: Read
    given: dict[str, str] = field(default_factory=dict)
    photos: str = ""
    inside: bool = False
    lines: Sequence[int] = ()
    objects: str = ""
    objects_read: Read = lambda name: None

    def column(self, name: str) -> Any:
        """A pyarrow ChunkedArray; an error where the file is damaged there."""
        try:
            found = self.read(name)
            found.validate(full=True)  # cheap, and text that is no UTF-8 is found here
        except Exception as problem:  # decoders raise whatever damaged bytes lead them to
            raise ManylabelError(f"{self.path}, column {name!r}: cannot be read: {short(problem)}") from None
        if len(found) != self.rows:
            raise ManylabelError(f"{self.path}, column {name!r}: expected {self.rows:,} rows, got {len(found):,}")
        return found


def pyarrow() -> Any:
    """The package, with its part for parquet; an error that says how to install it."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ManylabelError("parquet files need pyarrow: pip install 'manylabel[parquet]'") from None
    return pyarrow


def parquet_part(path: Path, given: Mapping[str, str] | None = None) -> Part:
    """A parquet file; only its footer is read here."""
    arrow = pyarrow()
    try:
        file = arrow.parquet.ParquetFile(path)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        photos, named = photos_of(schema)
        inside = bool(photos) and _holds(file, photos, named)
    except Exception as problem:
        raise ManylabelError(f"{path}: not a readable parquet file ({short(problem)})") from None

    def read(name: str) -> Any:
        if name != photos:
            return file.read(columns=[name]).column(name)
        if not named:
            return arrow.chunked_array([arrow.nulls(rows, arrow.string())])
        return arrow.compute.struct_field(file.read(columns=[f"{name}.path"]).column(name), "path")

    return Part(path, schema, rows, read, dict(given or {}), photos, inside)


def stream_part(path: Path, given: Mapping[str, str] | None = None) -> Part:
    """An arrow stream, or an arrow file (feather), mapped into memory."""
    arrow = pyarrow()
    try:
        source = arrow.memory_map(str(path))
        try:
            table = arrow.ipc.open_stream(source).read_all()
        except arrow.ArrowInvalid:
            table = arrow.ipc.open_file(source).read_all()
        table.validate()
        photos, named = photos_of(table.schema)
        inside = bool(photos) and _bytes_of(table.column(photos), named).null_count < table.num_rows
    except Exception as problem:
        raise ManylabelError(f"{path}: not a readable arrow file ({short(problem)})") from None

    def read(name: str) -> Any:
        if name != photos:
            return table.column(name)
        if not named:
            return arrow.chunked_array([arrow.nulls(table.num_rows, arrow.string())])
        return arrow.compute.struct_field(table.column(name), "path")

    return Part(path, table.schema, table.num_rows, read, dict(given or {}), photos, inside)


def photos_of(schema: Any) -> tuple[str, bool]:
    """(the column of photographs or "", whether it holds names too): bytes and path together, or bytes under a name
    that photographs have. Every name is looked at: one that is no UTF-8 is an error here already."""
    types, _ = pyarrow().types, schema.names
    for one in schema:
        if types.is_struct(one.type) and {"bytes", "path"} <= {inner.name for inner in one.type}:
            return one.name, True
    for one in schema:
        if one.name.lower() in PHOTOS and (types.is_binary(one.type) or types.is_large_binary(one.type)):
            return one.name, False
    return "", False


def _holds(file: Any, photos: str, named: bool) -> bool:
    """Whether any photograph lies in a parquet file: the first filled cell says so, and empty ones are read fast.

    The footer's own counts are not asked: where they are damaged, pyarrow ends the process.
    """
    batches = file.iter_batches(64, columns=[f"{photos}.bytes" if named else photos], use_threads=False)
    return any(_bytes_of(batch.column(photos), named).null_count < len(batch) for batch in batches)


def _bytes_of(cells: Any, named: bool) -> Any:
    return pyarrow().compute.struct_field(cells, "bytes") if named else cells


def photographs(part: Part) -> Iterator[bytes | None]:
    """The bytes of the photographs in a file, row by row, None where there are none; one batch in memory at a time."""
    arrow = pyarrow()
    file = arrow.parquet.ParquetFile(part.path) if footer(part.path) else None
    batches = file.iter_batches(64, columns=[part.photos]) if file is not None else _batches(part.path)
    named = photos_of(part.schema)[1]
    for batch in batches:
        yield from _bytes_of(batch.column(part.photos), named).to_pylist()


def _batches(path: Path) -> Iterator[Any]:
    with pyarrow().memory_map(str(path)) as source:
        yield from pyarrow().ipc.open_stream(source)


def footer(path: Path) -> bytes:
    """The last bytes of a parquet file, which say what is in it; nothing where it is none. Needs no pyarrow."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            size = stream.tell()
            stream.seek(max(0, size - 8))
            tail = stream.read(8)
            if len(tail) < 8 or tail[4:] != b"PAR1":
                return b""
            stream.seek(max(0, size - 8 - int.from_bytes(tail[:4], "little")))
            return stream.read(1 << 22)
    except OSError:
        return b""


def short(problem: Exception) -> str:
    """The first line of a decoder's message, cut to a line's length."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]
