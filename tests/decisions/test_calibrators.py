"""Calibrators against scikit-learn, their own laws, and data that is miscalibrated by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from manylabel import decisions
from manylabel.decisions.beta import Beta
from manylabel.decisions.isotonic import Isotonic
from manylabel.decisions.platt import Platt, sigmoid
from manylabel.decisions.temperature import Temperature
from manylabel.labels import ManylabelError
from manylabel.metrics import average_precision, brier_score, calibration_error

RULES = ["temperature", "beta", "isotonic", "platt"]


def drawn(images, seed, prevalence=(0.4, 0.1, 0.01)):
    """True logits and labels drawn from them; the last class is rare."""
    rng = np.random.default_rng(seed)
    centre = np.log(np.array(prevalence) / (1 - np.array(prevalence)))
    logits = centre + 1.5 * rng.normal(size=(images, len(prevalence)))
    return logits, np.where(rng.random(logits.shape) < sigmoid(logits), 1, -1).astype(np.int8)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.sampled_from([3, 1000]))
def test_the_isotonic_curve_is_scikit_learns(seed, images, levels):
    rng = np.random.default_rng(seed)
    scores, labels = (
        rng.integers(0, levels, (images, 1)).astype(float),
        rng.choice(np.array([-1, 1], np.int8), (images, 1)),
    )
    labels[0], labels[1] = -1, 1
    new = rng.uniform(-5, levels + 5, (40, 1))
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores[:, 0], labels[:, 0] == 1)
    ours = Isotonic(shrinkage=0).fit(scores, labels)(new)[:, 0]
    np.testing.assert_allclose(ours, theirs.predict(new[:, 0]), atol=1e-12)


def test_beta_is_scikit_learns_logistic_regression_on_its_features():
    logits, labels = drawn(3000, 0)
    rule = Beta(shrinkage=1e-9).fit(logits, labels)
    for c in range(3):
        p = sigmoid(logits[:, c])
        theirs = LogisticRegression(C=1e9, tol=1e-10, max_iter=5000).fit(
            np.stack([np.log(p), -np.log(1 - p)], axis=1), labels[:, c] == 1
        )
        if (theirs.coef_ > 0).all():
            np.testing.assert_allclose(rule.weights[c], [*theirs.coef_[0], theirs.intercept_[0]], atol=2e-3)
    assert (rule.weights[:, :2] >= 0).all()


def test_temperatures_are_found():
    logits, labels = drawn(20_000, 1)
    np.testing.assert_allclose(Temperature().fit(logits * [0.5, 2, 4], labels).temperatures, [0.5, 2, 4], rtol=0.1)


@pytest.mark.parametrize("name", RULES)
class TestEveryCalibrator:
    def test_mends_what_is_wrong(self, name):
        logits, labels = drawn(4000, 2)
        new, truth = drawn(20_000, 3)
        raw = sigmoid(3 * new)
        mended = decisions.load(name)().fit(3 * logits, labels)(3 * new)
        assert (calibration_error(mended, truth) < 0.4 * calibration_error(raw, truth)).all()
        assert (brier_score(mended, truth) < brier_score(raw, truth)).all()

    def test_keeps_the_order_of_images(self, name):
        logits, labels = drawn(2000, 4)
        probabilities = decisions.load(name)().fit(logits, labels)(logits)
        for c in range(3):
            order = np.argsort(logits[:, c])
            assert (np.diff(probabilities[order, c]) >= -1e-15).all()
        lost = 0.02 if name == "isotonic" else 1e-12
        assert (average_precision(probabilities, labels) >= average_precision(logits, labels) - lost).all()
        assert probabilities.min() >= 0
        assert probabilities.max() <= 1

    def test_a_class_never_seen_takes_the_fit_of_all(self, name):
        logits, labels = drawn(500, 5)
        labels[:, 2] = 0
        probabilities = decisions.load(name)().fit(logits, labels)(np.tile(logits[:, :1], (1, 3)))
        assert np.isfinite(probabilities).all()
        assert (probabilities[:, 2] != probabilities[:, 0]).any()

    @pytest.mark.parametrize("kind", [-1, 1])
    def test_a_class_of_one_kind_only_takes_the_fit_of_all(self, name, kind):
        logits, labels = drawn(500, 5)
        labels[:, 2] = np.where(np.arange(500) % 3 == 0, kind, 0)
        logits, labels = np.hstack([logits, logits[:, 2:]]), np.hstack([labels, np.zeros((500, 1), np.int8)])
        rule = decisions.load(name)().fit(logits, labels)
        np.testing.assert_array_equal(rule(logits)[:, 2], rule(logits)[:, 3])  # of the last nothing is known
        pooled = rule.shares == 0 if name == "isotonic" else rule.pooled
        assert pooled.tolist() == [False, False, True, True]

    def test_unknown_cells_change_nothing(self, name):
        logits, labels = drawn(300, 6)
        more = np.vstack([logits, np.full((50, 3), 9.0)]), np.vstack([labels, np.zeros((50, 3), np.int8)])
        one, other = decisions.load(name)().fit(logits, labels), decisions.load(name)().fit(*more)
        np.testing.assert_allclose(one(logits), other(logits), atol=1e-9)

    def test_separable_classes_stay_finite(self, name):
        scores = np.linspace(-5, 5, 40)[:, None]
        probabilities = decisions.load(name)().fit(scores, np.where(scores > 0, 1, -1).astype(np.int8))(scores)
        assert np.isfinite(probabilities).all()
        assert probabilities[0] < 0.2
        assert probabilities[-1] > 0.8

    def test_needs_both_kinds(self, name):
        with pytest.raises(ManylabelError, match="one known positive and one known negative"):
            decisions.load(name)().fit(np.zeros((2, 1)), np.ones((2, 1), np.int8))


def test_an_isotonic_curve_is_eased_by_platt_in_proportion_to_positives():
    logits, labels = drawn(300, 7)
    curve, platt = Isotonic(shrinkage=0).fit(logits, labels)(logits), Platt().fit(logits, labels)(logits)
    number = (labels == 1).sum(axis=0)
    expected = (number * curve + 20 * platt) / (number + 20)
    np.testing.assert_allclose(Isotonic().fit(logits, labels)(logits), expected, atol=1e-12)


@pytest.mark.parametrize("rule", [Temperature, Beta, Isotonic])
def test_rare_classes_lean_on_all(rule):
    """On new images the shrunken fit of a class with a handful of positives is nearer to the truth than its own."""
    new, truth = drawn(20_000, 0, (0.3, 0.3, 0.3, 0.01))
    gains = []
    for seed in range(1, 9):
        logits, labels = drawn(300, seed, (0.3, 0.3, 0.3, 0.01))
        labels[0, 3] = 1
        own, eased = (rule(shrinkage).fit(2 * logits, labels)(2 * new) for shrinkage in (1e-6, rule().shrinkage))
        gains.append((brier_score(own, truth) - brier_score(eased, truth))[3])
    assert np.mean(gains) > 0


def test_wrong_shrinkage_is_refused():
    for rule, bad in ((Temperature, 0.0), (Beta, -1.0), (Isotonic, -1.0), (Platt, 0.0)):
        with pytest.raises(ManylabelError, match="shrinkage"):
            rule(bad)
