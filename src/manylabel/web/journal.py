"""A CSV that only grows: a row is one write and on the disk before anybody hears that it is kept."""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manylabel.labels import ManylabelError

try:
    import fcntl
except ImportError:  # Windows: only threads of this server are kept apart
    fcntl = None  # type: ignore[assignment]


class Journal:
    """A file of rows.

    Arguments:
        path: of the CSV; made with its first row.
        columns: of its header.
        what: what kind of file it is, for messages.

    Raises ManylabelError where the file is there with other columns, and where its folder is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(Path(folder, "seen.csv"), ("image", "verdict"), "journal")
    ...     journal.append({"image": "a.jpg", "verdict": "accept"})
    ...     journal.path.read_text(), journal.rows()
    ('image,verdict\\na.jpg,accept\\n', [{'image': 'a.jpg', 'verdict': 'accept'}])
    """

    def __init__(self, path: Path, columns: Sequence[str], what: str) -> None:
        self.path, self.columns, self.what, self._lock = path, tuple(columns), what, threading.Lock()
        self.header = ",".join(columns) + "\n"
        if not path.parent.is_dir():
            raise ManylabelError(f"there is no folder {path.parent} for the {what} {path.name}")
        with path.open("rb") if path.exists() else io.BytesIO() as file:
            self._check(file.read(len(self.header) + 4))

    def append(self, row: Mapping[str, Any]) -> None:
        """One row, by one write, on the disk when this returns; other threads and processes may append too."""
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerow([row[name] for name in self.columns])
        with self._lock:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
            try:
                if fcntl is not None:
                    fcntl.flock(handle, fcntl.LOCK_EX)  # falls with the handle
                _write(handle, (self._before(handle) + buffer.getvalue()).encode("utf-8"))
            finally:
                os.close(handle)

    def rows(self) -> list[dict[str, str]]:
        """All rows; one that was cut off by a full disk or a lost machine is left out."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:  # cut off in a letter
            return [row for row in csv.DictReader(file) if None not in row and None not in row.values()]

    def _before(self, handle: int) -> str:
        """What must stand before a row: the header in an empty file, the end of a line that somebody left open."""
        size = os.fstat(handle).st_size
        if not size:
            return self.header
        os.lseek(handle, 0, os.SEEK_SET)
        self._check(os.read(handle, len(self.header) + 4))
        os.lseek(handle, size - 1, os.SEEK_SET)
        return "" if os.read(handle, 1) in b"\r\n" else self._closing()

    def _closing(self) -> str:
        """What ends a row that was cut off: the quote it opened too, or all that follows would be part of it."""
        return '"\n' if self.path.read_bytes().count(b'"') % 2 else "\n"

    def _check(self, start: bytes) -> None:
        first = start.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
        if first and not (first + b"\n").startswith(self.header.encode()):
            raise ManylabelError(f"{self.path} has other columns; a {self.what} begins with {self.header.strip()}")


def _write(handle: int, row: bytes) -> None:
    """All of a row, on the disk, or nothing of it: who hears of an error must not find it there later."""
    written = os.write(handle, row)
    try:
        if written != len(row):  # a full disk
            raise OSError(f"only {written} of {len(row)} bytes of a row could be written")
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, os.fstat(handle).st_size - written)
        raise
