"""Average precision against the recorded meters, scikit-learn, torchmetrics and its own laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from manylabel.labels import ManylabelError
from manylabel.metrics import average_precision

EMPTY = 18  # the golden class without a positive


def signed(targets):
    return np.where(targets == 1, 1, -1).astype(np.int8)


@pytest.mark.parametrize("file", ["metrics_noties_f64", "metrics_ties_f64"])
@pytest.mark.parametrize("scale", ["logits", "probs"])
def test_equals_recorded_scikit_learn(golden, file, scale):
    recorded = golden(file)
    ours = average_precision(recorded[scale], signed(recorded["targets"]))
    judged = recorded["targets"].sum(0) > 0
    assert judged.sum() == 19
    np.testing.assert_allclose(ours[judged], recorded["sklearn_ap"][judged], rtol=0, atol=1e-12)
    assert np.isnan(ours[EMPTY])


def test_equals_the_recorded_cprfl_meter_where_nothing_ties(golden):
    recorded = golden("metrics_noties_f64")
    ours = average_precision(recorded["logits"], signed(recorded["targets"]))
    for meter in ("cprfl_meter_ap", "asl_ap", "cole_ap"):
        judged = np.arange(20) != EMPTY
        np.testing.assert_allclose(
            ours[judged], recorded[meter][judged], rtol=0, atol=1e-9 if meter == "asl_ap" else 1e-12
        )


@st.composite
def problems(draw):
    """Scores with ties or without, mixed labels, rare classes (another way of counting), more than one block."""
    seed, levels = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([2, 5, 10_000]))
    rng = np.random.default_rng(seed)
    images, classes = draw(st.integers(1, 40)), draw(st.sampled_from([1, 3, 70]))
    share = 1 / 3
    if draw(st.booleans()):
        images, share = 700, 2 / 700  # none to some six positives a class; up to two are "few"
    scores = rng.integers(0, levels, (images, classes)).astype(draw(st.sampled_from([np.float32, np.float64])))
    rest = (1 - share) / 2
    return scores, rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=[rest, rest, share])


@settings(max_examples=40, deadline=None)
@given(problems())
def test_equals_scikit_learn_on_the_known_cells(problem):
    scores, labels = problem
    for c, ours in enumerate(average_precision(scores, labels)):
        known = labels[:, c] != 0
        if (labels[:, c] == 1).any():
            theirs = average_precision_score(labels[known, c] == 1, scores[known, c])
            assert ours == pytest.approx(theirs, abs=1e-12)
        else:
            assert np.isnan(ours)


def test_equals_torchmetrics(torchmetrics):
    rng = np.random.default_rng(3)
    scores = rng.random((300, 12)).round(2)
    labels = np.where(rng.random((300, 12)) < 0.2, 1, -1).astype(np.int8)
    theirs = torchmetrics.multilabel_average_precision(
        torch.from_numpy(scores), torch.from_numpy((labels == 1).astype(int)), num_labels=12, average="none"
    )
    np.testing.assert_allclose(average_precision(scores, labels), theirs, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_laws(problem, seed):
    scores, labels = problem
    expected = average_precision(scores, labels)
    order = np.random.default_rng(seed).permutation(len(scores))
    columns = np.random.default_rng(seed).permutation(scores.shape[1])
    np.testing.assert_allclose(average_precision(scores[order], labels[order]), expected)
    np.testing.assert_array_equal(average_precision(scores[:, columns], labels[:, columns]), expected[columns])
    np.testing.assert_allclose(average_precision(np.exp(scores.astype(np.float64) / 2000), labels), expected)
    np.testing.assert_allclose(average_precision(np.tile(scores, (2, 1)), np.tile(labels, (2, 1))), expected)
    unknown = np.vstack([labels, np.zeros((3, scores.shape[1]), np.int8)])
    best = np.vstack([scores, np.full((3, scores.shape[1]), scores.max() + 1)])
    np.testing.assert_array_equal(average_precision(best, unknown), expected)


def test_arguments_stay_as_they_are():
    scores, labels = np.array([[3.0], [1.0], [2.0]], order="F"), np.array([[1], [0], [-1]], np.int8)
    kept = scores.copy()
    average_precision(scores, labels)
    np.testing.assert_array_equal(scores, kept)


def test_ties_are_judged_in_the_precision_given():
    scores = np.array([[1 + 1e-12], [1.0]])
    labels = np.array([[-1], [1]], np.int8)
    assert average_precision(scores, labels) == 0.5
    assert average_precision(scores[::-1], labels) == 1.0


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((2, 1)), np.zeros((2, 1)), "int8"),
        (np.zeros((2, 1)), np.zeros((2, 2), np.int8), "images, classes"),
        (np.array([[1.0], [np.nan]]), np.zeros((2, 1), np.int8), "row 1, column 0"),
    ],
)
def test_wrong_input_is_refused(scores, labels, message):
    with pytest.raises(ManylabelError, match=message):
        average_precision(scores, labels)
