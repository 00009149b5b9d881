"""Set metrics against scikit-learn, torchmetrics and the recorded meters, and what stands for 0 / 0."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from manylabel.labels import ManylabelError
from manylabel.metrics import count
from manylabel.metrics.sets import count_images, f_beta, hamming_loss, jaccard, subset_accuracy


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 20)), draw(st.integers(1, 8))
    unknown = draw(st.sampled_from([0.0, 0.3]))
    labels = rng.choice(np.array([-1, 0, 1], np.int8), shape, p=[0.7 - unknown, unknown, 0.3])
    return rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 0.9])), labels


@settings(max_examples=25, deadline=None)
@given(problems(), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 1.0]))
def test_images_equal_scikit_learn_on_their_known_cells(problem, beta, empty):
    decisions, labels = problem
    images = count_images(decisions, labels)
    scores, overlaps = f_beta(images, beta, empty=empty), jaccard(images, empty=empty)
    losses, exact = hamming_loss(decisions, labels), subset_accuracy(decisions, labels)
    for i, (decided, states) in enumerate(zip(decisions, labels)):
        known = states != 0
        if not known.any():
            assert np.isnan([losses[i], exact[i]]).all()
            continue
        truth, decided = (states == 1)[known], decided[known]
        options = {"pos_label": True, "average": "binary", "zero_division": empty}
        assert scores[i] == pytest.approx(sk.fbeta_score(truth, decided, beta=beta, **options), abs=1e-12)
        assert overlaps[i] == pytest.approx(sk.jaccard_score(truth, decided, **options), abs=1e-12)
        assert losses[i] == pytest.approx(sk.hamming_loss(truth, decided), abs=1e-12)
        assert exact[i] == (truth == decided).all()


@settings(max_examples=20, deadline=None)
@given(problems(), st.sampled_from([0.5, 2.0]))
def test_classes_equal_scikit_learn_on_their_known_cells(problem, beta):
    decisions, labels = problem
    classes = count(decisions, labels)
    for c, (score, overlap) in enumerate(zip(f_beta(classes, beta), jaccard(classes))):
        known = labels[:, c] != 0
        truth, decided = labels[known, c] == 1, decisions[known, c]
        if not (truth.any() or decided.any()):
            assert np.isnan([score, overlap]).all()
        else:
            assert score == pytest.approx(sk.fbeta_score(truth, decided, beta=beta), abs=1e-12)
            assert overlap == pytest.approx(sk.jaccard_score(truth, decided), abs=1e-12)


@pytest.mark.parametrize("file", ["metrics_noties_f64", "metrics_ties_f64"])
def test_equal_the_recorded_meters(golden, file):
    recorded = golden(file)
    labels = np.where(recorded["targets"] == 1, 1, -1).astype(np.int8)
    decisions = recorded["probs"] >= 0.5
    assert hamming_loss(decisions, labels).mean() == pytest.approx(float(recorded["ctran_hamming_loss"]), abs=1e-12)
    assert subset_accuracy(decisions, labels).mean() == float(recorded["ctran_subset_acc"])
    images = f_beta(count_images(decisions, labels), empty=0.0)
    assert images.mean() == pytest.approx(float(recorded["ctran_example_f1"]), abs=1e-6)


def test_equal_torchmetrics(torchmetrics):
    rng = np.random.default_rng(1)
    decisions, labels = rng.random((80, 6)) < 0.4, np.where(rng.random((80, 6)) < 0.4, 1, -1).astype(np.int8)
    given = torch.from_numpy(decisions).int(), torch.from_numpy(labels == 1).int()
    classes = count(decisions, labels)
    pairs = {
        "multilabel_jaccard_index": jaccard(classes).mean(),
        "multilabel_f1_score": f_beta(classes).mean(),
        "multilabel_hamming_distance": hamming_loss(decisions, labels).mean(),
        "multilabel_exact_match": subset_accuracy(decisions, labels).mean(),
    }
    for name, ours in pairs.items():
        assert ours == pytest.approx(float(getattr(torchmetrics, name)(*given, num_labels=6)), abs=1e-6), name
    theirs = torchmetrics.multilabel_fbeta_score(*given, beta=2.0, num_labels=6)
    assert f_beta(classes, 2.0).mean() == pytest.approx(float(theirs), abs=1e-6)


def test_an_unknown_cell_can_be_decided_either_way():
    labels = np.array([[1, 0, -1]], np.int8)
    for decided in (True, False):
        decisions = np.array([[True, decided, False]])
        assert subset_accuracy(decisions, labels) == 1
        assert hamming_loss(decisions, labels) == 0
        assert f_beta(count_images(decisions, labels)) == 1


def test_wrong_input_is_refused():
    with pytest.raises(ManylabelError, match="bool"):
        hamming_loss(np.zeros((1, 1)), np.ones((1, 1), np.int8))
    with pytest.raises(ManylabelError, match="beta"):
        f_beta(count(np.zeros((1, 1), bool), np.ones((1, 1), np.int8)), 0.0)
