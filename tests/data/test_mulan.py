"""ARFF with labels as MULAN and MEKA write it: each test is a file of theirs, with its oddities."""

import numpy as np
import pytest

from damage import corruptions, survives
from manylabel.data import formats, read
from manylabel.data.beside import Beside
from manylabel.data.dataset import Dataset
from manylabel.data.formats._arff import cells, quoted, unquoted
from manylabel.data.formats.mulan import features
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

EMOTIONS = """% 1. Title: emotions
%
@relation MultiLabelExample

@attribute Mean_Acc1298_Mean_Mem40_Centroid numeric
@attribute 'a key' {minor, 'major, or so', "it's"}
@ATTRIBUTE Std REAL
@attribute amazed-suprised {0,1}
@attribute happy\t{0, 1}
@attribute "quiet still" {0,1}

@data
0.034741,minor,0.089665,0,1,?
% in between
?,'major, or so', -1.5e-1 ,1,?,0

0.1,"it's",?,0,0,0
{0 2.5, 3 1}
{ 1 'major, or so',4 1 , 5 ? }
"""
XML = """<?xml version="1.0" encoding="utf-8"?>
<labels xmlns="http://mulan.sourceforge.net/labels">
<label name="amazed-suprised"></label>
<label name="happy"><label name="quiet still"/></label>
</labels>
"""
MEKA = """@relation 'Music: -C 2 -S 0.6'
@attribute happy {0,1}
@attribute sad {1,0}
@attribute a numeric
@data
1,0,5
{2 7}
"""


@pytest.fixture
def arff(tmp_path):
    """Write a table, and what says its labels, and read it."""

    def reader(text, xml=None, *, name="emotions.arff", **options):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        if xml is not None:
            (tmp_path / "emotions.xml").write_text(xml)
        return read(tmp_path / name, **options)

    return reader


def said(found):
    return " ".join(found.notes)


def test_a_table_with_its_xml(arff):
    found = arff(EMOTIONS, XML)
    assert found.labels.names == ("amazed-suprised", "happy", "quiet still")
    assert found.labels.state.tolist() == [[-1, 1, 0], [1, 0, -1], [-1, -1, -1], [1, -1, -1], [-1, 1, 0]]
    assert found.labels.ids == tuple(f"row {k}" for k in range(1, 6))
    assert found.lines == (13, 15, 17, 18, 19)
    assert found.beside.parents == (("quiet still", "happy"),)
    assert "Rows name no photograph" in said(found)


def test_features_are_those_that_are_no_labels(arff, tmp_path):
    arff(EMOTIONS, XML)
    nan = float("nan")
    expected = [[0.034741, 0, 0.089665], [nan, 1, -0.15], [0.1, 2, nan], [2.5, 0, 0], [0, 1, 0]]
    found = features(tmp_path / "emotions.arff")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32(expected))


def test_the_relation_of_meka_says_how_many(arff):
    found = arff(MEKA)
    assert found.labels.names == ("happy", "sad")
    assert found.labels.state.tolist() == [[1, -1], [-1, 1]]  # a sparse row leaves out the first value: 0 and 1
    assert "first 2 of 3 attributes, as the relation says (-C 2)" in said(found)
    assert arff(MEKA.replace("-C 2", "-C -2").replace("a numeric", "a {0,1}").replace("5\n", "1\n")
                .replace("{2 7}", "{2 1}")).labels.names == ("sad", "a")  # fmt: skip


@pytest.mark.parametrize("count", ["0", "4", "-4"])
def test_more_labels_than_attributes(arff, count):
    with pytest.raises(ManylabelError, match=r"emotions.arff: the relation says -C -?\d, and there are 3 attributes"):
        arff(MEKA.replace("-C 2", f"-C {count}"))


def test_files_of_the_parts(arff, tmp_path):
    arff(EMOTIONS, XML, name="emotions-train.arff")
    rows = EMOTIONS.index("@data") + len("@data\n")
    arff(EMOTIONS[:rows] + "1,minor,1,1,1,1\n", name="emotions-test.arff")
    arff(EMOTIONS, name="emotions.arff")  # all in one: the parts go before it
    for given in (tmp_path, tmp_path / "emotions.xml"):
        found = read(given)
        assert found.labels.ids == ("test row 1", *(f"train row {k}" for k in range(1, 6)))
        assert found.split.tolist() == ["test", *["train"] * 5]
        assert len(features(given)) == 6
    assert read(tmp_path / "emotions-test.arff").split.tolist() == ["test"]
    assert set(read(tmp_path / "emotions.arff").split) == {""}
    (tmp_path / "scene.arff").write_text(MEKA)
    (tmp_path / "emotions-test.arff").unlink()
    with pytest.raises(
        ManylabelError, match=r"expected one ARFF file, or NAME-train.arff and NAME-test.arff; got emotions"
    ):
        read(tmp_path)


def test_text_that_names_images_and_other_text(arff):
    found = arff("@relation 'x: -C -1'\n@attribute image string\n@attribute split {train,val,test}\n"
                 "@attribute site string\n"
                 "@attribute day date 'yyyy-MM-dd'\n@attribute cat {0,1}\n@data\n"
                 "'it\\'s.jpg',test,\"n, w\",2020-01-01,1\nb.jpg,?,?,?,0\n")  # fmt: skip
    assert found.labels.ids == ("it's.jpg", "b.jpg")
    assert found.split.tolist() == ["test", ""]
    assert found.columns["site"].tolist() == ["n, w", ""]
    assert found.columns["day"].tolist() == ["2020-01-01", ""]
    assert found.labels.state.ravel().tolist() == [1, -1]


def test_weights_are_said(arff):
    found = arff(MEKA.replace("1,0,5", "1,0,5,{0.5}").replace("{2 7}", "{2 7}, {2}"))
    assert "2 rows have a weight" in said(found)
    assert found.labels.state.tolist() == [[1, -1], [-1, 1]]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("1,0,5", "1,0", "line 6: expected 3 values, got 2"),
        ("1,0,5", "1,0,'5", "line 6: expected values separated by commas, quotes closed"),
        ("{2 7}", "{3 7}", "line 7: expected pairs such as 3 1, each column once and below 3"),
        ("{2 7}", "{2 7,2 8}", "line 7: expected pairs"),
        ("{2 7}", "{2}", "line 7"),
        ("{2 7}", "{2 7", "line 7: expected } at the end"),
        ("1,0,5", "2,0,5", "line 6, attribute 'happy': expected 1, 0 or \\? for a label, got '2'"),
        ("1,0,5", "0.5,0,5", "line 6, attribute 'happy'"),
        (
            "@attribute a numeric",
            "@attribute a nmeric",
            "line 4: attribute 'a': expected numeric.*Did you mean 'numeric'",
        ),
        ("@attribute a numeric", "@atribute a numeric", "line 4: expected @relation.*Did you mean '@attribute'"),
        ("@attribute a numeric", "@attribute happy numeric", "two attributes are named 'happy'"),
        ("@attribute a numeric", "@attribute", "line 4: expected @attribute NAME TYPE"),
        ("{1,0}", "{1,1}", "line 3: attribute 'sad' lists a value twice"),
        ("@data", "% data", "line 6: expected @relation"),
        ("-C 2", "", "which attributes are labels is said by neither emotions.xml beside it nor -C"),
    ],
)
def test_what_cannot_be_read_names_the_place(arff, old, new, problem):
    with pytest.raises(ManylabelError, match=rf"(?s)emotions.arff.*{problem}"):
        arff(MEKA.replace(old, new))


def test_rows_left_out_and_cells_left_unknown_are_said(arff):
    found = arff(MEKA + "1,0\nx,1,2\n", mistakes="leave")
    assert found.labels.ids == ("row 1", "row 2", "row 4")
    assert found.labels.state[2].tolist() == [0, 1]
    assert "1 rows left out: " in found.mistakes[0]
    assert "line 8: expected 3 values, got 2" in found.mistakes[0]
    assert "1 cells left unknown" in found.mistakes[1]


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        (XML.replace('"happy"', '"hapy"'), "label 'hapy' is no attribute of emotions.arff. Did you mean 'happy'"),
        (XML.replace('"quiet still"', '"happy"'), "label 'happy' is listed twice"),
        (XML.replace('name="happy"', ""), 'expected <label name="...">'),
        (XML.replace("label ", "class "), "not valid XML|expected <label"),
        ("<labels/>", "in <labels>, got none"),
        (XML[:150], "not valid XML"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + XML[39:], "document type or entities"),
        ("<labels>" + "<label name='x'>" * 5000, "not valid XML|no attribute"),
    ],
)
def test_xml_that_cannot_be_read_names_it(arff, xml, problem):
    with pytest.raises(ManylabelError, match=rf"(?s)emotions.xml.*({problem})"):
        arff(EMOTIONS, xml)


@pytest.mark.parametrize("value", ["inf", "nan", "1e308", "x", ""])
def test_features_that_are_none_name_the_line(arff, tmp_path, value):
    arff(MEKA.replace("1,0,5", f"1,0,{value}"))
    with pytest.raises(ManylabelError, match=r"emotions.arff, line 6, attribute 'a': expected a finite number"):
        features(tmp_path / "emotions.arff")


def test_nominal_features_must_be_listed(arff, tmp_path):
    arff(MEKA.replace("a numeric", "a {red,blue}").replace("{2 7}", "{2 red}"))
    with pytest.raises(ManylabelError, match=r"line 6, attribute 'a': expected one of red, blue, got '5'"):
        features(tmp_path / "emotions.arff")


@pytest.mark.parametrize("text", ["it's", 'say "x"', "a\\b", "a\nb\tc", "{1}", "?", "", "100%", "ü, é"])
def test_any_text_survives_its_quotes(text):
    assert cells(f"1,{quoted(text)},2", "") == ["1", text, "2"]
    assert unquoted(quoted(text)) == text


def test_recognised_as_itself(tmp_path):
    (tmp_path / "a.arff").write_text(EMOTIONS)
    (tmp_path / "a.xml").write_text(XML)
    (tmp_path / "b.txt").write_text(MEKA)
    for path in (tmp_path / "a.arff", tmp_path / "a.xml", tmp_path, tmp_path / "b.txt"):
        assert formats.recognise(Source(path))[0] == "mulan"


def written(folder, parents):
    state = np.array([[PRESENT, UNKNOWN, ABSENT], [ABSENT, PRESENT, PRESENT]], np.int8)
    labels = LabelTable(state, ("cat", "animal", "hot 'dog'"), ("a.jpg", "it's.jpg"))
    return Dataset(labels, [folder / name for name in labels.ids], np.array(["train", ""]), {}, folder, "", (), (0, 0),
                   beside=Beside(parents=parents))  # fmt: skip


def test_written_as_mulan_reads_it(tmp_path):
    formats.write(written(tmp_path, (("cat", "animal"), ("hot 'dog'", "animal"))), tmp_path / "out.arff", "mulan")
    text = (tmp_path / "out.arff").read_text()
    assert "@attribute 'hot \\'dog\\'' {0,1}" in text
    assert text.endswith("@data\n'a.jpg',train,1,?,0\n'it\\'s.jpg',?,0,1,1\n")
    xml = (tmp_path / "out.xml").read_text()
    assert '<label name="animal">\n  <label name="cat"></label>\n' in xml
    assert not (tmp_path / "out.arff.manylabel.json").exists()
    (tmp_path / "out.arff").unlink()
    with pytest.raises(ManylabelError, match=r"out.xml exists already"):
        formats.write(written(tmp_path, ()), tmp_path / "out.arff", "mulan")


@pytest.mark.parametrize("parents", [(("cat", "animal"), ("cat", "hot 'dog'")), (("cat", "beast"),), (("cat", "cat"),),
                                     (("cat", "animal"), ("animal", "cat"))])  # fmt: skip
def test_a_hierarchy_that_cannot_be_nested_is_kept_beside(tmp_path, parents):
    formats.write(written(tmp_path, parents), tmp_path / "out.arff", "mulan")
    assert (tmp_path / "out.xml").read_text().count("<label ") == 3
    assert read(tmp_path / "out.arff").beside.parents == parents


@pytest.mark.parametrize("text", [EMOTIONS, MEKA], ids=["mulan", "meka"])
def test_damaged_files_are_errors_or_read(tmp_path, text):
    (tmp_path / "a.xml").write_text(XML)
    path = tmp_path / ("a.arff" if text == EMOTIONS else "b.arff")
    told = {"error": 0, "read": 0}
    for k, (what, content) in enumerate(corruptions(text.encode())):
        path.write_bytes(content)
        told[survives(path, what, mistakes=("error", "leave")[k % 2])] += 1
        try:
            features(path)
        except ManylabelError as problem:
            assert path.stem in str(problem)  # noqa: PT017
    path.write_text(text)
    for what, content in corruptions(XML.encode()):
        (tmp_path / "a.xml").write_bytes(content)
        told[survives(tmp_path / "a.arff", what) if text == EMOTIONS else "error"] += 1
    assert min(told.values()) >= 10


def test_what_a_sparse_row_leaves_out_must_be_a_label_value_too(arff):
    text = "@relation 'x: -C 2'\n@attribute cat {no,1}\n@attribute dog {0,1}\n@data\n{1 1}\n{0 1}\n"
    with pytest.raises(ManylabelError, match=r"line 5, attribute 'cat': expected 1, 0 or \? for a label, got 'no'"):
        arff(text)
    found = arff(text, mistakes="leave")
    assert found.labels.state.tolist() == [[0, 1], [1, -1]]
