"""What is done otherwise for the sake of large tables gives the same as the plain way."""

import numpy as np
import pytest

from manylabel.decisions import _logistic, _per_class, platt
from manylabel.decisions._cuts import cuts
from manylabel.decisions.beta import Beta
from manylabel.decisions.f1 import F1
from manylabel.decisions.platt import Platt
from manylabel.decisions.precision import Precision

ONE = np.float32(1)
COLUMNS = {
    "ties": np.round(np.random.default_rng(0).normal(size=300), 1),
    "single precision": np.random.default_rng(1).normal(size=300).astype(np.float32),
    "neighbouring floats": np.array([ONE, np.nextafter(ONE, ONE + 1), np.nextafter(ONE, ONE - 1), ONE], np.float32),
    "neighbouring doubles": np.array([1.0, np.nextafter(1.0, 2), np.nextafter(1.0, 0), np.nextafter(0.0, 1), 0.0]),
    "one cell": np.array([0.25]),
    "both zeros": np.array([0.0, -0.0, 1.0, -0.0, -1.0, 0.0]),
}


@pytest.mark.parametrize("scores", COLUMNS.values(), ids=COLUMNS)
def test_sorting_scores_gives_the_cuts_of_ranking_cells(scores):
    rng = np.random.default_rng(2)
    for share in (0.0, 0.3, 1.0):
        present = rng.random(len(scores)) < share
        ours, plain = cuts(scores, present), cuts(scores, present.astype(np.float64))
        for one in ("values", "true", "predicted", "false", "positives", "total", "thresholds"):
            np.testing.assert_array_equal(getattr(ours, one), getattr(plain, one))
        assert ours.true.dtype == ours.thresholds.dtype == np.float64
        for threshold, predicted in zip(ours.thresholds, ours.predicted):
            assert (scores >= threshold).sum() == predicted


def test_cuts_by_hand():
    table = cuts(np.array([1.0, 3.0, 1.0, 2.0]), np.array([True, True, False, False]))
    assert table.values.tolist() == [3, 2, 1]
    assert (table.true.tolist(), table.predicted.tolist()) == ([1, 1, 2], [1, 2, 4])
    assert (table.positives, table.total) == (2, 4)
    assert table.thresholds.tolist() == [2.5, 1.5, 1.0]
    np.testing.assert_array_equal(table.threshold(np.array([[2], [0]])), [[1.0], [2.5]])


def problem(images=90, classes=5):
    rng = np.random.default_rng(3)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=[0.6, 0.1, 0.3])
    labels[:, 2], labels[:, 3] = 0, np.minimum(labels[:, 3], 0)  # nothing known, and no positive: pooled
    return (rng.normal(size=labels.shape) + labels).astype(np.float32), labels


@pytest.mark.parametrize("rule", [F1(), F1(smoothing=3.0), Precision(0.7)], ids=["f1", "smoothed", "precision"])
def test_columns_are_picked_in_blocks(rule, monkeypatch):
    scores, labels = problem()
    whole = rule.fit(scores, labels).thresholds.copy()
    monkeypatch.setattr(_per_class, "BLOCK", 2)
    np.testing.assert_array_equal(rule.fit(scores, labels).thresholds, whole)
    for c in (0, 4):
        known = labels[:, c] != 0
        alone = type(rule)(**{name: getattr(rule, name) for name in rule.parameters})
        if not rule.smoothing:  # which leans on the other classes
            assert whole[c] == alone.fit(scores[known][:, [c]], labels[known][:, [c]]).thresholds[0]


def test_likelihoods_are_summed_in_parts(monkeypatch):
    scores, labels = problem()
    one, other = Platt().fit(scores, labels), Beta().fit(scores, labels)
    monkeypatch.setattr(platt, "CELLS", 35)  # seven rows of five classes, 35 of one
    monkeypatch.setattr(_logistic, "ROWS", 7)
    np.testing.assert_allclose(Platt().fit(scores, labels).temperatures, one.temperatures, rtol=1e-9)
    np.testing.assert_allclose(Platt().fit(scores, labels).biases, one.biases, rtol=1e-9)
    np.testing.assert_allclose(Beta().fit(scores, labels).weights, other.weights, rtol=1e-6, atol=1e-9)


def test_scores_are_left_as_they_were():
    scores, labels = problem()
    before = scores.copy()
    for rule in (Platt(), Beta(), F1()):
        rule.fit(scores.astype(np.float64), labels)
        rule.fit(scores, labels)
        np.testing.assert_array_equal(scores, before)
