"""Kinds and severity of mistakes by their rules, each rule by an example that only it decides."""

import numpy as np
import pytest

from manylabel.audits import findings
from manylabel.audits.severity import (
    COMPANION,
    DUPLICATE,
    HIERARCHY,
    MODEL,
    confusions,
    judge,
    siblings,
)
from manylabel.labels import LabelTable

NAMES = ("wolf", "dog", "car", "animal")
NONE = np.zeros((4, 4))
STRONG = NONE.copy()
STRONG[0, 1] = STRONG[1, 0] = 0.6


def one(state, label, evidence=MODEL, confused=NONE, parents=None, others=()):
    """Category and severity of a cell of the only image, beside others that are suspected too."""
    cells = np.array([(0, label), *((0, c) for c in others)])
    kinds = np.array([evidence] + [MODEL] * len(others))
    table = np.array([state], np.int8)
    judged = judge(table, cells, kinds, names=NAMES, confused=confused, parents=parents)
    return judged.categories[0], judged.severities[0]


class TestJudge:
    def test_by_default_missing_or_wrong_and_major(self):
        assert one([1, -1, -1, -1], 2) == ("missing label", "major")
        assert one([1, -1, 1, -1], 2) == ("wrong label", "major")

    def test_confused_with_a_class_that_stands_there_is_minor(self):
        assert one([1, -1, -1, -1], 1, confused=STRONG) == ("confused with wolf", "minor")
        assert one([-1, -1, 1, -1], 1, confused=STRONG) == ("missing label", "major")
        assert one([0, -1, -1, -1], 1, confused=STRONG) == ("missing label", "major")  # unknown is not there

    def test_a_suggested_class_stands_there_too(self):
        assert one([-1, 1, -1, -1], 1, confused=STRONG, others=[0]) == ("confused with wolf", "minor")
        assert one([-1, 1, -1, -1], 1, confused=STRONG, others=[2]) == ("wrong label", "major")

    def test_of_several_the_most_confused_is_named(self):
        confused = STRONG.copy()
        confused[1, 2] = confused[2, 1] = 0.7
        assert one([1, -1, 1, -1], 1, confused=confused)[0] == "confused with car"

    def test_a_sibling_is_kin_but_a_root_or_a_parent_is_not(self):
        parents = [[3], [3], [], []]
        assert one([1, -1, -1, 1], 1, parents=parents) == ("missing label", "minor")
        assert one([-1, -1, 1, 1], 1, parents=parents) == ("missing label", "major")
        assert one([-1, -1, 1, -1], 3, parents=parents) == ("missing label", "major")

    @pytest.mark.parametrize(
        ("evidence", "word"),
        [(MODEL | COMPANION, "companion absent"), (COMPANION | DUPLICATE, "duplicate disagrees"),
         (DUPLICATE | HIERARCHY | MODEL, "broken hierarchy")],
    )  # fmt: skip
    def test_harder_evidence_names_the_kind(self, evidence, word):
        assert one([1, -1, -1, -1], 1, evidence=evidence, confused=STRONG) == (word, "minor")


class TestConfusions:
    def table(self, missed=4, images=60):
        labels = np.full((images, 2), -1, np.int8)
        labels[:20, 0] = 1
        p = np.where(labels == 1, 0.9, 0.1)
        p[:missed] = [0.2, 0.8]
        return p, labels

    def test_what_is_often_seen_instead(self):
        found = confusions(*self.table())
        assert found[0, 1] == found[1, 0] == pytest.approx(4 / (4 + 1.645**2))  # Wilson's bound of 4 of 4
        assert (np.diag(found) == 0).all()

    def test_two_are_no_habit(self):
        assert not confusions(*self.table(missed=2)).any()
        assert confusions(*self.table(missed=3))[0, 1] == pytest.approx(3 / (3 + 1.645**2))

    def test_a_class_is_seen_from_one_half_on(self):
        p, labels = self.table()
        p[:4] = [0.2, 0.5]
        assert confusions(p, labels).any()
        p[:4] = [0.5, 0.8]
        assert not confusions(p, labels).any()

    def test_twice_as_often_as_elsewhere_is_not_enough(self):
        p, labels = self.table()  # 4 of 4, at least 0.6
        p[20:38, 1] = 0.9  # and in 18 of the other 56 images: 22 of 60 in all
        assert not confusions(p, labels).any()
        p[20:25, 1] = 0.1  # 17 of 60
        assert confusions(p, labels).any()

    def test_a_class_that_is_seen_everywhere_is_confused_with_none(self):
        p, labels = self.table()
        p[20:, 1] = 0.9
        assert not confusions(p, labels).any()

    def test_unknown_is_not_seen_wrongly(self):
        p, labels = self.table()
        labels[:20, 1] = 0
        assert not confusions(p, labels).any()


def test_siblings_share_any_parent():
    assert siblings([[], [], [0], [0, 1], [1]])[3].tolist() == [False, False, True, False, True]


def test_find_says_so():
    """A wolf given as a dog, many times: the missing wolf is minor, and so is the wrong dog beside it."""
    labels = np.array([[1, -1, -1]] * 20 + [[-1, 1, -1]] * 20 + [[-1, -1, 1]] * 20, np.int8)
    p = np.where(labels == 1, 0.95, 0.05)
    for row in (0, 1, 2, 3):
        p[row] = [0.03, 0.97, 0.05]
    p[40] = [0.05, 0.96, 0.95]
    table = LabelTable(labels, ("dog", "wolf", "car"), tuple(f"{i:02d}" for i in range(60)))
    found = {(f.image, f.label): (f.category, f.severity) for f in findings.find(table, p)}
    assert found["00", "wolf"] == ("confused with dog", "minor")
    assert found["00", "dog"] == ("confused with wolf", "minor")
    assert found["40", "wolf"] == ("missing label", "major")
