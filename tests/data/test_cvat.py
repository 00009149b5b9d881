"""CVAT's XML for images and Datumaro's JSON as CVAT exports them, and damaged."""

import json
import re

import numpy as np
import pytest

from damage import corruptions, json_corruptions, survives
from manylabel.data import formats, read
from manylabel.data.formats import cvat
from manylabel.data.source import Source
from manylabel.labels import ManylabelError

XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <project>
      <id>4</id>
      <name>streets &amp; squares</name>
      <labels>
        <label><name>car</name><color>#c06060</color><type>any</type><attributes>
          <attribute><name>color</name><mutable>False</mutable><input_type>select</input_type>
            <default_value>red</default_value><values>red
blue</values></attribute></attributes></label>
        <label><name>person</name><color>#fa3253</color><type>skeleton</type><attributes></attributes>
          <svg>&lt;line x1="1"/&gt;</svg></label>
        <label><name>head</name><type>points</type><attributes></attributes><parent>person</parent></label>
        <label><name>traffic  light</name><type>any</type><attributes></attributes></label>
        <label><name>never</name><type>tag</type><attributes></attributes></label>
      </labels>
      <subsets>Train
Validation</subsets>
    </project>
    <dumped>2024-03-01 10:00:00.000000+00:00</dumped>
  </meta>
  <image id="0" name="frames/a.jpg" subset="Train" task_id="5" width="200" height="100">
    <box label="car" source="manual" occluded="1" xtl="20.00" ytl="10.00" xbr="120.00" ybr="60.00" z_order="0">
      <attribute name="color">red</attribute><attribute name="parked">true</attribute>
      <attribute name="wet">false</attribute>
    </box>
    <polygon label="car" source="auto" occluded="0" points="0.00,0.00;100.00,0.00;100.00,50.00" z_order="1"></polygon>
    <tag label="traffic light" source="manual"><attribute name="sure">yes</attribute></tag>
    <mask label="never" source="file" occluded="0" rle="3, 4" left="100" top="50" width="20" height="10" z_order="0"/>
  </image>
  <image id="1" name="frames/b.jpg" subset="Validation" task_id="6" width="200" height="100">
    <skeleton label="person" source="manual" z_order="0">
      <points label="head" occluded="0" source="manual" outside="0" points="20.00,20.00"/>
      <points label="head" occluded="0" source="manual" outside="0" points="60.00,80.00"/>
      <points label="head" occluded="0" source="manual" outside="1" points="199.00,99.00"/>
    </skeleton>
    <box label="car" occluded="0" xtl="50" ytl="0" xbr="150" ybr="100" rotation="90.00" z_order="0"/>
    <ellipse label="car" occluded="0" cx="100" cy="50" rx="20" ry="10" z_order="0"/>
    <polyline label="car" occluded="0" points="0,0;200,100"/>
    <points label="car" occluded="0" points="10,10"/>
    <cuboid label="car" occluded="0" xtl1="0" ytl1="0" xbl1="0" ybl1="50" xtr1="40" ytr1="0" xbr1="40" ybr1="50"
      xtl2="60" ytl2="10" xbl2="60" ybl2="60" xtr2="20" ytr2="10" xbr2="20" ybr2="60"/>
  </image>
  <image id="2" name="frames/ü.jpg" subset="rainy" task_id="6" width="200" height="100">
  </image>
  <image id="3" name="frames/d.jpg" subset="default"><tag label="person" source="manual"></tag></image>
</annotations>
"""


def written(tmp_path, text=XML, name="annotations.xml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("whole", [True, False])
def test_every_cell_of_a_project(tmp_path, whole):
    path = written(tmp_path)
    data = read(tmp_path if whole else path)
    assert data.kind == "cvat"
    assert data.labels.names == ("car", "person", "traffic light", "never")  # head is a point of the skeleton
    assert data.labels.ids == ("frames/a.jpg", "frames/b.jpg", "frames/ü.jpg", "frames/d.jpg")
    assert data.labels.state.tolist() == [[1, -1, 1, 1], [1, 1, -1, -1], [-1, -1, -1, -1], [-1, 1, -1, -1]]
    assert data.split.tolist() == ["train", "val", "", ""]
    assert data.columns["subset"].tolist() == ["", "", "rainy", ""]
    assert data.beside.sizes.tolist() == [[200, 100]] * 3 + [[0, 0]]
    assert data.beside.reviewed is None
    boxes = data.beside.boxes
    assert boxes.rows.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    expected = [
        [0.1, 0.1, 0.5, 0.5], [0, 0, 0.5, 0.5], [0.5, 0.5, 0.1, 0.1], [0.1, 0.2, 0.2, 0.6], [0.25, 0, 0.5, 1],
        [0.4, 0.4, 0.2, 0.2], [0, 0, 1, 1], [0.05, 0.1, 0, 0], [0, 0, 0.3, 0.6],
    ]  # fmt: skip
    np.testing.assert_allclose(boxes.values, expected, atol=1e-12)
    assert boxes.words == ("occluded|color=red|parked", "polygon", "mask", "skeleton", "rotated", "ellipse", "polyline",
                           "points", "cuboid")  # fmt: skip
    said = "\n".join(data.notes)
    assert "1 images have no tag and no shape" in said
    assert "labels of source auto (1)" in said
    assert "attributes of tags, which have no place (1)" in said
    assert str(data.paths[0]) == str(tmp_path / "frames" / "a.jpg")


def test_an_unlisted_label_may_be_unknown(tmp_path):
    assert read(written(tmp_path), unlisted="unknown").labels.state[2].tolist() == [0, 0, 0, 0]


def test_a_turn_keeps_pixels(tmp_path):
    one = '<annotations><version>1.1</version><image name="a.jpg" width="200" height="100">{}</image></annotations>'
    box = '<box label="car" xtl="80" ytl="20" xbr="120" ybr="30" rotation="90"/>'
    data = read(written(tmp_path, one.format(box)))
    np.testing.assert_allclose(data.beside.boxes.values, [[95 / 200, 5 / 100, 10 / 200, 40 / 100]])


def test_jobs_that_share_an_image_are_joined(tmp_path):
    image = '<image id="0" name="a.jpg" width="20" height="10">{}</image>'
    text = "".join(image.format(f'<tag label="{name}"/>') for name in ("cat", "dog"))
    labels = "<meta><job><labels><label><name>dog</name></label><label><name>cat</name></label></labels></job></meta>"
    data = read(written(tmp_path, f"<annotations><version>1.1</version>{labels}{text}</annotations>"))
    assert (data.labels.names, data.labels.state.tolist()) == (("dog", "cat"), [[1, 1]])
    assert any("repeat an image" in note for note in data.notes)


MISTAKES = [
    ('label="car" source="manual" occluded="1"', 'label="cra" source="manual" occluded="1"',
     r"image 1, <box> 1: label 'cra' is not among the labels of the file. Did you mean 'car'"),
    ('xtl="20.00"', 'xtl="left"', r"image 1, <box> 1: expected a number for xtl, got 'left'"),
    ('xtl="20.00"', 'xtl="nan"', "expected a number for xtl"),
    ('xtl="20.00"', 'xtl="1e308"', "expected a box in the image"),
    ('xbr="120.00"', 'xbr="10.00"', "expected a box in the image"),
    ('xtl="20.00" ', "", "expected a number for xtl, got null"),
    ('points="0.00,0.00;100.00', 'points="0.00;100.00', "expected points as x,y;x,y"),
    ("<mask ", "<cloud ", r"expected a tag or a shape \(box, polygon.*got <cloud>"),
    ('<tag label="traffic light"', "<tag", "image 1, <tag> 3: expected a label, got none"),
    ('width="200" height="100">\n    <box', 'width="-1" height="100">\n    <box', "in pixels, got -1"),
    (' width="200" height="100">\n    <box', ">\n    <box", "expected width and height of the image"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[f"{old} > {new}" for old, new, _ in MISTAKES])
def test_mistakes_are_errors_or_left_out_and_said(tmp_path, old, new, said):
    assert XML.count(old) >= 1
    path = written(tmp_path, XML.replace(old, new, 1).replace("<cloud ", "<cloud ", 1))
    with pytest.raises(ManylabelError, match=said):
        read(path)
    data = read(path, mistakes="leave")
    assert re.search(said.partition(":")[2] or said, "\n".join(data.mistakes))
    assert -1 not in data.labels.state[0]  # of an image with a label that was left out, what is not listed is unknown


def test_an_image_without_a_name_and_one_in_two_parts(tmp_path):
    text = XML.replace('name="frames/b.jpg"', 'name=" "')
    path = written(tmp_path, text.replace('"frames/d.jpg" subset="default"', '"frames/a.jpg" subset="test"'))
    with pytest.raises(ManylabelError, match=r"annotations.xml, image 2: expected the name of an image file"):
        read(path)
    data = read(path, mistakes="leave")
    assert data.labels.ids == ("frames/a.jpg", "frames/ü.jpg")
    assert data.labels.present[0].tolist() == [True, True, True, True]
    assert "in train and test at once" in "\n".join(data.mistakes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_declared_entities_are_refused(tmp_path, encoding):
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n' + XML.partition("?>\n")[2]
    path = tmp_path / "annotations.xml"
    path.write_bytes(bomb.replace('name="frames/a.jpg"', 'name="&b;"').encode(encoding))
    with pytest.raises(ManylabelError, match="declares a document type or entities"):
        read(path, format="cvat")


def test_a_declaration_across_a_chunk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cvat, "CHUNK", 7)
    assert len(read(written(tmp_path))) == 4
    path = written(tmp_path, XML.replace("?>\n", "?>\n<!DOCTYPE annotations []>\n", 1))
    with pytest.raises(ManylabelError, match="declares a document type"):
        read(path)


def test_a_video_is_refused(tmp_path):
    text = '<annotations><version>1.1</version><track id="0" label="car"><box frame="0"/></track></annotations>'
    with pytest.raises(ManylabelError, match=r"export the task as `CVAT for images 1\.1`"):
        read(written(tmp_path, text))


def test_another_xml_is_not_claimed(tmp_path):
    path = written(tmp_path, "<annotation><folder>VOC2007</folder><object><name>cat</name></object></annotation>")
    assert cvat.clue(Source(path)) is None
    with pytest.raises(ManylabelError, match="expected <annotations> as CVAT exports it, got <annotation>"):
        read(path, format="cvat")


ITEMS = {
    "info": {}, "categories": {"label": {"labels": [{"name": "cat", "parent": "animal", "attributes": []},
                                                    {"name": "dog", "parent": "", "attributes": []}],
                                         "attributes": ["occluded"]}, "points": {"items": []}},
    "items": [
        {"id": "a", "attr": {"frame": 0}, "image": {"path": "a.jpg", "size": [100, 200]}, "annotations": [
            {"id": 0, "type": "bbox", "label_id": 0, "bbox": [20, 10, 100, 50], "group": 0, "z_order": 0,
             "attributes": {"occluded": True, "rotation": 0.0, "color": "red"}},
            {"id": 1, "type": "polygon", "label_id": 0, "points": [0, 0, 100, 0, 100, 50], "attributes": {}},
            {"id": 2, "type": "label", "label_id": 1, "attributes": {"sure": True}},
            {"id": 3, "type": "caption", "caption": "two pets"},
            {"id": 4, "type": "mask", "label_id": 1, "rle": {"counts": "x", "size": [100, 200]}}]},
        {"id": "sub/b", "image": {"path": ""}, "annotations": []},
    ],
}  # fmt: skip


@pytest.mark.parametrize("whole", [True, False])
def test_every_cell_of_datumaro(tmp_path, whole):
    (tmp_path / "set" / "annotations").mkdir(parents=True)
    path = tmp_path / "set" / "annotations" / "train.json"
    path.write_text(json.dumps(ITEMS))
    if whole:
        (tmp_path / "set" / "images" / "train").mkdir(parents=True)
    data = read(tmp_path / "set" if whole else path)
    assert data.kind == "datumaro"
    assert data.labels.names == ("cat", "dog")
    assert data.labels.ids == (("images/train/a.jpg", "images/train/sub/b") if whole else ("a.jpg", "sub/b"))
    assert data.labels.state.tolist() == [[1, 1], [-1, -1]]
    assert data.split.tolist() == ["train", "train"]
    assert data.beside.parents == (("cat", "animal"),)
    assert data.beside.boxes.values.tolist() == [[0.1, 0.1, 0.5, 0.5], [0, 0, 0.5, 0.5]]
    assert data.beside.boxes.words == ("occluded|color=red", "polygon")
    assert "caption" in "\n".join(data.notes)


@pytest.mark.parametrize("mistakes", ["error", "leave"])
def test_damaged_files(tmp_path, mistakes):
    path, outcomes = written(tmp_path), []
    values = list(re.finditer(r'"[^"]*"', XML))
    absurd = [f'"{word}"' for word in ("", "-1", "NaN", "1e308", "x" * 3000, "\u2028")]
    made = [(f"{one[0]} > {bad[:9]}", (XML[: one.start()] + bad + XML[one.end() :]).encode())
            for k, one in enumerate(values) for bad in (absurd[k % 6],)]  # fmt: skip
    for what, data in [*corruptions(XML.encode()), *made]:
        path.write_bytes(data)
        outcomes.append(survives(path, what, mistakes=mistakes, format="cvat"))
    (tmp_path / "train.json").write_text(json.dumps(ITEMS))
    for what, data in [*corruptions(json.dumps(ITEMS).encode()), *json_corruptions(ITEMS, limit=60)]:
        (tmp_path / "train.json").write_bytes(data)
        outcomes.append(survives(tmp_path / "train.json", what, mistakes=mistakes, format="cvat"))
    assert len(outcomes) > 200
    assert {"error", "read"} == set(outcomes)


def test_what_is_written(tmp_path):
    formats.write(read(written(tmp_path)), tmp_path / "out.xml", "cvat")
    text = (tmp_path / "out.xml").read_text()
    assert '<image id="0" name="frames/a.jpg" subset="train" width="200" height="100">' in text
    assert '<box label="car" source="manual" occluded="1" xtl="20" ytl="10" xbr="120" ybr="60" z_order="0">' in text
    assert '<attribute name="color">red</attribute><attribute name="parked">true</attribute></box>' in text
    assert '<tag label="traffic light" source="manual"></tag>' in text
    (tmp_path / "out.xml.manylabel.json").unlink(missing_ok=True)
    again = read(tmp_path / "out.xml")
    assert again.labels.state.tolist() == read(written(tmp_path)).labels.state.tolist()
    assert len(again.beside.boxes) == 9


def test_a_name_that_xml_cannot_hold_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("image,labels\na.jpg,c\x01t\n")
    with pytest.raises(ManylabelError, match="holds a character that XML cannot"):
        formats.write(read(tmp_path / "a.csv"), tmp_path / "out.xml", "cvat")
