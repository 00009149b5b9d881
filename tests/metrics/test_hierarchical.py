"""Hierarchical precision, recall and F against sets built by hand, flat metrics, and what hierarchies imply."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from manylabel.hierarchy import ancestors, close_up
from manylabel.labels import ManylabelError
from manylabel.metrics import count, count_images, precision_recall_f1
from manylabel.metrics.hierarchical import count_hierarchical, hierarchical_precision_recall_f, implied, micro
from manylabel.metrics.sets import f_beta, jaccard

TREE = [[], [0], [0], [1], [1], [2]]  # animal; bird, fish; crow, owl; eel


@st.composite
def problems(draw, unknown=True):
    """A hierarchy with several parents a class, labels that do not contradict it, and decisions that may."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number, images = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    order = rng.permutation(number)
    parents = [[] for _ in range(number)]
    for place, c in enumerate(order):
        parents[c] = [int(p) for p in order[:place] if rng.random() < 0.4]
    truth = close_up(rng.random((images, number)) < 0.3, parents)
    hidden = (rng.random(truth.shape) < 0.4) & unknown
    labels = np.where(hidden, 0, np.where(truth, 1, -1)).astype(np.int8)
    return parents, labels, rng.random(truth.shape) < 0.4


def up(c, parents):
    """c with all its ancestors, by walking."""
    return {c}.union(*(up(p, parents) for p in parents[c]))


def by_sets(parents, states, decided):
    """(|P and T|, |P|, |T|) of one image: sets of classes, and the classes of which nothing follows taken out."""
    number = len(parents)
    true = set().union(*(up(c, parents) for c in range(number) if states[c] == 1))
    false = {c for c in range(number) for a in up(c, parents) if states[a] == -1}
    guess = set().union(*(up(c, parents) for c in range(number) if decided[c])) & (true | false)
    return len(guess & true), len(guess), len(true)


@settings(max_examples=80, deadline=None)
@given(problems())
def test_equals_sets(problem):
    parents, labels, decisions = problem
    counts = count_hierarchical(decisions, labels, parents)
    each = [by_sets(parents, states, decided) for states, decided in zip(labels, decisions)]
    found = hierarchical_precision_recall_f(counts)
    for i, (both, guess, true) in enumerate(each):
        assert (counts.true_positives[i], counts.positives[i]) == (both, true)
        assert counts.false_positives[i] == guess - both
        expected = [
            both / guess if guess else np.nan if not true else 0.0,
            both / true if true else np.nan,
            2 * both / (guess + true) if guess + true else np.nan,
        ]
        np.testing.assert_allclose([found[key][i] for key in ("hp", "hr", "hf")], expected)
    both, guess, true = np.sum(each, axis=0)
    whole = hierarchical_precision_recall_f(micro(counts))
    if true:
        np.testing.assert_allclose(whole["hr"], both / true)
        np.testing.assert_allclose(whole["hf"], 2 * both / (guess + true))
        np.testing.assert_allclose(whole["hp"], both / guess if guess else 0.0)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_what_is_implied_is_all_that_follows(problem):
    parents, labels, _ = problem
    found, number = implied(labels, parents), len(parents)
    above = ancestors(parents)
    for states, ours in zip(labels, found):
        assert (ours[states != 0] == states[states != 0]).all()
        worlds = [np.array([m >> c & 1 for c in range(number)], bool) for m in range(2**number)]
        legal = [w for w in worlds if not (w[:, None] & above & ~w[None, :]).any()]
        fitting = [w for w in legal if (w[states == 1]).all() and not w[states == -1].any()]
        always, never = np.all(fitting, axis=0), ~np.any(fitting, axis=0)
        np.testing.assert_array_equal(ours, always.astype(int) - never)
    np.testing.assert_array_equal(implied(found, parents), found)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_without_a_hierarchy_they_are_the_flat_metrics(problem):
    _, labels, decisions = problem
    none = [[] for _ in range(labels.shape[1])]
    counts = count_hierarchical(decisions, labels, none)
    found = hierarchical_precision_recall_f(counts)
    np.testing.assert_array_equal(found["hf"], f_beta(count_images(decisions, labels)))
    six, whole = precision_recall_f1(count(decisions, labels)), hierarchical_precision_recall_f(micro(counts))
    if (labels == 1).any():
        for ours, theirs in (("hp", "op"), ("hr", "or"), ("hf", "of1")):
            assert whole[ours] == pytest.approx(float(six[theirs]), abs=1e-12)


def test_equal_scikit_learn_on_the_completed_sets():
    rng = np.random.default_rng(0)
    truth, decisions = close_up(rng.random((200, 6)) < 0.2, TREE), rng.random((200, 6)) < 0.2
    truth[0] = decisions[0] = False  # nothing there and nothing decided: left out
    labels = np.where(truth, 1, -1).astype(np.int8)
    counts = count_hierarchical(decisions, labels, TREE)
    found, guess = hierarchical_precision_recall_f(counts, beta=2.0), close_up(decisions, TREE)
    some, there = truth.any(axis=1) | guess.any(axis=1), truth.any(axis=1)
    assert not some[0]
    options = {"average": "samples", "zero_division": 0}
    assert np.nanmean(found["hp"]) == pytest.approx(sk.precision_score(truth[some], guess[some], **options))
    assert np.nanmean(found["hr"]) == pytest.approx(sk.recall_score(truth[there], guess[there], **options))
    assert np.nanmean(found["hf"]) == pytest.approx(sk.fbeta_score(truth[some], guess[some], beta=2.0, **options))
    whole = hierarchical_precision_recall_f(micro(counts), beta=2.0)
    assert whole["hp"] == pytest.approx(sk.precision_score(truth, guess, average="micro"))
    assert whole["hf"] == pytest.approx(sk.fbeta_score(truth, guess, beta=2.0, average="micro"))


def test_by_hand():
    labels = np.array(
        [
            [1, 1, -1, 1, -1, -1],  # a crow
            [1, 1, -1, 1, -1, -1],
            [0, 1, 0, 0, 0, 0],  # some bird: an animal too; which one, and fish, nobody said
            [0, -1, 0, 0, 0, 0],  # no bird: neither crow nor owl
        ],
        np.int8,
    )
    decisions = np.zeros((4, 6), bool)
    decisions[0, 4] = True  # an owl: {animal, bird, owl} against {animal, bird, crow}
    decisions[1, 5] = True  # an eel: {animal, fish, eel}
    decisions[2, [4, 5]] = True  # {animal, bird} known of {animal, bird, owl, fish, eel}
    decisions[3, 3] = True  # {bird, crow} known of {animal, bird, crow}: both wrong
    counts = count_hierarchical(decisions, labels, TREE)
    found = hierarchical_precision_recall_f(counts)
    np.testing.assert_allclose(found["hp"], [2 / 3, 1 / 3, 1, 0])
    np.testing.assert_allclose(found["hr"], [2 / 3, 1 / 3, 1, np.nan])
    np.testing.assert_allclose(found["hf"], [2 / 3, 1 / 3, 1, 0])
    whole = hierarchical_precision_recall_f(micro(counts))
    np.testing.assert_allclose([whole["hp"], whole["hr"], whole["hf"]], [5 / 10, 5 / 8, 10 / 18])
    np.testing.assert_allclose(jaccard(counts)[:2], [2 / 4, 1 / 5])


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_laws(problem, seed):
    parents, labels, decisions = problem
    counts = count_hierarchical(decisions, labels, parents)

    def same(other, order=slice(None)):
        for field in ("true_positives", "false_positives", "positives"):
            np.testing.assert_array_equal(getattr(other, field), getattr(counts, field)[order])

    rng = np.random.default_rng(seed)
    same(count_hierarchical(close_up(decisions, parents), labels, parents))  # completing twice is completing once
    same(count_hierarchical(decisions, implied(labels, parents), parents))
    rows, columns = rng.permutation(len(labels)), rng.permutation(len(parents))
    same(count_hierarchical(decisions[rows], labels[rows], parents), rows)
    place = np.argsort(columns)
    turned = [[int(place[p]) for p in parents[c]] for c in columns]
    same(count_hierarchical(decisions[:, columns], labels[:, columns], turned))
    right = count_hierarchical(implied(labels, parents) == 1, labels, parents)
    found = hierarchical_precision_recall_f(right)
    assert all((values[~np.isnan(values)] == 1).all() for values in found.values())
    lonely = np.hstack([decisions, np.ones((len(labels), 1), bool)])  # a class nobody judged, related to none
    same(count_hierarchical(lonely, np.hstack([labels, 0 * labels[:, :1]]), [*parents, []]))


def test_a_near_miss_costs_less_than_a_far_one():
    labels = np.array([[1, 1, -1, 1, -1, -1]] * 3, np.int8)
    decisions = np.zeros((3, 6), bool)
    decisions[[0, 1, 2], [3, 4, 5]] = True  # right, a sibling, another branch
    hf = hierarchical_precision_recall_f(count_hierarchical(decisions, labels, TREE))["hf"]
    assert hf[0] > hf[1] > hf[2] > 0


def test_blocks_of_rows_change_nothing_and_many_classes_stay_exact(monkeypatch):
    rng = np.random.default_rng(1)
    truth = close_up(rng.random((50, 6)) < 0.2, TREE)
    labels = np.where(truth, 1, -1).astype(np.int8)
    decisions = rng.random(labels.shape) < 0.2
    whole = count_hierarchical(decisions, labels, TREE)
    monkeypatch.setattr("manylabel.metrics.hierarchical.CELLS", 20)
    np.testing.assert_array_equal(count_hierarchical(decisions, labels, TREE).false_positives, whole.false_positives)
    with pytest.raises(ManylabelError, match="row 41: class 3 is present and class 1"):
        implied(np.vstack([labels[:41], np.array([[0, -1, 0, 1, 0, 0]], np.int8)]), TREE)
    fan = [[], *([0] for _ in range(3000))]  # a class with 3,000 children, all present
    assert count_hierarchical(np.ones((1, 3001), bool), np.ones((1, 3001), np.int8), fan).true_positives == 3001
    assert count_hierarchical(np.zeros((0, 6), bool), np.zeros((0, 6), np.int8), TREE).positives.shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y: implied(np.array([[-1, 0, 0, 1, 0, 0]], np.int8), TREE), "class 3 is present and class 0"),
        (lambda y: implied(y, TREE[:5]), "parents of 5 classes for labels of 6"),
        (lambda y: implied(y.astype(float), TREE), "int8"),
        (lambda y: count_hierarchical(np.zeros((1, 6)), y, TREE), "bool"),
        (lambda y: count_hierarchical(np.zeros((2, 6), bool), y, TREE), "shape"),
        (lambda y: implied(y, [[1], [0], [], [], [], []]), "its own ancestor"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ManylabelError, match=message):
        call(np.ones((1, 6), np.int8))
