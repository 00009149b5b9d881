"""AUROC, ranking loss, LRAP, coverage and one-error against two oracles, by hand, and under unknown cells."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from manylabel.labels import ManylabelError
from manylabel.metrics import definitions, ordering, per_image


@st.composite
def problems(draw):
    """Scores with ties or without; some rows and columns empty, full or wholly unknown."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images, classes = draw(st.integers(1, 30)), draw(st.integers(1, 12))
    scores = rng.integers(0, draw(st.sampled_from([1, 3, 10_000])), (images, classes)).astype(np.float64)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=draw(st.sampled_from(MIXES)))
    labels[rng.integers(images)] = draw(st.sampled_from([-1, 0, 1]))
    return scores, labels


MIXES = [[0.4, 0.3, 0.3], [0.7, 0.0, 0.3], [0.05, 0.05, 0.9]]


@settings(max_examples=30, deadline=None)
@given(problems())
def test_auroc_equals_scikit_learn_on_the_known_cells(problem):
    scores, labels = problem
    for c, ours in enumerate(ordering.auroc(scores, labels)):
        known = labels[:, c] != 0
        truth = labels[known, c] == 1
        if truth.any() and not truth.all():
            assert ours == pytest.approx(sk.roc_auc_score(truth, scores[known, c]), abs=1e-12)
        else:
            assert np.isnan(ours)


PER_IMAGE = [
    (ordering.ranking_loss, sk.label_ranking_loss, lambda truth: truth.any() and not truth.all()),
    (per_image.label_ranking_average_precision, sk.label_ranking_average_precision_score, lambda truth: truth.any()),
    (per_image.coverage_error, sk.coverage_error, lambda truth: truth.any()),
]


@pytest.mark.parametrize(("ours", "theirs", "judged"), PER_IMAGE, ids=lambda f: getattr(f, "__name__", ""))
@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_per_image_numbers_equal_scikit_learn_on_the_known_cells(ours, theirs, judged, problem):
    scores, labels = problem
    for row, states, value in zip(scores, labels, ours(scores, labels)):
        truth = states[states != 0] == 1
        if not judged(truth):
            assert np.isnan(value)
        elif len(truth) == 1:  # scikit-learn does not take a single class
            assert value == {ordering.ranking_loss: 0}.get(ours, 1)
        else:
            assert value == pytest.approx(theirs(truth[None], row[states != 0][None]), abs=1e-12)


def test_equal_torchmetrics(torchmetrics):
    rng = np.random.default_rng(5)
    scores, labels = rng.random((200, 9)), np.where(rng.random((200, 9)) < 0.3, 1, -1).astype(np.int8)
    labels[:, 0] = np.where(np.arange(200) % 2, 1, -1)  # no row without a positive or a negative beside it
    judged = (labels == 1).any(1) & (labels == -1).any(1)
    scores, labels = scores[judged], labels[judged]
    given = torch.from_numpy(scores), torch.from_numpy((labels == 1).astype(int))
    pairs = {
        "multilabel_auroc": ordering.auroc(scores, labels).mean(),
        "multilabel_ranking_loss": ordering.ranking_loss(scores, labels).mean(),
        "multilabel_ranking_average_precision": per_image.label_ranking_average_precision(scores, labels).mean(),
        "multilabel_coverage_error": per_image.coverage_error(scores, labels).mean(),
    }
    for name, ours in pairs.items():
        assert ours == pytest.approx(float(getattr(torchmetrics, name)(*given, num_labels=9)), abs=1e-5), name


def test_the_ignored_cell_of_coverage_does_not_become_the_lowest():
    # users.md: scores .9 .8 .1, targets ?, 1, 0: torchmetrics says 3, one class suffices
    assert per_image.coverage_error(np.array([[0.9, 0.8, 0.1]]), np.array([[0, 1, -1]], np.int8)) == 1


def test_one_error_by_hand():
    scores = np.array([[0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.9, 0.9, 0.2], [0.9, 0.9, 0.2], [0.3, 0.2, 0.1]])
    labels = np.array([[1, -1, -1], [-1, 1, -1], [1, -1, 1], [0, -1, 1], [-1, -1, 0]], np.int8)
    np.testing.assert_array_equal(per_image.one_error(scores, labels), [0, 1, 0.5, 1, np.nan])


@settings(max_examples=30, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_a_class_nobody_judged_changes_nothing(problem, seed):
    scores, labels = problem
    wide = np.hstack([scores, np.random.default_rng(seed).normal(size=(len(scores), 1)) * 1e4])
    more = np.hstack([labels, np.zeros((len(labels), 1), np.int8)])
    for metric in (
        ordering.ranking_loss,
        per_image.label_ranking_average_precision,
        per_image.coverage_error,
        per_image.one_error,
    ):
        np.testing.assert_array_equal(metric(wide, more), metric(scores, labels))


def highest(curve, recall):
    """The highest precision at that recall or beyond."""
    return max(p for p, q in curve if q >= recall - 1e-12)


class TestDefinitions:
    def test_equal_the_recorded_meters(self, golden):
        recorded = golden("metrics_noties_f64")
        labels = np.where(recorded["targets"] == 1, 1, -1).astype(np.int8)
        judged = np.arange(20) != 18  # the class without a positive
        for name, meter, scale in (("rank", "cprfl_meter_ap", 1), ("rank", "asl_ap", 1), ("voc", "q2l_aps", 100)):
            ours = definitions.average_precision_by(name, recorded["logits"], labels)
            np.testing.assert_allclose(scale * ours[judged], recorded[meter][judged], rtol=0, atol=1e-7)
            assert np.isnan(ours[18])

    def test_rank_breaks_ties_by_the_order_of_images(self, golden):
        scores, labels = np.array([[0.5], [0.5], [0.1]]), np.array([[-1], [1], [1]], np.int8)
        assert definitions.average_precision_by("rank", scores, labels)[0] == pytest.approx((1 / 2 + 2 / 3) / 2)
        turned = definitions.average_precision_by("rank", scores[[1, 0, 2]], labels[[1, 0, 2]])
        assert turned[0] == pytest.approx((1 + 2 / 3) / 2)
        recorded = golden("metrics_ties_f64")
        labels = np.where(recorded["targets"] == 1, 1, -1).astype(np.int8)
        ours = definitions.average_precision_by("steps", recorded["logits"], labels)
        np.testing.assert_allclose(ours[:18], recorded["sklearn_ap"][:18], atol=1e-12)

    @settings(max_examples=30, deadline=None)
    @given(problems())
    def test_voc_by_its_own_words(self, problem):
        scores, labels = problem
        ours = {name: definitions.average_precision_by(name, scores, labels) for name in ("voc", "voc11")}
        for c in range(scores.shape[1]):
            known = labels[:, c] != 0
            if not (labels[:, c] == 1).any():
                assert np.isnan(ours["voc"][c])
                continue
            precision, recall, _ = sk.precision_recall_curve(labels[known, c] == 1, scores[known, c])
            # scikit-learn's curve ends at recall 0 with precision 1, a point that no threshold reaches
            curve = [(p, q) for p, q in zip(precision[:-1], recall[:-1])]
            eleven = np.mean([highest(curve, t / 10) for t in range(11)])
            points = np.unique(recall[:-1])
            area = sum((b - a) * highest(curve, b) for a, b in zip([0, *points], points))
            assert ours["voc"][c] == pytest.approx(area, abs=1e-12)
            assert ours["voc11"][c] == pytest.approx(eleven, abs=1e-12)

    def test_a_typo_names_the_nearest(self):
        with pytest.raises(ManylabelError, match="voc11"):
            definitions.average_precision_by("voc1", np.zeros((1, 1)), np.ones((1, 1), np.int8))
