"""ARFF, the table of Weka: attributes with their types, then rows, dense or sparse; a row at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError, did_you_mean

QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
CELL = re.compile(rf"\s*({QUOTED}|[^,'\"{{}}]*?)\s*(,|$)")
PAIR = re.compile(rf"\s*(\d+)\s+({QUOTED}|[^,'\"{{}}\s]+)\s*(,|$)")
NAME = re.compile(rf"({QUOTED}|[^\s{{'\"]+)\s*(.*)")
WEIGHT = re.compile(r",?\s*\{\s*[-+.\deE]+\s*\}\s*$")
ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
NUMBERS = ("numeric", "real", "integer")
Row = dict[int, str | None]


class Listed(Row):
    """A sparse row: the cells it lists, and for every other column what leaving it out means.

    >>> row = Listed({1: "1"}, {0: "0", 1: "0", 2: "a"})
    >>> row[0], row[1], row[2], list(row)
    ('0', '1', 'a', [1])
    """

    def __init__(self, cells: Row, unwritten: Row) -> None:
        super().__init__(cells)
        self.unwritten = unwritten

    def __missing__(self, column: int) -> str | None:
        return self.unwritten[column]


@dataclass(frozen=True)
class Attribute:
    """A column: its kind is number, nominal, string or date; `values` are those of a nominal one."""

    name: str
    kind: str
    values: tuple[str, ...] = ()

    @property
    def unwritten(self) -> str:
        """What a sparse row means where it does not list the column: 0, or the first value."""
        return "0" if self.kind == "number" else self.values[0] if self.values else ""


@dataclass(frozen=True)
class Arff:
    """The part before the rows; `first` is the line of `@data`."""

    path: Path
    relation: str
    attributes: tuple[Attribute, ...]
    first: int
    encoding: str


def read_head(path: Path) -> Arff:
    """The relation and its attributes; an error names the line."""
    relation, attributes, encoding = "", list[Attribute](), encoding_of(path)
    with path.open(encoding=encoding) as stream:
        for line, text in enumerate(stream, 1):
            text = text.removeprefix("\ufeff").strip()
            if not text or text.startswith("%"):
                continue
            where, (word, _, rest) = f"{path}, line {line}", re.sub(r"\s+", " ", text, count=1).partition(" ")
            if word.lower() == "@relation":
                relation = unquoted(rest.strip())
            elif word.lower() == "@attribute":
                attributes.append(_attribute(rest.strip(), where))
            elif word.lower() == "@data":
                _refuse_twins(path, attributes)
                return Arff(path, relation, tuple(attributes), line, encoding)
            else:
                near = did_you_mean(word.lower(), ("@relation", "@attribute", "@data"))
                raise ManylabelError(f"{where}: expected @relation, @attribute or @data, got {text[:40]!r}.{near}")
    raise ManylabelError(
        f"{path}: expected a line @data and the rows below it, got {len(attributes)} attributes and none"
    )


def _refuse_twins(path: Path, attributes: list[Attribute]) -> None:
    seen: set[str] = set()
    for one in attributes:
        if one.name in seen:
            raise ManylabelError(f"{path}: two attributes are named {one.name!r}; rename or remove one")
        seen.add(one.name)


def _attribute(text: str, where: str) -> Attribute:
    found = NAME.fullmatch(text)
    if not found or not unquoted(found[1]).strip():
        raise ManylabelError(f"{where}: expected @attribute NAME TYPE, got {text[:40]!r}")
    name, kind = unquoted(found[1]).strip(), found[2].strip()
    word = kind.split(None, 1)[0].lower() if kind else ""
    if kind.startswith("{") and kind.endswith("}"):
        values = [cell or "?" for cell in cells(kind[1:-1], where)]
        if len(set(values)) < len(values):
            raise ManylabelError(f"{where}: attribute {name!r} lists a value twice")
        return Attribute(name, "nominal", tuple(values))
    if word in NUMBERS:
        return Attribute(name, "number")
    if word in ("string", "date"):
        return Attribute(name, word)
    near = did_you_mean(word, (*NUMBERS, "string", "date"))
    raise ManylabelError(
        f"{where}: attribute {name!r}: expected numeric, string, date or {{0,1}}, got {kind[:40]!r}.{near}"
    )


def rows(head: Arff) -> Iterator[tuple[int, Row | str, bool]]:
    """(line, {column: cell, None where it is missing} or what is wrong, whether it is weighted) of every row.

    A sparse row is `Listed`.
    """
    unwritten: Row = {k: one.unwritten for k, one in enumerate(head.attributes)}
    with head.path.open(encoding=head.encoding) as stream:
        for line, text in enumerate(stream, 1):
            text = text.strip()
            if line <= head.first or not text or text.startswith("%"):
                continue
            weighted = text.endswith("}") and (text.count("{") > 1 or not text.startswith("{"))
            text = WEIGHT.sub("", text) if weighted else text
            try:
                yield line, _row(text, unwritten), weighted
            except ManylabelError as problem:
                yield line, str(problem), weighted


def _row(text: str, unwritten: Row) -> Row:
    if text.startswith("{"):
        if not text.endswith("}"):
            raise ManylabelError("expected } at the end of a sparse row")
        return Listed(_pairs(text[1:-1], len(unwritten)), unwritten)
    found = cells(text, "")
    if len(found) != len(unwritten):
        raise ManylabelError(f"expected {len(unwritten)} values, got {len(found)}")
    return dict(enumerate(found))


def _pairs(text: str, width: int) -> Row:
    found: Row = {}
    place = 0
    while text[place:].strip():
        match = PAIR.match(text, place)
        if match is None or int(match[1]) >= width or int(match[1]) in found:
            got = text[place : place + 40].strip()
            raise ManylabelError(f"expected pairs such as 3 1, each column once and below {width}, got {got!r}")
        found[int(match[1])] = None if match[2] == "?" else unquoted(match[2])
        place = match.end()
    return found


def cells(text: str, where: str) -> list[str | None]:
    """The values of a row, unquoted; None for ?.

    >>> cells("1, 'a, b', ?", "")
    ['1', 'a, b', None]
    """
    if "'" not in text and '"' not in text and "{" not in text and "}" not in text:
        plain = [one.strip() for one in text.split(",")]
        return [None if one == "?" else one for one in plain]
    found, place, more = list[str | None](), 0, True
    while more:
        match = CELL.match(text, place)
        if match is None:
            lead = f"{where}: " if where else ""
            raise ManylabelError(
                f"{lead}expected values separated by commas, quotes closed, got {text[place : place + 40]!r}"
            )
        found.append(None if match[1] == "?" else unquoted(match[1]))
        place, more = match.end(), match[2] == ","
    return found


def unquoted(text: str) -> str:
    """A value without its quotes and backslashes."""
    if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
        return text
    return re.sub(r"\\(.)", lambda found: ESCAPED.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)


def quoted(text: str) -> str:
    r"""A value as ARFF writes it where it may hold anything.

    >>> quoted("it's")
    "'it\\'s'"
    """
    for mark, word in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(mark, word)
    return f"'{text}'"
