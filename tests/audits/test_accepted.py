"""What a review accepts: it can only raise accuracy; the major slice defeats the model that produced it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.audits import findings
from manylabel.audits.accepted import accepted_accuracy, completed, is_major_mistake, major_slice
from manylabel.labels import LabelTable, ManylabelError
from manylabel.metrics.sets import subset_accuracy

SEEDS = st.integers(0, 2**32 - 1)


def audited(seed, images=60, classes=5):
    """Noisy labels, some unknown, the model's probabilities, and what the audit finds."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random((images, classes)) < 0.4, 1, -1).astype(np.int8)
    p = 1 / (1 + np.exp(-(2 * truth + 1.5 * rng.normal(size=truth.shape))))
    labels = np.where(rng.random(truth.shape) < 0.15, -truth, truth)
    labels = np.where(rng.random(truth.shape) < 0.2, 0, labels).astype(np.int8)
    table = LabelTable(labels, tuple("abcdefgh"[:classes]), tuple(f"{i}.jpg" for i in range(images)))
    return table, p, findings.find(table, p), rng


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_accepting_a_label_never_lowers_accuracy(seed):
    table, p, found, rng = audited(seed)
    table = LabelTable(np.where(table.state == 1, 1, -np.abs(table.state)), table.names, table.ids)
    reviewed = [replace(f, verdict=str(rng.choice(["reject", ""]))) for f in found]
    before = accepted_accuracy(p, findings.apply(table, reviewed)[0].state)
    for k in [k for k, f in enumerate(found) if f.suggested == "present"]:
        reviewed[k] = replace(reviewed[k], verdict="accept")
        after = accepted_accuracy(p, findings.apply(table, reviewed)[0].state)
        assert after >= before
        before = after


def test_accuracy_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.5, 0.5]])
    labels = np.array([[1, 1], [-1, 1], [1, 0], [1, -1]], np.int8)
    assert accepted_accuracy(scores, labels) == pytest.approx(2 / 3)  # the third image's answer was never judged
    assert np.isnan(accepted_accuracy(scores, np.zeros_like(labels)))
    assert np.isnan(accepted_accuracy(np.zeros((0, 2)), np.zeros((0, 2), np.int8)))
    with pytest.raises(ManylabelError, match="one shape"):
        accepted_accuracy(scores, labels[:2])


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_model_gets_no_image_of_its_major_slice_right(seed):
    table, p, found, rng = audited(seed)
    reviewed = [replace(f, verdict=str(rng.choice(["accept", "reject", "unknown", ""]))) for f in found]
    major = major_slice(table, reviewed)
    wrong = {f.image for f in reviewed if is_major_mistake(f)}
    assert set(major.ids) == wrong
    if wrong:
        rows = [table.ids.index(image) for image in major.ids]
        assert (subset_accuracy(p[rows] >= 0.5, major.state) == 0).all()
        corrected = findings.apply(table, reviewed)[0]
        np.testing.assert_array_equal(major.state, corrected.state[rows])


def test_only_what_is_confirmed_major_and_believed_otherwise_counts():
    one = findings.Finding(1, "a", "dog", "absent", "present", 0.2, 0.2, "", "missing label", "major", "reject")
    assert is_major_mistake(one)
    for change in ({"verdict": "accept"}, {"verdict": ""}, {"severity": "minor"}, {"confidence": 0.5}):
        assert not is_major_mistake(replace(one, **change))


def test_an_empty_review_changes_nothing():
    table, _, found, _ = audited(3)
    assert len(found) > 5
    new, changes = findings.apply(table, found)
    np.testing.assert_array_equal(new.state, table.state)
    assert (new.names, new.ids, changes) == (table.names, table.ids, [])
    assert len(major_slice(table, found)) == 0


def test_a_class_that_no_complete_list_names_is_absent():
    table = LabelTable(np.array([[1], [0]], np.int8), ("cat",), ("a", "b"))
    one = findings.Finding(1, "a", "dog", "absent", "present", 0.2, 0.2, "", "missing label", "major", "accept")
    full = completed(table, [one, replace(one, label="cat"), replace(one, label="emu", given="present")])
    assert full.names == ("cat", "dog")
    assert full.state.tolist() == [[1, -1], [0, 0]]  # of the second image nothing is known
    assert findings.apply(full, [one])[0].state.tolist() == [[1, 1], [0, 0]]
