"""Columns of objects, as detection sets of Hugging Face have them; lists of two that may be numbers or values."""

import json

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from manylabel.data import read
from manylabel.labels import ManylabelError

BESIDE = [
    {"category": [0, 1, 0], "bbox": [[0, 0, 5, 4], [5, 4, 5, 4], [1, 1, 2, 2]]},
    {"category": [], "bbox": []},
    None,
]
INSIDE = [None if row is None else [{"category": c, "bbox": b} for c, b in zip(*row.values())] for row in BESIDE]
LABELS = {"names": ["cat", "dog"], "_type": "ClassLabel"}
BOX = {"feature": {"dtype": "float32", "_type": "Value"}, "length": 4, "_type": "List"}
NESTED = [
    {"feature": {"category": LABELS, "bbox": BOX}, "_type": "Sequence"},
    {"category": {"feature": LABELS, "_type": "List"}, "bbox": {"feature": BOX, "_type": "List"}},
    [{"category": LABELS, "bbox": BOX}],
]


def table(tmp_path, columns, feature=None):
    made = pa.table({"image": ["a.jpg", "b.jpg", "c.jpg"], **columns})
    if feature is not None:
        features = {"image": {"dtype": "string", "_type": "Value"}, "objects": feature}
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(made, tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("feature", NESTED)
@pytest.mark.parametrize("objects", [BESIDE, INSIDE], ids=["lists in an object", "objects in a list"])
def test_objects_are_labels_and_boxes(tmp_path, objects, feature):
    data = read(table(tmp_path, {"objects": objects, "width": [10, 10, 10], "height": [8, 8, 8]}, feature))
    assert (data.labels.names, data.labels.state.tolist()) == (("cat", "dog"), [[1, 1], [-1, -1], [0, 0]])
    assert data.beside.boxes.columns.tolist() == [0, 1, 0]
    assert data.beside.boxes.values.tolist() == [[0, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [0.1, 0.125, 0.2, 0.25]]
    assert data.beside.sizes[0].tolist() == [10, 8]


def test_sizes_come_from_the_photographs_or_boxes_are_not_kept(tmp_path):
    names = [{"label": ["owl"], "bbox": [[5, 0, 5, 8]]}, {"label": ["cat"], "bbox": [[0, 0, 1, 1]]}, None]
    Image.new("RGB", (10, 8)).save(tmp_path / "a.jpg")
    data = read(table(tmp_path, {"objects": names}))
    assert (data.labels.names, data.labels.state.tolist()) == (("cat", "owl"), [[-1, 1], [1, -1], [0, 0]])
    assert data.beside.boxes.values.tolist() == [[0.5, 0, 0.5, 1]]
    assert any(note.startswith("1 boxes are not kept") for note in data.notes)


def test_an_image_folder_of_objects(tmp_path):
    lines = ('{"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [1]}}', '{"file_name": "b.jpg"}')
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    data = read(tmp_path)
    assert (data.labels.names, data.labels.state.tolist()) == (("1",), [[1], [0]])


def test_boxes_that_do_not_fit_are_named(tmp_path):
    objects = [{"category": [0, 1], "bbox": [[0, 0, 5, 4]]}, {"category": [0], "bbox": [[0, 0, 5]]}, None]
    file = table(tmp_path, {"objects": objects, "width": [10] * 3, "height": [8] * 3}, NESTED[0])
    with pytest.raises(ManylabelError, match="row 1, column 'objects': expected as many boxes as classes, 2, got 1"):
        read(file)
    data = read(file, mistakes="leave")
    assert data.beside.boxes is None
    assert "row 2, column 'objects': expected a box of x, y, width and height" in data.mistakes[0]


def test_numbers_of_objects_are_no_values_of_classes(tmp_path):
    objects = [{"category": numbers, "bbox": [[0, 0, 1, 1]] * 3} for numbers in ([0, 1, 1], [0, 0, 0])] + [None]
    assert read(table(tmp_path, {"objects": objects})).labels.state.tolist() == [[1, 1], [1, -1], [0, 0]]


def test_columns_that_only_look_like_objects_are_none(tmp_path):
    data = read(table(tmp_path, {"made": [{"name": ["me"]}, {"name": ["you"]}, None], "cat": [1, 0, None]}))
    assert data.labels.names == ("cat",)


@pytest.mark.parametrize(
    ("lists", "state"),
    [
        ([[1, 0], [1, 1], [0, 0]], [[1, -1], [1, 1], [-1, -1]]),
        ([[1, 0], [0, None], None], [[1, -1], [-1, 0], [0, 0]]),
        ([[True, False], [False, True], [True, False]], [[1, -1], [-1, 1], [1, -1]]),
        ([[True], [False], None], [[1], [-1], [0]]),
        ([[1], [0], [1]], [[-1, 1], [1, -1], [-1, 1]]),  # of one: numbers of classes
    ],
)
def test_lists_of_two_are_values_where_nothing_else_fits(tmp_path, lists, state):
    assert read(table(tmp_path, {"labels": lists})).labels.state.tolist() == state


def test_lists_of_two_that_may_be_either_are_refused(tmp_path):
    with pytest.raises(ManylabelError, match="row 1, column 'labels': lists of a 0 and a 1 may be the numbers of two"):
        read(table(tmp_path, {"labels": [[1, 0], [0, 1], None]}))
