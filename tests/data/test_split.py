"""The split: sizes, shares, rare classes in every part, and the same for any order of rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.data.dataset import Dataset
from manylabel.data.split import assign, complete
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError


def zipf(images, classes, *, rate=0.6, seed=0):
    rng = np.random.default_rng(seed)
    present = rng.random((images, classes)) < rate / (1 + np.arange(classes))
    return table(np.where(present, PRESENT, ABSENT))


def table(state):
    state = np.asarray(state, np.int8)
    return LabelTable(
        state, tuple(f"c{k}" for k in range(state.shape[1])), tuple(f"{k}.jpg" for k in range(len(state)))
    )


def counts(labels, split):
    return {part: labels.present[split == part].sum(axis=0) for part in ("train", "val", "test")}


def test_every_part_keeps_its_size_and_every_class_its_share():
    labels = zipf(3000, 60)
    split = assign(labels)
    found, total = counts(labels, split), labels.counts
    assert {part: int((split == part).sum()) for part in found} == {"train": 2400, "val": 300, "test": 300}
    for part, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
        assert (found[part][total >= 3] > 0).all()
        assert np.abs(found[part] - share * total)[total >= 20].max() <= 1  # a random split strays by 15


def test_rare_classes_are_in_every_part_where_the_greedy_pass_alone_would_miss():
    for seed in range(5):
        labels = zipf(400, 60, seed=seed)
        split = assign(labels, seed=seed)
        for found in counts(labels, split).values():
            assert (found[labels.counts >= 3] > 0).all()
        assert [(split == part).sum() for part in ("train", "val", "test")] == [320, 40, 40]


def test_rare_classes_are_asked_for_before_the_parts_fill():
    labels = zipf(120, 150, rate=5)  # so many classes that val and test must grow; mending afterwards costs more
    split = assign(labels)
    assert all((found[labels.counts >= 3] > 0).all() for found in counts(labels, split).values())
    assert (split == "train").sum() >= 70


def test_the_guarantee_comes_before_the_sizes():
    state = np.full((30, 10), ABSENT)
    state[np.arange(30), np.arange(30) // 3] = PRESENT  # ten classes of three images of their own
    labels = table(state)
    for found in counts(labels, assign(labels)).values():
        assert found.tolist() == [1] * 10


def test_order_of_rows_does_not_matter_and_the_seed_does():
    labels = zipf(500, 20)
    shuffled = np.random.default_rng(0).permutation(500)
    assert (assign(labels.rows(shuffled)) == assign(labels)[shuffled]).all()
    assert (assign(labels, seed=1) != assign(labels)).any()
    assert (assign(labels, seed=1) == assign(labels, seed=1)).all()


def test_images_without_labels_and_unknown_cells_are_spread_too():
    state = np.full((200, 2), UNKNOWN)
    state[:100, 0] = PRESENT
    split = assign(table(state))
    assert [(split[100:] == part).sum() for part in ("train", "val", "test")] == [80, 10, 10]


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_any_table_is_split_whole(images, classes, seed):
    labels = zipf(images, classes, rate=0.9, seed=seed)
    split = assign(labels, seed=seed)
    assert set(split) <= {"train", "val", "test"}
    if images >= 3:
        assert set(split) == {"train", "val", "test"}
    if classes <= 2 and images >= 3:  # few classes can always be served
        for found in counts(labels, split).values():
            assert (found[labels.counts >= 3] > 0).all()


def test_wrong_fractions():
    with pytest.raises(ManylabelError, match="sum to 1"):
        assign(zipf(10, 2), fractions={"train": 0.8, "val": 0.1})
    assert set(assign(zipf(10, 2), fractions={"train": 0.5, "val": 0.5, "test": 0.0})) == {"train", "val"}


@pytest.fixture
def dataset():
    labels = zipf(100, 5)
    return Dataset(
        labels, tuple(map(Path, labels.ids)), np.full(100, ""), {}, Path("x.csv"), "csv-wide", (), (0,) * 100
    )


def sizes(found):
    return [int((found.split == part).sum()) for part in ("train", "val", "test")]


def given_parts(dataset, *parts):
    return replace(dataset, split=np.repeat([part for part, _ in parts], [n for _, n in parts]))


def test_complete_fills_what_the_file_lacks(dataset):
    assert sizes(complete(dataset)) == [80, 10, 10]
    assert "names no part" in complete(dataset).notes[-1]
    assert sizes(complete(given_parts(dataset, ("train", 100)))) == [80, 10, 10]
    whole = given_parts(dataset, ("train", 50), ("val", 20), ("test", 30))
    assert (complete(whole).split == whole.split).all()
    assert complete(whole).notes == ()


def test_complete_takes_val_out_of_train_and_leaves_test_alone(dataset):
    before = given_parts(dataset, ("train", 60), ("test", 40))
    after = complete(before, seed=3)
    assert sizes(after) == [54, 6, 40]
    assert (after.split[60:] == "test").all()
    assert "no val" in after.notes[-1]


def test_complete_without_test_says_so(dataset):
    after = complete(given_parts(dataset, ("train", 60), ("val", 40)))
    assert sizes(after) == [60, 40, 0]
    assert "no test part" in after.notes[-1]


def test_complete_blank_rows_join_train_and_train_is_needed(dataset):
    after = complete(given_parts(dataset, ("", 60), ("val", 20), ("test", 20)))
    assert sizes(after) == [60, 20, 20]
    assert "60 rows name no part" in after.notes[0]
    with pytest.raises(ManylabelError, match="expected rows of train"):
        complete(given_parts(dataset, ("test", 100)))


def test_one_image():
    assert assign(table([[1]])).tolist() == ["train"]
