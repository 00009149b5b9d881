"""Verdicts on labels, appended to a CSV with all that says where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from manylabel.web.journal import Journal

COLUMNS = ("image", "label", "verdict", "probability", "sha256", "model", "time", "source")
HEADER = ",".join(COLUMNS) + "\n"


class Review:
    """A review file.

    Arguments:
        path: of the CSV; made with its first row.
        model: whose labels are judged.

    Raises ManylabelError where the file is there with other columns.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     review = Review(Path(folder, "review.csv"), "pets")
    ...     review.append({"image": "a.jpg", "label": "cat", "verdict": "up", "probability": 0.9, "sha256": "0" * 64})
    ...     review.path.read_text().splitlines()[0]
    'image,label,verdict,probability,sha256,model,time,source'
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path, self.model = path, model
        self.journal = Journal(path, COLUMNS, "review file")
        self.source = f"manylabel serve {metadata.version('manylabel')}"

    def append(self, verdict: Mapping[str, Any]) -> None:
        """One row, by one write, on the disk when this returns; other threads and processes may append too."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.journal.append({**verdict, "model": self.model, "source": self.source, "time": time})
