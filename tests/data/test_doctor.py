"""The doctor names every planted fault, with its row, and counts rightly."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from manylabel import data
from manylabel.audits.cooccurrence import count_together, hierarchy_violations
from manylabel.data import doctor
from manylabel.data.beside import Beside, Cells
from manylabel.data.doctoring.counts import count, states_of
from manylabel.data.doctoring.families import above_each, violations
from manylabel.data.doctoring.together import company, count_pairs
from manylabel.data.near_names import near_names
from manylabel.hierarchy import from_pairs
from manylabel.labels import LabelTable
from manylabel.sparse import SparseLabels


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


def kinds(findings, *, least="warning"):
    wanted = ("error", "warning", "note")[: {"error": 1, "warning": 2, "note": 3}[least]]
    return {one.kind: one for one in findings.findings if one.severity in wanted}


def table_of(lines, tmp_path, **options):
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    return data.read(tmp_path / "x.csv", **options)


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
    assert files.near == [], "a file's own copy is no near copy"
    assert files.unnamed == [str(sick.source).replace("labels.csv", "7.jpg")]
    assert files.pixels == [(8, 8), (80, 60), (400, 33)]


def test_labels(sick):
    assert (sick.images, len(sick.classes), sick.parts) == (8, 5, {"train": 5, "test": 3})
    dog = next(c for c in sick.classes if c.name == "dog")
    assert (dog.positives, dog.train_positives, dog.absent, dog.unknown) == ({"train": 2, "test": 1}, 2, 4, 1)
    assert dog.unknown_in == {"train": 0, "test": 1}
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
        "row 5 3.jpg (= row 6 4.jpg; test, train; on Dog, dog)",
        "'Dog' and 'dog'",
        "1 class is known in no image: owl",
    ):
        assert words in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 110
    found = json.loads(json.dumps(sick.as_dict()))
    assert found["files"]["damaged"][0]["line"] == 3
    assert [one["severity"] for one in found["findings"]] == sorted(
        (one["severity"] for one in found["findings"]), key=("error", "warning", "note").index
    )
    missing = next(one for one in found["findings"] if one["kind"] == "missing")
    assert missing["examples"] == [{"image": "gone.jpg", "line": 9, "said": ""}]


def test_groups_count_training_positives_only(tmp_path):
    rows = [
        f"{k}.jpg,{'train' if k < 130 else 'test'},1,{int(k < 100)},{int(k < 99)},{int(k < 20)},{int(k < 19)}"
        for k in range(150)
    ]
    found = doctor.examine(table_of(["image,split,a,b,c,d,e", *rows], tmp_path), images=False)
    assert [c.group for c in found.classes] == ["head", "head", "medium", "medium", "tail"]
    assert found.classes[0].train_positives == 130
    assert found.groups == {"head": 2, "medium": 2, "tail": 1}
    assert found.files is None
    assert "not looked at" in str(found)


def test_images_elsewhere_are_pointed_at(tmp_path):
    (tmp_path / "photos").mkdir()
    save(tmp_path / "photos" / "a.jpg", 0)
    found = doctor.examine(table_of(["image,labels", "a.jpg,cat"], tmp_path))
    assert found.files.root_hint == str(tmp_path / "photos")
    assert kinds(found)["root"].do == f"Give --root {tmp_path / 'photos'}."
    assert not doctor.examine(data.read(tmp_path / "x.csv", root=tmp_path / "photos")).files.damaged


def test_positives_only_is_a_problem(tmp_path):
    found = doctor.examine(
        table_of(["image,labels", "a.jpg,cat", "b.jpg,dog"], tmp_path, unlisted="unknown"), images=False
    )
    assert any("No label is known to be absent" in problem for problem in found.problems)
    assert "always_present" not in kinds(found), "one finding says it"


def test_progress_and_one_image(tmp_path):
    save(tmp_path / "a.jpg", 0)
    seen = []
    doctor.examine(
        table_of(["image,cat", "a.jpg,1"], tmp_path), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 1)]


def test_near_names_leave_real_names_alone():
    assert near_names(["car", "cat", "cow", "bear", "boat", "bench", "mouse", "house_1", "house_2", "train"]) == []
    words = ["horse", "house", "plant", "planet", "trial", "train"]
    assert near_names(words, [90, 40, 1000, 60, 31, 30]) == []  # many images each
    assert near_names(words) == []  # nobody knows how often they occur
    assert near_names(["boxes", "box", "city", "cities"]) == [("box", "boxes", "plural"), ("cities", "city", "plural")]


def test_near_names_find_slips():
    assert near_names(["horse", "hores", "bicycle", "bycicle", "café au lait", "cafe au lait"]) == [
        ("cafe au lait", "café au lait", "accents"),
        ("bicycle", "bycicle", "swapped letters"),
        ("hores", "horse", "swapped letters"),
    ]
    names = ["person", "persom", "persons", "umbrella", "umrella", "zebras", "zebra x"]
    assert near_names(names, [900, 3, 4, 41, 2, 50, 50]) == [
        ("person", "persons", "plural"), ("persom", "person", "one letter"), ("umbrella", "umrella", "one letter"),
    ]  # fmt: skip
    assert near_names(["abcdef", "xabcde"], [100, 1]) == []  # a letter less and another more


def random_table(seed, images=300, classes=9):
    rng = np.random.default_rng(seed)
    state = rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=[0.6, 0.2, 0.2])
    return LabelTable(state, tuple("abcdefghi"[:classes]), tuple(map(str, range(images))))


def dataset_of(table, split=None, **parts):
    images = len(table)
    split = np.array([("train", "val", "")[k % 3] for k in range(images)]) if split is None else split
    from pathlib import Path

    return data.Dataset(
        table, [Path(f"/nowhere/{name}") for name in table.ids], split, {}, Path("x.csv"), "csv-wide", (),
        tuple(range(2, images + 2)), beside=Beside(**parts),
    )  # fmt: skip


@pytest.mark.parametrize("default", [-1, 0])
def test_lists_give_the_findings_of_the_table(default):
    table = random_table(0)
    lists = LabelTable(SparseLabels.from_dense(table.state, default=default), table.names, table.ids)
    parents = (("a", "b"), ("c", "x"), ("x", "d"))
    one, other = (doctor.examine(dataset_of(t), images=False, parents=parents).as_dict() for t in (table, lists))
    assert one == other
    rows = np.array([3, 5])
    classes, states = states_of(lists, rows)
    assert (states == table.state[rows][:, classes]).all()


def test_counts_by_hand():
    table = LabelTable(np.array([[1, 0], [1, -1], [1, 0], [0, 0]], np.int8), ("a", "b"), ("1", "2", "3", "4"))
    found = count(dataset_of(table, np.array(["train", "test", "", "test"])))
    assert (found.parts, found.images.tolist()) == (("train", "test", ""), [1, 2, 1])
    assert found.positives.tolist() == [[1, 0], [1, 0], [1, 0]]
    assert found.unknown.tolist() == [[0, 1], [1, 1], [0, 1]]
    assert (found.labels.tolist(), found.known.tolist()) == ([1, 1, 1, 0], [1, 2, 1, 0])
    assert found.training.tolist() == [2, 0], "rows of no part are training rows"


@pytest.mark.parametrize("square", [1 << 22, 0])
def test_pairs_are_those_of_the_product(square, monkeypatch):
    from manylabel.data.doctoring import together

    monkeypatch.setattr(together, "SQUARE", square)
    monkeypatch.setattr(together, "AT_ONCE", 50)  # many pieces
    table = random_table(1)
    right = count_together(table.present, table.present)
    np.fill_diagonal(right, 0)
    assert (count_pairs(table).matrix(np.arange(9)) == right).all()


def test_company():
    rng = np.random.default_rng(0)
    usual = rng.random((400, 2)) < 0.4
    state = np.where(np.column_stack([usual, usual[:, 0] & (rng.random(400) < 0.5), usual[:, 1], ~usual[:, 0]]), 1, -1)
    table = LabelTable(state.astype(np.int8), ("a", "b", "in a", "twin of b", "not a"), tuple(map(str, range(400))))
    found = company(table, count(dataset_of(table)))
    assert [(a, b) for a, b, _ in found.equal] == [("b", "twin of b")]
    assert [(a, b) for a, b, _ in found.within] == [("in a", "a")]
    assert {(one.one, one.other) for one in found.never} == {("a", "not a"), ("in a", "not a")}
    first = found.strongest[0]
    share = (state[:, 2] == 1).sum() / (state[:, 0] == 1).sum()
    assert (first.one, first.other, first.share) == ("a", "in a", pytest.approx(share, abs=1e-4))


def test_classes_judged_apart_are_not_said_to_avoid_each_other():
    state = np.zeros((400, 2), np.int8)
    state[:200, 0], state[200:, 1] = np.tile([1, -1], 100), np.tile([1, -1], 100)
    table = LabelTable(state, ("a", "b"), tuple(map(str, range(400))))
    assert company(table, count(dataset_of(table))).never == []
    lists = LabelTable(SparseLabels.from_dense(state, default=0), table.names, table.ids)
    assert company(lists, count(dataset_of(lists))).never == []


def test_an_image_of_all_classes_does_not_make_pairs_without_end():
    lists = LabelTable(
        SparseLabels.from_lists([range(5000), [1, 2]], classes=5000), tuple(map(str, range(5000))), ("a", "b")
    )
    assert len(count_pairs(lists).a) == 1


@pytest.mark.parametrize("seed", range(3))
def test_hierarchy_violations_are_those_of_the_audit(seed):
    table = random_table(seed)
    pairs = [("a", "b"), ("b", "c"), ("d", "x"), ("x", "c"), ("e", "c")]
    right = {(v.image, table.names[v.present], table.names[v.absent])
             for v in hierarchy_violations(table.state, from_pairs(pairs, table.names))}  # fmt: skip
    rows, said = violations(table, above_each(pairs)[0])
    assert len(rows) == len(right) > 20
    assert {(int(row), *one) for row, one in zip(rows, said)} == right


def test_a_hierarchy_in_a_circle_is_a_finding():
    found = doctor.examine(dataset_of(random_table(0)), images=False, parents=[("a", "b"), ("b", "a"), ("q", "c")])
    assert [str(e) for e in kinds(found)["circle"].examples] == ["a", "b"]
    assert "q" in str(kinds(found, least="note")["hierarchy_names"].examples[0])


def test_classes_and_images_that_tell_nothing(tmp_path):
    names = "image,all,none of it,blank,seldom,yes,rare,b,c,d"
    rows = [f"{k}.jpg,1,0,,{k if k < 2 else ''},{'1' if k % 2 else ''},{int(k < 2)},{k % 2},{int(k % 3 == 0)},0"
            for k in range(60)]  # fmt: skip
    rows += ["60.jpg,,,,,,,,,", "61.jpg,1,1,1,1,1,1,1,1,1"]
    found = kinds(doctor.examine(table_of([names, *rows], tmp_path), images=False), least="note")
    said = {kind: [str(e) for e in one.examples] for kind, one in found.items()}
    assert said["always_present"] == ["all", "yes"]
    assert said["too_rare"] == ["none of it (1)", "blank (1)", "seldom (2)", "d (1)"]
    assert said["hardly_judged"] == ["blank", "seldom"]
    assert said["nothing_known"] == ["row 62 60.jpg"]
    assert said["many_labels"] == ["row 63 61.jpg (9 labels)"]
    assert "rare" not in "".join(said["too_rare"]), "three positives are enough for three parts"


def votes(*facts):
    """Votes of (row, class, annotator, state)."""
    rows, columns, *values = zip(*facts)
    return Cells(rows, columns, np.column_stack(values))


def test_votes():
    table = LabelTable(np.array([[1], [-1], [1], [1]], np.int8), ("a",), tuple("1234"))
    given = votes((0, 0, 0, -1), (0, 0, 1, -1), (1, 0, 0, -1), (1, 0, 1, 0), (2, 0, 0, 1), (2, 0, 1, -1), (3, 0, 1, 1))
    found = doctor.examine(dataset_of(table, votes=given, annotators=("Ann", "Bob")), images=False)
    said = found.beside["votes"]
    assert (said["votes"], said["annotators"], said["cells_judged_twice"], said["comparisons"]) == (7, 2, 2, 2)
    assert said["agreement"] == 0.5
    # p present and q absent of cells judged twice: (0, 2) and (1, 1): alpha = 1 - 2 * 3 / (2 * 1 * 3)
    assert said["alpha"] == 0.0
    assert [str(e) for e in kinds(found)["against_votes"].examples] == ["row 2 1 (a)"]


def test_an_annotator_apart():
    rng = np.random.default_rng(0)
    truth = rng.choice([-1, 1], 100)
    facts = [(k, 0, who, int(s if who < 3 else rng.choice([-1, 1]))) for k, s in enumerate(truth) for who in range(4)]
    table = LabelTable(truth[:, None].astype(np.int8), ("a",), tuple(map(str, range(100))))
    found = doctor.examine(dataset_of(table, votes=votes(*facts), annotators=("A", "B", "C", "D")), images=False)
    (one,) = kinds(found)["annotator"].examples
    assert one.said.startswith("D agrees in ")
    assert found.beside["votes"]["each"][0]["comparisons"] == 300


def test_boxes_soft_candidates_reviewed_sizes(tmp_path):
    save(tmp_path / "a.jpg", 0)
    save(tmp_path / "b.jpg", 1)
    dataset = table_of(["image,cat,dog", "a.jpg,1,0", "b.jpg,0,0"], tmp_path)
    boxes = Cells(
        [0] * 5, [0, 0, 0, 0, 1], [[0.1, 0.1, 0, 0.2], [0.9, 0, 0.2, 0.2], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0.5, 1]]
    )
    beside = Beside(
        boxes=boxes, soft=Cells([1], [0], [60.0]), candidates=Cells([1], [1], np.zeros((1, 0))),
        reviewed=np.array([True, False]), sizes=np.array([[60, 80], [500, 400]]), aliases={"dog": "hound"},
    )  # fmt: skip
    found = kinds(doctor.examine(replace(dataset, beside=beside)), least="note")
    said = {kind: [str(e) for e in one.examples] for kind, one in found.items()}
    for kind in ("flat_box", "box_outside", "same_box"):
        assert said[kind] == ["row 2 a.jpg (cat)"]
    assert said["box_absent"] == ["row 2 a.jpg (dog)"]
    assert said["soft_range"] == ["row 3 b.jpg (cat)"]
    assert said["single_candidate"] == said["not_reviewed"] == said["absent_unreviewed"] == ["row 3 b.jpg"]
    assert said["resized"] == ["row 3 b.jpg (500 x 400 in the label file, 80 x 60 on disk)"], "turned is not resized"
    assert said["alias"] == ["dog is hound"]


def test_advice_names_the_condition():
    lines = str(doctor.examine(dataset_of(random_table(0)), images=False, parents=[("a", "b")]))
    assert "labels are partial" in " ".join(lines.split())
    assert "Hierarchy: complete the labels first" in lines
    one = LabelTable(np.where(np.eye(9), 1, -1).astype(np.int8), tuple("abcdefghi"), tuple("123456789"))
    said = " ".join(str(doctor.examine(dataset_of(one), images=False)).split())
    assert "exactly one label" in said
    assert "few shots" in said
    wide = LabelTable(SparseLabels.from_lists([[1, 2]], classes=6000), tuple(map(str, range(6000))), ("a",))
    assert "6,000 classes are too many" in " ".join(str(doctor.examine(dataset_of(wide), images=False)).split())


def test_files_joined_in_a_folder_are_not_called_unnamed(tmp_path):
    for name, seed in (("cat/a.png", 0), ("dog/b.png", 0), ("dog/c.png", 1)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name, seed)
    found = doctor.examine(data.read(tmp_path))
    assert (found.kind, found.images, found.files.unnamed, found.files.repeats) == ("folder", 2, [], [])


def test_folders_beside_the_label_file_are_left_alone(tmp_path):
    save(tmp_path / "a.jpg", 0)
    (tmp_path / "other").mkdir()
    save(tmp_path / "other" / "b.jpg", 1)
    assert doctor.examine(table_of(["image,cat", "a.jpg,1"], tmp_path)).files.unnamed == []
