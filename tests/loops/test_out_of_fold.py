"""Folds that keep copies together and classes even, and scores that never saw their own image."""

import types
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.data import Dataset
from manylabel.labels import LabelTable, ManylabelError
from manylabel.loops.out_of_fold import alike, divide, score_dataset, score_out_of_fold, unit_table, units
from manylabel.loops.sources import FeatureSource
from manylabel.methods import ridge
from manylabel.methods.ridge import Config
from manylabel.parts.settings import Fit, Settings


class Store:
    """Features in memory, as the cache gives them."""

    size = None

    def __init__(self, vectors):
        self.vectors = vectors.astype(np.float32)

    def pooled(self, rows):
        return self.vectors[rows]


def table_of(images=60, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    state = rng.choice(np.array([-1, 0, 1], np.int8), (images, classes), p=[0.5, 0.1, 0.4])
    return LabelTable(state, tuple("abcdefgh"[:classes]), tuple(f"{i}.jpg" for i in range(images)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_folds_cover_all_once_and_split_no_group(seed, number):
    table, rng = table_of(seed=seed % 7), np.random.default_rng(seed)
    groups = np.split(rng.permutation(60)[:30], np.sort(rng.choice(np.arange(2, 29), 5, replace=False)))
    folds = divide(table, number, groups=groups, seed=seed % 100)
    assert len(folds) == number
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(60))
    for fold in folds:
        assert sorted(np.concatenate([fold.train, fold.val, fold.test]).tolist()) == list(range(60))
        assert min(map(len, (fold.train, fold.val, fold.test))) > 0
        for group in groups:
            assert sum(np.isin(group, rows).any() for rows in (fold.train, fold.val, fold.test)) == 1


def test_folds_are_stratified():
    state = np.full((100, 2), -1, np.int8)
    state[:10, 0] = 1  # rare and all at the start
    state[50:, 1] = 1
    table = LabelTable(state, ("rare", "common"), tuple(map(str, range(100))))
    for fold in divide(table, 5):
        assert ((state[fold.test] == 1).sum(axis=0) == [2, 10]).all()
        assert len(fold.test) == 20


def test_units_have_every_positive_of_their_images():
    table = LabelTable(np.array([[1, -1], [-1, -1], [0, 1]], np.int8), ("a", "b"), ("x", "y", "z"))
    whole = unit_table(table, units(3, [np.array([0, 2])]))
    assert whole.ids == ("x", "y")
    assert whole.present.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("number", [1, 59])
def test_too_few_or_too_many_folds(number):
    with pytest.raises(ManylabelError, match="expected from 2 to 58 folds"):
        divide(table_of(), number)


def source_of(vectors, table):
    return FeatureSource(Store(vectors), np.arange(len(table)), table.state, grid=False)


def build(rows):
    return ridge.Ridge(Config(), 4, 12)


def signal(seed=0, images=200):
    """Features of which a class's direction tells it, and the table."""
    rng = np.random.default_rng(seed)
    table = table_of(images, seed=seed)
    directions = np.random.default_rng(9).normal(size=(4, 12))
    return np.abs((table.state == 1) @ directions + 0.3 * rng.normal(size=(images, 12))), table


def test_no_image_is_scored_by_a_model_that_saw_it():
    vectors, table = signal()
    folds = divide(table, 4)
    seen = []

    def fit(method, train, val, settings, **_):
        seen.append((set(train.rows.tolist()), set(val.rows.tolist())))
        return ridge.train(method, train, val, settings)

    logits = score_out_of_fold(source_of(vectors, table), folds, build=build, fit=fit, settings=Settings())
    assert np.isfinite(logits).all()
    assert logits.dtype == np.float32
    for fold, (train, val) in zip(folds, seen):
        assert not (train | val) & set(fold.test.tolist())
    known = table.state != 0
    assert ((logits > 0) == (table.state == 1))[known].mean() > 0.8
    state = table.state.copy()
    state[folds[1].test] *= -1  # their own labels do not matter to their scores
    other = LabelTable(state, table.names, table.ids)
    again = score_out_of_fold(source_of(vectors, other), folds, build=build, fit=ridge.train, settings=Settings())
    np.testing.assert_array_equal(again[folds[1].test], logits[folds[1].test])
    assert (again[folds[0].test] != logits[folds[0].test]).any()


def test_the_method_is_built_for_its_training_rows_and_interruption_is_passed_on():
    vectors, table = signal(images=40)
    folds, built, bars = divide(table, 2), [], []

    def builder(rows):
        built.append(rows.tolist())
        return build(rows)

    def fit(method, train, val, settings, *, progress, **_):
        progress(3, 0)
        progress(3, 0, what="ridge")
        ended = "interrupted" if len(built) == 2 else "complete"
        return Fit([], 0, 0.0, ended)

    with pytest.raises(KeyboardInterrupt):
        score_out_of_fold(
            source_of(vectors, table), folds, build=builder, fit=fit, settings=Settings(),
            progress=lambda steps, done, what: bars.append(what),
        )  # fmt: skip
    assert built == [fold.train.tolist() for fold in folds]
    assert bars == ["fold 1 of 2", "fold 1 of 2 ridge", "fold 2 of 2", "fold 2 of 2 ridge"]


def test_a_method_that_reads_the_grid_gets_it():
    table = table_of(20)
    method = types.SimpleNamespace(needs_grid=True)
    given_grid = []

    def fit(method, train, val, settings, **_):
        given_grid.extend([train.grid, val.grid])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_out_of_fold(
            source_of(np.ones((20, 12)), table), divide(table, 2), build=lambda rows: method, fit=fit,
            settings=Settings(),
        )  # fmt: skip
    assert given_grid == [True, True]


def test_copies_are_alike():
    torch.manual_seed(0)
    vectors = np.abs(np.random.default_rng(0).normal(size=(20, 12)))
    vectors[7] = 2 * vectors[3] + 0.01
    assert [g.tolist() for g in alike(source_of(vectors, table_of(20)), least=0.99)] == [[3, 7]]


def test_a_data_set_is_scored_with_its_copies_together():
    vectors, table = signal(images=60)
    vectors[1::2] = vectors[::2]  # every image has a copy
    source = source_of(vectors, table)
    dataset = Dataset(
        table,
        tuple(Path(name) for name in table.ids),
        np.full(60, "test"),
        {},
        Path("x.csv"),
        "csv-wide",
        (),
        (0,) * 60,
    )
    made, held = [], []

    def make(part):
        made.append(np.flatnonzero(part.split == "train").tolist())
        return build(None)

    def fit(method, train, val, settings, **_):
        assert train.rows.tolist() == made[-1]
        held.append(set(range(60)) - set(train.rows.tolist()) - set(val.rows.tolist()))
        return ridge.train(method, train, val, settings)

    logits = score_dataset(dataset, source, 3, make=make, fit=fit, settings=Settings())
    assert np.isfinite(logits).all()
    assert set.union(*held) == set(range(60))
    for rows in held:
        assert rows == {row ^ 1 for row in rows}
