"""Finding rules by name, the fixed rule, and that every rule survives JSON."""

import json

import numpy as np
import pytest

from manylabel import decisions
from manylabel.decisions.fixed import Fixed
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


def test_fixed():
    assert Fixed(0.5)(np.array([0.49, 0.5, 0.51])).tolist() == [False, True, True]
