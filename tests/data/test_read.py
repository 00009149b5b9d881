"""Reading label files: each test is a file somebody really has."""

import os
from pathlib import Path

import numpy as np
import pytest

from manylabel import data
from manylabel.labels import ManylabelError, did_you_mean


@pytest.fixture
def table(tmp_path):
    """Write a label file and read it."""

    def read(text, *, name="labels.csv", encoding="utf-8", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return data.read(path, **options)

    return read


def values(dataset):
    """{image: {class: 1, 0 or None}}."""
    return {
        image: {name: None if np.isnan(v) else int(v) for name, v in zip(dataset.labels.names, row)}
        for image, row in zip(dataset.labels.ids, dataset.labels.values)
    }


def said(dataset):
    return " ".join(dataset.notes)


def test_narrow_listed_is_present_and_unlisted_absent(table):
    found = table("image,labels,split,site\na.jpg,cat|hot dog,training,x\nb.jpg,,Validation,y\nc.jpg,dog,test,x\n")
    assert found.kind == "csv-narrow"
    assert values(found) == {
        "a.jpg": {"cat": 1, "dog": 0, "hot dog": 1},
        "b.jpg": {"cat": 0, "dog": 0, "hot dog": 0},  # reviewed, nothing there: kept
        "c.jpg": {"cat": 0, "dog": 1, "hot dog": 0},
    }
    assert found.split.tolist() == ["train", "val", "test"]
    assert found.where("site", "x").tolist() == [True, False, True]
    assert found.where("split", "val").tolist() == [False, True, False]
    assert found.lines == (2, 3, 4)
    assert "1 rows list no label" in said(found)


def test_unlisted_unknown_leaves_an_empty_list_unknown(table):
    found = table("image,labels\na.jpg,cat\nb.jpg,\nc.jpg,dog\n", unlisted="unknown")
    assert values(found)["a.jpg"] == {"cat": 1, "dog": None}
    assert values(found)["b.jpg"] == {"cat": None, "dog": None}


@pytest.mark.parametrize(
    ("cells", "separator", "names"),
    [
        (["cat|dog", "dog", '"cat|bow, arrow"'], "'|'", ("bow, arrow", "cat", "dog")),
        (["cat;dog", "dog", "cat"], "';'", ("cat", "dog")),
        (['"cat, dog"', "dog", '"dog,cat"'], "','", ("cat", "dog")),
        (
            ["haze primary water", "clear primary", "clear", "haze", "clear water"],
            "' '",
            ("clear", "haze", "primary", "water"),
        ),
    ],
)
def test_separators_are_found_and_said(table, cells, separator, names):
    found = table("image,labels\n" + "".join(f"{k}.jpg,{cell}\n" for k, cell in enumerate(cells)))
    assert found.labels.names == names
    assert f"separated by {separator}" in said(found)


def test_blank_inside_single_names_is_no_separator(table):
    found = table("image,label\na.jpg,traffic light\nb.jpg,stop sign\nc.jpg,person\n")
    assert found.labels.names == ("person", "stop sign", "traffic light")
    assert "separator=' '" in said(found)
    assert "cat" in table("image,labels\na.jpg,cat dog\n", separator=" ").labels.names


def test_lists_as_pandas_writes_them(table):
    found = table("image,labels\na.jpg,\"['cat', 'bow, arrow']\"\nb.jpg,[]\n")
    assert values(found)["a.jpg"] == {"bow, arrow": 1, "cat": 1}
    assert values(found)["b.jpg"] == {"bow, arrow": 0, "cat": 0}


def test_two_separators_in_one_file_are_an_error(table):
    with pytest.raises(ManylabelError, match=r"row 3, column 'labels'.*'cat;dog' reads as 2 known labels"):
        table("image,labels\na.jpg,cat|dog\nb.jpg,cat;dog\n")


def test_numeric_columns_of_a_narrow_file_are_no_classes(table):
    found = table("image,split,long_tail,labels\na.jpg,train,1,cat\nb.jpg,train,0,dog\n")
    assert found.labels.names == ("cat", "dog")
    assert found.where("long_tail", "1").tolist() == [True, False]


def test_narrow_question_mark_is_a_row_nobody_judged(table):
    found = table("image,labels\na.jpg,cat|dog\nb.jpg,?\n")
    assert values(found)["b.jpg"] == {"cat": None, "dog": None}


def test_blanks_are_removed_and_capitals_kept_apart(table):
    found = table("image,labels\n a.jpg ,Dog| cat\nb.jpg,dog |\u00a0dog|cafe\u0301\nc.jpg,caf\u00e9||\n")
    assert found.labels.names == ("Dog", "caf\u00e9", "cat", "dog")
    assert found.labels.ids[0] == "a.jpg"
    assert "differ in capitals" in said(found)
    assert "Blanks around names" in said(found)
    joined = found.rename({"Dog": "dog"})
    assert values(joined)["a.jpg"] == {"dog": 1, "cat": 1, "caf\u00e9": 0}
    with pytest.raises(ManylabelError, match=r"no class 'dgo'.*Did you mean 'dog'"):
        found.rename({"dgo": "dog"})


def test_rename_keeps_unknown_over_absent(table):
    found = table("image,Dog,dog\na.jpg,0,\nb.jpg,1,0\nc.jpg,0,0\n").rename({"Dog": "dog"})
    assert found.labels.state[:, 0].tolist() == [0, 1, -1]


def test_wide_values(table):
    found = table(
        "image,scene,cat,dog,split\na.jpg,beach,1,0,train\nb.jpg,road,,?,test\nc.jpg,road,nan,-1,test\nd.jpg,sea,1.0,TRUE,\n"
    )
    assert found.kind == "csv-wide"
    assert values(found) == {
        "a.jpg": {"cat": 1, "dog": 0},
        "b.jpg": {"cat": None, "dog": None},
        "c.jpg": {"cat": None, "dog": None},
        "d.jpg": {"cat": 1, "dog": 1},
    }
    assert found.columns["scene"].tolist() == ["beach", "road", "road", "sea"]
    assert "scene" in said(found)
    assert "-1 (1 cells) is read as unknown" in said(found)


@pytest.mark.parametrize(("minus_one", "state"), [("unknown", 0), ("absent", -1), ("present", 1)])
def test_minus_one(table, minus_one, state):
    found = table("image,cat\na.jpg,-1\nb.jpg,1\n", minus_one=minus_one)
    assert found.labels.state[:, 0].tolist() == [state, 1]
    assert ("give minus_one='absent'" in said(found)) == (minus_one == "unknown")


@pytest.mark.parametrize("bad", ["maybe", "2"])
def test_a_bad_cell_is_an_error_not_a_further_column(table, bad):
    with pytest.raises(ManylabelError, match=rf"labels.csv, row 4, column 'dog'.*'{bad}' \(row 4\)"):
        table(f"image,cat,dog\na.jpg,1,0\nb.jpg,0,1\nc.jpg,1,{bad}\n")
    found = table(f"image,cat,dog\na.jpg,1,0\nb.jpg,0,1\nc.jpg,1,{bad}\n", columns=("dog",))
    assert found.labels.names == ("cat",)
    assert found.columns["dog"].tolist() == ["0", "1", bad]


def test_columns_says_what_is_no_class(table):
    found = table("image,reviewed,cat\na.jpg,1,0\nb.jpg,0,1\n", columns=("reviewed",))
    assert found.labels.names == ("cat",)
    with pytest.raises(ManylabelError, match=r"no column 'reviewd'.*Did you mean 'reviewed'"):
        table("image,reviewed,cat\na.jpg,1,0\n", columns=("reviewd",))


def test_class_text_beside_class_columns_must_be_settled(table):
    text = "image,class,cat,dog\na.jpg,pets,1,0\nb.jpg,pets,0,1\n"
    with pytest.raises(ManylabelError, match=r"two ways.*columns=\('class',\)"):
        table(text)
    assert table(text, columns=("class",)).labels.names == ("cat", "dog")


def test_all_unknown_column_and_class_without_positive_are_kept(table):
    found = table("image,cat,dog,owl\na.jpg,1,,0\nb.jpg,0,,0\n")
    assert found.labels.names == ("cat", "dog", "owl")
    assert found.labels.state[:, 1].tolist() == [0, 0]
    assert found.labels.counts.tolist() == [1, 0, 0]
    assert "Nothing is known of 1 classes" in said(found)


def test_one_image_one_class(table):
    assert values(table("image,cat\na.jpg,1\n")) == {"a.jpg": {"cat": 1}}
    assert values(table("image,labels\na.jpg,cat\n")) == {"a.jpg": {"cat": 1}}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_byte_order_mark_and_encodings(table, encoding):
    found = table("image,labels\r\n\r\nö.jpg,Bär|Löwe\r\n", encoding=encoding)
    assert found.labels.names == ("Bär", "Löwe")
    assert found.labels.ids == ("ö.jpg",)
    assert found.lines == (3,)  # the blank line counts
    assert "image is in column" not in said(found)  # no mark is left before the first name
    assert ("not UTF-8" in said(found)) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Image;Labels\na.jpg;cat,dog\n", "labels.csv"),
        ("filename\tTags\na.jpg\tcat,dog\n", "labels.tsv"),
        ("sep=;\r\nFile Name;labels\r\na.jpg;cat|dog\r\n", "labels.csv"),
        ('Photo of,"labels"\na.jpg,"cat,dog"\n', "labels.csv"),
    ],
)
def test_delimiters_and_header_names(table, text, name):
    assert values(table(text, name=name)) == {"a.jpg": {"cat": 1, "dog": 1}}


@pytest.mark.parametrize(
    ("text", "classes", "others"),
    [
        # The headers of CheXpert, ChestX-ray14, CelebA, Planet, Open Images and a Roboflow export.
        (
            "Path,Sex,Age,Edema,No Finding\nt/1.jpg,Female,68,1.0,\nt/2.jpg,Male,1,-1.0,0.0\nt/3.jpg,Male,90,,1.0\n",
            ("Edema", "No Finding"),
            ["Sex", "Age"],
        ),
        ("Image Index,Finding Labels,Age\n1.png,Hernia|Mass,1\n2.png,Mass,0\n", ("Hernia", "Mass"), ["Age"]),
        ("image_id,Bald,Young\n1.jpg,-1,1\n2.jpg,-1,-1\n", ("Bald", "Young"), []),
        ("image_name,tags\ntrain_0,haze primary\ntrain_1,haze\ntrain_2,primary\n", ("haze", "primary"), []),
        ("ImageID,Source,LabelName\n0a,v,/m/01\n0a,v,/m/02\n", ("/m/01", "/m/02"), ["Source"]),
        ("id,shot,labels\n7,a.jpg,cat\n8,b.jpg,dog\n", ("cat", "dog"), ["id"]),
        ("Id,Target\n00070df0,16 0\n000a6c98,0\n000a9596,16\n", ("0", "16"), []),
        ("filename, cat, image\na.jpg, 1, 0\nb.jpg, 0, 1\n", ("cat", "image"), []),
    ],
)
def test_files_of_well_known_sets(table, text, classes, others):
    found = table(text)
    assert found.labels.names == classes
    assert list(found.columns) == others


def test_quoted_class_names_and_index_columns(table):
    found = table('Unnamed: 0,image,"bow, arrow",cat,\n0,a.jpg,1,0,\n1,b.jpg,0,1,\n')
    assert found.labels.names == ("bow, arrow", "cat")
    assert found.columns["Unnamed: 0"].tolist() == ["0", "1"]


def test_equal_rows_are_merged_and_blanks_filled(table):
    found = table("image,cat,dog\na.jpg,1,\n./a.jpg,1,0\nb.jpg,0,1\nb.jpg,0,1\n")
    assert values(found) == {"a.jpg": {"cat": 1, "dog": 0}, "b.jpg": {"cat": 0, "dog": 1}}
    assert found.lines == (2, 4)
    assert "2 rows repeat an image" in said(found)


@pytest.mark.parametrize(
    "text",
    ["image,cat,dog\na.jpg,1,1\nb.jpg,1,0\na.jpg,1,0\n", "image,labels\na.jpg,cat|dog\nb.jpg,cat\na.jpg,cat\n"],
)
def test_conflicting_rows(table, text):
    with pytest.raises(ManylabelError, match=r"'a.jpg' \(rows 2, 4\) on dog.*conflicts=\"unknown\""):
        table(text)
    found = table(text, conflicts="unknown")
    assert values(found)["a.jpg"] == {"cat": 1, "dog": None}
    assert "'a.jpg' (rows 2, 4) on dog" in said(found)


def test_long_layout_joins_the_rows_of_an_image(table):
    found = table("image,label,x\na.jpg,cat,1\na.jpg,dog,2\nb.jpg,dog,3\nc.jpg,,4\n")
    assert values(found) == {
        "a.jpg": {"cat": 1, "dog": 1},
        "b.jpg": {"cat": 0, "dog": 1},
        "c.jpg": {"cat": 0, "dog": 0},
    }
    assert found.columns["x"].tolist() == ["1|2", "3", "4"]
    assert "One label per row" in said(found)


def test_paths_resolve_beside_the_file(table, tmp_path):
    found = table("image,labels\nimages\\a.jpg,cat\n/abs/b.jpg,dog\n")
    assert found.paths == (tmp_path / "images" / "a.jpg", Path("/abs/b.jpg"))
    assert table("image,labels\na.jpg,cat\n", root=tmp_path / "x").paths == (tmp_path / "x" / "a.jpg",)
    assert all(path.is_absolute() for path in data.read(Path(os.path.relpath(tmp_path / "labels.csv"))).paths)


def test_names_without_ending_are_looked_up(table, tmp_path):
    (tmp_path / "train_0.PNG").touch()
    found = table("image_name,tags\ntrain_0,haze\ntrain_1,clear\n")
    assert found.paths == (tmp_path / "train_0.PNG", tmp_path / "train_1")
    assert found.labels.ids == ("train_0", "train_1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("image,labels\n", "no rows"),
        ("a.jpg,cat\nb.jpg,dog\n", "expected a header"),
        ("nr,scene\n1,beach\n", "no column holds the image"),
        ("image,scene\na.jpg,beach\n", "no labels are found"),
        ("image,labels\na.jpg,\n", "no label in any row"),
        ("image,cat,cat \na.jpg,1,0\n", "columns 2 and 3 are both named 'cat'"),
        ("image,labels\na.jpg,cat,dog\n", r"row 2: expected 2 cells.*got 3.*quotes"),
        ("image,cat,dog\na.jpg,1,0\nb.jpg,1\n", r"row 3: expected 3 cells.*cut off"),
        ('image,labels\na.jpg,"cat\nb.jpg,dog\n', r"row 2: .*quotation mark"),
        ("image,labels\n,cat\n", r"row 2, column 'image': expected the path.*got nothing"),
        ("image,labels\nhttps://x.org/a.jpg,cat\n", "web address.*download"),
        ("image,labels,split\na.jpg,cat,tarin\n", r"row 2, column 'split': .*'tarin'.*Did you mean 'train'"),
        ("image,labels,split\na.jpg,cat,train\na.jpg,cat,test\n", r"rows 2, 3: 'a.jpg' is in test and train"),
        (b"PK\x03\x04rest", "spreadsheet"),
    ],
)
def test_errors_say_where_and_what_to_do(table, text, message):
    with pytest.raises(ManylabelError, match=message):
        table(text)


def test_wrong_words_name_the_nearest(table, tmp_path):
    with pytest.raises(ManylabelError, match="Did you mean 'unknown'"):
        table("image,labels\na.jpg,cat\n", unlisted="unknwon")
    with pytest.raises(ManylabelError, match=r"Did you mean 'labels.csv'"):
        data.read(tmp_path / "label.csv")
    found = table("image,labels,site\na.jpg,cat,north\n")
    with pytest.raises(ManylabelError, match=r"no column 'sit'.*Did you mean 'site'"):
        found.where("sit", "north")
    with pytest.raises(ManylabelError, match=r"no row has site = 'nroth'.*Did you mean 'north'"):
        found.where("site", "nroth")


def test_a_folder_with_one_table_means_the_table(table, tmp_path):
    table("image,labels\na.jpg,cat\n", name="mine.csv")
    assert data.read(tmp_path).kind == "csv-narrow"


def test_rows_keeps_everything_in_step(table):
    found = table("image,labels,split,site\na.jpg,cat,train,x\nb.jpg,dog,val,y\nc.jpg,,test,z\n").rows([2, 0])
    assert found.labels.ids == ("c.jpg", "a.jpg")
    assert [path.name for path in found.paths] == ["c.jpg", "a.jpg"]
    assert (found.split.tolist(), found.columns["site"].tolist(), found.lines) == (
        ["test", "train"],
        ["z", "x"],
        (4, 2),
    )
    assert found.place(0) == "labels.csv, row 4 (c.jpg)"


def test_mistakes_are_left_and_said_where_that_is_asked_for(table):
    text = "image,cat,dog\na.jpg,1,0\nb.jpg,maybe,1\nc.jpg,1\n,1,1\nd.jpg,0,2\nd.jpg,1,\n"
    with pytest.raises(ManylabelError, match="row 4: expected 3 cells"):
        table(text)
    found = table(text, mistakes="leave")
    assert values(found) == {
        "a.jpg": {"cat": 1, "dog": 0},
        "b.jpg": {"cat": None, "dog": 1},
        "d.jpg": {"cat": None, "dog": None},
    }
    assert found.lines == (2, 3, 6)
    assert [words.split(":")[0] for words in found.mistakes] == [
        "1 row of another width left out",
        "1 row names no image, left out",
        "1 cell of column 'cat' is none of 1, 0 and blank, and left unknown",
        "1 cell of column 'dog' is none of 1, 0 and blank, and left unknown",
        "Rows of one image disagree; the cells were made unknown",
    ]
    assert table("image,cat\na.jpg,1\n").mistakes == ()


def test_lists_and_plain_names_in_one_column_are_refused(table):
    with pytest.raises(ManylabelError, match=r"row 3, column 'labels': other cells hold lists .* got 'cat'"):
        table("image,labels\na.jpg,\"['cat', 'dog']\"\nb.jpg,cat\n")
    assert table("image,labels\na.jpg,[old] map|cat\nb.jpg,cat\n").labels.names == ("[old] map", "cat")


def test_brackets_nested_a_thousand_deep_are_an_error(table):
    with pytest.raises(ManylabelError, match="row 2, column 'labels': expected a list"):
        table("image,labels\na.jpg," + "[" * 20_000 + "]" * 20_000)


@pytest.mark.parametrize(
    ("word", "valid", "hint"),
    [
        ("precision", ["precision=0.9", "prevalence", "decision"], " Did you mean 'precision=0.9'?"),
        ("eff", ["efficientnet_lite0", "timm:resnet50"], " Did you mean 'efficientnet_lite0'?"),
        ("EFF", ["efficientnet_lite0", "timm:resnet50"], " Did you mean 'efficientnet_lite0'?"),
        ("ridge", ["Ridge", "ridge_cv"], " Did you mean 'Ridge'?"),
        ("DGO", ["cat", "dog"], " Did you mean 'dog'?"),
        ("e", ["efficientnet_lite0", "timm:resnet50"], ""),
        ("", ["cat"], ""),
        ("un", ["unicycle", "university", "underpass", "unicorn"], ""),  # of four beginnings none is nearer
    ],
)
def test_words_are_found_by_their_beginning(word, valid, hint):
    assert did_you_mean(word, valid).partition(" Valid")[0] == hint
