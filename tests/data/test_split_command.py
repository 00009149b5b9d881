"""`split` as a user meets it: a label file in, one with its parts out, the table, and every mistake said."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from manylabel import data
from manylabel.cli import app
from manylabel.cli.splitting import shares_of
from manylabel.labels import ManylabelError


def run(*words):
    done = CliRunner().invoke(app, ["split", *(str(word) for word in words)])
    assert done.exit_code == 0, (words, done.exception, done.output)
    return done


def refused(*words):
    done = CliRunner().invoke(app, ["split", *(str(word) for word in words)])
    assert isinstance(done.exception, ManylabelError), done.output
    return str(done.exception)


@pytest.fixture
def labels(tmp_path):
    """60 images of 20 patients, three classes with blanks, a column of 0 and 1, no parts."""
    rng = np.random.default_rng(0)
    cells = rng.choice(["1", "0", ""], (60, 3), p=[0.4, 0.5, 0.1])
    rows = [f"{k}.jpg,p{k % 20},{k % 2},{k},{','.join(cells[k])}" for k in range(60)]
    path = tmp_path / "labels.csv"
    path.write_text("image,patient,night,place,cat,dog,owl\n" + "\n".join(rows) + "\n")
    return path


def same(one, other):
    assert one.labels.names == other.labels.names
    assert one.labels.ids == other.labels.ids
    assert (one.labels.state == other.labels.state).all()
    assert [str(path) for path in one.paths] == [str(path) for path in other.paths]


@pytest.mark.parametrize("name", ["split.csv", "elsewhere/split.csv", "split.jsonl"])
@pytest.mark.parametrize("words", [["--parts", "train=.5,test=50%"], ["--folds", 2], ["--folds", 3], ["--folds", 5]])
def test_the_label_file_comes_back_with_its_parts_and_nothing_lost(labels, name, words):
    out = labels.parent / name
    out.parent.mkdir(exist_ok=True)
    options = ["--column", "night", "--column", "place"]
    run(labels, "--out", out, "--group", "patient", *words, *options)
    before, after = data.read(labels, columns=("night", "place")), data.read(out)
    same(after, before)
    for column, cells in before.columns.items():
        assert after.columns[column].tolist() == cells.tolist()
    part = after.columns.get("fold", after.split)
    assert set(part) == ({str(k) for k in range(words[1])} if words[0] == "--folds" else {"train", "test"})
    assert all(len(set(part[before.columns["patient"] == patient])) == 1 for patient in before.columns["patient"])
    assert ("fold" in after.columns) == (words[0] == "--folds")


def test_columns_added_after_the_split_are_kept(labels):
    out = labels.with_name("split.csv")
    run(labels, "--out", out, "--folds", 2, "--column", "night", "--column", "place")
    lines = out.read_text().splitlines()
    more = [f"{line},{'site' if k == 0 else 'north'}" for k, line in enumerate(lines)]
    out.write_text("\n".join(more) + "\n")
    after = data.read(out)
    assert set(after.columns["site"]) == {"north"}
    assert {"fold", "night"} <= set(after.columns)
    assert after.labels.names == ("cat", "dog", "owl")


def test_the_table_and_its_json_say_the_same(labels):
    words = [labels, "--group", "patient", "--column", "night", "--column", "place"]
    text, found = run(*words).stdout, json.loads(run(*words, "--json").stdout)
    assert [part["name"] for part in found["parts"]] == ["train", "val", "test"]
    for one in found["classes"]:
        counts = [str(n) for n in one["positives"].values()]
        line = next(line for line in text.splitlines() if line.startswith(one["name"]))
        assert line.split()[1:] == [str(sum(map(int, counts))), *counts, f"{one['deviation']:.1f}"]
    far = found["largest_deviation"]
    assert f"Largest deviation: {far['class']} in {far['part']}, {far['positives']} positives" in text
    assert far["positives"] - far["expected"] == pytest.approx(far["deviation"])
    assert found["groups"] == {"groups": 20, "images": 60, "largest": 3}


def test_parts_are_kept_unless_asked(labels):
    out, again, kept = (labels.with_name(name) for name in ("a.csv", "b.csv", "c.csv"))
    read = ["--column", "night", "--column", "place"]
    run(labels, "--out", out, *read)
    assert "--again" in refused(out, "--out", again)
    run(out, "--out", again, "--again", "--seed", 1)
    run(out, "--out", kept, "--keep-test", "--seed", 1)
    first, second, third = (data.read(path).split for path in (out, again, kept))
    assert (first != second).any()
    assert ((first == "test") == (third == "test")).all()
    assert (first != third).any()


def test_the_order_of_rows_does_not_matter(labels):
    head, *rows = labels.read_text().splitlines()
    other = labels.with_name("other.csv")
    other.write_text("\n".join([head, *rows[::-1]]) + "\n")
    parts = []
    for path, out in ((labels, "a.jsonl"), (other, "b.jsonl")):
        run(path, "--out", labels.with_name(out), "--group", "patient")
        found = data.read(labels.with_name(out))
        parts.append(dict(zip(found.labels.ids, found.split.tolist())))
    assert parts[0] == parts[1]


def test_copies_stay_together(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 9, 9, 3), dtype=np.uint8)
    for k in range(40):  # every picture twice, once as JPEG
        image = Image.fromarray(noise[k // 2]).resize((90, 90), Image.Resampling.BICUBIC)
        image.save(tmp_path / f"{k}.{'jpg' if k % 2 else 'png'}")
    rows = [f"{k}.{'jpg' if k % 2 else 'png'},{'cat' if k % 4 < 2 else 'dog'}" for k in range(40)]
    (tmp_path / "labels.csv").write_text("image,labels\n" + "\n".join(rows) + "\n")
    words = [tmp_path / "labels.csv", "--folds", 4]
    run(*words, "--out", tmp_path / "apart.csv")
    done = run(*words, "--out", tmp_path / "together.csv", "--keep-together", "near-duplicates")
    assert "40 images in 20 groups look the same" in done.output
    apart, together = (data.read(tmp_path / name).columns["fold"] for name in ("apart.csv", "together.csv"))
    assert (together[::2] == together[1::2]).all()
    assert (apart[::2] != apart[1::2]).any()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--group", "pateint"], "Did you mean 'patient'"),
        (["--keep-together", "duplicates"], "Did you mean 'near-duplicates'"),
        (["--parts", "train=.5,val=.3"], "must sum to 1, got 0.8"),
        (["--parts", "train=.5,test"], "NAME=SHARE"),
        (["--parts", "a=.5,a=.5"], "names 'a' twice"),
        (["--parts", "train=.5,test=.5", "--folds", 2], "give one of them"),
        (["--keep-test", "--again"], "give one of them"),
        (["--keep-test"], "no image is in test"),
        (["--folds", 1], "2 folds or more"),
        (["--out", "x.csv", "--to", "cvs"], "Did you mean 'csv'"),
        (["--out", "x"], "say --to"),
        (["--out", "labels.csv"], "exists already"),
    ],
)
def test_mistakes_are_said(labels, monkeypatch, words, said):
    monkeypatch.chdir(labels.parent)
    assert said in refused("labels.csv", *words)
    assert sorted(path.name for path in labels.parent.iterdir()) == ["labels.csv"]


def test_shares_are_numbers_or_percents():
    assert shares_of("a=0.5,b = 50 %") == {"a": 0.5, "b": 0.5}
    for wrong in ("a=nan,b=1", "a=2,b=-1", "a=,b=1", "=1", "a=inf"):
        with pytest.raises(ManylabelError, match="NAME=SHARE"):
            shares_of(wrong)
