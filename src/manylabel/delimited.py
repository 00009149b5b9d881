"""What every reader of delimited text must find out first: its encoding, its delimiter, the column of the images."""

from __future__ import annotations

import codecs
import csv
import io
from itertools import islice
from pathlib import Path

from manylabel.labels import ManylabelError

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
IMAGE = (
    *("image", "image_path", "imagepath", "path", "filepath", "file_path", "filename", "file_name", "file"),
    *("image_name", "imagename", "image_file", "img", "photo", "picture", "image_index", "image_id", "imageid"),
)
"""What the column of the images may be called."""

CHUNK = 1 << 20


def delimiter_of(text: str) -> str:
    """The delimiter under which most of the first hundred rows are as wide as the header, and the header widest.

    >>> delimiter_of("image;cat;dog\\na.jpg;0,5;0,25\\n")
    ';'
    """

    def score(delimiter: str) -> tuple[float, int]:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        widths = [len(row) for row in islice((row for row in rows if any(row)), 100)]
        if not widths or widths[0] < 2:
            return -1.0, 0
        return sum(w == widths[0] for w in widths) / len(widths), widths[0]

    return max(DELIMITERS, key=score)


def encoding_of(path: Path) -> str:
    """The encoding of a text file: that of its mark, else UTF-8 if all of it is, else cp1252 or latin-1.

    Raises ManylabelError for a file that is no text.
    """
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    refuse_binary(path, start)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            if not _decodes(path, encoding):
                raise ManylabelError(f"{path} begins with the mark of {encoding} but is not; save it as UTF-8")
            return encoding
    return next((name for name in ("utf-8", "cp1252") if _decodes(path, name)), "latin-1")


def refuse_binary(path: Path, start: bytes) -> None:
    """An error for a spreadsheet, an archive or any other file that is no text, by its first bytes."""
    if start.startswith(b"PK\x03\x04"):
        raise ManylabelError(f"{path} is a spreadsheet or a zip archive, not text: save it as CSV and give that file")
    if b"\0" in start and MARKS.get(start[:2]) != "utf-16":
        raise ManylabelError(f"{path} is no text: expected a CSV, got bytes of 0 in it; save it as CSV in UTF-8")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
