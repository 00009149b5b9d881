"""Laws that every decision rule and calibrator owes, by enumerating the folder; where one does not hold, the reason.

A new rule is in all of these at once: it either obeys or is listed with its reason.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel import decisions
from manylabel.labels import ManylabelError

NAMES = decisions.names()
RULES = [name for name in NAMES if name not in decisions.CALIBRATORS]
QUICK = settings(max_examples=4, deadline=None)

# the laws that a rule does not obey, and why:
# order: a monotone map of the scores changes nothing; unit: nor does another unit and zero of theirs;
# number: nor does every image twice; class: nor does a class nobody judged, for the others
BREAKS = {
    "fixed": {"order": "a threshold given beforehand", "unit": "a threshold given beforehand"},
    "platt": {"order": "probabilities follow the scores smoothly", "number": "shrinkage counts positives"},
    "temperature": {"order": "a logit of 0 stays 0.5", "unit": "a logit of 0 stays 0.5", "number": "shrinkage"},
    "beta": {"order": "a curve in log p, log (1 - p)", "unit": "a curve in log p, log (1 - p)", "number": "shrinkage"},
    "isotonic": {"order": "rare classes lean on platt", "number": "shrinkage"},
    "risk": {"number": "the guarantee's (n + 1)"},
    "lp_icp": {
        "order": "distances of probabilities",
        "unit": "what is no probability is refused",
        "number": "the guarantee's (n + 1)",
        "class": "a label set is judged whole",
    },
    "label_count": {
        "order": "sums of platt's probabilities",
        "number": "platt's shrinkage",
        "class": "it is counted among the image's labels",
    },
    "sparsemax": {
        "order": "gaps between scores",
        "number": "quantiles between two cells move with their number",
        "class": "it competes with the image's others",
    },
    "top_k": {"class": "it competes with the image's others"},
    "adathresh": {
        "order": "distances between score rows, and a calibrated sigmoid",
        "number": "shrinkage; and every image becomes its own neighbour",
    },
}


def obeys(name, law):
    return law not in BREAKS.get(name, {})


def made(name):
    return decisions.load(name)(0.5) if name == "fixed" else decisions.load(name)()


def problem(seed, images=70, classes=5, unknown=0.15):
    """Probabilities without ties, labels that follow them; the first images are wholly known, one class is rare."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((images, classes)) < [0.05, *rng.uniform(0.2, 0.7, classes - 1)], 1, -1)
    labels[:2] = [[1] * classes, [-1] * classes]
    logits = rng.normal(size=labels.shape) + 1.2 * labels
    labels[(rng.random(labels.shape) < unknown) & (np.arange(images) >= 25)[:, None]] = 0
    return 1 / (1 + np.exp(-logits)), labels.astype(np.int8)


def same(one, other, name=""):
    """Equal decisions; probabilities to where the fits have converged."""
    if one.dtype == np.bool_:
        np.testing.assert_array_equal(one, other, err_msg=name)
    else:
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)


def differ(one, other):
    return not np.allclose(np.asarray(one, float), np.asarray(other, float), atol=1e-4)


def with_images_nobody_judged(name, scores, labels, seed):
    other = np.random.default_rng(seed).random((30, 5)) ** 3
    rule = made(name).fit(np.vstack([other, scores]), np.vstack([np.zeros((30, 5), np.int8), labels]))
    return rule(scores)


@pytest.mark.parametrize("name", NAMES)
class TestEveryRule:
    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_the_order_of_images_does_not_matter(self, name, seed):
        scores, labels = problem(seed)
        order = np.random.default_rng(seed).permutation(len(scores))
        same(made(name).fit(scores[order], labels[order])(scores), made(name).fit(scores, labels)(scores))

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_the_order_of_classes_does_not_matter(self, name, seed):
        scores, labels = problem(seed)
        order = np.random.default_rng(seed).permutation(scores.shape[1])
        turned = made(name).fit(scores[:, order], labels[:, order])(scores[:, order])
        same(turned, made(name).fit(scores, labels)(scores)[:, order])

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_each_image_is_decided_as_it_is_alone(self, name, seed):
        scores, labels = problem(seed)
        rule, (new, _) = made(name).fit(scores, labels), problem(seed + 1, images=9)
        together = rule(new)
        assert together.dtype == (np.float64 if name in decisions.CALIBRATORS else np.bool_)
        for i in (0, 8):
            same(rule(new[[i]])[0], together[i])
        same(rule(new[::-1])[::-1], together)
        same(rule(np.asfortranarray(new)), together)

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_every_image_twice_changes_nothing(self, name, seed):
        if not obeys(name, "number"):
            return
        scores, labels = problem(seed)
        twice = made(name).fit(np.tile(scores, (2, 1)), np.tile(labels, (2, 1)))
        same(twice(scores), made(name).fit(scores, labels)(scores))

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_images_nobody_judged_change_nothing(self, name, seed):
        scores, labels = problem(seed)
        same(with_images_nobody_judged(name, scores, labels, seed), made(name).fit(scores, labels)(scores))

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_a_class_nobody_judged_changes_no_other_class(self, name, seed):
        if not obeys(name, "class"):
            return
        scores, labels = problem(seed)
        wide = np.hstack([scores, np.random.default_rng(seed).random((70, 1))])
        more = made(name).fit(wide, np.hstack([labels, np.zeros((70, 1), np.int8)]))
        same(more(wide)[:, :5], made(name).fit(scores, labels)(scores))

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_the_scores_of_unknown_cells_teach_nothing(self, name, seed):
        # of adathresh: the scores of an image, whoever judged it, say which images are its neighbours; of sparsemax:
        # a class that scores high leaves less for the others of its image, as it will when it is decided
        if name in ("adathresh", "sparsemax"):
            return
        scores, labels = problem(seed)
        other = np.where(labels == 0, np.random.default_rng(seed).random(labels.shape), scores)
        same(made(name).fit(other, labels)(scores), made(name).fit(scores, labels)(scores))

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_only_the_order_of_scores_matters(self, name, seed):
        if not obeys(name, "order"):
            return
        scores, labels = problem(seed)
        known, rng = labels != 0, np.random.default_rng(seed)  # a threshold lies midway, an unknown cell on either side
        plain = made(name).fit(scores, labels)(scores)
        one = scores ** rng.uniform(0.3, 3)
        same(made(name).fit(one, labels)(one)[known], plain[known])
        if name not in ("risk", "top_k"):  # risk has one threshold for all classes, top_k compares them
            each = scores ** rng.uniform(0.3, 3, (1, 5)) * rng.uniform(0.5, 1, (1, 5))
            same(made(name).fit(each, labels)(each)[known], plain[known])

    @QUICK
    @given(seed=st.integers(0, 2**32 - 1))
    def test_the_unit_and_the_zero_of_scores_do_not_matter(self, name, seed):
        if not obeys(name, "unit"):
            return
        scores, labels = problem(seed)
        same(made(name).fit(100 * scores - 7, labels)(100 * scores - 7), made(name).fit(scores, labels)(scores))

    def test_one_image_and_one_class_are_decided_or_refused_with_a_reason(self, name):
        for cells in ([[1]], [[-1]], [[0]], [[1], [-1]], [[1, -1]], [[0, 1, -1]]):
            labels = np.array(cells, np.int8)
            scores = np.linspace(0.2, 0.8, labels.size).reshape(labels.shape)
            try:
                answer = made(name).fit(scores, labels)(scores)
            except ManylabelError:  # any other error is a fault
                assert 0 in labels or len(set(labels.ravel().tolist())) == 1  # only where something is lacking
                continue
            assert answer.shape == labels.shape
            assert np.isfinite(np.asarray(answer, float)).all()

    def test_fitting_twice_forgets_the_first_time_and_json_keeps_all(self, name):
        (scores, labels), (others, theirs) = problem(0), problem(1)
        rule = made(name).fit(others, theirs).fit(scores, labels)
        same(rule(scores), made(name).fit(scores, labels)(scores))
        again = decisions.from_dict(json.loads(json.dumps(rule.to_dict(), allow_nan=False)))
        np.testing.assert_array_equal(again(others), rule(others))


def broken(name, law, scores, labels, plain, seed):
    """Whether what the law says changes nothing does change `plain`, the answer to `scores`."""
    if law == "order":
        return differ(made(name).fit(scores**3, labels)(scores**3), plain)
    if law == "number":
        return differ(made(name).fit(np.tile(scores, (4, 1)), np.tile(labels, (4, 1)))(scores), plain)
    if name == "lp_icp":  # it refuses what is no probability, and images that are not wholly known
        return False
    if law == "unit":
        return differ(made(name).fit(scores + 0.2, labels)(scores + 0.2), plain)
    wide = np.hstack([scores, np.random.default_rng(seed).random((70, 1))])
    return differ(made(name).fit(wide, np.hstack([labels, np.zeros((70, 1), np.int8)]))(wide)[:, :5], plain)


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_what_is_listed_as_breaking_a_law_breaks_it(name):
    """And obeys the others; lp_icp refuses other units and images not wholly known, which nothing could show."""
    wanted = {law: not obeys(name, law) for law in ("order", "unit", "number", "class")}
    if name == "lp_icp":
        wanted |= {"unit": False, "class": False}
    found = dict.fromkeys(wanted, False)
    for seed in range(30):
        scores, labels = problem(seed, images=70)
        plain = made(name).fit(scores, labels)(scores)
        for law in [law for law in wanted if not found[law] and (wanted[law] or seed < 5)]:
            found[law] = broken(name, law, scores, labels, plain, seed)
        if found == wanted and seed > 3:
            break
    assert found == wanted


@pytest.mark.parametrize("name", sorted(set(RULES) - {"fixed"}))
def test_scores_that_separate_are_decided_rightly(name):
    rng = np.random.default_rng(0)
    # four labels an image, as many as top_k is asked for; every class is present somewhere and absent somewhere
    labels = np.where(rng.permuted(np.tile(np.arange(10) < 4, (400, 1)), axis=1), 1, -1).astype(np.int8)
    scores = np.clip(0.5 + 0.45 * labels + rng.uniform(-0.04, 0.04, labels.shape), 0, 1)
    rule = decisions.load(name)(4) if name == "top_k" else made(name)
    decided = rule.fit(scores, labels)(scores)
    if name in (
        "precision",
        "recall",
        "risk",
    ):  # asked for nine tenths of one thing, and no more of the other than that
        found = (decided & (labels == 1)).sum() / (labels == 1).sum()
        right = (decided & (labels == 1)).sum() / decided.sum()
        assert min(found, right) >= 0.88
        assert max(found, right) == 1
    elif name == "lp_icp":  # a tenth of the images may have no label set left: nothing is decided of them
        assert not (decided & (labels == -1)).any()
        assert (decided == (labels == 1)).all(axis=1).mean() >= 0.88
    else:
        np.testing.assert_array_equal(decided, labels == 1)
