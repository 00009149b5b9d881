"""The elements of a long list in a JSON file, one after the other: a file of a million tasks need not be held whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError

CHUNK = 1 << 20  # characters read at a time
CHUNK_OF_HEAD = 1 << 16  # characters within which the list must begin
BLANK = re.compile(r"[ \t\n\r]*")
LONGEST = 1 << 28  # characters of one element; more is a file that is broken at its beginning


def elements(path: Path, before: str = r"\[", after: str = "") -> Iterator[Any]:
    r"""The elements of the list that opens a JSON file.

    Arguments:
        before: what the file begins with, up to the bracket of the list: r'\{\s*"samples"\s*:\s*\[' for a list in an
            object.
        after: what follows the list: "}" there. Anything else is an error.

    Raises ManylabelError, naming line and column, where the file breaks, and for NaN and Infinity, which JSON has not.
    """
    try:
        with path.open(encoding=encoding_of(path)) as stream:
            yield from _Elements(path, stream, before).read(after)
    except UnicodeError as problem:
        raise ManylabelError(f"{path}: not text in one encoding: {problem}") from None


class _Elements:
    """A piece of the text, and how many lines and characters lie before it."""

    def __init__(self, path: Path, stream: TextIO, before: str) -> None:
        self.path, self.stream, self.before = path, stream, before
        self.text, self.at, self.lines, self.column, self.ended = "", 0, 1, 1, False
        self.decoder = json.JSONDecoder(parse_constant=self._refuse)

    def read(self, after: str) -> Iterator[Any]:
        """The elements, up to the end of the file."""
        self._open()
        sign = self._next()
        while sign != "]":
            yield self._element()
            sign = self._next()
            if sign not in (",", "]"):
                self._broken(self.at, "Expecting ',' delimiter")
            self.at += sign == ","
        for wanted in ("]", *after, ""):
            if self._next() != wanted:
                self._broken(self.at, f"expected {wanted or 'nothing more'} after the list")
            self.at += 1

    def _open(self) -> None:
        match = None
        while match is None and not self.ended and len(self.text) < CHUNK_OF_HEAD:
            self._more()
            match = re.match(rf"\ufeff?\s*{self.before}", self.text)
        if match is None:
            self._broken(0, "expected a list of objects")
            return
        self.at = match.end()

    def _more(self) -> None:
        """Let go of what was read and read on; twice as much where one element needs more than there is."""
        done = self.text[: self.at]
        if breaks := done.count("\n"):
            self.lines, self.column = self.lines + breaks, len(done) - done.rfind("\n")
        else:
            self.column += len(done)
        rest = self.text[self.at :]
        chunk = self.stream.read(max(CHUNK, len(rest)))
        self.text, self.at, self.ended = rest + chunk, 0, not chunk

    def _next(self) -> str:
        """The next sign that is no blank; "" at the end of the file."""
        while True:
            match = BLANK.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self._more()

    def _element(self) -> Any:
        while True:
            self._next()
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
                if end < len(self.text) - 2 or self.ended:  # 0.5 and 1e+5 may go on in what is not read yet
                    self.at = end
                    return value
            except json.JSONDecodeError as problem:
                if self.ended or len(self.text) > LONGEST:
                    self._broken(problem.pos, problem.msg)
            except ManylabelError:
                raise
            except ValueError as problem:  # a number of thousands of digits
                self._broken(self.at, str(problem).partition(";")[0])
            except RecursionError:
                raise ManylabelError(f"{self.path}: JSON is nested too deeply to be a label file") from None
            self._more()

    def _refuse(self, word: str) -> Any:
        line, column = self._place(self.at)
        raise ManylabelError(
            f"{self.path}, in what begins at line {line}, column {column}: {word} is no JSON value; write null"
        )

    def _place(self, at: int) -> tuple[int, int]:
        done = self.text[:at]
        breaks = done.count("\n")
        return self.lines + breaks, len(done) - done.rfind("\n") if breaks else self.column + len(done)

    def _broken(self, at: int, said: str) -> None:
        line, column = self._place(at)
        raise ManylabelError(f"{self.path}, line {line}, column {column}: not valid JSON: {said}")
