"""Hierarchies from pairs of names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.hierarchy import ancestors, from_pairs
from manylabel.labels import ManylabelError


def test_names_that_are_no_class_pass_on_what_is_above_them():
    pairs = [("cat", "feline"), ("feline", "mammal"), ("mammal", "animal"), ("dog", "mammal"), ("rock", "thing")]
    assert from_pairs(pairs, ["animal", "cat", "dog", "rock"]) == [[], [0], [0], []]
    assert from_pairs([], ["a", "b"]) == [[], []]


def test_what_follows_is_not_said_twice_and_two_parents_are_kept():
    pairs = [("mule", "horse"), ("mule", "donkey"), ("horse", "animal"), ("donkey", "animal"), ("mule", "animal")]
    assert from_pairs(pairs, ["mule", "horse", "donkey", "animal"]) == [[1, 2], [3], [3], []]


@pytest.mark.parametrize(
    "pairs",
    [[("a", "b"), ("b", "c"), ("c", "a")], [("x", "a"), ("a", "z"), ("a", "b"), ("b", "c"), ("c", "a")]],
)
def test_a_circle_is_named_whichever_parent_it_goes_through(pairs):
    with pytest.raises(ManylabelError, match="a class lies above itself: a above c above b above a"):
        from_pairs(pairs, ["a", "b", "c", "x"])
    with pytest.raises(ManylabelError, match="b above b"):
        from_pairs([("b", "b")], ["a", "b"])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_reachability_is_kept_among_the_classes(seed):
    rng = np.random.default_rng(seed)
    number = int(rng.integers(2, 12))
    order = rng.permutation(number)
    edges = [(order[i], order[j]) for i in range(number) for j in range(i) if rng.random() < 0.3]
    full = ancestors([[int(p) for c, p in edges if c == k] for k in range(number)])
    kept = rng.permutation(number)[: int(rng.integers(1, number + 1))]
    ours = ancestors(from_pairs([(str(c), str(p)) for c, p in edges], [str(k) for k in kept]))
    np.testing.assert_array_equal(ours, full[np.ix_(kept, kept)])
