"""Laws that every number of `evaluate` owes, key by key; where one does not hold by definition, the key and the reason.

A new key is in all of these at once: it either obeys or is listed with its reason, and what is listed must really break
the law, so that no list outlives its reason.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.metrics import Settings, evaluate
from manylabel.metrics.at_k import inverse_propensities
from manylabel.metrics.evaluation import HEADLINE
from manylabel.metrics.more import METRICS

KEYS = (*HEADLINE, *(metric.key for metric in METRICS))
TRAIN, PLACES = 2000, (1, 3, 5)


def at(*names):
    return {f"{name}@{k}" for name in names for k in PLACES}


TOP3 = {f"{key}_top3" for key in ("cp", "cr", "cf1", "op", "or", "of1")}
DECIDED = {
    "cf1", "of1", "cp", "cr", "op", "or", "f1_macro", "f1_samples", "f2_macro", "jaccard_macro", "jaccard_micro",
    "jaccard_samples", "hamming_loss", "subset_accuracy",
}  # fmt: skip
CALIBRATION = {"brier", "ece", "ece_adaptive"}
WITHIN_CLASSES = {"map", "map_head", "map_medium", "map_tail", "map_weighted", "auroc"}
WITHIN_IMAGES = {"lrap", "coverage_error", "ranking_loss", "one_error"} | TOP3
WITHIN_IMAGES |= at("p", "r", "rp", "ndcg", "psp", "psndcg")


class Problem:
    """Scores, labels, decisions, probabilities and training counts that have nothing to do with each other."""

    def __init__(self, rng, images, classes, levels, mix):
        shape = images, classes
        self.scores = rng.integers(0, levels, shape) / levels + (1e-9 * rng.random(shape) if levels > 1000 else 0)
        self.labels = rng.choice(np.array([-1, 0, 1], np.int8), shape, p=mix)
        self.decisions = rng.random(shape) < 0.4
        self.probabilities = rng.random(shape)
        self.counts = rng.integers(0, 300, classes)

    def numbers(self, **changes):
        """Every key's number with some parts changed."""
        parts = {key: changes.get(key, getattr(self, key)) for key in vars(self)}
        found = evaluate(
            parts["scores"], parts["labels"], names=[f"c{c}" for c in range(parts["labels"].shape[1])],
            train_counts=parts["counts"], decisions=parts["decisions"], probabilities=parts["probabilities"],
            train_images=TRAIN, settings=Settings(resamples=0),
        )  # fmt: skip
        json.dumps(found, allow_nan=False)
        return {key: found[key] for key in KEYS}

    def rows(self, index):
        return {key: getattr(self, key)[index] for key in vars(self) if key != "counts"}

    def columns(self, index):
        return {key: getattr(self, key)[..., index] for key in vars(self)}


@st.composite
def problems(draw, ties=True):
    """Small tables with ties or without; some with rows and columns that hold nothing, or all, or nothing known."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 5, 10**6])) if ties else 10**6
    mix = draw(st.sampled_from([[0.5, 0.2, 0.3], [0.7, 0.0, 0.3], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))
    problem = Problem(rng, draw(st.integers(1, 14)), draw(st.integers(1, 9)), levels, mix)
    problem.labels[rng.integers(len(problem.labels))] = draw(st.sampled_from([-1, 0, 1]))
    problem.labels[:, rng.integers(problem.labels.shape[1])] = draw(st.sampled_from([-1, 0, 1]))
    return problem


def typical(seed=0):
    return Problem(np.random.default_rng(seed), 60, 8, 10**6, [0.5, 0.1, 0.4])


def same(one, other, without=()):
    """Equal numbers, and None where the other is None."""
    for key in KEYS:
        if key not in without:
            assert (one[key] is None) == (other[key] is None), key
            assert one[key] is None or one[key] == pytest.approx(other[key], abs=1e-9), key


def broken(one, other):
    """The keys whose numbers differ."""
    return {key for key in KEYS if abs((one[key] or 0) - (other[key] or 0)) > 1e-9}


QUICK = settings(max_examples=25, deadline=None)


@QUICK
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(problem, random):
    order = np.array(random.sample(range(len(problem.scores)), len(problem.scores)))
    same(problem.numbers(**problem.rows(order)), problem.numbers())


@QUICK
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(problem, random):
    order = np.array(random.sample(range(problem.scores.shape[1]), problem.scores.shape[1]))
    # top 3: three classes are decided, so that a tie for the last place is broken, by the order of the classes
    tied = len(np.unique(problem.scores)) < problem.scores.size
    same(problem.numbers(**problem.columns(order)), problem.numbers(), without=TOP3 if tied else ())


def test_only_top_3_breaks_ties_by_the_order_of_classes():
    problem = typical()
    problem.scores = np.round(problem.scores * 2)
    assert broken(problem.numbers(**problem.columns(slice(None, None, -1))), problem.numbers()) == TOP3


@QUICK
@given(problems())
def test_every_image_twice_changes_nothing(problem):
    # the training counts, which propensities and groups are made of, are those of the training set
    twice = np.tile(np.arange(len(problem.scores)), 2)
    same(problem.numbers(**problem.rows(twice)), problem.numbers())


@QUICK
@given(problems(), st.integers(0, 2**32 - 1))
def test_images_and_classes_nobody_judged_change_nothing(problem, seed):
    rng = np.random.default_rng(seed)
    images, classes = problem.scores.shape

    def padded(table, fill):
        wide = np.hstack([table, fill((images, 2))])
        return np.vstack([wide, fill((3, classes + 2))])

    more = problem.numbers(
        scores=padded(problem.scores, lambda shape: rng.normal(size=shape) * 100),
        labels=padded(problem.labels, lambda shape: np.zeros(shape, np.int8)),
        decisions=padded(problem.decisions, lambda shape: rng.random(shape) < 0.5),
        probabilities=padded(problem.probabilities, rng.random),
        counts=np.append(problem.counts, [0, 10_000]),
    )
    same(more, problem.numbers())


@QUICK
@given(problems(), st.integers(0, 2**32 - 1))
def test_what_is_said_of_an_unknown_cell_does_not_matter(problem, seed):
    rng, unknown = np.random.default_rng(seed), problem.labels == 0
    other = problem.numbers(
        scores=np.where(unknown, rng.normal(size=unknown.shape) * 100, problem.scores),
        decisions=np.where(unknown, ~problem.decisions, problem.decisions),
        probabilities=np.where(unknown, rng.random(unknown.shape), problem.probabilities),
    )
    same(other, problem.numbers())


def stretched(table, seed, axis):
    """Another increasing map for each class (axis 0) or image (axis 1), or one for all (None)."""
    rng = np.random.default_rng(seed)
    shape = {None: (1, 1), 0: (1, table.shape[1]), 1: (len(table), 1)}[axis]
    return np.sign(table) * np.abs(table) ** rng.uniform(0.3, 3, shape) * rng.uniform(0.2, 5, shape)


@QUICK
@given(problems(), st.integers(0, 2**32 - 1))
def test_only_the_order_of_scores_matters(problem, seed):
    # decisions are what they are: at a threshold that stayed where it was, they would change with the scores
    same(problem.numbers(scores=stretched(problem.scores, seed, None)), problem.numbers())
    # ... within each class, where no number compares scores of one image; within each image, where none compares images
    for axis, within in ((0, WITHIN_CLASSES), (1, WITHIN_IMAGES)):
        changed = problem.numbers(scores=stretched(problem.scores, seed, axis))
        same(changed, problem.numbers(), without=set(KEYS) - within - DECIDED - CALIBRATION)


def test_which_numbers_compare_scores_of_classes_and_of_images_and_which_take_them_at_their_word():
    problem = typical()
    plain = problem.numbers()
    by_scores = set(KEYS) - DECIDED - CALIBRATION
    by_class, by_image = (broken(problem.numbers(scores=stretched(problem.scores, 3, axis)), plain) for axis in (0, 1))
    assert by_class == by_scores - WITHIN_CLASSES
    assert by_image == by_scores - WITHIN_IMAGES
    # probabilities count by their values, not by their order
    assert broken(problem.numbers(probabilities=problem.probabilities**3), plain) == CALIBRATION
    assert broken(problem.numbers(decisions=~problem.decisions), plain) == DECIDED


HIGHER = {**dict.fromkeys(HEADLINE, True), **{metric.key: metric.higher for metric in METRICS}}


def extreme(problem, sign):
    """Numbers of a model that is right (1) or wrong (-1) everywhere, nothing tied; of positives the rarest first."""
    order = 1e-3 * inverse_propensities(problem.counts, TRAIN) + 1e-9 * np.arange(problem.labels.size).reshape(
        problem.labels.shape
    )
    right = problem.labels == (1 if sign == 1 else -1)
    return problem.numbers(
        scores=sign * (problem.labels + order), decisions=right, probabilities=right.astype(np.float64)
    )


def best_at(positives, known, k):
    """What each metric at k is when the first places hold positives as far as there are any; not 1 by definition."""
    found = np.minimum(positives, k)
    return {f"p@{k}": (found / np.minimum(k, known)).mean(), f"r@{k}": (found / positives).mean()}


@QUICK
@given(problems())
def test_a_perfect_model_has_the_best_value(problem):
    found, present = extreme(problem, 1), problem.labels == 1
    positives, known = present.sum(axis=1), (problem.labels != 0).sum(axis=1)
    some = positives > 0
    best = {key: 1.0 if HIGHER[key] else 0.0 for key in KEYS}
    if some.any():
        best["coverage_error"] = positives[some].mean()  # at best the number of positives, never 0
        for k in PLACES:
            best |= best_at(positives[some], known[some], k)
    if (known > 0).any():  # P@k is of images without a positive too: 0 there whatever is said
        judged = known > 0
        best |= {f"p@{k}": (np.minimum(positives, k) / np.minimum(known, k).clip(1))[judged].mean() for k in PLACES}
    if present.any():  # three classes are decided, however many there are
        hits, taken = np.minimum(positives, 3).sum(), np.minimum(known, 3).sum()
        best |= {"op_top3": hits / taken, "or_top3": hits / positives.sum()}
        best["of1_top3"] = 2 * hits / (taken + positives.sum())
    # of images with fewer or more than three positives the classes that fill the three decide these, not their order
    free = {"cp_top3", "cr_top3", "cf1_top3"}
    for key in set(KEYS) - free:
        assert found[key] is None or found[key] == pytest.approx(best[key], abs=1e-9), key


@QUICK
@given(problems(), st.integers(0, 2**32 - 1))
def test_no_model_is_better_than_the_perfect_or_worse_than_the_reversed_one(problem, seed):
    rng = np.random.default_rng(seed)
    shape = problem.scores.shape
    best, worst = extreme(problem, 1), extreme(problem, -1)
    some = problem.numbers(
        scores=rng.normal(size=shape), decisions=rng.random(shape) < 0.5, probabilities=rng.random(shape)
    )
    free = {"cp_top3", "cr_top3", "cf1_top3"}  # see above
    for key in set(KEYS) - free:
        if some[key] is not None and best[key] is not None and worst[key] is not None:
            sign = 1 if HIGHER[key] else -1
            assert sign * best[key] >= sign * some[key] - 1e-9, key
            assert sign * some[key] >= sign * worst[key] - 1e-9, key


def test_a_reversed_model_has_the_worst_value():
    rng = np.random.default_rng(0)
    problem = Problem(rng, 40, 12, 10**6, [0.8, 0.0, 0.2])
    problem.labels[np.arange(40), np.arange(40) % 12] = 1
    problem.labels[:, 1:11][(problem.labels == 1).sum(axis=1) > 6] = -1  # at least six negatives an image
    problem.labels[:12][np.eye(12, dtype=bool)] = 1
    found = extreme(problem, -1)
    positives = (problem.labels == 1).sum(axis=1)
    assert (12 - positives).min() >= 6
    zero = DECIDED | {"brier", "ece", "ece_adaptive", "auroc", "auroc_micro", "ranking_loss", "one_error"} | TOP3
    zero |= at("p", "r", "rp", "ndcg", "psp", "psndcg")
    for key in zero:
        assert found[key] == (0.0 if HIGHER[key] else 1.0), key

    # an average precision is never 0: the positives come last, at ranks n - p + 1 to n
    def last(n, p):
        return np.mean([i / (n - p + i) for i in range(1, p + 1)])

    lowest = [last(40, p) for p in (problem.labels == 1).sum(axis=0)]
    assert found["map"] == pytest.approx(np.mean(lowest))
    assert found["lrap"] == pytest.approx(np.mean([last(12, p) for p in positives]))
    assert found["coverage_error"] == 12
    rest = set(KEYS) - zero - {"map", "lrap", "coverage_error"}
    assert rest == {"map_head", "map_medium", "map_tail", "map_micro", "map_weighted", "gap@20"}
    assert all(0 < found[key] < 0.5 for key in rest)


@QUICK
@given(problems())
def test_every_number_lies_in_its_range(problem):
    for key, value in problem.numbers().items():
        if value is not None:
            low, high = (1, problem.scores.shape[1]) if key == "coverage_error" else (0, 1)
            assert low - 1e-12 <= value <= high + 1e-12, key


@pytest.mark.parametrize("label", [-1, 0, 1])
@pytest.mark.parametrize("decided", [False, True])
def test_one_image_of_one_class(label, decided):
    problem = Problem(np.random.default_rng(0), 1, 1, 10**6, [0, 0, 1])
    problem.counts = np.array([150])
    found = problem.numbers(labels=np.array([[label]], np.int8), decisions=np.array([[decided]]))
    p = float(problem.probabilities[0, 0])
    if label == 0:
        assert set(found.values()) == {None}
        return
    expected = dict.fromkeys(KEYS)
    distance = abs(p - (label == 1))
    expected |= {"brier": distance**2, "ece": distance, "ece_adaptive": distance}
    expected |= {"hamming_loss": float(decided != (label == 1)), "subset_accuracy": float(decided == (label == 1))}
    if label == -1:  # nothing to find: rankings and classes are left out, and precision at k is of what is known
        expected |= dict.fromkeys(at("p"), 0.0)
        # "0 of 1 decided is right" where something is decided; 0 / 0 is left out where nothing is
        expected |= dict.fromkeys(("f1_samples", "jaccard_samples", "jaccard_micro"), 0.0 if decided else None)
    else:
        one = WITHIN_CLASSES | {"map_micro", "gap@20", "lrap", "coverage_error"} | TOP3
        one |= at("p", "r", "rp", "ndcg", "psp", "psndcg")
        expected |= dict.fromkeys(one - {"map_medium", "map_tail", "auroc"}, 1.0) | {"one_error": 0.0}
        expected |= dict.fromkeys(DECIDED - {"hamming_loss", "subset_accuracy"}, float(decided))
    for key in KEYS:
        assert found[key] == (None if expected[key] is None else pytest.approx(expected[key])), key
