"""The score file: written and read back, joined with labels, and clear about what is wrong with it."""

import numpy as np
import pytest

from manylabel.labels import LabelTable, ManylabelError
from manylabel.scores import ScoreFile, load


@pytest.fixture
def file():
    scores = np.array([[0.1, -3e-9, 12345.678], [1 / 3, 2, -7]], np.float32)
    return ScoreFile(["b/1.jpg", "ä,2.jpg"], ["cat", "dog, big", "owl"], scores, "logit")


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_round_trip_is_exact(file, tmp_path, suffix):
    path = file.save(tmp_path / f"scores{suffix}")
    again = load(path, kind="logit")
    np.testing.assert_array_equal(again.scores, file.scores)
    assert again.ids.tolist() == file.ids.tolist()
    assert again.names.tolist() == file.names.tolist()
    assert (again.kind, again.labels) == ("logit", None)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no half-written file left


def test_npz_keeps_labels_and_holds_no_pickle(file, tmp_path):
    labels = np.array([[1, 0, -1], [-1, -1, 1]], np.int8)
    table = LabelTable(labels, tuple(file.names), tuple(file.ids))
    path = file.with_labels(table).save(tmp_path / "s.npz")
    again = load(path)
    np.testing.assert_array_equal(again.labels, labels)
    np.testing.assert_array_equal(again.table().state, labels)
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["ids", "kind", "labels", "names", "scores"]
    with pytest.raises(ManylabelError, match=r"no place for labels; save to \.npz"):
        again.save(tmp_path / "s.csv")


def test_a_pickled_npz_is_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", ids=np.array([object()], dtype=object))
    with pytest.raises(ManylabelError, match="not a readable"):
        load(tmp_path / "bad.npz")


def test_labels_join_by_id_and_name(file):
    table = LabelTable(
        np.array([[1, 0, -1, 1], [-1, 1, 0, 1], [0, 0, 0, 0]], np.int8),
        names=("owl", "dog, big", "cat", "yak"),
        ids=("ä,2.jpg", "b/1.jpg", "c.jpg"),
    )
    joined = file.with_labels(table)
    assert joined.labels.tolist() == [[0, 1, -1], [-1, 0, 1]]
    assert joined.notes == (
        "1 labelled image without scores left aside: c.jpg",
        "1 labelled class without scores left aside: yak",
    )


def test_what_does_not_join_is_named(file):
    names, ids = tuple(file.names), tuple(file.ids)
    with pytest.raises(ManylabelError, match=r"1 of 3 scored classes have no labels: 'cat'.* Did you mean 'cart'"):
        file.with_labels(LabelTable(np.zeros((2, 3), np.int8), ("cart", *names[1:]), ids))
    with pytest.raises(ManylabelError, match=r"scored images have no labels: 'b/1.jpg'.* Did you mean '1.jpg'"):
        file.with_labels(LabelTable(np.zeros((2, 3), np.int8), names, ("1.jpg", ids[1])))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,cat\na.jpg,0.5\nb.jpg,1.5\n", r"row 2 \(b.jpg\), column 'cat'.*probability.*1.5"),
        ("image,cat,dog\na.jpg,0.5,oops\n", "line 2, column 'dog': expected a number, got 'oops'"),
        ("image,cat,dog\na.jpg,,0.5\n", "line 2, column 'cat': expected a number, got ''"),
        ("image,cat\na.jpg,nan\n", "line 2, column 'cat': expected a number, got 'nan'"),
        ("image,cat\na.jpg,0.5,0.7\n", "line 2: expected 2 columns, got 3"),
        ("cat,dog\n0.1,0.5\n", "expected the header 'image,<class>,...', got 'cat,dog'"),
        ("image,cat\na.jpg,0.5\na.jpg,0.6\n", "image id 'a.jpg' occurs twice"),
        ("image,cat,cat\na.jpg,0.5,0.6\n", "class name 'cat' occurs twice"),
        ("", "expected the header"),
    ],
)
def test_a_wrong_csv_is_located(tmp_path, text, message):
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    with pytest.raises(ManylabelError, match=message) as caught:
        load(path, kind="probability")
    assert str(caught.value).startswith(str(path))


def test_kind_is_declared_never_guessed(file, tmp_path):
    with pytest.raises(ManylabelError, match="give kind 'logit', 'probability' or 'percent'"):
        load(file.save(tmp_path / "s.csv"))
    with pytest.raises(ManylabelError, match="of kind logit, not 'probability'"):
        load(file.save(tmp_path / "s.npz"), kind="probability")
    with pytest.raises(ManylabelError, match="Did you mean 'logit'"):
        ScoreFile(file.ids, file.names, file.scores, "logits")


def test_byte_order_mark_blank_lines_and_spaces_in_the_header(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_text("\ufeffimage, cat \r\na.jpg,1e-3\r\n\r\nb.jpg,1\r\n", encoding="utf-8")
    read = load(path, kind="probability")
    assert read.names.tolist() == ["cat"]
    np.testing.assert_array_equal(read.scores, np.float32([[0.001], [1]]))


def test_no_rows(tmp_path):
    (tmp_path / "s.csv").write_text("image,cat\n")
    assert load(tmp_path / "s.csv", kind="logit").scores.shape == (0, 1)


def test_missing_file_and_suffix(tmp_path, file):
    with pytest.raises(ManylabelError, match="there is no such score file"):
        load(tmp_path / "no.npz")
    with pytest.raises(ManylabelError, match=r"ends in \.npz, \.csv, \.parquet"):
        file.save(tmp_path / "s.pkl")


def test_an_incomplete_npz_names_what_is_missing(tmp_path):
    np.savez(tmp_path / "s.npz", ids=["a"], name=["cat"], scores=[[0.5]], kind="logit")
    with pytest.raises(ManylabelError, match=r"array 'names' is missing\. Did you mean 'name'"):
        load(tmp_path / "s.npz")


def test_the_right_half_never_imports_torch():
    import subprocess
    import sys

    code = (
        "import sys, manylabel.scores, manylabel.metrics, manylabel.decisions as d\n"
        "[d.load(n) for n in d.names()]\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
