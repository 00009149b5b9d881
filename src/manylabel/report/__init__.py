"""`report.html`: one self-contained file that shows what a model does, class by class and image by image.

The page opens offline, asks nothing of the network (its content security policy forbids it) and stays below
3 MB: where a large vocabulary or many pictures would break that bound, detail is reduced and the page says so.
"""

from __future__ import annotations

import os
from pathlib import Path

from manylabel.report.inputs import ReportData
from manylabel.report.models import Other
from manylabel.report.page import render

__all__ = ["Other", "ReportData", "render", "write"]


def write(path: str | Path, data: ReportData) -> Path:
    """Write the page of `data` to `path` (UTF-8, below 3 MB), whole or not at all, making its folder.

    >>> import tempfile, types
    >>> import numpy as np
    >>> scored = types.SimpleNamespace(
    ...     ids=np.array(["a.jpg", "b.jpg"]), names=np.array(["cat"]), kind="logit",
    ...     scores=np.array([[2.0], [-1.0]]), labels=np.array([[1], [-1]], np.int8))
    >>> data = ReportData("Cats", scored, {"map": 1.0, "images": 2, "classes": 1, "per_class": []})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = write(Path(folder) / "report.html", data)
    ...     page.name, page.stat().st_size < 3_000_000
    ('report.html', True)
    """
    path = Path(path)
    text = render(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text.encode("utf-8"))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
