"""Parquet tables of labels: each test is a file that pandas, polars, Spark or a hub writes."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damage import corruptions, survives
from manylabel.data import arrow, formats, listed, read
from manylabel.data.dataset import Dataset
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def table(columns, metadata=None):
    made = pa.table(columns)
    return made.replace_schema_metadata(metadata) if metadata else made


@pytest.fixture
def parquet(tmp_path):
    """Write a table and read it."""

    def reader(table_of, *, name="labels.parquet", **options):
        pq.write_table(table(table_of), tmp_path / name)
        return read(tmp_path / name, **options)

    return reader


def said(found):
    return " ".join(found.notes)


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.int64(), pa.float32(), pa.float16(), pa.bool_(), pa.string(), pa.uint8(), pa.decimal128(3)]
)
def test_wide_columns_of_any_type(parquet, kind):
    one, zero = {pa.bool_(): (True, False), pa.string(): ("1", "0")}.get(kind, (1, 0))
    values = np.array([one, zero], np.float16) if kind == pa.float16() else [one, zero]
    full = pa.concat_arrays([pa.array(values, kind), pa.nulls(1, kind)])
    found = parquet({"image": NAMES, "cat": full, "dog": full.take([2, 1, 0])})
    assert found.kind == "parquet-wide"
    assert found.labels.names == ("cat", "dog")
    assert found.labels.state.tolist() == [[1, 0], [-1, -1], [0, 1]]
    assert found.lines == (1, 2, 3)
    assert "Unknown cells: blank (2)" in said(found)


def test_nan_and_minus_one_are_unknown(parquet):
    found = parquet({"path": NAMES, "cat": [1.0, float("nan"), -1.0], "dog": [0.0, 1.0, None]})
    assert found.labels.state.tolist() == [[1, -1], [0, 1], [0, 0]]
    assert parquet({"path": NAMES, "cat": [1, 0, -1]}, minus_one="absent").labels.state.tolist() == [[1], [-1], [-1]]


def test_dictionary_columns_and_the_index_of_pandas(parquet):
    flags = pa.array(["yes", "no", None]).dictionary_encode()
    found = parquet(
        {"image": pa.array(NAMES).dictionary_encode(), "cat": flags,
         "site": pa.array(["n", "s", "w"]).dictionary_encode(),
         "split": ["train", "validation", None], "__index_level_0__": [1, 0, 1]}
    )  # fmt: skip
    assert found.labels.names == ("cat",)
    assert found.labels.state.tolist() == [[1], [-1], [0]]
    assert found.columns["site"].tolist() == ["n", "s", "w"]
    assert found.columns["__index_level_0__"].tolist() == ["1", "0", "1"]
    assert found.split.tolist() == ["train", "val", ""]


def test_lists_of_names(parquet):
    found = parquet(
        {"image": [*NAMES, "d.jpg"], "labels": [["cat", " hot  dog"], [], None, ["cat", "cat"]], "site": list("wxyz")}
    )
    assert found.kind == "parquet-lists"
    assert found.labels.names == ("cat", "hot dog")
    assert found.labels.state.tolist() == [[1, 1], [-1, -1], [0, 0], [1, -1]]
    assert found.columns["site"].tolist() == list("wxyz")
    assert "1 rows hold no list" in said(found)
    assert "1 rows list no label" in said(found)


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string()),
                                  pa.list_(pa.dictionary(pa.int8(), pa.string()))])  # fmt: skip
def test_lists_of_any_type(parquet, kind):
    lists = pa.array([["dog"], ["cat", "dog"], None], pa.list_(pa.string())).cast(kind)
    assert parquet({"image": NAMES, "tags": lists}).labels.state.tolist() == [[-1, 1], [1, 1], [0, 0]]


def test_lists_of_incomplete_labels(parquet):
    found = parquet({"image": NAMES, "labels": [["cat"], [], ["dog"]]}, unlisted="unknown")
    assert found.labels.state.tolist() == [[1, 0], [0, 0], [0, 1]]


def test_lists_of_numbers_are_classes_in_their_order(parquet):
    found = parquet({"image": NAMES, "labels": [[10], [2, 10], [9]]})
    assert found.labels.names == ("2", "9", "10")
    assert found.labels.state.tolist() == [[-1, -1, 1], [1, -1, 1], [-1, 1, -1]]


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.list_(pa.float32()), pa.list_(pa.float64(), 3)])
def test_lists_of_zeros_and_ones_are_a_column_a_class(parquet, kind):
    lists = pa.array([[0, 0, 1], [1, None, 1], [0, -1, 0]], kind)
    found = parquet({"image": NAMES, "labels": lists})
    assert found.labels.names == ("0", "1", "2")
    assert found.labels.state.tolist() == [[-1, -1, 1], [1, 0, 1], [-1, 0, -1]]
    absent = parquet({"image": NAMES, "labels": lists}, minus_one="absent")
    assert absent.labels.state[2].tolist() == [-1, -1, -1]


def test_a_list_of_the_only_names_needs_no_name_of_its_own(parquet):
    found = parquet({"image": NAMES, "what is there": [["cat"], [], None]})
    assert found.labels.state.tolist() == [[1], [-1], [0]]
    with pytest.raises(ManylabelError, match="several columns list classes: one, two"):
        parquet({"image": NAMES, "one": [["cat"], [], None], "two": [["cat"], [], None]})
    found = parquet({"image": NAMES, "one": [["cat"], [], None], "two": [["dog"], [], None]}, columns=("two",))
    assert found.labels.names == ("cat",)
    assert "not the labels are left out: two" in said(found)


def test_a_list_that_holds_what_is_no_class_leaves_the_row_unknown(parquet):
    columns = {"image": NAMES, "labels": [["cat", None], ["dog"], ["", "cat"]]}
    with pytest.raises(ManylabelError, match=r"labels.parquet, row 1, column 'labels': expected the name of a class"):
        parquet(columns)
    found = parquet(columns, mistakes="leave")
    assert found.labels.state.tolist() == [[1, 0], [-1, 1], [1, 0]]
    assert "2 labels left out" in found.mistakes[0]


def test_rows_of_one_image_are_joined(parquet):
    found = parquet({"image": ["a.jpg", "b.jpg", "a.jpg"], "labels": [["cat"], None, ["dog"]]})
    assert found.labels.ids == ("a.jpg", "b.jpg")
    assert found.labels.state.tolist() == [[1, 1], [0, 0]]
    long = parquet({"image": ["a.jpg", "b.jpg", "a.jpg"], "label": ["cat", "dog", "dog"]})
    assert long.labels.state.tolist() == [[1, 1], [-1, 1]]
    with pytest.raises(ManylabelError, match="one says present and another absent"):
        parquet({"image": ["a.jpg", "a.jpg"], "labels": [[0, 0, 1], [0, 1, 1]]})


def test_text_with_separators(parquet):
    found = parquet({"image": NAMES, "tags": ["cat|hot dog", "", "?"]})
    assert found.kind == "parquet-narrow"
    assert found.labels.state.tolist() == [[1, 1], [-1, -1], [0, 0]]


def test_a_folder_of_part_files(tmp_path):
    for k, (folder, cat) in enumerate((("site=north", [1, 0]), ("site=south", [None, 1]))):
        (tmp_path / folder).mkdir()
        made = table({"image": [f"{k}a.jpg", f"{k}b.jpg"], "cat": pa.array(cat, (pa.int8(), pa.float64())[k])})
        pq.write_table(made, tmp_path / folder / "part-0.snappy.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    found = read(tmp_path)
    assert found.labels.ids == ("0a.jpg", "0b.jpg", "1a.jpg", "1b.jpg")
    assert found.labels.state.ravel().tolist() == [1, -1, 0, 1]
    assert found.columns["site"].tolist() == ["north", "north", "south", "south"]
    pq.write_table(
        table({"image": ["z.jpg"], "cat": ["perhaps"], "dog": [1]}), tmp_path / "site=south" / "part-1.parquet"
    )
    with pytest.raises(ManylabelError, match=r"part-1.parquet, row 1, column 'cat'.*perhaps"):
        read(tmp_path)
    pq.write_table(table({"image": ["z.jpg"], "dog": [1]}), tmp_path / "site=south" / "part-1.parquet")
    found = read(tmp_path)
    assert found.labels.state.tolist() == [[1, 0], [-1, 0], [0, 0], [1, 0], [0, 1]]
    assert "part-1.parquet lacks the column 'cat': nothing is known there" in said(found)


def test_files_named_by_parts_say_the_part(tmp_path):
    for name in ("train", "test"):
        pq.write_table(table({"image": [f"{name}.jpg"], "cat": [1], "dog": [0]}), tmp_path / f"{name}.parquet")
    assert dict(zip(read(tmp_path).labels.ids, read(tmp_path).split)) == {"train.jpg": "train", "test.jpg": "test"}


def test_photographs_inside_are_said_and_named(tmp_path):
    images = [{"bytes": b"1", "path": None}, {"bytes": b"2", "path": None}]
    pq.write_table(table({"image": images, "labels": [["cat"], []]}), tmp_path / "train.parquet")
    found = read(tmp_path / "train.parquet")
    assert found.labels.ids == ("train/0", "train/1")
    assert "Photographs lie inside the file" in said(found)
    assert list(arrow.photographs(arrow.parquet_part(tmp_path / "train.parquet"))) == [b"1", b"2"]
    named = [{"bytes": b"1", "path": "x.png"}, {"bytes": b"2", "path": "y.png"}]
    pq.write_table(table({"image": named, "labels": [["cat"], []]}), tmp_path / "named.parquet")
    assert read(tmp_path / "named.parquet").labels.ids == ("x.png", "y.png")
    named[1]["path"] = "x.png"  # another picture of that name: they are two images
    pq.write_table(table({"image": named, "labels": [["cat"], []]}), tmp_path / "twice.parquet")
    assert read(tmp_path / "twice.parquet").labels.ids == ("twice/0", "twice/1")
    pq.write_table(table({"image": [b"1", b"2"], "labels": [["cat"], []]}), tmp_path / "plain.parquet")
    assert read(tmp_path / "plain.parquet").labels.ids == ("plain/0", "plain/1")


def test_columns_that_are_neither_are_said(parquet):
    boxes = pa.array([[[0.1]], [], []], pa.list_(pa.list_(pa.float32())))
    found = parquet({"image": NAMES, "cat": [1, 0, 1], "boxes": boxes, "mask": [b"", b"", b""], "ids": [[1], [], []]})
    assert found.labels.names == ("cat",)
    assert "neither labels nor text are left out: boxes (list<" in said(found)
    assert "mask (binary)" in said(found)
    assert "Columns of lists that are not the labels are left out: ids" in said(found)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"image": [], "cat": []}, "no rows"),
        ({"name": ["x"], "cat": [1]}, "no column holds the image"),
        ({"image": NAMES, "labels": [[], [], None]}, "lists no label in any row"),
        ({"image": NAMES, "size": ["a lot", "b", "c"]}, "no labels are found"),
        ({"image": ["a.jpg", None, "c.jpg"], "cat": [1, 0, 1]}, "row 2, column 'image': expected the path"),
        ({"image": ["a.jpg", "", "c.jpg"], "labels": [["x"]] * 3}, "row 2, column 'image': expected the path"),
        ({"image": NAMES, "split": ["train", "tset", ""], "cat": [1, 1, 1]}, "row 2, column 'split': expected train"),
        ({"image": NAMES, "cat": [1, 0, 7]}, "row 3, column 'cat'"),
        ({"image": NAMES, "labels": [[0.5], [], []]}, "row 1, column 'labels': expected the name or number"),
        ({"image": NAMES, "labels": [["x"]] * 3, "split": ["x", "", ""]}, "expected train, val, test or nothing"),
    ],
)
def test_what_cannot_be_read_names_the_place(parquet, columns, problem):
    with pytest.raises(ManylabelError, match=rf"(?s)labels.parquet.*{problem}"):
        parquet(columns)


def test_rows_without_an_image_are_left_out_and_said(parquet):
    for columns in ({"cat": [1, 0, 1]}, {"labels": [["cat"], [], ["cat"]]}):
        found = parquet({"image": ["a.jpg", None, "c.jpg"], **columns}, mistakes="leave")
        assert found.labels.ids == ("a.jpg", "c.jpg")
        assert found.labels.state.tolist() == [[1], [1]]
        assert "row 2" in found.mistakes[0]


def test_two_columns_of_one_name(tmp_path):
    pq.write_table(pa.Table.from_arrays([pa.array(["a.jpg"]), pa.array([1]), pa.array([0])], ["image", "cat", "cat"]),
                   tmp_path / "a.parquet")  # fmt: skip
    with pytest.raises(ManylabelError, match=r"a.parquet: two columns are named 'cat'"):
        read(tmp_path / "a.parquet")


def test_written_columns_are_int8_and_say_what_they_are(tmp_path):
    labels = LabelTable(np.array([[PRESENT, UNKNOWN], [ABSENT, UNKNOWN]], np.int8), ("cat", "dog"), ("a.jpg", "b.jpg"))
    site = np.array(["1", "0"])
    made = Dataset(
        labels, [tmp_path / name for name in labels.ids], np.array(["", ""]), {"site": site}, tmp_path, "", (), (0, 0)
    )
    formats.write(made, tmp_path / "out.parquet", "parquet")
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert [str(one.type) for one in schema] == ["string", "string", "int8", "int8"]
    assert json.loads(schema.metadata[b"manylabel"]) == {"columns": ["site"]}
    assert pq.read_table(tmp_path / "out.parquet").column("dog").null_count == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.parquet"]  # nothing is left to be kept beside it
    found = read(tmp_path / "out.parquet")
    assert found.labels.names == ("cat", "dog")  # site, which holds 1 and 0, is none
    twin = Dataset(labels, made.paths, made.split, {"cat": site}, tmp_path, "", (), (0, 0))
    with pytest.raises(ManylabelError, match="class 'cat' has the name of another column"):
        formats.write(twin, tmp_path / "twin.parquet", "parquet")


def test_many_images_by_many_classes(tmp_path):
    rng = np.random.default_rng(0)
    state = rng.choice([1, 0, -1], (10_000, 500)).astype(np.int8)
    columns = {f"c{c}": pa.array(column == 1, pa.int8(), mask=column == 0) for c, column in enumerate(state.T)}
    pq.write_table(
        table({"image": [f"{k}.jpg" for k in range(len(state))], **columns}),
        tmp_path / "a.parquet",
        row_group_size=3000,
    )
    np.testing.assert_array_equal(read(tmp_path / "a.parquet").labels.state, state)


def test_lists_too_many_for_a_table_are_kept_as_lists():
    names, ids = [str(c) for c in range(50)], [str(k) for k in range(4)]
    cells = [2, 0, 0, 3], [7, 49, 3, 1], [1, 1, -1, 1]
    full = listed.table_of(cells, names, ids, unjudged=[1, 3])
    lists = listed.table_of(cells, names, ids, unjudged=[1, 3], table=0)
    assert lists.is_sparse
    assert not full.is_sparse
    np.testing.assert_array_equal(lists.state, full.state)
    np.testing.assert_array_equal(listed.table_of(cells, names, ids, default=UNKNOWN, table=0).state,
                                  listed.table_of(cells, names, ids, default=UNKNOWN).state)  # fmt: skip


def test_recognised_as_itself(tmp_path):
    pq.write_table(table({"image": NAMES, "cat": [1, 0, None]}), tmp_path / "a.bin")
    for path in (tmp_path / "a.bin", tmp_path):
        if path == tmp_path:
            (tmp_path / "a.bin").rename(tmp_path / "a.parquet")
        assert formats.recognise(Source(path))[0] == "parquet"


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    pq.write_table(table({"image": NAMES, "cat": [1, 0, None]}), tmp_path / "a.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ManylabelError, match=r"pip install 'manylabel\[parquet\]'"):
        read(tmp_path / "a.parquet")


WIDE = {
    "image": NAMES,
    "cat": [1, 0, None],
    "dog": [None, 1, 0],
    "site": ["x", "y", "z"],
    "split": ["train", "val", "test"],
}
LISTS = {"image": NAMES, "labels": [["cat", "dog"], [], None]}


@pytest.mark.parametrize("columns", [WIDE, LISTS], ids=["wide", "lists"])
def test_damaged_files_are_errors_or_read(tmp_path, columns):
    sink = pa.BufferOutputStream()
    pq.write_table(table(columns), sink, compression="none")
    told = {"error": 0, "read": 0}
    for k, (what, content) in enumerate(corruptions(sink.getvalue().to_pybytes())):
        (tmp_path / "a.parquet").write_bytes(content)
        told[survives(tmp_path / "a.parquet", what, mistakes=("error", "leave")[k % 2])] += 1
    assert told["error"] >= 25


def test_the_counts_of_the_footer_are_not_asked(tmp_path):
    """Damaged, they end the process inside pyarrow: nobody could say which file it was."""
    images = [{"bytes": None, "path": name} for name in NAMES]
    images[0]["bytes"] = b""
    pq.write_table(table({"image": images, "cat": [1, 0, 1]}), tmp_path / "a.parquet", write_statistics=False)
    assert arrow.parquet_part(tmp_path / "a.parquet").inside
    images[0]["bytes"] = None
    pq.write_table(table({"image": images, "cat": [1, 0, 1]}), tmp_path / "b.parquet", write_statistics=False)
    assert not arrow.parquet_part(tmp_path / "b.parquet").inside
