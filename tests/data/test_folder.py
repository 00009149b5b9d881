"""A folder per class: several classes for one image, parts on top, and what is left out is said."""

import numpy as np
import pytest
from PIL import Image

from manylabel import data
from manylabel.labels import ManylabelError


@pytest.fixture
def build(tmp_path):
    """Write small images, the same picture where the number is the same."""

    def build(files):
        for name, number in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(number, int):
                Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
            else:
                path.write_bytes(number)
        return tmp_path

    return build


def said(found):
    return " ".join(found.notes)


def test_equal_files_are_one_image_with_several_labels(build):
    found = data.read(build({"cat/a.png": 1, "dog/copy.png": 1, "dog/b.png": 2, "owl /c.png": 3}))
    assert found.kind == "folder"
    assert found.labels.names == ("cat", "dog", "owl")
    assert found.labels.ids == ("cat/a.png", "dog/b.png", "owl /c.png")
    assert found.labels.state.tolist() == [[1, 1, -1], [-1, 1, -1], [-1, -1, 1]]
    assert all(path.is_file() for path in found.paths)
    assert "1 files equal another" in said(found)


def test_parts_on_top(build):
    found = data.read(build({"train/cat/a.png": 1, "Valid/dog/b.png": 2, "test/cat/same.png": 1}))
    assert found.labels.names == ("cat", "dog")
    assert dict(zip(found.labels.ids, found.split.tolist())) == {
        "Valid/dog/b.png": "val",
        "test/cat/same.png": "test",  # equal to a training image: a leak for the doctor, not one image
        "train/cat/a.png": "train",
    }


def test_train_may_be_a_vehicle(build):
    assert data.read(build({"train/deep/a.png": 1, "bus/b.png": 2})).labels.names == ("bus", "train")


def test_what_is_left_out_is_said(build):
    found = data.read(
        build({"cat/a.png": 1, "cat/deep/b.png": 2, "loose.png": 3, "cat/notes.txt": b"x", "cat/.DS_Store": b"x"})
    )
    assert len(found) == 2
    for words in ("1 images lie outside class folders and are left out: loose.png", ".txt (1)", "hidden files (1)"):
        assert words in said(found)
    assert "1 images lie in folders inside" in said(found)


def test_empty_files_are_not_one_image_and_empty_folders_are_classes(build):
    root = build({"cat/a.png": b"", "dog/b.png": b""})
    (root / "owl").mkdir()
    found = data.read(root)
    assert len(found) == 2
    assert found.labels.names == ("cat", "dog", "owl")


def test_unlisted_unknown_gives_single_positives(build):
    found = data.read(build({"cat/a.png": 1, "dog/b.png": 2}), unlisted="unknown")
    assert found.labels.state.tolist() == np.eye(2, dtype=int).tolist()


def test_a_folder_without_classes_is_an_error(build):
    with pytest.raises(ManylabelError, match="no images are found in folders of classes"):
        data.read(build({"a.png": 1}))
