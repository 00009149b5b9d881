"""CP CR CF1 OP OR OF1 against the recorded meters, scikit-learn and a table counted by hand; the three groups."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from manylabel.labels import ManylabelError
from manylabel.metrics import count, frequency_groups, precision_recall_f1


def signed(targets):
    return np.where(targets == 1, 1, -1).astype(np.int8)


@pytest.mark.parametrize("file", ["metrics_noties_f64", "metrics_ties_f64"])
@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_equals_the_recorded_meter(golden, file, threshold):
    recorded = golden(file)
    decisions, labels = recorded["probs"] >= threshold, signed(recorded["targets"])
    first = precision_recall_f1(count(decisions[:, :17], labels[:, :17]))
    six = [first[key] for key in ("op", "or", "of1", "cp", "cr", "cf1")]
    np.testing.assert_allclose(six, recorded[f"cprfl_overall_first17_th{threshold}"], rtol=0, atol=1e-12)

    # With the class that has no positive: overall numbers agree; the meter's CP is divided by all classes and its
    # CR is NaN, ours averages over the 19 classes that have one.
    every = precision_recall_f1(count(decisions, labels))
    meter = recorded[f"cprfl_overall_th{threshold}_OP_OR_OF1_CP_CR_CF1"]
    np.testing.assert_allclose([every["op"], every["or"], every["of1"]], meter[:3], rtol=0, atol=1e-12)
    assert every["cp"] == pytest.approx(meter[3] * 20 / 19, abs=1e-12)
    assert np.isfinite(every["cf1"])


def test_equals_scikit_learn():
    rng = np.random.default_rng(0)
    decisions = rng.random((50, 6)) < 0.3
    decisions[:, 2] = False  # never predicted: precision 0
    labels = signed(rng.random((50, 6)) < 0.3)
    truth, ours = labels == 1, precision_recall_f1(count(decisions, labels))
    for key, score, average in (
        ("cp", precision_score, "macro"),
        ("cr", recall_score, "macro"),
        ("op", precision_score, "micro"),
        ("or", recall_score, "micro"),
        ("of1", f1_score, "micro"),
    ):
        assert ours[key] == pytest.approx(score(truth, decisions, average=average, zero_division=0), abs=1e-12)
    np.testing.assert_allclose(count(decisions, labels).f1, f1_score(truth, decisions, average=None), atol=1e-12)


def test_unknown_cells_count_nowhere():
    labels = np.array([[1, 0], [0, 0], [-1, 0], [1, -1]], np.int8)
    decisions = np.array([[1, 1], [1, 1], [1, 1], [0, 0]], bool)
    counts = count(decisions, labels)
    assert counts.true_positives.tolist() == [1, 0]
    assert counts.false_positives.tolist() == [1, 0]
    assert counts.positives.tolist() == [2, 0]
    assert np.isnan(counts.f1[1])
    assert precision_recall_f1(counts)["cp"] == 0.5


def test_edges():
    nothing = precision_recall_f1(count(np.ones((2, 2), bool), -np.ones((2, 2), np.int8)))
    assert all(np.isnan(value) for value in nothing.values())
    silent = precision_recall_f1(count(np.zeros((2, 2), bool), np.ones((2, 2), np.int8)))
    assert all(value == 0 for value in silent.values())
    with pytest.raises(ManylabelError, match="bool"):
        count(np.zeros((2, 2)), np.ones((2, 2), np.int8))


@pytest.mark.parametrize(("data", "sizes"), [("coco", (22, 33, 25)), ("voc", (6, 6, 8))])
def test_groups_are_those_of_the_published_splits(golden, data, sizes):
    recorded = golden("lt_splits")
    groups = frequency_groups(recorded[f"{data}_class_freq"])
    for name, size in zip(("head", "medium", "tail"), sizes):
        members = np.flatnonzero(groups == name)
        assert len(members) == size
        np.testing.assert_array_equal(members, recorded[f"{data}_{name}"])


def test_group_bounds_are_options():
    assert frequency_groups([10, 5, 4], head=10, tail=5).tolist() == ["head", "medium", "tail"]
    with pytest.raises(ManylabelError, match="must not exceed"):
        frequency_groups([1], head=5, tail=6)
