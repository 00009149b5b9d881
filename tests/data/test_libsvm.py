"""LIBSVM lines with several labels: each test is a file of its page, of scikit-learn or of the XMC repository."""

import numpy as np
import pytest

from damage import corruptions, survives
from manylabel.data import formats, read
from manylabel.data.formats.libsvm import features
from manylabel.data.source import Source
from manylabel.labels import ManylabelError

YEAST = "2,3 1:0.004168 2:-0.170975 103:1e-3\n1 2:0.5\n 1:0.25\n3,7,2 1:1\n"
XMC = "4 5 12\n0,11 0:0.5 4:1\n 1:1\n3 2:2.5\n0 3:1 4:-2\n"


@pytest.fixture
def svm(tmp_path):
    """Write lines and read them."""

    def reader(text, *, name="yeast.svm", names=None, **options):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        if names is not None:
            (tmp_path / "labels.txt").write_text(names)
        return read(tmp_path / name, **options)

    return reader


def said(found):
    return " ".join(found.notes)


def test_labels_are_numbers_where_they_have_no_names(svm):
    found = svm(YEAST)
    assert found.labels.names == ("1", "2", "3", "7")
    assert found.labels.state.tolist() == [[-1, 1, 1, -1], [1, -1, -1, -1], [-1] * 4, [-1, 1, 1, 1]]
    assert found.labels.ids == ("row 1", "row 2", "row 3", "row 4")
    assert found.lines == (1, 2, 3, 4)
    assert "name no photograph" in said(found)
    assert svm(YEAST, unlisted="unknown").labels.state[2].tolist() == [0] * 4


def test_the_form_of_the_xmc_repository_counts_from_0_and_knows_all_classes(svm):
    found = svm(XMC, name="train.txt")
    assert len(found.labels.names) == 12
    assert np.argwhere(found.labels.present).tolist() == [[0, 0], [0, 11], [2, 3], [3, 0]]
    assert found.lines == (2, 3, 4, 5)
    assert "4 images, 5 features and 12 classes" in said(found)


def test_an_empty_line_is_an_image_only_where_the_header_says_so(svm):
    assert len(svm("2 3 2\n\n1 0:1\n").labels) == 2
    assert len(svm("1 1:1\n\n0 1:1\n\n").labels) == 2


@pytest.mark.parametrize(("text", "first"), [("0,1 1:1\n2 1:1\n", 0), ("1,3 1:1\n2 1:1\n", 1)])
def test_names_beside_it_start_at_0_or_1(svm, text, first):
    found = svm(text, names="cat\ndog\nowl\n")
    assert found.labels.names == ("cat", "dog", "owl")
    assert found.labels.state.tolist() == ([[1, 1, -1], [-1, -1, 1]] if first == 0 else [[1, -1, 1], [-1, 1, -1]])
    assert f"the first being class {first}" in said(found)


def test_names_of_which_nobody_knows_where_they_start(svm):
    with pytest.raises(ManylabelError, match=r"labels.txt: the labels run from 1 to 2.*class 0 or 1.*tab before each"):
        svm("1,2 1:1\n", names="cat\ndog\nowl\n")
    found = svm("1,2 1:1\n", names="1\tcat\n2\tdog\n3\towl\n")
    assert found.labels.state.tolist() == [[1, 1, -1]]


@pytest.mark.parametrize(
    ("names", "problem"),
    [("cat\ncat\n", "line 2: expected a class name of its own, got 'cat'"),
     ("cat\n\ndog\n", "line 2: expected a class name"),
     ("1\tcat\n1\tdog\n", "line 2: expected a class number of its own, got '1'")],
)  # fmt: skip
def test_names_that_cannot_be_read(svm, names, problem):
    with pytest.raises(ManylabelError, match=rf"labels.txt, {problem}"):
        svm("0,1 1:1\n", names=names)


def test_numbers_beyond_the_names(svm):
    with pytest.raises(ManylabelError, match=r"yeast.svm, line 2: expected a class number from 0 to 1, got 5"):
        svm("0,1 1:1\n0,5 1:1\n", names="cat\ndog\n")
    found = svm("0,1 1:1\n0,5 1:1\n", names="cat\ndog\n", mistakes="leave")
    assert found.labels.state.tolist() == [[1, 1], [1, 0]]  # what stands in place of 5 is not known
    assert found.mistakes == ("1 labels left out: line 2: expected a class number from 0 to 1, got 5",)


def test_comments_name_images_where_each_line_has_its_own(svm):
    found = svm("# written by hand\n1 1:1 # a b.jpg\n2 # c#d.jpg\n")
    assert found.labels.ids == ("a b.jpg", "c#d.jpg")
    assert found.lines == (2, 3)
    found = svm("1 1:1 # seen\n2 1:1 # seen\n2 1:1\n")
    assert found.labels.ids == ("row 1", "row 2", "row 3")
    assert found.columns["comment"].tolist() == ["seen", "seen", ""]


@pytest.mark.parametrize("text", ["1, 3 1:1\n", "1.0,3.0 1:1\n", "1,3\t1:1\n", "3,1,3 1:1\n", "\ufeff1,3 1:1\n",
                                  "1,3\n", "1,3 1:1\r\n"])  # fmt: skip
def test_other_ways_to_write_the_same(svm, text):
    found = svm(text)
    assert found.labels.names == ("1", "3")
    assert found.labels.state.tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("cat 1:1", "expected class numbers from 0 up, separated by commas, such as 1,3; got 'cat'"),
        ("-1 1:1", "expected class numbers"),
        ("1;3 1:1", "expected class numbers"),
        ("1,,3 1:1", "expected class numbers"),
        ("1.5 1:1", "expected class numbers"),
        ("1e308 1:1", "expected class numbers"),
        ("99999999999999999999 1:1", "expected class numbers"),
        ("1,3 qid:4 1:1", "qid"),
        ("1 3 1:1", "expected a feature such as 7:0.5 behind the labels, got '3'"),
        ("1, 1:1", "expected a class number behind the comma"),
    ],
)
def test_lines_that_cannot_be_read(svm, line, problem):
    with pytest.raises(ManylabelError, match=rf"yeast.svm, line 2: {problem}"):
        svm(f"1 1:1\n{line}\n2 1:1\n")
    found = svm(f"1 1:1\n{line}\n2 1:1\n", mistakes="leave")
    assert found.labels.ids == ("row 1", "row 2")
    assert found.lines == (1, 3)
    assert found.mistakes[0].startswith("1 lines left out: line 2")


def test_a_text_that_is_not_what_its_mark_says(svm, tmp_path):
    with pytest.raises(ManylabelError, match=r"yeast.svm begins with the mark of utf-16 but is not"):
        svm(b"\xff\xfe1\x00 \x00\x00\xd81\x00")
    assert svm(YEAST.encode("utf-16")).labels.names == ("1", "2", "3", "7")


def test_a_header_that_does_not_fit(svm):
    with pytest.raises(
        ManylabelError, match=r"line 1: the header says 4 images, and 3 lines are read; is the file cut off"
    ):
        svm(XMC.rsplit("\n", 2)[0])
    with pytest.raises(ManylabelError, match=r"line 2: expected a class number from 0 to 4, got 11"):
        svm(XMC.replace("4 5 12", "4 5 5"))
    with pytest.raises(ManylabelError, match="more than can be"):
        svm(XMC.replace("4 5 12", "4 5 999999999999"))


def test_nothing_to_learn(svm):
    with pytest.raises(ManylabelError, match=r"yeast.svm: no line lists a label"):
        svm(" 1:1\n")
    with pytest.raises(ManylabelError, match=r"yeast.svm.*no"):
        svm("")


def test_features_of_lines(svm, tmp_path):
    svm(YEAST)
    found = features(tmp_path / "yeast.svm")
    assert found.starts.tolist() == [0, 3, 4, 5, 6]
    assert found.indices.tolist() == [0, 1, 102, 1, 0, 0]  # the file counts from 1
    np.testing.assert_array_equal(found.values, np.float32([0.004168, -0.170975, 1e-3, 0.5, 0.25, 1]))
    assert found.width == 103
    svm(XMC)
    found = features(tmp_path / "yeast.svm")
    assert (found.indices.tolist(), found.width) == ([0, 4, 1, 2, 3, 4], 5)  # with a header from 0
    assert found.dense().tolist() == [[0.5, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 2.5, 0, 0], [0, 0, 0, 1, -2]]


@pytest.mark.parametrize("pair", ["7:", "7:x", ":1", "x:1", "-1:1", "1.5:2", "1:nan", "1:inf", "1:1e308", "1:2:3"])
def test_features_that_are_none_name_the_line(svm, tmp_path, pair):
    svm(f"1 1:1\n2 2:2 {pair}\n3 1:1\n")
    with pytest.raises(ManylabelError, match=r"yeast.svm, line 2: expected features such as 7:0.5"):
        features(tmp_path / "yeast.svm")


def test_features_beyond_the_header(svm, tmp_path):
    svm(XMC.replace("4 5 12", "4 3 12"))
    with pytest.raises(ManylabelError, match=r"3 features, but feature 4 is listed"):
        features(tmp_path / "yeast.svm")


def test_many_classes_are_kept_as_lists(svm):
    lines = "".join(f"{k},{k + 1} 0:1\n" for k in range(6000))
    found = svm(f"6000 1 100000\n{lines}")
    assert found.labels.is_sparse
    assert found.labels.sparse.starts.tolist() == list(range(0, 12001, 2))
    assert found.labels.sparse.columns[:4].tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "name"), [(YEAST, "a.svm"), (YEAST, "a.txt"), (XMC, "a.txt"), (YEAST, "a"), (XMC, "a.libsvm")]
)
def test_recognised_as_itself(tmp_path, text, name):
    (tmp_path / name).write_text(text)
    assert formats.recognise(Source(tmp_path / name))[0] == "libsvm"


def test_names_are_written_with_their_numbers(svm, tmp_path):
    data = svm("1,3 # a.jpg\n # b.jpg\n", names="1\tcat\n2\tdog\n3\towl\n")
    formats.write(data, tmp_path / "out.svm", "libsvm")
    assert (tmp_path / "out.svm").read_text() == "0,2 # a.jpg\n # b.jpg\n"
    assert (tmp_path / "out.labels.txt").read_text() == "0\tcat\n1\tdog\n2\towl\n"
    (tmp_path / "out.svm").unlink()
    with pytest.raises(ManylabelError, match=r"out.labels.txt exists already"):
        formats.write(data, tmp_path / "out.svm", "libsvm")


@pytest.mark.parametrize("text", [YEAST, XMC], ids=["yeast", "xmc"])
def test_damaged_files_are_errors_or_read(tmp_path, text):
    told = {"error": 0, "read": 0}
    for k, (what, content) in enumerate(corruptions(text.encode())):
        (tmp_path / "a.svm").write_bytes(content)
        told[survives(tmp_path / "a.svm", what, mistakes=("error", "leave")[k % 2])] += 1
        try:
            features(tmp_path / "a.svm")
        except ManylabelError as problem:
            assert "a.svm" in str(problem)  # noqa: PT017
    assert min(told.values()) >= 5
