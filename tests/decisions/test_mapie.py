"""Guaranteed recall against MAPIE, on images that all have a positive and are wholly known (it takes no others)."""

import numpy as np
import pytest

from manylabel.decisions.risk import Risk


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wanted", [0.8, 0.9, 0.95])
def test_the_same_sets_by_conformal_risk_control(wanted):
    mapie = pytest.importorskip("mapie.risk_control")
    rng = np.random.default_rng(0)
    truth = rng.random((300, 6)) < 0.4
    truth = truth[truth.any(axis=1)]
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=truth.shape) + np.where(truth, 1.0, -1.0))))
    probabilities = np.round(probabilities, 2)  # on MAPIE's grid: it decides p > a hundredth, we p >= a score
    theirs = mapie.MultiLabelClassificationController(
        lambda x: x, risk="recall", method="crc", target_level=wanted, predict_params=np.arange(0, 1, 0.01)
    )
    theirs.calibrate(probabilities, truth.astype(int))
    ours = Risk(wanted).fit(probabilities, np.where(truth, 1, -1).astype(np.int8))
    assert ours.threshold == pytest.approx(theirs.best_predict_param[0] + 0.01)
