"""The narrow layout: one column holds the list of an image's labels."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import tidy
from manylabel.data.sheet import Sheet
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

SEPARATORS = {"|": "bar", ";": "semicolon", ",": "comma", " ": "space"}
LIST = re.compile(r"""\[\s*(?:'[^']*'|"[^"]*")(\s*,\s*(?:'[^']*'|"[^"]*"))*\s*\]""")
NOT_JUDGED = ("?", "nan")
NOTHING_WORDS = ("none", "null", "na", "n/a", "nothing", "no label", "no labels")


@dataclass
class Lists:
    """What the labels column says: a list of names per row, and which rows say that nobody judged them."""

    names: list[list[str]]
    unjudged: NDArray[np.bool_]
    notes: list[str]

    @property
    def one_each(self) -> bool:
        """Whether no row lists more than one label, as in a file with one line per (image, label)."""
        return max(map(len, self.names), default=0) <= 1

    @property
    def classes(self) -> tuple[str, ...]:
        """Every name listed, sorted."""
        return tuple(sorted({name for row in self.names for name in row}))


def read_lists(sheet: Sheet, column: str, *, separator: str | None) -> Lists:
    """Split the cells of the labels column into names; the separator is found, unless given, and noted."""
    cells = sheet.cells(column)
    unjudged = np.array([cell.lower() in NOT_JUDGED for cell in cells], dtype=bool)
    full = ["" if skip else cell for cell, skip in zip(cells, unjudged)]
    if separator is None and _bracketed(sheet, column, full):
        raw = [_listed(sheet, column, r, cell) for r, cell in enumerate(full)]
        notes = ["Labels are written as lists: ['a', 'b']."]
    else:
        found, notes = find_separator(full) if separator is None else (separator, [_asked(separator)])
        raw = [cell.split(found) if found else [cell] for cell in full]
        if separator is None and found:
            _refuse_mixture(sheet, column, raw, found)
    names = [list(dict.fromkeys(filter(None, map(tidy, parts)))) for parts in raw]
    return Lists(names, unjudged, notes + _repairs(raw, names, unjudged))


def find_separator(cells: Sequence[str]) -> tuple[str | None, list[str]]:
    """The first of | ; , found in any cell; else the space where cells recombine the same words; else none.

    >>> find_separator(["cat|hot dog", "cat"])
    ('|', ["Labels are separated by '|' (bar), found in 1 of 2 rows."])
    >>> find_separator(["traffic light", "stop sign"])[0] is None
    True
    """
    for separator in "|;,":
        rows = sum(separator in cell for cell in cells)
        if rows:
            return separator, [
                f"Labels are separated by {_called(separator)}, found in {rows:,} of {len(cells):,} rows."
            ]
    spaced = {cell for cell in cells if " " in cell}
    if not spaced:
        return None, ["No separator is found: each row lists one label at most."]
    whole, words = set(filter(None, cells)), {word for cell in cells for word in cell.split()}
    if len(whole) > len(words):
        return " ", [
            f"Labels are separated by {_called(' ')}: {len(words):,} words make up {len(whole):,} different"
            " cells. If names hold blanks, give --separator '|' (Python: separator='|')."
        ]
    return None, [
        f"Each row is read as one label, blanks included (such as {min(spaced)!r}): {len(whole):,} different"
        f" cells of {len(words):,} words. If the blank separates labels, give"
        " --separator ' ' (Python: separator=' ')."
    ]


def table_of(lists: Lists, names: Sequence[str], *, unlisted: int) -> NDArray[np.int8]:
    """(N, C) state: listed present, unlisted `unlisted`, rows nobody judged unknown."""
    column = {name: c for c, name in enumerate(names)}
    state = np.full((len(lists.names), len(names)), unlisted, np.int8)
    state[lists.unjudged] = UNKNOWN
    rows = [r for r, row in enumerate(lists.names) for _ in row]
    state[rows, [column[name] for row in lists.names for name in row]] = PRESENT
    return state


def judge(state: NDArray[np.int8], unjudged: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Unknown cells of images that were judged become absent: joined, the rows of an image list all."""
    return np.where((state == UNKNOWN) & ~unjudged[:, None], ABSENT, state).astype(np.int8)


def _asked(separator: str) -> str:
    if not separator:
        raise ManylabelError("--separator (Python: separator) is a text such as '|', got an empty one")
    return f"Labels are separated by {_called(separator)}, as asked."


def _called(separator: str) -> str:
    return f"{separator!r}" + (f" ({SEPARATORS[separator]})" if separator in SEPARATORS else "")


def _bracketed(sheet: Sheet, column: str, cells: Sequence[str]) -> bool:
    """Whether labels are written as lists; an error where some cells are lists of text and some are not."""
    full = [(row, cell) for row, cell in enumerate(cells) if cell]
    other = [row for row, cell in full if not (cell[0] == "[" and cell[-1] == "]")]
    if full and other and any(LIST.fullmatch(cell) for _, cell in full):
        raise ManylabelError(
            f"{sheet.at(other[0], column)}: other cells hold lists such as ['cat', 'dog'], this one does not: got"
            f" {cells[other[0]][:60]!r}; write all as lists, or none (--separator)"
        )
    return bool(full) and not other


def _listed(sheet: Sheet, column: str, row: int, cell: str) -> list[str]:
    try:
        value = ast.literal_eval(cell) if cell else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two of brackets nested a thousand deep
        value = None
    if not isinstance(value, list) or not all(isinstance(part, str | int) for part in value):
        raise ManylabelError(f"{sheet.at(row, column)}: expected a list such as ['cat', 'dog'], got {cell[:80]!r}")
    return [str(part) for part in value]


def _refuse_mixture(sheet: Sheet, column: str, raw: list[list[str]], separator: str) -> None:
    """A name that another separator would split into names of this file is two labels, not one."""
    known = {tidy(name) for parts in raw for name in parts}
    for name in sorted(known):
        for other in "|;,":
            parts = [tidy(part) for part in name.split(other)]
            if other != separator and len(parts) > 1 and known.issuperset(parts):
                row = next(r for r, cell in enumerate(raw) if name in map(tidy, cell))
                raise ManylabelError(
                    f"{sheet.at(row, column)}: labels are separated by {_called(separator)} in this file, and"
                    f" {name!r} reads as {len(parts)} known labels separated by {_called(other)}. Write"
                    f" {separator.join(parts)!r}, or give --separator {separator!r} (Python:"
                    f" separator={separator!r}) to keep it as one name"
                )


def _repairs(raw: list[list[str]], names: list[list[str]], unjudged: NDArray[np.bool_]) -> list[str]:
    notes = []
    odd = [p for parts in raw for p in parts if p.strip() and tidy(p) != p]
    if odd:
        notes.append(f"Blanks around names removed in {len(odd):,} places, such as {odd[0]!r}.")
    twice = sum(sum(1 for p in parts if p.strip()) > len(kept) for parts, kept in zip(raw, names))
    if twice:
        notes.append(f"{twice:,} rows list one label twice; it counts once.")
    if unjudged.any():
        notes.append(f"{int(unjudged.sum()):,} rows hold ? or nan: nobody judged them, all their labels are unknown.")
    counts = Counter(name for row in names for name in row)
    for name in counts:
        if name.lower() in NOTHING_WORDS:
            notes.append(
                f"{name!r} is read as a class ({counts[name]:,} rows). If it means that the image shows"
                " nothing, leave the cell empty."
            )
    return notes
