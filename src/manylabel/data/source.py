"""A label file or folder before anybody knows its format: its first bytes, its JSON, the files in it."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from manylabel.data.braces import expanded
from manylabel.data.json_items import Items, outline
from manylabel.data.tarred import ENDINGS
from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError, did_you_mean

HEAD = 1 << 16
LARGE = 1 << 25  # bytes of a JSON file above which formats look at its outline alone


class Source:
    """What formats look at to recognise themselves and then read; whatever is costly is done once.

    Arguments:
        path: an existing file or folder, or a pattern of tar archives such as `train-{000..146}.tar`; anything else
            is an error that names the nearest file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.files = _of_pattern(self.path)
        if not self.files and not _there(self.path):
            near = [p.name for p in self.path.parent.iterdir()] if self.path.parent.is_dir() else []
            raise ManylabelError(f"there is no file or folder {self.path}.{did_you_mean(self.path.name, near)}")

    @property
    def is_folder(self) -> bool:
        return self.path.is_dir()

    @property
    def ending(self) -> str:
        """The file's ending in small letters, with its dot; "" for a folder."""
        return "" if self.is_folder else self.path.suffix.lower()

    @property
    def folder(self) -> Path:
        """The folder itself, or that of the file; of a pattern, the folder that all of its files lie below."""
        folder = self.path if self.is_folder else self.path.parent
        while self.files and "{" in str(folder):
            folder = folder.parent
        return folder

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB of a file; nothing for a folder."""
        if self.is_folder:
            return b""
        with (self.files or [self.path])[0].open("rb") as stream:
            return stream.read(HEAD)

    @cached_property
    def inside(self) -> tuple[str, ...]:
        """Names of what lies directly in a folder, sorted, hidden files left out; nothing for a file."""
        if not self.is_folder:
            return ()
        return tuple(sorted(p.name for p in self.path.iterdir() if not p.name.startswith(".")))

    @cached_property
    def looks_json(self) -> bool:
        """Whether a file begins as a JSON object or list does."""
        return self.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")

    @cached_property
    def text(self) -> str:
        """A text file, decoded; an error names the byte that is no text."""
        return self.path.read_text(encoding=encoding_of(self.path))

    @cached_property
    def json(self) -> Any:
        """A JSON file; an error says the line and column at which it breaks."""
        return parse_json(self.text.removeprefix("\ufeff"), str(self.path))

    @cached_property
    def outline(self) -> Any:
        """A JSON file as `json` has it, but the lists directly in its object are decoded one element at a time."""
        return outline(self.path)

    @property
    def top(self) -> dict[str, Any]:
        """The object that a JSON file is, or {} where it is a list, or no JSON at all.

        The lists directly in a large file have their first element only.
        """
        if not self.looks_json or self._is_list:
            return {}
        try:
            if self.path.stat().st_size > LARGE:
                found = self.outline.items()
                return {key: value.head(1) if isinstance(value, Items) else value for key, value in found}
            return self.json if isinstance(self.json, dict) else {}
        except ManylabelError:
            return {}  # whoever reads it says what is wrong; here it is only looked at

    @property
    def _is_list(self) -> bool:
        return self.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["

    @cached_property
    def first(self) -> dict[str, Any]:
        """The first object of a list in a JSON file, or {}; the rest is read only if that object is very long."""
        if not self.looks_json or not self._is_list:
            return {}
        start = self.head.decode("utf-8", "ignore").partition("[")[2].lstrip()
        try:
            found = json.JSONDecoder().raw_decode(start)[0]
        except (ValueError, RecursionError):
            found = self._first_of_all
        return found if isinstance(found, dict) else {}

    @property
    def _first_of_all(self) -> Any:
        try:
            return self.json[0] if isinstance(self.json, list) and self.json else {}
        except ManylabelError:
            return {}


def _there(path: Path) -> bool:
    """Whether a file or folder is there; an error for what is neither, such as a pipe, which can be read only once."""
    try:
        found = path.exists()
    except OSError as problem:  # a name that is too long, or a folder that may not be looked into
        raise ManylabelError(f"{str(path)[:200]} cannot be read: {problem.strerror}") from None
    if path.is_symlink() and not found:
        raise ManylabelError(f"{path} is a link that leads nowhere: to {os.readlink(path)}")
    if found and not (path.is_file() or path.is_dir()):
        raise ManylabelError(f"{path} is neither a file nor a folder: save what it gives to a file first")
    return found


def _of_pattern(path: Path) -> list[Path]:
    """The archives that a path with braces stands for, all of which must exist; nothing for any other path."""
    if "{" not in str(path) or not path.name.lower().endswith(ENDINGS) or path.exists():
        return []
    files = [Path(name) for name in expanded(str(path))]
    if lost := [file for file in files if not file.is_file()]:
        raise ManylabelError(
            f"{path} stands for {len(files):,} archives, of which {len(lost):,} are not there, such as {lost[0]}"
        )
    return files


def parse_json(text: str, where: str) -> Any:
    """JSON without NaN and Infinity; `where` begins the message of an error, which names line and column.

    >>> parse_json('{"a": 1', "labels.json")
    Traceback (most recent call last):
    manylabel.labels.ManylabelError: labels.json, line 1, column 8: not valid JSON: Expecting ',' delimiter
    """

    def refuse(word: str) -> Any:
        raise ManylabelError(f"{where}: {word} is no JSON value; write null for a number that is not there")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as problem:
        raise ManylabelError(
            f"{where}, line {problem.lineno}, column {problem.colno}: not valid JSON: {problem.msg}"
        ) from None
    except RecursionError:
        raise ManylabelError(f"{where}: JSON is nested too deeply to be a label file") from None
    except ManylabelError:
        raise
    except ValueError as problem:  # a number of thousands of digits
        raise ManylabelError(f"{where}: not valid JSON: {str(problem).partition(';')[0]}") from None
