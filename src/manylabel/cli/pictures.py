"""Where the pictures of a report's images are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from manylabel.cli.reading import read, reading_of
from manylabel.labels import ManylabelError


def pictures_of(
    runs: Sequence[Path], ids: Sequence[str], labels: str | None, reading: dict[str, Any]
) -> Callable[[str], bytes | None] | None:
    """Image id -> small JPEG or None: from the label file's images, else a run's, else a file of that very name.

    None where no image file is found at all.
    """
    from manylabel.config import read_toml
    from manylabel.data.images import thumbnail_jpeg

    known: dict[str, Any] = {}
    sources = [(labels, reading)] if labels is not None else []
    for run in runs:
        settings = run / "config.toml"
        if settings.exists():
            trained = read_toml(settings)
            sources.append((trained.get("data", {}).get("path"), reading_of(trained)))
    for path, options in sources:
        if not known and path is not None and Path(path).exists():
            try:
                dataset = read(path, options)
            except ManylabelError as error:  # numbers need no pictures
                typer.echo(f"note: no pictures from {path}: {error}", err=True)
            else:
                known = dict(zip(dataset.labels.ids, dataset.paths))

    if not any(Path(known.get(image, image)).is_file() for image in ids):
        return None

    def picture(image: str) -> bytes | None:
        path = Path(known.get(image, image))
        return thumbnail_jpeg(path, 160) if path.is_file() else None

    return picture
