"""The doctor names every planted fault, with its row."""

import json

import numpy as np
import pytest
from PIL import Image

from manylabel import data
from manylabel.data import doctor
from manylabel.data.near_names import near_names


def save(path, seed, size=(80, 60)):
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def sick(tmp_path):
    for k in range(8):
        save(tmp_path / f"{k}.jpg", k)
    (tmp_path / "1.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:900])  # truncated
    (tmp_path / "2.jpg").write_bytes(b"")
    (tmp_path / "4.jpg").write_bytes((tmp_path / "3.jpg").read_bytes())  # across parts, contradicting
    save(tmp_path / "5.jpg", 5, size=(400, 33))
    save(tmp_path / "6.jpg", 6, size=(8, 8))
    rows = ["image,split,Dog,dog,owl,cats,cat"]
    rows += ["0.jpg,train,1,0,,1,0", "1.jpg,train,0,1,,0,0", "2.jpg,train,0,0,,0,1", "3.jpg,train,1,0,,0,0"]
    rows += ["4.jpg,test,0,1,,0,0", "5.jpg,test,0,0,,0,0", "6.jpg,test,?,?,,?,?", "gone.jpg,train,0,1,,0,1"]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return doctor.examine(data.read(tmp_path / "labels.csv"))


def test_files(sick):
    files = sick.files
    assert {fault.line: fault.image for fault in files.damaged} == {3: "1.jpg", 4: "2.jpg", 9: "gone.jpg"}
    reasons = " ".join(fault.reason for fault in files.damaged)
    for word in ("truncated", "empty", "no such file"):
        assert word in reasons
    assert {fault.line for fault in files.odd} == {7, 8}
    assert files.read == 5
    assert [leak.images for leak in files.leaks] == [["3.jpg", "4.jpg"]]
    assert files.disagreeing[0].disagree == ["Dog", "dog"]


def test_labels(sick):
    assert (sick.images, len(sick.classes), sick.parts) == (8, 5, {"train": 5, "test": 3})
    dog = next(c for c in sick.classes if c.name == "dog")
    assert (dog.positives, dog.train_positives, dog.absent, dog.unknown) == ({"train": 2, "test": 1}, 2, 4, 1)
    assert sick.without_positives == ["owl"]
    assert (sick.without_label, sick.nothing_known) == (2, 1)
    assert sick.unknown_share == pytest.approx(12 / 40)
    assert sick.near_names == [("Dog", "dog", "capitals"), ("cat", "cats", "plural")]
    assert sick.histogram == [2, 4, 2]


def test_problems_and_text(sick):
    text = str(sick)
    for words in (
        "row 3 1.jpg (image file is truncated",
        "row 9 gone.jpg",
        "3.jpg = 4.jpg (test, train)",
        "'Dog' and 'dog'",
    ):
        assert words in " ".join(text.split())
    assert "1 class has no positive: owl" in text
    assert max(map(len, text.splitlines())) <= 110
    assert json.loads(json.dumps(sick.as_dict()))["files"]["damaged"][0]["line"] == 3


def test_groups_count_training_positives_only(tmp_path):
    rows = [
        f"{k}.jpg,{'train' if k < 130 else 'test'},1,{int(k < 100)},{int(k < 99)},{int(k < 20)},{int(k < 19)}"
        for k in range(150)
    ]
    (tmp_path / "x.csv").write_text("image,split,a,b,c,d,e\n" + "\n".join(rows))
    found = doctor.examine(data.read(tmp_path / "x.csv"), images=False)
    assert [c.group for c in found.classes] == ["head", "head", "medium", "medium", "tail"]
    assert found.classes[0].train_positives == 130
    assert found.groups == {"head": 2, "medium": 2, "tail": 1}
    assert found.files is None
    assert "not looked at" in str(found)


def test_images_elsewhere_are_pointed_at(tmp_path):
    (tmp_path / "photos").mkdir()
    save(tmp_path / "photos" / "a.jpg", 0)
    (tmp_path / "x.csv").write_text("image,labels\na.jpg,cat\n")
    found = doctor.examine(data.read(tmp_path / "x.csv"))
    assert found.files.root_hint == str(tmp_path / "photos")
    assert not doctor.examine(data.read(tmp_path / "x.csv", root=tmp_path / "photos")).files.damaged


def test_positives_only_is_a_problem(tmp_path):
    (tmp_path / "x.csv").write_text("image,labels\na.jpg,cat\nb.jpg,dog\n")
    found = doctor.examine(data.read(tmp_path / "x.csv", unlisted="unknown"), images=False)
    assert any("No label is known to be absent" in problem for problem in found.problems)


def test_progress_and_one_image(tmp_path):
    save(tmp_path / "a.jpg", 0)
    (tmp_path / "x.csv").write_text("image,cat\na.jpg,1\n")
    seen = []
    doctor.examine(data.read(tmp_path / "x.csv"), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]


def test_near_names_leave_real_names_alone():
    assert near_names(["car", "cat", "cow", "bear", "boat", "bench", "mouse", "house_1", "house_2", "train"]) == []
    assert near_names(["bicycle", "bycicle"]) == []  # two letters apart
    assert near_names(["boxes", "box", "city", "cities"]) == [("box", "boxes", "plural"), ("cities", "city", "plural")]
