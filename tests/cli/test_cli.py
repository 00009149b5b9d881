"""The command line as a user meets it: fast help, clear errors, documented commands."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from drawn import photographs
from manylabel.cli import app, catalogue, exit_code
from manylabel.scores import ScoreFile
from manylabel.scores import load as load_scores
from test_run import messy

COMMANDS = get_command(app).commands
runner = CliRunner()


def manylabel(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "manylabel", *map(str, args)], capture_output=True, text=True, timeout=120, **options
    )


def within(*args):
    """The same in this process, which need not load torch anew."""
    done = runner.invoke(app, [str(arg) for arg in args])
    assert done.exit_code == 0, (args, done.exception, done.output)
    return done


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photos"), 24)


@pytest.fixture(autouse=True, scope="module")
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYLABEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def run(photos):
    """A finished run made by the command itself."""
    out = photos.parent / "run"
    fast = ["--set", "encoder.image_size=64", "--set", "train.epochs=1"]
    done = within("train", photos, "--method", "linear", "--out", out, *fast)
    assert "mAP" in done.stdout
    assert f"report: {out / 'report.html'}" in done.stdout
    return out


def test_the_commands_of_the_contract_are_there():
    assert set(COMMANDS) >= {
        "demo", "doctor", "train", "score", "evaluate", "predict", "methods", "encoders", "objectives"
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name):
    result = runner.invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert f"Example: {'`'}manylabel {name}" in (COMMANDS[name].callback.__doc__ or "")
    for parameter in COMMANDS[name].params:
        assert parameter.help or parameter.name == "help", parameter.name


def test_help_listing_and_evaluation_never_import_torch(tmp_path):
    ScoreFile(["a", "b"], ["x"], [[0.2], [0.9]], "probability", np.array([[-1], [1]], np.int8)).save(tmp_path / "s.npz")
    calls = [["--help"], *([name, "--help"] for name in COMMANDS), ["methods"], ["methods", "cprfl"], ["encoders"],
             ["objectives"], ["evaluate", str(tmp_path / "s.npz"), "--report", str(tmp_path / "r.html")]]  # fmt: skip
    lines = "\n".join(f"try: c.app({args!r})\nexcept SystemExit: pass" for args in calls)
    code = f"import sys, manylabel, manylabel.cli as c\n{lines}\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_doctor_reads_and_counts(photos):
    text = runner.invoke(app, ["doctor", str(photos)])
    assert text.exit_code == 0
    assert "24" in text.output
    findings = json.loads(runner.invoke(app, ["doctor", str(photos), "--json", "--no-images"]).output)
    assert findings["images"] == 24


def test_predict_prints_names_or_json_and_survives_a_bad_image(run, photos, tmp_path):
    good, bad = photos.parent / "images/0.jpg", tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    done = runner.invoke(app, ["predict", str(run), str(good), str(bad), "--json"])
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.exit_code == 1
    assert set(first["probabilities"]) == {"red", "green", "blue"}
    assert all(0 <= p <= 1 for p in first["probabilities"].values())
    assert second["image"] == str(bad)
    assert "error" in second
    assert "1 of 2 images could not be read" in done.stderr
    assert len(within("predict", run, photos.parent / "images").stdout.splitlines()) == 24


def test_score_then_evaluate_gives_the_run_s_own_numbers(run, photos, tmp_path):
    within("score", run, photos, "--split", "test", "--out", tmp_path / "s.npz")
    within("evaluate", tmp_path / "s.npz", photos, "--decisions", run / "labels.json", "--json", tmp_path / "m.json")
    ours, theirs = json.loads((tmp_path / "m.json").read_text()), json.loads((run / "metrics.json").read_text())
    for key in ("map", "map_head", "map_medium", "map_tail", "cf1", "of1", "per_class", "intervals"):
        assert ours[key] == theirs[key], key


def test_score_reads_and_splits_as_training_did(tmp_path):
    """A file without parts, read with `--unlisted unknown`: scoring its test part gives the run's own file again."""
    labels = photographs(tmp_path / "p", 30, parts=False)
    fast = ["--set", "encoder.image_size=64", "--set", "train.epochs=1", "--seed", "5", "--unlisted", "unknown"]
    within("train", labels, "--method", "linear", "--out", tmp_path / "x", *fast)
    within("score", tmp_path / "x", labels, "--split", "test", "--out", tmp_path / "s.npz")
    ours, theirs = load_scores(tmp_path / "s.npz"), load_scores(tmp_path / "x/scores-test.npz")
    assert ours.ids.tolist() == theirs.ids.tolist()
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-5)


def test_evaluate_takes_anybody_s_csv(tmp_path):
    rows = [("a.jpg", 0.9, 0.2), ("b.jpg", 0.4, 0.7), ("c.jpg", 0.1, 0.6)]
    with (tmp_path / "s.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "cat", "dog"), *rows])
    (tmp_path / "l.csv").write_text("image,labels\na.jpg,cat\nb.jpg,dog\nc.jpg,\n")
    options = ["--kind", "probability", "--json", str(tmp_path / "m.json"), "--report", str(tmp_path / "r.html")]
    within("evaluate", tmp_path / "s.csv", tmp_path / "l.csv", *options)
    numbers = json.loads((tmp_path / "m.json").read_text())
    assert numbers["map"] == 1.0
    assert numbers["op"] == pytest.approx(2 / 3)  # cat at .9, dog at .7, dog at .6 wrongly
    assert (tmp_path / "r.html").stat().st_size < 3_000_000


def test_every_reading_command_takes_the_switches_a_messy_file_needs(run, tmp_path):
    file, out = str(messy(tmp_path)), str(tmp_path / "s.csv")
    switches = ["--column", "reviewed", "--rename", "Dog=dog", "--minus-one", "absent",
                "--root", str(tmp_path / "elsewhere")]  # fmt: skip
    refused = runner.invoke(app, ["doctor", file, "--json", *switches])
    assert "with --conflicts unknown" in str(refused.exception)
    switches += ["--conflicts", "unknown"]
    findings = json.loads(runner.invoke(app, ["doctor", file, "--json", *switches]).stdout)
    classes = [(c["name"], c["train_positives"], c["absent"]) for c in findings["classes"]]
    assert classes == [("dog", 4, 0), ("cat", 2, 3)]
    assert (findings["files"]["read"], findings["columns"]) == (8, ["reviewed"])
    scored = runner.invoke(app, ["score", str(run), file, "--out", out, *switches])
    assert "the model does not know dog, cat: left aside" in scored.output
    assert Path(out).read_text().startswith("image,blue,green,red\nimages/0.jpg,")
    (tmp_path / "mine.csv").write_text("image,cat,dog\n" + "".join(f"images/{k}.jpg,{k % 2},1\n" for k in range(8)))
    numbers = ["evaluate", str(tmp_path / "mine.csv"), file, "--kind", "probability", "--json", out, *switches]
    assert runner.invoke(app, numbers).exit_code == 0
    assert [c["test_positives"] for c in json.loads((tmp_path / "s.csv").read_text())["per_class"]] == [4, 8]
    made = tmp_path / "made"
    fast = ["--method", "ridge", "--set", "encoder.image_size=32", "--out", str(made), *switches]
    assert runner.invoke(app, ["train", file, *fast]).exit_code == 0
    assert json.loads((made / "labels.json").read_text())["names"] == ["dog", "cat"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "nowhere.csv"], "nowhere.csv"),
        (["train", "{photos}", "--method", "liner"], "Did you mean 'linear'"),
        (["train", "{photos}", "--set", "epochs=3"], "section.key=value"),
        (["train", "{photos}", "--where", "good"], "COLUMN=VALUE"),
        (["train", "{photos}", "--rename", "red"], "OLD=NEW"),
        (["doctor", "{photos}", "--rename", "rad=red"], "Did you mean 'red'"),
        (["predict", "{tmp}", "a.jpg"], "no finished run"),
        (["evaluate", "{tmp}/none.npz"], "none.npz"),
        (["methods", "ridg"], "Did you mean 'ridge'"),
    ],
)
def test_mistakes_get_one_clear_line_and_exit_code_2(args, message, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["manylabel", *(a.format(photos=photos, tmp=tmp_path) for a in args)])
    assert exit_code() == 2  # an exception would be a traceback
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_mistake_in_another_process_ends_the_same_way(tmp_path):
    done = manylabel("evaluate", tmp_path / "none.npz")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'none.npz'}: there is no such score file")


def test_a_process_with_torch_ends_at_once_but_after_its_threads_handlers_and_output():
    code = (
        "import atexit, os, sys, threading, types\n"
        "sys.modules['torch'] = types.ModuleType('torch')\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), print('thread'))).start()\n"
        "class Torn:\n"
        "    def __del__(self, write=os.write): write(1, b'taken apart')\n"
        "atexit.register(print, 'handler')\n"
        "sys.torn, sys.argv = Torn(), ['manylabel', 'methods']\n"
        "from manylabel.cli import main; main()\n"
    )
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=buffered)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("cprfl ") for line in lines)
    assert lines[-2:] == ["thread", "handler"]


def test_the_catalogues_list_what_the_folders_hold():
    listed = runner.invoke(app, ["methods"]).output
    for entry in catalogue.entries("methods"):
        assert f"{entry.name} " in listed
    one = runner.invoke(app, ["methods", "cprfl"]).output
    assert "gamma_negative" in one
    assert "published_code" in one
    assert "efficientnet_lite0" in runner.invoke(app, ["encoders"]).output
    assert "distribution_balanced" in runner.invoke(app, ["objectives"]).output


def test_tensorboard_events_are_written(photos, tmp_path):
    fast = ["--set", "encoder.image_size=64", "--set", "train.epochs=1", "--tensorboard"]
    within("train", photos, "--method", "linear", "--out", tmp_path / "x", *fast)
    assert list((tmp_path / "x/tensorboard").glob("events*"))


@pytest.mark.slow
def test_two_devices_from_the_command_line(photos, tmp_path):
    fast = ["--set", "encoder.image_size=64", "--set", "train.epochs=2", "--text", "random", "--devices", "2"]
    done = manylabel("train", photos, "--method", "cprfl", "--out", tmp_path / "x", *fast)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x/report.html").exists()
