"""The dictionary that becomes metrics.json."""

import json

import numpy as np
import pytest

from manylabel.labels import ManylabelError
from manylabel.metrics import Settings, average_precision, evaluate

KEYS = {
    "images", "classes", "classes_without_positives", "unknown_share", "map", "map_head", "map_medium", "map_tail",
    "cf1", "of1", "cp", "cr", "op", "or", "per_class",
}  # fmt: skip
ROW_KEYS = {"name", "train_positives", "test_positives", "ap", "threshold", "f1", "group"}
QUICK = Settings(resamples=50)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((80, 5)) < 0.3, 1, -1).astype(np.int8)
    labels[:, 4] = -1  # no positive
    labels[::7, 0] = 0
    scores = rng.normal(size=(80, 5)) + labels
    return scores.astype(np.float32), labels, ["a", "b", "c", "d", "e"]


def test_everything(case):
    scores, labels, names = case
    result = evaluate(
        scores, labels, names=names, train_counts=[200, 50, 5, 100, 19], thresholds=np.zeros(5), settings=QUICK
    )
    json.dumps(result, allow_nan=False)
    assert set(result) >= KEYS
    assert all(set(row) >= ROW_KEYS for row in result["per_class"])
    ap = average_precision(scores, labels)
    assert result["map"] == pytest.approx(ap[:4].mean())
    assert result["map_head"] == pytest.approx(ap[[0, 3]].mean())
    assert result["map_medium"] == pytest.approx(ap[1])
    assert result["map_tail"] == pytest.approx(ap[2])  # class e is tail too, but has no AP
    assert (result["images"], result["classes"], result["classes_without_positives"]) == (80, 5, 1)
    assert result["classes_map_averaged"] == 4
    assert result["unknown_share"] == pytest.approx(12 / 400)
    assert result["groups"]["tail"] == {"classes": 2, "averaged": 1}
    last = result["per_class"][4]
    assert (last["ap"], last["f1"], last["test_positives"], last["train_positives"]) == (None, None, 0, 19)
    for key in ("map", "map_head", "map_medium", "map_tail", "cf1", "of1"):
        low, high = result["intervals"][key]
        assert low <= result[key] <= high
        assert high > low


def test_nothing_is_guessed(case):
    scores, labels, names = case
    result = evaluate(scores, labels, names=names, settings=QUICK)
    assert all(result[key] is None for key in ("cf1", "of1", "cp", "cr", "op", "or", "map_head"))
    assert result["intervals"]["cf1"] is None
    assert result["intervals"]["map"] is not None
    assert result["groups"] is None


def test_decisions_win_over_thresholds(case):
    scores, labels, names = case
    result = evaluate(scores, labels, names=names, decisions=labels == 1, thresholds=99.0, settings=QUICK)
    assert result["of1"] == result["cf1"] == 1
    assert result["per_class"][0]["threshold"] == 99


def test_a_score_on_the_threshold_is_present():
    result = evaluate(np.array([[0.5]]), np.array([[1]], np.int8), names=["a"], thresholds=0.5, settings=QUICK)
    assert result["or"] == 1


def test_seed_and_number_of_resamples(case):
    scores, labels, names = case
    first, again, other = (
        evaluate(scores, labels, names=names, settings=Settings(resamples=50, seed=seed))["intervals"]["map"]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert evaluate(scores, labels, names=names, settings=Settings(resamples=0))["intervals"]["map"] is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (0, 3), (4, 0)])
def test_small_tables(shape):
    result = evaluate(
        np.zeros(shape), np.zeros(shape, np.int8), names=list("abc")[: shape[1]], thresholds=0.0, settings=QUICK
    )
    assert result["map"] is None
    assert result["of1"] is None
    json.dumps(result, allow_nan=False)


def test_names_must_fit():
    with pytest.raises(ManylabelError, match="2 class names for scores of 1 classes"):
        evaluate(np.zeros((1, 1)), np.zeros((1, 1), np.int8), names=["a", "b"])


def test_any_grouping_of_the_classes(case):
    scores, labels, names = case
    result = evaluate(scores, labels, names=names, grouping=["x", "y", "x", None, "y"], settings=QUICK)
    ap = average_precision(scores, labels)
    assert result["grouping"]["x"]["map"] == pytest.approx(ap[[0, 2]].mean())
    assert result["grouping"]["y"] == {
        "classes": 2, "averaged": 1, "map": pytest.approx(ap[1]), "interval": result["grouping"]["y"]["interval"],
    }  # fmt: skip
    low, high = result["grouping"]["x"]["interval"]
    assert low < result["grouping"]["x"]["map"] < high
    assert list(result["grouping"]) == ["x", "y"]
    assert not any("grouping" in key for key in result["intervals"])
    assert evaluate(scores, labels, names=names, settings=QUICK)["grouping"] is None
    with pytest.raises(ManylabelError, match="a group or None for each of 5 classes"):
        evaluate(scores, labels, names=names, grouping=["x"], settings=QUICK)
