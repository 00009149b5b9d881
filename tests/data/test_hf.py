"""Hugging Face datasets as `save_to_disk`, the hub and the image folder lay them out."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damage import ABSURD, corruptions, json_corruptions, survives
from manylabel.data import arrow, formats, read
from manylabel.data.beside import Beside
from manylabel.data.dataset import Dataset
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

CLASS = {"names": ["cat", "hot dog", "never seen"], "_type": "ClassLabel"}
SPELLINGS = {
    "datasets 2": {"feature": {**CLASS, "id": None, "num_classes": 3}, "length": -1, "id": None, "_type": "Sequence"},
    "datasets 4": {"feature": CLASS, "_type": "List"},
    "large": {"feature": CLASS, "_type": "LargeList"},
    "a list of one": [CLASS],
    "names by number": {"feature": {"names": {"1": "hot dog", "0": "cat", "2": "never seen"}, "_type": "ClassLabel"},
                        "_type": "Sequence"},
}  # fmt: skip
IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
TEXT = {"dtype": "string", "_type": "Value"}


def images(*names, data=None):
    return pa.array([{"bytes": data, "path": name} for name in names], IMAGE)


def described(columns, features):
    said = json.dumps({"info": {"features": features}}).encode()
    return pa.table(columns).replace_schema_metadata({b"huggingface": said})


def saved(folder, columns, features, *, split=None, files=1, in_schema=True):
    """What `save_to_disk` writes, in `files` streams."""
    folder.mkdir(parents=True, exist_ok=True)
    made = described(columns, features) if in_schema else pa.table(columns)
    names = [f"data-{k:05d}-of-{files:05d}.arrow" for k in range(files)]
    for k, name in enumerate(names):
        rows = made.slice(k * made.num_rows // files, (k + 1) * made.num_rows // files - k * made.num_rows // files)
        with pa.ipc.new_stream(folder / name, made.schema) as stream:
            stream.write_table(rows)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_format_columns": None,
             "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": split}  # fmt: skip
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"citation": "", "features": features}))


def sample(lists=([0, 1], [], None)):
    return {"image": images("a.png", "b.png", "c.png"), "labels": pa.array(lists, pa.list_(pa.int64()))}


def said(found):
    return " ".join(found.notes)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("in_schema", [True, False])
def test_a_saved_dataset_in_every_spelling(tmp_path, spelling, in_schema):
    features = {"image": {"_type": "Image"}, "labels": SPELLINGS[spelling]}
    saved(tmp_path / "set", sample(), features, split="train", files=2, in_schema=in_schema)
    found = read(tmp_path / "set")
    assert found.labels.names == ("cat", "hot dog", "never seen")  # a class never used is one
    assert found.labels.ids == ("a.png", "b.png", "c.png")
    assert found.labels.state.tolist() == [[1, 1, -1], [-1, -1, -1], [0, 0, 0]]
    assert found.split.tolist() == ["train"] * 3
    assert found.kind == "hf-lists"
    assert [path.name for path in found.paths] == ["a.png", "b.png", "c.png"]


def test_the_splits_of_a_saved_dictionary(tmp_path):
    features = {"image": {"_type": "Image"}, "labels": SPELLINGS["datasets 2"]}
    for split in ("train", "validation", "extra"):
        columns = {"image": images(f"{split}.png"), "labels": pa.array([[1]], pa.list_(pa.int64()))}
        saved(tmp_path / split, columns, features, split=split)
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "validation", "extra"]}))
    found = read(tmp_path)
    assert found.split.tolist() == ["train", "val", ""]
    assert found.columns["subset"].tolist() == ["", "", "extra"]
    assert found.labels.state.tolist() == [[-1, 1, -1]] * 3
    other = {**features, "labels": {"feature": {**CLASS, "names": ["dog", "cat", "x"]}, "_type": "List"}}
    saved(tmp_path / "validation", columns, other)
    with pytest.raises(ManylabelError, match=r"data-0.*column 'labels': its classes are not those"):
        read(tmp_path)


def test_one_class_an_image(tmp_path):
    features = {"image": {"_type": "Image"}, "label": CLASS}
    saved(tmp_path, {"image": images("a", "b", "c"), "label": pa.array([2, -1, None])}, features)
    found = read(tmp_path)
    assert found.labels.state.tolist() == [[-1, -1, 1], [0, 0, 0], [0, 0, 0]]  # -1 and null: nobody judged


def test_classes_of_no_and_yes_are_a_column_each(tmp_path):
    flag = {"names": ["no", "yes"], "_type": "ClassLabel"}
    columns = {"image": images("a.jpg", "b.jpg"), "smiling": [1, 0], "hat": pa.array([-1, 1])}
    saved(tmp_path, columns, {"image": {"_type": "Image"}, "smiling": flag, "hat": flag})
    found = read(tmp_path)
    assert found.labels.names == ("smiling", "hat")
    assert found.labels.state.tolist() == [[1, 0], [-1, 1]]


def test_labels_under_any_name(tmp_path):
    features = {
        "image": {"_type": "Image"},
        "genres": SPELLINGS["datasets 4"],
        "words": {"feature": TEXT, "_type": "List"},
    }
    words = pa.array([["x"], [], []], pa.list_(pa.string()))
    saved(tmp_path, {"image": sample()["image"], "genres": sample()["labels"], "words": words}, features)
    found = read(tmp_path)
    assert found.labels.names == ("cat", "hot dog", "never seen")
    assert "The labels are listed in column 'genres'" in said(found)


@pytest.mark.parametrize("place", ["", "data", "default"])
def test_parquet_of_the_hub(tmp_path, place):
    features = {"image": {"_type": "Image"}, "labels": SPELLINGS["datasets 4"]}
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    for split, names in (("train", "ab"), ("train", "cd"), ("test", "ef")):
        k = names == "cd"
        columns = {"image": images(*names, data=b"x"), "labels": pa.array([[0], [1]], pa.list_(pa.int64()))}
        pq.write_table(described(columns, features), folder / f"{split}-{k:05d}-of-00002-abc.parquet")
    (tmp_path / "README.md").write_text("---\n---\n")
    found = read(tmp_path)
    assert formats.recognise(Source(tmp_path))[0] == "hf"
    assert found.labels.ids == tuple("efabcd")
    assert found.split.tolist() == ["test"] * 2 + ["train"] * 4
    assert "Photographs lie inside the file, in column 'image'" in said(found)
    file = folder / "test-00000-of-00002-abc.parquet"
    assert formats.recognise(Source(file))[0] == "hf"
    assert read(file).labels.state.tolist() == [[1, -1, -1], [-1, 1, -1]]
    assert list(arrow.photographs(arrow.parquet_part(file))) == [b"x", b"x"]


def test_photographs_without_names_are_numbered_in_their_split(tmp_path):
    features = {"image": {"_type": "Image"}, "labels": SPELLINGS["datasets 4"]}
    for k in range(2):
        columns = {"image": images(None, None, data=b"x"), "labels": pa.array([[0], [1]], pa.list_(pa.int64()))}
        pq.write_table(described(columns, features), tmp_path / f"train-0000{k}-of-00002.parquet")
    assert read(tmp_path).labels.ids == ("train/0", "train/1", "train/2", "train/3")


def metadata(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_an_image_folder_with_lines(tmp_path):
    metadata(tmp_path / "train", "metadata.jsonl",
             '{"file_name": "1.png", "labels": ["cat", "dog"], "site": "x"}\n\n'
             '{"file_name": "sub/2.png", "labels": []}\n')  # fmt: skip
    metadata(
        tmp_path / "validation",
        "metadata.jsonl",
        '{"file_name": "1.png", "labels": null}\n{"file_name": "3.png", "labels": ["owl"]}\n',
    )
    found = read(tmp_path)
    assert formats.recognise(Source(tmp_path))[0] == "hf"
    assert found.labels.ids == ("train/1.png", "train/sub/2.png", "validation/1.png", "validation/3.png")
    assert found.labels.names == ("cat", "dog", "owl")
    assert found.labels.state.tolist() == [[1, 1, -1], [-1, -1, -1], [0, 0, 0], [-1, -1, 1]]
    assert found.split.tolist() == ["train", "train", "val", "val"]
    assert found.columns["site"].tolist() == ["x", "", "", ""]
    assert found.paths[1] == tmp_path / "train" / "sub" / "2.png"


def test_an_image_folder_with_a_table(tmp_path):
    metadata(tmp_path, "metadata.csv", "file_name,cat,dog\na.png,1,\nb.png,0,1\n")
    found = read(tmp_path)
    assert formats.recognise(Source(tmp_path))[0] == "hf"
    assert found.labels.state.tolist() == [[1, 0], [-1, 1]]
    assert found.paths[0] == tmp_path / "a.png"
    metadata(tmp_path, "metadata.csv", "file_name,cat,dog\na.png,1,1\n\nb.png,0,9\n")
    with pytest.raises(ManylabelError, match=r"metadata.csv, row 4, column 'dog'"):
        read(tmp_path)


def test_an_image_folder_with_parquet(tmp_path):
    (tmp_path / "test").mkdir()
    pq.write_table(pa.table({"file_name": ["a.png"], "tags": [["cat"]]}), tmp_path / "test" / "metadata.parquet")
    found = read(tmp_path)
    assert found.labels.ids == ("test/a.png",)
    assert found.split.tolist() == ["test"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", " is empty: expected one object a line"),
        ("[1]\n", "line 1: expected an object"),
        ('{"file_name": "a", "labels": ["x"]}\n{"file_name"\n', "line 2.*not valid JSON"),
        ('{"filename": "a", "labels": ["x"]}\n', "no column is named file_name.*Did you mean 'filename'"),
        (
            '{"file_name": "a", "labels": ["x"]}\n{"file_name": "b", "labels": [3]}\n',
            "column 'labels': expected values of",
        ),
        (
            '{"file_name": 3, "labels": ["x"]}\n{"file_name": "b", "labels": []}\n',
            "column 'file_name': expected values",
        ),
        ('{"file_name": null, "labels": ["x"]}\n', "row 1, column 'file_name': expected the path"),
    ],
)
def test_metadata_that_cannot_be_read_names_the_place(tmp_path, text, problem):
    metadata(tmp_path, "metadata.jsonl", text)
    with pytest.raises(ManylabelError, match=rf"(?s)metadata.jsonl.*?{problem}"):
        read(tmp_path)


def test_class_numbers_out_of_range(tmp_path):
    features = {"image": {"_type": "Image"}, "labels": SPELLINGS["datasets 2"]}
    saved(tmp_path, sample(([0, 3], [-1], None)), features)
    with pytest.raises(
        ManylabelError, match=r"arrow, row 1, column 'labels': expected the number of a class, 0 to 2, got 3"
    ):
        read(tmp_path)
    found = read(tmp_path, mistakes="leave")
    assert found.labels.state.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]  # what was listed beside 3 is not known
    assert "2 labels left out" in found.mistakes[0]


@pytest.mark.parametrize(
    ("file", "said", "problem"),
    [
        ("state.json", {"_data_files": []}, "_data_files: expected at least one file"),
        ("state.json", {"_data_files": [{"filename": "../x.arrow"}]}, "plain name of a file"),
        ("state.json", {"_data_files": [{"filename": "x.arrow"}]}, "names 'x.arrow', which is not in"),
        ("state.json", {"_data_files": ["x"]}, "expected a list of"),
        ("state.json", [], "expected an object"),
        ("dataset_info.json", {"features": []}, "features: expected an object"),
        ("dataset_info.json", {"features": {"labels": [{"_type": "ClassLabel", "names": ["a", "a"]}]}},
         "two classes of the ClassLabel are named 'a'"),
        ("dataset_info.json", {"features": {"labels": [{"_type": "ClassLabel", "names": [1]}]}},
         "expected the names of a ClassLabel"),
    ],
)  # fmt: skip
def test_descriptions_that_cannot_be_read_name_the_file(tmp_path, file, said, problem):
    saved(tmp_path, sample(), {}, in_schema=False)
    (tmp_path / file).write_text(json.dumps(said))
    with pytest.raises(ManylabelError, match=rf"(?s){tmp_path.name}.*{problem}"):
        read(tmp_path)


def made(folder, split):
    state = np.array([[PRESENT, UNKNOWN], [ABSENT, PRESENT], [ABSENT, ABSENT]], np.int8)
    labels = LabelTable(state, ("cat", "dog"), ("a.jpg", "sub/b.jpg", "c.jpg"))
    paths = [folder / name for name in labels.ids]
    return Dataset(
        labels, paths, np.array(split), {"site": np.array(["x", "", "y"])}, folder, "", (), (0, 0, 0), beside=Beside()
    )


def test_written_as_load_from_disk_reads_it(tmp_path):
    formats.write(made(tmp_path, ["", "", ""]), tmp_path / "out", "hf")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())["features"]
    assert info["image"] == {"_type": "Image"}
    assert info["labels"]["feature"] == {"names": ["cat", "dog"], "_type": "ClassLabel"}
    assert info["labels"]["_type"] == "Sequence"
    state = json.loads((tmp_path / "out" / "state.json").read_text())
    (file,) = [tmp_path / "out" / one["filename"] for one in state["_data_files"]]
    rows = pa.ipc.open_stream(file).read_all()
    assert json.loads(rows.schema.metadata[b"huggingface"])["info"]["features"] == info
    assert rows.column("image").type == IMAGE
    assert rows.column("labels").type == pa.list_(pa.int64())
    assert rows.to_pylist()[0] == {
        "image": {"bytes": None, "path": str(tmp_path / "a.jpg")}, "file_name": "a.jpg", "labels": [0],
        "unknown": [1], "site": "x",
    }  # fmt: skip
    assert not (tmp_path / "out" / "manylabel.json").exists()  # all of it has a place


def test_written_with_a_folder_a_split_where_every_image_has_one(tmp_path):
    formats.write(made(tmp_path, ["val", "train", "val"]), tmp_path / "out", "hf")
    assert json.loads((tmp_path / "out" / "dataset_dict.json").read_text()) == {"splits": ["train", "validation"]}
    assert len(read(tmp_path / "out" / "validation")) == 2
    found = read(tmp_path / "out")
    assert found.labels.ids == ("a.jpg", "sub/b.jpg", "c.jpg")  # their order is kept beside it
    assert found.split.tolist() == ["val", "train", "val"]
    formats.write(made(tmp_path, ["val", "", "val"]), tmp_path / "mixed", "hf")
    assert read(tmp_path / "mixed").split.tolist() == ["val", "", "val"]


def test_nothing_is_written_under_a_name_that_is_taken(tmp_path):
    data = made(tmp_path, ["", "", ""])
    data.columns["labels"] = data.columns["site"]
    with pytest.raises(ManylabelError, match="'labels' has the name of one that is written"):
        formats.write(data, tmp_path / "out", "hf")


def test_a_column_whose_name_is_no_text(tmp_path):
    saved(tmp_path, {"image": images("a.png"), "labels": [["x"]], "abcdef": ["y"]}, {})
    (file,) = tmp_path.glob("*.arrow")
    file.write_bytes(file.read_bytes().replace(b"abcdef", b"abc\xffef"))
    with pytest.raises(ManylabelError, match=r"arrow: not a readable arrow file .*utf-8"):
        read(tmp_path)


def test_damaged_folders_are_errors_or_read(tmp_path):
    features = {"image": {"_type": "Image"}, "labels": SPELLINGS["datasets 2"], "site": TEXT}
    saved(tmp_path, {**sample(), "site": ["x", "y", "z"]}, features, in_schema=False)
    told = {"error": 0, "read": 0}
    for file in sorted(tmp_path.iterdir()):
        good = file.read_bytes()
        more = json_corruptions(json.loads(good), limit=60) if file.suffix == ".json" else corruptions(good, 1)
        for k, (what, content) in enumerate([*corruptions(good), *more]):
            file.write_bytes(content)
            told[survives(tmp_path, f"{file.name}: {what}", mistakes=("error", "leave")[k % 2], format="hf")] += 1
        file.write_bytes(good)
    assert told["error"] >= 75


def test_damaged_metadata_is_an_error_or_read(tmp_path):
    rows = [{"file_name": "a.png", "labels": ["cat", "dog"], "n": 1}, {"file_name": "b.png", "labels": []}]
    told = {"error": 0, "read": 0}
    for absurd in ABSURD:
        for key in ("file_name", "labels", "n"):
            text = "".join(json.dumps(row) + "\n" for row in ({**rows[0], key: absurd}, rows[1]))
            metadata(tmp_path, "metadata.jsonl", text)
            told[survives(tmp_path, f"{key}: {absurd!r}")] += 1
    for what, content in corruptions("".join(json.dumps(row) + "\n" for row in rows).encode()):
        (tmp_path / "metadata.jsonl").write_bytes(content)
        told[survives(tmp_path, what)] += 1
    assert told["error"] >= 25
