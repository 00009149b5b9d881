"""From logits to probabilities and decisions, by hand; guarantees on images to come; labels.json there and back."""

import json

import numpy as np
import pytest

from manylabel.classes import Classes, guarantee, parse_guarantee
from manylabel.decisions.risk import Risk, recall_cuts
from manylabel.labels import ManylabelError

PAIRS = (("cat", "feline"), ("lion", "feline"), ("feline", "animal"), ("cat", "pet"))


def pets(**options):
    names = ("animal", "cat", "car", "lion")
    made = {"thresholds": np.array([0.0, 1.0, -1.0, 0.5]), "temperatures": np.array([1.0, 2.0, 1.0, 1.0]),
            "biases": np.array([0.0, 0.0, 1.0, 0.0])}  # fmt: skip
    return Classes(names, **{**made, **options})


def test_probabilities_are_calibrated_logits():
    p = pets().probabilities(np.array([0.0, 2.0, -1.0, -800.0]))
    np.testing.assert_allclose(p, [0.5, 1 / (1 + np.exp(-1)), 0.5, 0.0])


def test_what_lies_above_is_at_least_as_probable_and_present():
    classes = pets(pairs=PAIRS)
    scores = np.array([[-3.0, 4.0, -9.0, 0.0], [-3.0, -9.0, 0.0, 0.6]])
    p = classes.probabilities(scores)
    np.testing.assert_allclose(p[:, 0], [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-0.6))])
    assert classes.decide(scores).tolist() == [[True, True, False, False], [True, False, True, True]]
    assert pets().decide(scores)[:, 0].tolist() == [False, False]
    assert classes.ancestors == {
        "animal": (),
        "cat": ("feline", "pet", "animal"),
        "car": (),
        "lion": ("feline", "animal"),
    }


def test_a_guaranteed_recall_holds_on_new_images_and_takes_the_next_higher_that_is_kept():
    rng = np.random.default_rng(0)
    classes = pets()
    reached = []
    for _ in range(40):
        labels = np.where(rng.random((600, 4)) < 0.3, 1, -1).astype(np.int8)
        scores = rng.normal(size=labels.shape) + labels
        fitted = pets(guarantee=guarantee(classes.calibrated(scores[:200]), labels[:200]))
        new = fitted.decide(scores[200:], fitted.cuts(0.9)) & (labels[200:] == 1)
        some = (labels[200:] == 1).any(axis=1)
        reached.append((new.sum(1)[some] / (labels[200:] == 1).sum(1)[some]).mean())
    assert 0.89 < np.mean(reached) < 0.925
    np.testing.assert_array_equal(fitted.cuts(0.895), fitted.cuts(0.9))
    assert (fitted.cuts(0.6) > fitted.cuts(0.9)).all()


def test_cuts_are_those_of_the_rule_on_the_calibrated_scale():
    rng = np.random.default_rng(1)
    labels = np.where(rng.random((80, 4)) < 0.4, 1, -1).astype(np.int8)
    z = rng.normal(size=labels.shape) + labels
    images, cuts = recall_cuts(z, labels, [0.5, 0.8, 0.999])
    assert images == (labels == 1).any(axis=1).sum()
    assert cuts[:2] == [Risk(0.5).fit(z, labels).threshold, Risk(0.8).fit(z, labels).threshold]
    assert cuts[2] == -np.inf
    classes = pets(guarantee=guarantee(z, labels))
    kept = classes.guarantee["recall"]["cuts"]
    np.testing.assert_allclose(classes.calibrated(classes.cuts(0.8)), kept["0.80"])


def test_a_guarantee_that_is_not_kept_is_refused():
    with pytest.raises(ManylabelError, match="keeps no guaranteed recall"):
        pets().cuts(0.9)
    few = pets(guarantee=guarantee(np.zeros((3, 4)), np.array([[1, -1, -1, -1]] * 3, np.int8)))
    assert (few.cuts(0.99) == -np.inf).all()  # three images promise nothing: everything is decided present
    for wanted in (0.995, 0.0, 1.5):
        with pytest.raises(ManylabelError, match=r"up to 0\.99"):
            few.cuts(wanted)
    assert guarantee(np.zeros((2, 4)), np.zeros((2, 4), np.int8)) == {}


@pytest.mark.parametrize("text", ["recall", "recall=", "precision=0.9", "recal=0.9", "0.9"])
def test_a_guarantee_in_words_is_read_or_explained(text):
    assert parse_guarantee("recall>=0.85") == parse_guarantee(" recall = 0.85") == 0.85
    with pytest.raises(ManylabelError, match=r"recall"):
        parse_guarantee(text)


def test_labels_json_there_and_back():
    classes = pets(pairs=PAIRS, aliases={"kitty": "cat", "auto": "car", "puss": "cat"}, decision={"rule": "f1"},
                   counts=np.array([4, 3, 2, 1]), images=9, text_source="clip")  # fmt: skip
    again = Classes.from_dict(json.loads(json.dumps(classes.to_dict())))
    assert again.to_dict() == classes.to_dict()
    assert again.other_names == {"cat": ("kitty", "puss"), "car": ("auto",)}


@pytest.mark.parametrize(("change", "said"), [
    ({"thresholds": [0.0]}, "4 names and 1 thresholds"), ({"names": ["a", "a", "b", "c"]}, "a name twice"),
    ({"biases": None}, "'biases'"),
])  # fmt: skip
def test_a_damaged_labels_json_is_explained(change, said):
    data = {k: v for k, v in (pets().to_dict() | change).items() if v is not None}
    with pytest.raises(ManylabelError, match=said):
        Classes.from_dict(data)
