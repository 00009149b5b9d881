"""Confident learning and label quality against cleanlab, on labels that are all known (it takes no others)."""

import warnings

import numpy as np
import pytest

from manylabel.audits.confident import confident_learning
from manylabel.audits.quality import image_quality, self_confidence

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    cleanlab = pytest.importorskip("cleanlab.multilabel_classification")


@pytest.fixture(params=[0, 1, 2])
def problem(request):
    """Probabilities (N, C), int8 labels, and the same as lists of classes."""
    rng = np.random.default_rng(request.param)
    truth = rng.random((400, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=truth.shape) + np.where(truth, 2, -2))))
    labels = truth ^ (rng.random(truth.shape) < 0.04)
    return probabilities, np.where(labels, 1, -1).astype(np.int8), [np.flatnonzero(row).tolist() for row in labels]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("pooling", "theirs"),
    [
        ("ema", {"method": "exponential_moving_average", "alpha": 0.8}),
        ("softmin", {"method": "softmin", "temperature": 0.1}),
        ("min", {"method": np.min}),
        ("mean", {"method": np.mean}),
    ],
)
def test_label_quality_of_images(problem, pooling, theirs):
    probabilities, labels, lists = problem
    quality = cleanlab.get_label_quality_scores(
        lists, probabilities, method="self_confidence", adjust_pred_probs=False, aggregator_kwargs=theirs
    )
    np.testing.assert_allclose(image_quality(self_confidence(probabilities, labels), pooling), quality, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_the_cells_that_are_marked(problem):
    probabilities, labels, lists = problem
    marked = cleanlab.filter.find_multilabel_issues_per_class(
        lists, probabilities, filter_by="prune_by_noise_rate", n_jobs=1, min_examples_per_class=0
    )
    ours = confident_learning(probabilities, labels).wrong
    assert ours.any(axis=0).all()
    differing = (ours != np.asarray(marked)).sum(axis=0)
    assert differing.max() <= 1  # of how many labels are wrong, both round an estimate to whole labels
    assert differing.sum() <= 1
