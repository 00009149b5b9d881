"""Packed facts: what was put in comes out, and what is refused leaves nothing behind."""

from pathlib import Path

import numpy as np
import pytest

from manylabel.data.collect import Collector
from manylabel.data.packed import Each, Facts
from manylabel.data.reading import Reading
from manylabel.labels import PRESENT


def collector():
    return Collector(Path("made.json"), "made", Reading())


def test_words_are_beside_the_facts_that_have_them():
    plain, some = Facts("d", 4), Facts("d", 4)
    for k, words in enumerate(("", "crowd", "", "crowd|far", "")):
        plain.add(k, 0, (0.1, 0.2, 0.3, 0.4))
        some.add(k, k + 1, (0.1, 0.2, 0.3, 0.4), words)
    assert plain.cells.words == ()
    assert some.cells.words == ("", "crowd", "", "crowd|far", "")
    assert some.cells.columns.tolist() == [1, 2, 3, 4, 5]
    assert some.cells.values.shape == (5, 4)


def test_shapes_and_kinds_are_those_of_each_sort_of_facts():
    found = collector()
    row = found.image("a.jpg")
    found.soft(row, "cat", 1)
    found.candidate(row, "dog")
    found.vote(row, "cat", "ann", PRESENT)
    found.box(row, "cat", np.array([0, 0, 1, 1]))
    beside = found.dataset().beside
    assert {name: (one.values.shape, str(one.values.dtype)) for name, one in beside.cells.items()} == {
        "soft": ((1,), "float64"), "candidates": ((1, 0), "int8"), "votes": ((1, 2), "int64"),
        "boxes": ((1, 4), "float64"),
    }  # fmt: skip


@pytest.mark.parametrize("shares", [(0, 0, 1), (0, 0, None, 1), (0, 0, 1, "wide")])
def test_a_box_that_is_none_leaves_nothing_behind(shares):
    found = collector()
    row = found.image("a.jpg")
    with pytest.raises((TypeError, ValueError)):
        found.box(row, "dog", shares)
    found.box(row, "cat", ("0.5", 0.25, 0.5, 0.5))
    data = found.dataset()
    assert data.labels.names == ("cat",)
    assert data.beside.boxes.values.tolist() == [[0.5, 0.25, 0.5, 0.5]]


def test_rows_of_which_nothing_is_said_have_what_is_usual():
    sizes, seen = Each("i", 2), Each("b", 1, fill=1)
    assert not sizes
    sizes.put(2, 640, 480)
    sizes.put(0, 3, 5)
    sizes.put(2, 7, 9)
    seen.put(1, 0)
    assert sizes.table(4).tolist() == [[3, 5], [0, 0], [7, 9], [0, 0]]
    assert seen.table(3).tolist() == [[1], [0], [1]]


def test_an_image_looked_at_after_all_is_reviewed():
    found = collector()
    for name, seen in (("a", False), ("b", True), ("c", False), ("c", True)):
        found.reviewed(found.image(name), seen)
    found.image("d")
    found.classes("cat")
    data = found.dataset()
    assert data.beside.reviewed.tolist() == [False, True, True, True]
    assert data.labels.state.ravel().tolist() == [0, -1, -1, -1]
