"""Label Studio's two JSON exports with their oddities, and damaged."""

import json
import re

import numpy as np
import pytest

from damage import corruptions, json_corruptions, survives
from manylabel.data import formats, read
from manylabel.data.source import Source
from manylabel.labels import ManylabelError

SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0}


def choices(*names, field="scene", **more):
    return {"id": "x9", "type": "choices", "value": {"choices": list(names)}, "origin": "manual", "to_name": "image",
            "from_name": field, **more}  # fmt: skip


def rectangle(name, x, y, width, height, rotation=0, **more):
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation, "rectanglelabels": [name]}
    return {"id": "r1", "type": "rectanglelabels", "value": value, "origin": "manual", "to_name": "image",
            "from_name": "label", **SIZE, **more}  # fmt: skip


def annotation(*results, by=1, **more):
    return {"id": 7, "completed_by": by, "result": list(results), "was_cancelled": False, "ground_truth": False,
            "created_at": "2024-03-01T10:00:00.000000Z", "updated_at": "2024-03-01T10:00:00.000000Z",
            "draft_created_at": None, "lead_time": 4.2, "prediction": {}, "result_count": 1, "unique_id": "3f",
            "import_id": None, "last_action": None, "task": 1, "project": 3, "parent_prediction": None,
            "parent_annotation": None, "last_created_by": None, **more}  # fmt: skip


def task(image, *annotations, **more):
    return {"id": 1, "annotations": list(annotations), "file_upload": "ab-a.jpg", "drafts": [], "predictions": [],
            "data": {"image": image}, "meta": {}, "created_at": "2024-03-01T10:00:00.000000Z", "inner_id": 1,
            "total_annotations": len(annotations), "cancelled_annotations": 0, "total_predictions": 0,
            "comment_count": 0, "project": 3, "updated_by": 1, "comment_authors": [], **more}  # fmt: skip


POLYGON = {"id": "p1", "type": "polygonlabels", "from_name": "poly", "to_name": "image", **SIZE,
           "value": {"points": [[10, 20], [30, 20], [30, 60]], "closed": True, "polygonlabels": ["dog"]}}  # fmt: skip
ELLIPSE = {"id": "e1", "type": "ellipselabels", "from_name": "oval", "to_name": "image", **SIZE,
           "value": {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["cat"]}}  # fmt: skip
BRUSH = {"id": "b1", "type": "brushlabels", "from_name": "brush", "to_name": "image", **SIZE,
         "value": {"format": "rle", "rle": [0, 1, 2], "brushlabels": ["bird"]}}  # fmt: skip
PER_REGION = choices("sleeping", field="doing", **{"id": "r1"})
TAXONOMY = {"id": "t1", "type": "taxonomy", "from_name": "kinds", "to_name": "image",
            "value": {"taxonomy": [["animal", "pet", "cat"], ["vehicle"]]}}  # fmt: skip
RATING = {"id": "q1", "type": "rating", "from_name": "quality", "to_name": "image", "value": {"rating": 4}}
PREDICTION = {"id": 3, "model_version": "m1", "score": 0.4, "result": [choices("street", score=0.75)]}

TASKS = [
    task("/data/upload/3/ab-a.jpg",
         annotation(choices("street"), rectangle("cat", 10, 20, 30, 40, meta={"text": ["crowd"]}), PER_REGION, RATING)),
    task("/data/local-files/?d=photos/b%20b.jpg", annotation(POLYGON, ELLIPSE, BRUSH), data={
        "image": "/data/local-files/?d=photos/b%20b.jpg", "split": "valid", "site": "north", "number": 4}),
    task("s3://bucket/photos/c.jpg", annotation()),  # reviewed, nothing there
    task("https://host.org:8080/x/d.jpg?sig=1"),  # not yet labelled
    task("http://localhost:8080/data/upload/3/e.jpg", annotation(choices("street"), was_cancelled=True)),
    task("f.jpg", annotation(TAXONOMY, by={"id": 4, "email": "ann@x.org"})),
    task("g.jpg", predictions=[PREDICTION]),
]  # fmt: skip


def written(tmp_path, tasks=TASKS, name="project-3.json"):
    path = tmp_path / name
    path.write_text(json.dumps(tasks, indent=2))
    return path


def test_every_cell_of_an_export(tmp_path):
    data = read(written(tmp_path))
    assert data.kind == "label_studio"
    assert data.labels.names == ("cat", "street", "dog", "bird", "animal", "pet", "vehicle")
    assert data.labels.ids == ("upload/3/ab-a.jpg", "photos/b b.jpg", "bucket/photos/c.jpg", "host.org:8080/x/d.jpg",
                               "upload/3/e.jpg", "f.jpg", "g.jpg")  # fmt: skip
    assert data.labels.state.tolist() == [
        [1, 1, -1, -1, -1, -1, -1], [1, -1, 1, 1, -1, -1, -1], [-1] * 7, [0] * 7, [0] * 7, [1, -1, -1, -1, 1, 1, 1],
        [0] * 7,
    ]  # fmt: skip
    assert data.beside.reviewed.tolist() == [True, True, True, False, False, True, False]
    assert set(data.beside.parents) == {("cat", "pet"), ("pet", "animal")}
    assert data.split.tolist() == ["", "val", "", "", "", "", ""]
    assert {k: v[1] for k, v in data.columns.items()} == {"site": "north", "number": "4"}
    assert data.beside.sizes[:3].tolist() == [[200, 100], [200, 100], [0, 0]]
    np.testing.assert_allclose(
        data.beside.boxes.values, [[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.2, 0.4], [0.4, 0.3, 0.2, 0.4]]
    )
    assert data.beside.boxes.words == ("crowd|sleeping", "polygon", "ellipse")
    assert data.beside.votes is None
    assert str(data.paths[1]) == str(tmp_path / "photos" / "b b.jpg")
    said = "\n".join(data.notes)
    for part in (
        "3 images have no annotation",
        "1 images have an annotation without a label",
        "1 annotations were skipped",
        "1 tasks have predictions",
        "results of type rating (1)",
        "brushlabels without a box (1)",
        "Images named by s3:// are called by their path",
    ):
        assert part in said


def test_predictions_may_become_soft_values(tmp_path):
    data = read(written(tmp_path), uncertain="soft")
    assert (data.beside.soft.rows.tolist(), data.beside.soft.values.tolist()) == ([6], [0.75])
    assert data.labels.state[6].tolist() == [0] * 7


def test_votes_majority_and_tie(tmp_path):
    people = [
        annotation(choices("cat", "dog"), by=1),
        annotation(choices("cat"), by=2),
        annotation(choices("cat"), by=3),
    ]
    both = [annotation(choices("bird"), by=1), annotation(by={"id": 9})]
    data = read(written(tmp_path, [task("a.jpg", *people), task("b.jpg", *both)]))
    assert data.labels.names == ("cat", "dog", "bird")
    assert data.labels.state.tolist() == [[1, -1, -1], [-1, -1, 0]]
    votes = data.beside.votes
    said = {(r, data.labels.names[c], data.beside.annotators[v[0]], int(v[1]))
            for r, c, v in zip(votes.rows, votes.columns, votes.values)}  # fmt: skip
    assert said == {(0, "cat", "1", 1), (0, "cat", "2", 1), (0, "cat", "3", 1), (0, "dog", "1", 1), (0, "dog", "2", -1),
                    (0, "dog", "3", -1), (1, "bird", "1", 1), (1, "bird", "9", -1)}  # fmt: skip


def test_the_truth_decides_and_a_later_annotation_counts(tmp_path):
    golden = [annotation(choices("cat"), by=1), annotation(choices("cat"), by=2),
              annotation(choices("dog"), by=3, ground_truth=True)]  # fmt: skip
    again = [annotation(choices("cat"), by=1), annotation(choices("dog"), by=1)]
    data = read(written(tmp_path, [task("a.jpg", *golden), task("b.jpg", *again)]))
    assert data.labels.state.tolist() == [[-1, 1], [-1, 1]]
    assert "1 annotations were followed by a later one" in "\n".join(data.notes)


def test_two_tasks_of_one_image_are_two_annotators(tmp_path):
    tasks = [
        task("a.jpg", annotation(choices("cat"), by=1)),
        task("a.jpg"),
        task("a.jpg", annotation(choices("dog"), by=2)),
    ]
    data = read(written(tmp_path, tasks))
    assert (data.labels.state.tolist(), data.beside.reviewed.tolist()) == ([[0, 0]], [True])


def test_choices_that_share_a_word_are_told_apart(tmp_path):
    one = annotation(choices("yes", field="wet"), choices("yes", field="cold"),
                     {"type": "taxonomy", "from_name": "kinds",
                      "value": {"taxonomy": [["car", "other"], ["pet", "other"]]}})  # fmt: skip
    data = read(written(tmp_path, [task("a.jpg", one)]))
    assert set(data.labels.names) == {"wet: yes", "cold: yes", "car", "pet", "car/other", "pet/other"}
    assert set(data.beside.parents) == {("car/other", "car"), ("pet/other", "pet")}


def test_a_turned_rectangle_keeps_pixels(tmp_path):
    data = read(written(tmp_path, [task("a.jpg", annotation(rectangle("cat", 50, 10, 20, 10, rotation=90)))]))
    # 40 x 10 pixels about (100, 10): from (90, 10) to (100, 50)
    np.testing.assert_allclose(data.beside.boxes.values, [[0.45, 0.1, 0.05, 0.4]])
    assert data.beside.boxes.words == ("rotated",)


def test_older_completions_and_a_single_task(tmp_path):
    old = {"id": 3, "data": {"image_url": "a.jpg"}, "completions": [{"id": 1, "result": [choices("cat")]}]}
    assert read(written(tmp_path, [old])).labels.state.tolist() == [[1]]
    assert read(written(tmp_path, old)).labels.ids == ("a.jpg",)


SHORT = [
    {"image": "/data/upload/3/a.jpg", "site": "north", "id": 1, "scene": "street", "annotator": 1, "annotation_id": 1,
     "created_at": "2024-03-01T10:00:00Z", "updated_at": "2024-03-01T10:00:00Z", "lead_time": 1.5},
    {"image": "/data/upload/3/b.jpg", "site": "south", "id": 2, "scene": {"choices": ["street", "rain"]}, "label": [
        {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["cat"], "original_width": 20,
         "original_height": 10}], "kinds": [{"taxonomy": [["animal", "dog"]]}], "annotator": 1, "annotation_id": 2,
     "created_at": "", "updated_at": "", "lead_time": 1.5},
    {"image": "/data/upload/3/b.jpg", "site": "south", "id": 2, "scene": {"choices": ["street"]}, "annotator": 2,
     "annotation_id": 3, "created_at": "", "updated_at": "", "lead_time": 1.5},
    {"image": "/data/upload/3/c.jpg", "site": "south", "id": 3, "annotator": 2, "annotation_id": 4, "lead_time": 1.5},
]  # fmt: skip


def test_every_cell_of_the_short_export(tmp_path):
    data = read(written(tmp_path, SHORT))
    assert data.labels.names == ("street", "cat", "rain", "animal", "dog")
    assert data.labels.ids == ("upload/3/a.jpg", "upload/3/b.jpg", "upload/3/c.jpg")
    assert data.labels.state.tolist() == [[1, -1, -1, -1, -1], [1, 0, 0, 0, 0], [-1] * 5]
    assert data.columns["site"].tolist() == ["north", "south", "south"]
    assert data.beside.boxes.values.tolist() == [[0.1, 0.2, 0.3, 0.4]]
    assert data.beside.sizes[1].tolist() == [20, 10]
    assert data.beside.parents == (("dog", "animal"),)


def broken(change):
    tasks = json.loads(json.dumps(TASKS))
    change(tasks)
    return tasks


def box_of(tasks):
    return tasks[0]["annotations"][0]["result"][1]["value"]


def result_of(tasks, k):
    return tasks[k]["annotations"][0]["result"][0]["value"]


MISTAKES = [
    (lambda t: box_of(t).update(x="left"), 0, "task 1, annotation 1, result 2: expected a number for x, got 'left'"),
    (lambda t: box_of(t).update(width=-5), 0, "expected a box in the image"),
    (lambda t: box_of(t).update(x=1e308), 0, "expected a box in the image"),
    (lambda t: box_of(t).pop("width"), 0, "expected x, y, width and height in percent"),
    (lambda t: box_of(t).update(rectanglelabels="cat"), 0, "expected a list for rectanglelabels"),
    (lambda t: result_of(t, 0).update(choices=[""]), 0, "expected text for choices, got ''"),
    (lambda t: t[0]["annotations"][0].update(result="?"), 0, "annotation 1: expected a list for result, got '\\?'"),
    (lambda t: t[0].update(annotations=[4]), 0, "task 1, annotation 1: expected an object for an annotation, got 4"),
    (lambda t: result_of(t, 5).update(taxonomy=[[]]), 5, "expected a path of names for taxonomy"),
]


@pytest.mark.parametrize(("change", "row", "said"), MISTAKES, ids=[said for *_, said in MISTAKES])
def test_mistakes_are_errors_or_left_out_and_said(tmp_path, change, row, said):
    path = written(tmp_path, broken(change))
    with pytest.raises(ManylabelError, match=said):
        read(path)
    data = read(path, mistakes="leave")
    assert re.search(said, "\n".join(data.mistakes))
    assert -1 not in data.labels.state[row]  # what is not listed is unknown where something was left out
    assert -1 in data.labels.state[2]


@pytest.mark.parametrize(("data", "said"), [
    ({"text": "hello"}, "no key of data holds the address of an image: expected image, got text"),
    ({"image": ["a.jpg", "b.jpg"]}, "expected one image in data.image, got 2"),
    (None, "task 1: expected an object for data, got null"),
])  # fmt: skip
def test_a_task_without_an_image_is_left_out_and_said(tmp_path, data, said):
    path = written(tmp_path, [task("x", data=data), task("b.jpg", annotation(choices("cat")))])
    with pytest.raises(ManylabelError, match=said):
        read(path, format="label_studio")
    left = read(path, mistakes="leave", format="label_studio")
    assert left.labels.ids == ("b.jpg",)
    assert said.rpartition(": ")[2] in "\n".join(left.mistakes)


def test_different_addresses_of_one_path_stay_apart(tmp_path):
    tasks = [task(f"{host}/data/upload/a.jpg", annotation(choices("cat"))) for host in ("http://one", "http://two")]
    data = read(written(tmp_path, tasks))
    assert data.labels.ids == ("upload/a.jpg", "http://two/data/upload/a.jpg")


@pytest.mark.parametrize("mistakes", ["error", "leave"])
def test_damaged_files(tmp_path, mistakes):
    outcomes = []
    for k, tasks in enumerate((TASKS, SHORT)):
        path = written(tmp_path, tasks)
        for what, data in [*corruptions(path.read_bytes(), k), *json_corruptions(tasks, k, 60)]:
            path.write_bytes(data)
            outcomes.append(survives(path, what, mistakes=mistakes, uncertain="soft", format="label_studio"))
    assert len(outcomes) > 150
    assert {"error", "read"} == set(outcomes)


def test_what_is_written(tmp_path):
    source = read(written(tmp_path))
    formats.write(source, tmp_path / "out.json", "label_studio")
    tasks = json.loads((tmp_path / "out.json").read_text())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=upload/3/ab-a.jpg"
    assert tasks[1]["data"]["split"] == "val"
    first, box = tasks[0]["annotations"][0]["result"]
    assert (first["type"], first["value"]) == ("choices", {"choices": ["cat", "street"]})
    assert box["value"] == {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["cat"]}
    assert (box["original_width"], box["meta"]) == (200, {"text": ["crowd", "sleeping"]})
    assert tasks[2]["annotations"][0]["result"] == []  # reviewed, nothing there
    assert tasks[3]["annotations"] == []  # not yet labelled
    (tmp_path / "out.json.manylabel.json").unlink(missing_ok=True)
    again = read(tmp_path / "out.json")
    assert again.labels.ids == source.labels.ids
    assert again.labels.names == source.labels.names
    assert again.labels.state.tolist() == source.labels.state.tolist()


def test_the_clue_names_the_tasks(tmp_path):
    for tasks in (TASKS, SHORT, TASKS[0]):
        assert formats.recognise(Source(written(tmp_path, tasks)))[0] == "label_studio"
    cut = tmp_path / "cut.json"
    cut.write_bytes(written(tmp_path).read_bytes()[:-40])
    with pytest.raises(ManylabelError, match=r"cut.json, line .*not valid JSON"):
        read(cut)


def test_annotations_of_one_image_from_several_tasks_count_as_if_they_stood_together(tmp_path):
    tasks = [
        task("a.jpg", annotation(choices("owl"), by=1)),
        task("b.jpg", annotation(choices("cat"), rectangle("cat", 0, 0, 50, 50), by=1)),
        task("a.jpg", annotation(choices("dog", "ape"), by=2), annotation(choices("bee"), by=1)),
        task("c.jpg", annotation(choices("elk"), by=1), annotation(choices("elk"), by=2)),
    ]
    data = read(written(tmp_path, tasks))
    assert data.labels.ids == ("a.jpg", "b.jpg", "c.jpg")
    assert data.labels.names == ("dog", "ape", "bee", "cat", "elk")  # image by image; owl was taken back
    assert data.labels.state.tolist() == [[0, 0, 0, -1, -1], [-1, -1, -1, 1, -1], [-1, -1, -1, -1, 1]]
    votes = data.beside.votes
    assert np.bincount(votes.rows).tolist() == [6, 0, 2]  # of one person alone there are none
    assert data.beside.boxes.rows.tolist() == [1]
    assert any(note.startswith("1 annotations were followed by a later one") for note in data.notes)


def test_the_size_of_a_picture_that_was_turned_is_not_taken(tmp_path):
    turned = rectangle("cat", 0, 0, 50, 50) | {"image_rotation": 90}
    data = read(written(tmp_path, [task("a.jpg", annotation(turned)), task("b.jpg", annotation(turned | SIZE))]))
    assert data.beside.sizes.tolist() == [[0, 0], [200, 100]]
    data = read(written(tmp_path, [task("a.jpg", annotation(turned, rectangle("dog", 0, 0, 1, 1)))]))
    assert data.beside.sizes.tolist() == [[200, 100]]
