"""Resampling by weights equals resampling the images, and the interval is the one it says it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from manylabel.metrics import average_precision, count, precision_recall_f1, resamples, weighted_average_precision
from manylabel.metrics.bootstrap import RUN, WHOLE, Weighed, basic_interval, weighted_counts


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([3, 1000]))
def test_weights_equal_repeated_rows(seed, images, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (images, 4)).astype(np.float32)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, 4))
    decisions = rng.random((images, 4)) < 0.5
    weights = next(resamples(images, 3, seed))
    ap = weighted_average_precision(scores, labels, weights)
    counted = precision_recall_f1(weighted_counts(decisions, labels, weights))
    for r in range(3):
        rows = np.repeat(np.arange(images), weights[r].astype(int))
        np.testing.assert_allclose(ap[r], average_precision(scores[rows], labels[rows]), atol=1e-12)
        for key, value in precision_recall_f1(count(decisions[rows], labels[rows])).items():
            np.testing.assert_allclose(counted[key][r], value, atol=1e-12)


def test_weighted_ap_equals_scikit_learn():
    rng = np.random.default_rng(5)
    scores = rng.random((200, 3)).round(1)
    labels = np.where(rng.random((200, 3)) < 0.3, 1, -1).astype(np.int8)
    weights = rng.random((2, 200))
    ours = weighted_average_precision(scores, labels, weights)
    for r in range(2):
        for c in range(3):
            theirs = average_precision_score(labels[:, c] == 1, scores[:, c], sample_weight=weights[r])
            assert ours[r, c] == pytest.approx(theirs, abs=1e-12)


def test_resamples_draw_with_replacement_and_obey_the_seed():
    chunks = list(resamples(1000, 250, seed=1))
    assert [chunk.shape for chunk in chunks] == [(200, 1000), (50, 1000)]
    weights = np.vstack(chunks)
    assert (weights.sum(axis=1) == 1000).all()
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    np.testing.assert_array_equal(chunks[0], next(resamples(1000, 250, seed=1)))
    assert (chunks[0] != next(resamples(1000, 250, seed=2))).any()


def test_interval_reverses_holds_the_estimate_and_stays_a_fraction():
    values = np.linspace(0.5, 0.9, 401)
    assert basic_interval(0.6, values, 0.95) == pytest.approx([0.31, 0.69])  # 1.2 - .89, 1.2 - .51
    assert basic_interval(0.45, values, 0.95) == pytest.approx([0.01, 0.45])  # 0.39 alone would leave .45 out
    assert basic_interval(0.05, values, 0.95) == [0, 0.05]
    assert basic_interval(0.9, np.array([0.7, 0.8, np.nan]), 0.5) == pytest.approx([0.9, 1])  # 1.8 - .775 is above 1
    assert basic_interval(float("nan"), values, 0.95) is None
    assert basic_interval(0.5, np.array([np.nan]), 0.95) is None


def test_sums_of_weights_reach_over_runs_ties_and_large_or_broken_weights():
    rng = np.random.default_rng(3)
    order = rng.permutation(3000)[:2500]
    places = np.array([0, 1, 1023, 1024, 1025, 2047, 2048, 2500])
    for weights in (rng.integers(0, 60, (5, 3000)), rng.integers(0, 9000, (5, 3000)), rng.random((5, 3000))):
        found = Weighed(weights.astype(float)).up_to(order, places)
        expected = [[row[order[:place]].sum() for row in weights] for place in places]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_no_sum_of_small_weights_can_overflow():
    assert Weighed(np.full((1, RUN), float(WHOLE // RUN))).whole
    assert not Weighed(np.full((1, RUN), WHOLE // RUN + 1.0)).whole
    assert WHOLE // RUN * RUN < 2**16
