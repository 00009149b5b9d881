"""Adaptive thresholds: the stated optimum, the paper's properties, and that no label of a decided image enters."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize

from manylabel import decisions
from manylabel.decisions._neighbours import local_share, nearest, prevalence, rarity
from manylabel.decisions.adathresh import MARGIN, RANKING, Adathresh, balanced
from manylabel.decisions.f1 import F1
from manylabel.decisions.platt import Platt, sigmoid
from manylabel.labels import ManylabelError
from manylabel.metrics import count

SCALES = ["logit", "row"]


def problem(images=120, classes=4, seed=0, unknown=0.2):
    """Images in groups that share their labels, scores that say little: neighbours by features help."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 8, images)
    truth = rng.random((8, classes))[group] < rng.uniform(0.2, 0.8, classes)
    labels = np.where(truth ^ (rng.random(truth.shape) < 0.05), 1, -1).astype(np.int8)
    labels[rng.random(labels.shape) < unknown] = 0
    features = rng.normal(size=(8, 5))[group] + 0.05 * rng.normal(size=(images, 5))
    return rng.normal(size=labels.shape) + 0.5 * labels, labels, features


def brute_local(labels, neighbours, default):
    """The definition, a cell at a time."""
    result = np.empty((len(neighbours), labels.shape[1]))
    for i, row in enumerate(neighbours):
        for c in range(labels.shape[1]):
            known = [labels[j, c] for j in row if labels[j, c] != 0]
            result[i, c] = np.mean([state == 1 for state in known]) if known else default[c]
    return result


def cost(z, labels, theta_of, t, weight):
    """The objective in the paper's words, one class, its hinge's corner rounded over the margin."""
    total = 0.0
    for z_i, state, t_i in zip(z, labels, t):
        if state == 0:
            continue
        right = state * (z_i - theta_of(t_i))
        short = MARGIN - right
        hinge = 0.0 if short <= 0 else short - MARGIN / 2 if short >= MARGIN else short**2 / (2 * MARGIN)
        total += (weight if state == 1 else 1.0) * np.log1p(np.exp(-right)) + RANKING * hinge
    return total


LINKS = {"logit": lambda t: t, "row": lambda t: 1 / (1 + np.exp(-t))}


class TestNeighbours:
    def test_are_the_nearest_by_brute_force_and_never_the_image_itself(self):
        rng = np.random.default_rng(0)
        points, queries = rng.normal(size=(30, 3)) + 1e4, rng.normal(size=(7, 3)) + 1e4
        distances = np.linalg.norm(queries[:, None] - points, axis=2)
        np.testing.assert_array_equal(nearest(points, queries, k=4), np.argsort(distances, axis=1)[:, :4])
        own = np.linalg.norm(points[:, None] - points, axis=2) + np.diag(np.full(30, np.inf))
        np.testing.assert_array_equal(nearest(points, k=5), np.argsort(own, axis=1)[:, :5])

    def test_blocks_change_nothing(self, monkeypatch):
        rng = np.random.default_rng(1)
        points, queries = rng.normal(size=(40, 2)), rng.normal(size=(23, 2))
        labels = rng.choice(np.array([-1, 0, 1], np.int8), (40, 3))
        whole = nearest(points, k=3), nearest(points, queries, k=3)
        shares = local_share(labels, whole[1], np.zeros(3))
        monkeypatch.setattr("manylabel.decisions._neighbours.PAIRS", 200)
        monkeypatch.setattr("manylabel.decisions._neighbours.CELLS", 40)
        np.testing.assert_array_equal(nearest(points, k=3), whole[0])
        np.testing.assert_array_equal(nearest(points, queries, k=3), whole[1])
        np.testing.assert_array_equal(local_share(labels, whole[1], np.zeros(3)), shares)

    def test_few_points(self):
        assert nearest(np.zeros((1, 2)), k=5).shape == (1, 0)
        assert nearest(np.zeros((2, 2)), np.zeros((3, 2)), k=5).shape == (3, 2)
        np.testing.assert_array_equal(nearest(np.array([[0.0], [2.0], [5.0]]), k=9), [[1, 2], [0, 2], [1, 0]])

    def test_only_known_neighbours_count_and_without_any_the_prevalence(self):
        _, labels, features = problem()
        labels[:, 3] = 0
        neighbours = nearest(features, k=2)
        default = prevalence(labels)
        known = labels[:, :3] != 0
        assert default[0] == (labels[:, 0] == 1).sum() / known[:, 0].sum()
        assert default[3] == (labels == 1).sum() / known.sum()
        np.testing.assert_allclose(local_share(labels, neighbours, default), brute_local(labels, neighbours, default))

    def test_rarity_by_hand(self):
        # known 4, 4, 2, 0 and positives 4, 1, 0, 0: log of 5/5, 5/2, 3/1; the last class, unknown, stands at the mean
        labels = np.array([[1, 1, -1, 0], [1, -1, -1, 0], [1, -1, 0, 0], [1, -1, 0, 0]], np.int8)
        raw = np.log([1, 2.5, 3])
        np.testing.assert_allclose(rarity(labels), [*(raw - raw.mean()) / raw.std(), 0])
        np.testing.assert_array_equal(rarity(labels[:, :1]), [0])


@pytest.mark.parametrize("scale", SCALES)
class TestFit:
    def parts(self, rule, scores, labels):
        """z, idf and local shares from the definitions."""
        if rule.scale == "row":
            z = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
        else:
            known = labels != 0
            one = Platt().fit(scores[known][:, None], labels[known][:, None])
            z = scores / one.temperatures[0] + one.biases[0]
        local = brute_local(labels, nearest(scores, k=rule.k), prevalence(labels))
        return z, rarity(labels), local

    def test_the_gradient_is_that_of_the_stated_objective(self, scale):
        scores, labels, _ = problem()
        rule = Adathresh(scale=scale, share=0.4).fit(scores, labels)
        z, idf, local = self.parts(rule, scores, labels)
        weights = np.random.default_rng(2).normal(size=(4, 3))

        def by_hand(weights):
            t = 0.4 * weights[:, 0] * idf + 0.6 * weights[:, 1] * local + weights[:, 2]
            return np.array([cost(z[:, c], labels[:, c], LINKS[scale], t[:, c], 2.0) for c in range(4)])

        value, slopes, bends = rule._sums(weights, z, labels, local)
        np.testing.assert_allclose(value, by_hand(weights))
        for j in range(3):
            step = np.zeros(3)
            step[j] = 1e-6
            numeric = (by_hand(weights + step) - by_hand(weights - step)) / 2e-6
            np.testing.assert_allclose(slopes[:, j], numeric, rtol=1e-5, atol=1e-5)
            if scale == "logit":  # elsewhere the curvature leaves out what may be negative
                there, back = (rule._sums(weights + s * step, z, labels, local)[1] for s in (1, -1))
                np.testing.assert_allclose(bends[:, j], (there - back) / 2e-6, rtol=1e-4, atol=1e-3)

    def test_weights_are_the_optimum(self, scale):
        scores, labels, _ = problem(images=60)
        labels[:, 3] = np.where(labels[:, 3] == 1, 0, labels[:, 3])  # no positive: takes the shared weights
        rule = Adathresh(scale=scale, share=0.4, positive_weight=3.0).fit(scores, labels)
        z, idf, local = self.parts(rule, scores, labels)

        def objective(w, classes, shrinkage, centre):
            t = 0.4 * w[0] * idf + 0.6 * w[1] * local + w[2]
            data = sum(cost(z[:, c], labels[:, c], LINKS[scale], t[:, c], 3.0) for c in classes)
            return data + shrinkage / 2 * ((w - centre) ** 2).sum()

        shared = minimize(objective, np.zeros(3), args=(range(4), 1e-3, np.zeros(3)), tol=1e-9).x
        np.testing.assert_allclose(rule.weights[3], shared, rtol=1e-2, atol=2e-3)
        assert rule.pooled.tolist() == [False, False, False, True]
        for c in range(3):
            own = minimize(objective, shared, args=([c], 5.0, rule.weights[3]), tol=1e-9)
            here = objective(rule.weights[c], [c], 5.0, rule.weights[3])
            assert here <= own.fun + 1e-6
            np.testing.assert_allclose(rule.weights[c], own.x, atol=2e-3)

    def test_without_weights_every_threshold_is_one_half(self, scale):
        scores, labels, _ = problem()
        rule = Adathresh(scale=scale).fit(scores, labels)
        rule.weights = np.zeros((4, 3))
        np.testing.assert_array_equal(rule.thresholds(scores), np.full(scores.shape, 0.5))
        z = self.parts(rule, scores, labels)[0]
        on_its_scale = sigmoid(z) if scale == "logit" else z
        np.testing.assert_array_equal(rule(scores), on_its_scale >= 0.5)

    def test_decisions_follow_the_formula(self, scale):
        scores, labels, _ = problem()
        new, _, _ = problem(seed=3)
        rule = Adathresh(3, scale=scale).fit(scores, labels)
        local = brute_local(labels, nearest(scores, new, k=3), rule.prevalence)
        alpha, beta, b = rule.weights.T
        theta = 1 / (1 + np.exp(-(rule.lam * alpha * rule.idf + (1 - rule.lam) * beta * local + b)))
        np.testing.assert_allclose(rule.thresholds(new), theta)
        z = rule.slope * new + rule.offset
        row = (new - new.mean(axis=1, keepdims=True)) / new.std(axis=1, keepdims=True)
        np.testing.assert_array_equal(rule(new), (sigmoid(z) if scale == "logit" else row) >= theta)

    def test_an_image_is_decided_the_same_in_any_company(self, scale):
        scores, labels, _ = problem()
        new, _, _ = problem(seed=3)
        rule = Adathresh(scale=scale).fit(scores, labels)
        together = rule.thresholds(new)
        for i in (0, 5):
            np.testing.assert_allclose(rule.thresholds(new[[i]])[0], together[i])
        np.testing.assert_allclose(rule.thresholds(new[::-1])[::-1], together)

    def test_all_the_neighbours_are_the_prevalence(self, scale):
        scores, labels, _ = problem()
        rule = Adathresh(10_000, scale=scale).fit(scores, labels)
        new = problem(seed=3)[0]
        np.testing.assert_allclose(rule._local(new, None), np.tile(prevalence(labels), (len(new), 1)))
        assert np.ptp(rule.thresholds(new), axis=0).max() < 1e-12

    def test_a_share_of_one_ignores_the_neighbours(self, scale):
        scores, labels, features = problem()
        rule = Adathresh(share=1.0, scale=scale).fit(scores, labels)
        assert np.ptp(rule.thresholds(problem(seed=3)[0]), axis=0).max() == 0
        other = Adathresh(share=1.0, scale=scale).fit(scores, labels, neighbours=nearest(features, k=3))
        np.testing.assert_array_equal(other.weights, rule.weights)
        none = Adathresh(share=0.0, scale=scale).fit(scores, labels)
        assert np.ptp(none.thresholds(scores), axis=0).min() > 1e-4


def test_a_label_enters_nowhere_but_in_its_class_and_never_in_its_own_image():
    scores, labels, _ = problem(unknown=0.0)
    turned = labels.copy()
    turned[7, 2] *= -1
    one, other = (Adathresh(share=0.5).fit(scores, states) for states in (labels, turned))
    for rule, states in ((one, labels), (other, turned)):
        np.testing.assert_array_equal(rule.labels, states)
    local = [rule._remember(scores, states, None) for rule, states in ((one, labels), (other, turned))]
    np.testing.assert_array_equal(local[0][7], local[1][7])
    changed = np.argwhere(local[0] != local[1])
    assert len(changed)
    assert set(changed[:, 1]) == {2}
    assert all(7 in nearest(scores, k=10)[i] for i in changed[:, 0])


def test_what_nobody_knows_changes_nothing():
    scores, labels, _ = problem()
    rng = np.random.default_rng(5)
    wide = np.vstack([np.hstack([scores, rng.normal(size=(120, 2)) * 50]), rng.normal(size=(9, 6))])
    more = np.zeros(wide.shape, np.int8)
    more[:120, :4] = labels
    plain, padded = Adathresh().fit(scores, labels), Adathresh().fit(wide, more)
    np.testing.assert_allclose(padded.weights[:4], plain.weights, atol=1e-9)
    np.testing.assert_allclose(padded.thresholds(wide)[:120, :4], plain.thresholds(scores), atol=1e-9)
    assert padded.lam == pytest.approx(plain.lam)
    np.testing.assert_array_equal(padded.weights[4], padded.weights[5])
    assert padded.pooled.tolist() == [False] * 4 + [True] * 2


def test_neighbours_of_an_encoder_serve_in_fit_and_in_deciding():
    every = problem(images=800, unknown=0.3)
    (scores, new), (labels, truth), (features, theirs) = ((part[:400], part[400:]) for part in every)
    rule = Adathresh().fit(scores, labels, neighbours=nearest(features))
    decided = rule(new, neighbours=nearest(features, theirs))
    assert rule.points is None
    per_class = F1().fit(scores, labels)(new)
    assert count(decided, truth).f1.mean() > count(per_class, truth).f1.mean() + 0.15
    again = decisions.from_dict(json.loads(json.dumps(rule.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again(new, neighbours=nearest(features, theirs)), decided)


def test_lambda_is_balanced_and_changes_no_shared_threshold():
    for alpha, beta in ((3.0, -0.5), (0.0, 2.0), (1.0, 0.0), (0.0, 0.0)):
        lam, (weights,) = balanced(np.array([[alpha, beta, 0.7]]))
        np.testing.assert_allclose([lam * weights[0], (1 - lam) * weights[1]], [alpha / 2, beta / 2], atol=1e-12)
        own = weights[0] ** 2 + weights[1] ** 2
        for other in (lam - 0.01, lam + 0.01):
            if 0 < other < 1 and alpha and beta:
                assert (alpha / 2 / other) ** 2 + (beta / 2 / (1 - other)) ** 2 > own


def test_rare_classes_lean_on_the_shared_weights():
    scores, labels, _ = problem(images=200, unknown=0.0)
    labels[:, 0] = -1
    labels[[3, 50], 0] = 1
    weak, strong = (Adathresh(share=0.5, shrinkage=s).fit(scores, labels) for s in (1e-3, 1e9))
    assert np.ptp(strong.weights, axis=0).max() < 1e-5
    assert np.ptp(weak.weights, axis=0).min() > 0.1
    fewer = labels.copy()
    fewer[:, 1], fewer[:, 2] = 1, 0  # no negative, nothing known: the shared weights themselves
    lacking = Adathresh(share=0.5, shrinkage=1e-3).fit(scores, fewer)
    np.testing.assert_array_equal(lacking.weights[1], lacking.weights[2])
    assert lacking.pooled.tolist() == [False, True, True, False]
    default = Adathresh(share=0.5).fit(scores, labels)
    away = [np.linalg.norm(rule.weights[0] - strong.weights[0]) for rule in (default, weak)]
    assert away[0] < away[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s, y: Adathresh(0), "k must be at least 1"),
        (lambda s, y: Adathresh(share=1.2), "between 0 and 1"),
        (lambda s, y: Adathresh(positive_weight=0.0), "must be above 0"),
        (lambda s, y: Adathresh(scale="rows"), "Did you mean 'row'"),
        (lambda s, y: Adathresh().fit(s, np.abs(y)), "known positive and one known negative"),
        (lambda s, y: Adathresh().fit(s, y, neighbours=np.array([[1], [1]])), "row 1 of neighbours names itself"),
        (lambda s, y: Adathresh().fit(s, y, neighbours=np.array([[1], [2]])), "row 1 of neighbours names 2"),
        (lambda s, y: Adathresh().fit(s, y, neighbours=np.array([[1.0], [0.0]])), "whole numbers"),
        (lambda s, y: Adathresh().fit(s, y)(s, neighbours=np.array([[1], [0]])), "fitted without neighbours"),
        (lambda s, y: Adathresh().fit(s, y, neighbours=np.array([[1], [0]]))(s), "fitted with neighbours"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(make, message):
    with pytest.raises(ManylabelError, match=message):
        make(np.array([[0.5, 0.2], [0.1, 0.3]]), np.array([[1, -1], [-1, 0]], np.int8))


def test_one_image_or_one_class_is_enough():
    alone = Adathresh().fit(np.array([[2.0, -1.0]]), np.array([[1, -1]], np.int8))
    assert np.isfinite(alone.thresholds(np.zeros((3, 2)))).all()
    for scale in SCALES:
        rule = Adathresh(scale=scale).fit(np.array([[2.0], [-1.0]]), np.array([[1], [-1]], np.int8))
        assert np.isfinite(rule.thresholds(np.zeros((3, 1)))).all()
