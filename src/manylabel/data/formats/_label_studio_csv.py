"""Label Studio's export as CSV or TSV: a row an annotation, answers of several words and regions as JSON in a cell."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manylabel.data.sheet import read_sheet
from manylabel.data.source import Source, parse_json
from manylabel.delimited import MARKS
from manylabel.labels import ManylabelError

SIGN = {"annotation_id", "annotator"}
ABOUT = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
ENDINGS = {".csv": ",", ".tsv": "\t", ".txt": ","}


def is_export(source: Source) -> bool:
    """Whether a table has the columns that Label Studio adds to those of its tasks and questions.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.csv")
    ...     _ = file.write_text("image,id,choice,annotator,annotation_id\\n")
    ...     is_export(Source(file))
    True
    """
    if source.ending not in ENDINGS:
        return False
    encoding = next((name for mark, name in MARKS.items() if source.head.startswith(mark)), "utf-8")
    first = source.head.decode(encoding, "replace").splitlines()[:1]
    cells = next(csv.reader(first, delimiter=ENDINGS[source.ending]), []) if first else []
    return {cell.strip() for cell in cells} >= SIGN


def lines(path: Path, *, leave: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, its cells by column, as an entry of JSON-MIN); what is blank is left out.

    A row that names no annotation is a task that nobody has annotated.
    """
    sheet = read_sheet(path, leave=leave)
    columns = [sheet.raw(name) for name in sheet.header]
    for line, *row in zip(sheet.lines, *columns, strict=True):
        cells = {name: _value(text.strip()) for name, text in zip(sheet.header, row) if text.strip()}
        if "annotation_id" in cells:
            yield line, cells
        else:
            data = {key: value for key, value in cells.items() if key not in (*ABOUT, "id")}
            yield line, {"data": data, "annotations": []}


def _value(text: str) -> Any:
    """A cell: JSON where it is some, else the text itself."""
    if text[0] not in "[{":
        return text
    try:
        return parse_json(text, "")
    except ManylabelError:
        return text
