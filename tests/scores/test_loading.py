"""Tables of scores as people write them: what can be read is read, what cannot is named, nothing goes unsaid."""

import re

import numpy as np
import pytest

from manylabel.labels import ManylabelError
from manylabel.scores import ScoreFile, TopFile, load, load_top
from manylabel.scores.loading import read
from manylabel.sparse import SparseLabels, TopScores


@pytest.fixture
def table(tmp_path):
    def write(text, name="theirs.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


WANTED = np.float32([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("image,cat,dog\na.jpg,0.9,0.1\nb.jpg,.2,8e-1\n", "utf-8"),
        ("image;cat;dog\r\na.jpg;0,9;0,1\r\nb.jpg;0,2;0,8\r\n", "utf-8-sig"),
        ("image\tcat\tdog\na.jpg\t 0.9 \t0.1\n\nb.jpg\t0.2\t0.8\n", "utf-16"),
        (",Filename,cat,notes,dog\n0,a.jpg,0.9,sharp,0.1\n1,b.jpg,0.2,dim,0.8\n", "utf-8"),
        ("image,cat,dog,\na.jpg,90%,10%,\nb.jpg,20%,0.8,\nimage,cat,dog,\n", "utf-8"),
        ("image,label,score\na.jpg,cat,.9\na.jpg,dog,.1\nb.jpg,dog,.8\nb.jpg,cat,.2\n", "utf-8"),
        ("what,cat,dog\na.jpg,0.9,0.1\nb.jpg,0.2,0.8\n", "utf-8"),  # one column holds no numbers
        ('image,cat,dog\n"a.jpg","0.9","0.1"\nb.jpg,0.2,0.8\nb.jpg,0.2,0.8\n', "utf-8"),  # a row twice
    ],
)
def test_one_table_in_many_dresses(table, text, encoding):
    found = load(table(text, encoding=encoding), "probability")
    assert (found.ids.tolist(), found.names.tolist()) == (["a.jpg", "b.jpg"], ["cat", "dog"])
    np.testing.assert_array_equal(found.scores, WANTED)
    assert found.missing is None


def test_percents_are_divided_and_a_column_may_say_the_kind(table):
    np.testing.assert_array_equal(
        load(table("image,cat,dog\na.jpg,90,10\nb.jpg,20,80\n"), "percent").scores, WANTED.round(7)
    )
    long = table("image,tag,Probability\na.jpg,cat,0.9\nb.jpg,cat,0.2\n")
    assert load(long).kind == "probability"
    assert load(long, "percent").scores.ravel().tolist() == pytest.approx([0.009, 0.002])  # a percent is one, too
    with pytest.raises(ManylabelError, match="says its scores are of kind probability, not 'logit'"):
        load(long, "logit")


def test_the_kind_is_asked_for_with_what_the_numbers_are(table):
    with pytest.raises(ManylabelError, match=re.escape("(--kind) (its values lie between -3 and 2.5)")):
        load(table("image,cat\na.jpg,-3\nb.jpg,2.5\n"))


MESSY = """image,cat,dog,dog ,bird
a.jpg,0.9,0.1,0.1,
b.jpg,n/a,0.8,0.8,inf
c.jpg,0.5,0.5
,0.5,0.5,0.5,0.1
d.jpg,1.7,0.3,0.3,0.2
e.jpg,0.1,0.2,0.2,0.3
e.jpg,0.1,0.2,0.2,0.4
f.jpg,0.6,0.2,0.2,0.3
"""


def test_mistakes_end_the_reading_or_are_left_out_and_said(table):
    path = table(MESSY)
    with pytest.raises(ManylabelError, match=r"theirs.csv: line 4: expected 5 columns, got 3"):
        load(path, "probability")
    found = load(path, "probability", mistakes="leave")
    assert found.ids.tolist() == ["a.jpg", "b.jpg", "d.jpg", "f.jpg"]
    assert found.names.tolist() == ["cat", "bird"]
    assert found.missing.tolist() == [[False, True], [True, True], [True, False], [False, False]]
    assert np.isfinite(found.scores).all()
    assert found.scores[~found.missing].tolist() == np.float32([0.9, 0.2, 0.6, 0.3]).tolist()
    said = " | ".join(found.notes)
    for words in (
        "1 class that has two columns, left out: class name 'dog' occurs twice",
        "1 line of another width, left out: line 4: expected 5 columns, got 3",
        "1 line without an image, left out: line 5",
        "1 image scored in two ways, left out: image id 'e.jpg' occurs twice with different scores (lines 7, 8)",
        "3 cells without a usable score, left out: line 2, column 'bird': expected a number, got ''; line 3, column",
        "1 cell that is no probability, left out: line 6, column 'cat': expected a probability in [0, 1], got 1.7",
    ):
        assert words in said


def test_many_impossible_probabilities_are_another_kind(table):
    rows = "".join(f"{k}.jpg,{k},{100 - k}\n" for k in range(100))
    with pytest.raises(ManylabelError, match="'percent' if they are percents"):
        load(table("image,cat,dog\n" + rows), "probability", mistakes="leave")


def test_of_a_small_table_three_cells_are_slips_but_not_the_half_of_it(table):
    found = load(table("image,cat,dog\na.jpg,1.7,0.2\nb.jpg,0.3,0.9\nc.jpg,0.3,0.9\n"), "probability", mistakes="leave")
    assert found.missing.sum() == 1
    with pytest.raises(ManylabelError, match=r"got 1\.7; 2 such cells in all"):
        load(table("image,cat,dog\na.jpg,1.7,0.2\nb.jpg,0.3,9\n"), "probability", mistakes="leave")


def test_cells_without_a_score_take_part_in_nothing(table):
    from manylabel.labels import LabelTable
    from manylabel.metrics import evaluate

    found = load(table("image,cat\na.jpg,0.9\nb.jpg,\nc.jpg,0.1\n"), "probability", mistakes="leave")
    labels = LabelTable(np.array([[1], [1], [-1]], np.int8), ("cat",), ("a.jpg", "b.jpg", "c.jpg"))
    joined = found.with_labels(labels)
    assert joined.labels.tolist() == [[1], [0], [-1]]
    result = evaluate(joined.scores, joined.labels, names=["cat"], thresholds=0.5)
    assert (result["map"], result["or"], result["unknown_share"]) == (1.0, 1.0, pytest.approx(1 / 3))


def test_what_is_missing_is_written_as_missing(table, tmp_path):
    found = load(table("image,cat\na.jpg,0.9\nb.jpg,\n"), "probability", mistakes="leave")
    for name in ("again.npz", "again.csv"):
        path = found.save(tmp_path / name)
        again = load(path, "probability", mistakes="leave")
        np.testing.assert_array_equal(again.missing, found.missing)
        with pytest.raises(ManylabelError):
            load(path, "probability")


LISTS = """image,label,confidence
a.jpg,cat,0.9
a.jpg,sky,0.5
b.jpg,dog,0.7
b.jpg,dog,0.6
b.jpg,,0.6
"""


def test_lists_of_the_highest_classes(table, tmp_path):
    path = table(LISTS)
    with pytest.raises(ManylabelError, match="line 6: no label is named"):
        load_top(path, "probability")
    found = load_top(path, "probability", mistakes="leave")
    assert (found.ids.tolist(), found.names.tolist(), found.whole) == (["a.jpg", "b.jpg"], ["cat", "sky", "dog"], False)
    assert found.top.columns.tolist() == [[0, 1], [2, -1]]
    assert found.top.scores[0].tolist() == np.float32([0.9, 0.5]).tolist()
    assert any("1 line names a class of an image once more" in note for note in found.notes)
    assert found.dense().scores.tolist() == np.float32([[0.9, 0.5, 0], [0, 0, 0.7]]).tolist()
    with pytest.raises(ManylabelError, match="read it by `load_top`"):
        load(path, "probability", mistakes="leave")
    labels = SparseLabels.from_lists([[0], [2]], classes=3)
    kept = TopFile(found.ids, found.names, found.top, found.kind, labels).save(tmp_path / "top.npz")
    again = load_top(kept)
    assert again.top.columns.tolist() == found.top.columns.tolist()
    assert again.labels.dense().tolist() == labels.dense().tolist()
    assert again.whole


def test_a_logit_that_is_not_listed_lies_below_all_that_are():
    top = TopScores([[1], [0]], [[-4.0], [-2.0]], classes=2)
    assert TopFile(["a", "b"], ["x", "y"], top, "logit").dense().scores.tolist() == [[-5, -4], [-2, -5]]
    with pytest.raises(ManylabelError, match=r"a, 'y': expected a probability in \[0, 1\].*got -4"):
        TopFile(["a", "b"], ["x", "y"], top, "probability")


def test_parquet_wide_long_and_lists(tmp_path):
    pa = pytest.importorskip("pyarrow")
    arrow = pytest.importorskip("pyarrow.parquet")
    file = ScoreFile(["a.jpg", "b.jpg"], ["cat", "dog"], WANTED, "probability")
    again = load(file.save(tmp_path / "own.parquet"))
    assert again.kind == "probability"
    np.testing.assert_array_equal(again.scores, WANTED)

    def stored(name, **columns):
        arrow.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    wide = stored("wide.parquet", path=["a.jpg", "b.jpg"], cat=[0.9, None], dog=[1, 0], who=["me", "you"])
    with pytest.raises(ManylabelError, match=r"row 2 \(b.jpg\), column 'cat': expected a number"):
        load(wide, "probability")
    left = load(wide, "probability", mistakes="leave")
    assert (left.names.tolist(), left.missing.tolist()) == (["cat", "dog"], [[False, False], [True, False]])
    assert "not read as classes: 'who'" in left.notes
    lists = stored("lists.parquet", image=["a.jpg", "b.jpg"], labels=[["cat", "dog"], []], scores=[[0.9, 0.1], []])
    found = load_top(lists, "probability")
    assert found.top.columns.tolist() == [[0, 1], [-1, -1]]
    long = stored("long.parquet", image=["a.jpg", "a.jpg"], label=["cat", "dog"], logit=[3.0, -3.0])
    assert load(long).kind == "logit"


def test_a_parquet_without_images_or_reader(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    arrow = pytest.importorskip("pyarrow.parquet")
    arrow.write_table(pa.table({"cat": [0.5]}), tmp_path / "s.parquet")
    with pytest.raises(ManylabelError, match="no column is called image, path, file or filename; got cat"):
        load(tmp_path / "s.parquet", "logit")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ManylabelError, match=r"pip install 'manylabel\[parquet\]'"):
        load(tmp_path / "s.parquet", "logit")


def test_broken_files_say_what_they_are(tmp_path, table):
    (tmp_path / "no.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ManylabelError, match=r"not a readable parquet file|pip install"):
        load(tmp_path / "no.parquet", "logit")
    table("image,cat\n", "scores.csv")
    with pytest.raises(ManylabelError, match=r"there is no such score file.* Did you mean 'scores.csv'"):
        read(tmp_path / "score.csv")
    with pytest.raises(ManylabelError, match=r"cannot be 'ignore'. Valid: error, leave"):
        load(table("image,cat\na.jpg,1\n"), "logit", mistakes="ignore")
