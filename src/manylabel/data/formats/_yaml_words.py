"""Values of one line of YAML: words, words in quotation marks, and lists and objects in brackets."""

from __future__ import annotations

import json
import re
from typing import Any

DEEP = 20  # levels; a label file has three
PLAIN = re.compile(r"[^,\[\]{}]*")
QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""", re.S)
ESCAPES = {
    "0": "\0",
    "a": "\a",
    "e": "\x1b",
    "v": "\v",
    " ": " ",
    "_": "\u00a0",
    "N": "\x85",
    "L": "\u2028",
    "P": "\u2029",
}


class Refused(ValueError):
    """YAML that is not read here: (line from 1, what is wrong with it)."""


def null(text: str) -> str:
    return "" if text in ("~", "null", "Null", "NULL") else text


def put(found: dict[str, Any], key: Any, value: Any, line: int) -> None:
    if not isinstance(key, str) or key == "<<":
        raise Refused(line, "YAML with merge keys or keys that are no plain words is not read; write it out")
    if key in found:
        raise Refused(line, f"the key {key!r} stands here for the second time; remove one of the two")
    found[key] = value


def _blank(text: str, at: int) -> int:
    while text[at] in " \t":
        at += 1
    return at


def flow_value(text: str, at: int, depth: int, line: int) -> tuple[Any, int]:
    """(value, where it ends); an IndexError where it does not."""
    at = _blank(text, at)
    if depth > DEEP:
        raise Refused(line, "YAML is nested too deeply to be a label file")
    if text[at] == "[":
        return _flow_list(text, at + 1, depth, line)
    if text[at] == "{":
        return _flow_object(text, at + 1, depth, line)
    if text[at] in "\"'":
        match = QUOTED.match(text, at)
        if match is None:
            raise IndexError
        return scalar(match[0], line), match.end()
    match = PLAIN.match(text, at)
    assert match is not None
    if match.end() == len(text):
        raise IndexError
    return scalar(match[0].strip(" \t"), line), match.end()


def _flow_list(text: str, at: int, depth: int, line: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while True:
        at = _blank(text, at)
        if text[at] == "]":
            return found, at + 1
        if text[at] == ",":
            raise Refused(line, "not valid YAML: nothing stands before a comma")
        value, at = flow_value(text, at, depth + 1, line)
        if isinstance(value, str) and re.search(r":([ \t]|$)", value) and text[at - 1] not in "\"'":
            raise Refused(line, f"an object inside a list needs braces: {value!r}")
        found.append(value)
        at = _next(text, at, "]", line)


def _flow_object(text: str, at: int, depth: int, line: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while True:
        at = _blank(text, at)
        if text[at] == "}":
            return found, at + 1
        quoted = QUOTED.match(text, at)
        key = quoted or re.compile(r"[^,\[\]{}:]+").match(text, at)
        if key is None:
            raise Refused(line, f"expected a key, got {text[at : at + 20]!r}")
        at = _blank(text, key.end())
        if text[at] != ":":
            raise Refused(line, f"expected a colon after the key {key[0]!r}")
        value, at = flow_value(text, at + 1, depth + 1, line)
        put(found, scalar(key[0].strip(" \t"), line), value, line)
        at = _next(text, at, "}", line)


def _next(text: str, at: int, closing: str, line: int) -> int:
    at = _blank(text, at)
    if text[at] == ",":
        return at + 1
    if text[at] != closing:
        raise Refused(line, f"expected a comma or {closing}, got {text[at : at + 20]!r}")
    return at


def scalar(text: str, line: int) -> str:
    """A word as text: without its quotation marks, empty for null."""
    if text[:1] == "'" and text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text[:1] == '"' and text[-1:] == '"' and len(text) > 1:
        return _unescaped(text, line)
    if text[:1] in ("&", "*", "!"):
        raise Refused(line, "YAML with anchors, aliases or tags is not read; write it out")
    if text[:1] in ("%", "@", "`", "?", "|", ">", "'", '"') and (text[:1] != "?" or text[1:2] in ("", " ")):
        raise Refused(line, f"not valid YAML: a word cannot begin with {text[0]}; put it in quotation marks")
    if text[:2] == "- " or re.search(r":([ \t]|$)", text):
        raise Refused(line, "not valid YAML: mapping values are not allowed here")
    return null(text)


def _unescaped(text: str, line: int) -> str:
    def meant(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        return ESCAPES[code] if code in ESCAPES else str(json.loads(f'"\\{code}"'))

    try:
        return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", meant, text[1:-1])
    except (ValueError, OverflowError):
        raise Refused(line, f"this text in quotation marks is not understood: {text[:40]}") from None
