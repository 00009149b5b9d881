"""YOLO data sets in the layouts that people have, their YAML, and damaged ones."""

import json
import os
import shutil

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import corruptions, survives
from manylabel.data import formats, read
from manylabel.data.formats import _yaml
from manylabel.data.source import Source
from manylabel.labels import ManylabelError

DATA = """# pets, made for a test
path: ../pets  # root
train: images/train
val:
  - images/val
test: lists/test.txt

kpt: none
nc: 3
names:
  0: cat
  1: 'hot dog'
  2: "n\\u00b01"
download: |
  from pathlib import Path
  names: [no, names]
"""
LABELS = {
    "labels/train/a.txt": "0 0.5 0.5 0.2 0.4\n1 0.25 0.25 0.5 0.5\r\n\n0 0.9 0.9 0.2 0.2\n",
    "labels/train/sub/b.c.txt": "2 0.1 0.2 0.5 0.2 0.5 0.6\n",
    "labels/train/empty.txt": "",
    "labels/train/lost.txt": "1.0 5e-1 0.5 1 1",
    "labels/val/d.txt": "0 0.5 0.5 0.2 0.4 0.75\n0 0.5 0.5 0.1 0.1 0.5\n1 0.5 0.5 0.1 0.1 1.0\n",
    "labels/all/t.txt": "1 0.5 0.5 1.0 1.0\n",
}
IMAGES = (
    "train/a.jpg",
    "train/sub/b.c.png",
    "train/empty.jpg",
    "train/none.JPG",
    "val/d.jpg",
    "all/t.jpg",
    "all/u.jpg",
)


def made(tmp_path, data=DATA, labels=LABELS, name="pets"):
    root = tmp_path / name
    if root.exists():
        shutil.rmtree(root)
    for file, text in {**labels, "lists/test.txt": "./../images/all/t.jpg\nimages/all/u.jpg\n"}.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    for file in IMAGES:
        (root / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / file).touch()
    (root / "images" / "train" / "notes.md").touch()
    if data is not None:
        (root / "data.yaml").write_text(data, encoding="utf-8")
    return root


@pytest.mark.parametrize("whole", [True, False])
def test_every_cell_of_a_data_set(tmp_path, whole):
    root = made(tmp_path)
    data = read(root if whole else root / "data.yaml")
    assert data.kind == "yolo"
    assert data.labels.names == ("cat", "hot dog", "n°1")
    rows = dict(zip(data.labels.ids, data.labels.state.tolist()))
    assert rows == {
        "images/train/a.jpg": [1, 1, -1], "images/train/empty.jpg": [-1, -1, -1], "images/train/lost": [-1, 1, -1],
        "images/train/none.JPG": [-1, -1, -1], "images/train/sub/b.c.png": [-1, -1, 1], "images/val/d.jpg": [0, 1, -1],
        "images/all/t.jpg": [-1, 1, -1], "images/all/u.jpg": [-1, -1, -1],
    }  # fmt: skip
    assert data.split.tolist() == ["train"] * 5 + ["val"] + ["test"] * 2
    place = {name: k for k, name in enumerate(data.labels.ids)}
    found = data.beside.boxes
    boxes = [
        (data.labels.ids[r], c, [round(v, 9) for v in box], mark)
        for r, c, box, mark in zip(found.rows, found.columns.tolist(), found.values, found.words)
    ]
    assert boxes[:4] == [
        ("images/train/a.jpg", 0, [0.4, 0.3, 0.2, 0.4], ""), ("images/train/a.jpg", 1, [0, 0, 0.5, 0.5], ""),
        ("images/train/a.jpg", 0, [0.8, 0.8, 0.2, 0.2], ""), ("images/train/lost", 1, [0, 0, 1, 1], ""),
    ]  # fmt: skip
    assert boxes[4] == ("images/train/sub/b.c.png", 2, [0.1, 0.2, 0.4, 0.4], "polygon")
    assert [mark for *_, mark in boxes[5:8]] == ["confidence=0.75", "confidence=0.5", ""]
    soft = data.beside.soft
    assert (soft.rows.tolist(), soft.columns.tolist(), soft.values.tolist()) == (
        [place["images/val/d.jpg"]],
        [0],
        [0.75],
    )
    assert str(data.paths[0]) == str(root / "images" / "train" / "a.jpg")
    said = "\n".join(data.notes)
    for part in (
        "2 images have no text file of labels; by YOLO's rule nothing is on them",
        "Keys of data.yaml that are not read: kpt.",
        "1 images have an empty text file",
        "1 text files of labels have no image, such as lost.txt",
    ):
        assert part in said


def test_background_may_be_unknown(tmp_path):
    data = read(made(tmp_path), unlisted="unknown")
    assert data.labels.state[data.labels.ids.index("images/train/none.JPG")].tolist() == [0, 0, 0]


def test_key_points_are_no_polygon(tmp_path):
    labels = {"labels/train/a.txt": "0 0.5 0.5 0.2 0.4 0.1 0.9 2 0.3 0.3 2"}
    data = read(made(tmp_path, "train: images/train\nnames: [cat]\nkpt_shape: [2, 3]\n", labels))
    np.testing.assert_allclose(data.beside.boxes.values, [[0.4, 0.3, 0.2, 0.4]])
    assert data.beside.boxes.words == ("keypoints",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            "train: ../images/train\nval: ../images/val\nnames: ['cat', 'dog', x]\nroboflow: {project: p}",
            "is taken for",
        ),
        (
            "path: /content/pets\ntrain: /content/pets/images/train\nval: images/val\nnames: [cat, dog, x]",
            "There is no folder",
        ),
        ("train: C:\\pets\\images\\train\nval: images/val\nnames: [cat, dog, x]", "is taken for"),
        ("train: images/train\nvalid: images/val\nnc: 3\n", ""),
        ("train: [images/train]\nval: images/val\nnames: classes.txt\n", ""),
    ],
)
def test_paths_of_another_machine_and_other_names(tmp_path, data, said):
    root = made(tmp_path, data)
    (root / "classes.txt").write_text("cat\ndog\nx\n")
    found = read(root / "data.yaml")
    assert len(found) == 6
    assert found.labels.counts.tolist() == [1, 3, 1]
    assert said in "\n".join(found.notes)


def test_validation_on_the_training_images_is_said(tmp_path):
    root = made(tmp_path, "train: images/train\nval: images/train\nnames: [cat, dog, x]")
    data = read(root)
    assert set(data.split) == {"train"}
    assert "val lists the same images as train" in "\n".join(data.notes)


def test_a_leak_between_parts_is_a_mistake(tmp_path):
    root = made(tmp_path, "train: images/train\nval: [images/val, images/train/a.jpg]\nnames: [cat, dog, x]")
    with pytest.raises(ManylabelError, match=r"a.jpg is in train and val at once"):
        read(root)
    data = read(root, mistakes="leave")
    assert "train and val at once" in data.mistakes[0]
    assert data.split[data.labels.ids.index("images/train/a.jpg")] == "train"


def test_darknet_as_cvat_exports_it(tmp_path):
    root = tmp_path / "task"
    (root / "obj_train_data" / "sub").mkdir(parents=True)
    (root / "obj.names").write_text("cat\nhot dog\n\n")
    (root / "obj.data").write_text("classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    (root / "train.txt").write_text("data/obj_train_data/a.jpg\ndata/obj_train_data/sub/b.jpg\n")
    (root / "obj_train_data" / "a.txt").write_text("1 0.5 0.5 1 1\n")
    (root / "obj_train_data" / "sub" / "b.txt").write_text("")
    for path in (root, root / "obj.data"):
        data = read(path)
        assert (data.labels.names, data.labels.state.tolist()) == (("cat", "hot dog"), [[-1, 1], [-1, -1]])
        assert data.labels.ids == ("obj_train_data/a.jpg", "obj_train_data/sub/b.jpg")
        assert data.split.tolist() == ["train", "train"]


def test_folders_without_data_yaml(tmp_path):
    root = made(tmp_path, None, {k: v for k, v in LABELS.items() if "all" not in k})
    shutil.rmtree(root / "images" / "all")
    shutil.rmtree(root / "lists")
    numbered = read(root)
    assert numbered.labels.names == ("0", "1", "2")
    assert numbered.split.tolist() == ["train"] * 5 + ["val"]
    (root / "classes.txt").write_text("cat\ndog\nx\ny\n")
    assert read(root).labels.names == ("cat", "dog", "x", "y")
    assert read(root).labels.state[:, :3].tolist() == numbered.labels.state.tolist()


def test_roboflow_without_data_yaml(tmp_path):
    for part in ("train", "valid"):
        (tmp_path / part / "images").mkdir(parents=True)
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "images" / f"{part}.jpg").touch()
        (tmp_path / part / "labels" / f"{part}.txt").write_text("0 0.5 0.5 1 1")
    data = read(tmp_path)
    assert data.labels.ids == ("train/images/train.jpg", "valid/images/valid.jpg")
    assert data.split.tolist() == ["train", "val"]


def test_labels_beside_the_images(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    (tmp_path / "a.txt").write_text("1 0.5 0.5 1 1")
    (tmp_path / "readme.txt").write_text("by hand")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    data = read(tmp_path)
    assert (data.labels.ids, data.labels.state.tolist()) == (("a.jpg", "b.jpg"), [[-1, 1], [-1, -1]])
    assert "readme.txt is no file of labels" in "\n".join(data.notes)


def test_a_folder_of_classes_is_not_claimed(tmp_path):
    for name in ("cat/a.jpg", "images/b.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert formats.recognise(Source(tmp_path))[0] == "folder"


LINES = [
    ("3 0.5 0.5 1 1", "class 3 has no name: there are 3 classes, 0 to 2"),
    ("-1 0.5 0.5 1 1", "class -1 has no name"),
    ("cat 0.5 0.5 1 1", "expected the number of a class, got 'cat'"),
    ("0.5 0.5 0.5 1 1", "expected the number of a class, got '0.5'"),
    ("0 0.5 0.5 1", "expected a class and at least 4 numbers, got 4 in all"),
    ("0 320 240 100 100", "expected shares of the image, from 0 to 1, got 320; YOLO does not count in pixels"),
    ("0 0.5 nan 1 1", "expected a number for number 3, got 'nan'"),
    ("0 0.5 1e308 1 1", "expected shares of the image"),
    ("0 0.5 1e999 1 1", "expected a number for number 3"),
    ("0 0.5 0.5 -0.5 1", "expected shares of the image"),
    ("0 0.5 0.5 1 1 7", "expected a confidence"),
    ("0 0,5 0,5 1 1", "expected a number for number 2, got '0,5'"),
]


@pytest.mark.parametrize(("line", "said"), LINES, ids=[line for line, _ in LINES])
def test_a_mistake_names_file_and_line(tmp_path, line, said):
    root = made(tmp_path, labels={**LABELS, "labels/train/a.txt": f"1 0.5 0.5 1 1\n{line}\n"})
    with pytest.raises(ManylabelError, match=r"labels/train/a.txt, line 2: ") as problem:
        read(root)
    assert said in str(problem.value)
    data = read(root, mistakes="leave")
    row = data.labels.state[data.labels.ids.index("images/train/a.jpg")].tolist()
    assert row == [0, 1, 0]  # what the line would have said is not known
    assert said in data.mistakes[0]
    assert "labels/train/a.txt, line 2" in data.mistakes[0]


DESCRIBED = [
    ("train: images/train\nnames: [cat, cat, dog]", "classes 0 and 1 have one name, 'cat'"),
    ("train: images/train\nnames: [cat, dog]\nnc: 3", "nc says 3 classes, names has 2"),
    ("train: images/train\nnames: [cat, '']", "names: expected a name of class 1, got ''"),
    ("train: images/train\nnames: {x: cat}", "names: expected a whole number from 0 to 999999, got 'x'"),
    ("train: images/train\nnames: {99999999: cat}", "expected a whole number from 0 to 999999"),
    ("train: images/train\nnc: many", "nc: expected a whole number"),
    ("train: images/train\nnames:", "expected names, the class names"),
    ("train: pictures\nnames: [cat, dog, x]", "there is no folder or list 'pictures'"),
    ("train: {a: b}\nnames: [cat, dog, x]", "train: expected a folder, a list of images"),
    ("train: images/train\nnames: &n [cat, dog]", "line 2: YAML with anchors, aliases or tags is not read"),
    ("train: images/train\nnames: !!python/object:os.system [x]", "line 2: YAML with anchors, aliases or tags"),
    ("train: images/train\nnames: [cat, dog", "data.yaml, line 2: "),
    ("train: images/train\ntrain: images/val\nnames: [cat]", "line 2: the key 'train' stands here for the second time"),
    ("trian: images/train\nval: \nnames: [cat]", "Did you mean 'trian'"),
    ("path: [a]\ntrain: images/train\nnames: [cat]", "path: expected the name of a folder"),
]


@pytest.mark.parametrize("own", [True, False], ids=["own", "PyYAML"])
@pytest.mark.parametrize(("data", "said"), DESCRIBED, ids=[said for _, said in DESCRIBED])
def test_a_mistake_in_data_yaml_is_named(tmp_path, monkeypatch, data, said, own):
    if own:
        monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    root = made(tmp_path, data)
    with pytest.raises(ManylabelError) as problem:
        read(root)
    assert said in str(problem.value)
    assert "data.yaml" in str(problem.value)


def test_no_labels_at_all(tmp_path):
    root = made(tmp_path)
    shutil.rmtree(root / "labels")
    with pytest.raises(ManylabelError, match="no text file of labels is found for the images of images/train"):
        read(root)


YAML = (
    "nc: 2  # classes\nnames:\n  0: cat\n  1: 'hot: dog'\ntrain: [a, b]",
    'a:\n- x\n- y: 1\n  z: "q\\n"\n- - 1\n  - 2\n',
    "a: \"x # y\" # c\nb: 'it''s'\n'c d': \"\\x41\\u00e9\\U0001F600\\\\\"",
    'names: [a, "b, c",\n  d, # last\n  e]\nnc: 4',
    "download: |\n  import os\n  # no comment\n  x: [\n\nnc: 3",
    "a: plain text\n  goes on\nb: ~\nc:\nd: null\ne: 'null'",
    "--- # start\n{a: 1, b: [x, y], c: {d: e}}",
    "a: >-\n  folded\n  text\nb: x#y\nc: #d",
    "path: C:\\x\\y\nurl: http://a.b/c:d\né: ü\nf: yes\ng: 012",
)
NOT_YAML = ("a: &x 1\nb: *x", "a: !!str 1", "<<: 1", "a: 1\na: 2", "a: [1, 2", "\ta: 1", "a: b: c", "a: @x",
            "%YAML 1.1\n---\na: 1",
            "a: 1\n---\nb: 2", "a: 1\n b: 2", "a: 'x' y", "a: [a, , b]", "a: 'open", "a: \x07", 'a: "\\q"', "b: - 1",
            "a: " + "[" * 30 + "]" * 30)  # fmt: skip


@pytest.mark.parametrize("text", YAML)
def test_the_own_reader_of_yaml_reads_what_pyyaml_reads(text):
    assert _yaml.parse_plain(text) == _yaml._with_yaml(yaml, text)


@pytest.mark.parametrize("text", NOT_YAML)
def test_both_readers_of_yaml_refuse_the_same(text, monkeypatch):
    with pytest.raises(ManylabelError, match=r"^data.yaml, line \d+: "):
        _yaml.parse(text, "data.yaml")
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(ManylabelError, match=r"^data.yaml, line \d+: "):
        _yaml.parse(text, "data.yaml")


UNSEEN = ("Cc", "Cs", "Zl", "Zp", "Cn", "Co")
NAME = st.text(st.characters(codec="utf-8", exclude_categories=UNSEEN), min_size=1, max_size=8)
VALUE = NAME | st.lists(NAME, max_size=3) | st.dictionaries(NAME, NAME, max_size=3)


@settings(max_examples=30, deadline=None)
@given(tree=st.dictionaries(NAME, VALUE, min_size=1), flow=st.sampled_from([None, True, False]))
def test_whatever_pyyaml_writes_is_read_alike(tree, flow):
    text = yaml.safe_dump(tree, allow_unicode=True, default_flow_style=flow, width=40)
    try:
        found = _yaml.parse_plain(text)
    except _yaml.Refused:
        assert (
            "? " in text or "\\\n" in text or "\n\n" in text
        )  # long keys and folded words, which nobody writes by hand
    else:
        assert found == _yaml._with_yaml(yaml, text)


@pytest.mark.parametrize("mistakes", ["error", "leave"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "PyYAML"])
def test_damaged_files(tmp_path, monkeypatch, mistakes, own):
    if own:
        monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    root, outcomes = made(tmp_path), []
    for k, name in enumerate(("data.yaml", "labels/val/d.txt", "lists/test.txt")):
        whole = (root / name).read_bytes()
        for what, data in corruptions(whole, k):
            (root / name).write_bytes(data)
            outcomes.append(survives(root, f"{name}: {what}", mistakes=mistakes, format="yolo"))
        (root / name).write_bytes(whole)
    assert len(outcomes) > 100
    assert {"error", "read"} == set(outcomes)


def test_what_is_written(tmp_path):
    root = made(tmp_path)
    labels = tmp_path / "labels.jsonl"
    lines = [
        {"manylabel": 1, "classes": ["cat", "n°1: x"]},
        {"image": "pets/images/train/a.jpg", "labels": ["cat"], "split": "val",
         "boxes": [{"label": "cat", "box": [0.1, 0.2, 0.5, 0.5]}]},
        {"image": "pets/images/val/d.jpg", "labels": ["cat", "n°1: x"],
         "boxes": [{"label": "cat", "box": [0, 0, 1, 1]}]},
        {"image": "b/a.png", "labels": []},
        {"image": "../b/a.jpg", "labels": [], "reviewed": False},
    ]  # fmt: skip
    labels.write_text("\n".join(map(json.dumps, lines)))
    out = tmp_path / "out"
    formats.write(read(labels), out, "yolo")
    said = yaml.safe_load((out / "data.yaml").read_text())
    assert list(said) == ["train", "val", "unboxed", "unlabelled", "nc", "names"]
    assert said["names"] == {0: "cat", 1: "n°1: x"}
    assert (out / "val.txt").read_text() == "./images/pets/images_/train/a.jpg\n"
    assert (out / "train.txt").read_text() == "./images/b/a.png\n"
    assert (out / "unboxed.txt").read_text() == "./images/pets/images_/val/d.jpg\n"  # a label without a box
    assert (out / "unlabelled.txt").read_text() == "./images/b/a_2.jpg\n"  # nobody judged it; a.txt is taken
    assert (out / "labels/pets/images_/train/a.txt").read_text() == "0 0.35 0.45 0.5 0.5\n"
    assert (out / "labels/b/a.txt").read_text() == ""
    assert not (out / "labels/b/a_2.txt").exists()
    link = out / "images/pets/images_/train/a.jpg"
    assert link.is_symlink()
    assert os.path.samefile(link, root / "images/train/a.jpg")
    (out / "manylabel.json").unlink()
    data = read(out)
    assert data.labels.state.tolist() == [[-1, -1], [1, -1], [1, -1], [0, 0]]
    assert data.split.tolist() == ["train", "val", "", ""]
    assert data.beside.reviewed.tolist() == [True, True, True, False]


def test_photographs_need_no_links(tmp_path, monkeypatch):
    def forbidden(*_):
        raise OSError("not here")

    monkeypatch.setattr("pathlib.Path.symlink_to", forbidden)
    source = read(made(tmp_path))
    formats.write(source, tmp_path / "out", "yolo")
    again = read(tmp_path / "out")
    assert again.labels.state.tolist() == source.labels.state.tolist()
    assert list(again.paths) == list(source.paths)
