"""What a reader meets, entry by entry, joined to a `Dataset`: one row an image, contradictions settled and said."""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data import repeats
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import PART_WORDS, Dataset, tidy
from manylabel.data.files import Files
from manylabel.data.listed import table_of
from manylabel.data.locate import locate
from manylabel.data.near_names import same_but_case
from manylabel.data.packed import Each, Facts, extend, whole
from manylabel.data.reading import Reading
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean

PIXELS = 1 << 31  # no image is as wide
EMPTY: Mapping[str, str] = MappingProxyType({})
TOLD = 3  # examples of each kind of mistake


class Collector:
    """Rows and marks as a reader meets them.

    Arguments:
        source: the file or folder that is read.
        kind: the name of its format.
        reading: the user's choices.
        unit: what the lines of `image` count.

    >>> found = Collector(Path("labels.json"), "coco", Reading())
    >>> row = found.image("a.jpg", line=1)
    >>> found.mark(row, "cat", PRESENT)
    >>> found.classes("dog")
    >>> found.dataset().labels.values.tolist()
    [[1.0, 0.0]]
    """

    def __init__(self, source: Path, kind: str, reading: Reading, unit: str = "image") -> None:
        self.source, self.kind, self.reading, self.unit = source, kind, reading, unit
        self.notes: list[str] = []
        self.parents: list[tuple[str, str]] = []
        self.aliases: dict[str, str] = {}
        self.provenance: list[str] = []
        self._names: dict[str, int] = {}
        self._ids: dict[str, int] = {}
        self._files: list[str] = []
        self._lines = array("q")
        self._parts: list[str] = []
        self._columns: dict[str, dict[int, str]] = {}
        self._marks = array("i"), array("i"), array("b")
        self._soft, self._votes = Facts("d", None), Facts("q", 2)
        self._boxes, self._candidates = Facts("d", 4), Facts("b", 0)
        self._annotators: dict[str, int] = {}
        self._reviewed = Each("b", 1, fill=1)
        self._unsure = array("i")
        self._sizes = Each("i", 2)
        self._repeated = 0
        self._mistakes: dict[str, list[str]] = {}

    def image(
        self, name: str, *, line: int = 0, part: str = "", file: str | Path = "", columns: Mapping[str, str] = EMPTY
    ) -> int:
        """The row of an image, a new one where it has not been seen.

        Arguments:
            name: its identifier, by convention its path as the file writes it.
            line: where the entry stands, counted from 1.
            part: train, val or test in any usual spelling, or "".
            file: its absolute path, where that does not follow from the name.
            columns: further text of it, by the name of the column.
        """
        name = name.strip()
        if not name:
            raise ManylabelError(f"{self.at(line)}: expected the name of an image file, got nothing")
        row = self._ids.setdefault(name, len(self._ids))
        if row == len(self._lines):
            self._files.append(str(file))
            self._lines.append(line)
            self._parts.append("")
        else:
            self._repeated += 1
        self._part(row, part, line)
        for column, text in columns.items():
            known = self._columns.setdefault(column, {})
            both = dict.fromkeys((*known[row].split("|"), text)) if known.get(row) else {text: None}
            known[row] = "|".join(word for word in both if word)
        return row

    def _part(self, row: int, part: str, line: int) -> None:
        word = PART_WORDS.get(part.strip().lower(), "") if part else ""
        if part.strip() and not word:
            raise ManylabelError(
                f"{self.at(line)}: expected train, val, test or nothing as the part, got {part!r}."
                f"{did_you_mean(part.lower(), PART_WORDS)}"
            )
        if word and self._parts[row] not in ("", word):
            name = next(itertools.islice(self._ids, row, None))
            raise ManylabelError(
                f"{self.at(line)}: {name!r} is in {self._parts[row]} and {word} at once; an image belongs to one part"
            )
        self._parts[row] = word or self._parts[row]

    def at(self, line: int) -> str:
        """Where an entry stands, to begin a message with."""
        return f"{self.source}, {self.unit} {line}" if line else str(self.source)

    @property
    def ids(self) -> list[str]:
        """The images so far, in the order of their rows."""
        return list(self._ids)

    def classes(self, *names: str) -> None:
        """Class names in their order; those never marked are classes too."""
        for name in names:
            self.column(name)

    def column(self, name: str) -> int:
        """The number of a class, a new one where the name has not been seen; blanks around it do not count."""
        known = self._names.get(name)
        if known is not None:
            return known
        if not name.strip():
            raise ManylabelError(f"{self.source}: a class has no name")
        return self._names.setdefault(tidy(name), len(self._names))

    def mark(self, row: int, name: str, state: int) -> None:
        """Say that a class is present in, absent from or unknown in an image."""
        rows, columns, states = self._marks
        column = self.column(name)
        rows.append(row)
        columns.append(column)
        states.append(state)

    def mark_all(self, rows: NDArray[np.int64], columns: NDArray[np.int64], state: int) -> None:
        """`mark` of many cells at once, classes by their numbers."""
        for store, numbers in zip(self._marks, (rows, columns, np.full(len(rows), state))):
            extend(store, numbers)

    def soft(self, row: int, name: str, value: float) -> None:
        """Say how likely a class is, in [0, 1]."""
        if not 0 <= value <= 1:
            raise ManylabelError(f"{self.at(self._lines[row])}: expected a value in [0, 1] for {name!r}, got {value}")
        self._soft.add(row, self.column(name), (value,))

    def candidate(self, row: int, name: str) -> None:
        """Say that a class is one of those of which at least one is there."""
        self._candidates.add(row, self.column(name), ())

    def vote(self, row: int, name: str, annotator: str, state: int) -> None:
        """Say what one annotator thinks; what the table holds is said by `mark`."""
        who = self._annotators.setdefault(annotator, len(self._annotators))
        self._votes.add(row, self.column(name), (who, state))

    def box(self, row: int, name: str, shares: Sequence[float], words: Iterable[str] = ()) -> None:
        """Say where an object is: x, y, width and height as shares of the image; its class is not marked by this."""
        x, y, width, height = map(float, shares)  # all is looked at before any of it is kept
        self._boxes.add(row, self.column(name), (x, y, width, height), "|".join(words))

    def box_all(self, boxes: Cells) -> None:
        """`box` of many objects at once, classes by their numbers."""
        self._boxes.add_all(boxes)

    def reviewed(self, row: int, seen: bool) -> None:
        """Say whether anybody looked at an image; one not looked at is unknown where nothing is listed."""
        self._reviewed.put(row, seen)

    def unsure(self, row: int) -> None:
        """Say that a label of an image could not be read: what is not listed of it is unknown."""
        self._unsure.append(row)

    def size(self, row: int, width: int, height: int) -> None:
        """Say how many pixels an image has."""
        if not (0 <= width < PIXELS and 0 <= height < PIXELS):
            where = self.at(self._lines[row])
            raise ManylabelError(f"{where}: expected width and height in pixels, got {width}, {height}")
        self._sizes.put(row, int(width), int(height))

    def note(self, text: str) -> None:
        """Say something that was understood."""
        if text not in self.notes:
            self.notes.append(text)

    def mistake(self, kind: str, where: str, text: str) -> None:
        """An error; or, where mistakes are to be left out, one more of its kind, all of which are said at the end."""
        if not self.reading.leave:
            raise ManylabelError(f"{where}: {text}")
        self._mistakes.setdefault(kind, []).append(f"{where.removeprefix(str(self.source)).lstrip(', ')}: {text}")

    def dataset(self, *, default: int | None = None, table: LabelTable | None = None) -> Dataset:
        """All that was collected.

        Arguments:
            default: the state of a cell nothing was said of; by default what the user said of classes not listed.
            table: the labels, where the reader made them by itself, of the images in the order of `image`.
        """
        if not self._ids:
            raise ManylabelError(f"{self.source}: no images are found in this {self.kind} file; expected at least one")
        labels = table if table is not None else self._labels(self.reading.default if default is None else default)
        paths, located = self._paths()
        if self._repeated:
            self.note(f"{self._repeated:,} entries repeat an image and are joined with its first.")
        return Dataset(
            labels=labels,
            paths=paths,
            split=np.array(self._parts, dtype="<U5"),
            columns={
                name: np.array([cells.get(row, "") for row in range(len(self._ids))], np.str_)
                for name, cells in self._columns.items()
            },
            source=self.source,
            kind=self.kind,
            notes=(*self.notes, *located, *same_but_case(labels.names)),
            lines=tuple(self._lines),
            mistakes=tuple(self._told()),
            beside=self._beside(),
            unit=self.unit,
        )

    def _told(self) -> list[str]:
        return [
            f"{len(found):,} {kind}: {'; '.join(found[:TOLD])}"
            + (f"; and {len(found) - TOLD:,} more" if len(found) > TOLD else "")
            for kind, found in self._mistakes.items()
        ]

    def _paths(self) -> tuple[Files, list[str]]:
        base = self.reading.root
        if base is None and all(self._files):
            return Files(self._files), []
        folder = self.source if self.source.is_dir() else self.source.parent
        found, notes = locate(list(self._ids), base if base is not None else folder)
        return Files(own or path for own, path in zip(self._files, found)) if base is None else Files(found), notes

    def _labels(self, default: int) -> LabelTable:
        if not self._names:
            raise ManylabelError(f"{self.source}: no class is named in this {self.kind} file; expected at least one")
        rows, columns, states = map(whole, self._marks)
        doubtful = self._soft, self._candidates  # unknown, unless somebody says more of them
        cells = self.settled(
            np.concatenate([rows, *(whole(one.rows) for one in doubtful)]),
            np.concatenate([columns, *(whole(one.columns) for one in doubtful)]),
            np.concatenate([states, *(np.full(len(one), UNKNOWN) for one in doubtful)]),
        )
        unseen = np.concatenate([np.flatnonzero(whole(self._reviewed.values) == 0), whole(self._unsure)])
        return table_of(cells, tuple(self._names), tuple(self._ids), unjudged=unseen, default=default)

    def settled(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], states: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(E,) images, classes and states with each cell once: the known before the unknown, present against absent a
        contradiction."""
        classes = max(1, len(self._names))
        keys, place = np.unique(rows * classes + columns, return_inverse=True)
        present, absent = np.zeros(len(keys), bool), np.zeros(len(keys), bool)
        present[place[states == PRESENT]], absent[place[states == ABSENT]] = True, True
        both = np.flatnonzero(present & absent)
        if len(both):
            self._contradiction(keys[both] // classes, keys[both] % classes)
        return keys // classes, keys % classes, present.astype(np.int64) - absent

    def _contradiction(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        ids, names = list(self._ids), list(self._names)
        by_row = Counter(rows.tolist())
        said = [
            f"{ids[row]!r} ({self.unit} {self._lines[row]}) on {', '.join(names[c] for c in columns[rows == row][:5])}"
            for row in list(by_row)[:6]
        ] + [""] * max(0, len(by_row) - 6)
        rule = "unknown" if self.reading.leave else self.reading.conflicts
        told = repeats.settle(self.source, said, rule=rule)
        self.notes += told
        if self.reading.leave:
            self._mistakes.setdefault("images with contradictions, left unknown", []).extend(said)

    def _beside(self) -> Beside:
        cells = {"soft": self._soft, "candidates": self._candidates, "votes": self._votes, "boxes": self._boxes}
        parts: dict[str, Any] = {kind: found.cells for kind, found in cells.items() if len(found)}
        images = len(self._ids)
        if self._reviewed:
            parts["reviewed"] = self._reviewed.table(images)[:, 0] > 0
        if self._sizes:
            parts["sizes"] = self._sizes.table(images)
        return Beside(
            annotators=tuple(self._annotators), parents=tuple(dict.fromkeys(self.parents)),
            aliases=dict(self.aliases), provenance=tuple(self.provenance), **parts,
        )  # fmt: skip
