"""Files that are whole or not there at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manylabel.labels import ManylabelError


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader, a run killed here or a full disk leaves the old file or the new one."""
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ManylabelError(f"cannot write {path}: {error.strerror}; what was written before is kept") from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Replace a json file in one step, for people to read too."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A draft, a file or folder for the caller to make, that takes the place of `path` (not there yet) at the end.

    After an error neither is left; Ctrl-C keeps what is there by then.
    """
    draft = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield draft
    except Exception:
        shutil.rmtree(draft) if draft.is_dir() else draft.unlink(missing_ok=True)
        raise
    finally:
        if draft.exists():
            draft.replace(path)
