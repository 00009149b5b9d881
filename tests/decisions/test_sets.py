"""Rules that decide by image: the k highest, the expected number, sparsemax; and the closure of hierarchies."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.decisions.label_count import LabelCount
from manylabel.decisions.platt import Platt
from manylabel.decisions.sparsemax import Sparsemax, sparsemax, support
from manylabel.decisions.top_k import TopK
from manylabel.hierarchy import ancestors, close_down, close_up, coherent
from manylabel.labels import ManylabelError


def test_the_k_highest_of_ties_the_first():
    scores = np.array([[0.5, 0.5, 0.1, 0.5], [0.0, 1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(TopK(2)(scores), [[1, 1, 0, 0], [0, 0, 1, 1]])
    np.testing.assert_array_equal(TopK(9)(scores), np.ones((2, 4)))
    many = np.random.default_rng(0).integers(0, 9, (20, 500))
    firsts = [sorted(range(500), key=lambda c, row=row: -row[c])[:3] for row in many]  # Python's sort keeps the order
    np.testing.assert_array_equal(np.nonzero(TopK(3)(many))[1].reshape(-1, 3), firsts)
    with pytest.raises(ManylabelError, match="k must be"):
        TopK(0)


def test_as_many_labels_as_calibrated_probabilities_expect():
    rng = np.random.default_rng(0)
    richness = rng.choice([0.05, 0.5, 0.95], (4000, 1))
    labels = np.where(rng.random((4000, 8)) < richness, 1, -1).astype(np.int8)
    logits = np.log(richness / (1 - richness)) + rng.normal(size=labels.shape) * 0.1
    rule = LabelCount().fit(logits, labels)
    number = rule(logits).sum(axis=1)
    for share, expected in ((0.05, 0), (0.5, 4), (0.95, 8)):
        assert np.median(number[richness[:, 0] == share]) == expected
    np.testing.assert_array_equal(rule(logits[:, ::-1])[:5].shape, (5, 8))


def test_half_a_label_more_or_less_is_none():
    rule = LabelCount()
    rule.calibration = Platt()
    for classes, expected in ((1, 0), (2, 1), (3, 1), (4, 2), (5, 2)):  # each 0.5
        rule.calibration.temperatures, rule.calibration.biases = np.ones(classes), np.zeros(classes)
        assert rule(np.zeros((1, classes))).sum() == expected


class TestSparsemax:
    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_is_the_nearest_point_of_the_simplex(self, seed):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(1, 4)) * rng.choice([0.1, 1, 5])
        p = sparsemax(z)[0]
        assert p.sum() == pytest.approx(1)
        assert (p >= 0).all()
        # optimality: z - p is the same number tau on the support and no larger beyond it (Karush, Kuhn and Tucker)
        gap = z[0] - p
        assert np.ptp(gap[p > 0]) < 1e-12
        assert (gap[p == 0] <= gap[p > 0].max() + 1e-12).all()
        np.testing.assert_allclose(sparsemax(p[None])[0], p, atol=1e-12)
        np.testing.assert_allclose(sparsemax(z + 7), sparsemax(z), atol=1e-12)

    def test_the_larger_the_scale_the_fewer_classes(self):
        scores = np.random.default_rng(0).normal(size=(50, 10))
        sizes = [support(scores, scale, -1e9).sum() for scale in (0.01, 0.5, 2, 100)]
        assert sizes == sorted(sizes, reverse=True)
        assert (sizes[0], sizes[-1]) == (500, 50)

    def test_fit_finds_labels_that_follow_the_image(self):
        rng = np.random.default_rng(1)
        labels = np.where(rng.random((400, 12)) < 0.2, 1, -1).astype(np.int8)
        scores = rng.normal(size=(400, 1)) * 3 + labels * 3 + rng.normal(size=labels.shape) * 0.3  # own level each
        labels[:, 0] = 1  # so that no image is empty, which no level could tell
        scores[:, 0] += 6 * (scores[:, 0] < scores.max(axis=1) - 3)
        rule = Sparsemax().fit(scores, labels)
        cuts = np.quantile(scores, np.linspace(0, 1, 200))

        def micro(decided):
            return 2 * (decided & (labels == 1)).sum() / (decided.sum() + (labels == 1).sum())

        assert micro(rule(scores)) > max(micro(scores >= t) for t in cuts) + 0.02

    def test_fit_is_the_best_of_all_that_it_tries_on_known_cells(self):
        rng = np.random.default_rng(2)
        labels = np.where(rng.random((40, 5)) < 0.4, 1, -1)
        scores = rng.normal(size=labels.shape) + labels
        labels = np.where(rng.random(labels.shape) < 0.4, 0, labels).astype(np.int8)
        scores[labels == 0] += 3  # what nobody judged scores high

        def micro(decided):
            known = decided & (labels != 0)
            return 2 * (known & (labels == 1)).sum() / (known.sum() + (labels == 1).sum())

        judged = scores[(labels != 0).any(axis=1)]
        tried = [
            micro(support(scores, scale / judged.std(), place))
            for place in np.quantile(judged, np.linspace(0.5, 0.99, 11))
            for scale in np.geomspace(0.01, 100, 41)
        ]
        assert micro(Sparsemax().fit(scores, labels)(scores)) == max(tried)

    def test_of_many_images_some_from_everywhere_are_looked_at(self, monkeypatch):
        rng = np.random.default_rng(3)
        labels = np.where(rng.random((300, 4)) < 0.4, 1, -1).astype(np.int8)
        scores = 3.0 * labels + rng.normal(size=labels.shape)
        scores[:100] = rng.normal(size=(100, 4)) - 30  # the first images say nothing
        whole = Sparsemax().fit(scores, labels)
        monkeypatch.setattr("manylabel.decisions.sparsemax.MOST", 100)
        part = Sparsemax().fit(scores, labels)
        right = [(rule(scores) == (labels == 1))[100:].mean() for rule in (whole, part)]
        assert min(right) > 0.95

    def test_wrong_input_is_refused(self):
        with pytest.raises(ManylabelError, match="scale"):
            Sparsemax(0.0)
        with pytest.raises(ManylabelError, match="at least one known positive"):
            Sparsemax().fit(np.zeros((1, 1)), np.zeros((1, 1), np.int8))


@st.composite
def hierarchies(draw):
    """A directed graph without circles, its classes in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(1, 7))
    order = rng.permutation(number)
    parents = [[] for _ in range(number)]
    for place, c in enumerate(order):
        parents[c] = [int(p) for p in order[:place] if rng.random() < 0.4]
    return parents


@settings(max_examples=60, deadline=None)
@given(hierarchies(), st.integers(0, 2**32 - 1))
def test_closures_are_the_smallest_change_that_respects_the_hierarchy(parents, seed):
    number = len(parents)

    def respects(decided):
        return all(decided[p] or not decided[c] for c in range(number) for p in parents[c])

    decided = np.random.default_rng(seed).random(number) < 0.5
    up, down = close_up(decided[None], parents)[0], close_down(decided[None], parents)[0]
    legal = [np.array(one) for one in product([False, True], repeat=number) if respects(one)]
    np.testing.assert_array_equal(up, np.all([one for one in legal if (one >= decided).all()], axis=0))
    np.testing.assert_array_equal(down, np.any([one for one in legal if (one <= decided).all()], axis=0))
    scores = np.random.default_rng(seed).normal(size=(3, number))
    raised = coherent(scores, parents)
    assert all(respects(row >= t) for row in raised for t in scores.ravel())
    np.testing.assert_array_equal(
        raised, [[row[ancestors(parents)[:, a]].max() for a in range(number)] for row in scores]
    )


def test_a_circle_and_a_stranger_are_named():
    with pytest.raises(ManylabelError, match="class 2 is its own ancestor: its parent 1 lies below it"):
        ancestors([[], [2], [1]])
    with pytest.raises(ManylabelError, match="class 0 has the parent 5; there are 2 classes"):
        ancestors([[5], []])
    with pytest.raises(ManylabelError, match="class 1 has the parent -1; there are 2 classes"):
        ancestors([[], [-1]])
    deep = [[], *([c] for c in range(3000))]
    assert ancestors(deep)[-1].all()
