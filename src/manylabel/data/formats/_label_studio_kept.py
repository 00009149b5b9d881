"""Annotations of many images, packed until all are read: only then is it known what a label is called."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from manylabel.data.beside import Cells
from manylabel.data.formats._entries import Box
from manylabel.data.formats._label_studio_said import Key, Said
from manylabel.data.packed import whole

Word = TypeVar("Word", bound=Hashable)
Ints = NDArray[np.int64]


class Kept:
    """Annotations as they are met; then, sorted, those of each image.

    >>> kept = Kept()
    >>> for row, who, name in ((1, "ann", "cat"), (0, "bob", "dog"), (1, "ann", "owl")):
    ...     kept.add(row, Said(who, labels={("", (name,)): 1.0}))
    >>> kept.sort(last_only=True), kept.keys
    (1, [('', ('dog',)), ('', ('owl',))])
    >>> [list(one.labels) for one in kept.of(1)], kept.of(2)
    ([[('', ('owl',))]], [])
    """

    def __init__(self) -> None:
        self._rows, self._who, self._golden = array("i"), array("i"), array("b")
        self._labels, self._sure, self._label_ends = array("i"), array("d"), array("q", [0])
        self._objects, self._shares, self._marks = array("i"), array("d"), array("i")
        self._object_ends = array("q", [0])
        self._keys: dict[Key, int] = {}
        self._people: dict[str, int] = {}
        self._words: dict[tuple[str, ...], int] = {}

    def add(self, row: int, said: Said) -> None:
        """Keep one annotation of an image."""
        self._rows.append(row)
        self._who.append(_number(self._people, said.who))
        self._golden.append(said.golden)
        for key, sure in said.labels.items():
            self._labels.append(_number(self._keys, key))
            self._sure.append(sure)
        for key, shares, marks in said.boxes:
            self._objects.append(_number(self._keys, key))
            self._shares.extend(shares)
            self._marks.append(_number(self._words, tuple(marks)))
        self._label_ends.append(len(self._labels))
        self._object_ends.append(len(self._objects))

    def sort(self, *, last_only: bool) -> int:
        """No more will come. With `last_only` a person's last annotation of an image counts; how many do not."""
        rows = whole(self._rows)
        order = np.arange(len(rows))
        if last_only:
            pairs = rows * max(1, len(self._people)) + whole(self._who)
            order = np.sort(len(pairs) - 1 - np.unique(pairs[::-1], return_index=True)[1])
        self._order = order[np.argsort(rows[order], kind="stable")]
        self._starts = np.searchsorted(rows[self._order], np.arange(rows.max(initial=-1) + 2))
        self._all: tuple[list[Key], list[str], list[tuple[str, ...]]] = (
            list(self._keys), list(self._people), list(self._words)
        )  # fmt: skip
        return len(rows) - len(order)

    @property
    def keys(self) -> list[Key]:
        """The labels of the annotations that count, in the order in which these say them, image by image."""
        _, places = _spread(self._label_ends, self._order)
        numbers, seen = np.unique(whole(self._labels)[places], return_index=True)
        return [self._all[0][k] for k in numbers[np.argsort(seen)].tolist()]

    def counts(self, rows: int) -> Ints:
        """(rows,) how many annotations of each image count."""
        return np.bincount(whole(self._rows)[self._order], minlength=rows)

    def alone(self, column: Callable[[Key], int]) -> tuple[tuple[Ints, Ints], Cells, int]:
        """What annotations say that are the only one of their image, at once: most are.

        Arguments:
            column: the number of the class that a label names.

        Gives (image, class) of the labels, the boxes, and how many annotations have no label.
        """
        rows, columns = whole(self._rows), np.array([column(key) for key in self._all[0]], np.int64)
        chosen = self._order[self.counts(0)[rows[self._order]] == 1]
        of, labels = _spread(self._label_ends, chosen)
        cells = rows[chosen[of]], columns[whole(self._labels)[labels]]
        own, objects = _spread(self._object_ends, chosen)
        marks = ["|".join(words) for words in self._all[2]]
        boxes = Cells(
            rows[chosen[own]], columns[whole(self._objects)[objects]], np.array(self._shares).reshape(-1, 4)[objects],
            tuple(marks[k] for k in whole(self._marks)[objects].tolist()),
        )  # fmt: skip
        return cells, boxes, len(chosen) - len(np.unique(of))

    def of(self, row: int) -> list[Said]:
        """The annotations of an image that count, in their order."""
        if row + 1 >= len(self._starts):
            return []
        return [self._said(k) for k in self._order[self._starts[row] : self._starts[row + 1]].tolist()]

    def _said(self, k: int) -> Said:
        keys, people, words = self._all
        labels = slice(self._label_ends[k], self._label_ends[k + 1])
        first, end = self._object_ends[k], self._object_ends[k + 1]
        return Said(
            people[self._who[k]], bool(self._golden[k]),
            {keys[key]: sure for key, sure in zip(self._labels[labels], self._sure[labels])},
            [(keys[self._objects[j]], _box(self._shares[4 * j : 4 * j + 4]), list(words[self._marks[j]]))
             for j in range(first, end)],
        )  # fmt: skip


def _spread(ends: array[int], chosen: Ints) -> tuple[Ints, Ints]:
    """((E,) which of the chosen, (E,) place) of all that the chosen have."""
    until = whole(ends)
    first, counts = until[chosen], until[chosen + 1] - until[chosen]
    of = np.repeat(np.arange(len(chosen)), counts)
    return of, np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)


def _box(shares: array[float]) -> Box:
    x, y, width, height = shares
    return x, y, width, height


def _number(known: dict[Word, int], word: Word) -> int:
    return known.setdefault(word, len(known))
