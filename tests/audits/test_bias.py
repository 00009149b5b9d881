"""What annotators give and forget, against planted rates; and the protocol of one positive label."""

import csv
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.audits import bias
from manylabel.audits.bias import annotation, areas, centralities, frequency, mentions, single_positive
from manylabel.labels import LabelTable, ManylabelError
from manylabel.metrics.bootstrap import resamples

CHI_9 = 27.88  # chi-square with 9 degrees of freedom at one in a thousand


def table_of(state, names="abcdefghij"):
    state = np.asarray(state, np.int8)
    return LabelTable(state, tuple(names[: state.shape[1]]), tuple(f"{i}.jpg" for i in range(len(state))))


def test_annotation_by_hand():
    found = annotation(table_of([[1, 0, 0], [1, -1, 0], [0, 0, 0], [1, 1, -1], [0, 0, -1]]))
    np.testing.assert_allclose(found.unknown, [0.4, 0.6, 0.6])
    assert (found.images, found.single, found.mean) == (5, 0.2, 0.8)  # one negative known beside: not alone
    assert found.labels.tolist() == [2, 2, 1]
    empty = annotation(table_of(np.zeros((0, 2))))
    assert (empty.single, empty.mean, empty.unknown.tolist()) == (0.0, 0.0, [0.0, 0.0])


def planted(rates, seed=0, images=4000):
    """Truth and honest probabilities; of each class's positives annotators give the share `rates`, negatives too."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.8, (images, len(rates)))
    truth = np.where(rng.random(p.shape) < p, 1, -1)
    return np.where(rng.random(p.shape) < rates, truth, 0).astype(np.int8), p, truth


def test_mentions_finds_the_planted_rates_and_covers_them():
    rates = np.array([0.9, 0.5, 0.1])
    found = mentions(*planted(rates)[:2])
    np.testing.assert_allclose(found.share, rates, atol=0.03)
    assert ((found.low < found.share) & (found.share < found.high)).all()
    held = [(m.low <= rates) & (rates <= m.high) for m in (mentions(*planted(rates, s, 600)[:2]) for s in range(40))]
    assert np.mean(held) > 0.9
    assert found.forgotten() == [2, 1, 0]
    assert found.forgotten(1) == [2]


def test_mentions_of_classes_that_are_known_or_nowhere():
    found = mentions(np.array([[1, -1, 0], [-1, -1, 0]], np.int8), np.zeros((2, 3)))
    assert found.share[0] == 1
    assert np.isnan(found.share[1:]).all()
    assert np.isnan(found.low[1:]).all()
    assert found.forgotten() == []
    alone = mentions(np.array([[1], [0]], np.int8), np.array([[0.5], [1.0]]), number=0)
    assert (alone.share, alone.low, alone.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ManylabelError, match="calibrate"):
        mentions(np.array([[1]], np.int8), np.array([[3.0]]))


def test_the_interval_holds_95_of_100_resamples():
    labels, p, _ = planted(np.array([0.6, 0.2]), images=80)
    found = mentions(labels, p, number=300, seed=5)
    weights = np.concatenate(list(resamples(80, 300, 5)))
    given, missing = weights @ (labels == 1), weights @ np.where(labels == 0, p, 0)
    expected = np.quantile(given / (given + missing), [0.025, 0.975], axis=0)
    np.testing.assert_allclose([found.low, found.high], expected)


def test_forgotten_is_where_one_positive_or_more_is_missing():
    p = np.array([[0.4, 0.5, 1.0], [0.5, 0.5, 0.9]])
    assert mentions(np.zeros((2, 3), np.int8), p).forgotten() == [1, 2]


def test_mentions_in_pieces_is_the_whole(monkeypatch):
    labels, p, _ = planted(np.array([0.9, 0.3]), images=300)
    whole = mentions(labels, p)
    monkeypatch.setattr(bias, "ROWS", 7)
    pieces = mentions(labels, p)
    for name in ("positives", "expected", "share", "low", "high"):
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name))


def test_the_file_of_classes(tmp_path):
    labels = np.array([[1, -1, 0], [0, -1, 0], [1, 1, 0]], np.int8)
    found = mentions(labels, np.full((3, 3), 0.25) * [1, 1, 0])
    rows = list(csv.DictReader(bias.write(tmp_path / "s.csv", table_of(labels), found).read_text().splitlines()))
    assert [row["label"] for row in rows] == ["a", "b", "c"]
    assert rows[0] | {"low": "", "high": ""} == {
        "label": "a", "present": "2", "absent": "0", "unknown": "1", "unknown_share": "0.3333", "expected": "0.25",
        "annotated": "0.8889", "low": "", "high": "",
    }  # fmt: skip
    assert (rows[1]["absent"], rows[2]["annotated"], rows[2]["unknown"]) == ("2", "", "3")


class TestSinglePositive:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.booleans())
    def test_one_positive_of_each_image_that_has_one(self, seed, by_cell):
        rng = np.random.default_rng(seed)
        labels = rng.integers(-1, 2, (30, 6)).astype(np.int8)
        weights = rng.random((30, 6) if by_cell else 6) * (rng.random((30, 6) if by_cell else 6) < 0.5)
        kept = single_positive(labels, weights, seed=seed % 1000)
        assert kept.dtype == np.int8
        np.testing.assert_array_equal((kept == 1).sum(axis=1), (labels == 1).any(axis=1))
        assert (labels[kept == 1] == 1).all()
        assert not (kept == -1).any()
        weigh = np.broadcast_to(weights, labels.shape)
        for row in np.flatnonzero((kept == 1).any(axis=1)):
            possible = (labels[row] == 1) & (weigh[row] > 0)
            assert not possible.any() or possible[kept[row] == 1].all()
        np.testing.assert_array_equal(kept, single_positive(labels, weights, seed=seed % 1000))

    @pytest.mark.parametrize("weights", [None, np.full(10, 7.0)])
    def test_uniform_is_uniform(self, weights):
        drawn = (single_positive(np.ones((20_000, 10), np.int8), weights, seed=1) == 1).sum(axis=0)
        assert ((drawn - 2000) ** 2 / 2000).sum() < CHI_9

    def test_weights_are_shares(self):
        weights = np.arange(10.0)
        drawn = (single_positive(np.ones((20_000, 10), np.int8), weights, seed=2) == 1).sum(axis=0)
        expected = 20_000 * weights / weights.sum()
        assert drawn[0] == 0
        assert ((drawn[1:] - expected[1:]) ** 2 / expected[1:]).sum() < CHI_9
        tiny = single_positive(np.ones((2000, 10), np.int8), weights * 1e-300, seed=2)
        np.testing.assert_array_equal((tiny == 1).sum(axis=0) > 0, weights > 0)

    def test_all_weights_0_is_uniform_and_seeds_differ(self):
        labels = np.ones((20_000, 10), np.int8)
        drawn = (single_positive(labels, np.zeros(10), seed=3) == 1).sum(axis=0)
        assert ((drawn - 2000) ** 2 / 2000).sum() < CHI_9
        assert (single_positive(labels, seed=0) != single_positive(labels, seed=1)).any()

    @pytest.mark.parametrize(("drawn", "kept"), [(0.0, 1), (np.nextafter(1.0, 0), 2), (0.25, 2)])
    def test_the_ends_of_the_draw(self, drawn, kept, monkeypatch):
        """Of weights 0, 1, 3, 0 the first and the last are never drawn, whatever number comes."""
        generator = types.SimpleNamespace(random=lambda number: np.full(number, drawn))
        monkeypatch.setattr(bias.np.random, "default_rng", lambda seed: generator)
        assert single_positive(np.ones((2, 4), np.int8), [0, 1, 3, 0])[0].argmax() == kept

    @pytest.mark.parametrize(
        ("weights", "message"), [([1, 2, 3], "got shape"), ([1, -1], "got -1"), ([1, np.nan], r"got nan at \[1\]")]
    )
    def test_what_is_no_weight_is_refused(self, weights, message):
        with pytest.raises(ManylabelError, match=message):
            single_positive(np.ones((3, 2), np.int8), weights)

    def test_ready_weights(self):
        labels = np.array([[1, 1, -1], [1, 0, -1]], np.int8)
        assert frequency(labels, -1).tolist() == [0.5, 1.0, 0.0]
        assert frequency(labels, 0).tolist() == [1.0, 1.0, 0.0]
        boxes, rows, classes = [[0, 0, 4, 5], [0, 0, 1, 1], [6, 6, 8, 8]], [0, 0, 1], [0, 0, 2]
        assert areas(boxes, rows, classes, shape=(2, 3)).tolist() == [[21, 0, 0], [0, 0, 4]]
        place = centralities(boxes, rows, classes, sizes=[[8, 10], [14, 14]], shape=(2, 3))
        expected = 1 / np.hypot(0.25, 0.25) + 1 / np.hypot(0.5 - 0.0625, 0.45)
        np.testing.assert_allclose(place, [[expected, 0, 0], [0, 0, 2000]])
