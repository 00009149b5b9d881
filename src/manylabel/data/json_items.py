"""JSON files of any size: their lists are decoded element by element, and neither they nor the text are held whole."""

from __future__ import annotations

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError

CHUNK = 1 << 20  # bytes read at a time
LONGEST = 1 << 28  # characters of one element; more is a file that is broken at its beginning
BLANKS, COMMA = re.compile(r"[ \t\n\r]*"), re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Place:
    """Where something begins: bytes before it, and its line and column."""

    byte: int
    line: int
    column: int


class Items:
    """The elements of a list in a JSON file, decoded anew each time they are gone through.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.json")
    ...     _ = file.write_text('{"images": [{"id": 1}, {"id": 2}], "n": 3}')
    ...     items = outline(file)["images"]
    ...     print([item["id"] for item in items], items.head(1))
    [1, 2] [{'id': 1}]
    """

    def __init__(self, path: Path, encoding: str, start: Place) -> None:
        self.path, self.encoding, self.start = path, encoding, start

    def __iter__(self) -> Iterator[Any]:
        with _Text(self.path, self.encoding, self.start) as text:
            yield from text.elements()

    def head(self, count: int) -> list[Any]:
        """The first elements."""
        return list(islice(self, count))


def outline(path: Path) -> Any:
    """A JSON file whose top is an object, each of the lists directly in it as `Items`; any other as it is.

    The file is gone through once, whatever is wrong with it is an error: ManylabelError, which names line and column.
    """
    with _opened(path) as text:
        if text.sign() != "{":
            value = text.value()
            text.end()
            return value
        found: dict[str, Any] = {}
        for key in text.members():
            if text.sign() == "[":
                found[key] = Items(path, text.encoding, text.place(text.at))
                text.skip()
            else:
                found[key] = text.value()
        text.end()
        return found


def elements(path: Path, key: str | None = None) -> Iterator[Any]:
    """The elements of the list that a JSON file is, or of the list under `key` of the object that it is, read once.

    Raises ManylabelError, naming line and column, where the file breaks, before or behind the list too, and for NaN
    and Infinity, which JSON has not.
    """
    with _opened(path) as text:
        if key is None:
            yield from text.elements()
            return text.end()
        there = False
        for name in text.members():
            if name == key:
                there = True
                yield from text.elements()
            elif text.sign() == "[":
                text.skip()
            else:
                text.value()
        text.end()
        if not there:
            raise ManylabelError(f"{path}: expected an object with a list of {key}")


def _opened(path: Path) -> _Text:
    encoding, start = encoding_of(path), 0
    if encoding in ("utf-8-sig", "utf-16"):  # the mark is passed over, so that any place can be come back to
        with path.open("rb") as stream:
            mark = stream.read(2)
        encoding, start = WIDE.get(mark, "utf-8"), 2 if mark in WIDE else 3
    text = _Text(path, encoding, Place(start, 1, 1))
    text.at += text.sign() == "\ufeff"
    return text


class _Text:
    """A piece of the text of a file, and where the piece begins."""

    def __init__(self, path: Path, encoding: str, start: Place) -> None:
        self.path, self.encoding, self.start = path, encoding, start
        self.text, self.at, self.ended = "", 0, False
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._scan = json.JSONDecoder(parse_constant=self._refuse).scan_once  # type: ignore[attr-defined]
        self._stream = path.open("rb")
        self._stream.seek(start.byte)

    def __enter__(self) -> _Text:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self._stream.close()

    def place(self, at: int) -> Place:
        """Where a character of the piece stands."""
        done = self.text[:at]
        breaks = done.count("\n")
        column = len(done) - done.rfind("\n") if breaks else self.start.column + len(done)
        return Place(self.start.byte + len(done.encode(self.encoding)), self.start.line + breaks, column)

    def broken(self, at: int, said: str) -> ManylabelError:
        """What is wrong at a character of the piece."""
        place = self.place(at)
        return ManylabelError(f"{self.path}, line {place.line}, column {place.column}: not valid JSON: {said}")

    def _refuse(self, word: str) -> Any:
        place = self.place(self.at)
        raise ManylabelError(
            f"{self.path}, in what begins at line {place.line}, column {place.column}: {word} is no JSON value; write"
            " null for a number that is not there"
        )

    def _more(self) -> None:
        """Let go of what was read and read on; twice as much where one value needs more than there is."""
        self.start = self.place(self.at)
        rest = self.text[self.at :]
        data = self._stream.read(max(CHUNK, len(rest)))
        self.text, self.at, self.ended = rest + self._decoder.decode(data, final=not data), 0, not data

    def sign(self) -> str:
        """Go to the next sign that is no blank, and what it is; "" at the end of the file."""
        while True:
            match = BLANKS.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self._more()

    def expect(self, wanted: str, said: str) -> None:
        """Go past a sign."""
        if self.sign() != wanted:
            raise self.broken(self.at, said)
        self.at += 1

    def end(self) -> None:
        """An error where anything follows."""
        if self.sign():
            raise self.broken(self.at, "expected nothing more behind it")

    def value(self) -> Any:
        """The value that begins at the sign where we are."""
        while True:
            wrong = None
            try:
                value, end = self._scan(self.text, self.at)
            except StopIteration as stop:
                wrong = int(stop.value), "Expecting value"
            except json.JSONDecodeError as problem:
                wrong = problem.pos, problem.msg
            except ManylabelError:
                raise
            except ValueError as problem:  # a number of thousands of digits
                raise self.broken(self.at, str(problem).partition(";")[0]) from None
            except RecursionError:
                raise ManylabelError(f"{self.path}: JSON is nested too deeply to be a label file") from None
            else:
                if end < len(self.text) - 2 or self.ended:  # 0.5 and 1e+5 may go on in what is not read yet
                    self.at = end
                    return value
            if wrong is not None and (self.ended or len(self.text) > LONGEST):
                raise self.broken(*wrong)
            self._more()

    def elements(self) -> Iterator[Any]:
        """The elements of the list that begins where we are."""
        self.expect("[", "expected a list")
        if self.sign() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            match = COMMA.match(self.text, self.at)
            if match is not None and match.end() < len(self.text):
                self.at = match.end()
                continue
            if self.sign() == "]":
                self.at += 1
                return
            self.expect(",", "Expecting ',' delimiter")
            self.sign()

    def skip(self) -> None:
        """Go past the list that begins where we are; all of it is looked at."""
        deque(self.elements(), maxlen=0)

    def members(self) -> Iterator[str]:
        """The keys of the object that begins where we are. Whoever asks goes past the value of each."""
        self.expect("{", "expected an object")
        if self.sign() == "}":
            self.at += 1
            return
        while True:
            if self.sign() != '"':
                raise self.broken(self.at, "Expecting property name enclosed in double quotes")
            key = self.value()
            self.expect(":", "Expecting ':' delimiter")
            self.sign()
            yield key
            if self.sign() == "}":
                self.at += 1
                return
            self.expect(",", "Expecting ',' delimiter")
