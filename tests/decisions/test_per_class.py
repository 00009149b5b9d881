"""Rules with a threshold a class against trying every threshold, resampling by hand, and what smoothing is for."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score, precision_score, recall_score

from manylabel import decisions
from manylabel.decisions._cuts import cuts
from manylabel.decisions.cost import Cost
from manylabel.decisions.f1 import F1
from manylabel.decisions.platt import Platt
from manylabel.decisions.precision import Precision
from manylabel.decisions.prevalence import Prevalence
from manylabel.decisions.recall import Recall
from manylabel.labels import ManylabelError
from manylabel.metrics import count
from manylabel.metrics.bootstrap import resamples

RULES = [F1(), F1(2.0), Precision(0.7), Recall(0.6), Cost(3.0, 1.0), Prevalence()]


@st.composite
def problems(draw):
    """One class with at least one positive, some cells unknown."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = draw(st.integers(1, 25))
    scores = rng.integers(0, draw(st.sampled_from([2, 4, 1000])), (images, 1)).astype(np.float32)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, 1), p=[0.5, 0.1, 0.4])
    labels[rng.integers(images)] = 1
    return scores, labels


def every_decision(scores, labels):
    """Truth of the known cells, and each way to decide them by a threshold, the highest threshold first."""
    known = labels[:, 0] != 0
    column, truth = scores[known, 0], labels[known, 0] == 1
    return truth, [np.zeros(len(truth), bool), *(column >= cut for cut in np.unique(column)[::-1])]


def decided(rule, scores, labels):
    return rule.fit(scores, labels)(scores)[labels[:, 0] != 0, 0]


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from([0.5, 1.0, 3.0]))
def test_no_cut_has_a_higher_f_beta(problem, beta):
    truth, ways = every_decision(*problem)
    best = max(fbeta_score(truth, way, beta=beta, zero_division=0) for way in ways)
    ours = fbeta_score(truth, decided(F1(beta), *problem), beta=beta)
    assert ours == pytest.approx(best, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_precision_is_reached_with_the_most_recall_there_is(problem, wanted):
    truth, ways = every_decision(*problem)
    good = [way for way in ways if way.any() and precision_score(truth, way) >= wanted - 1e-12]
    ours = decided(Precision(wanted), *problem)
    if good:
        assert precision_score(truth, ours) >= wanted - 1e-12
        assert recall_score(truth, ours) == max(recall_score(truth, way) for way in good)
    else:
        assert not ours.any()


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_recall_is_reached_with_the_fewest_decided(problem, wanted):
    truth, ways = every_decision(*problem)
    ours = decided(Recall(wanted), *problem)
    assert recall_score(truth, ours) >= wanted - 1e-12
    assert ours.sum() == min(way.sum() for way in ways if recall_score(truth, way) >= wanted - 1e-12)


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from([(1, 1), (5, 1), (1, 5)]))
def test_no_cut_costs_less(problem, costs):
    miss, alarm = costs

    def cost(truth, way):
        return miss * (truth & ~way).sum() + alarm * (~truth & way).sum()

    truth, ways = every_decision(*problem)
    ours = decided(Cost(miss, alarm), *problem)
    assert cost(truth, ours) == min(cost(truth, way) for way in ways)


@settings(max_examples=30, deadline=None)
@given(problems())
def test_no_cut_comes_nearer_to_the_prevalence(problem):
    truth, ways = every_decision(*problem)
    ours = decided(Prevalence(), *problem)
    assert abs(ours.sum() - truth.sum()) == min(abs(way.sum() - truth.sum()) for way in ways[1:])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
class TestEveryRule:
    def problem(self):
        rng = np.random.default_rng(0)
        labels = rng.choice(np.array([-1, 0, 1], np.int8), (60, 4), p=[0.6, 0.1, 0.3])
        labels[:, 3] = -1  # no positive: pooled
        return rng.normal(size=(60, 4)) + labels, labels

    def fitted(self, rule, scores, labels):
        return type(rule)(**{name: getattr(rule, name) for name in rule.parameters}).fit(scores, labels)

    def test_laws(self, rule):
        scores, labels = self.problem()
        ours, rng = self.fitted(rule, scores, labels), np.random.default_rng(1)
        order, columns = rng.permutation(60), rng.permutation(4)
        shuffled = self.fitted(rule, scores[order][:, columns], labels[order][:, columns])
        np.testing.assert_array_equal(shuffled.thresholds, ours.thresholds[columns])
        twice = self.fitted(rule, np.tile(scores, (2, 1)), np.tile(labels, (2, 1)))
        np.testing.assert_array_equal(twice.thresholds, ours.thresholds)
        unknown = self.fitted(rule, np.vstack([scores, scores + 9]), np.vstack([labels, 0 * labels]))
        np.testing.assert_array_equal(unknown.thresholds, ours.thresholds)
        stretched = self.fitted(rule, 3 * scores + 1, labels)
        np.testing.assert_array_equal(stretched(3 * scores + 1), ours(scores))
        assert ours.pooled.tolist() == [False, False, False, True]

    def test_intervals_are_those_of_resampled_data(self, rule):
        scores, labels = self.problem()
        found = self.fitted(rule, scores, labels).intervals(scores, labels, number=40, seed=3)
        weights = np.concatenate(list(resamples(60, 40, 3)))
        for c in range(3):
            known, drawn = labels[:, c] != 0, []
            for weight in weights:
                table = cuts(scores[known, c], labels[known, c] == 1, weight[known])
                drawn.append(np.append(table.thresholds, np.inf)[rule.choose(table)])
                rows = np.repeat(np.arange(60), weight.astype(int))
                again = self.fitted(rule, scores[rows][:, [c]], labels[rows][:, [c]])(scores[rows][:, [c]])[:, 0]
                judged = labels[rows, c] != 0
                np.testing.assert_array_equal((scores[rows, c] >= drawn[-1])[judged], again[judged])
            np.testing.assert_array_equal(
                found[c], np.quantile(drawn, [(1 - 0.95) / 2, (1 + 0.95) / 2], method="inverted_cdf")
            )
        assert np.isnan(found[3]).all()

    def test_survives_json(self, rule):
        scores, labels = self.problem()
        fitted = self.fitted(rule, scores, labels)
        fitted.thresholds[0] = np.inf
        again = decisions.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
        np.testing.assert_array_equal(again.thresholds, fitted.thresholds)
        assert again.to_dict() == fitted.to_dict()


def test_what_is_wanted_may_be_reached_exactly():
    """0.55 * 100 is a little above 55 in floating point."""
    labels = np.where(np.arange(100) < 55, 1, -1).astype(np.int8)[:, None]
    assert 0.55 * 100 > 55
    assert Precision(0.55).fit(np.zeros((100, 1)), labels)(np.zeros((100, 1))).all()
    scores = np.linspace(1, 0, 100)[:, None]
    assert Recall(0.55).fit(scores, np.ones((100, 1), np.int8))(scores).sum() == 55


def test_of_equal_costs_nothing_is_decided():
    scores, labels = np.array([[0.9], [0.8]]), np.array([[-1], [1]], np.int8)
    assert Cost().fit(scores, labels).thresholds.tolist() == [np.inf]  # a miss costs as much as the alarm
    assert Cost(miss=1.01).fit(scores, labels).thresholds.tolist() == [0.8]


def test_a_precision_out_of_reach_is_never_decided():
    scores, labels = np.array([[0.9], [0.5]]), np.array([[-1], [1]], np.int8)
    rule = Precision(0.8).fit(scores, labels)
    assert rule.thresholds.tolist() == [np.inf]
    assert rule.to_dict()["thresholds"] == [None]
    assert not rule(np.array([[1e9]])).any()


def test_smoothing_is_the_labels_at_none_and_the_probabilities_at_much():
    rng = np.random.default_rng(4)
    labels = np.where(rng.random((300, 3)) < [0.4, 0.1, 0.02], 1, -1).astype(np.int8)
    labels[0] = 1
    scores = rng.normal(size=labels.shape) + labels
    plain, some, much = (F1(smoothing=m).fit(scores, labels).thresholds for m in (0.0, 1e-9, 1e12))
    np.testing.assert_array_equal(plain, some)
    probability = Platt().fit(scores, labels)(scores)
    for c in range(3):
        tries = np.sort(scores[:, c])
        expected = [
            2 * probability[scores[:, c] >= t, c].sum() / ((scores[:, c] >= t).sum() + probability[:, c].sum())
            for t in tries
        ]
        assert (scores[:, c] >= much[c]).sum() == 300 - np.argmax(expected)


def test_smoothed_thresholds_of_rare_classes_do_better_on_new_images():
    def drawn(images, seed):
        rng = np.random.default_rng(seed)
        labels = np.where(rng.random((images, 40)) < 0.02, 1, -1).astype(np.int8)
        return rng.normal(size=labels.shape) + 1.5 * (labels == 1), labels

    new, truth = drawn(5000, 0)
    plain, smooth = [], []
    for seed in range(1, 6):
        scores, labels = drawn(300, seed)
        for found, smoothing in ((plain, 0.0), (smooth, 100.0)):
            found.append(np.nanmean(count(F1(smoothing=smoothing).fit(scores, labels)(new), truth).f1))
    assert np.mean(smooth) > np.mean(plain) + 0.02


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: F1(0.0), "beta must be above 0"),
        (lambda: F1(smoothing=-1.0), "smoothing must not be negative"),
        (lambda: Precision(0.0), "wanted precision"),
        (lambda: Recall(1.5), "wanted recall"),
        (lambda: Cost(0.0), "costs must be above 0"),
        (lambda: Recall().fit(np.zeros((2, 1)), -np.ones((2, 1), np.int8)), "'recall' needs at least one"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ManylabelError, match=message):
        make()
