"""Cell and image scores by hand and by their laws, confident learning on planted errors, contradictions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from manylabel.audits.confident import confident_learning
from manylabel.audits.cooccurrence import cooccurrence_violations, hierarchy_violations, implied_pairs
from manylabel.audits.quality import POOLINGS, ema, image_quality, self_confidence, softmin
from manylabel.labels import ManylabelError


def planted(images=600, classes=6, share=0.1, seed=0):
    """Labels with one cell wrong in `share` of the images, and honest probabilities of the true ones."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random((images, classes)) < 0.3, 1, -1).astype(np.int8)
    p = 1 / (1 + np.exp(-(2.5 * truth + rng.normal(size=truth.shape))))
    labels = truth.copy()
    rows = rng.choice(images, int(share * images), replace=False)
    columns = rng.integers(0, classes, len(rows))
    labels[rows, columns] *= -1
    return p, labels, labels != truth


@pytest.mark.parametrize("pooling", POOLINGS)
class TestPooling:
    def test_by_hand(self, pooling):
        cells = np.array([[0.1, 0.2, 0.3], [np.nan, 0.4, np.nan], [np.nan] * 3])
        weights = np.exp((1 - cells[0]) / 0.1)
        expected = {
            "min": 0.1, "mean": 0.2, "softmin": (weights * cells[0]).sum() / weights.sum(),
            "ema": 0.8 * 0.1 + 0.2 * (0.8 * 0.2 + 0.2 * 0.3),
        }  # fmt: skip
        np.testing.assert_allclose(image_quality(cells, pooling), [expected[pooling], 0.4, np.nan])

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_laws(self, pooling, seed):
        rng = np.random.default_rng(seed)
        cells = rng.random((20, 5))
        cells[rng.random(cells.shape) < 0.2] = np.nan
        pooled = image_quality(cells, pooling)
        some = ~np.isnan(cells).all(axis=1)
        assert np.isnan(pooled[~some]).all()
        assert (pooled[some] >= np.nanmin(cells[some], axis=1) - 1e-12).all()
        assert (pooled[some] <= np.nanmax(cells[some], axis=1) + 1e-12).all()
        order = rng.permutation(5)
        np.testing.assert_allclose(image_quality(cells[:, order], pooling), pooled)
        np.testing.assert_allclose(image_quality(np.hstack([cells, np.full((20, 2), np.nan)]), pooling), pooled)
        assert image_quality(np.ones((1, 4)), pooling) == pytest.approx(1)

    def test_finds_planted_errors(self, pooling):
        p, labels, wrong = planted()
        auroc = roc_auc_score(wrong.any(axis=1), -image_quality(self_confidence(p, labels), pooling))
        assert auroc > {"min": 0.93, "softmin": 0.93, "ema": 0.93, "mean": 0.8}[pooling]


def test_the_ends_of_the_moving_average():
    cells = np.random.default_rng(0).random((5, 4))
    np.testing.assert_allclose(ema(cells, 1.0), cells.min(axis=1))
    np.testing.assert_allclose(ema(cells, 0.0), cells.max(axis=1))
    np.testing.assert_allclose(softmin(cells, 1e-4), cells.min(axis=1))
    np.testing.assert_allclose(softmin(cells, 1e6), cells.mean(axis=1), rtol=1e-5)


def test_what_is_not_a_probability_or_a_pooling_is_refused():
    with pytest.raises(ManylabelError, match="calibrate"):
        self_confidence(np.array([[3.0]]), np.array([[1]], np.int8))
    with pytest.raises(ManylabelError, match="'softmin'"):
        image_quality(np.zeros((1, 1)), "sofmin")


class TestConfidentLearning:
    def test_finds_planted_errors_and_their_number(self):
        p, labels, wrong = planted(3000, share=0.3)
        found = confident_learning(p, labels)
        assert (found.wrong & wrong).sum() > 0.85 * wrong.sum()
        assert (found.wrong & ~wrong).sum() < 0.15 * wrong.sum()
        np.testing.assert_allclose(found.joint.sum(axis=(1, 2)), 3000)
        true_rates = [[wrong[labels == s].mean() for s in (-1, 1)]] * 6
        np.testing.assert_allclose(found.noise_rates.mean(axis=0), true_rates[0], atol=0.03)

    def test_perfect_and_confident_labels_are_left_alone(self):
        labels = np.where(np.random.default_rng(0).random((50, 3)) < 0.4, 1, -1).astype(np.int8)
        assert not confident_learning(np.where(labels == 1, 1.0, 0.0), labels).wrong.any()

    def test_unknown_cells_are_neither_counted_nor_marked(self):
        p, labels, _ = planted(200)
        more = np.vstack([labels, np.zeros((20, 6), np.int8)])
        found = confident_learning(np.vstack([p, np.ones((20, 6))]), more)
        one = confident_learning(p, labels)
        np.testing.assert_array_equal(found.wrong[:200], one.wrong)
        assert not found.wrong[200:].any()
        np.testing.assert_allclose(found.joint, one.joint)

    @pytest.mark.parametrize("p", [0.1, 0.2, 0.3, 0.45])
    def test_a_model_that_says_one_thing_of_all_reaches_its_own_mean(self, p):
        """Whatever way the mean is rounded: all labels given as present then count as absent, but for one."""
        for number in range(2, 40):
            labels = np.array([[1], [-1]] * number, np.int8)
            joint = confident_learning(np.full(labels.shape, p), labels).joint[0]
            expected = number**2 / (number + 1)
            np.testing.assert_allclose(joint, [[number, 0], [expected, number - expected]])

    def test_classes_do_not_touch_each_other(self):
        p, labels, _ = planted(300)
        order = [3, 1, 5, 0, 2, 4]
        np.testing.assert_array_equal(
            confident_learning(p[:, order], labels[:, order]).wrong, confident_learning(p, labels).wrong[:, order]
        )
        np.testing.assert_array_equal(
            confident_learning(p[:, :1], labels[:, :1]).wrong[:, 0], confident_learning(p, labels).wrong[:, 0]
        )

    def test_one_kind_only_and_nothing_known(self):
        one = confident_learning(np.array([[0.9], [0.2]]), np.array([[1], [1]], np.int8))
        assert not one.wrong.any()
        assert np.isnan(one.noise_rates[0, 0])
        with pytest.raises(ManylabelError, match="no known label"):
            confident_learning(np.zeros((1, 1)), np.zeros((1, 1), np.int8))


class TestContradictions:
    def test_a_constant_companion_that_is_absent(self):
        labels = np.full((200, 3), -1, np.int8)
        labels[:80, 0] = labels[:80, 1] = 1  # a wheel comes with a car
        labels[7, 1] = -1  # but here
        labels[80:120, 1] = 1  # and a car without a visible wheel is nothing strange
        labels[100:103, 2] = labels[100:103, 0] = 1  # three together are no rule
        labels[9, 1] = 0  # and what nobody judged breaks none
        (violation,) = [v for v in cooccurrence_violations(labels) if v.image < 80]
        assert (violation.image, violation.present, violation.absent, violation.images) == (7, 0, 1, 82)
        assert not [pair for pair in implied_pairs(labels) if pair[0] == 2]
        assert not [pair for pair in implied_pairs(labels) if pair[:2] == (1, 0)]

    def test_the_surest_rule_comes_first_then_the_first_image(self):
        labels = np.full((400, 4), -1, np.int8)
        labels[:60, :2] = 1
        labels[100:300, 2:] = 1
        labels[[40, 7], 1] = labels[[250, 120], 3] = -1
        found = [(v.image, v.present, v.absent) for v in cooccurrence_violations(labels, least=0.8)]
        assert found == [(120, 2, 3), (250, 2, 3), (7, 0, 1), (40, 0, 1)]

    def test_a_child_without_its_ancestor(self):
        labels = np.array([[-1, 0, 1], [0, 0, 1], [1, -1, 1], [1, 1, -1]], np.int8)
        found = {(v.image, v.present, v.absent) for v in hierarchy_violations(labels, [[], [0], [1]])}
        assert found == {(0, 2, 0), (2, 2, 1)}
