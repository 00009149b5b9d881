"""Files as people save them, spoilt in every usual way: each is read, or refused in words that say what to do."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from manylabel.cli import app
from manylabel.labels import ManylabelError
from manylabel.scores import ScoreFile

NAMES = ["cat", "dog", "owl"]
TRUTH = [[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]]
SCORES = [[0.9, 0.3, 0.8], [0.2, 0.7, 0.4], [0.6, 0.8, 0.1], [0.3, 0.2, 0.7], [0.8, 0.6, 0.3], [0.1, 0.9, 0.6]]
GOOD = {"map": 1.0, "op": 9 / 10, "or": 1.0}
KIND = ["--kind", "probability"]


def text(cells, names=NAMES, image=lambda k: f"img_{k}.jpg", mark=","):
    lines = [mark.join(["image", *names])]
    return "\n".join(lines + [mark.join([image(k), *map(str, row)]) for k, row in enumerate(cells)]) + "\n"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words):
    done = run(*words)
    assert isinstance(done.exception, ManylabelError), (words, done.exception, done.output)
    return str(done.exception)


def numbers(*words):
    done = run("evaluate", *words, "--json", "n.json")
    assert done.exit_code == 0, (words, done.exception)
    return json.loads(Path("n.json").read_text()), done.stderr


def good(*words):
    found, said = numbers(*words)
    assert {key: pytest.approx(found[key]) for key in GOOD} == GOOD
    return said


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text(text(SCORES))
    (tmp_path / "l.csv").write_text(text(TRUTH))
    return tmp_path


PERCENT = [[round(100 * value) for value in row] for row in SCORES]
SIGNS = [[f"{value}%" for value in row] for row in PERCENT]
MIXED = [[f"{value}%" if value % 20 else value for value in row] for row in PERCENT]
IN_WORDS = [["Yes" if cell else "no" for cell in row] for row in TRUTH]


@pytest.mark.parametrize(
    ("scores", "kind"),
    [
        (text(SCORES), "probability"), (text(PERCENT), "percent"), (text(SIGNS), "probability"),
        (text(SIGNS), "percent"), (text(MIXED), "percent"),
        (text(SCORES, mark=";"), "probability"), ("\n\n" + text(SCORES), "probability"),
        ("sep=;\n" + text(SCORES, mark=";"), "probability"), (text(SCORES, ["Cat", " dog", "OWL "]), "probability"),
        (text([[*row, "ok"] for row in SCORES], [*NAMES, "note"]), "probability"),
    ],
)  # fmt: skip
def test_scores_in_many_dresses_give_the_same_numbers(folder, scores, kind):
    (folder / "s.csv").write_text(scores)
    good("s.csv", "l.csv", "--kind", kind)


@pytest.mark.parametrize("labels", [text(IN_WORDS), text([[str(c).replace("0", "n").replace("1", "X") for c in row]
                                                          for row in TRUTH])])  # fmt: skip
def test_labels_in_words_give_the_same_numbers_and_are_said(folder, labels):
    (folder / "l.csv").write_text(labels)
    assert "note: l.csv: Words are read as labels: " in good("s.csv", "l.csv", *KIND)
    audited = run("audit", "s.csv", "l.csv", *KIND, "--out", "f.csv")
    assert "note: l.csv: Words are read as labels: " in audited.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "s.csv is empty"),
        (text(SCORES).split("\n", 1)[1], "got 'img_0.jpg,0.9,0.3,0.8'; add a first line that names the columns"),
        ("a,0.5,0.25\nb,1,0\n", "got 'a,0.5,0.25'; add a first line that names the columns"),
        ("img_0.jpg,cat,0.9\nimg_1.jpg,cat,0.2\n", "add a first line that names the columns"),
        ("image,cat,dog,owl\n", "no scored image has labels: the scores hold none, the labels 'img_0.jpg'"),
        (text(SCORES).replace("img_2", '"img_2'), "s.csv, line 4: unexpected end of data; is a quotation mark opened"),
        ('"image,cat\na,1\n', "s.csv, line 1: unexpected end of data; is a quotation mark opened"),
        (b"PK\x03\x04" + bytes(99), "s.csv is a spreadsheet or a zip archive, not text"),
        (b"\x89PNG" + bytes(99), "s.csv is no text"),
        (text([[*row, 640 + k] for k, row in enumerate(SCORES)], [*NAMES, "width"]),
         "are percents), got 640; 6 such cells in all; if this column is no class, take it out of the file"),
        (text(PERCENT), "got 90; 18 such cells in all"),
        (text(SCORES, ["lion", "tiger", "yak"]), "no scored class has labels: the scores hold 'lion', 'tiger', 'yak'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["evaluate", "tune", "audit"])
def test_scores_that_cannot_be_read_are_explained(folder, command, content, message):
    (folder / "s.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in refused(command, "s.csv", "l.csv", *KIND)
    assert not {"d.json", "decisions.json", "findings.csv"} & {path.name for path in folder.iterdir()}


def test_a_line_is_counted_from_the_top_of_the_file(folder):
    (folder / "s.csv").write_text("\n\n" + text(SCORES).replace("img_2.jpg,0.6", "img_2.jpg,n/a"))
    assert "line 6, column 'cat'" in refused("evaluate", "s.csv", "l.csv", *KIND, "--strict")


def test_a_number_for_a_class_is_a_header(folder):
    (folder / "s.csv").write_text(text(SCORES, ["0", "1", "2"]))
    (folder / "l.csv").write_text(text(TRUTH, ["0", "1", "2"]))
    good("s.csv", "l.csv", *KIND)


def test_folders_and_binaries_in_place_of_files(folder):
    (folder / "d.csv").mkdir()
    (folder / "b.csv").write_bytes(b"\x89PNG" + bytes(99))
    (folder / "cut.npz").write_bytes(b"PK\x03\x04" + bytes(99))
    (folder / "no.npz").write_bytes(b"something else")
    assert "d.csv is a folder: expected a score file that ends in .npz" in refused("evaluate", "d.csv", "l.csv")
    assert "b.csv is no text" in refused("evaluate", "s.csv", "b.csv", *KIND)
    for name in ("cut.npz", "no.npz"):
        said = refused("evaluate", name, "l.csv")
        assert f"{name}: not a readable .npz of plain arrays" in said
        assert "allow_pickle" not in said
    assert "b.csv is no text" in refused("audit", "b.csv", "l.csv", "--apply", "--out", "new.csv")
    assert "b.csv is no text" in refused("compare", "b.csv", "--published", "3")


def test_labels_that_know_positives_only_are_said(folder):
    (folder / "l.csv").write_text(text([["x" if cell else "" for cell in row] for row in TRUTH]))
    found, said = numbers("s.csv", "l.csv", *KIND)
    assert found["map"] == 1
    assert "note: no label says absent, so precision and AP are 1 whatever the scores" in said
    (folder / "l.csv").write_text(text([[cell or -1 for cell in row] for row in TRUTH]))
    said = numbers("s.csv", "l.csv", *KIND)[1]
    assert "note: l.csv: -1 (9 cells) is read as unknown\n" in said
    assert "no label says absent" in said
    assert "no label says absent" not in good("s.csv", "l.csv", *KIND, "--minus-one", "absent")
    state = np.array(TRUTH, np.int8)  # 0 is unknown there, though many mean absent
    ScoreFile([str(k) for k in range(6)], NAMES, SCORES, "probability", state).save(folder / "s.npz")
    assert "(0 in a .npz) means absent" in numbers("s.npz")[1]
    state[0, 1] = -1
    ScoreFile([str(k) for k in range(6)], NAMES, SCORES, "probability", state).save(folder / "s.npz")
    assert "no label says absent" not in numbers("s.npz")[1]
    (folder / "l.csv").write_text(text([["x" if cell else "" for cell in row] for row in TRUTH]))
    (folder / "lists.csv").write_text("image,label,score\nimg_0.jpg,cat,0.9\nimg_1.jpg,dog,0.4\n")
    assert "no label says absent" in numbers("lists.csv", "l.csv", *KIND)[1]
    (folder / "l.csv").write_text("image,labels\nimg_0.jpg,cat\nimg_1.jpg,dog\n")
    assert "no label says absent" not in numbers("lists.csv", "l.csv", *KIND)[1]


def test_training_labels_of_other_classes(folder):
    (folder / "t.csv").write_text(text(TRUTH, ["cat", "fox", "gnu"]))
    found, said = numbers("s.csv", "l.csv", *KIND, "--train", "t.csv")
    assert "note: t.csv holds no training label of dog, owl: counted as 0" in said
    assert [row["train_positives"] for row in found["per_class"]] == [3, 0, 0]
    parts = [[*row, "train" if k else "val"] for k, row in enumerate(TRUTH)]
    (folder / "t.csv").write_text(text(parts, [*NAMES, "split"]))
    found, said = numbers("s.csv", "l.csv", *KIND, "--train", "t.csv")
    assert [row["train_positives"] for row in found["per_class"]] == [2, 3, 2]
    assert "counted as 0" not in said
    (folder / "t.csv").write_text(text(TRUTH, ["yak", "fox", "gnu"]))
    assert "t.csv: holds no scored class: it has yak, fox, gnu, not cat" in refused(
        "evaluate", "s.csv", "l.csv", *KIND, "--train", "t.csv"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["f1=nan"], "--rule f1=nan: beta is a number, got 'nan'"), (["fixed=inf"], "threshold is a number, got 'inf'"),
        (["top_k=2.5"], "k is a whole number, got '2.5'"), (["cost=nan:1"], "miss is a number, got 'nan'"),
        (["f1", "--smoothing", "nan"], "smoothing must not be negative and be finite, got nan"),
    ],
)  # fmt: skip
def test_what_is_no_number_makes_no_rule(folder, words, message):
    assert message in refused("tune", "s.csv", "l.csv", *KIND, "--out", "d.json", "--rule", *words)
    assert not (folder / "d.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"names": ["cat", "dog", "owl"], "decision": {"rule": "f1"}}', "'f1' is kept without its 'thresholds'"),
        ('{"names": ["cat", "dog", "owl"], "decision": {"rule": "top_k"}}', "'top_k' is kept without its 'k'"),
        ('{"names": ["cat", "dog", "owl"], "decision": {"rule": "topk", "k": 2}}', "Did you mean 'top_k'"),
        ('{"names": ["cat", "dog", "owl"], "decision": {"rule": "top_k", "k": "2"}}', "'top_k' is not as"),
        ('{"names": ["cat", "dog", "owl"], "decision": [2]}', "expected a key 'rule'"),
        ('{"names": ["cat", "dog", "owl"], "decision": {"rule": "f1", "thresholds": [1, 2], "pooled": [false, false]}}',
         "the rule 'f1' is not of the 3 classes it names"),
        ('{"names": ["cat", "dog", "owl"], "thresholds": [0.5, 0.5, 0.5], "calibration": {"rule": "platt"}}',
         "'platt' is kept without its 'shrinkage'"),
        ('{"names": ["cat", "dog", "owl"], "thresholds": [0.5, 0.5, NaN]}', "NaN is no number; null is a threshold"),
        ('{"names": ["cat", "cat", "owl"], "thresholds": [0.5, 0.5, 0.5]}', "a list of different class names"),
        ('{"names": "cat", "thresholds": [0.5, 0.5, 0.5]}', "a list of different class names"),
        ('{"names": ["cat", "dog", "owl"], "thresholds": [0.5, "high", 0.5]}', "could not convert"),
        ("[1, 2]", "it wants names and thresholds"),
    ],
)  # fmt: skip
def test_a_spoilt_file_of_decisions_is_explained(folder, content, message):
    (folder / "d.json").write_text(content)
    said = refused("evaluate", "s.csv", "l.csv", *KIND, "--decisions", "d.json")
    assert message in said
    assert said.startswith("d.json")


def test_an_audit_of_labels_too_few_to_calibrate_on_goes_on(folder):
    (folder / "l.csv").write_text("image,cat,dog\nimg_0.jpg,1,\nimg_1.jpg,,0\nimg_2.jpg,,\n")
    (folder / "s.csv").write_text(text([[2, -1, 0], [1, 1, 0], [-1, 0, 0]]))
    done = run("audit", "s.csv", "l.csv", "--kind", "logit", "--out", "f.csv")
    assert done.exit_code == 0, done.exception
    assert "too few known positives or negatives: logits are not calibrated" in done.stderr
    for least in ("0", "2", "nan"):
        message = f"least is a share above 0 and at most 1, got {float(least)}"
        assert message in refused("audit", "s.csv", "l.csv", "--kind", "logit", "--least", least)


def test_cells_without_a_score_are_expected_nowhere(folder):
    rows = [[*row] for row in SCORES]
    rows[0][0] = rows[3][0] = ""
    (folder / "s.csv").write_text(text(rows))
    (folder / "l.csv").write_text(text([[k % 2, *row[1:]] for k, row in enumerate(TRUTH)]))  # the model knows no cats
    done = run("audit", "s.csv", "l.csv", *KIND, "--out", "f.csv", "--stats", "st.csv")
    assert done.exit_code == 0, done.exception
    (cat, *_) = csv.DictReader((folder / "st.csv").read_text().splitlines())
    assert (cat["unknown"], cat["expected"], cat["annotated"]) == ("2", "0.0", "1.0")


class TestCompare:
    def test_images_and_classes_join_as_for_evaluate(self, folder):
        (folder / "other.csv").write_text(text(SCORES, ["Cat", "DOG", "owl"], image=lambda k: f"x/IMG_{k}.jpg"))
        done = run("compare", "s.csv", "other.csv", "--labels", "l.csv", *KIND, "--resamples", 10)
        assert done.exit_code == 0, done.exception
        assert "6 images, 3 classes" in done.stdout
        assert "churn 0.00 %" in done.stdout
        assert "note: other.csv: images: 6 matched by file name without folder, ending and capitals" in done.stderr
        assert "note: other.csv: classes: 2 matched by name, capitals aside, such as 'Cat' = 'cat'" in done.stderr

    def test_what_a_list_leaves_out_has_no_probability(self, folder):
        lines = [f"img_{k}.jpg,{NAMES[c]},{SCORES[k][c]}" for k in range(6) for c in range(3) if SCORES[k][c] > 0.25]
        (folder / "lists.csv").write_text("\n".join(["image,label,score", *lines]) + "\n")
        words = ["--labels", "l.csv", *KIND, "--resamples", 10]
        assert "brier" in run("compare", "s.csv", "s.csv", *words).stdout
        assert "brier" not in run("compare", "s.csv", "lists.csv", *words).stdout

    def test_what_is_left_out_is_named(self, folder):
        (folder / "other.csv").write_text(text(SCORES, ["cat", "dgo", "owl"]))
        done = run("compare", "s.csv", "other.csv", "--labels", "l.csv", *KIND, "--resamples", 10)
        assert "0 of 6 images, 1 of 3 classes: dgo, dog" in done.stderr

    def test_nothing_in_common_shows_what_each_holds(self, folder):
        (folder / "l.csv").write_text(text(TRUTH, ["yak", "fox", "gnu"]))
        message = refused("compare", "s.csv", "s.csv", "--labels", "l.csv", *KIND)
        assert "no class in common: 'cat', 'dog', 'owl'; 'cat', 'dog', 'owl'; 'yak', 'fox', 'gnu'" in message
        (folder / "l.csv").write_text(text(TRUTH, image=lambda k: f"{k}.png"))
        message = refused("compare", "s.csv", "s.csv", "--labels", "l.csv", *KIND)
        assert "no image in common: 'img_0.jpg', 'img_1.jpg', 'img_2.jpg'; " in message

    def test_options_that_say_nothing_are_refused(self):
        words = ["compare", "s.csv", "s.csv", "--labels", "l.csv", *KIND]
        assert "--split tset: expected test or val. Did you mean 'test'?" in refused(*words, "--split", "tset")
        assert run(*words, "--resamples", 0).exit_code == 2
