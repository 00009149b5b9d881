"""`evaluate` on what people bring: hand-made tables with the usual mistakes, lists from a service, many classes."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from manylabel.cli import app
from manylabel.cli.deciding import decide
from manylabel.labels import ManylabelError
from manylabel.scores import ScoreFile, TopFile, load
from manylabel.sparse import TopScores


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


SCORES = """;Filename;Cat;dog;hot_dog;notes;bird
0;IMG_1.JPG;0,93;0,10;0,02;ok;0,4
1;img_2.jpg;0,20;0,80;;ok;0,3
2;img_3.jpg;0,20;n/a;0,5;blurry;0,2
3;img_3.jpg;0,20;n/a;0,5;blurry;0,2
4;img_4.jpg;0,1;0,7
5;img_5.jpg;1,7;0,1;0,2;ok;0,1
6;img_6.jpg;0,7;0,1;0,2;ok;0,1
7;img_6.jpg;0,9;0,1;0,2;ok;0,1
8;;0,9;0,1;0,2;ok;0,1
9;img_9.jpg;95%;0,1;0,2;ok;0,1
"""
LABELS = """image,cat,dog,hot dog,horse
photos/img_1.jpg,1,0,,0
photos/img_2.jpg,0,1,1,0
photos/img_3.jpg,maybe,1,0,1
photos/img_4.jpg,0,1
photos/img_5.jpg,1,0,1,0
photos/img_6.jpg,1,0,0,0
photos/img_9.jpg,1,0,1,0
photos/img_9.jpg,1,1,1,0
,1,1,1,0
"""


def test_a_new_user_s_tables_are_explained_and_evaluated(folder):
    (folder / "scores.csv").write_text(SCORES)
    (folder / "labels.csv").write_text(LABELS)
    asked = run("evaluate", "scores.csv", "labels.csv")
    assert "give kind 'logit', 'probability' or 'percent' (--kind) (its values lie between 0.02 and 1.7)" in str(
        asked.exception
    )
    strict = run("evaluate", "scores.csv", "labels.csv", "--kind", "probability", "--strict")
    assert "scores.csv: line 6: expected 7 columns, got 4" in str(strict.exception)
    done = run(
        "evaluate", "scores.csv", "labels.csv", "--kind", "probability", "--json", "n.json", "--report", "r.html"
    )
    assert done.exit_code == 0, done.exception
    for words in (
        "columns are separated by semicolon", "not read as classes: 'column 1', 'notes'", "decimals are written with a",
        "1 row repeats another", "line 6: expected 7 columns, got 4", "3 cells without a usable score, left out",
        "line 3, column 'hot_dog': expected a number, got ''", "line 10: no image is named",
        "image id 'img_6.jpg' occurs twice with different scores (lines 8, 9)",
        "line 7, column 'Cat': expected a probability in [0, 1], got 1.7",
        "labels.csv: 1 row of another width left out: row 5: expected 5 cells, got 3",
        "labels.csv: 1 cell of column 'cat' is none of 1, 0 and blank, and left unknown: 'maybe' (row 4)",
        "labels.csv: 1 row names no image, left out: row 10",
        "the cells were made unknown: 'photos/img_9.jpg' (rows 8, 9) on dog",
        "'img_2.jpg' = 'photos/img_2.jpg'", "'IMG_1.JPG' = 'photos/img_1.jpg'", "'Cat' = 'cat'",
        "'hot_dog' = 'hot dog'", "1 scored class without labels left aside: bird",
        "1 labelled class without scores left aside: horse", "1 labelled image without scores left aside",
    ):  # fmt: skip
        assert words in done.stderr, words
    numbers = json.loads((folder / "n.json").read_text())
    # cat: 1, 2 and 9 are known (maybe and 1.7 are not); dog: 1, 2 and 5 (n/a and 0 against 1 are not)
    assert [(row["name"], row["test_known"], row["test_positives"]) for row in numbers["per_class"]] == [
        ("Cat", 3, 2), ("dog", 3, 1), ("hot_dog", 3, 2),
    ]  # fmt: skip
    assert numbers["per_class"][0]["ap"] == 1.0
    page = (folder / "r.html").read_text()
    assert "3 cells without a usable score" in page


def test_lists_from_a_service(folder):
    lines = ["image,label,confidence"]
    lines += [f"{k}.jpg,{'cat' if k % 2 else 'dog'},0.{9 - k}" for k in range(6)] + ["0.jpg,sky,0.2"]
    (folder / "api.csv").write_text("\n".join(lines) + "\n")
    labels = ["image,labels"] + [f"{k}.jpg,{'cat' if k % 2 else 'cat|owl'}" for k in range(6)]
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    done = run("evaluate", "api.csv", "labels.csv", "--kind", "probability", "--json", "n.json", "--all")
    assert done.exit_code == 0, done.exception
    assert "2 scored classes listed for no image, so absent from all: dog, sky" in done.stderr
    assert "1 labelled class in no list, scored below all that are: owl" in done.stderr
    numbers = json.loads((folder / "n.json").read_text())
    ap = {row["name"]: row["ap"] for row in numbers["per_class"]}
    assert ap == {"cat": pytest.approx((3 + 3) / 6), "dog": None, "sky": None, "owl": 0.5}
    assert numbers["ece"] is None  # what is not listed has no probability
    tuned = run("tune", "api.csv", "labels.csv", "--kind", "probability", "--out", "d.json")
    assert tuned.exit_code == 0, tuned.exception
    assert "not listed for an image count as scored below" in tuned.stderr
    again = run("evaluate", "api.csv", "labels.csv", "--kind", "probability", "--decisions", "d.json")
    assert again.exit_code == 0, again.exception


def test_too_many_classes_for_a_table(folder, monkeypatch):
    """Where a table does not fit, the same numbers come from the lists."""
    rng = np.random.default_rng(0)
    names = [f"c{k}" for k in range(30)]
    columns = np.argsort(rng.random((20, 30)), axis=1)[:, :6]
    top = TopScores(columns, rng.random(columns.shape), 30)
    TopFile([f"{k}.jpg" for k in range(20)], names, top, "probability").save(folder / "top.npz")
    rows = [f"{k}.jpg,{'|'.join(rng.choice(names, 3, replace=False))}" for k in range(20)]
    (folder / "labels.csv").write_text("image,labels\n" + "\n".join(rows) + "\n")
    limits = {"names": names, "thresholds": [0.3] * 29 + [None], "kind": "probability"}
    (folder / "d.json").write_text(json.dumps(limits))
    found = []
    for cells in (10**8, 10):
        monkeypatch.setattr("manylabel.scores.top.CELLS", cells)
        done = run("evaluate", "top.npz", "labels.csv", "--json", "n.json", "--decisions", "d.json")
        assert done.exit_code == 0, done.exception
        found.append(json.loads((folder / "n.json").read_text()))
    for key in ("map", "cf1", "of1", "p@3", "r@5", "f1_macro", "hamming_loss", "images", "unknown_share"):
        assert found[0][key] == pytest.approx(found[1][key]), key
    assert (found[0]["auroc"] is None, found[1]["auroc"] is None) == (False, True)
    refused = run("evaluate", "top.npz", "labels.csv", "--report", "r.html")
    assert "too many" in str(refused.exception)
    assert "too many for a table" in str(run("tune", "top.npz", "labels.csv").exception)


def test_strict_wants_every_score_judged(folder):
    file = ScoreFile(["a.jpg", "b.jpg"], ["cat", "dog"], [[0.9, 0.1], [0.2, 0.3]], "probability")
    file.save(folder / "s.npz")
    (folder / "labels.csv").write_text("image,cat,dog\na.jpg,1,0\n")
    done = run("evaluate", "s.npz", "labels.csv")
    assert "1 scored image without labels left aside: b.jpg" in done.stderr
    assert "1 images, 2 classes" in done.stdout
    refused = run("evaluate", "s.npz", "labels.csv", "--strict")
    assert isinstance(refused.exception, ManylabelError)
    assert "left aside: b.jpg" in str(refused.exception)


def test_groups_of_the_user(folder):
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((40, 3)) < 0.4, 1, -1).astype(np.int8)
    ScoreFile([str(k) for k in range(40)], ["cat", "dog", "sky"], rng.random((40, 3)), "probability", labels).save(
        folder / "s.npz"
    )
    (folder / "g.csv").write_text("Class;Group\nCat;animal\ndog;animal\nsun;weather\n")
    done = run("evaluate", "s.npz", "--groups", "g.csv", "--json", "n.json")
    assert done.exit_code == 0, done.exception
    assert "gives no group to 1 of 3 classes: sky" in done.stderr
    assert "mAP of animal" in done.stdout
    numbers = json.loads((folder / "n.json").read_text())
    assert numbers["grouping"]["animal"]["map"] == pytest.approx(
        np.mean([row["ap"] for row in numbers["per_class"] if row["name"] != "sky"])
    )
    (folder / "h.csv").write_text("label,group\nCat,animal\n")
    assert "expected the columns class and group" in str(run("evaluate", "s.npz", "--groups", "h.csv").exception)


@pytest.fixture
def animals(folder):
    """Scores of a poor model for animal, cat and dog as npz, and the hierarchy as CSV."""
    rng = np.random.default_rng(0)
    cat, dog = rng.random(200) < 0.4, rng.random(200) < 0.4
    truth = np.stack([cat | dog, cat, dog], axis=1)
    labels = np.where(truth, 1, -1).astype(np.int8)
    scores = 1 / (1 + np.exp(-(rng.normal(size=labels.shape) * [3, 1, 1] + labels)))
    for part, rows in (("val", slice(0, 100)), ("test", slice(100, 200))):
        ids = [f"{part}{k}.jpg" for k in range(100)]
        file = ScoreFile(ids, ["animal", "cat", "dog"], scores[rows] ** 3, "probability", labels[rows])
        file.save(folder / f"{part}.npz")
    (folder / "tree.csv").write_text("class,parent\nCat,Animal\nDog,Animal\nAnimal,thing\n")
    return folder


def test_a_hierarchy_completes_precision_and_recall_and_closes_decisions(animals):
    done = run("evaluate", "test.npz", "--hierarchy", "tree.csv", "--json", "n.json")
    assert done.exit_code == 0, done.exception
    assert "with the hierarchy  hp " in done.stdout
    tree = json.loads((animals / "n.json").read_text())["hierarchical"]
    low, high = tree["intervals"]["hf"]
    assert low < tree["hf"] < high
    tuned = run("tune", "val.npz", "--rule", "fixed=0.5", "--hierarchy", "tree.csv", "--out", "d.json")
    assert tuned.exit_code == 0, tuned.exception
    file = load(animals / "test.npz")
    found = decide(animals / "d.json", file).decisions
    plain = file.scores >= 0.5
    np.testing.assert_array_equal(found[:, 1:], plain[:, 1:])
    np.testing.assert_array_equal(found[:, 0], plain.any(axis=1))
    assert (found[:, 0] != plain[:, 0]).any()
    (animals / "none.csv").write_text("class,parent\ncat,feline\n")
    assert "none of the 3 classes lies above another" in str(
        run("evaluate", "test.npz", "--hierarchy", "none.csv").exception
    )
    (animals / "ring.csv").write_text("class,parent\ncat,animal\nanimal,cat\n")
    assert "animal above cat above animal" in str(run("evaluate", "test.npz", "--hierarchy", "ring.csv").exception)


def test_contradictions_of_a_hierarchy_are_said(animals):
    file = load(animals / "test.npz")
    labels = file.labels.copy()
    row = int(np.flatnonzero(labels[:, 1] > 0)[0])
    labels[row, 0] = -1
    ScoreFile(file.ids, file.names, file.scores, file.kind, labels).save(animals / "bad.npz")
    done = run("evaluate", "bad.npz", "--hierarchy", "tree.csv", "--json", "bad.json")
    assert "1 labels are absent though a class below them is present" in done.stderr
    labels[row, 0] = 0
    ScoreFile(file.ids, file.names, file.scores, file.kind, labels).save(animals / "open.npz")
    assert run("evaluate", "open.npz", "--hierarchy", "tree.csv", "--json", "open.json").stderr == ""
    bad, unknown = (json.loads((animals / name).read_text())["hierarchical"] for name in ("bad.json", "open.json"))
    assert bad == unknown
    audited = run("audit", "bad.npz", "--hierarchy", "tree.csv", "--out", "f.csv")
    assert audited.exit_code == 0, audited.exception
    assert "cat is a kind of animal" in (animals / "f.csv").read_text()


@pytest.mark.parametrize("name", ["platt", "temperature", "beta", "isotonic"])
def test_a_calibration_is_kept_with_the_rule_and_applied(animals, name):
    done = run("tune", "val.npz", "--calibrate", name, "--out", "d.json")
    assert done.exit_code == 0, done.exception
    for words, out in ((["--decisions", "d.json", "--report", "r.html"], "after"), ([], "before")):
        done = run("evaluate", "test.npz", *words, "--json", f"{out}.json")
        assert done.exit_code == 0, done.exception
    before, after = (json.loads((animals / f"{part}.json").read_text()) for part in ("before", "after"))
    assert after["ece"] < before["ece"]
    assert after["brier"] < before["brier"]
    assert after["cf1"] > before["cf1"]
    refused = run("tune", "val.npz", "--calibrate", "plat")
    assert "Did you mean 'platt'" in str(refused.exception)
    assert f"--calibrate {name}" in str(run("tune", "val.npz", "--rule", name).exception)
