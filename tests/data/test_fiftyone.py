"""FiftyOne's folders and labels.json as its exporters write them, and damaged."""

import json
import math

import numpy as np
import pytest

from damage import corruptions, json_corruptions, survives
from manylabel.data import formats, read
from manylabel.data.source import Source
from manylabel.labels import ManylabelError

METADATA = {
    "_id": {"$oid": "66df293797a8b67a2d404e96"}, "name": "pets", "slug": "pets", "version": "0.25.1",
    "created_at": {"$date": "2024-09-09T16:58:31.778Z"}, "sample_collection_name": "samples.66df", "persistent": True,
    "media_type": "image", "group_media_types": {}, "tags": [], "info": {}, "app_config": {}, "classes": {},
    "default_classes": ["cat", "dog", "bird"], "mask_targets": {}, "skeletons": {},
    "sample_fields": [
        {"name": "filepath", "ftype": "fiftyone.core.fields.StringField", "embedded_doc_type": None},
        {"name": "ground_truth", "ftype": "fiftyone.core.fields.EmbeddedDocumentField",
         "embedded_doc_type": "fiftyone.core.labels.Detections"},
    ],
}  # fmt: skip


def detection(label, box, **more):
    return {"_id": {"$oid": "5f452487ef00e6374aad2744"}, "_cls": "Detection", "attributes": {}, "tags": [],
            "label": label, "bounding_box": box, "mask": None, "confidence": None, "index": None, **more}  # fmt: skip


def sample(name, value, **more):
    return {"_id": {"$oid": "66df2937"}, "filepath": name, "tags": [], "metadata": None, "_media_type": "image",
            "_rand": 0.123, "ground_truth": value, **more}  # fmt: skip


def detections(*found):
    return {"_cls": "Detections", "detections": list(found)}


SAMPLES = {"samples": [
    sample("data/a.jpg", detections(
        detection("cat", [0.1, 0.2, 0.3, 0.4], iscrowd=1, supercategory="animal"),
        detection("dog", [0, 0, 1, 1], confidence=0.25, tags=["small"]),
        detection("dog", [0, 0, 0.5, 1], confidence=0.5,
                  attributes={"pose": {"_cls": "CategoricalAttribute", "value": "sits"}})),
        tags=["validation", "night"], uniqueness=0.5, weather="rain",
        predictions=detections(detection("bird", [0, 0, 1, 1])),
        metadata={"_cls": "ImageMetadata", "size_bytes": 5, "mime_type": "image/jpeg", "width": 640, "height": 480}),
    sample("data/b.jpg", detections(), tags=["train"], embedding=[1, 2]),
    sample("data/c.jpg", None, tags=["test"]),
]}  # fmt: skip


def folder(tmp_path, samples=SAMPLES, metadata=METADATA):
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "metadata.json").write_text(json.dumps(metadata))
    (tmp_path / "out" / "samples.json").write_text(json.dumps(samples))
    return tmp_path / "out"


def labels_json(tmp_path, labels, classes=("cat", "dog")):
    (tmp_path / "labels.json").write_text(json.dumps({"classes": classes and list(classes), "labels": labels}))
    return tmp_path / "labels.json"


def test_every_cell_of_a_data_set(tmp_path):
    data = read(folder(tmp_path))
    assert data.kind == "fiftyone"
    assert data.labels.names == ("cat", "dog", "bird")  # bird is never used
    assert data.labels.ids == ("data/a.jpg", "data/b.jpg", "data/c.jpg")
    assert data.labels.state.tolist() == [[1, 0, -1], [-1, -1, -1], [0, 0, 0]]
    assert data.beside.reviewed.tolist() == [True, True, False]
    assert data.split.tolist() == ["val", "train", "test"]
    soft = data.beside.soft
    assert (soft.rows.tolist(), soft.columns.tolist(), soft.values.tolist()) == ([0], [1], [0.5])
    assert data.beside.boxes.values.tolist() == [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], [0, 0, 0.5, 1]]
    assert data.beside.boxes.words == (
        "crowd|supercategory=animal",
        "confidence=0.25|small",
        "confidence=0.5|pose=sits",
    )
    assert data.beside.sizes.tolist() == [[640, 480], [0, 0], [0, 0]]
    assert {k: v.tolist() for k, v in data.columns.items()} == {
        "tags": ["night", "", ""], "uniqueness": ["0.5", "", ""], "weather": ["rain", "", ""]}  # fmt: skip
    assert str(data.paths[0]) == str(tmp_path / "out" / "data" / "a.jpg")
    said = "\n".join(data.notes)
    assert "not read are the fields predictions" in said
    assert "field embedding (1)" in said
    assert "1 samples have nothing in ground_truth" in said


def test_samples_json_alone_and_another_field(tmp_path):
    path = folder(tmp_path) / "samples.json"
    (path.parent / "metadata.json").unlink()
    assert read(path).labels.names == ("cat", "dog")
    other = read(path, columns=("predictions",))
    assert other.labels.names == ("bird",)
    assert other.labels.state.tolist() == [[1], [0], [0]]
    with pytest.raises(ManylabelError, match="Did you mean 'predictions'"):
        read(path, columns=("prediction",))


def test_several_fields_without_ground_truth_must_be_chosen(tmp_path):
    one = {"_cls": "Classification", "label": "sun"}
    many = {"_cls": "Classifications", "classifications": [{"label": "cat"}, {"label": "dog", "confidence": 1.0}]}
    sample = {"filepath": "/photos/a.jpg", "weather": one, "animals": many}
    path = folder(tmp_path, {"samples": [sample]}, {"media_type": "image", "classes": {"animals": ["dog", "cat"]}})
    with pytest.raises(ManylabelError, match=r"several fields hold labels: weather, animals.*columns=\(\"weather\",\)"):
        read(path)
    data = read(path, columns=("animals",))
    assert (data.labels.names, data.labels.state.tolist()) == (("dog", "cat"), [[1, 1]])
    assert str(data.paths[0]) == "/photos/a.jpg"
    del sample["weather"]
    metadata = {"media_type": "image", "sample_fields": {}}
    assert read(folder(tmp_path, {"samples": [sample]}, metadata)).labels.counts.tolist() == [1, 1]


def test_polylines_become_boxes(tmp_path):
    lines = [{"label": "cat", "points": [[[0.1, 0.2], [0.5, 0.2], [0.5, 0.6]]], "closed": True, "filled": True}]
    data = read(folder(tmp_path, {"samples": [sample("a.jpg", {"_cls": "Polylines", "polylines": lines})]}))
    np.testing.assert_allclose(data.beside.boxes.values, [[0.1, 0.2, 0.4, 0.4]])
    assert data.beside.boxes.words == ("polygon",)


@pytest.mark.parametrize("whole", [True, False])
def test_labels_json_of_classification_and_detection(tmp_path, whole):
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "a.png").touch()
    labels = {"sub/a": "cat", "b": 1, "c": ["cat", 1.0], "d": None, "e": [], "f": {"label": "dog", "confidence": 0.75},
              "g": [{"label": 0, "bounding_box": [0.5, 0, 0.5, 0.25], "difficult": 1}]}  # fmt: skip
    path = labels_json(tmp_path, labels)
    data = read(tmp_path if whole else path)
    assert data.labels.ids == ("data/sub/a.png", "b", "c", "d", "e", "f", "g")
    assert data.labels.state.tolist() == [[1, -1], [-1, 1], [1, 1], [0, 0], [-1, -1], [-1, 0], [1, -1]]
    assert data.beside.reviewed.tolist() == [True, True, True, False, True, True, True]
    assert data.beside.soft.values.tolist() == [0.75]
    assert (data.beside.boxes.rows.tolist(), data.beside.boxes.words) == ([6], ("difficult=1",))


def test_labels_json_without_classes(tmp_path):
    data = read(labels_json(tmp_path, {"a": "cat", "b": ["dog"]}, classes=None))
    assert data.labels.names == ("cat", "dog")


MISTAKES = [
    ({"b": 7}, "labels, 'b', label 1: expected a class from 0 to 1, got 7"),
    ({"b": "cta"}, "Did you mean 'cat'"),
    ({"b": [{"label": 0, "bounding_box": [0, 0, 1]}]}, "expected bounding_box as x, y, width and height, got 3"),
    ({"b": [{"label": 0, "bounding_box": [0, 0, -0.5, 1]}]}, "expected a box in the image"),
    ({"b": [{"label": 0, "confidence": 1.5}]}, r"expected a confidence in \[0, 1\], got 1.5"),
    ({"b": True}, "expected text for label, got true"),
]


@pytest.mark.parametrize(("labels", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_mistakes_are_errors_or_left_out_and_said(tmp_path, labels, said):
    path = labels_json(tmp_path, {"a": "dog", **labels})
    with pytest.raises(ManylabelError, match=said):
        read(path)
    data = read(path, mistakes="leave")
    assert data.labels.state[0].tolist() == [-1, 1]
    assert data.labels.state[1].tolist() == [0, 0]  # what could not be read is unknown, not absent
    assert len(data.mistakes) == 1
    assert "'b'" in data.mistakes[0]


def test_a_video_is_refused(tmp_path):
    with pytest.raises(ManylabelError, match=r"metadata.json, media_type: expected image, got 'video'"):
        read(folder(tmp_path, metadata={**METADATA, "media_type": "video"}))


def test_two_parts_and_a_missing_file_path(tmp_path):
    samples = {"samples": [sample("a.jpg", detections(), tags=["train", "test"]), sample(None, detections())]}
    with pytest.raises(ManylabelError, match="sample 1: tags say train and test"):
        read(folder(tmp_path, samples))
    data = read(folder(tmp_path, samples), mistakes="leave")
    assert data.labels.ids == ("a.jpg",)
    assert "sample 2: expected text for filepath" in "\n".join(data.mistakes)


@pytest.mark.parametrize("mistakes", ["error", "leave"])
def test_damaged_files(tmp_path, mistakes):
    path = folder(tmp_path)
    file = path / "samples.json"
    short = labels_json(tmp_path, {"a": "cat", "b": [{"label": 1, "bounding_box": [0, 0, 0.5, 0.5]}], "c": [0, "dog"]})
    outcomes = []
    for k, (target, given, seed) in enumerate([(file, path, SAMPLES), (short, short, json.loads(short.read_text()))]):
        made = [*corruptions(target.read_bytes(), k), *json_corruptions(seed, k, 50)]
        for what, data in made:
            target.write_bytes(data)
            outcomes.append(survives(given, what, mistakes=mistakes, format="fiftyone"))
    assert len(outcomes) > 150
    assert {"error", "read"} == set(outcomes)


def test_damaged_metadata(tmp_path):
    for what, data in json_corruptions(METADATA, limit=40):
        path = folder(tmp_path)
        (path / "metadata.json").write_bytes(data)
        survives(path, what)


def test_what_is_written(tmp_path):
    source = read(folder(tmp_path))
    formats.write(source, tmp_path / "written", "fiftyone")
    about = json.loads((tmp_path / "written" / "metadata.json").read_text())
    first, second, third = json.loads((tmp_path / "written" / "samples.json").read_text())["samples"]
    assert about["default_classes"] == ["cat", "dog", "bird"]
    assert first["filepath"] == "../out/data/a.jpg"
    assert first["tags"] == ["val", "night"]
    assert first["ground_truth"] == {
        "_cls": "Classifications",
        "classifications": [{"_cls": "Classification", "label": "cat"}],
    }
    assert [one["label"] for one in first["ground_truth_boxes"]["detections"]] == ["cat"]
    assert second["ground_truth"]["classifications"] == []
    assert third["ground_truth"] is None
    assert not math.isnan(read(tmp_path / "written").labels.unknown_share)


def test_the_clue_names_the_files(tmp_path):
    assert formats.recognise(Source(folder(tmp_path)))[0] == "fiftyone"
    assert formats.recognise(Source(tmp_path / "out" / "samples.json"))[0] == "fiftyone"
    assert formats.recognise(Source(labels_json(tmp_path, {"a": "cat"})))[0] == "fiftyone"
