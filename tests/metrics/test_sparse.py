"""Lists of top classes give what the dense metrics give; sparse labels are the dense table in other words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.labels import ManylabelError
from manylabel.metrics import average_precision, count
from manylabel.metrics.at_k import Top, top
from manylabel.metrics.sparse import average_precision_sparse, count_sparse, top_sparse
from manylabel.sparse import SparseLabels, TopScores

LOW = -1e6  # below every score


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images, classes = draw(st.integers(1, 25)), draw(st.integers(1, 12))
    state = rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=[0.6, 0.15, 0.25])
    labels = SparseLabels.from_dense(state, default=draw(st.sampled_from([-1, 0])))
    k = draw(st.integers(1, classes))
    columns = np.argsort(rng.random((images, classes)), axis=1)[:, :k]
    columns[rng.random(columns.shape) < 0.1] = -1
    scores = rng.integers(0, draw(st.sampled_from([2, 1000])), columns.shape)
    return state, labels, TopScores(columns, scores, classes)


@settings(max_examples=30, deadline=None)
@given(problems())
def test_average_precision_and_counts_equal_the_dense_ones(problem):
    state, labels, scores = problem
    np.testing.assert_allclose(average_precision_sparse(scores, labels), average_precision(scores.dense(LOW), state))
    thresholds = np.linspace(0, 900, scores.classes)
    ours, theirs = count_sparse(scores, labels, thresholds), count(scores.dense(LOW) >= thresholds, state)
    for name in ("true_positives", "false_positives", "positives"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@settings(max_examples=30, deadline=None)
@given(problems())
def test_metrics_at_k_equal_the_dense_ones_as_far_as_the_lists_go(problem):
    state, labels, scores = problem
    k, weights = scores.columns.shape[1], np.arange(1.0, scores.classes + 1)
    ours, theirs = top_sparse(scores, labels, k, weights=weights), top(scores.dense(LOW), state, k, weights=weights)
    for name in ("positives", "known", "best"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    # a place that only unlisted classes fill is a miss here, and shared among them there
    listed = (scores.listed & (labels.state(np.arange(len(labels))[:, None], scores.columns) != 0)).sum(axis=1)
    inside = np.arange(k) < listed[:, None]
    for name in ("hits", "gains"):
        np.testing.assert_allclose(getattr(ours, name)[inside], getattr(theirs, name)[inside])
        assert (getattr(ours, name)[~inside] == 0).all()
    assert isinstance(ours, Top)


@settings(max_examples=30, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_sparse_labels_are_the_table(problem, seed):
    state, labels, _ = problem
    rng = np.random.default_rng(seed)
    np.testing.assert_array_equal(labels.dense(), state)
    np.testing.assert_array_equal(labels.counts, (state == 1).sum(axis=0))
    np.testing.assert_array_equal(labels.positives, (state == 1).sum(axis=1))
    np.testing.assert_array_equal(labels.known, (state != 0).sum(axis=1))
    np.testing.assert_array_equal(labels.known_images, (state != 0).sum(axis=0))
    index = rng.integers(0, len(state), 7)
    np.testing.assert_array_equal(labels.rows(index).dense(), state[index])
    rows, columns = rng.integers(0, len(state), 20), rng.integers(0, state.shape[1], 20)
    np.testing.assert_array_equal(labels.state(rows, columns), state[rows, columns])


def test_lists_in_any_order_and_none_at_all():
    np.testing.assert_array_equal(SparseLabels.from_lists([[3, 1, 3]], classes=4).dense(), [[-1, 1, -1, 1]])
    empty = SparseLabels.from_lists([[], []], classes=2, default=0)
    assert empty.state([0, 1], [1, 0]).tolist() == [0, 0]
    assert np.isnan(average_precision_sparse(TopScores([[0], [1]], [[1.0], [2.0]], 2), empty)).all()


def test_a_hundred_thousand_classes_take_the_memory_of_what_is_listed():
    import tracemalloc

    rng = np.random.default_rng(0)
    images, classes, k = 2000, 100_000, 20
    labels = SparseLabels.from_lists(rng.integers(0, classes, (images, 5)).tolist(), classes=classes)
    columns = rng.permuted(np.tile(np.arange(0, classes, classes // k), (images, 1)), axis=1)[:, :k]
    scores = TopScores(columns, rng.random((images, k)), classes)
    tracemalloc.start()
    top_sparse(scores, labels, 5, weights=np.ones(classes))
    average_precision_sparse(scores, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # a table of bytes alone would be 200e6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SparseLabels([0, 2], [1, 1], [1, 1], 3), "row 0: columns must ascend"),
        (lambda: SparseLabels([0, 1], [3], [1], 3), r"0 \.\.\. 2"),
        (lambda: SparseLabels([0, 2], [1], [1], 3), "starts must run"),
        (lambda: SparseLabels([0, 1], [1], [2], 3), "states are"),
        (lambda: SparseLabels([0, 1], [1], [1], 3, default=1), "default must be"),
        (lambda: TopScores([[0, 0]], [[1.0, 2.0]], 3), "row 0: class 0 is scored twice"),
        (lambda: TopScores([[0, 1]], [[1.0, np.nan]], 3), "row 0, entry 1: scores must be finite"),
        (lambda: TopScores([[5]], [[1.0]], 3), r"0 \.\.\. 2"),
        (lambda: TopScores([5], [1.0], 3), "must both be"),
        (lambda: top_sparse(TopScores([[0]], [[1.0]], 3), SparseLabels.from_lists([[0]], classes=3), 2), "k must be"),
        (lambda: top_sparse(TopScores([[0]], [[1.0]], 3), SparseLabels.from_lists([[0]], classes=4), 1), "3 classes"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ManylabelError, match=message):
        make()
