"""Open Images as released: labels of people and machines, boxes, names, hierarchy; and all that can be wrong."""

import csv
import json

import numpy as np
import pytest

from damage import corruptions, json_corruptions, survives
from manylabel.data import formats, read
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.data.source import Source
from manylabel.labels import LabelTable, ManylabelError

LABELS = """ImageID,Source,LabelName,Confidence
000002b66c9c498e,verification,/m/0bt9lr,1
000002b66c9c498e,crowdsource-verification,/m/01yrx,0
000002b66c9c498e,machine,/m/0dzct,0.8
000002b97e5471a0,verification,/m/0449p,1
"""
MACHINE = """ImageID,Source,LabelName,Confidence
000002b66c9c498e,machine,/m/0bt9lr,0.9
000002b97e5471a0,machine,/m/0dzct,1.0
000002b97e5471a0,machine,/m/012n7d,0.5
"""
BOXES = """ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,\
IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside,XClick1X
0001eeaf4aed83f9,xclick,/m/0bt9lr,1,0.0125,0.5125,0.25,0.75,1,0,1,0,0,0.1
0001eeaf4aed83f9,activemil,/m/01yrx,1,0,1,0,1,-1,-1,-1,1,1,-1
"""
NAMES = """/m/0bt9lr,Dog
/m/01yrx,Cat
/m/0dzct,Human face
/m/0449p,Jaguar
/m/012n7d,Jaguar
/m/0k0pj,"Nose, human"
"""
TREE = {"LabelName": "/m/0bl9f", "Subcategory": [
    {"LabelName": "/m/0jbk", "Subcategory": [
        {"LabelName": "/m/0bt9lr"},
        {"LabelName": "/m/01yrx", "Part": [{"LabelName": "/m/0k0pj"}]},
    ]},
    {"LabelName": "/m/0dzct", "Part": [{"LabelName": "/m/0k0pj"}]},
]}  # fmt: skip
IMAGES = """ImageID,Subset,OriginalURL,License,Rotation
4fa8054781a4c382,train,https://farm3.example/1.jpg,https://by/2.0/,0.0
000002b66c9c498e,train,https://farm3.example/2.jpg,https://by/2.0/,
"""

FORMAT = "openimages"
HUMAN, CLASSES = "train-annotations-human-imagelabels.csv", "class-descriptions-boxable.csv"


def put(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def released(tmp_path):
    folder = tmp_path / "openimages"
    put(folder, "train-annotations-human-imagelabels.csv", LABELS)
    put(folder, "train-annotations-machine-imagelabels.csv", MACHINE)
    put(folder, "validation-annotations-bbox.csv", BOXES)
    put(folder, "class-descriptions-boxable.csv", NAMES)
    put(folder, "bbox_labels_600_hierarchy.json", json.dumps(TREE))
    put(folder, "train-images-boxable-with-rotation.csv", IMAGES)
    put(folder, "train-annotations-vrd.csv", "ImageID,LabelName1,LabelName2\na,/m/1,/m/2\n")
    return folder


def notes(data):
    return " ".join(data.notes)


def facts(data, cells):
    names, ids = data.labels.names, data.labels.ids
    words = cells.words or ("",) * len(cells)
    values = [np.round(v, 9).tolist() for v in cells.values]
    return sorted((ids[r], names[c], v, w) for r, c, v, w in zip(cells.rows, cells.columns, values, words))


def test_released(released):
    data = read(released)
    assert data.kind == "openimages"
    assert data.labels.ids == ("4fa8054781a4c382", "000002b66c9c498e", "000002b97e5471a0", "0001eeaf4aed83f9")
    assert data.labels.names == ("Dog", "Cat", "Human face", "Jaguar (/m/0449p)", "Jaguar (/m/012n7d)", "Nose, human")
    assert data.labels.state.tolist() == [
        [0, 0, 0, 0, 0, 0],  # in the list of images, without a label
        [1, -1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 0, 0],
    ]
    assert data.split.tolist() == ["train", "train", "train", "val"]
    assert facts(data, data.beside.soft) == [
        ("000002b66c9c498e", "Human face", 0.8, ""),
        ("000002b97e5471a0", "Human face", 1.0, ""),  # a machine's 1.0 is nobody's verification
        ("000002b97e5471a0", "Jaguar (/m/012n7d)", 0.5, ""),
    ]
    assert facts(data, data.beside.boxes) == [
        ("0001eeaf4aed83f9", "Cat", [0, 0, 1, 1], "depiction|inside"),
        ("0001eeaf4aed83f9", "Dog", [0.0125, 0.25, 0.5, 0.5], "occluded|crowd"),
    ]
    assert data.beside.parents == (("Dog", "/m/0jbk"), ("Cat", "/m/0jbk"))
    assert data.beside.aliases["/m/0bt9lr"] == "Dog"
    assert "1 values are not kept, for a person verified the same label" in notes(data)
    assert "2 entries of Part are not kept" in notes(data)
    assert "Columns that are not kept: License, OriginalURL, Rotation, XClick1X." in notes(data)
    assert "Not read: train-annotations-vrd.csv." in notes(data)
    assert "2 classes share a name" in notes(data)


def test_unlisted_is_unknown_whatever_is_asked(released):
    assert (read(released, unlisted="absent").labels.state == read(released, unlisted="unknown").labels.state).all()


def test_one_table_with_the_names_beside_it(released):
    data = read(released / "train-annotations-human-imagelabels.csv")
    assert data.labels.ids == ("000002b66c9c498e", "000002b97e5471a0")
    assert data.labels.names[0] == "Dog"
    assert data.lines == (2, 5)
    assert data.unit == "row"


def test_names_with_a_header_and_codes_that_nothing_describes(tmp_path):
    put(tmp_path, "oidv7-class-descriptions.csv", "LabelName,DisplayName\n/m/0bt9lr,Dog\n")
    file = put(tmp_path, "oidv7-val-annotations-human-imagelabels.csv", LABELS)
    data = read(file)
    assert data.labels.names == ("Dog", "/m/01yrx", "/m/0dzct", "/m/0449p")
    assert data.split.tolist() == ["val", "val"]
    assert "3 classes are named by their codes" in notes(data)


def test_folders_of_parts_with_photographs(tmp_path):
    for part in ("train", "validation"):
        put(tmp_path, f"{part}/labels/classifications.csv", LABELS.replace("000002b", f"{part[:3]}"))
        put(tmp_path, f"{part}/data/{part[:3]}66c9c498e.jpg", "")
    put(tmp_path, "train/metadata/class-descriptions.csv", NAMES)
    data = read(tmp_path)
    assert data.split.tolist() == ["train", "train", "val", "val"]
    assert data.paths[0] == tmp_path / "train/data/tra66c9c498e.jpg"
    assert data.paths[2] == tmp_path / "validation/data/val66c9c498e.jpg"
    assert data.labels.names[0] == "Dog"
    other = read(tmp_path, root=tmp_path / "x")
    assert other.paths[0].parent == tmp_path / "x"


def test_a_hierarchy_alone_is_refused(released):
    with pytest.raises(ManylabelError, match="is a hierarchy without images: give the folder"):
        read(released / "bbox_labels_600_hierarchy.json")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (HUMAN, "9lr,1", "9lr,2", "row 2: expected a number from 0 to 1 for Confidence"),
        (HUMAN, "9lr,1", "9lr,nan", "row 2: expected a number for Confidence, got 'nan'"),
        (HUMAN, "9lr,1", "9lr", "row 2: expected 4 cells, got 3"),
        (HUMAN, "9lr,1", "9lr,", "row 2: expected a number for Confidence"),
        (HUMAN, "/m/0bt9lr,", ",", "row 2: expected text for LabelName"),
        (HUMAN, "000002b97e5471a0", "", "row 5: expected text for ImageID"),
        (HUMAN, "/m/0449p,1", '"/m/0449p,1', "row 5: unexpected end of data"),
        ("validation-annotations-bbox.csv", "0.5125", "0.0025", "row 2: expected a box in the image"),
        ("validation-annotations-bbox.csv", "0.5125", "1e308", "row 2: expected a box in the image"),
        ("validation-annotations-bbox.csv", "0.5125", "right", "row 2: expected a number for XMax, got 'right'"),
        ("validation-annotations-bbox.csv", ",1,0,1,0,0,", ",5,0,1,0,0,", "row 2: expected 1, 0 or -1 for IsOccluded"),
        ("validation-annotations-bbox.csv", "0001eeaf4aed83f9,x", "000002b66c9c498e,x", "is in train and val at once"),
        (CLASSES, "/m/01yrx,Cat", "/m/01yrx", "row 2: expected the code of a class and its name"),
        (CLASSES, "/m/01yrx,Cat", "/m/0bt9lr,Cat", "row 2: /m/0bt9lr is 'Dog' already, got 'Cat'"),
        ("train-images-boxable-with-rotation.csv", ",train,", ",tarin,", "row 2: expected train, validation or test"),
        ("bbox_labels_600_hierarchy.json", '"/m/0jbk"', "7", "expected text for LabelName, got 7"),
        ("bbox_labels_600_hierarchy.json", '{"LabelName": "/m/0bt9lr"}', '"x"', "expected an object for Subcategory"),
        ("bbox_labels_600_hierarchy.json", '{"LabelName": "/m/0bt9lr"}',
         '{"LabelName": "/m/1", "Subcategory": [{"LabelName": "/m/0jbk"}]}', "a class lies above itself"),
    ],
)  # fmt: skip
def test_errors_name_the_file_and_the_row(released, name, old, new, said):
    file = released / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ManylabelError) as problem:
        read(released)
    assert said in str(problem.value)
    assert str(file) in str(problem.value)


def test_a_person_who_contradicts_another(released):
    put(released, "train-annotations-human-imagelabels.csv", LABELS + "000002b66c9c498e,verification,/m/01yrx,1\n")
    with pytest.raises(ManylabelError, match=r"disagree.*on Cat"):
        read(released)
    assert read(released, conflicts="unknown").labels.state[1].tolist() == [1, 0, 0, 0, 0, 0]


def test_what_is_left_out_is_said(released):
    put(released, "train-annotations-human-imagelabels.csv", LABELS + "x,verification\ny,verification,/m/01yrx,9\n")
    put(released, "validation-annotations-bbox.csv", BOXES.replace("0.5125", "0.0025"))
    data = read(released, mistakes="leave")
    assert [text.partition(":")[0] for text in data.mistakes] == ["2 rows left out", "1 boxes left out"]
    assert data.labels.present[list(data.labels.ids).index("0001eeaf4aed83f9"), 0]  # the label has not lost its place


def test_damaged_files_are_errors_or_read(released):
    told = {"error": 0, "read": 0}
    for name in (HUMAN, "validation-annotations-bbox.csv",
                 "class-descriptions-boxable.csv", "train-images-boxable-with-rotation.csv"):  # fmt: skip
        file = released / name
        whole = file.read_bytes()
        for k, (what, content) in enumerate(corruptions(whole, seed=3)):
            file.write_bytes(content)
            told[
                survives(
                    released, f"{name}: {what}", mistakes=("error", "leave")[k % 2], format=(None, FORMAT)[k % 5 > 0]
                )
            ] += 1
        file.write_bytes(whole)
    file = released / "bbox_labels_600_hierarchy.json"
    for k, (what, content) in enumerate([*json_corruptions(TREE, limit=40), *corruptions(json.dumps(TREE).encode())]):
        file.write_bytes(content)
        told[survives(released, what, mistakes=("error", "leave")[k % 2], format=(None, FORMAT)[k % 5 > 0])] += 1
    assert min(told.values()) >= 25


def test_no_other_format_claims_it(released, tmp_path):
    put(tmp_path, "parts/train/labels/classifications.csv", LABELS)
    tables = (HUMAN, "validation-annotations-bbox.csv")
    for path in (
        released,
        *(released / name for name in tables),
        released / "bbox_labels_600_hierarchy.json",
        tmp_path / "parts",
    ):
        assert formats.recognise(Source(path))[0] == "openimages", path
    plain = put(tmp_path, "plain/labels.csv", "ImageID,cat,dog\na.jpg,1,0\n")
    assert formats.recognise(Source(plain))[0] == "csv"
    assert formats.recognise(Source(plain.parent))[0] == "csv"


def test_writes_the_tables_of_the_release(tmp_path):
    state = np.array([[1, -1, 0], [0, 0, 1]], np.int8)
    data = Dataset(
        LabelTable(state, ("Dog", "Cat", "Ü, x"), ("a", "b.png")), ["/p/a.jpg", "/p/b.png"],
        np.array(["train", "test"]), {},
        "made", "made", (), (0, 0),
        beside=Beside(
            soft=Cells([1], [0], np.array([0.25])), boxes=Cells([0], [0], np.array([[0.1, 0.2, 0.3, 0.4]]), ("crowd",)),
            aliases={"/m/0bt9lr": "Dog"}, parents=(("Dog", "Animal"), ("Animal", "Thing")),
        ),
    )  # fmt: skip
    formats.write(data, tmp_path / "out", "openimages")

    def rows(name):
        with (tmp_path / "out" / name).open(newline="", encoding="utf-8") as stream:
            return list(csv.reader(stream))[1:]

    assert rows("class-descriptions.csv") == [["/m/0bt9lr", "Dog"], ["Cat", "Cat"], ["Ü, x", "Ü, x"]]
    assert rows("train-annotations-human-imagelabels.csv") == [
        ["a", "verification", "/m/0bt9lr", "1"], ["a", "verification", "Cat", "0"]
    ]  # fmt: skip
    assert rows("test-annotations-machine-imagelabels.csv") == [["b.png", "machine", "/m/0bt9lr", "0.25"]]
    assert rows("train-annotations-bbox.csv") == [
        ["a", "freeform", "/m/0bt9lr", "1", "0.1", "0.4", "0.2", "0.6", "0", "0", "1", "0", "0"]
    ]  # fmt: skip
    tree = json.loads((tmp_path / "out/bbox_labels_hierarchy.json").read_text())
    assert tree["Subcategory"] == [
        {"LabelName": "Thing", "Subcategory": [{"LabelName": "Animal", "Subcategory": [{"LabelName": "/m/0bt9lr"}]}]}
    ]  # fmt: skip
    (tmp_path / "out/manylabel.json").unlink()
    found = read(tmp_path / "out")
    assert found.labels.state.tolist() == state.tolist()
    assert found.split.tolist() == ["train", "test"]
    assert set(found.beside.parents) == {("Dog", "Animal"), ("Animal", "Thing")}
