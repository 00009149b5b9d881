"""What the entries of annotation files have in common: numbers, words and boxes that may be anything at all.

Whatever cannot be used is a `Damaged`, whose text says what was expected and what came; the format that reads the entry
adds where it stands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from manylabel.data.beside import Cells
from manylabel.data.collect import EMPTY, Collector
from manylabel.data.dataset import PART_WORDS, Dataset
from manylabel.labels import ABSENT, PRESENT, ManylabelError

Box = tuple[float, float, float, float]
MARGIN = 1.0  # how far beyond the image a box may reach, in images: tools let people draw over the edge


class Damaged(ValueError):
    """An entry that cannot be used; its text says what was expected and what came."""


def shown(value: Any) -> str:
    """A value as a message shows it: short, on one line.

    >>> shown({"a": [1, 2]})
    '{"a": [1, 2]}'
    """
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = f"{text!r}" if isinstance(value, str) else text
    return text if len(text) <= 60 else text[:57] + "..."


def number(value: Any, what: str) -> float:
    """A finite number, also one written as text.

    >>> number("12.5", "xtl")
    12.5
    """
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise Damaged(f"expected a number for {what}, got {shown(value)}")
    return found


def word(value: Any, what: str) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise Damaged(f"expected text for {what}, got {shown(value)}")
    return value.strip()


def listed(value: Any, what: str) -> list[Any]:
    """A list; nothing where there is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Damaged(f"expected a list for {what}, got {shown(value)}")
    return value


def keyed(value: Any, what: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise Damaged(f"expected an object for {what}, got {shown(value)}")
    return value


def box(x: float, y: float, width: float, height: float) -> Box:
    """Shares of the image as they are; a box of negative size, or far outside the image, is damaged.

    >>> box(-0.01, 0.5, 0.2, 0.5)
    (-0.01, 0.5, 0.2, 0.5)
    """
    inside = min(x, y) >= -MARGIN and max(x + width, y + height) <= 1 + MARGIN
    if width < 0 or height < 0 or not inside:
        raise Damaged(
            f"expected a box in the image, got x {x:g}, y {y:g}, width {width:g}, height {height:g} in shares of it"
        )
    return x, y, width, height


def hull(points: Iterable[tuple[float, float]]) -> Box:
    """The box around points, in shares of the image.

    >>> hull([(0.5, 0.25), (0.75, 0.5), (0.5, 1.0)])
    (0.5, 0.25, 0.25, 0.75)
    """
    xs, ys = zip(*points, strict=True)
    return box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def turned(corner: Box, degrees: float, centre: tuple[float, float], aspect: float = 1.0) -> Box:
    """The box around a box turned clockwise about `centre`.

    Arguments:
        corner: x, y, width and height in shares of the image.
        aspect: height of the image by its width: a turn keeps lengths in pixels, not in shares.

    >>> [round(v, 6) for v in turned((0.25, 0.25, 0.5, 0.25), 90, (0.25, 0.25))]
    [0.0, 0.25, 0.25, 0.5]
    """
    x, y, width, height = corner
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    found = []
    for px, py in ((x, y), (x + width, y), (x, y + height), (x + width, y + height)):
        dx, dy = px - centre[0], (py - centre[1]) * aspect
        found.append((centre[0] + dx * cosine - dy * sine, centre[1] + (dx * sine + dy * cosine) / aspect))
    return hull(found)


def clean(words: Iterable[str]) -> list[str]:
    """Marks of a box without the sign that separates them, each once."""
    return [one for one in dict.fromkeys(text.replace("|", "/").strip() for text in words) if one]


class entry:  # with a small letter, as what `contextmanager` makes: that takes four times as long
    """What happens inside concerns one entry: if it is damaged it is left out, or ends the reading.

    Arguments:
        row: the image whose label it is: what that image does not list is then unknown, no longer absent.
    """

    __slots__ = ("found", "kind", "row", "where")

    def __init__(self, found: Collector, where: str, row: int | None = None, kind: str = "labels left out") -> None:
        self.found, self.where, self.row, self.kind = found, where, row, kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> bool:
        if not isinstance(problem, Damaged):
            return False
        self.found.mistake(self.kind, self.where, str(problem))
        if self.row is not None:
            self.found.unsure(self.row)
        return True


def part_of(text: str) -> str:
    """The part that a word names, or ""."""
    return PART_WORDS.get(text.strip().lower(), "")


def open_image(
    found: Collector, name: str, where: str, *, line: int, part: str = "", columns: Mapping[str, str] = EMPTY
) -> int | None:
    """The row of an image; None where it has no name. An image in two parts stays in its first; both are said."""
    if not name.strip():
        found.mistake("images left out", where, "expected the name of an image file, got nothing")
        return None
    try:
        return found.image(name, line=line, part=part, columns=columns)
    except ManylabelError as problem:
        found.mistake("images kept in their first part", where, str(problem).partition(": ")[2])
        return found.image(name, line=line, columns=columns)


def boxes_by_row(dataset: Dataset) -> dict[int, list[tuple[int, list[float], list[str]]]]:
    """(class, shares, marks) of the boxes of each image, those only whose class is present there and that are boxes."""
    found: dict[int, list[tuple[int, list[float], list[str]]]] = {}
    cells = dataset.beside.boxes or Cells(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    words = cells.words or ("",) * len(cells)
    there = is_present(dataset, cells)
    for row, c, shares, text, present in zip(
        cells.rows.tolist(), cells.columns.tolist(), cells.values.tolist(), words, there, strict=True
    ):
        if present and _usable(shares):
            found.setdefault(row, []).append((c, shares, text.split("|") if text else []))
    return found


def is_present(dataset: Dataset, cells: Cells) -> list[bool]:
    """Whether the class of each fact is present in its image."""
    table = dataset.labels
    if table.is_sparse:
        return (table.sparse.state(cells.rows, cells.columns) == PRESENT).tolist()
    return (table.state[cells.rows, cells.columns] == PRESENT).tolist()


def _usable(shares: Sequence[float]) -> bool:
    try:
        box(*(number(value, "box") for value in shares))
    except (Damaged, TypeError):
        return False
    return True


def is_judged(dataset: Dataset, row: int) -> bool:
    """Whether anybody judged an image: it is not marked as not reviewed, and some cell of it is known."""
    seen = dataset.beside.reviewed
    if seen is not None and not seen[row]:
        return False
    table = dataset.labels
    if table.is_sparse:
        own = table.sparse.states[table.sparse.starts[row] : table.sparse.starts[row + 1]]
        return table.sparse.default == ABSENT or bool((own != 0).any())
    return bool((table.state[row] != 0).any())
