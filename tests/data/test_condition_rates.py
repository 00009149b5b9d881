"""Every rate of every condition over 20 seeds: within the exact binomial bounds.

Of all comparisons of a test together one in 10,000 true rates would be called wrong (Bonferroni), so over all tests
of this file fewer than one in 100. Seeds are fixed: what passes once passes always.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from manylabel.data.beside import Beside, Cells
from manylabel.data.conditions import (
    annotators,
    candidates,
    drop_positives,
    federated,
    flip,
    incremental,
    partial,
    single_positive,
    unseen,
    weak_sources,
)
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable

SEEDS = range(20)
LEVEL = 1e-4


def table(state, names=None):
    state = np.asarray(state, np.int8)
    ids = tuple(f"{k:05d}.jpg" for k in range(len(state)))
    labels = LabelTable(state, names or tuple(f"c{c}" for c in range(state.shape[1])), ids)
    return Dataset(
        labels, [Path("/photos", name) for name in ids], np.full(len(state), "train"), {}, Path("made.csv"), "made",
        (), (0,) * len(state),
    )  # fmt: skip


def mixed(images=300, classes=10, seed=0):
    rng = np.random.default_rng(seed)
    present = rng.random((images, classes)) < np.geomspace(0.6, 0.05, classes)
    state = np.where(present, PRESENT, ABSENT)
    state[rng.random(state.shape) < 0.1] = UNKNOWN
    return table(state)


DATA = mixed()
STATE = DATA.labels.state
POSITIVE, NEGATIVE, KNOWN = STATE == PRESENT, STATE == ABSENT, STATE != UNKNOWN


def assert_rates(found):
    """(successes, trials, rate) of each comparison; rates 0 and 1 must hold exactly."""
    found = list(found)
    for successes, trials, rate in found:
        if trials:
            p = binomtest(int(successes), int(trials), float(rate)).pvalue
            assert p > LEVEL / len(found), (successes, trials, rate)


def states(condition, **given):
    return [condition.apply(DATA, seed=seed, **given).labels.state for seed in SEEDS]


def by_class(mask, of, rates):
    """Of each class the cells of `mask` among those of `of`, over all seeds together."""
    return zip(sum(mask).sum(axis=0), len(mask) * of.sum(axis=0), np.broadcast_to(rates, of.shape[1]))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_partial_keeps_present_and_absent_cells_of_every_class_alike(rate):
    after = states(partial, rate=rate)
    assert_rates((int((one != UNKNOWN).sum()), KNOWN.sum(), rate) for one in after)
    for state, of in ((PRESENT, POSITIVE), (ABSENT, NEGATIVE)):
        assert_rates(by_class([one == state for one in after], of, rate))


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize(("by", "axis"), [("image", 1), ("class", 0)])
@pytest.mark.parametrize(("negatives", "of"), [("rate", KNOWN), ("all", POSITIVE), ("none", POSITIVE)])
def test_partial_by_image_and_by_class_is_exact(rate, by, axis, negatives, of):
    for after in states(partial, rate=rate, by=by, negatives=negatives)[:5]:
        kept = (after != UNKNOWN) & of
        assert (kept.sum(axis=axis) == np.floor(rate * of.sum(axis=axis) + 0.5)).all()
        rest = {"rate": 0, "all": NEGATIVE.sum(), "none": 0}[negatives]
        assert ((after != UNKNOWN) & ~of).sum() == rest
        assert (after[after != UNKNOWN] == STATE[after != UNKNOWN]).all()


@pytest.mark.parametrize("by", ["image", "class"])
def test_partial_exact_draws_every_cell_alike(by):
    four = table(np.tile([[1, -1, 1, -1]], (200, 1)))
    kept = sum(partial.apply(four, seed=seed, rate=0.5, by=by).labels.known for seed in SEEDS)
    assert_rates(
        zip(kept.sum(axis=0), [4000] * 4, [0.5] * 4) if by == "image" else zip(kept[:, 0], [20] * 200, [0.5] * 200)
    )


def test_partial_of_positives_only():
    for negatives, left in (("none", 0), ("all", NEGATIVE.sum())):
        after = states(partial, rate=0.3, negatives=negatives)
        assert_rates(by_class([one == PRESENT for one in after], POSITIVE, 0.3))
        assert all((one == ABSENT).sum() == left for one in after)


def test_single_positive_draws_alike_or_by_weight():
    data = table(np.tile([[1, 1, -1, 1, 0]], (300, 1)))
    for given, share in (
        ({}, [1, 1, 0, 1, 0]),
        ({"by": "classes", "weights": {"c0": 6, "c1": 3, "c3": 1, "*": 5}}, [6, 3, 0, 1, 0]),
        ({"by": "classes", "weights": {"c1": 3, "c3": 1, "*": 0}}, [0, 3, 0, 1, 0]),
        ({"by": "classes", "weights": {"*": 0}}, [1, 1, 0, 1, 0]),  # no weight at all: alike
    ):
        counts = sum(single_positive.apply(data, seed=seed, **given).labels.counts for seed in SEEDS)
        none = given.get("weights") == {"*": 0}
        assert ("In 300 images no positive has a weight" in single_positive.apply(data, **given).notes[-1]) is none
        share = np.array(share) / np.sum(share)
        assert (counts[share == 0] == 0).all()
        assert chisquare(counts[share > 0], 6000 * share[share > 0]).pvalue > LEVEL


def test_images_without_positives_become_unknown_or_stay_as_they_are():
    data = table([[1, 1, -1], [-1, 0, -1], [-1, -1, -1]])
    for empty, rest in (("unknown", [[0, 0, 0], [0, 0, 0]]), ("absent", [[-1, 0, -1], [-1, -1, -1]])):
        found = single_positive.apply(data, empty=empty).labels.state
        assert found[1:].tolist() == rest
        assert (found[0] == PRESENT).sum() == 1
        assert (found[0] == ABSENT).sum() == 0


def test_single_positive_by_boxes():
    """Class 0: two small boxes far out. 1: one larger, further in. 2: no box. 3: the largest, but not present."""
    boxes = [(0, 0.0, 0.0, 0.2, 0.2), (0, 0.0, 0.8, 0.2, 0.2), (1, 0.3, 0.5, 0.3, 0.2), (3, 0.0, 0.0, 1.0, 1.0)]
    rows = np.repeat(np.arange(300), 4)
    facts = np.array(boxes * 300)
    cells = Cells(rows, facts[:, 0].astype(int), facts[:, 1:])
    data = replace(table(np.tile([[1, 1, 1, -1]], (300, 1))), beside=Beside(boxes=cells))
    out, near = np.hypot(0.4, 0.4), np.hypot(0.05, 0.1)
    weights = {
        "size": (0.08, 0.06), "box": (0.04, 0.06), "location": (2 / out, 1 / near),
        "salience": (0.08 * (1 - out / 0.5**0.5), 0.06 * (1 - near / 0.5**0.5)),
    }  # fmt: skip
    for by, pair in weights.items():
        drawn = sum(single_positive.apply(data, seed=seed, by=by).labels.counts for seed in SEEDS)
        assert drawn.tolist()[2:] == [0, 0]
        assert_rates([(drawn[0], 6000, pair[0] / sum(pair))])
        highest = single_positive.apply(data, by=by, pick="highest").labels.counts
        assert highest.argmax() == np.argmax(pair)
        assert highest.sum() == highest.max() == 300


def test_dropped_positives_uniformly_and_more_of_rare_classes():
    after = states(drop_positives, rate=0.3)
    assert_rates(by_class([(one == ABSENT) & POSITIVE for one in after], POSITIVE, 0.3))
    assert all((one[~POSITIVE] == STATE[~POSITIVE]).all() for one in after)
    for rare in (0.5, 1.0):
        after, counts = states(drop_positives, rate=0.3, rare=rare), POSITIVE.sum(axis=0)
        rates = drop_positives.tilted(counts, 0.3, rare)
        np.testing.assert_allclose((counts * rates).sum(), 0.3 * counts.sum())
        free = rates < 1
        np.testing.assert_allclose(np.ptp((rates * counts**rare)[free]), 0, atol=1e-9)
        assert_rates(by_class([(one == ABSENT) & POSITIVE for one in after], POSITIVE, rates))
    each = {"c0": 0.0, "c1": 1.0, "*": 0.2}
    after = states(drop_positives, rate=each)
    assert_rates(by_class([(one == ABSENT) & POSITIVE for one in after], POSITIVE, [0, 1] + [0.2] * 8))


def test_flips_by_state_and_class():
    for given, up, down in (
        ({"present": 0.2}, 0.2, 0.2),
        ({"present": 0.3, "absent": 0.05}, 0.3, 0.05),
        ({"present": {"c2": 1.0, "*": 0.1}, "absent": {"c3": 0.4, "*": 0.0}}, [0.1, 0.1, 1] + [0.1] * 7,
         [0, 0, 0, 0.4] + [0] * 6),
    ):  # fmt: skip
        after = states(flip, **given)
        assert_rates(by_class([(one == ABSENT) & POSITIVE for one in after], POSITIVE, up))
        assert_rates(by_class([(one == PRESENT) & NEGATIVE for one in after], NEGATIVE, down))
        assert all((one[~KNOWN] == UNKNOWN).all() for one in after)


def test_pair_flips_are_read_off_the_labels_as_they_were():
    rows = [[1, -1, -1], [1, 1, -1], [1, 0, -1], [-1, 1, 1], [-1, 1, -1]]
    turned = flip.apply(table(rows), present=1.0, pairs={"c0": "c1", "c1": "c2"})
    assert turned.labels.state.tolist() == [[-1, 1, -1], [-1, 1, 1], [1, 0, -1], [-1, -1, 1], [-1, -1, 1]]
    swapped = flip.apply(table(rows[:2]), present=1.0, pairs={"c0": "c1", "c1": "c0"})
    assert swapped.labels.state.tolist() == [[-1, 1, -1], [1, 1, -1]]
    found = [flip.apply(DATA, seed=s, present={"c0": 0.3, "*": 0.0}, pairs={"c0": "c1"}).labels.state for s in SEEDS]
    of = POSITIVE[:, 0] & KNOWN[:, 1]
    assert_rates([(sum((one[of, 0] == ABSENT).sum() for one in found), 20 * of.sum(), 0.3)])
    assert all((one[:, 2:] == STATE[:, 2:]).all() for one in found)
    assert all((one[POSITIVE[:, 0] & (one[:, 0] == ABSENT), 1] == PRESENT).all() for one in found)


def test_false_candidates_at_a_rate_or_in_number():
    shows = POSITIVE.any(axis=1)[:, None]
    after = states(candidates, rate=0.2)
    assert_rates(by_class([(one == UNKNOWN) & NEGATIVE for one in after], NEGATIVE & shows, 0.2))
    assert all(((one == UNKNOWN) | ~POSITIVE).all() for one in after)
    for seed in range(5):
        found = candidates.apply(DATA, seed=seed, rate=1.5, by="image")
        false = ((found.labels.state == UNKNOWN) & NEGATIVE).sum(axis=1)
        wanted = np.minimum(np.floor(1.5 * POSITIVE.sum(axis=1) + 0.5), NEGATIVE.sum(axis=1))
        assert (false == np.where(shows[:, 0], wanted, 0)).all()
        listed = np.zeros_like(KNOWN)
        listed[found.beside.candidates.rows, found.beside.candidates.columns] = True
        assert (listed == ((found.labels.state == UNKNOWN) & KNOWN)).all()


def test_false_candidates_go_by_scores():
    """One false candidate an image, drawn in proportion to exp(score / temperature)."""
    data, scores = table(np.tile([[1, -1, -1, -1]], (300, 1))), np.tile([[9.0, 0.0, 1.0, 2.0]], (300, 1))
    for temperature in (1.0, 0.5):
        weight = np.exp(np.array([0, 1, 2]) / temperature)
        for by, rate in (("image", 1.0), ("cell", 0.2)):
            found = [
                candidates.apply(data, seed=seed, rate=rate, by=by, scores=scores, temperature=temperature)
                for seed in SEEDS
            ]
            false = np.concatenate([one.labels.state == UNKNOWN for one in found])[:, 1:]
            if by == "image":
                assert (false.sum(axis=1) == 1).all()
            else:  # as many as without scores, drawn by them
                assert_rates([(false.sum(), 3 * 6000, 0.2)])
                false = false[false.sum(axis=1) == 1]
            assert chisquare(false.sum(axis=0), len(false) * weight / weight.sum()).pvalue > LEVEL


def test_annotators_have_their_rates_and_the_table_their_majority():
    given = {"number": 3, "sensitivity": {"c0": 0.6, "*": 0.9}, "specificity": 0.8, "abstain": 0.25}
    sensitivity, votes = np.array([0.6] + [0.9] * 9), np.zeros((20, 3, *STATE.shape), np.int8)
    for seed in SEEDS:
        found = annotators.apply(DATA, seed=seed, **given)
        cells = found.beside.votes
        votes[seed, cells.values[:, 0], cells.rows, cells.columns] = cells.values[:, 1]
        assert (np.sign(votes[seed].sum(axis=0)) == found.labels.state).all()
    spoken = votes != UNKNOWN
    assert not spoken[:, :, ~KNOWN].any()
    for a in range(3):
        assert_rates(by_class(list(spoken[:, a] & POSITIVE), POSITIVE, 0.75))
        for of, rate in ((POSITIVE, sensitivity), (NEGATIVE, 0.8)):
            right = ((votes[:, a] == STATE) & spoken[:, a] & of).sum(axis=(0, 1))
            assert_rates(zip(right, (spoken[:, a] & of).sum(axis=(0, 1)), np.broadcast_to(rate, 10)))


def test_sources_have_their_coverage_accuracy_and_correlation():
    for correlation in (0.0, 0.6):
        votes = np.zeros((20, 3, *STATE.shape), np.int8)
        for seed in SEEDS:
            found = weak_sources.apply(
                DATA, seed=seed, number=3, accuracy=0.7, coverage=0.4, correlation=correlation
            ).beside.votes
            votes[seed, found.values[:, 0], found.rows, found.columns] = found.values[:, 1]
        says, right = votes[:, :, KNOWN] != UNKNOWN, votes[:, :, KNOWN] == STATE[KNOWN]
        assert_rates((says[:, a].sum(), says[:, a].size, 0.4) for a in range(3))
        assert_rates((right[:, a].sum(), says[:, a].sum(), 0.7) for a in range(3))
        # Same words: copied, or by chance both silent (.6), both right (.28) or both wrong (.12).
        chance = 0.6**2 + 0.28**2 + 0.12**2
        for a, b, copied in ((0, 1, correlation), (0, 2, correlation), (1, 2, correlation**2)):
            same = (votes[:, a] == votes[:, b])[:, KNOWN]
            assert_rates([(same.sum(), same.size, copied + (1 - copied) * chance)])


def test_unseen_classes_are_drawn_one_of_each_stratum_of_frequency():
    turned = np.random.default_rng(0).permutation(10)  # classes stand in no order
    data = table(STATE[:, turned])
    order = np.argsort(-POSITIVE[:, turned].sum(axis=0), kind="stable")
    for seed in SEEDS:
        seen = unseen.seen(unseen.apply(data, seed=seed, number=3))
        strata = [set(part) for part in np.array_split(order, 3)]
        assert [len(part - {int(name[1:]) for name in seen}) for part in strata] == [1, 1, 1]


def test_an_image_of_several_steps_is_in_each_alike():
    """Classes 0 to 2 come in steps of their own; the last image shows nothing."""
    data = table(np.tile([[1, 1, -1], [1, -1, 1], [1, 1, 1], [-1, -1, -1]], (50, 1)))
    words = np.array([incremental.apply(data, seed=seed).columns["step"].reshape(50, 4) for seed in SEEDS])
    for image, shares in enumerate(([1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 1])):
        assert_rates(((words[..., image] == str(t)).sum(), 1000, shares[t] / sum(shares)) for t in range(3))


def test_clients_have_dirichlet_shares():
    """One class of 300 images: the sum of squared shares of K clients is (alpha + 1) / (K alpha + 1) on the mean."""
    one = table(np.ones((300, 1)))
    for alpha in (0.1, 1.0, 100.0):
        for by in ("labels", "quantity"):
            squares = []
            for seed in range(60):
                client = federated.apply(one, seed=seed, clients=5, alpha=alpha, by=by, smallest=0).columns["client"]
                sizes = np.array([(client == str(k)).sum() for k in range(5)])
                assert sizes.sum() == 300
                spread = (sizes**2 - sizes).sum() / (300 * 299) if by == "labels" else ((sizes / 300) ** 2).sum()
                squares.append(spread)
            error = np.std(squares) / 60**0.5 + 0.002
            assert abs(np.mean(squares) - (alpha + 1) / (5 * alpha + 1)) < 4 * error, (alpha, by)
