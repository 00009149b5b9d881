"""`predict` on a terminal: table, JSON, CSV, XMP; lists and standard input; mistakes in their place."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import manylabel
from drawn import photographs
from manylabel.cli import app
from test_run import run as train

runner = CliRunner()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"), 24)


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYLABEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train(photos, tmp_path_factory.mktemp("runs") / "x", "linear")


def predict(*args, code=0, **options):
    done = runner.invoke(app, ["predict", *map(str, args)], **options)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def test_the_table_lists_labels_in_columns(run, photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    lines = predict(run, "images").stdout.splitlines()
    expected = manylabel.load(run).predict([photos.parent / "images/0.jpg"])[0]
    assert len(lines) == 24
    assert len({line.index(".jpg") for line in lines}) == 2  # 0 to 9, and 10 to 23
    assert len({len(line) - len(line.partition(".jpg")[2].lstrip()) for line in lines}) == 1
    first = next(line for line in lines if "/0.jpg" in line)
    named = [f"{n} {100 * expected.probabilities[n]:.0f} %" for n in expected.labels]
    assert first.endswith(", ".join(named) or "(no label)")


def test_json_and_csv_say_the_same_as_python(run, photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    given = [photos.parent / "images/0.jpg", bad, photos.parent / "images/5.jpg"]
    expected = manylabel.load(run).predict(given)
    as_json = [json.loads(line) for line in predict(run, *given, "--json", code=1).stdout.splitlines()]
    assert as_json == [json.loads(json.dumps(p.as_dict())) for p in expected]
    done = predict(run, *given, "--csv", code=1)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["image"] for row in rows] == [str(p) for p in given]
    assert [row["labels"] for row in rows] == ["|".join(expected[0].labels), "?", "|".join(expected[2].labels)]
    assert rows[1]["error"] == expected[1].error
    (tmp_path / "out.csv").write_text(done.stdout)
    table = manylabel.read(tmp_path / "out.csv").labels
    assert table.known.all(axis=1).tolist() == [True, False, True]  # what could not be read is unknown, not empty
    assert "1 of 3 images" in done.stderr


def test_a_class_with_the_sign_between_labels_in_its_name_is_no_csv(run, photos, tmp_path):
    folder = shutil.copytree(run, tmp_path / "x")
    labels = json.loads((folder / "labels.json").read_text())
    labels["names"][0] = "red|rosy"
    (folder / "labels.json").write_text(json.dumps(labels))
    done = predict(folder, photos.parent / "images/0.jpg", "--csv", code=1)
    assert "class 'red|rosy' holds the sign that stands between labels in --csv" in str(done.exception)
    assert "red|rosy" in predict(folder, photos.parent / "images/0.jpg", "--json").stdout


def test_a_run_that_is_not_there_is_told_with_the_nearest(run, photos):
    done = predict(run.with_name("xx"), photos.parent / "images/0.jpg", code=1)
    assert str(done.exception).startswith(f"there is no run or model {run.with_name('xx')}. Did you mean 'x'?")


def test_choices_reach_the_model(run, photos, tmp_path):
    image = photos.parent / "images/3.jpg"
    model = manylabel.load(run)
    for options, chosen in (
        (["--max-labels", "1"], {"max_labels": 1}), (["--min-score", "0.7"], {"min_score": 0.7}),
        (["--guarantee", "recall=0.9"], {"guarantee": 0.9}),
    ):  # fmt: skip
        told = json.loads(predict(run, image, "--json", *options).stdout)
        assert [label["name"] for label in told["labels"]] == list(model.predict([image], **chosen)[0].labels)
    rule = {"names": model.names[::-1], "kind": "logit", "thresholds": [None, -1e6, None]}
    (tmp_path / "d.json").write_text(json.dumps(rule))
    told = json.loads(predict(run, image, "--json", "--decisions", tmp_path / "d.json").stdout)
    assert [label["name"] for label in told["labels"]] == [model.names[1]]


def test_lists_and_standard_input(run, photos):
    lines = predict(run, photos, "--json").stdout.splitlines()
    assert [json.loads(line)["image"] for line in lines[:2]] == ["images/0.jpg", "images/1.jpg"]
    content = (photos.parent / "images/0.jpg").read_bytes()
    piped = json.loads(predict(run, "-", "--json", input=content).stdout)
    assert piped | {"image": "images/0.jpg"} == json.loads(lines[0])


def test_xmp_is_written_beside_each_image(run, photos, tmp_path):
    images = photographs(tmp_path / "p", 6).parent / "images"
    (images / "1.xmp").write_text("not XMP")
    done = predict(run, images, "--xmp", code=1)
    assert {f.name for f in images.glob("*.xmp")} == {f"{k}.xmp" for k in range(6)}
    assert "its XMP was not written" in done.stderr
    assert (images / "1.xmp").read_text() == "not XMP"
    for prediction in manylabel.load(run).predict([images / "0.jpg"]):
        assert all(name in (images / "0.xmp").read_text() for name in prediction.labels)
    assert "no place beside it" in str(runner.invoke(app, ["predict", str(run), "-", "--xmp"],
                                                     input=(images / "0.jpg").read_bytes()).exception)  # fmt: skip


@pytest.mark.parametrize(("args", "said"), [
    (["--json", "--csv"], "give one of them"), (["--guarantee", "precision=0.9"], "recall=VALUE"),
    (["--guarantee", "recall=0.999"], "up to"), (["--min-score", "7"], "lies in"),
    (["--decisions", "none.json"], "no file"),
])  # fmt: skip
def test_mistakes_are_told_before_images_are_read(run, photos, args, said):
    done = runner.invoke(app, ["predict", str(run), str(photos.parent / "images/0.jpg"), *args])
    assert said in str(done.exception)


def test_odd_names_stay_on_their_row(run, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["two\nlines.jpg", "a, b.jpg", "犬.jpg", "gone\x1bM.jpg"]
    for name in names[:3]:
        Path(name).write_bytes((photos.parent / "images/0.jpg").read_bytes())
    done = predict(run, *names, code=1)
    rows = done.stdout.splitlines()
    assert [row.split("  ")[0].strip() for row in rows] == ["two\\nlines.jpg", "a, b.jpg", "犬.jpg"]
    assert [len(row.rpartition("  ")[0]) for row in rows] == [14, 14, 13]  # a Chinese character takes two columns
    assert "gone\\x1bM.jpg" in done.stderr
    assert done.stderr.count("gone") == 1  # the reason does not name the image again
    table = csv.reader(io.StringIO(predict(run, *names, "--csv", code=1).stdout))
    assert [row[0] for row in table] == ["image", *names]


def test_what_a_folder_leaves_out_is_told_beside_the_table(run, photos, tmp_path):
    Path(tmp_path / "notes.txt").write_text("none")
    Path(tmp_path / "x.jpg").write_bytes((photos.parent / "images/0.jpg").read_bytes())
    done = predict(run, tmp_path, "--json")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == f"note: {tmp_path}: left out: .txt (1)\n"
