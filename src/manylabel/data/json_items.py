"""JSON of any size: the lists of an object are decoded element by element, none of them is ever whole in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from manylabel.labels import ManylabelError

BLANKS = re.compile(r"[ \t\n\r]*")


class Items:
    """The elements of a list in a JSON text, decoded anew each time they are gone through.

    >>> items = outline('{"images": [{"id": 1}, {"id": 2}], "n": 3}', "a.json")["images"]
    >>> [item["id"] for item in items], items.head(1)
    ([1, 2], [{'id': 1}])
    """

    def __init__(self, text: str, start: int, where: str) -> None:
        self.text, self.start, self.where = text, start, where
        self.end = start  # behind the list, once it was gone through

    def __iter__(self) -> Iterator[Any]:
        text, at = self.text, _blank(self.text, self.start + 1)
        if text[at : at + 1] == "]":
            self.end = at + 1
            return
        decode = _decoder(self.where).scan_once
        while True:
            item, at = _decoded(decode, text, at, self.where)
            yield item
            at = _blank(text, at)
            if text[at : at + 1] == "]":
                self.end = at + 1
                return
            at = _blank(text, _expected(text, at, ",", self.where))

    def head(self, count: int) -> list[Any]:
        """The first elements."""
        return list(islice(self, count))


def outline(text: str, where: str) -> Any:
    """A JSON text whose top is an object, each of the lists directly in it as `Items`; any other text as it is.

    Arguments:
        where: begins the message of an error, which names line and column.

    The text is gone through once, whatever is wrong with it is an error: ManylabelError.
    """
    at = _blank(text, 0)
    if text[at : at + 1] != "{":
        value, at = _decoded(_decoder(where).scan_once, text, at, where)
        _ended(text, at, where)
        return value
    found: dict[str, Any] = {}
    at = _blank(text, at + 1)
    more = text[at : at + 1] != "}"
    while more:
        key, at = _decoded(_decoder(where).scan_once, text, at, where)
        if not isinstance(key, str):
            raise _error(text, at, "Expecting property name enclosed in double quotes", where)
        at = _blank(text, _expected(text, _blank(text, at), ":", where))
        if text[at : at + 1] == "[":
            items = found[key] = Items(text, at, where)
            for _ in items:
                pass
            at = items.end
        else:
            found[key], at = _decoded(_decoder(where).scan_once, text, at, where)
        at = _blank(text, at)
        more = text[at : at + 1] != "}"
        at = _blank(text, _expected(text, at, ",", where)) if more else at
    _ended(text, at + 1, where)
    return found


def _blank(text: str, at: int) -> int:
    match = BLANKS.match(text, at)
    return match.end() if match else at


def _expected(text: str, at: int, sign: str, where: str) -> int:
    if text[at : at + 1] != sign:
        raise _error(text, at, f"Expecting {sign!r} delimiter", where)
    return at + 1


def _ended(text: str, at: int, where: str) -> None:
    if _blank(text, at) != len(text):
        raise _error(text, _blank(text, at), "Extra data", where)


def _decoder(where: str) -> Any:
    def refuse(word: str) -> Any:
        raise ManylabelError(f"{where}: {word} is no JSON value; write null for a number that is not there")

    return json.JSONDecoder(parse_constant=refuse)


def _decoded(decode: Any, text: str, at: int, where: str) -> tuple[Any, int]:
    try:
        return decode(text, at)
    except StopIteration as stop:
        raise _error(text, int(stop.value), "Expecting value", where) from None
    except json.JSONDecodeError as problem:
        raise _error(text, problem.pos, problem.msg, where) from None
    except RecursionError:
        raise ManylabelError(f"{where}: JSON is nested too deeply to be a label file") from None
    except ManylabelError:
        raise
    except ValueError as problem:  # a number of more digits than Python reads
        raise _error(text, at, str(problem).partition(";")[0], where) from None


def _error(text: str, at: int, said: str, where: str) -> ManylabelError:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return ManylabelError(f"{where}, line {line}, column {column}: not valid JSON: {said}")
