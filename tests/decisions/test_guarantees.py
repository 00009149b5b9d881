"""Promises kept on fresh images: risk control, learn-then-test, label sets; each against brute force or many draws."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel import decisions
from manylabel.decisions.lp_icp import LpIcp
from manylabel.decisions.risk import Risk, hoeffding_bentkus
from manylabel.labels import ManylabelError


def drawn(images, seed, classes=6):
    """Images of different difficulty; some without a positive, some cells unknown."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((images, classes)) < 0.2, 1, -1).astype(np.int8)
    scores = rng.normal(size=labels.shape) * rng.choice([0.5, 2], (images, 1)) + labels
    labels[rng.random(labels.shape) < 0.1] = 0
    return scores, labels


def recall(decided, labels):
    present = labels == 1
    some = present.any(axis=1)
    return ((decided & present).sum(axis=1)[some] / present.sum(axis=1)[some]).mean()


def precision(decided, labels):
    right, wrong = (decided & (labels == 1)).sum(axis=1), (decided & (labels == -1)).sum(axis=1)
    return np.where(right + wrong > 0, right / np.maximum(right + wrong, 1), 1).mean()


class TestRisk:
    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([0.5, 0.8, 0.9]))
    def test_the_threshold_is_the_highest_that_the_bound_allows(self, seed, images, wanted):
        scores, labels = drawn(images, seed)
        scores = scores.round(1)  # ties
        if not (labels == 1).any():
            return
        n = (labels == 1).any(axis=1).sum()
        bound = {t: (n * (1 - recall(scores >= t, labels)) + 1) / (n + 1) for t in scores[labels == 1]}
        good = [t for t, risk in bound.items() if risk <= 1 - wanted + 1e-9]
        rule = Risk(wanted).fit(scores, labels)
        assert rule.images == n
        assert rule.threshold == (max(good) if good else -np.inf)

    def test_recall_holds_on_average_and_is_not_given_away(self):
        new, truth = drawn(20_000, 0)
        found = [recall(Risk(0.9).fit(*drawn(200, seed))(new), truth) for seed in range(1, 121)]
        assert 0.9 - 0.006 < np.mean(found) < 0.92  # the standard error is 0.002

    @pytest.mark.parametrize(("of", "measure", "wanted"), [("recall", recall, 0.8), ("precision", precision, 0.8)])
    def test_learn_then_test_fails_at_most_as_often_as_it_says(self, of, measure, wanted):
        new, truth = drawn(5000, 0)
        rules = [Risk(wanted, of=of, method="ltt", delta=0.2).fit(*drawn(300, seed)) for seed in range(1, 41)]
        found = np.array([measure(rule(new), truth) for rule in rules])
        assert (found < wanted).mean() <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 40)
        assert np.median(found) < wanted + 0.1  # and the promise is not kept by deciding everything, or nothing

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.sampled_from([("recall", recall), ("precision", precision)]))
    def test_learn_then_test_stops_at_the_first_level_that_fails(self, seed, promise):
        scores, labels = drawn(150, seed)
        of, measure = promise
        rule = Risk(0.6, of=of, method="ltt", delta=0.3).fit(scores, labels)
        judged = (labels == 1).any(axis=1) if of == "recall" else (labels != 0).any(axis=1)
        levels = np.unique(np.quantile(scores[judged], np.linspace(0, 1, 1000)))
        last = -np.inf if of == "recall" else np.inf
        for level in levels if of == "recall" else levels[::-1]:
            risk = 1 - measure((scores >= level)[judged], labels[judged])
            if hoeffding_bentkus(risk, int(judged.sum()), 0.4) > 0.3:
                break
            last = level
        assert rule.threshold == last
        assert np.isfinite(last)

    def test_the_p_value_by_its_formula(self):
        stats = pytest.importorskip("scipy.stats")
        for mean, number, limit in (
            (0.05, 100, 0.1),
            (0.0, 30, 0.2),
            (0.199, 500, 0.2),
            (0.3, 40, 0.5),
            (0.2, 9, 0.25),
        ):
            entropy = (mean * np.log(mean / limit) if mean else 0) + (1 - mean) * np.log((1 - mean) / (1 - limit))
            expected = min(np.exp(-number * entropy), np.e * stats.binom.cdf(np.ceil(number * mean), number, limit), 1)
            assert hoeffding_bentkus(mean, number, limit) == pytest.approx(expected)
        assert hoeffding_bentkus(0.3, 40, 0.2) == 1  # at or above the limit nothing speaks against the hypothesis
        assert hoeffding_bentkus(0.2, 40, 0.2) == 1

    def test_unknown_cells_and_images_without_positives_change_nothing(self):
        scores, labels = drawn(100, 3)
        rule = Risk(0.8).fit(scores, labels)
        more = np.vstack([labels, np.zeros((5, 6), np.int8), -np.ones((5, 6), np.int8)])
        again = Risk(0.8).fit(np.vstack([scores, np.full((10, 6), 99.0)]), more)
        assert (again.threshold, again.images) == (rule.threshold, rule.images)

    def test_too_few_images_promise_by_deciding_everything(self):
        rule = Risk(0.9).fit(np.array([[0.3]]), np.array([[1]], np.int8))
        assert rule.threshold == -np.inf
        again = decisions.from_dict(json.loads(json.dumps(rule.to_dict(), allow_nan=False)))
        assert again(np.array([[-1e9]])).all()
        nothing = Risk(0.9, of="precision").fit(np.array([[0.3]]), np.array([[1]], np.int8))
        assert not decisions.from_dict(nothing.to_dict())(np.array([[1e9]])).any()

    def test_the_p_value_is_at_least_the_chance_of_so_low_a_mean(self):
        rng = np.random.default_rng(0)
        for limit in (0.1, 0.3):
            means = (rng.random((20_000, 50)) < limit).mean(axis=1)  # coins: the widest of all losses in [0, 1]
            p = np.array([hoeffding_bentkus(mean, 50, limit) for mean in means])
            for level in (0.01, 0.05, 0.2):
                assert (p <= level).mean() <= level

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"wanted": 1.0}, "between 0 and 1"), ({"of": "recal"}, "'recall'"), ({"method": "lt"}, "'ltt'"),
            ({"of": "precision", "method": "crc"}, "take 'ltt'"), ({"delta": 0.0}, "delta"),
        ],
    )  # fmt: skip
    def test_wrong_input_is_refused(self, options, message):
        with pytest.raises(ManylabelError, match=message):
            Risk(**options)

    def test_nothing_to_judge_is_refused(self):
        with pytest.raises(ManylabelError, match="no image has a known positive"):
            Risk().fit(np.zeros((2, 1)), -np.ones((2, 1), np.int8))


def calibrated(images, classes, seed):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.8, (images, classes))
    return p, np.where(rng.random(p.shape) < p, 1, -1).astype(np.int8)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
class TestLabelSets:
    @pytest.mark.parametrize("miss", [0.05, 0.3, 0.6])
    def test_members_and_forced_labels_equal_brute_force(self, norm, miss):
        rule = LpIcp(miss, norm=norm).fit(*calibrated(60, 5, 0))
        every = np.array(list(product([False, True], repeat=5)))
        for p in calibrated(25, 5, 1)[0]:
            ruled_in = every[rule.p_value(np.tile(p, (32, 1)), every) > miss]
            members = list(rule.members(p))
            assert {tuple(m) for m in members} == {tuple(m) for m in ruled_in}
            assert len(members) == len(ruled_in)
            forced = rule.forced(p[None])[0]
            np.testing.assert_array_equal(rule(p[None])[0], forced == 1)
            if len(ruled_in):
                np.testing.assert_array_equal(forced == 1, ruled_in.all(axis=0))
                np.testing.assert_array_equal(forced == -1, ~ruled_in.any(axis=0))
                np.testing.assert_array_equal(members[0], p > 0.5)
            else:
                assert not forced.any()

    def test_p_values_and_the_limit_by_counting(self, norm):
        p, labels = calibrated(9, 4, 5)
        p = p.round(1)  # some are equally strange
        rule = LpIcp(0.7, norm=norm).fit(p, labels)
        strange = rule.strange(p, labels == 1)
        found = [(1 + sum(other >= own - 1e-9 for other in strange)) / 10 for own in strange]
        np.testing.assert_allclose(rule.p_value(p, labels == 1), found)
        assert (
            rule.limit == np.sort(strange)[2]
        )  # the third of nine: (1 - 0.7) * 10, a little above 3 in floating point

    def test_the_truth_lies_inside_as_often_as_promised(self, norm):
        inside = []
        for seed in range(50):
            p, labels = calibrated(400, 6, seed)
            rule = LpIcp(0.1, norm=norm).fit(p[:200], labels[:200])
            inside.append((rule.p_value(p[200:], labels[200:] == 1) > 0.1).mean())
        assert 0.9 - 2 * 0.03 / np.sqrt(50) < np.mean(inside) < 0.92

    def test_sets_are_nested_and_reach_from_nothing_to_everything(self, norm):
        p, labels = calibrated(99, 4, 2)
        sizes = [len(list(LpIcp(miss, norm=norm).fit(p, labels).members(p[0]))) for miss in (0.001, 0.1, 0.5, 0.999)]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] == 16  # 99 images cannot rule out what happens once in a thousand


def test_more_labels_than_any_list_could_hold():
    p, labels = calibrated(300, 60, 0)
    rule = LpIcp(0.1).fit(p, labels)
    with pytest.raises(ManylabelError, match="`forced`"):
        list(rule.members(p[0], most=100))
    assert rule.forced(p).shape == (300, 60)
    again = decisions.from_dict(json.loads(json.dumps(rule.to_dict())))
    np.testing.assert_array_equal(again(p), rule(p))


def test_images_with_unknown_cells_are_left_out_and_counted():
    p, labels = calibrated(50, 3, 0)
    labels[:10, 1] = 0
    rule = LpIcp().fit(p, labels)
    assert (rule.left_out, len(rule.strangeness)) == (10, 40)
    with pytest.raises(ManylabelError, match="all its labels known"):
        LpIcp().fit(p[:10], labels[:10])
    with pytest.raises(ManylabelError, match=r"probability in \[0, 1\]"):
        LpIcp().fit(p + 3, labels)
    for ask in (rule, rule.forced, lambda x: list(rule.members(x[0])), lambda x: rule.p_value(x, labels == 1)):
        for bad in (p + 3, p - 1, np.where(p < 0.5, np.nan, p)):
            with pytest.raises(ManylabelError, match="calibrate logits first"):
                ask(bad)
