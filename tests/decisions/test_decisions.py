"""Finding rules by name, the fixed rule, and that every rule survives JSON."""

import json

import numpy as np
import pytest

from manylabel import decisions
from manylabel.decisions.adathresh import Adathresh
from manylabel.decisions.cost import Cost
from manylabel.decisions.f1 import F1
from manylabel.decisions.fixed import Fixed
from manylabel.decisions.isotonic import Isotonic
from manylabel.decisions.lp_icp import LpIcp
from manylabel.decisions.platt import Platt
from manylabel.decisions.precision import Precision
from manylabel.decisions.recall import Recall
from manylabel.decisions.risk import Risk
from manylabel.decisions.sparsemax import Sparsemax
from manylabel.decisions.temperature import Temperature
from manylabel.labels import ManylabelError

ARGUMENTS = {"fixed": (0.25,)}
CALIBRATORS = {"platt", "temperature", "beta", "isotonic"}


@pytest.mark.parametrize("name", decisions.names())
def test_every_rule_survives_json_and_leaves_its_arguments(name):
    rng = np.random.default_rng(0)
    scores = rng.random((50, 3)).astype(np.float32)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (50, 3))
    kept = scores.copy(), labels.copy()
    rule = decisions.load(name)(*ARGUMENTS.get(name, ()))
    assert rule.fit(scores, labels) is rule
    result = rule(scores)
    assert result.shape == scores.shape
    assert result.dtype == (np.float64 if name in CALIBRATORS else np.bool_)
    again = decisions.from_dict(json.loads(json.dumps(rule.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again(scores), result)
    assert again.to_dict() == rule.to_dict()
    np.testing.assert_array_equal(scores, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


def test_names_and_typos():
    assert {"f1", "fixed", "platt"} <= set(decisions.names())
    with pytest.raises(ManylabelError, match="Did you mean 'platt'"):
        decisions.load("plat")
    with pytest.raises(ManylabelError, match="'rule'"):
        decisions.from_dict({"thresholds": []})


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"rule": "top_k"}, "'top_k' is kept without its 'k'"), ({"rule": "top_k", "k": "2"}, "'top_k' is not as"),
        ({"rule": "f1", "beta": -1.0}, "beta must be above 0"), (["f1"], "expected a key 'rule', got list"),
        ({}, "nothing"),
    ],
)  # fmt: skip
def test_a_spoilt_rule_is_explained(kept, message):
    with pytest.raises(ManylabelError, match=message):
        decisions.from_dict(kept)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: F1(x), lambda x: F1(smoothing=x), lambda x: Precision(x), lambda x: Recall(x), lambda x: Cost(x),
        lambda x: Cost(1, x), lambda x: Risk(x), lambda x: Risk(delta=x), lambda x: LpIcp(x), lambda x: Sparsemax(x),
        lambda x: Sparsemax(1, x), lambda x: Platt(x), lambda x: Isotonic(x), lambda x: Temperature(x),
        lambda x: Adathresh(share=x), lambda x: Adathresh(positive_weight=x), lambda x: Adathresh(shrinkage=x),
    ],
)  # fmt: skip
def test_no_rule_takes_what_is_no_number(make, value):
    with pytest.raises(ManylabelError):
        make(value)


def test_fixed():
    assert Fixed(0.5)(np.array([0.49, 0.5, 0.51])).tolist() == [False, True, True]
    assert not Fixed(np.inf)(np.array([1e30])).any()
    with pytest.raises(ManylabelError, match="got nan"):
        Fixed(np.nan)
