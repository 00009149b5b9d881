"""`audit` as a user meets it: scores or photographs in, findings, statistics, report; a review carried out."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from drawn import photographs
from manylabel import data
from manylabel.audits import findings
from manylabel.audits.calibrated import probabilities
from manylabel.cli import app
from manylabel.scores import ScoreFile, load

NAMES = ("blue", "green", "red")
SMALL = ["--set", "encoder.image_size=64"]


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (words, done.exception, done.output)
    return done


def refused(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code != 0
    return str(done.exception)


@pytest.fixture(autouse=True, scope="module")
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYLABEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def photos(tmp_path):
    """48 drawn photographs with wide labels, some unknown; 1.jpg is a copy of 0.jpg with another label."""
    narrow = data.read(photographs(tmp_path / "p", 48, parts=False)).labels
    folder = tmp_path / "p"
    (folder / "images" / "1.jpg").write_bytes((folder / "images" / "0.jpg").read_bytes())
    columns = [narrow.names.index(name) for name in NAMES]
    state = narrow.state[:, columns].copy()
    state[1] = state[0]
    state[1, 0] *= -1
    state[2, :2] = 0
    rows = [[image, *({-1: "0", 0: "", 1: "1"}[c] for c in row)] for image, row in zip(narrow.ids, state.tolist())]
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["image", *NAMES], *rows])
    return folder / "labels.csv"


def scored(photos, kind="probability", *, prefix="", wrong=6):
    """Somebody's scores of the photographs: right but for the first `wrong` images' last class."""
    table = data.read(photos).labels
    rng = np.random.default_rng(0)
    margin = np.where(table.state == 0, 1, table.state) * rng.uniform(2, 4, table.state.shape)
    margin[3 : 3 + wrong, 2] *= -1
    values = margin if kind == "logit" else 1 / (1 + np.exp(-margin))
    ids = [prefix + image for image in table.ids]
    return ScoreFile(ids, table.names, values, kind).save(photos.parent / "scores.npz")


def test_from_scores_and_images_to_findings_and_statistics(photos, tmp_path):
    out, stats = tmp_path / "f.csv", tmp_path / "stats.csv"
    (photos.parent / "images" / "5.jpg").unlink()
    (photos.parent / "images" / "6.jpg").write_bytes(b"no image")
    done = run("audit", scored(photos), photos, "--images", "--out", out, "--stats", stats)
    assert (
        "2 of 48 images not compared: images/5.jpg (there is no such file); images/6.jpg (not an image" in done.stderr
    )
    assert "2 images in 1 groups show the same" in done.stdout
    found = findings.read(out)
    assert {f.image for f in found if f.category == "duplicate disagrees"} <= {"images/0.jpg", "images/1.jpg"}
    assert any("near-identical to" in f.reasons and "a tie" in f.reasons for f in found)
    assert sum(f.image in {f"images/{k}.jpg" for k in range(3, 9)} and f.label == "red" for f in found) >= 4
    assert f"{len(found)} of 142 known labels are suspicious" in done.stdout
    assert "1.4 % of cells unknown" in done.stdout
    rows = list(csv.DictReader(stats.read_text().splitlines()))
    assert [row["label"] for row in rows] == list(NAMES)
    assert [row["unknown"] for row in rows] == ["1", "1", "0"]
    file, table = load(photos.parent / "scores.npz"), data.read(photos).labels
    anew = probabilities(file.scores, table.state, kind="probability", anew=True)
    np.testing.assert_allclose(
        [float(row["expected"]) for row in rows], np.where(table.state == 0, anew, 0).sum(axis=0), atol=0.006
    )


def test_classes_that_annotators_forget_are_told(photos):
    table = data.read(photos).labels
    state = np.where((table.state == 1) & (np.arange(3) == 1) & (np.arange(48)[:, None] % 4 > 0), 0, table.state)
    margin = table.state * 4.0
    ScoreFile(table.ids, table.names, margin, "logit", state.astype(np.int8)).save(photos.parent / "s.npz")
    out = run("audit", photos.parent / "s.npz", "--out", photos.parent / "f.csv").stdout
    assert "forgotten most often" in out
    assert out.split("share given")[1].split()[0] == "green"


def test_the_report_shows_the_findings_with_pictures(photos, tmp_path):
    page = tmp_path / "r.html"
    done = run("audit", scored(photos), photos, "--out", tmp_path / "f.csv", "--report", page)
    assert f"report: {page}" in done.stdout
    text = page.read_text(encoding="utf-8")
    first = findings.read(tmp_path / "f.csv")[0]
    assert first.image in text
    assert first.category in text
    assert "data:image/jpeg;base64," in text
    run("audit", scored(photos, "logit"), photos, "--out", tmp_path / "f.csv", "--report", page)


def test_a_score_file_is_audited_without_torch(photos, tmp_path):
    words = ["audit", str(scored(photos)), str(photos), "--images", "--out", str(tmp_path / "f.csv"),
             "--stats", str(tmp_path / "s.csv"), "--report", str(tmp_path / "r.html")]  # fmt: skip
    again = ["audit", str(tmp_path / "f.csv"), str(photos), "--apply", "--out", str(tmp_path / "new.csv")]
    lines = "\n".join(f"try: c.app({args!r})\nexcept SystemExit as e: assert not e.code" for args in (words, again))
    code = f"import sys, manylabel.cli as c\n{lines}\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_are_those_of_the_label_file_so_that_a_review_applies(photos, tmp_path):
    out = tmp_path / "f.csv"
    run("audit", scored(photos, prefix="elsewhere/"), photos, "--out", out)
    found = findings.read(out)
    assert {f.image for f in found} <= set(data.read(photos).labels.ids)
    findings.write(out, [replace(f, verdict="accept") for f in found])
    assert f"{len(found)} labels changed" in run("audit", out, photos, "--apply", "--out", tmp_path / "new.csv").stdout


def test_positives_alone_are_no_end(photos, tmp_path):
    table = data.read(photos).labels
    ScoreFile(table.ids, table.names, table.state * 3.0, "logit", np.maximum(table.state, 0)).save(tmp_path / "s.npz")
    done = run("audit", tmp_path / "s.npz", "--out", tmp_path / "f.csv")
    assert "logits are not calibrated" in done.stderr
    assert "0 of " in done.stdout


def test_the_review_leaves_a_slice_that_defeats_the_model(photos, tmp_path):
    scores, out, new = scored(photos), tmp_path / "f.csv", tmp_path / "new.csv"
    run("audit", scores, photos, "--out", out)
    found = findings.read(out)
    reviewed = [replace(f, verdict="reject" if f.label == "red" else "accept") for f in found]
    findings.write(out, reviewed)
    done = run("audit", out, photos, "--apply", "--out", new, "--scores", scores)
    confirmed = {f.image for f in reviewed if f.verdict == "reject" and f.severity == "major" and f.confidence < 0.5}
    assert len(confirmed) >= 3
    assert f"{len(confirmed)} images with a major mistake" in done.stdout
    assert "% of images before the review" in done.stdout
    rows = list(csv.DictReader((tmp_path / "new.major.csv").read_text().splitlines()))
    assert {row["image"] for row in rows} == confirmed
    run("evaluate", scores, tmp_path / "new.major.csv", "--json", tmp_path / "m.json")
    numbers = json.loads((tmp_path / "m.json").read_text())
    assert (numbers["images"], numbers["subset_accuracy"]) == (len(confirmed), 0.0)


def test_an_empty_review_leaves_labels_as_they_are(photos, tmp_path):
    run("audit", scored(photos), photos, "--out", tmp_path / "f.csv")
    done = run("audit", tmp_path / "f.csv", photos, "--apply", "--out", tmp_path / "new.csv")
    assert "0 labels changed" in done.stdout
    assert (tmp_path / "new.csv").read_text() == photos.read_text()
    assert not (tmp_path / "new.major.csv").exists()


def test_photographs_scored_by_folds(photos, tmp_path):
    (photos.parent / "images" / "7.jpg").write_bytes(b"no image")
    kept, out = tmp_path / "kept.npz", tmp_path / "f.csv"
    done = run("audit", photos, "--folds", 3, "--scores", kept, "--out", out, "--images", *SMALL)
    assert "1 images cannot be read and are left out: labels.csv, row 9 (images/7.jpg)" in done.stderr
    file, table = load(kept), data.read(photos).labels
    assert file.kind == "probability"
    assert file.ids.tolist() == [image for image in table.ids if image != "images/7.jpg"]
    known = file.labels != 0
    assert ((file.scores >= 0.5) == (file.labels == 1))[known].mean() > 0.7
    copies = [file.ids.tolist().index(f"images/{k}.jpg") for k in (0, 1)]
    np.testing.assert_allclose(file.scores[copies[0]], file.scores[copies[1]], atol=0.2)
    again = tmp_path / "again.csv"
    run("audit", kept, photos, "--images", "--out", again)
    assert again.read_text() == out.read_text()


def test_the_scores_have_a_place_and_other_methods_work(photos, tmp_path):
    out = tmp_path / "f.csv"
    fast = ["--set", "train.epochs=1", "--method", "linear", *SMALL]
    done = run("audit", photos, "--folds", 2, "--out", out, *fast)
    assert f"scores of every image by a model of the others: {tmp_path / 'f.scores.npz'}" in done.stdout
    assert load(tmp_path / "f.scores.npz").scores.shape == (48, 3)


def test_what_makes_no_sense_is_refused(photos, tmp_path):
    scores = scored(photos)
    assert "only with --folds: --method (got ridge)" in refused("audit", scores, photos, "--method", "ridge")
    assert "only with --folds: --scores" in refused("audit", scores, photos, "--scores", "x.npz")
    assert "leave out LABELS" in refused("audit", photos, photos, "--folds", 3)
    assert "leave out finetune" in refused("audit", photos, "--folds", 3, "--set", "encoder.finetune=true")
    assert "Did you mean 'ridge'" in refused("audit", photos, "--folds", 3, "--method", "ridg")
    labelled = replace(load(scores), labels=data.read(photos).labels.state).save(tmp_path / "own.npz")
    assert "SCORES LABELS" in refused("audit", labelled, "--images", "--out", tmp_path / "f.csv")
    for image in (photos.parent / "images").iterdir():
        image.unlink()
    assert "--root says where" in refused("audit", photos, "--folds", 3, *SMALL)
    done = run("audit", scores, photos, "--images", "--out", tmp_path / "f.csv")
    assert "48 of 48 images not compared" in done.stderr
    assert "--root says where" in done.stderr
