"""Read chunk by chunk, the numbers are those of the whole, to the last digit that rounding leaves."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.labels import ManylabelError
from manylabel.metrics import average_precision, count
from manylabel.metrics.ordering import auroc
from manylabel.metrics.streaming import stream


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 1000]), st.integers(1, 50), st.integers(1, 17))
def test_equals_the_metrics_of_the_whole(seed, levels, images, size):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (images, 4)).astype(np.float32)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, 4), p=[0.6, 0.2, 0.2])
    labels[:, 3] = rng.choice([-1, 0, 1])
    thresholds = np.array([0, 1, 2, 500])
    found = stream(
        lambda: ((scores[i : i + size], labels[i : i + size]) for i in range(0, images, size)), thresholds=thresholds
    )
    np.testing.assert_allclose(found.average_precision, average_precision(scores, labels), rtol=1e-12)
    np.testing.assert_allclose(found.auroc, auroc(scores, labels), rtol=1e-12)
    np.testing.assert_array_equal(found.positives, (labels == 1).sum(axis=0))
    np.testing.assert_array_equal(found.known, (labels != 0).sum(axis=0))
    whole = count(scores >= thresholds, labels)
    for name in ("true_positives", "false_positives", "positives"):
        np.testing.assert_array_equal(getattr(found.counts, name), getattr(whole, name))
    assert found.images == images


def chunks(number, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(number):
        scores = rng.random((1000, 50), np.float32)
        yield scores, np.where(rng.random((1000, 50)) < 0.01, 1, -1).astype(np.int8)


def test_memory_does_not_grow_with_the_images_but_for_the_positives():
    peaks = []
    for number in (4, 16):
        tracemalloc.start()
        stream(lambda number=number: chunks(number))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    positives = 12_000 * 50 * 0.01  # that the longer one has more of
    assert peaks[1] - peaks[0] < 100 * positives  # bytes; the table alone would be 250 a cell more


def test_what_cannot_be_read_twice_is_refused():
    once = iter([(np.zeros((2, 1)), np.ones((2, 1), np.int8))])
    with pytest.raises(ManylabelError, match="the first reading gave 2 images, the second 0"):
        stream(lambda: once)
    with pytest.raises(ManylabelError, match="chunks of 1 and of 2 classes"):
        stream(lambda: ((np.zeros((1, c)), np.ones((1, c), np.int8)) for c in (1, 2)))
