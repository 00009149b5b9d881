"""Label Studio's CSV and TSV: what its short JSON export says, in cells."""

import json

import pytest

from manylabel.data import read
from manylabel.labels import ManylabelError

HEAD = ("image", "id", "choice", "label", "annotator", "annotation_id", "created_at", "lead_time")
CAR = {
    "x": 10,
    "y": 20,
    "width": 50,
    "height": 40,
    "rectanglelabels": ["car"],
    "original_width": 600,
    "original_height": 400,
}
ROWS = (
    ("/data/upload/1/a.jpg", 1, "cat", "", 7, 1, "2024", 1.5),
    ("/data/upload/1/b.jpg", 2, json.dumps({"choices": ["cat", "dog"]}), json.dumps([CAR]), 7, 2, "2024", 2.5),
    ("/data/upload/1/c.jpg", 3, "", "", 7, 3, "2024", 2.5),
    ("/data/upload/1/d.jpg", 4, "", "", "", "", "", ""),
    ("/data/upload/1/a.jpg", 1, "dog", "", 8, 5, "2024", 1.5),
)


def written(path, rows=ROWS, head=HEAD):
    sign = "\t" if path.suffix == ".tsv" else ","
    quoted = (['"' + str(cell).replace('"', '""') + '"' for cell in row] for row in (head, *rows))
    path.write_text("\n".join(map(sign.join, quoted)))
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_rows_are_annotations(tmp_path, ending):
    data = read(written(tmp_path / f"export.{ending}"))
    assert data.kind == "label_studio"
    assert data.labels.ids == ("upload/1/a.jpg", "upload/1/b.jpg", "upload/1/c.jpg", "upload/1/d.jpg")
    states = {name: data.labels.state[:, c].tolist() for c, name in enumerate(data.labels.names)}
    assert states == {"cat": [0, 1, -1, 0], "dog": [0, 1, -1, 0], "car": [-1, 1, -1, 0]}
    assert data.beside.boxes.values.tolist() == [[0.1, 0.2, 0.5, 0.4]]
    assert data.beside.reviewed.tolist() == [True, True, True, False]


def test_the_columns_may_be_sorted_by_name(tmp_path):
    order = sorted(range(len(HEAD)), key=HEAD.__getitem__)
    rows = [[row[k] for k in order] for row in ROWS[:2]]
    data = read(written(tmp_path / "export.csv", rows, [HEAD[k] for k in order]))
    assert data.labels.names == ("cat", "car", "dog")
    assert data.labels.state.tolist() == [[1, -1, -1], [1, 1, 1]]


def test_a_cell_that_is_no_answer_is_named_with_its_row(tmp_path):
    bad = json.dumps([{**CAR, "rectanglelabels": [5]}])
    file = written(tmp_path / "export.csv", [*ROWS[:1], ("b.jpg", 2, "", bad, 7, 2, "", "")])
    with pytest.raises(ManylabelError, match=r"export.csv, row 3, annotation 1, result 1: expected text"):
        read(file)
    assert read(file, mistakes="leave").labels.state.tolist() == [[1], [0]]
