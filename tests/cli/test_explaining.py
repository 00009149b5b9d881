"""`manylabel explain` as a user meets it."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from explaining.test_contrast import reader, white
from manylabel.cli import app, exit_code, explaining
from manylabel.explaining import drawing

runner = CliRunner()


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """A photograph with cat and dog in it, for the model that reads quarters."""
    monkeypatch.setattr("manylabel.model.load", lambda path: reader())
    Image.fromarray(white("left", "right", "below")).resize((280, 140)).save(tmp_path / "x.png")
    return tmp_path / "x.png"


def explain(*args):
    return runner.invoke(app, ["explain", "model", *map(str, args)])


def failing(capsys, monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["manylabel", "explain", "model", *map(str, args)])
    assert exit_code() == 2
    return capsys.readouterr().err


def test_one_picture_holds_the_photo_and_a_map_for_each_predicted_label(photo, tmp_path):
    done = explain(photo, "--out", tmp_path / "deep" / "map.png")
    assert done.exit_code == 0, done.output
    assert done.output == f"{photo}: cat 82 %, dog 81 %, animal 62 %\n"
    with Image.open(tmp_path / "deep" / "map.png") as page:
        assert page.width > 4 * 250  # the photo and three maps
    explain(photo, "--out", tmp_path / "one.png", "--label", "car")
    with Image.open(tmp_path / "one.png") as page:
        assert 2 * 250 < page.width < 3 * 250


def test_a_folder_takes_a_picture_a_label_and_the_boxes(photo, tmp_path):
    damaged = tmp_path / "bad.jpg"
    damaged.write_bytes(b"no image")
    other = tmp_path / "other" / "x.png"
    other.parent.mkdir()
    Image.fromarray(white("left")).save(other)
    done = explain(photo, damaged, other, "--out", tmp_path / "maps")
    assert done.exit_code == 1
    assert "1 of 3 images could not be read" in done.output
    first, second, third = json.loads((tmp_path / "maps" / "maps.json").read_text())
    assert (first["width"], first["height"]) == (280, 140)
    assert [one["name"] for one in first["labels"]] == ["cat", "dog", "animal"]
    assert "not an image" in second["error"]
    written = {one["file"] for told in (first, third) for one in told["labels"]}
    assert len(written) == 4  # two photos of one name do not overwrite each other
    assert written | {"maps.json"} == {f.name for f in (tmp_path / "maps").iterdir()}
    x, y, width, height = third["labels"][0]["box"]
    assert (x, y) == (0, 0)
    assert width < 20 > height


def test_contrast_and_labels_reach_the_maps(photo, tmp_path):
    boxes = []
    for more in ([], ["--contrast"]):
        assert explain(photo, "--out", tmp_path / "maps", "--label", "puss", *more).exit_code == 0
        (told,) = json.loads((tmp_path / "maps" / "maps.json").read_text())
        assert [one["name"] for one in told["labels"]] == ["cat"]
        boxes.append(told["labels"][0]["box"])
    assert boxes[0][3] > 120  # the upper and the lower left
    assert boxes[1][3] < 90  # dog has the lower left too


def test_a_label_no_place_speaks_for_is_said_to_have_none(photo, tmp_path):
    done = explain(photo, "--out", tmp_path / "maps", "--label", "car")
    assert done.output.endswith("car 27 % (no place)\n")
    assert json.loads((tmp_path / "maps" / "maps.json").read_text())[0]["labels"][0]["box"] is None


def test_mistakes_are_told_before_any_work(photo, tmp_path, capsys, monkeypatch):
    out = tmp_path / "m.png"
    assert "Did you mean 'dog'" in failing(capsys, monkeypatch, photo, "--out", out, "--label", "dogg")
    (tmp_path / "bad.jpg").write_bytes(b"")
    assert "Did you mean 'dog'" in failing(capsys, monkeypatch, tmp_path / "bad.jpg", "--out", out, "--label", "dogg")
    assert "need a folder" in failing(capsys, monkeypatch, photo, photo, "--out", out)
    assert "ends in .png" in failing(capsys, monkeypatch, photo, "--out", tmp_path / "m.jpg")
    assert "occlusion" in failing(capsys, monkeypatch, photo, "--out", out, "--kind", "oclusion")
    assert not out.exists()


def test_a_damaged_image_alone_leaves_no_picture(tmp_path, photo):
    (tmp_path / "bad.jpg").write_bytes(b"")
    done = explain(tmp_path / "bad.jpg", "--out", tmp_path / "m.png")
    assert done.exit_code == 1
    assert "empty" in done.output
    assert not (tmp_path / "m.png").exists()


def test_names_of_any_script_become_files(photo, tmp_path, monkeypatch):
    names = ("犬/猫", "..", "a" * 300, "собака " * 40)
    model = reader()
    object.__setattr__(model.classes, "names", names)
    monkeypatch.setattr("manylabel.model.load", lambda path: model)
    object.__setattr__(model.classes, "thresholds", np.full(4, -9.0))
    done = explain(photo, "--out", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "maps").glob("*.png"))) == 4
    assert done.output.count("label ") == done.output.count(" = ")  # a title of a number is told beside its name


def test_a_name_that_no_font_can_write_is_a_number_in_the_picture_and_told(photo, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "manylabel.explaining.drawing.font_for", lambda text, own=drawing.font_for: None if text == "dog" else own(text)
    )
    done = explain(photo, "--out", tmp_path / "maps")
    assert done.output == f"{photo}: cat 82 %, label 2 = dog 81 %, animal 62 %\n"
    (told,) = json.loads((tmp_path / "maps" / "maps.json").read_text())
    assert [one["title"] for one in told["labels"]] == ["cat", "label 2", "animal"]
    assert told["kind"] == "occlusion"  # what auto stood for


def test_an_interruption_leaves_the_list_of_what_is_done(photo, tmp_path, monkeypatch):
    made = []

    def interrupted(*args, **options):
        if made:
            raise KeyboardInterrupt
        made.append(explained(*args, **options))
        return made[0]

    explained = explaining.explained
    monkeypatch.setattr(explaining, "explained", interrupted)
    explain(photo, photo, "--out", tmp_path / "maps")
    assert len(json.loads((tmp_path / "maps" / "maps.json").read_text())) == 1
