"""Label Studio and FiftyOne: suggestions go out, a person works in the tool, corrected labels come back."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

import manylabel
import toys
from drawn import photographs
from manylabel import data
from manylabel.audits.findings import Finding
from manylabel.cli import app
from manylabel.export import fiftyone, label_studio, returned, tasks
from manylabel.labels import LabelTable, ManylabelError
from manylabel.prediction import Prediction
from manylabel.scores import ScoreFile

NAMES = ("blue", "green", "red")


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, (words, done.exception, done.output)
    return done


def refused(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code != 0
    return str(done.exception)


def write(tool, path, made, classes, **options):
    with tool.writing(path, classes, **options) as add:
        for task in made:
            add(task)


def cells(path):
    """(image, class) -> "1", "0" or "" of a wide CSV."""
    with Path(path).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {(row["image"], name): row[name] for row in rows for name in row if name not in ("image", "split")}


def annotated(task, choices, by=7, **more):
    """A task of a project's JSON export, with an annotation as Label Studio writes one."""
    when = {"created_at": "2026-03-09T21:52:49.513742Z", "updated_at": "2026-03-09T22:16:08.746926Z"}
    kind = {"from_name": "choice", "to_name": "image", "type": "choices", "origin": "prediction-changed"}
    result = [{"value": {"choices": choices}, "id": "t5sp3TyXPo", **kind}] if choices else []
    annotation = {
        "id": 10 * task["id"] + by, "completed_by": by, "result": result, "was_cancelled": False, "ground_truth": False,
        **when, "draft_created_at": None, "lead_time": 4.288, "prediction": {}, "result_count": len(result),
        "unique_id": f"u{task['id']}", "import_id": None, "last_action": None, "task": task["id"], "project": 3,
        "updated_by": by, "parent_prediction": None, "parent_annotation": None, "last_created_by": None, **more,
    }  # fmt: skip
    return exported(task, [*task["annotations"], annotation])


def exported(task, annotations=()):
    """A task as an export has it: predictions by their numbers, and what the project adds."""
    return {
        **task, "annotations": list(annotations), "predictions": [1, 2], "drafts": [], "file_upload": "ab-tasks.json",
        "meta": task.get("meta", {}), "inner_id": task["id"], "total_annotations": len(annotations),
        "cancelled_annotations": 0, "total_predictions": 2, "comment_count": 0, "project": 3, "updated_by": 7,
    }  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """16 drawn photographs; wide labels of which those of images 2 and 3 are partly unknown, scores that doubt some."""
    folder = tmp_path_factory.mktemp("photos") / "p"
    narrow = data.read(photographs(folder, 16, parts=False)).labels
    state = narrow.state[:, [narrow.names.index(name) for name in NAMES]].copy()
    state[2:4, 1:] = 0
    rows = [[image, *({-1: "0", 0: "", 1: "1"}[c] for c in row)] for image, row in zip(narrow.ids, state.tolist())]
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["image", *NAMES], *rows])
    values = np.where(state == 0, 0.5, np.where(state == 1, 0.95, 0.05))
    doubted = [(5, 0, 0.02), (6, 2, 0.01), (7, 1, 0.03), (5, 2, 0.04)]  # row, class, confidence in the label as given
    for row, column, sure in doubted:
        values[row, column] = sure if state[row, column] == 1 else 1 - sure
    ScoreFile(narrow.ids, NAMES, values, "probability").save(folder / "scores.npz")
    return folder


@pytest.fixture(scope="module")
def audited(photos, tmp_path_factory):
    """The suspected errors of the photographs as tasks and as a FiftyOne data set."""
    out = tmp_path_factory.mktemp("audit")
    run("audit", photos / "scores.npz", photos / "labels.csv", "--out", out / "f.csv",
        "--label-studio", out / "tasks.json", "--fiftyone", out / "fo")  # fmt: skip
    return out


@pytest.fixture
def model(monkeypatch):
    """A model of five classes that any command loads."""
    made = toys.model("linear")
    monkeypatch.setattr("manylabel.model.load", lambda path: made)
    return made


def opposite(task):
    """What is suggested of each label of a task."""
    return {one.label: one.suggested for one in tasks.read_note(task["data"]["asked"]).asked}


def test_suspected_errors_are_tasks_the_strongest_first(audited):
    made = json.loads((audited / "tasks.json").read_text())
    assert [task["data"]["image"].rpartition("/")[2] for task in made] == ["6.jpg", "5.jpg", "7.jpg"]
    first, second, _ = made
    assert first["data"]["image"] == "/data/local-files/?d=images/6.jpg"
    assert first["annotations"] == []
    assert first["predictions"][-1]["model_version"] == "suspected errors"
    scores = [task["predictions"][-1]["score"] for task in made]
    assert scores == sorted(scores)
    assert [task["data"]["priority"] for task in made] == pytest.approx([1 - score for score in scores])
    assert len(opposite(second)) == 2
    given, suspected = ({n for r in p["result"] for n in r["value"]["choices"]} for p in second["predictions"])
    assert given ^ suspected == {"blue", "red"}
    assert second["data"]["said"].count("?") == 2
    assert "the model says" in second["data"]["said"]


def test_the_labelling_interface_offers_every_class(audited):
    root = ET.parse(audited / "tasks.xml").getroot()
    choices = root.find("Choices")
    assert (choices.get("name"), choices.get("toName"), choices.get("choice")) == ("choice", "image", "multiple")
    assert [one.get("value") for one in choices] == list(NAMES)
    assert {one.get("name"): one.get("value") for one in root}["image"] == "$image"
    assert (
        ET.fromstring(label_studio.config(['a "b" <c> & \u00e9'])).find("Choices/Choice").get("value")
        == 'a "b" <c> & \u00e9'
    )
    with pytest.raises(ManylabelError, match="rename the class"):
        label_studio.config(["a\x01"])


def test_suggestions_are_never_read_as_labels(audited, tmp_path):
    for path in (audited / "tasks.json", audited / "fo"):
        found = data.read(path)
        assert found.labels.names == NAMES
        given = found.kind == "fiftyone"
        assert found.labels.known.any() == given
    write(fiftyone, tmp_path / "sure", [tasks.Task("a.jpg", "a.jpg", None, (tasks.Asked("cat", "present", 1.0),), 1.0)],
                   ["cat"], source="m")  # fmt: skip
    assert data.read(tmp_path / "sure").labels.state.tolist() == [[0]]
    asked = data.read(tmp_path / "sure", columns=("predictions",)).labels
    assert asked.state.tolist() == [[1]]


def test_asked_for_predictions_are_soft_values_each_with_its_own(tmp_path):
    asked = (tasks.Asked("cat", "present", 0.9), tasks.Asked("dog", "present", 0.6))
    write(
        label_studio,
        tmp_path / "t.json",
        [tasks.Task("a.jpg", "a.jpg", ("dog",), asked, 0.2)],
        ["cat", "dog"],
        source="m",
    )
    soft = data.read(tmp_path / "t.json", uncertain="soft").beside.soft
    assert dict(zip(soft.columns.tolist(), soft.values.tolist())) == {0: 0.9, 1: 0.6}


def test_a_review_in_label_studio_comes_back(audited, photos, tmp_path):
    six, five, seven = json.loads((audited / "tasks.json").read_text())
    after = {name for r in six["predictions"][-1]["result"] for name in r["value"]["choices"]}  # accepted
    as_given = [n for r in five["predictions"][0]["result"] for n in r["value"]["choices"]]  # rejected
    export = [annotated(six, sorted(after)), annotated(five, as_given, by=8), exported(seven)]
    (tmp_path / "export.json").write_text(json.dumps(export))
    before, new = cells(photos / "labels.csv"), tmp_path / "new.csv"
    told = run("audit", tmp_path / "export.json", photos / "labels.csv", "--apply", "--out", new).stdout
    assert "2 of 3 images were looked at; suggestions: 1 accepted, 2 rejected, 0 called unknown, 1 untouched" in told
    assert "1 labels changed, 3 of 4 findings reviewed" in told
    changed = {key: value for key, value in cells(new).items() if value != before[key]}
    assert list(changed) == [("images/6.jpg", "red")]
    assert sum(value == "" for value in cells(new).values()) == 4  # unknown cells of images 2 and 3
    (row,) = csv.DictReader((tmp_path / "new.changes.csv").read_text().splitlines())
    assert row["reasons"].endswith("accepted by annotator 7 in Label Studio")
    assert row["findings"] == str(tmp_path / "export.json")
    major = cells(tmp_path / "new.major.csv")  # both suggestions of image 5 were confirmed mistakes of the model
    assert {image for image, _ in major} == {"images/5.jpg"}


def test_what_nobody_was_shown_stays_unknown(tmp_path):
    (tmp_path / "labels.csv").write_text("image,cat,dog,cow,emu\na.jpg,1,,0,1\nb.jpg,,,,\n")
    made = [
        tasks.of_prediction(Prediction(image, ("cat",), {"cat": 0.9, "dog": 0.48, "cow": 0.02}, {}))
        for image in ("x/a.jpg", "x/b.jpg", "x/new.jpg")
    ]
    write(label_studio, tmp_path / "t.json", made, ["cat", "dog", "cow"], source="m")
    a, b, new = json.loads((tmp_path / "t.json").read_text())
    (tmp_path / "e.json").write_text(
        json.dumps([annotated(a, []), annotated(b, ["cat", "owl"]), annotated(new, ["dog"])])
    )
    told = run("audit", tmp_path / "e.json", tmp_path / "labels.csv", "--apply", "--out", tmp_path / "n.csv").stdout
    assert (tmp_path / "n.csv").read_text().splitlines() == [
        "image,cat,dog,cow,emu,owl", "a.jpg,0,0,0,1,", "b.jpg,1,0,,,1", "x/new.jpg,0,1,,,",
    ]  # fmt: skip
    assert "1 labels of these images were neither shown nor chosen and stay" in told  # emu
    assert "1 images are new: x/new.jpg" in told
    assert "1 classes are new: owl" in told
    assert "matched by file name" in told
    reasons = {
        (r["image"], r["label"]): r["reasons"]
        for r in csv.DictReader((tmp_path / "n.changes.csv").read_text().splitlines())
    }
    assert reasons["a.jpg", "cat"] == "shown and not chosen by annotator 7 in Label Studio; predicted with 90 %"
    narrow = tmp_path / "narrow.csv"  # complete lists: a class that nobody listed was absent
    narrow.write_text("image,labels\na.jpg,cat|emu\nb.jpg,cow\n")
    run("audit", tmp_path / "e.json", narrow, "--apply", "--out", tmp_path / "m.csv")
    assert (cells(tmp_path / "m.csv")["a.jpg", "owl"], cells(tmp_path / "m.csv")["x/new.jpg", "owl"]) == ("0", "")


def test_people_who_disagree_evenly_change_nothing(audited, photos, tmp_path):
    task = json.loads((audited / "tasks.json").read_text())[0]
    sides = [[n for r in p["result"] for n in r["value"]["choices"]] for p in task["predictions"]]
    both = annotated(annotated(task, sides[0]), sides[1], by=9)
    (tmp_path / "e.json").write_text(json.dumps([both]))
    told = run("audit", tmp_path / "e.json", photos / "labels.csv", "--apply", "--out", tmp_path / "n.csv").stdout
    assert "1 labels on which as many people say yes as no stay as they were" in told
    assert "0 labels changed" in told
    assert cells(tmp_path / "n.csv") == cells(photos / "labels.csv")
    skipped = annotated(task, sides[1], was_cancelled=True)
    (tmp_path / "s.json").write_text(json.dumps([skipped]))
    told = run("audit", tmp_path / "s.json", photos / "labels.csv", "--apply", "--out", tmp_path / "s.csv").stdout
    assert "0 of 1 images were looked at" in told


@pytest.mark.parametrize("kind", ["min", "csv"])
def test_the_short_exports_say_the_same(kind, audited, photos, tmp_path):
    six, five, _ = json.loads((audited / "tasks.json").read_text())
    rows = []
    for task in (six, five):
        chosen = [n for r in task["predictions"][-1]["result"] for n in r["value"]["choices"]]
        about = {"annotator": 7, "annotation_id": task["id"], "created_at": "2026", "lead_time": 3.1}
        rows.append({**task["data"], "id": task["id"], "choice": {"choices": chosen}, **about})
    path = tmp_path / f"e.{'json' if kind == 'min' else 'csv'}"
    if kind == "min":
        path.write_text(json.dumps(rows))
    else:
        with path.open("w", newline="") as stream:
            table = csv.DictWriter(stream, list(rows[0]))
            table.writeheader()
            as_text = [{k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()} for row in rows]
            table.writerows(as_text)
    told = run("audit", path, photos / "labels.csv", "--apply", "--out", tmp_path / "n.csv").stdout
    assert "suggestions: 3 accepted, 0 rejected" in told
    before, after = cells(photos / "labels.csv"), cells(tmp_path / "n.csv")
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {("images/6.jpg", "red"), ("images/5.jpg", "blue"), ("images/5.jpg", "red")}
    (row, *_) = csv.DictReader((tmp_path / "n.changes.csv").read_text().splitlines())
    assert "annotator 7" in row["reasons"]


def test_tasks_that_others_made_are_a_review_of_their_own_classes(tmp_path):
    (tmp_path / "labels.csv").write_text("image,cat,dog,emu\na.jpg,1,,1\nb.jpg,1,0,0\n")
    bare = {"id": 1, "data": {"image": "/data/upload/3/a.jpg"}, "annotations": []}
    other = {"id": 2, "data": {"image": "/data/upload/3/b.jpg"}, "annotations": []}
    (tmp_path / "e.json").write_text(json.dumps([annotated(bare, ["dog"]), annotated(other, ["cat"])]))
    run("audit", tmp_path / "e.json", tmp_path / "labels.csv", "--apply", "--out", tmp_path / "n.csv")
    assert (tmp_path / "n.csv").read_text().splitlines()[1:] == ["a.jpg,0,1,1", "b.jpg,1,0,0"]


def fiftyone_export(folder, out, edit):
    """The data set as FiftyOne writes it after `edit(number, sample)`: copied photographs, ids, a list of fields."""
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    about = json.loads((folder / "metadata.json").read_text())
    for number, sample in enumerate(samples):
        edit(number, sample)
        sample |= {"filepath": f"data/{Path(sample['filepath']).name}", "_id": {"$oid": f"{number:024x}"}, "_rand": 0.5}
        for name in ("ground_truth", "suspected", "predictions", "uncertain"):
            for one in (sample.get(name) or {}).get("classifications", ()):
                one |= {"_id": {"$oid": "0" * 24}, "logits": None}
                one.setdefault("tags", [])
    kinds = [{"name": n, "ftype": t.split("(")[0], "embedded_doc_type": t.partition("(")[2][:-1] or None}
             for n, t in about["sample_fields"].items()]  # fmt: skip
    out.mkdir()
    (out / "metadata.json").write_text(json.dumps({**about, "sample_fields": kinds, "version": "1.22.1"}))
    (out / "samples.json").write_text(json.dumps({"samples": samples}))
    return out


def test_tags_and_edits_in_fiftyone_come_back(audited, photos, tmp_path):
    def edit(number, sample):
        suspected = {one["label"]: one for one in sample["suspected"]["classifications"]}
        if number == 0:  # image 6: accepted by a tag of the label
            suspected["red"]["tags"] = ["Accept"]
        elif number == 1:  # image 5: one rejected, the other by a tag of the sample
            sample["tags"] += ["unknown"]
            suspected["blue"]["tags"] = ["reject"]
        else:  # image 7: the ground truth itself
            truth = sample["ground_truth"]["classifications"]
            truth.append({"_cls": "Classification", "label": "green"})

    new = tmp_path / "n.csv"
    told = run("audit", fiftyone_export(audited / "fo", tmp_path / "e", edit), photos / "labels.csv", "--apply",
               "--out", new).stdout  # fmt: skip
    assert "3 of 3 images were looked at; suggestions: 2 accepted, 1 rejected, 1 called unknown, 0 untouched" in told
    assert "stay" not in told
    before, after = cells(photos / "labels.csv"), cells(new)
    changed = {key: value for key, value in after.items() if value != before[key]}
    assert set(changed) == {("images/6.jpg", "red"), ("images/5.jpg", "red"), ("images/7.jpg", "green")}
    assert changed["images/5.jpg", "red"] == ""
    untouched = fiftyone_export(audited / "fo", tmp_path / "u", lambda number, sample: None)
    told = run("audit", untouched, photos / "labels.csv", "--apply", "--out", tmp_path / "u.csv").stdout
    assert "0 of 3 images were looked at" in told
    assert cells(tmp_path / "u.csv") == before


def test_predictions_are_accepted_in_fiftyone_as_being_there(tmp_path):
    (tmp_path / "labels.csv").write_text("image,cat,dog,cow\na.jpg,,,\nb.jpg,,,\nc.jpg,,,\n")
    p = {"cat": 0.9, "dog": 0.48, "cow": 0.02}
    made = [tasks.of_prediction(Prediction(image, ("cat",), p, {})) for image in ("a.jpg", "b.jpg", "c.jpg")]
    write(fiftyone, tmp_path / "fo", made, list(p), source="m")

    def edit(number, sample):
        if number == 0:
            sample["uncertain"]["classifications"][0]["tags"] = ["accept"]
            sample["predictions"]["classifications"][0]["tags"] = ["reject"]
        elif number == 1:
            sample["tags"].append("accept")
        else:
            sample["ground_truth"] = {"_cls": "Classifications", "classifications": [{"label": "cow"}]}

    export = fiftyone_export(tmp_path / "fo", tmp_path / "e", edit)
    run("audit", export, tmp_path / "labels.csv", "--apply", "--out", tmp_path / "n.csv")
    assert (tmp_path / "n.csv").read_text().splitlines()[1:] == ["a.jpg,0,1,", "b.jpg,1,,", "c.jpg,,,1"]


def test_verdicts_in_fiftyone_that_contradict_each_other_are_refused(audited, photos, tmp_path):
    def both(number, sample):
        sample["suspected"]["classifications"][0]["tags"] = ["accept", "rejected"]

    def against(number, sample):
        sample["suspected"]["classifications"][0]["tags"] = ["reject"]
        asked = tasks.read_note(sample["asked"]).asked[0]
        truth = sample["ground_truth"]["classifications"]
        truth[:] = [one for one in truth if one["label"] != asked.label]
        truth += [{"_cls": "Classification", "label": asked.label}] if asked.suggested == "present" else []

    for name, edit, said in (("b", both, "accept and reject contradict"), ("a", against, "keep one of them")):
        path = fiftyone_export(audited / "fo", tmp_path / name, edit)
        message = refused("audit", path, photos / "labels.csv", "--apply", "--out", tmp_path / "n.csv")
        assert said in message
        assert "samples.json, sample 1" in message
    assert not (tmp_path / "n.csv").exists()


def test_predictions_of_a_model_go_to_both_and_come_back(model, photos, tmp_path):
    images = [photos / "images" / f"{k}.jpg" for k in range(6)]
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    labels = tmp_path / "labels.csv"
    labels.write_text("image,class 0,class 1\nimages/0.jpg,1,\nimages/1.jpg,,\n")
    done = run("predict", "runs/m", *images, bad, "--root", photos, "--json", "--order", "uncertainty",
               "--labels", labels, "--label-studio", tmp_path / "t.json",
               "--fiftyone", tmp_path / "fo", "--url-prefix", "s3://b/", code=1)  # fmt: skip
    assert len(done.stdout.splitlines()) == 7
    made = json.loads((tmp_path / "t.json").read_text())
    assert {task["data"]["image"] for task in made} == {f"s3://b/images/{k}.jpg" for k in range(6)}
    expected = {p.image.removeprefix(f"{photos}/"): p for p in manylabel.model.load("").predict(images)}
    sure = [task["predictions"][-1]["score"] for task in made]
    assert sure == sorted(sure)
    for task in made:
        note = tasks.read_note(task["data"]["asked"])
        prediction = expected[note.image]
        named = [n for r in task["predictions"][-1]["result"] for n in r["value"]["choices"]]
        assert set(named) == set(prediction.labels) | set(note.given or ())
        assert note.given == (("class 0",) if note.image.endswith("/0.jpg") else None)
    samples = {s["filepath"]: s for s in json.loads((tmp_path / "fo" / "samples.json").read_text())["samples"]}
    for image, prediction in expected.items():
        (sample,) = (
            s for path, s in samples.items() if (tmp_path / "fo" / path).resolve() == (photos / image).resolve()
        )
        shown = {one["label"]: one["confidence"] for one in sample["predictions"]["classifications"]}
        assert shown == {n: pytest.approx(prediction.probabilities[n], abs=1e-6) for n in prediction.labels}
        assert (sample["ground_truth"] is None) == (not image.endswith("/0.jpg"))
    first, *rest = made
    chosen = ["class 2"]
    (tmp_path / "e.json").write_text(json.dumps([annotated(first, chosen), *map(exported, rest)]))
    run("convert", tmp_path / "e.json", tmp_path / "new.csv")
    table = data.read(tmp_path / "new.csv").labels
    row = next(r for r, image in enumerate(table.ids) if table.known[r].any())
    assert table.known.any(axis=1).sum() == 1
    assert first["data"]["image"].endswith(table.ids[row].removeprefix("b/"))
    assert [table.names[c] for c in np.flatnonzero(table.present[row])] == chosen


def test_uncertain_labels_are_those_near_their_own_threshold():
    p = {"sure": 0.95, "near": 0.55, "below": 0.45, "rare": 0.001, "far": 0.1}
    cuts = {"sure": 0.5, "near": 0.5, "below": 0.5, "rare": 0.02, "far": 0.5}
    task = tasks.of_prediction(Prediction("a.jpg", ("sure", "near"), p, cuts))
    assert {one.label: (one.suggested, one.unsure) for one in task.asked} == {
        "sure": ("present", False), "near": ("present", True), "below": ("absent", True),
    }  # fmt: skip
    assert task.said.startswith("Look first: near 55 %, below 45 %")
    assert task.certainty == pytest.approx(0.1)
    assert not any(one.unsure for one in tasks.of_prediction(Prediction("a.jpg", (), p, cuts), margin=0.05).asked)
    assert tasks.of_prediction(Prediction("a.jpg", (), p, {})).certainty == pytest.approx(
        0.1
    )  # a rule without thresholds
    first = tasks.by_certainty([tasks.Task(n, n, None, (), c) for n, c in (("a", 0.5), ("b", 0.1), ("c", 0.5))])
    assert [task.image for task in first] == ["b", "a", "c"]


def test_a_note_survives_bars_and_two_tasks_of_an_image():
    finding = Finding(
        4, "a|b.jpg", "cat|dog", "absent", "present", 0.1, 0.2, "one; two | three", "missing label", "major"
    )
    table = LabelTable(np.array([[-1, 1]], np.int8), ("cat|dog", "emu"), ("a|b.jpg",))
    (task,) = tasks.of_findings([finding], table, {})
    assert "|" not in task.note
    again = tasks.read_note("|".join([task.note, replace(task, asked=(tasks.Asked("owl", "absent", 0.25),)).note]))
    assert (again.image, again.given) == ("a|b.jpg", ("emu",))
    assert again.asked[0].finding == finding
    assert again.asked[1] == tasks.Asked("owl", "absent", 0.25)
    with pytest.raises(ManylabelError, match="was changed and cannot be read"):
        tasks.read_note(task.note[:-3])


def test_mistakes_are_told_before_any_work(photos, tmp_path):
    there = tmp_path / "there.json"
    there.write_text("[]")
    one = photos / "images" / "0.jpg"
    for words, said in (
        (["--label-studio", there], "exists already"),
        (["--label-studio", tmp_path / "a.csv"], "a .json file"),
        (["--fiftyone", tmp_path], "exists already"),
        (["--margin", "0.1"], "belongs to --label-studio"),
        (["--url-prefix", "x"], "belongs to --label-studio"),
        (["--fiftyone", tmp_path / "f", "--order", "uncertain"], "uncertainty"),
        (["--fiftyone", tmp_path / "f", "--margin", "2"], "share in [0, 1]"),
    ):
        assert said in refused("predict", "runs/m", one, *words)
    with pytest.raises(ManylabelError, match="--root"):
        label_studio.below("../a.jpg", None)
    (tmp_path / "e.json").write_text(
        json.dumps([annotated({"id": 1, "data": {"image": "zz.jpg"}, "annotations": []}, ["x"])])
    )
    message = refused("audit", tmp_path / "e.json", photos / "labels.csv", "--apply", "--out", tmp_path / "n.csv")
    assert "none of its images is among the labels" in message
    with pytest.raises(ManylabelError, match="no export of"):
        returned.review(photos / "labels.csv", data.read(photos / "labels.csv"))


@pytest.mark.parametrize("tool", [label_studio, fiftyone])
def test_an_error_leaves_no_file_and_an_interruption_whole_ones(tool, tmp_path):
    task = tasks.of_prediction(Prediction("bad\udcff.jpg", ("cat",), {"cat": 0.9}, {}))

    def until(problem):
        yield task
        raise problem

    for problem in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(problem):
            write(tool, tmp_path / "t.json", until(problem), ["cat"], source="m")
        assert bool(list(tmp_path.iterdir())) == (problem is KeyboardInterrupt)
    found = tmp_path / "t.json" if tool is label_studio else tmp_path / "t.json/samples.json"
    assert "bad\\udcff.jpg" in found.read_text()  # a file's name need not be text
    assert not list(tmp_path.glob("*.part"))
    json.loads(found.read_text())


def test_tasks_are_written_as_they_come(model, photos, tmp_path, monkeypatch):
    open_files = []
    monkeypatch.setattr("manylabel.cli.predicting._as_json", lambda p: open_files.append(sorted(tmp_path.iterdir())))
    run("predict", "runs/m", photos / "images", "--json", "--label-studio", tmp_path / "t.json")
    assert [file.name for file in open_files[0]] == ["t.json.part", "t.xml.part"]
    assert len(json.loads((tmp_path / "t.json").read_text())) == 16


def test_two_lists_that_call_different_images_alike_do_not_mix(model, photos, tmp_path, monkeypatch):
    for k, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jpg").write_bytes((photos / f"images/{k}.jpg").read_bytes())
        (tmp_path / folder / "list.txt").write_text("x.jpg\n")
    monkeypatch.chdir(tmp_path)
    lists = ("a/list.txt", "b/list.txt")
    run("predict", "runs/m", *lists, "--label-studio", "t.json", "--fiftyone", "fo", "--xmp")
    samples = json.loads(Path("fo/samples.json").read_text())["samples"]
    assert [s["filepath"] for s in samples] == ["../a/x.jpg", "../b/x.jpg"]
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.xmp")) == ["a/x.xmp", "b/x.xmp"]


def test_names_start_at_the_root_wherever_one_stands(model, photos, tmp_path, monkeypatch):
    (tmp_path / "p/p").mkdir(parents=True)
    (tmp_path / "p/p/x.jpg").write_bytes((photos / "images/0.jpg").read_bytes())
    (tmp_path / "p/list.txt").write_text("p/x.jpg\n")  # p/x.jpg from the list's folder, not from here
    monkeypatch.chdir(tmp_path)
    run("predict", "runs/m", "p/list.txt", "--root", "p", "--label-studio", "t.json")
    (task,) = json.loads(Path("t.json").read_text())
    assert task["data"]["image"].endswith("?d=p/x.jpg")
    assert tasks.read_note(task["data"]["asked"]).image == "p/x.jpg"


TRI = "image,cat,dog,cow\na.jpg,1,,0\nb.jpg,,,0\nc.jpg,,,\nd.jpg,1,1,1\n"


def shown_to_a_person(tool, folder):
    """Images a to d, whose labels are known, unknown and mixed, with a prediction or two each, as a tool gets them."""
    (folder / "labels.csv").write_text(TRI)
    table = data.read(folder / "labels.csv").labels
    p = {"cat": 0.9, "dog": 0.48, "cow": 0.02}
    made = [
        tasks.of_prediction(Prediction(image, ("cat",), p, {}), given=tasks.present(table.names, row))
        for image, row in zip(table.ids, table.state)
    ]
    path = folder / ("t.json" if tool is label_studio else "fo")
    write(tool, path, made, list(table.names), source="m")
    return path


def test_known_absent_and_unknown_survive_both_tools_when_nobody_says_otherwise(tmp_path):
    for tool in (label_studio, fiftyone):
        (tmp_path / tool.__name__).mkdir()
        path = shown_to_a_person(tool, tmp_path / tool.__name__)
        labels = path.parent / "labels.csv"
        if tool is label_studio:
            export = path.parent / "e.json"
            export.write_text(json.dumps([exported(task) for task in json.loads(path.read_text())]))
        else:
            export = fiftyone_export(path, path.parent / "e", lambda number, sample: None)
        run("audit", export, labels, "--apply", "--out", path.parent / "n.csv")
        assert (path.parent / "n.csv").read_text() == TRI


def test_what_is_chosen_in_label_studio_leaves_the_rest_of_its_row_alone(tmp_path):
    path = shown_to_a_person(label_studio, tmp_path)
    a, b, c, d = json.loads(path.read_text())
    (tmp_path / "e.json").write_text(json.dumps([annotated(a, ["cat"]), annotated(b, ["cow"]), annotated(c, []),
                                                 annotated(d, ["cat", "dog", "cow"])]))  # fmt: skip
    run("audit", tmp_path / "e.json", tmp_path / "labels.csv", "--apply", "--out", tmp_path / "n.csv")
    rows = (tmp_path / "n.csv").read_text().splitlines()[1:]
    assert rows == ["a.jpg,1,0,0", "b.jpg,0,0,1", "c.jpg,0,0,", "d.jpg,1,1,1"]  # cow of c was not shown


def test_tags_on_the_ground_truth_itself_decide(tmp_path):
    def edit(number, sample):
        truth = {one["label"]: one for one in (sample["ground_truth"] or {}).get("classifications", ())}
        if number == 0:
            truth["cat"]["tags"] = ["unknown"]
        elif number == 3:
            truth["cow"]["tags"], truth["dog"]["tags"] = ["reject"], ["accept"]

    path = shown_to_a_person(fiftyone, tmp_path)
    export = fiftyone_export(path, tmp_path / "e", edit)
    run("audit", export, tmp_path / "labels.csv", "--apply", "--out", tmp_path / "n.csv")
    rows = (tmp_path / "n.csv").read_text().splitlines()[1:]
    assert rows == ["a.jpg,,,0", "b.jpg,,,0", "c.jpg,,,", "d.jpg,1,1,0"]

    def against(number, sample):
        if number == 0:
            sample["ground_truth"]["classifications"][0]["tags"] = ["reject"]
            sample["predictions"]["classifications"][0]["tags"] = ["accept"]

    export = fiftyone_export(path, tmp_path / "f", against)
    said = refused("audit", export, tmp_path / "labels.csv", "--apply", "--out", tmp_path / "m.csv")
    assert "sample 1: 'cat' is absent by its tag in the ground truth, present by that of the suggestion" in said
