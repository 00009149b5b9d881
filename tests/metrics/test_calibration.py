"""Brier score and calibration error against scikit-learn, torchmetrics, and data calibrated by construction."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from manylabel.labels import ManylabelError
from manylabel.metrics.calibration import brier_score, calibration_error, reliability


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    probabilities = rng.integers(0, draw(st.sampled_from([2, 5, 1000])), shape) / 1000
    probabilities = probabilities / max(probabilities.max(), 0.001)
    return probabilities, rng.choice(np.array([-1, 0, 1], np.int8), shape)


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from([1, 4, 15]))
def test_equal_scikit_learn_on_the_known_cells(problem, bins):
    probabilities, labels = problem
    brier, error = brier_score(probabilities, labels), calibration_error(probabilities, labels, bins=bins)
    for c in range(labels.shape[1]):
        known = labels[:, c] != 0
        if not known.any():
            assert np.isnan([brier[c], error[c]]).all()
            continue
        truth, values = labels[known, c] == 1, probabilities[known, c]
        assert brier[c] == pytest.approx(brier_score_loss(truth, values, pos_label=True, labels=[False, True]))
        edges = np.arange(1, bins) / bins  # scikit-learn's bins hold their upper edge: bin there by hand
        code = np.searchsorted(edges, values, side="right")
        gaps = [abs(values[code == b].mean() - truth[code == b].mean()) * (code == b).sum() for b in set(code)]
        assert error[c] == pytest.approx(sum(gaps) / len(values), abs=1e-9)


def test_the_diagram_equals_scikit_learn():
    rng = np.random.default_rng(0)
    probabilities = rng.random(500)
    truth = rng.random(500) < probabilities**2
    share, mean = calibration_curve(truth, probabilities, n_bins=10)
    ours = reliability(probabilities, truth, bins=10)
    np.testing.assert_allclose(ours[0], mean)
    np.testing.assert_allclose(ours[1], share)
    share, mean = calibration_curve(truth, probabilities, n_bins=10, strategy="quantile")
    ours = reliability(probabilities, truth, bins=10, adaptive=True)
    np.testing.assert_allclose(ours[0], mean, atol=0.01)  # scikit-learn interpolates the edges
    np.testing.assert_array_equal(ours[2], np.full(10, 50))


def test_equals_torchmetrics(torchmetrics):
    rng = np.random.default_rng(2)
    probabilities = rng.random((300, 1))
    labels = np.where(rng.random((300, 1)) < probabilities, 1, -1).astype(np.int8)
    theirs = torchmetrics.binary_calibration_error(
        torch.from_numpy(probabilities[:, 0]), torch.from_numpy((labels[:, 0] == 1).astype(int)), n_bins=15
    )
    assert calibration_error(probabilities, labels)[0] == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("adaptive", [False, True])
def test_calibrated_by_construction_and_not(adaptive):
    rng = np.random.default_rng(3)
    probabilities = rng.beta(0.5, 2, (40_000, 1))
    labels = np.where(rng.random((40_000, 1)) < probabilities, 1, -1).astype(np.int8)
    assert calibration_error(probabilities, labels, adaptive=adaptive)[0] < 0.01
    assert calibration_error(probabilities**2, labels, adaptive=adaptive)[0] > 0.05
    assert brier_score(probabilities, labels) < brier_score(probabilities**2, labels)


def test_equal_probabilities_stay_in_one_bin():
    mean, share, number = reliability(np.array([0.1, 0.3, 0.3, 0.3, 0.3, 0.9]), np.ones(6, bool), bins=3, adaptive=True)
    assert (number.tolist(), share.tolist()) == ([5, 1], [1.0, 1.0])
    np.testing.assert_allclose(mean, [0.26, 0.9])


def test_wrong_input_is_refused():
    labels = np.ones((2, 1), np.int8)
    with pytest.raises(ManylabelError, match=r"row 1, column 0: expected a probability in \[0, 1\], got 1.5"):
        brier_score(np.array([[0.2], [1.5]]), labels)
    with pytest.raises(ManylabelError, match="bins"):
        calibration_error(np.zeros((2, 1)), labels, bins=0)
