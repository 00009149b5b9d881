"""The way of an error: planted, found, listed, reviewed by hand, corrected in a copy with provenance."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from manylabel.audits import findings
from manylabel.cli import app
from manylabel.labels import LabelTable, ManylabelError
from manylabel.scores import ScoreFile

NAMES = ("car", "wheel", "cat", "dog")


def planted(seed=0):
    """Labels of which one cell in every tenth image is wrong, and out-of-sample logits of the true ones."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random((300, 4)) < [0.5, 0.0, 0.3, 0.2], 1, -1).astype(np.int8)
    truth[:, 1] = np.where(rng.random(300) < 0.6, truth[:, 0], -1)  # a wheel comes with a car
    logits = 3.0 * truth + rng.normal(size=truth.shape)
    labels = truth.copy()
    wrong = np.zeros(labels.shape, bool)
    rows = np.arange(0, 300, 10)
    wrong[rows, rng.integers(0, 4, 30)] = True
    labels[wrong] *= -1
    labels[5, 3] = 0
    ids = tuple(f"{i}.jpg" for i in range(300))
    return LabelTable(labels, NAMES, ids), logits, truth, wrong


def test_planted_errors_come_first_with_reasons():
    table, logits, _, wrong = planted()
    p = findings.out_of_fold(logits, table.state)
    found = findings.find(table, p)
    hits = [wrong[table.ids.index(f.image), NAMES.index(f.label)] for f in found]
    assert sum(hits) >= 26
    assert sum(hits[:25]) >= 24
    assert [f.rank for f in found] == list(range(1, len(found) + 1))
    for f in found:
        i, c = table.ids.index(f.image), NAMES.index(f.label)
        assert findings.STATES[f.given] == table.state[i, c] == -findings.STATES[f.suggested]
        assert f.confidence == pytest.approx(p[i, c] if f.given == "present" else 1 - p[i, c], abs=1e-4)
        assert f.reasons
    loose = findings.find(table, findings.out_of_fold(logits, table.state), least=0.75)
    said = [re.search(r"wheel comes with car in at least (\d+) % of (\d+) images", f.reasons) for f in loose]
    assert {(75 <= int(m[1]) <= 100, int(m[2]) > 60) for m in said if m} == {(True, True)}


def test_probabilities_out_of_fold_do_not_see_their_own_labels():
    table, logits, _, _ = planted()
    before = findings.out_of_fold(logits, table.state)
    changed = table.state.copy()
    changed[7] *= -1
    after = findings.out_of_fold(logits, changed)
    np.testing.assert_array_equal(after[7], before[7])
    assert (after != before).any()


def test_a_hierarchy_that_is_broken_is_a_reason():
    table = LabelTable(np.array([[-1, 1], [1, 1], [-1, -1]], np.int8), ("animal", "cat"), ("a", "b", "c"))
    (found,) = findings.find(table, np.array([[0.8, 0.9], [0.9, 0.9], [0.1, 0.1]]), parents=[[], [0]])
    assert (found.image, found.label, found.suggested) == ("a", "animal", "present")
    assert "cat is a kind of animal" in found.reasons


def test_of_labels_believed_alike_the_one_with_more_reasons_comes_first_then_by_name():
    state = np.array([[1, 1]] * 20 + [[-1, -1]] * 20 + [[-1, -1], [-1, -1], [-1, 1]], np.int8)
    p = np.where(state == 1, 0.9, 0.1)
    p[40:, 0] = 0.95
    table = LabelTable(state, ("animal", "cat"), (*(f"{i:02d}" for i in range(40)), "b", "a", "z"))
    found = findings.find(table, p, parents=[[], [0]])
    assert [f.image for f in found] == ["z", "a", "b"]
    assert found[0].reasons == "the model says 95 % present; cat is a kind of animal"


def test_findings_survive_the_file_and_verdicts_change_a_copy(tmp_path):
    table, logits, _, _ = planted()
    found = findings.find(table, findings.out_of_fold(logits, table.state))
    path = findings.write(tmp_path / "findings.csv", found)
    assert findings.read(path) == found
    reviewed = [replace(f, verdict=v) for f, v in zip(found, ("accept", "reject", "unknown", "", "accept"))]
    new, changes = findings.apply(table, reviewed)
    assert [change.finding for change in changes] == [1, 3, 5]
    assert (new.state != table.state).sum() == 3
    for f, state in zip(reviewed, (f.suggested for f in reviewed)):
        cell = table.ids.index(f.image), NAMES.index(f.label)
        expected = {"accept": state, "unknown": "unknown"}.get(f.verdict, f.given)
        assert findings.WORDS[int(new.state[cell])] == expected
    untouched, none = findings.apply(table, found)
    np.testing.assert_array_equal(untouched.state, table.state)
    assert none == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "999.jpg"}, "no image '999.jpg'"),
        ({"label": "carr"}, "Did you mean 'car'"),
        ({"given": "unknown"}, "audit these labels anew"),
    ],
)
def test_a_list_of_other_labels_is_refused(change, message):
    table, logits, _, _ = planted()
    found = findings.find(table, findings.out_of_fold(logits, table.state))[:1]
    with pytest.raises(ManylabelError, match=message):
        findings.apply(table, [replace(found[0], **change)])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("verdict", "veredict", 1), "column 'verdict' is missing"),
        (lambda text: text.replace("\r\n", "yes\r\n", 2).replace("yes", "", 1), "line 2, column 'verdict': got 'yes'"),
        (lambda text: text.replace("\r\n1,", "\r\nfirst,", 1), "line 2: rank, confidence"),
    ],
)  # fmt: skip
def test_a_spoilt_file_is_explained(tmp_path, edit, message):
    table, logits, _, _ = planted()
    path = findings.write(tmp_path / "f.csv", findings.find(table, findings.out_of_fold(logits, table.state)))
    path.write_bytes(edit(path.read_bytes().decode()).encode())
    with pytest.raises(ManylabelError, match=message):
        findings.read(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_that_a_spreadsheet_saved_is_read(tmp_path, encoding):
    table, logits, _, _ = planted()
    found = findings.find(table, findings.out_of_fold(logits, table.state))[:4]
    found = [replace(f, verdict="accept", reasons=f.reasons + "; naïve") for f in found]
    text = findings.write(tmp_path / "f.csv", found).read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    other = tmp_path / "other.csv"
    with other.open("w", newline="", encoding=encoding) as stream:
        csv.writer(stream, delimiter=";").writerows(
            [re.sub(r"^0\.(\d+)$", r"0,\1", cell) for cell in row] for row in rows
        )
    assert findings.read(other) == found
    spoilt = text.replace("accept", "acept", 1).replace("\n", "\n\n", 1)  # a blank line counts
    (tmp_path / "f.csv").write_bytes(spoilt.encode())
    with pytest.raises(ManylabelError, match=r"line 3, column 'verdict': got 'acept'\. Did you mean 'accept'"):
        findings.read(tmp_path / "f.csv")


def test_two_verdicts_on_one_label_are_refused_and_one_twice_counts_once():
    table, logits, _, _ = planted()
    one = findings.find(table, findings.out_of_fold(logits, table.state))[0]
    yes, no = replace(one, verdict="accept"), replace(one, rank=9, verdict="reject")
    with pytest.raises(ManylabelError, match=r"findings 1 and 9: .* has the verdicts 'accept' and 'reject'"):
        findings.apply(table, [yes, no])
    assert len(findings.apply(table, [one, yes, one, yes])[1]) == 1


def test_the_command_from_scores_to_corrected_labels(tmp_path):
    table, logits, truth, wrong = planted()
    scores = ScoreFile(np.array(table.ids), np.array(NAMES), logits, "logit").save(tmp_path / "scores.npz")
    labels = tmp_path / "labels.csv"
    with labels.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "split", *NAMES])
        for image, row in zip(table.ids, table.state.tolist()):
            writer.writerow([image, "test", *({-1: 0, 0: "", 1: 1}[cell] for cell in row)])
            (tmp_path / image).touch()
    kept = labels.read_bytes()

    def run(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    done = run("audit", scores, labels, "--out", tmp_path / "findings.csv")
    assert done.exit_code == 0, done.exception
    assert "known labels are suspicious" in done.stdout
    found = findings.read(tmp_path / "findings.csv")
    findings.write(tmp_path / "reviewed.csv", [replace(f, verdict="accept") for f in found[:25]])
    done = run("audit", tmp_path / "reviewed.csv", labels, "--apply", "--out", tmp_path / "new.csv")
    assert done.exit_code == 0, done.exception
    assert "25 labels changed, 25 of 25 findings reviewed" in done.stdout
    assert labels.read_bytes() == kept
    rows = list(csv.DictReader((tmp_path / "new.csv").read_text().splitlines()))
    state = np.array([[{"0": -1, "": 0, "1": 1}[row[name]] for name in NAMES] for row in rows])
    assert (state != truth).sum() < wrong.sum() - 20
    assert state[5, 3] == 0
    assert {row["split"] for row in rows} == {"test"}
    changes = list(csv.DictReader((tmp_path / "new.changes.csv").read_text().splitlines()))
    assert len(changes) == 25
    assert changes[0]["findings"].endswith("reviewed.csv")
    for words, message in ((["--out", labels], "never touched"), (["--out", tmp_path / "new.txt"], "new .csv")):
        done = run("audit", tmp_path / "reviewed.csv", labels, "--apply", *words)
        assert message in str(done.exception)
    assert "wants FINDINGS and the LABELS" in str(run("audit", tmp_path / "reviewed.csv", "--apply").exception)
