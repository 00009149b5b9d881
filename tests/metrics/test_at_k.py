"""Metrics at k against recorded napkinXC, scikit-learn, all orders of ties, and by hand."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from manylabel.labels import ManylabelError
from manylabel.metrics.at_k import Top, global_average_precision, inverse_propensities, top


def random_problem(images, classes, levels, seed, unknown=0.2):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (images, classes)).astype(np.float64)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=[0.7 - unknown, unknown, 0.3])
    return scores, labels


def test_equals_recorded_napkinxc(golden):
    recorded = golden("napkinxc_at_k")
    labels = np.where(recorded["labels"], 1, -1).astype(np.int8)
    weights = inverse_propensities(recorded["train_counts"], int(recorded["train_images"]))
    np.testing.assert_allclose(weights, recorded["inverse_propensity"], rtol=1e-12)
    found = top(recorded["scores"], labels, 5, weights=weights)
    assert (~found.judged).sum() == 3
    empty_as_zero = lambda values: np.where(found.judged[:, None], values, 0).mean(axis=0)  # noqa: E731
    np.testing.assert_allclose(found.precision.mean(axis=0), recorded["precision"], atol=1e-12)
    np.testing.assert_allclose(empty_as_zero(found.recall), recorded["recall"], atol=1e-12)
    np.testing.assert_allclose(empty_as_zero(found.ndcg), recorded["ndcg"], atol=1e-12)
    np.testing.assert_allclose(found.ps_precision, recorded["psprecision"], atol=1e-12)
    np.testing.assert_allclose(found.ps_ndcg, recorded["psndcg"], atol=1e-12)


def test_equals_the_recorded_meter(golden):
    recorded = golden("metrics_noties_f64")
    found = top(recorded["logits"], np.where(recorded["targets"] == 1, 1, -1).astype(np.int8), 3)
    np.testing.assert_allclose(found.precision[:, 2], recorded["cole_P@3"], atol=1e-12)
    np.testing.assert_allclose(found.recall[found.judged, 2], recorded["cole_R@3"][found.judged], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 1000]), st.integers(1, 8))
def test_ndcg_equals_scikit_learn_with_its_ties(seed, levels, k):
    scores, labels = random_problem(12, 9, levels, seed)
    found = top(scores, labels, k)
    for row, states, ours in zip(scores, labels, found.ndcg[:, -1]):
        known = states != 0
        if not (states == 1).any():
            assert np.isnan(ours)
        elif known.sum() > 1:
            theirs = ndcg_score([states[known] == 1], [row[known]], k=k)
            assert ours == pytest.approx(theirs, abs=1e-12)


def test_ties_are_the_mean_over_all_their_orders():
    scores, labels = np.array([[2.0, 1, 1, 1, 0]]), np.array([[-1, 1, -1, 1, 1]], np.int8)
    weights = np.array([1, 3, 1, 2, 5])
    ours = top(scores, labels, 3, weights=weights)
    broken = [scores + np.array([0, *(np.array(order) / 10), 0]) for order in permutations(range(3))]
    each = [top(s, labels, 3, weights=weights) for s in broken]
    for name in ("precision", "recall", "r_precision", "ndcg", "gains", "ps_precision", "ps_ndcg"):
        np.testing.assert_allclose(getattr(ours, name), np.mean([getattr(t, name) for t in each], axis=0))


def test_by_hand():
    scores = np.array([[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6]])
    labels = np.array([[0, 1, -1, 1], [-1, -1, -1, -1], [0, 0, 0, 1]], np.int8)
    found = top(scores, labels, 4)
    # the unknown class takes no place: three known classes in the first image, one in the last
    np.testing.assert_allclose(found.precision, [[1, 1 / 2, 2 / 3, 2 / 3], [0, 0, 0, 0], [1, 1, 1, 1]])
    np.testing.assert_allclose(found.recall, [[0.5, 0.5, 1, 1], [np.nan] * 4, [1] * 4])
    np.testing.assert_allclose(found.r_precision, [[1, 0.5, 1, 1], [np.nan] * 4, [1] * 4])
    ideal = 1 + 1 / np.log2(3)
    dcg = np.array([1, 1, 1.5, 1.5])  # places 1 and 3: 1 + 1 / log2(4)
    np.testing.assert_allclose(found.ndcg[0], dcg / [1, ideal, ideal, ideal])
    np.testing.assert_array_equal(found.known, [3, 4, 1])
    weighted = top(scores, labels, 2, weights=[1, 2, 3, 10])
    # first image: the class of weight 2 stands first, that of 10 could have; last image: 10 found at once
    np.testing.assert_allclose(weighted.ps_precision, [(2 + 10) / (10 + 10), (2 + 10) / (12 + 10)])
    second = 1 / np.log2(3)
    np.testing.assert_allclose(weighted.ps_ndcg[1], (2 / ideal + 10) / ((10 + 2 * second) / ideal + 10))


@pytest.mark.parametrize("k", [1, 3, 20])
def test_more_places_than_classes(k):
    found = top(np.array([[0.2, 0.1]]), np.array([[1, -1]], np.int8), k)
    assert found.precision.shape == (1, k)
    np.testing.assert_allclose(found.precision[0, -1], 1 if k == 1 else 0.5)
    np.testing.assert_allclose([found.recall[0, -1], found.ndcg[0, -1], found.r_precision[0, -1]], 1)


def test_blocks_of_rows_change_nothing(monkeypatch):
    scores, labels = random_problem(40, 7, 5, seed=1)
    whole = top(scores, labels, 3, weights=np.arange(1, 8))
    monkeypatch.setattr("manylabel.metrics.blocks.CELLS", 20)
    parts = top(scores, labels, 3, weights=np.arange(1, 8))
    for name in Top.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 1000]))
def test_gap_over_all_classes_is_micro_average_precision(seed, levels):
    scores, labels = random_problem(15, 6, levels, seed)
    known = labels != 0
    ours = global_average_precision(scores, labels, k=6)
    if (labels == 1).any():
        assert ours == pytest.approx(average_precision_score(labels[known] == 1, scores[known]), abs=1e-12)
    else:
        assert np.isnan(ours)


def test_gap_counts_the_positives_it_did_not_find():
    scores = np.array([[0.9, 0.2, 0.8], [0.7, 0.6, 0.95]])
    labels = np.array([[1, 1, -1], [-1, 1, 0]], np.int8)
    # one class an image: 0.9 (right) and 0.7 (wrong; 0.95 is not known); three positives in all
    assert global_average_precision(scores, labels, k=1) == pytest.approx(1 / 3)
    # two: 0.9 right, 0.8 wrong, 0.7 wrong, 0.6 right at the fourth place
    assert global_average_precision(scores, labels, k=2) == pytest.approx((1 + 2 / 4) / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, y: top(s, y, 0), "k must be at least 1"),
        (lambda s, y: top(s, y, 1, weights=[1.0]), "one a class"),
        (lambda s, y: global_average_precision(s, y, 0), "k must be at least 1"),
        (lambda s, y: inverse_propensities([1], 2), "3 training images"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ManylabelError, match=message):
        call(np.zeros((1, 2)), np.ones((1, 2), np.int8))
