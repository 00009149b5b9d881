"""The bench at size: its data are what it says, every task runs, and rows measured apart come together."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manylabel.decisions.platt import Platt, sigmoid
from manylabel.metrics import average_precision

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import at_size


def test_table_is_of_a_model_that_is_too_sure():
    made = at_size.table(3000, 40)
    known = made.labels != 0
    share = (made.labels == 1).sum(0) / known.sum(0)
    assert known.mean() == pytest.approx(0.9, abs=0.01)
    assert share[0] == pytest.approx(0.4, abs=0.05)
    assert share[20:].max() < 0.02
    assert made.counts[[0, -1]].tolist() == [1200, 0]
    np.testing.assert_array_equal(made.decisions, made.scores >= 0)
    np.testing.assert_allclose(made.probabilities, sigmoid(made.scores / 1.5), rtol=1e-4)
    fitted = Platt().fit(made.scores[:, :10], made.labels[:, :10])
    np.testing.assert_allclose(fitted.temperatures, 1.5, atol=0.2)
    np.testing.assert_allclose(fitted.biases, 0, atol=0.4)
    assert made.file.kind == "logit"
    np.testing.assert_array_equal(made.file.labels, made.labels)


def test_tables_of_two_models_are_of_the_same_labels():
    one, other = at_size.table(1500, 20, noise=1.0), at_size.table(1500, 20)
    np.testing.assert_array_equal(one.labels, other.labels)
    ap, better = (np.nanmean(average_precision(made.scores, made.labels)) for made in (one, other))
    assert better > ap + 0.01


def test_lists_hold_most_labels():
    top, labels, counts = at_size.lists(50, 400)
    assert top.columns.shape == (50, at_size.LISTED)
    present = labels.dense() == 1
    listed = np.zeros_like(present)
    np.put_along_axis(listed, top.columns.astype(int), True, axis=1)
    assert 3 < present.sum(1).mean() < 6
    assert 0.6 < (present & listed).sum() / present.sum() < 0.95
    assert (labels.states == 0).mean() == pytest.approx(0.1, abs=0.06)
    assert counts.shape == (400,)
    assert (np.diff(counts) <= 0).all()


@pytest.mark.parametrize("name", at_size.TASKS)
def test_every_task_runs(name):
    task = at_size.TASKS[name]
    tiny = replace(task, images=300, classes=300 if name == "evaluate lists" else 12, resamples=20)
    tiny.prepare(tiny)()


def test_what_imports_torch_is_no_row():
    with pytest.raises(AssertionError, match="imported torch"):  # which the tests have
        at_size.measure("F1 thresholds", replace(at_size.TASKS["F1 thresholds"], images=50, classes=3))


def run(*arguments):
    command = [sys.executable, at_size.__file__, "--small", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_measured_apart_come_together(tmp_path):
    out = tmp_path / "at_size.csv"
    for name in ("report", "F1 thresholds"):
        done = run("--only", name, "--out", out)
        assert done.returncode == 0, done.stderr
    first, second = rows(out)
    assert (first["task"], second["task"]) == ("F1 thresholds", "report")  # in the order of the table
    assert (first["images"], first["classes"]) == ("10000", "100")
    for row in (first, second):
        assert 0 < float(row["data_gib"]) <= float(row["peak_gib"]) < 1
        assert 0 < float(row["cpu_seconds"]) < 1.5 * float(row["seconds"]) + 0.1  # one thread
        assert row["hardware"]
    out.write_text(out.read_text().replace(first["hardware"], "another"))
    refused = run("--only", "report", "--out", out)
    assert refused.returncode == 1
    assert "another machine" in refused.stderr


def test_small_numbers_do_not_replace_those_at_size():
    refused = run("--only", "report")
    assert refused.returncode == 2
    assert "--small wants --out" in refused.stderr


def test_more_memory_than_promised_is_an_error(tmp_path, monkeypatch):
    rows = [{"task": "evaluate lists", "peak_gib": 4.5}]
    monkeypatch.setattr(at_size, "in_own_process", lambda name, small: rows[0])
    monkeypatch.setattr(sys, "argv", ["at_size.py", "--only", "evaluate lists", "--out", str(tmp_path / "out.csv")])
    with pytest.raises(SystemExit, match="more memory than promised"):
        at_size.main()
    rows[0]["peak_gib"] = 3.5
    at_size.main()


@pytest.mark.slow
def test_all_at_a_hundredth(tmp_path):
    done = run("--out", tmp_path / "at_size.csv")
    assert done.returncode == 0, done.stderr
    assert [row["task"] for row in rows(tmp_path / "at_size.csv")] == list(at_size.TASKS)
