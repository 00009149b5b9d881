"""The whole path on drawn photographs: files in, model, decisions and report out; and what may go wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import manylabel
from drawn import photographs
from manylabel.config import read_toml
from manylabel.labels import ManylabelError
from manylabel.plan import plan
from manylabel.run import prepare, train
from manylabel.scores import load as load_scores

FAST = {"encoder": {"image_size": 64}, "text": {"source": "random"}, "train": {"epochs": 2, "batch_size": 8}}
FILES = {
    "config.toml", "config.json", "model.safetensors", "labels.json", "scores-val.npz", "scores-test.npz",
    "metrics.json", "log.csv", "report.html",
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def one_cache(monkeypatch, cache):
    monkeypatch.setenv("MANYLABEL_CACHE", str(cache))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"))


def messy(folder):
    """A file made by hand, of eight photographs elsewhere: Dog and dog, a 0/1 column that is no class, -1 for absent,
    and two rows of 0.jpg that disagree on cat."""
    photographs(folder / "elsewhere", 8)
    rows = ["image,Dog,dog,cat,reviewed,split", "images/0.jpg,1,0,1,1,train", "images/0.jpg,1,0,-1,1,train"]
    for k in range(1, 8):
        part = "train" if k < 4 else "val" if k < 6 else "test"
        rows.append(f"images/{k}.jpg,{k % 2},{(k + 1) % 2},{2 * (k % 2) - 1},0,{part}")
    (folder / "messy.csv").write_text("\n".join(rows) + "\n")
    return folder / "messy.csv"


def run(file, out, method="linear", **sections):
    options = {name: {**FAST.get(name, {}), **sections.get(name, {})} for name in {*FAST, *sections}}
    return train(plan(file, out, method=method, options=options))


@pytest.mark.parametrize("method", ["cprfl", "linear", "ridge"])
def test_a_run_folder_holds_what_it_promises_and_predicts_what_it_scored(photos, tmp_path, method):
    folder = run(photos, tmp_path / "x", method)
    assert {f.name for f in folder.iterdir()} >= FILES
    numbers = json.loads((folder / "metrics.json").read_text())
    wanted = {"images", "classes", "classes_without_positives", "unknown_share", "map", "map_head", "map_medium",
              "map_tail", "cf1", "of1", "cp", "cr", "op", "or", "per_class"}  # fmt: skip
    assert wanted <= set(numbers)
    assert set(numbers["per_class"][0]) >= {
        "name",
        "train_positives",
        "test_positives",
        "ap",
        "threshold",
        "f1",
        "group",
    }
    assert "NaN" not in (folder / "metrics.json").read_text()
    scores = load_scores(folder / "scores-test.npz")
    model = manylabel.load(folder)
    predictions = model.predict([photos.parent / image for image in scores.ids])
    for prediction, row in zip(predictions, scores.scores):
        expected = model.classes.probabilities(row)
        got = [prediction.probabilities[name] for name in scores.names]
        np.testing.assert_allclose(got, expected, atol=2e-5)
        decided = {n for n, s, t in zip(scores.names, row, model.classes.thresholds) if s >= t}
        assert set(prediction.labels) == decided
        assert list(prediction.probabilities.values()) == sorted(prediction.probabilities.values(), reverse=True)
        for name in prediction.probabilities:
            assert (prediction.probabilities[name] >= prediction.thresholds[name]) == (name in decided)


def test_finetuning_trains_the_encoder_and_loads_again(photos, tmp_path):
    folder = run(
        photos,
        tmp_path / "x",
        "cprfl",
        encoder={"image_size": 32, "finetune": True},
        train={"epochs": 1, "batch_size": 6},
    )
    model = manylabel.load(folder)
    frozen = manylabel.load(run(photos, tmp_path / "y", "cprfl", encoder={"image_size": 32}, train={"epochs": 1}))
    assert model.network.encoder.key != frozen.network.encoder.key  # its weights moved
    scores = load_scores(folder / "scores-test.npz")
    again = model.predict([photos.parent / image for image in scores.ids])
    expected = model.classes.probabilities(scores.scores[0])
    np.testing.assert_allclose([again[0].probabilities[n] for n in scores.names], expected, atol=1e-4)


def test_the_second_method_starts_from_the_cache(photos, tmp_path, monkeypatch):
    run(photos, tmp_path / "x", "linear")
    from manylabel.encoders import cache

    def no_decoding(*args, **kwargs):
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(cache, "decode", no_decoding)
    run(photos, tmp_path / "y", "mlp")


def test_same_seed_same_numbers_other_seed_others(photos, tmp_path):
    scores = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        folder = run(photos, tmp_path / name, "cprfl", train={"seed": seed, "epochs": 1})
        scores.append(load_scores(folder / "scores-test.npz").scores)
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.abs(scores[0] - scores[2]).max() > 0


def test_where_keeps_only_such_training_rows(photos, tmp_path):
    folder = run(photos, tmp_path / "x", data={"where": "good=1"})
    assert json.loads((folder / "labels.json").read_text())["images"] == 9
    assert len(load_scores(folder / "scores-test.npz").ids) == 9
    with pytest.raises(ManylabelError, match="good"):
        run(photos, tmp_path / "y", data={"where": "goood=1"})


def test_a_file_without_parts_is_split_and_says_so(tmp_path):
    folder = run(photographs(tmp_path / "p", 30, parts=False), tmp_path / "x")
    sizes = [len(load_scores(folder / f"scores-{part}.npz").ids) for part in ("val", "test")]
    assert sum(sizes) < 15
    assert min(sizes) >= 2
    assert any("split" in note or "val" in note for note in json.loads((folder / "metrics.json").read_text())["notes"])


def test_damaged_images_stop_the_run_with_their_rows_or_are_left_out_by_wish(tmp_path):
    labels = photographs(tmp_path / "p", 24)
    whole = (tmp_path / "p/images/4.jpg").read_bytes()
    (tmp_path / "p/images/4.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "p/images/8.jpg").write_bytes(b"")
    (tmp_path / "p/images/9.jpg").unlink()
    for finetune in (False, True):
        with pytest.raises(ManylabelError) as told:
            run(labels, tmp_path / f"x{finetune}", encoder={"finetune": finetune, "image_size": 32})
        message = str(told.value)
        assert "3 of 24 images cannot be read" in message
        assert all(word in message for word in ("row 6", "row 10", "row 11", "4.jpg", "--skip-damaged"))
    folder = run(labels, tmp_path / "y", data={"skip_damaged": True})
    numbers = json.loads((folder / "metrics.json").read_text())
    assert json.loads((folder / "labels.json").read_text())["images"] == 12 - 3
    assert any("4.jpg" in note and "8.jpg" in note for note in numbers["notes"])
    model = manylabel.load(folder)
    good, bad = model.predict([tmp_path / "p/images/0.jpg", tmp_path / "p/images/8.jpg"])
    assert good.error is None
    assert bad.error
    assert bad.as_dict() == {"image": str(tmp_path / "p/images/8.jpg"), "error": bad.error}


def test_one_class_one_image_no_positive_and_all_unknown(tmp_path):
    folder = tmp_path / "p"
    photographs(folder, 8)
    (folder / "one.csv").write_text("image,red\nimages/0.jpg,1\n")
    out = run(folder / "one.csv", tmp_path / "one", "ridge")
    assert json.loads((out / "metrics.json").read_text())["classes"] == 1
    rows = [f"images/{i}.jpg,{i % 2},0,,{'train' if i < 4 else 'val' if i < 6 else 'test'}" for i in range(8)]
    (folder / "odd.csv").write_text("image,red,never,unjudged,split\n" + "\n".join(rows) + "\n")
    for method in ("linear", "ridge", "cprfl"):
        out = run(folder / "odd.csv", tmp_path / f"odd-{method}", method)
        numbers = json.loads((out / "metrics.json").read_text())
        assert numbers["classes_without_positives"] == 2
        assert numbers["unknown_share"] == pytest.approx(1 / 3)
        assert [c["ap"] for c in numbers["per_class"]][1:] == [None, None]


def test_a_messy_file_is_read_as_told_and_the_telling_recorded(tmp_path):
    told = {"columns": ["reviewed"], "conflicts": "unknown", "minus_one": "absent", "rename": {"Dog": "dog"},
            "root": str(tmp_path / "elsewhere")}  # fmt: skip
    folder = run(messy(tmp_path), tmp_path / "x", "ridge", data=told)
    recorded = read_toml(folder / "config.toml")["data"]
    assert {key: recorded[key] for key in told} == told
    assert json.loads((folder / "labels.json").read_text())["names"] == ["dog", "cat"]
    again = prepare(plan(tmp_path / "messy.csv", tmp_path / "y", file=folder / "config.toml"))
    assert again.labels.state[:4].tolist() == [[1, 0], [1, 1], [1, -1], [1, 1]]  # cat of 0.jpg: rows disagree
    assert again.columns["reviewed"][:2].tolist() == ["1", "0"]


def test_folders_are_not_written_over(photos, tmp_path):
    run(photos, tmp_path / "x", "ridge")
    with pytest.raises(ManylabelError, match="holds a finished run"):
        run(photos, tmp_path / "x", "ridge")


def unfinished(photos, out, **options):
    """A run that was killed after its first epoch: folder, config and checkpoint, but no results."""
    run(photos, out, **options)
    (out / "metrics.json").unlink()
    return out


def again(photos, out, **train_options):
    options = {**FAST, "train": {**FAST["train"], **train_options}}
    return plan(photos, out, method="linear", options=options)


def test_an_unfinished_run_goes_on_only_by_wish_and_only_as_it_was(photos, tmp_path):
    out = unfinished(photos, tmp_path / "x")
    with pytest.raises(ManylabelError, match="go on with --resume"):
        train(again(photos, out))
    with pytest.raises(ManylabelError, match=r"train\.epochs was 2 and is 9 now"):
        train(again(photos, out, epochs=9), resume=True)
    other = tmp_path / "p"
    photographs(other, 36)
    text = photos.read_text()
    changed = photos.parent / "changed.csv"
    changed.write_text(text.replace(",red\n", ",blue\n", 1))
    (out / "config.toml").write_text((out / "config.toml").read_text().replace(str(photos), str(changed)))
    with pytest.raises(ManylabelError, match="have changed since"):
        train(again(changed, out), resume=True)
    (out / "config.toml").write_text((out / "config.toml").read_text().replace(str(changed), str(photos)))
    assert (train(again(photos, out), resume=True) / "metrics.json").exists()


def test_a_run_ended_by_ctrl_c_may_be_resumed(photos, tmp_path):
    out = run(photos, tmp_path / "x")
    numbers = json.loads((out / "metrics.json").read_text())
    (out / "metrics.json").write_text(json.dumps({**numbers, "ended": "interrupted"}))
    with pytest.raises(ManylabelError, match="go on with --resume"):
        train(again(photos, out))
    train(again(photos, out), resume=True)
    assert json.loads((out / "metrics.json").read_text())["ended"] == "complete"


def test_a_mistake_before_training_does_not_lock_the_folder(photos, tmp_path):
    with pytest.raises(ManylabelError):
        run(photos, tmp_path / "x", encoder={"name": "no_such_encoder"})
    run(photos, tmp_path / "x")


def test_a_folder_with_other_files_is_left_alone(photos, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/labels.json").write_text("mine")
    with pytest.raises(ManylabelError, match="holds other files"):
        run(photos, tmp_path / "x")
    assert (tmp_path / "x/labels.json").read_text() == "mine"


def test_identical_images_in_two_parts_are_told(tmp_path):
    labels = photographs(tmp_path / "p", 24)
    train_image, test_image = tmp_path / "p/images/0.jpg", tmp_path / "p/images/3.jpg"
    test_image.write_bytes(train_image.read_bytes())
    notes = json.loads((run(labels, tmp_path / "x") / "metrics.json").read_text())["notes"]
    assert any(note.startswith("1 images of test are identical to images of train") for note in notes)


def test_large_and_transparent_images_predict_as_they_score(tmp_path):
    """The cache decodes large JPEGs at a fraction, and files are laid over white: so must predictions be."""
    labels = photographs(tmp_path / "p", 24)
    rng = np.random.default_rng(0)
    noisy = Image.fromarray(rng.integers(0, 255, (700, 900, 3), dtype=np.uint8))
    noisy.save(tmp_path / "p/images/3.jpg", quality=95)
    clear = Image.fromarray(rng.integers(0, 255, (64, 64, 4), dtype=np.uint8), "RGBA")
    clear.save(tmp_path / "p/images/7.png")
    labels.write_text(labels.read_text().replace("images/7.jpg", "images/7.png"))
    folder = run(labels, tmp_path / "x", train={"epochs": 2, "batch_size": 8, "lr": 0.1})  # steep: small errors show
    scores, model = load_scores(folder / "scores-test.npz"), manylabel.load(folder)
    for image, opened in (("images/3.jpg", None), ("images/7.png", clear)):
        expected = scores.scores[scores.ids.tolist().index(image)]
        for given in filter(None, (tmp_path / "p" / image, opened)):
            np.testing.assert_allclose(model.scores([model.read(given)])[0], expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ManylabelError, match="takes a list"):
        model.predict("x.jpg")


@pytest.mark.parametrize("method", ["cprfl", "linear"])
def test_mixed_precision_trains(photos, tmp_path, method):
    folder = run(photos, tmp_path / "x", method, train={"precision": "bf16-mixed", "epochs": 1, "batch_size": 8})
    assert np.isfinite(load_scores(folder / "scores-test.npz").scores).all()


def test_typos_name_the_nearest_word(photos, tmp_path):
    cases = [
        ({"method": "cpfrl"}, "Did you mean 'cprfl'"),
        ({"method": "cprfl", "preset": "papper"}, "Did you mean 'paper'"),
        ({"options": {"train": {"epoch": 3}}}, "there is no train.epoch. Did you mean 'epochs'"),
        ({"options": {"trian": {"epochs": 3}}}, "Did you mean 'train'"),
        ({"method": "cprfl", "options": {"method": {"tua": 3}}}, "Did you mean 'tau'"),
        ({"options": {"train": {"epochs": "many"}}}, "train.epochs is of type int, got 'many'"),
        ({"options": {"train": {"epochs": 0}}}, "train.epochs is at least 1, got 0"),
        ({"options": {"train": {"precision": "bf17"}}}, "there is no precision 'bf17'"),
        ({"options": {"train": 3}}, "train is a section of options, got 3"),
        ({"options": {"text": {"sauce": "clip"}}}, "there is no text.sauce. Did you mean 'source'"),
        ({"options": {"encoder": {"image_size": 0}}}, "encoder.image_size is at least 1"),
    ]
    for options, message in cases:
        with pytest.raises(ManylabelError) as told:
            plan(photos, tmp_path / "x", **options)
        assert message in str(told.value)
    with pytest.raises(ManylabelError, match="efficientnet_lite0"):
        run(photos, tmp_path / "x", encoder={"name": "efficientnet_lite00"})


def test_a_later_layer_wins(photos, tmp_path):
    (tmp_path / "c.toml").write_text(
        '[method]\nname = "cprfl"\npreset = "published_code"\ntau = 0.25\n[train]\nlr = 1\n'
    )
    made = plan(photos, tmp_path / "x", file=tmp_path / "c.toml", options={"train": {"lr": 2}})
    assert (made.preset, made.method_config.tau, made.method_config.heads) == ("published_code", 0.25, 8)
    assert (made.settings.lr, made.settings.epochs, made.encoder.normalise) == (2.0, 80, False)


@pytest.mark.slow
def test_a_run_killed_while_caching_or_training_resumes_to_the_same_end(tmp_path):
    """SIGKILL at several moments; what a run that was never killed scores, the resumed one scores too."""
    labels = photographs(tmp_path / "p", 200)
    options = ["encoder.image_size=160", "train.epochs=150", "train.patience=0"]
    args = [sys.executable, "-m", "manylabel", "train", str(labels), "--method", "linear"]
    args += [word for option in options for word in ("--set", option)]
    env = {**os.environ, "MANYLABEL_CACHE": str(tmp_path / "cache")}
    for name, marker in (("caching", "cache/**/*.rows"), ("training", "training/checkpoint/state.json")):
        job = subprocess.Popen([*args, "--out", str(tmp_path / name)], env=env, stderr=subprocess.DEVNULL)
        while job.poll() is None and not list(tmp_path.glob(marker)):
            time.sleep(0.02)
        time.sleep(0.05)
        job.send_signal(signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL
        subprocess.run(
            [*args, "--out", str(tmp_path / name), "--resume"], env=env, check=True, stderr=subprocess.DEVNULL
        )
    subprocess.run([*args, "--out", str(tmp_path / "whole")], env=env, check=True, stderr=subprocess.DEVNULL)
    whole, *others = (load_scores(tmp_path / n / "scores-test.npz").scores for n in ("whole", "caching", "training"))
    for scores in others:
        np.testing.assert_array_equal(whole, scores)


def test_by_default_auto_is_trained_and_cprfl_where_the_encoder_is_too(photos, tmp_path):
    assert (plan(photos, tmp_path / "x").method, plan(photos, tmp_path / "x").preset) == ("auto", "default")
    tuned = plan(photos, tmp_path / "x", options={"encoder": {"finetune": True}})
    assert (tuned.method, tuned.preset, tuned.method_config.anchor) == ("cprfl", "finetune", "linear")
    chosen = plan(photos, tmp_path / "x", preset="small", options={"encoder": {"finetune": True}})
    assert chosen.preset == "small"
    assert plan(photos, tmp_path / "x", method="cprfl").preset == "small"


def test_auto_does_without_label_text_where_there_is_no_sentence_encoder(photos, tmp_path, monkeypatch):
    from manylabel.encoders import text

    real = text.vectors

    def missing(names, source, **options):
        if source == "sentence":
            raise ManylabelError("text source 'sentence' needs pip install manylabel[sentence]")
        return real(names, source, **options)

    monkeypatch.setattr(text, "vectors", missing)
    options = {"encoder": {"image_size": 64, "flip": False}, "method": {"systems": ["ridge", "cprfl"]}}
    made = plan(photos, tmp_path / "x", options=options)
    report = (train(made) / "report.html").read_text(encoding="utf-8")
    assert [note for note in made.notes if "no label text" in note and "manylabel[sentence]" in note]
    assert any(note.startswith("auto: cprfl left out") for note in made.notes)
    assert "cprfl left out" in report
    with pytest.raises(ManylabelError, match=r"manylabel\[sentence\]"):
        train(plan(photos, tmp_path / "y", method="cprfl", options={"encoder": {"image_size": 64}}))


def test_an_anchor_solved_on_frozen_features_refuses_finetune(photos, tmp_path):
    options = {**FAST, "encoder": {"image_size": 64, "finetune": True}}
    with pytest.raises(ManylabelError, match="--preset finetune"):
        train(plan(photos, tmp_path / "x", method="cprfl", preset="frozen", options=options))
