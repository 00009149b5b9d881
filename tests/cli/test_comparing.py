"""`compare` on runs and score files: alignment by name, the numbers of the library, disagreements explained."""

import csv
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from manylabel.cli import app
from manylabel.compare import Side
from manylabel.compare import compare as judge
from manylabel.labels import ManylabelError
from manylabel.scores import ScoreFile, load

NAMES = np.array(["cat", "dog", "emu"])


def made(path, seed, strength, *, order=(0, 1, 2), rows=slice(None), labels=True):
    rng = np.random.default_rng(0)
    truth = np.where(rng.random((150, 3)) < 0.3, 1, -1).astype(np.int8)
    shared = rng.normal(size=truth.shape)
    logits = shared + 0.3 * np.random.default_rng(seed).normal(size=truth.shape) + strength * truth
    ids = np.array([f"{i}.jpg" for i in range(150)])
    order = list(order)
    own = truth[rows][:, order] if labels else None
    return ScoreFile(ids[rows], NAMES[order], logits[rows][:, order], "logit", own).save(path)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_files_in_any_order_are_aligned_and_compared(tmp_path):
    a, b = (
        made(tmp_path / "a.npz", 1, 1.0),
        made(tmp_path / "b.npz", 2, 2.0, order=(2, 0, 1), rows=slice(None, None, -1)),
    )
    numbers, lost = tmp_path / "n.json", tmp_path / "r.csv"
    done = run("compare", a, b, "--json", numbers, "--out", lost, "--resamples", 100)
    assert done.exit_code == 0, done.exception
    assert "better" in done.stdout
    one, other = load(a), load(made(tmp_path / "c.npz", 2, 2.0))
    expected = judge(
        Side("a", one.scores, one.scores >= 0), Side("b", other.scores, other.scores >= 0), one.labels, number=100
    )
    said = json.loads(numbers.read_text())["sides"][str(b)]
    assert said["numbers"]["map"] == expected["numbers"]["map"]
    assert said["churn"] == pytest.approx(expected["cells"].churn)
    assert [row["lost"] for row in said["per_class"]] == expected["cells"].lost.tolist()
    rows = list(csv.DictReader(lost.read_text().splitlines()))
    assert len(rows) == expected["cells"].lost.sum()
    for row in rows:
        i, c = one.ids.tolist().index(row["image"]), one.names.tolist().index(row["label"])
        assert int(row["truth"]) == (one.labels[i, c] == 1)
        assert (one.scores[i, c] >= 0) == (one.labels[i, c] == 1) != (other.scores[i, c] >= 0)


def test_a_side_against_itself_and_several_at_once(tmp_path):
    a, b = made(tmp_path / "a.npz", 1, 1.0), made(tmp_path / "b.npz", 2, 1.0, labels=False)
    done = run("compare", a, a, b, "--resamples", 50)
    assert done.exit_code == 0, done.exception
    assert "churn 0.00 %" in done.stdout
    assert done.stdout.count(" against ") == 2


def test_what_not_all_have_is_left_out_and_said(tmp_path):
    a, b = made(tmp_path / "a.npz", 1, 1.0), made(tmp_path / "b.npz", 2, 1.0, order=(1, 0), rows=slice(20, None))
    done = run("compare", a, b, "--resamples", 10)
    assert "130 images, 2 classes" in done.stdout
    assert "20 of 150 images, 1 of 3 classes" in done.stderr


def test_a_run_decides_by_its_own_thresholds_and_calibration(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    made(folder / "scores-test.npz", 1, 1.0)
    own = {"names": ["emu", "cat", "dog"], "thresholds": [9, -9, 0.0], "temperatures": [1, 2, 1], "biases": [0, 0, 1.0]}
    (folder / "labels.json").write_text(json.dumps(own))
    b = made(tmp_path / "b.npz", 1, 1.0)
    numbers = tmp_path / "n.json"
    assert run("compare", folder, b, "--resamples", 10, "--json", numbers).exit_code == 0
    (said,) = json.loads(numbers.read_text())["sides"].values()
    by_name = {row["name"]: row for row in said["per_class"]}
    file = load(b)
    cat, emu = file.scores[:, 0] >= 0, file.scores[:, 2] >= 0
    assert by_name["cat"]["gained"] == (~cat & (file.labels[:, 0] == -1)).sum()  # the run says cat always
    assert by_name["emu"]["gained"] == (emu & (file.labels[:, 2] == 1)).sum()  # and emu never
    assert by_name["dog"]["gained"] == by_name["dog"]["lost"] == 0


def test_disagreements_are_explained(tmp_path):
    a = made(tmp_path / "a.npz", 1, 1.0)
    other = load(made(tmp_path / "b.npz", 2, 1.0))
    labels = other.labels.copy()
    labels[4, 1] *= -1
    b = ScoreFile(other.ids, other.names, other.scores, other.kind, labels).save(tmp_path / "b.npz")
    bare = made(tmp_path / "c.npz", 3, 1.0, labels=False)
    alien = ScoreFile(["x"], ["cat"], [[0.0]], "logit").save(tmp_path / "d.npz")
    (tmp_path / "run").mkdir()
    for words, message in (
        ([a], "two or more"),
        ([a, b], "hold different labels, first for 'dog' of 4.jpg"),
        ([bare, bare], "give --labels"),
        ([a, alien], "no image in common"),
        ([a, tmp_path / "run"], "has no scores-test.npz"),
    ):
        done = run("compare", *words, "--resamples", 10)
        assert isinstance(done.exception, ManylabelError), words
        assert message in str(done.exception)


def test_the_report_lays_the_sides_over_each_other(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    made(folder / "scores-test.npz", 1, 0.5, order=(1, 2, 0))
    own = {
        "names": ["emu", "cat", "dog"],
        "thresholds": [0.5, -9, None],
        "temperatures": [1, 2, 1],
        "biases": [0, 0, 1],
    }
    (folder / "labels.json").write_text(json.dumps(own))
    b = made(tmp_path / "b.npz", 2, 0.2)
    file = load(b)
    (tmp_path / "labels.csv").write_text(
        "image,cat,dog,emu,split\n"
        + "".join(f"{i},{','.join('01'[int(x > 0)] for x in row)},test\n" for i, row in zip(file.ids, file.labels))
        + "".join(f"t{k}.jpg,1,{k % 2},0,train\n" for k in range(150))
    )
    for image in file.ids[:60]:
        Image.new("RGB", (40, 30), (200, 90, 40)).save(tmp_path / image)
    page, numbers = tmp_path / "out" / "page.html", tmp_path / "n.json"
    words = ["compare", folder, b, b, "--labels", "labels.csv", "--resamples", 50, "--report", page, "--json", numbers]
    done = run(*words)
    assert done.exit_code == 0, done.exception
    assert f"report: {page}" in done.stdout
    text = page.read_text()
    shown = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    assert [model["name"] for model in shown["models"]] == [folder.name, b.name, f"{b.name} (2)"]
    assert [model["ruled"] for model in shown["models"]] == [None] * 3
    said = json.loads(numbers.read_text())["sides"][str(b)]
    names = shown["names"]
    assert names == ["dog", "emu", "cat"]
    assert shown["cuts"] == [None, 0.5, -9]
    assert shown["calibration"] == [[1, 1], [1, 0], [2, 0]]
    assert shown["compared"][0]["lost"] == [row["lost"] for row in said["per_class"]]
    row = said["numbers"]["map"]
    assert f"[{100 * row['interval'][0]:+.1f}, {100 * row['interval'][1]:+.1f}]".replace("-", "−") in text
    assert shown["train"] == [75, 0, 150]
    with_picture = [i for i in file.ids[:60] if i in shown["pictures"]]
    assert with_picture == [i for i in file.ids if i in shown["pictures"]] != []
    assert run("compare", *[b] * 9, "--report", page).exception.args[0].startswith("--report lays at most 8 sides")


def test_the_report_finds_a_runs_own_pictures(tmp_path, monkeypatch):
    from PIL import Image

    from manylabel.cli.comparing import pictures_of

    photos, folder = tmp_path / "photos", tmp_path / "run"
    for made_folder in (photos, folder):
        made_folder.mkdir()
    Image.new("RGB", (400, 300), (10, 90, 240)).save(photos / "0.jpg")
    (photos / "labels.csv").write_text("image,cat\n0.jpg,1\n1.jpg,0\n")
    made(folder / "scores-test.npz", 1, 1.0)
    own = {"names": NAMES.tolist(), "thresholds": [0, 0, 0], "temperatures": [1, 1, 1], "biases": [0, 0, 0]}
    (folder / "labels.json").write_text(json.dumps(own))
    (folder / "config.toml").write_text(f'[data]\npath = "{photos / "labels.csv"}"\n')
    pictures = pictures_of([folder], ["1.jpg", "0.jpg"], None, {})
    assert pictures("0.jpg")[:3] == b"\xff\xd8\xff"
    assert pictures("1.jpg") is None
    assert pictures("none.jpg") is None
    (photos / "labels.csv").write_text("image,cat\n0.jpg,seven\n")
    assert pictures_of([folder], ["0.jpg"], None, {}) is None


def test_published_tables_are_checked(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("system,total,head,medium,tail\nours,75.40,76.19,72.05,79.12\ntheirs,75.96,76.19,72.05,79.12\n")
    done = run("compare", table, "--published", "head=22,medium=33,tail=25")
    assert done.exit_code == 0, done.exception
    assert "2 rows: 1 agrees, 1 differs, 0 incomplete" in done.stdout
    assert (
        "no split of 80 classes explains all 2 rows; the best explain 1"
        in run("compare", table, "--published", "80").stdout
    )
    table.write_text("system,total,head,tail\nours,0.6000,0.5000,1.0000\n")
    assert (
        "one split of the classes explains all 1 rows: head 8, tail 2"
        in run("compare", table, "--published", "10").stdout
    )
    assert "GROUP=NUMBER" in str(run("compare", table, "--published", "head").exception)
    assert "two or more" in str(run("compare", table).exception)


def test_score_files_are_decided_by_what_tune_wrote(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((150, 3)) < 0.4, 1, -1).astype(np.int8)
    paths = []
    for name, noise in (("a", 1.0), ("b", 0.5)):
        scores = (labels + noise * rng.normal(size=labels.shape) - 5).astype(np.float32)  # logits that never reach 0
        file = ScoreFile([f"{k}.jpg" for k in range(150)], ["x", "y", "z"], scores, "logit", labels)
        paths.append(file.save(tmp_path / f"{name}.npz"))
        assert run("tune", paths[-1], "--out", tmp_path / f"{name}.json").exit_code == 0
    out = tmp_path / "n.json"
    numbers = {}
    for what, words in (
        ("none", []),
        ("one", ["--decisions", tmp_path / "a.json"]),
        ("own", ["--decisions", tmp_path / "a.json", "--decisions", tmp_path / "b.json"]),
    ):
        done = run("compare", *paths, *words, "--json", out, "--report", tmp_path / "c.html", "--resamples", 20)
        assert done.exit_code == 0, done.exception
        numbers[what] = json.loads(out.read_text())["sides"][str(paths[1])]["numbers"]["cf1"]
    assert numbers["none"]["after"] == 0
    assert numbers["own"]["after"] >= numbers["one"]["after"] > 0.8
    assert numbers["own"]["before"] == numbers["one"]["before"] > 0.5
    assert "once for all sides or once for each of 2, got 3" in str(
        run("compare", *paths, *["--decisions", out] * 3).exception
    )
