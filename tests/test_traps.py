"""Cases in which other libraries answer wrongly, loudly or not at all, each with our answer on the same case.

The first three classes of `THREE` are ranked perfectly and the last has no positive: libraries call its average
precision 0, which makes a perfect model 0.667. "-1", "?", NaN and blank cells are unknown and take no part.
"""

import numpy as np
import pytest
import torch

from manylabel import data, decisions, objectives
from manylabel.audits.confident import confident_learning
from manylabel.audits.findings import find, out_of_fold
from manylabel.audits.quality import image_quality, self_confidence
from manylabel.data.doctor import examine
from manylabel.data.split import assign, complete
from manylabel.decisions.f1 import F1
from manylabel.decisions.platt import Platt
from manylabel.labels import LabelTable, ManylabelError
from manylabel.metrics import (
    Settings,
    auroc,
    average_precision,
    coverage_error,
    evaluate,
    label_ranking_average_precision,
    ranking_loss,
    subset_accuracy,
)

THREE = np.array([[1, -1, -1], [1, -1, -1], [-1, 1, -1], [-1, 1, -1]], np.int8)
SCORES = np.array([[0.9, 0.2, 0.4], [0.8, 0.1, 0.3], [0.2, 0.9, 0.2], [0.1, 0.8, 0.1]])
NAMES = ["a", "b", "c"]
RULES = [name for name in decisions.names() if name != "fixed"]
OBJECTIVES = objectives.names()


def evaluated(labels, scores=SCORES, **options):
    return evaluate(scores, labels, names=NAMES, thresholds=0.5, settings=Settings(resamples=20), **options)


class TestAClassWithoutPositives:
    def test_has_no_average_precision_and_the_mean_of_the_others_is_counted(self):
        np.testing.assert_array_equal(average_precision(SCORES, THREE), [1, 1, np.nan])
        result = evaluated(THREE)
        assert result["map"] == 1.0  # elsewhere 0.667
        assert (result["classes_without_positives"], result["classes_map_averaged"]) == (1, 2)
        assert result["per_class"][2]["ap"] is None

    def test_has_no_auroc_neither_0_nor_one_half(self):
        np.testing.assert_array_equal(auroc(SCORES, THREE), [1, 1, np.nan])
        assert evaluated(THREE)["auroc"] == 1.0

    def test_does_not_lower_the_f1_of_a_perfect_classifier(self):
        result = evaluated(THREE)
        assert result["f1_macro"] == result["cf1"] == result["of1"] == 1.0  # elsewhere 0.667
        assert result["per_class"][2]["f1"] is None

    def test_still_pays_for_its_false_alarms_in_the_overall_numbers(self):
        louder = SCORES + np.array([0, 0, 0.5])
        assert evaluated(THREE, louder)["op"] == pytest.approx(4 / 8)  # class c is decided in four images

    def test_a_classifier_that_is_always_right_about_an_empty_image_is_not_punished(self):
        labels = np.vstack([THREE, [[-1, -1, -1]]]).astype(np.int8)
        result = evaluated(labels, np.vstack([SCORES, [[0.1, 0.1, 0.1]]]))
        assert result["f1_samples"] == result["jaccard_samples"] == result["subset_accuracy"] == 1.0
        assert result["hamming_loss"] == 0.0


class TestUnknownTargets:
    def test_a_wholly_unknown_column_is_nan_and_moves_nothing_else(self):
        labels = THREE.copy()
        labels[:, 2] = 0
        np.testing.assert_array_equal(average_precision(SCORES, labels), [1, 1, np.nan])  # elsewhere an IndexError
        result = evaluated(labels)
        assert (result["map"], result["classes_without_positives"]) == (1.0, 1)
        assert result["unknown_share"] == pytest.approx(1 / 3)
        assert result["per_class"][2]["test_known"] == 0

    def test_nan_in_y_is_unknown_not_an_error_and_not_a_negative(self):
        table = LabelTable.from_values([[1, np.nan, 0], [0, 1, np.nan]], names=NAMES, ids=["x", "y"])
        np.testing.assert_array_equal(table.state, [[1, 0, -1], [-1, 1, 0]])
        np.testing.assert_array_equal(average_precision(np.eye(2, 3), table.state), [1, 1, np.nan])

    @pytest.mark.parametrize("cell", ["", "?", "nan", "NaN", "-1"])
    def test_blank_question_mark_nan_and_minus_one_in_a_file_are_unknown(self, tmp_path, cell):
        file = tmp_path / "labels.csv"
        file.write_text(f"image,cat,dog\nx.jpg,1,{cell}\ny.jpg,0,1\n")
        np.testing.assert_array_equal(data.read(file).labels.state, [[1, 0], [-1, 1]])

    @pytest.mark.parametrize("labels", [THREE.astype(float), (THREE == 1).astype(int), np.where(THREE == 1, 1, np.nan)])
    def test_a_table_of_0_1_or_nan_is_refused_with_what_to_do_never_misread(self, labels):
        for call in (average_precision, auroc, ranking_loss, coverage_error):
            with pytest.raises(ManylabelError, match=r"LabelTable\.from_values\(\.\.\.\)\.state makes them"):
                call(SCORES, labels)

    def test_two_unknown_cells_do_not_halve_the_map_as_two_minus_ones_do_elsewhere(self):
        labels = THREE.copy()
        labels[0, 1] = labels[2, 0] = 0
        assert evaluated(labels)["map"] == 1.0
        worse = SCORES.copy()
        worse[0, 1] = worse[2, 0] = 99.0  # whatever is said of cells nobody judged
        assert evaluated(labels, worse)["map"] == 1.0
        assert evaluated(THREE, worse)["map"] < 1.0


class TestRankingWithIgnoredCells:
    def test_the_ignored_cell_does_not_become_the_lowest_score_in_coverage(self):
        error = coverage_error(np.array([[0.9, 0.8, 0.1]]), np.array([[0, 1, -1]], np.int8))
        np.testing.assert_array_equal(error, [1])  # elsewhere 3

    def test_lrap_ranking_loss_and_exact_match_see_known_cells_only(self):
        scores, labels = np.array([[0.9, 0.8, 0.1, 0.7]]), np.array([[0, 1, -1, -1]], np.int8)
        assert label_ranking_average_precision(scores, labels) == [1.0]
        assert ranking_loss(scores, labels) == [0.0]
        assert subset_accuracy(np.array([[True, True, False, False]]), labels) == [1.0]

    def test_an_image_left_without_positives_is_left_out_neither_1_nor_0(self):
        scores, labels = np.array([[0.9, 0.8], [0.9, 0.8]]), np.array([[0, -1], [1, -1]], np.int8)
        for metric, best in ((label_ranking_average_precision, 1), (ranking_loss, 0), (coverage_error, 1)):
            np.testing.assert_array_equal(metric(scores, labels), [np.nan, best])


class TestLosses:
    @pytest.mark.parametrize("name", OBJECTIVES)
    def test_an_unknown_cell_costs_exactly_0_and_pulls_nowhere(self, name):
        loss = objectives.load(name, counts=np.array([2, 2]), images=4)
        scores = torch.tensor([[0.3, -2.0], [5.0, 1.0]], requires_grad=True)
        cells = loss(scores, torch.tensor([[0, 1], [-1, 0]], dtype=torch.int8))
        cells.sum().backward()
        assert cells[0, 0] == cells[1, 1] == 0
        assert scores.grad[0, 0] == scores.grad[1, 1] == 0

    @pytest.mark.parametrize("name", OBJECTIVES)
    @pytest.mark.parametrize("bad", [-1.0, 0.0, 1.0, float("nan")])
    def test_a_target_of_another_type_is_refused_where_others_return_a_number(self, name, bad):
        loss = objectives.load(name, counts=np.array([2]), images=4)
        with pytest.raises(ManylabelError, match="int8"):
            loss(torch.zeros(1, 1), torch.full((1, 1), bad))

    def test_minus_one_is_absent_not_a_weight_of_minus_one(self):
        loss = objectives.load("bce")
        found = loss(torch.tensor([[0.7]]), torch.tensor([[-1]], dtype=torch.int8))
        assert float(found) == pytest.approx(np.log1p(np.exp(0.7)))


class TestAudit:
    def planted(self, seed=0):
        """200 images of 5 classes, 40 with one cell flipped, and honest probabilities of the true labels."""
        rng = np.random.default_rng(seed)
        truth = np.where(rng.random((200, 5)) < 0.3, 1, -1).astype(np.int8)
        labels, rows = truth.copy(), rng.choice(200, 40, replace=False)
        columns = rng.integers(0, 5, 40)
        labels[rows, columns] *= -1
        return labels, 1 / (1 + np.exp(-(3 * truth + rng.normal(size=truth.shape)))), set(zip(rows, columns))

    def test_an_image_nobody_labelled_is_no_error_and_no_suspect(self):
        labels, probabilities, _ = self.planted()
        labels[7] = 0
        assert not confident_learning(probabilities, labels).wrong[7].any()
        quality = image_quality(self_confidence(probabilities, labels))
        assert np.isnan(quality[7])
        assert np.isfinite(np.delete(quality, 7)).all()
        table = LabelTable(labels, tuple("abcde"), tuple(f"{i}.jpg" for i in range(200)))
        assert "7.jpg" not in {finding.image for finding in find(table, probabilities)}
        assert np.isfinite(out_of_fold(np.log(probabilities / (1 - probabilities)), labels)).all()

    def test_planted_flips_are_found_and_little_else(self):
        found = right = 0
        for seed in range(3):
            labels, probabilities, planted = self.planted(seed)
            cells = {(int(i), int(c)) for i, c in np.argwhere(confident_learning(probabilities, labels).wrong)}
            found, right = found + len(cells), right + len(cells & planted)
        assert right >= 102  # of 120
        assert right >= 0.9 * found

    def test_a_0_1_matrix_is_refused_not_audited_as_something_else(self):
        labels, probabilities, _ = self.planted()
        for wrong in ((labels == 1).astype(int), (labels == 1).astype(float), labels == 1):
            with pytest.raises(ManylabelError, match="int8"):
                confident_learning(probabilities, wrong)
            with pytest.raises(ManylabelError, match="int8"):
                self_confidence(probabilities, wrong)


class TestSplit:
    def table(self, seed=0):
        """Label combinations that mostly occur once, and a class of three positives."""
        rng = np.random.default_rng(seed)
        state = np.where(rng.random((90, 8)) < 0.4, 1, -1).astype(np.int8)
        state[:, 7] = -1
        state[rng.choice(90, 3, replace=False), 7] = 1
        return LabelTable(state, tuple("abcdefgr"), tuple(f"{i}.jpg" for i in range(90)))

    @pytest.mark.parametrize("seed", range(5))
    def test_a_class_of_three_positives_is_in_all_three_parts(self, seed):
        table = self.table(seed)
        combinations, times = np.unique(table.state, axis=0, return_counts=True)
        assert (times == 1).sum() > len(combinations) / 2  # stratifying by combination is an error elsewhere
        part = assign(table, seed=seed)
        assert {str(p) for p in part[table.present[:, 7]]} == {"train", "val", "test"}

    @pytest.mark.parametrize("seed", range(3))
    def test_of_five_folds_they_are_in_three(self, seed):
        table = self.table(seed)
        part = assign(table, fractions={f"fold{k}": 0.2 for k in range(5)}, seed=seed)
        assert len(set(part[table.present[:, 7]].tolist())) == 3

    def test_a_part_that_lacks_a_class_is_named(self, tmp_path):
        rows = [f"{i}.jpg,{'rare|' if i < 2 else ''}common" for i in range(40)]
        (tmp_path / "labels.csv").write_text("image,labels\n" + "\n".join(rows) + "\n")
        dataset = complete(data.read(tmp_path / "labels.csv"))
        rare = dataset.labels.present[:, dataset.labels.names.index("rare")]
        lacking = {"train", "val", "test"} - set(dataset.split[rare].tolist())
        assert lacking  # two positives, three parts
        problems = examine(dataset, images=False).problems
        assert {p.partition(" ")[0] for p in problems if "shows no positive of" in p and "rare" in p} == lacking


@pytest.mark.parametrize("name", RULES)
class TestThresholds:
    def problem(self):
        rng = np.random.default_rng(0)
        labels = rng.choice(np.array([-1, 1], np.int8), (80, 4), p=[0.6, 0.4])
        logits = rng.normal(size=labels.shape) + 1.5 * labels
        return 1 / (1 + np.exp(-logits)), labels  # probabilities, which every rule takes

    def test_a_class_without_positives_stops_no_rule(self, name):
        scores, labels = self.problem()
        labels[:, 3] = -1
        answer = decisions.load(name)().fit(scores, labels)(scores)
        assert answer.shape == labels.shape
        assert np.isfinite(np.asarray(answer, float)).all()

    def test_unknown_cells_and_a_wholly_unknown_class_stop_no_rule(self, name):
        scores, labels = self.problem()
        labels[::3, 1] = 0
        labels[:, 3] = 0
        if name == "lp_icp":  # which judges whole images: it says so
            with pytest.raises(ManylabelError, match="no image has all its labels known"):
                decisions.load(name)().fit(scores, labels)
            return
        answer = decisions.load(name)().fit(scores, labels)(scores)
        assert np.isfinite(np.asarray(answer, float)).all()

    def test_nan_in_y_is_told_what_to_do(self, name):
        if name == "top_k":  # which reads no labels
            return
        scores, labels = self.problem()
        for y in (np.where(labels == 1, 1, np.nan), (labels == 1).astype(int)):
            with pytest.raises(ManylabelError, match=r"LabelTable\.from_values"):
                decisions.load(name)().fit(scores, y)


def test_a_class_without_positives_takes_a_threshold_and_is_marked():
    labels = np.array([[1, -1], [-1, -1], [1, -1], [-1, -1]], np.int8)
    scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.8, 0.2], [0.1, 0.4]])
    rule = F1().fit(scores, labels)
    assert rule.pooled.tolist() == [False, True]
    assert np.isfinite(rule.thresholds).all()
    assert Platt().fit(scores, labels).pooled.tolist() == [False, True]
