"""What a hierarchy adds to labels: parents above, open children below a coarse label, and contradictions."""

import numpy as np
import pytest

from manylabel.data import read
from manylabel.data.family import with_hierarchy
from manylabel.labels import ManylabelError

PAIRS = [
    ("poodle", "dog"),
    ("pug", "dog"),
    ("dog", "animal"),
    ("cat", "animal"),
    ("mermaid", "fish"),
    ("mermaid", "human"),
]


def completed(folder, rows, *, listed=True, **options):
    (folder / "labels.csv").write_text("image,labels\n" + "".join(f"{k}.jpg,{row}\n" for k, row in enumerate(rows)))
    found = with_hierarchy(read(folder / "labels.csv", **options), PAIRS, listed=listed)
    return [dict(zip(found.labels.names, row)) for row in found.labels.state.tolist()], found


ALL = "animal|cat|dog|fish|human|mermaid|poodle|pug"


def test_parents_follow_and_coarse_labels_leave_children_open(tmp_path):
    (_, fine, coarse, coarser, fish), found = completed(tmp_path, [ALL, "poodle", "dog", "animal", "fish"])
    assert (fine["dog"], fine["animal"], fine["pug"], fine["cat"]) == (1, 1, -1, -1)
    assert (coarse["animal"], coarse["poodle"], coarse["pug"], coarse["cat"]) == (1, 0, 0, -1)
    assert [coarser[name] for name in ("dog", "cat", "poodle", "pug", "fish")] == [0, 0, 0, 0, -1]
    assert (fish["mermaid"], fish["human"]) == (-1, -1)  # open below fish, but human above it is absent
    assert found.beside.parents == tuple(PAIRS)
    assert "3 cells are present because" in found.notes[-1]
    assert "6 are unknown below" in found.notes[-1]


def test_judged_cells_stay_and_close_what_is_below(tmp_path):
    (tmp_path / "wide.csv").write_text("image,animal,dog,poodle,pug\na.jpg,1,0,,\nb.jpg,,1,0,\nc.jpg,1,,,\n")
    found = with_hierarchy(
        read(tmp_path / "wide.csv"), [("dog", "animal"), ("poodle", "dog"), ("pug", "dog")], listed=False
    )
    assert found.labels.state.tolist() == [[1, -1, -1, -1], [1, 1, -1, 0], [1, 0, 0, 0]]


def test_a_class_above_a_present_one_that_was_judged_absent_is_an_error(tmp_path):
    (tmp_path / "wide.csv").write_text("image,animal,dog\na.jpg,1,1\nb.jpg,0,1\n")
    with pytest.raises(
        ManylabelError, match=r"wide\.csv, row 3 \(b\.jpg\): 'dog' is present and 'animal' above it absent"
    ):
        with_hierarchy(read(tmp_path / "wide.csv"), [("dog", "animal")], listed=False)


def test_completing_twice_changes_nothing_more(tmp_path):
    _, once = completed(tmp_path, [ALL, "poodle", "dog", "animal|fish", ""])
    twice = with_hierarchy(once, PAIRS, listed=True)
    np.testing.assert_array_equal(once.labels.state, twice.labels.state)
