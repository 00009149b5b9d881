"""`tune` and what it writes: every rule fitted, kept, read back by `evaluate`, and wrong requests explained."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from manylabel import decisions
from manylabel.cli import app
from manylabel.cli.deciding import decide
from manylabel.cli.tuning import parse
from manylabel.labels import ManylabelError
from manylabel.metrics import count, precision_recall_f1
from manylabel.scores import ScoreFile, load

RULES = [
    "f1", "f1=2", "precision=0.8", "recall=0.7", "cost=5:1", "prevalence", "top_k=2", "label_count", "sparsemax",
    "risk=0.8", "risk=0.6:precision", "fixed=0.4", "lp_icp=0.2", "adathresh=5",
]  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """Validation and test scores as probabilities, the test classes in another order."""
    rng = np.random.default_rng(0)
    paths = []
    for part, order in (("val", [0, 1, 2, 3]), ("test", [2, 0, 3, 1])):
        labels = np.where(rng.random((120, 4)) < [0.5, 0.3, 0.2, 0.1], 1, -1).astype(np.int8)
        scores = 1 / (1 + np.exp(-(rng.normal(size=labels.shape) + 1.5 * labels)))
        names = np.array(["cat", "dog", "emu", "fox"])[order]
        ids = [f"{part}{i}.jpg" for i in range(120)]
        file = ScoreFile(ids, names, scores[:, order], "probability", labels[:, order])
        paths.append(file.save(tmp_path / f"{part}.npz"))
    return (*paths, tmp_path / "decisions.json")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("rule", RULES)
def test_what_tune_writes_evaluate_reads(files, rule, tmp_path):
    val, test, out = files
    done = run("tune", val, "--rule", rule, "--out", out)
    assert done.exit_code == 0, done.exception
    assert "measure it on others" in done.stdout
    fitted, new = load(val), load(test)
    expected = parse(rule).fit(fitted.scores, fitted.labels)
    order = [fitted.names.tolist().index(name) for name in new.names.tolist()]
    by_fitted = np.empty_like(new.scores)
    by_fitted[:, order] = new.scores
    found = decide(out, new)
    decided, thresholds = found.decisions, found.thresholds
    np.testing.assert_array_equal(decided, expected(by_fitted)[:, order])
    report, numbers = tmp_path / "r.html", tmp_path / "n.json"
    done = run("evaluate", test, "--decisions", out, "--json", numbers, "--report", report)
    assert done.exit_code == 0, done.exception
    said = json.loads(numbers.read_text())
    six = precision_recall_f1(count(decided, new.labels))
    assert said["of1"] == pytest.approx(six["of1"])
    assert (said["per_class"][0]["threshold"] is None) == (thresholds is None or np.isinf(thresholds[0]))
    assert report.stat().st_size > 10_000


def test_every_rule_is_tried_here():
    assert {rule.partition("=")[0] for rule in RULES} == set(decisions.names()) - set(decisions.CALIBRATORS)


def test_intervals_and_what_is_never_decided_survive_the_file(files):
    val, test, out = files
    assert run("tune", val, "--rule", "precision=1", "--smoothing", "1000000", "--out", out).exit_code == 0
    content = json.loads(out.read_text())
    assert content["decision"]["smoothing"] == 1e6
    assert content["thresholds"] == [None] * 4  # no probability is 1
    found = decide(out, load(test))
    assert not found.decisions.any()
    assert (found.file.scores < found.shown["thresholds"]).all()  # where a report can draw them
    assert run("tune", val, "--out", out).exit_code == 0
    content = json.loads(out.read_text())
    for cut, (low, high) in zip(content["thresholds"], content["intervals"]):
        assert low <= cut <= high or abs(cut - low) < 0.1
    assert "never" not in run("tune", val, "--out", out).stdout


def test_a_calibration_needs_no_other_classes(files):
    val, test, out = files
    assert run("tune", val, "--calibrate", "isotonic", "--out", out).exit_code == 0
    content, fitted = json.loads(out.read_text()), load(val)
    own = decisions.from_dict(content["calibration"])(fitted.scores).astype(np.float32)
    assert content["thresholds"] == parse("f1").fit(own, fitted.labels).thresholds.tolist()  # of the probabilities
    whole = load(test)
    fewer = ScoreFile(whole.ids, whole.names[1:3], whole.scores[:, 1:3], whole.kind)
    found, expected = decide(out, fewer), decide(out, whole)
    np.testing.assert_array_equal(found.decisions, expected.decisions[:, 1:3])
    np.testing.assert_array_equal(found.file.scores, expected.file.scores[:, 1:3])


@pytest.mark.parametrize("rule", ["f1", "top_k=1"])
def test_decisions_of_another_kind_of_scores_are_refused(files, rule):
    val, test, out = files
    assert run("tune", val, "--rule", rule, "--out", out).exit_code == 0
    file = load(test)
    logits = ScoreFile(file.ids, file.names, np.log(file.scores / (1 - file.scores)), "logit")
    with pytest.raises(ManylabelError, match="for scores of kind 'probability', and these scores are 'logit'"):
        decide(out, logits)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rule", "f3"], "there is no decision rule 'f3'"),
        (["--rule", "platt"], "gives probabilities, not decisions"),
        (["--rule", "precision=high"], "wanted is a number, got 'high'"),
        (["--rule", "top_k=2:3"], "'top_k' takes K, got 2 values"),
        (["--rule", "fixed"], "'fixed' needs a value, such as fixed=0.5"),
        (["--rule", "recall=2"], "wanted recall"),
        (["--rule", "top_k=2", "--smoothing", "5"], "which 'top_k' is not"),
    ],
)
def test_wrong_requests_are_explained(files, words, message):
    done = run("tune", files[0], *words, "--out", files[2])
    assert isinstance(done.exception, ManylabelError)
    assert message in str(done.exception)
    assert not files[2].exists()


def test_decisions_over_all_classes_together_need_them_all(files, tmp_path):
    val, test, out = files
    run("tune", val, "--rule", "top_k=1", "--out", out)
    file = load(test)
    fewer = ScoreFile(file.ids, file.names[:2], file.scores[:, :2], file.kind)
    with pytest.raises(ManylabelError, match="these scores lack dog, fox"):
        decide(out, fewer)
    out.write_text('{"names": ["cat"], "thresholds": [0.5, 0.6]}')
    with pytest.raises(ManylabelError, match="equal length"):
        decide(out, file)
