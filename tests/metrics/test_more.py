"""The catalogue of further metrics: each equals its oracle, is NaN where nothing is known, and says what it is."""

import numpy as np
import pytest
from sklearn import metrics as sk

from manylabel.labels import ManylabelError
from manylabel.metrics.judged import Judged
from manylabel.metrics.more import METRICS, find, number


def signed(targets):
    return np.where(targets == 1, 1, -1).astype(np.int8)


@pytest.fixture
def judged():
    """No unknown cell, a positive and a negative in every row and column: where all definitions agree."""
    rng = np.random.default_rng(0)
    labels = signed(rng.random((90, 7)) < 0.3)
    labels[:, 0], labels[:, 1] = signed(np.arange(90) % 2), signed(np.arange(90) % 2 == 0)
    scores = rng.normal(size=labels.shape) + labels
    probabilities = 1 / (1 + np.exp(-scores))
    return Judged(scores, labels, scores > 0.2, probabilities, labels.clip(0).sum(0), 90)


def test_keys_are_unique_and_everything_is_said():
    assert len({metric.key for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.meaning.endswith(".")
        assert metric.source
        assert metric.per in ("", "class", "image")
    with pytest.raises(ManylabelError, match="'ndcg@5'"):
        find("ndcg@6")


def test_equal_scikit_learn(judged):
    truth, scores, decided = judged.labels == 1, judged.scores, judged.decisions
    theirs = {
        "map_micro": sk.average_precision_score(truth, scores, average="micro"),
        "map_weighted": sk.average_precision_score(truth, scores, average="weighted"),
        "auroc": sk.roc_auc_score(truth, scores, average="macro"),
        "auroc_micro": sk.roc_auc_score(truth, scores, average="micro"),
        "lrap": sk.average_precision_score(truth, scores, average="samples"),
        "coverage_error": sk.coverage_error(truth, scores),
        "ranking_loss": sk.label_ranking_loss(truth, scores),
        "one_error": 1 - truth[np.arange(90), scores.argmax(1)].mean(),
        "ndcg@5": sk.ndcg_score(truth, scores, k=5),
        "f1_macro": sk.f1_score(truth, decided, average="macro"),
        "f1_samples": sk.f1_score(truth, decided, average="samples"),
        "f2_macro": sk.fbeta_score(truth, decided, beta=2, average="macro"),
        "jaccard_macro": sk.jaccard_score(truth, decided, average="macro"),
        "jaccard_micro": sk.jaccard_score(truth, decided, average="micro"),
        "jaccard_samples": sk.jaccard_score(truth, decided, average="samples"),
        "hamming_loss": sk.hamming_loss(truth, decided),
        "subset_accuracy": sk.accuracy_score(truth, decided),
        "brier": np.mean((judged.probabilities - truth) ** 2),
    }
    for key, value in theirs.items():
        assert number(find(key).value(judged)) == pytest.approx(value, abs=1e-12), key


def test_every_metric_has_a_number_and_better_scores_a_better_one(judged):
    better = Judged(
        judged.scores + 2 * judged.labels, judged.labels, judged.decisions | (judged.labels == 1),
        np.where(judged.labels == 1, 0.9, 0.1), judged.train_counts, 90,
    )  # fmt: skip
    for metric in METRICS:
        one, other = number(metric.value(judged)), number(metric.value(better))
        assert np.isfinite([one, other]).all(), metric.key
        assert (other >= one) if metric.higher else (other <= one), metric.key
        assert other != one or metric.key == "cp_top3", metric.key


@pytest.mark.parametrize("file", ["metrics_noties_f64"])
def test_top_three_equals_the_recorded_meter(golden, file):
    recorded = golden(file)
    judged = Judged(recorded["logits"], signed(recorded["targets"]))
    ours = [number(find(f"{key}_top3").value(judged)) for key in ("op", "or", "of1")]
    np.testing.assert_allclose(ours, recorded["addgcn_top3"][:3], atol=1e-12)
    meter_cp = recorded["addgcn_top3"][3]  # divided by all 20 classes, one of which has no positive
    assert number(find("cp_top3").value(judged)) == pytest.approx(meter_cp * 20 / 19, abs=1e-12)


def test_what_is_missing_is_undefined_not_guessed(judged):
    bare = Judged(judged.scores, judged.labels)
    undefined = {metric.key for metric in METRICS if np.isnan(number(metric.value(bare)))}
    assert undefined == {
        "psp@1", "psp@3", "psp@5", "psndcg@1", "psndcg@3", "psndcg@5", "f1_macro", "f1_samples", "f2_macro",
        "jaccard_macro", "jaccard_micro", "jaccard_samples", "hamming_loss", "subset_accuracy", "brier", "ece",
        "ece_adaptive",
    }  # fmt: skip


def test_nothing_known_is_nan_without_a_warning(judged):
    nothing = np.zeros_like(judged.labels)
    empty = Judged(judged.scores, nothing, judged.decisions, judged.probabilities, judged.train_counts, 90)
    for metric in METRICS:
        assert np.isnan(number(metric.value(empty))), metric.key


def test_unknown_cells_take_no_part(judged):
    """Columns and rows nobody judged, with the highest scores and decided present, change nothing."""
    rng = np.random.default_rng(1)

    def padded(values, fill):
        wide = np.hstack([values, np.full((90, 2), fill)])
        return np.vstack([wide, np.full((3, 9), fill)])

    labels = padded(judged.labels, 0).astype(np.int8)
    counts = np.append(judged.train_counts, [5, 5])
    more = Judged(
        padded(judged.scores, 99.0),
        labels,
        padded(judged.decisions, True),
        padded(judged.probabilities, 1.0),
        counts,
        90,
    )
    order = rng.permutation(len(labels))
    shuffled = Judged(*(a[order] for a in (more.scores, labels, more.decisions, more.probabilities)), counts, 90)
    for metric in METRICS:
        expected = number(metric.value(judged))
        assert number(metric.value(shuffled)) == pytest.approx(expected, abs=1e-12), metric.key
