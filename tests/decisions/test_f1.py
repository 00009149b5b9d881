"""F1 thresholds against trying every threshold with scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from manylabel.decisions.f1 import F1
from manylabel.labels import ManylabelError


def best_threshold(scores, present):
    labels = np.where(present, 1, -1).astype(np.int8)
    return F1().fit(scores[:, None], labels[:, None]).thresholds[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.sampled_from([2, 4, 1000]))
def test_no_threshold_is_better(seed, images, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, images).astype(np.float32) / 7
    present = rng.random(images) < 0.4
    present[rng.integers(images)] = True
    threshold = best_threshold(scores, present)
    best = max(f1_score(present, scores >= cut, zero_division=0) for cut in scores)
    assert f1_score(present, scores >= threshold) == pytest.approx(best, abs=1e-12)


def test_lies_midway_and_the_highest_of_equals_wins():
    assert best_threshold(np.array([4.0, 3, 1, 0]), np.array([True, True, False, False])) == 2
    # Cuts after 1 and after 4 both give F1 2/3.
    assert best_threshold(np.array([5.0, 4, 3, 2, 1]), np.array([True, False, False, True, False])) == 4.5


def test_ties_stay_together():
    scores, present = np.array([2.0, 1, 1, 1, 0]), np.array([True, True, False, False, False])
    assert best_threshold(scores, present) == 1.5  # alone: 2/3; with all three tied: 4/6 too, but lower


def test_all_present_is_predicted_at_the_lowest_score():
    assert best_threshold(np.array([3.0, 1, 2]), np.array([True, True, True])) == 1


def test_neighbouring_floats_are_still_separated():
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = best_threshold(np.array([high, low]), np.array([True, False]))
    assert low < threshold <= high


def test_unknown_cells_are_left_out_and_a_class_without_positives_takes_the_pooled_threshold():
    scores = np.array([[0.9, 0.9, 0.8], [0.7, 0.2, 0.3], [0.5, 0.1, 0.1], [0.1, 0.6, 0.0]])
    labels = np.array([[0, 1, -1], [1, -1, -1], [-1, -1, 0], [-1, 0, 0]], np.int8)
    rule = F1().fit(scores, labels)
    assert rule.pooled.tolist() == [False, False, True]
    assert rule.thresholds[:2] == pytest.approx([0.6, 0.55])
    # Pooled, best first: .9+ .8- .7+ .5- .3- .2- ...: F1 2/3, 1/2, 4/5.
    assert rule.thresholds[2] == pytest.approx(0.6)
    blind = np.where(labels == 0, 99.0, scores)
    np.testing.assert_array_equal(F1().fit(blind, labels).thresholds, rule.thresholds)


def test_without_any_positive_it_says_what_to_do():
    with pytest.raises(ManylabelError, match="at least one known positive"):
        F1().fit(np.zeros((2, 1)), np.array([[-1], [0]], np.int8))
