"""Laws of an audit: the order of images and classes changes nothing, the unknown adds nothing, large is as small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.audits import binned, calibrated, cooccurrence, evidence, findings, told
from manylabel.audits.cooccurrence import count_together
from manylabel.decisions.platt import sigmoid
from manylabel.labels import LabelTable, ManylabelError
from manylabel.metrics.calibration import check_probabilities

SEEDS = st.integers(0, 2**32 - 1)
PARENTS = [[], [0], [0], [], [3]]


def audited(seed, images=80):
    """Labels with errors of every kind, honest probabilities, groups of copies."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random((images, 5)) < [0.7, 0.5, 0.3, 0.3, 0.2], 1, -1).astype(np.int8)
    truth[:, 0] = np.where(rng.random(images) < 0.95, np.maximum(truth[:, 0], truth[:, 1]), -1)
    p = sigmoid(1.5 * truth + 1.5 * rng.normal(size=truth.shape))
    labels = np.where(rng.random(truth.shape) < 0.1, -truth, truth)
    labels = np.where(rng.random(truth.shape) < 0.1, 0, labels).astype(np.int8)
    table = LabelTable(labels, ("animal", "dog", "wolf", "car", "wheel"), tuple(f"{i:03d}.jpg" for i in range(images)))
    groups = [np.array([0, 3, 4]), np.array([7, 9]), np.array([20, 21, 22, 23])]
    return table, p, groups, rng


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_order_of_rows_and_classes_changes_no_finding(seed):
    table, p, groups, rng = audited(seed)
    found = findings.find(table, p, parents=PARENTS, groups=groups, least=0.8)
    rows, columns = rng.permutation(len(table)), rng.permutation(5)
    to_row, to_column = np.argsort(rows), np.argsort(columns)
    shuffled = LabelTable(
        table.state[np.ix_(rows, columns)], tuple(table.names[c] for c in columns), tuple(table.ids[r] for r in rows)
    )
    parents = [[int(to_column[q]) for q in PARENTS[c]] for c in columns]
    other = findings.find(
        shuffled, p[np.ix_(rows, columns)], parents=parents, groups=[to_row[g] for g in groups], least=0.8
    )
    plain = [(f.rank, f.image, f.label, f.suggested, f.confidence, f.image_quality, f.category, f.severity)
             for f in found]  # fmt: skip
    assert plain == [
        (f.rank, f.image, f.label, f.suggested, f.confidence, f.image_quality, f.category, f.severity) for f in other
    ]
    assert [sorted(f.reasons.split("; ")) for f in found] == [sorted(f.reasons.split("; ")) for f in other]


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_unknown_rows_add_nothing_and_unknown_cells_are_never_listed(seed):
    table, p, groups, rng = audited(seed)
    found = findings.find(table, p, parents=PARENTS, groups=groups)
    more = LabelTable(
        np.vstack([table.state, np.zeros((30, 5), np.int8)]), table.names, (*table.ids, *map(str, range(30)))
    )
    grown = [np.append(groups[0], [80, 85]), *groups[1:], np.array([90, 91])]
    p_more = np.vstack([p, rng.random((30, 5))])
    p_more[[80, 85]] = p[groups[0]].mean(axis=0)  # a tie is decided by the mean over all copies
    assert findings.find(more, p_more, parents=PARENTS, groups=grown) == found
    place = [(table.ids.index(f.image), table.names.index(f.label)) for f in found]
    assert all(table.state[cell] != 0 for cell in place)
    assert len(set(place)) == len(place)
    assert [f.confidence for f in found] == sorted(f.confidence for f in found)


def test_every_kind_of_evidence_is_there_and_told():
    table, p, groups, _ = audited(1, images=400)
    found = findings.find(table, p, parents=PARENTS, groups=groups, least=0.5)
    kinds = {f.category.split(" with ")[0] for f in found}
    assert kinds >= {"missing label", "wrong label", "duplicate disagrees", "broken hierarchy", "companion absent"}
    line = told.kinds(found)
    assert line.startswith(f"{sum(f.severity == 'major' for f in found)} major, ")
    assert "broken hierarchy" in line
    assert len(told.worst(found)) == 10
    assert found[0].reasons in told.worst(found)[0]


def test_of_many_reasons_five_are_told():
    found = evidence.Evidence()
    for k in range(7):
        found.add((0, 0), 1 << (k % 2), str(k))
    assert found.told((0, 0)) == "0; 1; 2; 3; 4; and 2 more"
    assert found.kinds[0, 0] == 3


def test_quality_is_of_the_image_whatever_the_pieces(monkeypatch):
    table, p, groups, _ = audited(2)
    whole = findings.find(table, p, groups=groups, pooling="ema")
    monkeypatch.setattr(findings, "ROWS", 3)
    assert findings.find(table, p, groups=groups, pooling="ema") == whole
    cells = findings.self_confidence(p, table.state)
    expected = dict(zip(table.ids, findings.image_quality(cells, "ema")))
    assert all(abs(f.image_quality - expected[f.image]) < 1e-4 for f in whole)


@pytest.mark.parametrize("share", [0.01, 0.5])
@pytest.mark.parametrize("known", [0.7, 1.0])
def test_counting_together_in_pieces(share, known, monkeypatch):
    rng = np.random.default_rng(0)
    one, other = rng.random((500, 7)) < share, rng.random((500, 7)) < known
    monkeypatch.setattr(cooccurrence, "ROWS", 64)
    np.testing.assert_array_equal(count_together(one, other), one.T.astype(float) @ other)


class TestCalibration:
    def scores(self, images=3000):
        rng = np.random.default_rng(0)
        share = np.array([0.5, 0.2, 0.05, 0.01, 0.002, 0.0])
        truth = np.where(rng.random((images, 6)) < share, 1, -1).astype(np.int8)
        scores = 2 * truth + rng.normal(size=truth.shape) * [1, 2, 1, 1, 1, 1] + [0, 3, 0, -2, 0, 0]
        labels = np.where(rng.random(truth.shape) < 0.2, 0, truth).astype(np.int8)
        return scores.astype(np.float32), labels

    def test_counted_is_as_exact(self, monkeypatch):
        scores, labels = self.scores()
        exact = findings.out_of_fold(scores, labels)
        monkeypatch.setattr(findings, "EXACT", 0)
        np.testing.assert_allclose(findings.out_of_fold(scores, labels), exact, atol=1e-3)

    def test_counted_does_not_see_its_own_labels_either(self, monkeypatch):
        monkeypatch.setattr(findings, "EXACT", 0)
        scores, labels = self.scores(300)
        changed = labels.copy()
        changed[7] *= -1
        before, after = findings.out_of_fold(scores, labels), findings.out_of_fold(scores, changed)
        np.testing.assert_array_equal(after[7], before[7])
        assert (after != before).any()

    def test_counts_are_of_known_labels_by_fold(self):
        scores, labels = self.scores(200)
        fold = np.arange(200) % 3
        table = binned.count(scores, labels, fold, 3)
        for k in range(3):
            np.testing.assert_array_equal(table.positives[k].sum(axis=0), (labels[fold == k] == 1).sum(axis=0))
            np.testing.assert_array_equal(table.negatives[k].sum(axis=0), (labels[fold == k] == -1).sum(axis=0))
        assert (table.values.max(axis=0) <= scores.max(axis=0) + 1e-6).all()

    def test_constant_scores_are_calibrated_too(self, monkeypatch):
        monkeypatch.setattr(findings, "EXACT", 0)
        labels = np.array([[1], [-1]] * 50, np.int8)
        np.testing.assert_allclose(findings.out_of_fold(np.full((100, 1), 3.0), labels), 0.5, atol=0.1)

    def test_what_cannot_be_calibrated_is_known_beforehand(self, monkeypatch):
        """Whether each fold's others hold a known positive and a known negative, and the error where they do not."""
        said = set()
        for seed in range(60):
            rng = np.random.default_rng(seed)
            images = int(rng.integers(1, 9))
            labels = rng.choice(np.array([-1, 0, 1], np.int8), (images, 2), p=[0.2, 0.6, 0.2])
            fold = np.random.default_rng(0).permutation(images) % min(5, images)
            rests = [labels[fold != k] if images > 1 else labels for k in range(min(5, images))]
            possible = all((rest == 1).any() and (rest == -1).any() for rest in rests)
            assert findings.calibratable(labels) == possible
            for exact in (0, 10**6):  # counted in bins, and not
                monkeypatch.setattr(findings, "EXACT", exact)
                if possible:
                    check_probabilities(findings.out_of_fold(rng.normal(size=labels.shape), labels), labels)
                else:
                    with pytest.raises(ManylabelError, match="every four fifths of the images must hold"):
                        findings.out_of_fold(rng.normal(size=labels.shape), labels)
            said.add(possible)
        assert said == {True, False}
        assert not findings.calibratable(np.zeros((0, 2), np.int8))

    def test_probabilities_of_either_kind(self):
        scores, labels = self.scores(500)
        p = sigmoid(scores.astype(np.float64)).astype(np.float32)
        assert calibrated.probabilities(p, labels, kind="probability") is p
        by_logit = calibrated.probabilities(scores, labels, kind="logit")
        np.testing.assert_allclose(
            calibrated.probabilities(p, labels, kind="probability", anew=True), by_logit, atol=5e-3
        )
        positive = np.maximum(labels, 0)  # nothing known to be absent
        np.testing.assert_allclose(calibrated.probabilities(scores, positive, kind="logit"), p, atol=1e-6)
        assert calibrated.probabilities(p, positive, kind="probability", anew=True) is p
        sure = np.array([[0.0], [1.0]] * 30, np.float32)
        check_probabilities(
            calibrated.probabilities(sure, np.array([[-1], [1]] * 30, np.int8), kind="probability", anew=True),
            np.zeros((60, 1), np.int8),
        )
