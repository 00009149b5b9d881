"""Wide label files that say yes and no in words: read where the meaning is plain, refused where it is not."""

import numpy as np
import pytest

from manylabel import data
from manylabel.data import read
from manylabel.labels import ManylabelError


@pytest.fixture
def table(tmp_path):
    def read(text, **options):
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        return data.read(tmp_path / "labels.csv", **options)

    return read


def said(found):
    return " ".join(found.notes)


@pytest.mark.parametrize(
    ("yes", "no"),
    [("yes", "no"), ("YES", " No "), ("y", "n"), ("Y", "N"), ("true", "FALSE"), ("present", "absent"),
     ("Positive", "negative"), ("✓", "✗"), ("✔", "0"), ("x", "no"), ("1", "n")],
)  # fmt: skip
def test_words_in_any_case_and_blank_stays_unknown(table, yes, no):
    found = table(f"image,cat,dog\na.jpg,{yes},{no}\nb.jpg,{no},\nc.jpg,?,{yes}\n")
    assert found.kind == "csv-wide"
    np.testing.assert_array_equal(found.labels.state, [[1, -1], [-1, 0], [0, 1]])


def test_what_was_understood_is_said(table):
    found = table("image,cat,dog,owl\na.jpg,yes,1,x\nb.jpg,No,0,\nc.jpg,Y,1,x\n")
    assert "Words are read as labels (columns cat, owl): yes (1), y (1), x (2) as present; no (1) as absent." in said(
        found
    )
    every = table("image,cat\na.jpg,yes\nb.jpg,no\n")
    assert "Words are read as labels: yes (1) as present; no (1) as absent." in said(every)
    one = table("image,cat,dog\na.jpg,1,y\nb.jpg,0,n\n")
    assert "Words are read as labels (column dog): y (1) as present; n (1) as absent." in said(one)
    assert "Words" not in said(table("image,cat\na.jpg,1\nb.jpg,TRUE\n"))


def test_crosses_alone_know_positives_only(table):
    assert "No cell says absent" in said(table("image,cat,dog\na.jpg,x,\nb.jpg,,X\n"))
    assert "No cell says absent" not in said(table("image,cat,dog\na.jpg,x,no\nb.jpg,,X\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,cat,dog\na.jpg,yes,no\nb.jpg,no,maybe\nc.jpg,no,yes\n",
         r"row 3, column 'dog': expected 1, yes, .* got 'maybe' \(row 3\)\. Correct the cells"),
        ("image,cat\na.jpg,yes\nb.jpg,yess\nc.jpg,no\n",
         r"row 3, column 'cat'.*got 'yess' \(row 3\)\. Did you mean 'yes'\?"),
        ("image,cat,dog\na.jpg,✓,x\nb.jpg,x,✓\n", "row 3, column 'cat': 'x' beside ✓ may mean present or absent"),
        ("image,cat\na.jpg,1\nb.jpg,✗\n", "row 3, column 'cat': '✗' without ✓ may mean present or absent"),
    ],
)  # fmt: skip
def test_what_contradicts_is_refused_with_row_column_and_nearest(table, text, message):
    with pytest.raises(ManylabelError, match=message):
        table(text)


def test_with_leave_a_word_nobody_knows_is_unknown_and_said(table):
    found = table("image,cat\na.jpg,yes\nb.jpg,maybe\nc.jpg,no\n", mistakes="leave")
    assert found.labels.state[:, 0].tolist() == [1, 0, -1]
    assert found.mistakes == ("1 cell of column 'cat' is none of 1, 0 and blank, and left unknown: 'maybe' (row 3)",)


def test_a_column_of_words_that_is_no_class_can_be_named_and_lists_stay_lists(table):
    text = "image,cat,blurred\na.jpg,1,yes\nb.jpg,0,no\n"
    assert table(text).labels.names == ("cat", "blurred")
    assert table(text, columns=("blurred",)).labels.names == ("cat",)
    found = table("image,label\na.jpg,positive\nb.jpg,negative\n")
    assert (found.kind, found.labels.names) == ("csv-narrow", ("negative", "positive"))


@pytest.mark.parametrize(
    ("uncertain", "state", "soft"),
    [("ignore", 0, []), ("positive", 1, []), ("negative", -1, []), ("soft", 0, [0.5, 0.5])],
)
def test_uncertain_cells_are_what_the_user_says(tmp_path, uncertain, state, soft):
    (tmp_path / "labels.csv").write_text("image,edema,fracture\na.jpg,-1,1\nb.jpg,0,uncertain\nc.jpg,,0\n")
    found = read(tmp_path / "labels.csv", minus_one="uncertain", uncertain=uncertain)
    assert found.labels.state.tolist() == [[state, 1], [-1, state], [0, -1]]
    cells = found.beside.soft
    assert soft == [] if cells is None else (cells.values.tolist(), cells.rows.tolist()) == (soft, [0, 1])


def test_a_row_that_is_sure_ends_the_uncertainty_of_another(tmp_path):
    (tmp_path / "labels.csv").write_text("image,edema\na.jpg,uncertain\na.jpg,1\n")
    found = read(tmp_path / "labels.csv", uncertain="soft")
    assert (found.labels.state.tolist(), found.beside.soft) == ([[1]], None)
