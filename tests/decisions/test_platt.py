"""Calibration against scikit-learn's logistic regression, its own optimum and its limits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from manylabel.decisions.platt import Platt, newton, sigmoid
from manylabel.labels import ManylabelError


def sample(rng, images, slopes, offsets):
    logits = rng.normal(size=(images, len(slopes)))
    truth = rng.random(logits.shape) < sigmoid(logits * slopes + offsets)
    return logits, np.where(truth, 1, -1).astype(np.int8)


def test_equals_logistic_regression_without_shrinkage():
    logits, labels = sample(np.random.default_rng(0), 500, [2.0, 0.5], [-1.0, 1.0])
    labels[::5] = 0
    rule = Platt(shrinkage=1e-9).fit(logits, labels)
    for c in range(2):
        known = labels[:, c] != 0
        peer = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[known, c : c + 1], labels[known, c] == 1)
        assert 1 / rule.temperatures[c] == pytest.approx(peer.coef_[0, 0], rel=1e-4)
        assert rule.biases[c] == pytest.approx(peer.intercept_[0], rel=1e-4)


def test_is_the_minimum_of_the_stated_objective():
    logits, labels = sample(np.random.default_rng(1), 60, [3.0, 1.0, -2.0], [-2.0, 0.0, 0.0])
    labels[:20, 1] = 0

    def objective(d, e, c):
        known = labels[:, c] != 0
        margins = labels[known, c] * (np.exp(d) * logits[known, c] + e)
        return np.log1p(np.exp(-margins)).sum() + 5.0 / 2 * (d**2 + e**2)

    d, e = newton(logits, labels == 1, labels == -1, 5.0)
    for c in range(3):
        here = objective(d[c], e[c], c)
        for step_d, step_e in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, 1e-3), (-1e-3, 1e-3)):
            assert objective(d[c] + step_d, e[c] + step_e, c) > here


def test_rare_classes_stay_near_the_pooled_fit():
    rng = np.random.default_rng(2)
    logits, labels = sample(rng, 2000, [1.0] * 6, [0.0] * 6)
    labels[:, 4] = -1
    labels[rng.choice(2000, 2, replace=False), 4] = 1  # two positives, at scores that say nothing
    labels[:, 5] = 0  # nothing known
    rule = Platt().fit(logits, labels)
    free = Platt(shrinkage=1e-6).fit(logits, labels)
    assert rule.pooled.tolist() == [False] * 5 + [True]
    pooled = rule.biases[5]
    assert abs(rule.biases[4] - pooled) < abs(free.biases[4] - pooled)
    assert np.abs(rule.biases[:4] - free.biases[:4]).max() < 0.01
    half = Platt(shrinkage=1e9).fit(logits, labels)
    np.testing.assert_allclose(half.biases, pooled, atol=1e-4)


@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0.0), (1.0, 50.0), (1e4, -1e4)])
def test_any_scale_of_scores_gives_the_same_probabilities(scale, shift):
    logits, labels = sample(np.random.default_rng(3), 400, [1.0, 2.0], [-2.0, 1.0])
    expected = Platt().fit(logits, labels)(logits)
    np.testing.assert_allclose(Platt().fit(scale * logits + shift, labels)(scale * logits + shift), expected, atol=1e-5)


def test_order_is_kept_even_where_scores_mislead_or_separate():
    rng = np.random.default_rng(4)
    logits, labels = sample(rng, 300, [-3.0, 200.0], [0.0, 0.0])
    rule = Platt().fit(logits, labels)
    assert (rule.temperatures > 0).all()
    assert np.isfinite(rule.temperatures).all()
    assert (np.diff(rule(np.sort(logits, axis=0)), axis=0) >= 0).all()


def test_it_calibrates():
    rng = np.random.default_rng(5)
    logits, labels = sample(rng, 20_000, [0.5, 0.5, 0.5], [-3.0, 0.0, 2.0])
    probabilities = Platt().fit(logits[::2], labels[::2])(logits[1::2])
    np.testing.assert_allclose(probabilities.mean(axis=0), (labels[1::2] == 1).mean(axis=0), atol=0.01)


def test_what_it_cannot_fit_is_said():
    for label in (-1, 0, 1):
        with pytest.raises(ManylabelError, match="positive and one known negative"):
            Platt().fit(np.zeros((3, 1)), np.full((3, 1), label, np.int8))
    with pytest.raises(ManylabelError, match="above 0"):
        Platt(shrinkage=0)
    constant = Platt().fit(np.ones((4, 1)), np.array([[1], [-1], [-1], [-1]], np.int8))
    assert np.isfinite(constant(np.ones((4, 1)))).all()


def test_newton_halves_steps_that_make_the_fit_worse():
    """Labels that run against the scores: whole Newton steps end far from the minimum."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=(30, 1)) * 10
    truth = rng.random((30, 1)) < 1 / (1 + np.exp(u / 3))
    d, e = newton(u, truth, ~truth, 0.01)
    p = sigmoid(np.exp(d) * u + e)
    slope = ((p - truth) * np.exp(d) * u).sum() + 0.01 * d, (p - truth).sum() + 0.01 * e
    np.testing.assert_allclose(slope, 0, atol=1e-6)
