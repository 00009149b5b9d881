"""Splits of any names and shares: sizes, the guarantee, groups, kept parts, unknown cells, and what is told of them."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.data.dataset import Dataset
from manylabel.data.split import assign
from manylabel.data.splitting import cover, even, greedy
from manylabel.data.splitting.divide import Choices, divide_table
from manylabel.data.splitting.filled import folded, parted
from manylabel.data.splitting.goals import goal, whole_sizes
from manylabel.data.splitting.grouping import joined, near_duplicates, of_column
from manylabel.data.splitting.tally import Tally
from manylabel.data.splitting.told import NOT_FOUND, PROVED, TOO_FEW, tell
from manylabel.data.splitting.units import make
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.sparse import SparseLabels

THIRDS = {"a": 0.6, "b": 0.3, "c": 0.1}


def table(state):
    state = np.asarray(state, np.int8)
    names = tuple(f"c{k}" for k in range(state.shape[1]))
    return LabelTable(state, names, tuple(f"{k}.jpg" for k in range(len(state))))


def drawn(images, classes, *, rate=0.5, unknown=0.2, seed=0):
    rng = np.random.default_rng(seed)
    state = np.where(rng.random((images, classes)) < rate / (1 + np.arange(classes)), PRESENT, ABSENT)
    return table(np.where(rng.random(state.shape) < unknown, UNKNOWN, state))


def dataset(labels, split="", **columns):
    return Dataset(
        labels, [Path(name) for name in labels.ids], np.broadcast_to(np.asarray(split, "<U5"), len(labels)).copy(),
        {name: np.asarray(cells, np.str_) for name, cells in columns.items()}, Path("x.csv"), "csv-wide", (),
        (0,) * len(labels),
    )  # fmt: skip


def there(labels, part, names, unit=None):
    """(C, P) units of each class in each part."""
    rows, columns = labels.positives
    unit = np.arange(len(labels)) if unit is None else np.asarray(unit)
    cells = {(int(c), names.index(part[r]), int(unit[r])) for r, c in zip(rows, columns)}
    counts = np.zeros((len(labels.names), len(names)), int)
    for c, p, _ in cells:
        counts[c, p] += 1
    return counts


@st.composite
def problems(draw):
    """A table, groups or None, and parts with shares."""
    images, classes = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    labels = drawn(
        images, classes, rate=draw(st.sampled_from([0.0, 0.3, 0.9])), unknown=draw(st.sampled_from([0.0, 0.3, 1.0])),
        seed=draw(st.integers(0, 10_000)),
    )  # fmt: skip
    number = draw(st.integers(1, 8))
    weights = np.array(draw(st.lists(st.integers(1, 9), min_size=number, max_size=number)), float)
    groups = draw(st.none() | st.lists(st.integers(0, 12), min_size=images, max_size=images))
    return labels, groups, {f"p{k}": float(w) for k, w in enumerate(weights / weights.sum())}


@given(problems(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_any_table_with_any_groups_and_parts(problem, seed):
    labels, groups, shares = problem
    part = assign(labels, fractions=shares, groups=groups, seed=seed)
    assert set(part) <= set(shares)
    unit = np.arange(len(labels)) if groups is None else np.array(groups)
    assert all(len(set(part[unit == one])) == 1 for one in np.unique(unit))  # no group is divided
    if len(np.unique(unit)) >= len(shares):
        assert set(part) == set(shares)  # no part is empty
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    other = None if groups is None else 100 - unit[shuffled]  # the numbers of groups do not matter either
    again = assign(labels.rows(shuffled), fractions=shares, groups=other, seed=seed)
    assert again.tolist() == part[shuffled].tolist()


@given(st.integers(1, 60), st.integers(1, 8), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_sizes_are_the_shares_rounded_where_one_class_or_none_asks_for_more(images, parts, rate, seed):
    shares = np.random.default_rng(seed).dirichlet(np.ones(parts) * 3)
    part = assign(drawn(images, 1, rate=rate, seed=seed), fractions=dict(zip("abcdefgh", shares.tolist())), seed=seed)
    assert [int((part == name).sum()) for name in "abcdefgh"[:parts]] == whole_sizes(images, shares).tolist()


def possible(sets, parts, kept=()):
    """Whether any of all divisions has every class in every part; sets of units, `kept` has the part of some."""
    units = sorted(set().union(*sets)) if sets else []
    ways = product(*([kept[u]] if u in kept else range(parts) for u in units))
    return any(all(len({way[units.index(u)] for u in one}) == parts for one in sets) for way in ways)


@given(
    st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=1, max_size=6), st.sampled_from([2, 2, 3]),
    st.integers(0, 100),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_the_guarantee_holds_wherever_any_split_can_hold_it_and_is_else_denied_with_proof(sets, parts, seed):
    state = np.full((7, len(sets)), ABSENT)
    for c, units in enumerate(sets):
        state[sorted(units), c] = PRESENT
    labels, names = table(state), [str(k) for k in range(parts)]
    tally = divide_table(labels, dict.fromkeys(names, 1 / parts), None, None, Choices(seed))
    wanted = [units for units in sets if len(units) >= parts]
    found = (tally.holders[: len(sets)] > 0).all(axis=1)
    told = {one.name: one.why for one in tell(tally, dict.fromkeys(names, 1 / parts), labels.names).lacking}
    if possible(wanted, parts):
        assert found[[len(units) >= parts for units in sets]].all()
        assert set(told.values()) <= {TOO_FEW}
    else:
        assert PROVED in told.values()
        assert NOT_FOUND not in told.values()  # so small a knot is always tried to the end


@given(
    st.lists(st.sets(st.integers(0, 6), min_size=2), min_size=1, max_size=6), st.sampled_from([2, 3]),
    st.lists(st.integers(-1, 2), min_size=7, max_size=7), st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_what_is_called_impossible_is_what_no_way_has(sets, parts, held, open_all):
    """From any state, also with units that keep their part."""
    sets = [units for units in sets if len(units) >= parts]
    state = np.full((7, max(1, len(sets))), ABSENT)
    for c, units in enumerate(sets):
        state[sorted(units), c] = PRESENT
    units = make(table(state), 0)
    fixed = np.full(7, -1) if open_all else np.minimum(held, parts - 1)
    holding = cover.Holding(Tally(units, np.maximum(fixed, 0), parts, fixed < 0))
    image = np.argsort(units.unit)  # the image of each unit
    kept = {int(image[u]): int(fixed[u]) for u in range(7) if fixed[u] >= 0}
    for c in range(len(sets)):
        knot = holding.impossible(c)
        assert possible([sets[k] for k in holding._knot(c)[0]], parts, kept) == (knot == ())
        assert knot == () or knot[0] == c


def test_three_classes_that_share_two_images_each_cannot_be_divided_in_two():
    labels = table([[1, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, -1]])
    made = parted(dataset(labels), {"train": 0.5, "test": 0.5})
    (lack,) = made.told.lacking
    assert (lack.why, lack.positives, lack.units) == (PROVED, 2, 2)
    assert "no split can have them in every part" in lack.reason
    assert lack.reason in str(made.told)


def test_a_class_of_fewer_positives_than_parts_is_told():
    labels = table([[1, 1]] + [[-1, 1]] * 9)
    made = parted(dataset(labels, patient=["p"] * 3 + list("abcdefg")), groups=np.array([0, 0, 0, *range(3, 10)]))
    (lack,) = made.told.lacking
    assert (lack.name, lack.why) == ("c0", TOO_FEW)
    assert lack.reason.endswith("it has 1 positive, for 3 parts.")
    together = parted(dataset(table([[1]] * 4 + [[-1]] * 5)), groups=np.array([0, 0, 1, 1, 2, 3, 4, 5, 6]))
    assert "it has 4 positives in 2 groups, for 3 parts." in together.told.lacking[0].reason


def test_with_groups_the_guarantee_counts_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(1, 9, 60))
    labels = table(np.full((len(groups), 12), ABSENT))
    for c in range(12):  # each class in three groups, all their images
        labels.state[np.isin(groups, rng.choice(60, 3, replace=False)), c] = PRESENT
    for seed in range(3):
        part = assign(labels, groups=groups, seed=seed)
        assert (there(labels, part, ["train", "val", "test"], groups) == 1).all()


def test_groups_keep_sizes_and_shares_as_near_as_they_allow():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(400), rng.integers(1, 12, 400))
    labels = drawn(len(groups), 10, unknown=0)
    part = assign(labels, groups=groups, fractions=THIRDS)
    sizes = np.array([(part == name).sum() for name in THIRDS])
    assert np.abs(sizes - len(groups) * np.array(list(THIRDS.values()))).max() <= 6  # half the largest group
    counts = np.stack([labels.present[part == name].sum(axis=0) for name in THIRDS], axis=1)
    assert np.abs(counts - labels.counts[:, None] * np.array(list(THIRDS.values()))).max() <= 6


def test_one_group_too_large_for_its_part_is_not_divided_and_no_part_is_empty():
    labels = table(np.ones((20, 1)))
    part = assign(labels, groups=[0] * 17 + [1, 2, 3])
    assert len(set(part[:17])) == 1
    assert set(part) == {"train", "val", "test"}


def test_groups_too_large_for_two_parts_leave_neither_empty():
    part = assign(
        table(np.full((30, 1), ABSENT)), fractions={"a": 0.98, "b": 0.01, "c": 0.01}, groups=np.arange(30) // 10
    )
    assert set(part) == {"a", "b", "c"}


def test_more_parts_than_images_and_no_image_known():
    shares = {str(k): 0.1 for k in range(10)}
    part = assign(table(np.full((4, 3), UNKNOWN)), fractions=shares)
    assert len(set(part.tolist())) == 4
    assert assign(table(np.zeros((0, 2))), fractions=shares).tolist() == []


def test_unknown_cells_are_no_negatives():
    """Images with no positive: the judged ones and those nobody judged are spread each for themselves."""
    state = np.full((300, 2), UNKNOWN)
    state[:100] = ABSENT
    state[100:200, 0] = PRESENT
    part = assign(table(state), fractions=THIRDS)
    for rows in (slice(0, 100), slice(100, 200), slice(200, 300)):
        assert [int((part[rows] == name).sum()) for name in THIRDS] == [60, 30, 10]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("default", [ABSENT, UNKNOWN])
def test_verified_negatives_keep_their_shares_when_asked(sparse, default):
    rng = np.random.default_rng(0)
    state = np.where(rng.random((600, 6)) < 0.3, PRESENT, ABSENT)
    state[rng.random(state.shape) < np.linspace(0.1, 0.9, 6)] = (
        UNKNOWN  # few unknown in the first, few known in the last
    )
    labels = table(state)
    if sparse:
        labels = LabelTable(SparseLabels.from_dense(labels.state, default=default), labels.names, labels.ids)
    off = {}
    for negatives in (False, True):
        part = assign(labels, fractions=THIRDS, negatives=negatives)
        counts = np.stack([(state[part == name] == ABSENT).sum(axis=0) for name in THIRDS], axis=1)
        off[negatives] = np.abs(counts - (state == ABSENT).sum(axis=0)[:, None] * [0.6, 0.3, 0.1]).max()
    assert off[True] <= 2.5
    assert off[False] > off[True]


def test_lists_are_divided_as_the_table_of_them():
    labels = drawn(300, 20, unknown=0)
    lists = LabelTable(SparseLabels.from_dense(labels.state), labels.names, labels.ids)
    assert (assign(lists, fractions=THIRDS) == assign(labels, fractions=THIRDS)).all()


def test_lists_too_large_for_a_table_are_divided_and_told_without_one(monkeypatch):
    monkeypatch.setattr("manylabel.labels.DENSE", 1000)
    labels = drawn(300, 20, unknown=0.5)
    lists = LabelTable(SparseLabels.from_dense(labels.state, default=UNKNOWN), labels.names, labels.ids)
    with pytest.raises(ManylabelError, match="too many for a table"):
        lists.state  # noqa: B018
    made = parted(dataset(lists, ["test"] * 50 + [""] * 250), keep="test", choices=Choices(negatives=True))
    assert set(made.dataset.split) == {"train", "val", "test"}
    assert made.told.positives[:, 2].tolist() == labels.present[:50].sum(axis=0).tolist()


class TestSteps:
    """What each step is for, seen by itself."""

    def begin(self, labels, shares, groups=None, seed=0):
        units = make(labels, seed, groups)
        fixed = np.full(len(units), -1)
        aim = goal(units, np.array(shares), fixed)
        rng = np.random.default_rng(seed)
        return Tally(units, greedy.stratify(units, aim, fixed, rng), len(shares), fixed < 0), aim, rng

    def crowded(self, seed):
        rng = np.random.default_rng(seed)
        return table(np.where(rng.random((60, 40)) < 0.09, PRESENT, ABSENT))

    def test_cover_mends_what_the_greedy_pass_leaves(self):
        left = 0
        for seed in range(4):
            tally, _, _ = self.begin(self.crowded(seed), [0.25] * 4, seed=seed)
            left += len(cover.Holding(tally).gaps())
            cover.cover(tally)
            assert cover.Holding(tally).gaps() == []
        assert left > 0

    def test_even_never_takes_a_class_out_of_a_part_and_brings_sizes_back(self):
        for seed in range(4):
            tally, aim, rng = self.begin(self.crowded(seed), [0.7, 0.1, 0.1, 0.1], seed=seed)
            cover.cover(tally)
            before = (tally.holders > 0) & (np.arange(tally.units.width) < 40)[:, None]
            far = np.abs(tally.size - aim.sizes).sum()
            even.even(tally, aim, rng)
            assert (tally.holders[before] > 0).all()
            assert np.abs(tally.size - aim.sizes).sum() <= far
            self.check(tally)

    def test_even_lowers_what_strays(self):
        tally, aim, rng = self.begin(drawn(900, 30, rate=2, unknown=0), [0.8, 0.1, 0.1])
        balance = even.Balance(tally, aim)
        before = balance.cost()
        even.even(tally, aim, rng)
        assert balance.cost() < 0.7 * before

    def test_cover_ends_with_the_best_state_it_met(self):
        worse = 0
        for seed in range(12):  # too many classes for so few images
            rng = np.random.default_rng(seed)
            tally, _, _ = self.begin(
                table(np.where(rng.random((9, 24)) < 0.35, PRESENT, ABSENT)), [0.25] * 4, seed=seed
            )
            before = len(cover.Holding(tally).gaps())
            cover.cover(tally)
            after = len(cover.Holding(tally).gaps())
            assert after <= before
            worse += after > 0
        assert worse

    def test_groups_of_one_size_come_as_near_to_the_sizes_as_they_can(self):
        part = assign(table(np.full((120, 1), ABSENT)), fractions=THIRDS, groups=np.arange(120) // 3)
        assert [int((part == name).sum()) for name in THIRDS] == [72, 36, 12]
        part = assign(table(np.full((100, 1), ABSENT)), fractions=THIRDS, groups=np.arange(100) // 4)
        assert [int((part == name).sum()) for name in THIRDS] in ([60, 28, 12], [60, 32, 8], [64, 28, 8], [56, 32, 12])

    def test_trim_leaves_every_part_one_of_each_class(self):
        """Two images of one class are the cheapest to move; one of them must stay."""
        tally = self.all_in_one(table([[1, -1], [1, -1], [-1, 1], [-1, 1]]))
        even.Balance(tally, goal(tally.units, np.array([0.5, 0.5]), np.full(4, -1))).trim()
        assert tally.holders[:2].tolist() == [[1, 1], [1, 1]]

    def test_swaps_empty_no_part(self):
        tally = self.all_in_one(table([[-1]] * 30), (np.arange(30) < 20).astype(int))
        tally.move(int(tally.units.size.argmin()), 1)  # ten images where one is wanted
        aim = goal(tally.units, np.array([0.99, 0.01]), np.full(2, -1))
        even.even(tally, aim, np.random.default_rng(0))
        assert sorted(tally.number.tolist()) == [1, 1]

    def all_in_one(self, labels, groups=None):
        units = make(labels, 0, groups)
        return Tally(units, np.zeros(len(units), np.int64), 2, np.ones(len(units), bool))

    def check(self, tally):
        """What is kept up to date is what counting anew gives."""
        fresh = Tally(tally.units, tally.part, tally.parts, tally.free)
        for name in ("images", "holders", "size", "number"):
            np.testing.assert_array_equal(getattr(tally, name), getattr(fresh, name))

    def test_the_price_of_a_swap_is_what_the_sum_changes_by(self):
        labels, groups = drawn(60, 5, unknown=0), np.arange(60) // 2
        tally, aim, _ = self.begin(labels, [0.5, 0.3, 0.2], groups)
        balance = even.Balance(tally, aim)
        i, j = tally.may_move(0)[:3], tally.may_move(1)[:2]
        costs, before = balance._costs(i, j, 0, 1), balance.cost()
        for row, column in product(range(4), range(3)):
            moved = [(unit, 0, 1) for unit in i[row : row + 1]] + [(unit, 1, 0) for unit in j[column : column + 1]]
            for unit, _, to in moved:
                tally.move(int(unit), to)
            if np.isfinite(costs[row, column]):
                assert balance.cost() - before == pytest.approx(costs[row, column], abs=1e-9)
            for unit, back, _ in moved:
                tally.move(int(unit), back)


class TestKept:
    def test_what_has_a_part_keeps_it_and_the_rest_brings_the_whole_to_its_shares(self):
        labels = drawn(400, 6, unknown=0)
        split = np.array(["train"] * 150 + ["test"] * 20 + [""] * 230)
        made = parted(dataset(labels, split))
        assert (made.dataset.split[:170] == split[:170]).all()
        assert [int((made.dataset.split == name).sum()) for name in ("train", "val", "test")] == [320, 40, 40]
        assert made.told.deviation.max() <= 2  # the kept images count for their classes as well

    def test_a_part_that_has_more_than_its_share_gets_nothing(self):
        made = parted(dataset(drawn(100, 3), ["train"] * 95 + [""] * 5))
        assert set(made.dataset.split[95:]) == {"val", "test"}

    def test_nothing_is_touched_unless_asked(self):
        whole = dataset(drawn(30, 3), ["train", "val", "test"] * 10)
        with pytest.raises(ManylabelError, match=r"every image has its part already.*--again"):
            parted(whole)
        anew = parted(whole, keep="nothing").dataset
        assert (anew.split != whole.split).any()
        assert (parted(dataset(whole.labels)).dataset.split == anew.split).all()

    def test_test_is_kept_and_nothing_joins_it(self):
        whole = dataset(drawn(100, 3, unknown=0), ["train"] * 60 + ["test"] * 20 + ["val"] * 10 + [""] * 10)
        made = parted(whole, keep="test")
        assert np.flatnonzero(made.dataset.split == "test").tolist() == list(range(60, 80))
        assert [int((made.dataset.split == name).sum()) for name in ("train", "val")] == [71, 9]
        assert made.told.parts == ("train", "val", "test")
        assert made.told.images.tolist() == [71, 9, 20]
        assert made.told.positives[:, 2].tolist() == whole.labels.present[60:80].sum(axis=0).tolist()
        with pytest.raises(ManylabelError, match="no image is in test"):
            parted(dataset(whole.labels, "train"), keep="test")

    def test_the_open_images_of_a_group_follow_its_kept_ones(self):
        labels, split = drawn(40, 2), np.array(["test"] * 4 + [""] * 36)
        groups = np.arange(40) % 20
        for keep in ("named", "test"):
            made = parted(dataset(labels, split), groups=groups, keep=keep)
            assert (made.dataset.split[20:24] == "test").all()
        assert assign(labels, groups=groups, kept=split)[20:24].tolist() == ["test"] * 4
        with pytest.raises(ManylabelError, match="in a group that has images there"):
            parted(dataset(labels, split), groups=np.zeros(40, int), keep="test")

    def test_a_group_that_lies_in_two_parts_is_named(self):
        split = ["train", "test", "", "", "val"]
        for call in (
            lambda: parted(dataset(drawn(5, 1), split), groups=np.array([0, 0, 0, 1, 2])),
            lambda: assign(drawn(5, 1), groups=[0, 0, 0, 1, 2], kept=split),
        ):
            with pytest.raises(
                ManylabelError, match=r"'0.jpg' is in train and '1.jpg', of the same group, in test; 1 group"
            ):
                call()
        with pytest.raises(ManylabelError, match=r"'tran', which has no share\. Did you mean 'train'"):
            assign(drawn(2, 1), kept=["tran", ""])

    def test_the_guarantee_counts_kept_images(self):
        labels = table(np.array([[1, -1]] * 3 + [[-1, 1]] * 30))
        part = assign(labels, kept=["train", "", ""] + [""] * 30)
        assert sorted(part[:3].tolist()) == ["test", "train", "val"]
        made = parted(dataset(labels, ["train", "train", ""] + [""] * 30))
        (lack,) = made.told.lacking
        assert lack.why == PROVED
        assert "with the images that keep their part" in lack.reason


class TestFolds:
    def test_folds_are_a_column_and_leave_the_parts_alone(self):
        whole = dataset(drawn(103, 4), ["train", "val", "test"] * 34 + [""], site=["x"] * 103)
        made = folded(whole, 5)
        assert sorted(np.bincount(made.dataset.columns["fold"].astype(int))) == [20, 20, 21, 21, 21]
        assert (made.dataset.split == whole.split).all()
        assert list(made.dataset.columns) == ["site", "fold"]
        with pytest.raises(ManylabelError, match="has its part already"):
            folded(made.dataset, 5)
        assert (folded(made.dataset, 5, keep="nothing").dataset.columns["fold"] == made.dataset.columns["fold"]).all()
        with pytest.raises(ManylabelError, match="2 folds or more"):
            folded(whole, 1)

    def test_test_and_the_groups_of_its_images_are_in_no_fold(self):
        whole = dataset(drawn(40, 2), ["test"] * 4 + ["train"] * 36)
        made = folded(whole, 4, keep="test", groups=np.arange(40) % 20)
        assert np.flatnonzero(made.dataset.columns["fold"] == "").tolist() == [0, 1, 2, 3, 20, 21, 22, 23]
        assert made.told.parts == ("0", "1", "2", "3", "test")

    def test_parts_of_other_names_are_a_column(self):
        made = parted(dataset(drawn(50, 2), "train"), {"left": 0.5, "right": 0.5}).dataset
        assert set(made.columns["part"]) == {"left", "right"}
        assert set(made.split) == {"train"}
        assert set(parted(dataset(drawn(50, 2)), {"Training": 0.5, "dev": 0.5}).dataset.split) == {"train", "val"}
        with pytest.raises(ManylabelError, match="two of these parts are one"):
            parted(dataset(drawn(50, 2)), {"val": 0.5, "dev": 0.5})


class TestGrouping:
    def test_a_column_joins_what_reads_the_same_and_blanks_stand_alone(self):
        data = dataset(drawn(7, 1), patient=["p", "", "q", "p", "nan", "", "q"])
        pairs, notes = of_column(data, "patient")
        assert joined(7, [pairs]).tolist() == [0, 1, 2, 0, 4, 5, 2]
        assert notes == ["3 rows say nothing in column 'patient'; each stands alone."]

    def test_an_image_of_two_groups_joins_them(self):
        pairs, _ = of_column(dataset(drawn(6, 1), site=["a", "b", "c", "a|b", "d|e", "e"]), "site")
        assert joined(6, [pairs]).tolist() == [0, 0, 2, 0, 4, 4]

    def test_several_columns_are_joined_through_each_other(self):
        data = dataset(drawn(6, 1), patient=list("aabbcd"), burst=list("xyyzww"))
        found = [of_column(data, name)[0] for name in ("patient", "burst")]
        assert joined(6, found).tolist() == [0, 0, 0, 0, 4, 4]
        assert joined(6, found[:1]).tolist() == [0, 0, 2, 2, 4, 5]

    def test_a_column_that_is_not_there_or_says_nothing(self):
        data = dataset(drawn(2, 1), patient=["", "nan"])
        with pytest.raises(ManylabelError, match="Did you mean 'patient'"):
            of_column(data, "pateint")
        with pytest.raises(ManylabelError, match="says nothing in any row"):
            of_column(data, "patient")

    def test_copies_are_kept_together_and_lost_files_named(self, tmp_path):
        from PIL import Image

        noise = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
        smooth = [Image.fromarray(one).resize((160, 160), Image.Resampling.BICUBIC) for one in noise]
        for name, image in zip(("a.png", "b.png", "c.png"), smooth):
            image.save(tmp_path / name)
        smooth[0].save(tmp_path / "copy.jpg", quality=80)
        paths = [tmp_path / name for name in ("a.png", "b.png", "lost.png", "copy.jpg", "c.png")]
        pairs, notes = near_duplicates(paths)
        assert joined(5, [pairs]).tolist() == [0, 1, 2, 0, 4]
        assert "lost.png (there is no such file)" in notes[0]
        assert "2 images in 1 groups look the same" in notes[1]
        with pytest.raises(ManylabelError, match="none of 1 images can be read"):
            near_duplicates(paths[2:3])


def test_what_is_told_is_counted_right():
    labels = drawn(80, 70, unknown=0.1)
    made = parted(dataset(labels), groups=np.arange(80) // 2)
    told, split = made.told, made.dataset.split
    for p, part in enumerate(told.parts):
        assert told.positives[:, p].tolist() == labels.present[split == part].sum(axis=0).tolist()
        assert told.images[p] == (split == part).sum()
    assert told.groups == (40, 80, 2)
    off = np.abs(told.positives - labels.counts[:, None] * [0.8, 0.1, 0.1]).max(axis=1)
    np.testing.assert_allclose(told.deviation, off)
    assert told.largest["deviation"] in (pytest.approx(off.max()), pytest.approx(-off.max()))
    plain = told.as_dict()
    assert plain["classes"][0]["positives"] == dict(zip(told.parts, told.positives[0].tolist()))
    assert plain["without_positives"] == [n for n, count in zip(labels.names, labels.counts) if count == 0]
    text = str(told)
    assert "the 60 of 70 classes that stray most" in text
    assert "40 groups hold 80 images, the largest 2; none is divided." in text
    assert "No positive at all: c" in text


def test_a_dataset_without_positives_is_told():
    told = parted(dataset(table(np.full((5, 2), UNKNOWN)))).told
    assert told.largest is None
    assert told.as_dict()["mean_deviation"] == 0
    assert told.lacking == ()


def test_groups_of_another_length_and_a_seed_below_0():
    with pytest.raises(ManylabelError, match="seed of 0 or more, got -1"):
        assign(drawn(3, 1), seed=-1)
    with pytest.raises(ManylabelError, match=r"one number an image, \(3,\), got \(2,\)"):
        assign(drawn(3, 1), groups=[0, 1])


def test_only_the_parts_and_the_notes_change():
    before = dataset(drawn(20, 2), site=["x"] * 20)
    after = parted(before).dataset
    assert after.labels is before.labels
    assert after.columns is before.columns
    assert after.notes == ("train 16, val 2, test 2: stratified with seed 0, in column 'split'.",)
