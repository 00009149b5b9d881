"""What all conditions owe: the same for any order of rows; other rows and unknown cells left alone; said; replayed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manylabel.data import conditions, formats, read
from manylabel.data.beside import Beside, Cells, same
from manylabel.data.conditions._draw import Draws, _step, _uniform
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.sparse import SparseLabels

# One way at least to apply each condition; the second item of a pair: whether lists can have it.
CASES = [
    ("partial", {"rate": 0.4}, False),
    ("partial", {"rate": 0.4, "by": "image"}, False),
    ("partial", {"rate": 0.4, "by": "class"}, False),
    ("partial", {"rate": 0.4, "negatives": "all"}, True),
    ("partial", {"rate": 0.4, "by": "image", "negatives": "none", "parts": "all"}, True),
    ("partial", {"rate": 0.4, "by": "class", "negatives": "none", "parts": "all"}, True),
    ("single_positive", {"parts": "all"}, True),
    ("single_positive", {"by": "size"}, False),
    ("single_positive", {"by": "salience", "pick": "highest", "empty": "absent"}, False),
    ("single_positive", {"by": "classes", "weights": {"c0": 5.0, "*": 1.0}, "parts": "all"}, True),
    ("drop_positives", {"rate": 0.3}, True),
    ("drop_positives", {"rate": 0.3, "rare": 0.5}, True),
    ("flip", {"present": 0.2}, False),
    ("flip", {"present": {"c0": 0.9, "*": 0.1}, "absent": 0}, True),
    ("flip", {"present": 0.5, "pairs": {"c0": "c1", "c1": "c2", "c3": "c2"}}, True),
    ("candidates", {"rate": 0.2}, False),
    ("candidates", {"rate": 1.5, "by": "image"}, False),
    ("long_tail", {"ratio": 20}, True),
    ("few_shot", {"shots": 4}, True),
    ("few_shot", {"shots": 3, "queries": 2, "ways": 4, "parts": "all"}, True),
    ("unseen", {"classes": ["c1", "c4"]}, True),
    ("unseen", {"number": 3, "images": "remove"}, True),
    ("incremental", {"base": 3, "increment": 2}, True),
    ("incremental", {"increment": 3, "order": "random", "overlap": True}, True),
    ("federated", {"clients": 4}, True),
    ("federated", {"clients": 4, "by": "quantity", "smallest": 20}, True),
    ("federated", {"by": "site"}, True),
    ("annotators", {"sensitivity": {"c0": 0.5, "*": 0.9}, "abstain": 0.2}, False),
    ("weak_sources", {"correlation": 0.5}, False),
    ("bags", {"size": 3, "parts": "all"}, True),
    ("bags", {"column": "site", "implied": True, "parts": "all"}, True),
]
NAMED = [f"{name} {json.dumps(given)}" for name, given, _ in CASES]
every = pytest.mark.parametrize(("name", "given"), [case[:2] for case in CASES], ids=NAMED)


def made(images=180, classes=8, *, seed=0, unknown=0.1):
    """Ever rarer classes, a tenth unknown, images without labels; boxes of most positives; parts, one not named."""
    rng = np.random.default_rng(seed)
    present = rng.random((images, classes)) < np.geomspace(0.5, 0.08, classes)
    state = np.where(present, PRESENT, ABSENT).astype(np.int8)
    state[:5] = ABSENT
    state[rng.random(state.shape) < unknown] = UNKNOWN
    rows, columns = np.nonzero((state == PRESENT) & (rng.random(state.shape) < 0.9))
    boxes = Cells(rows, columns, rng.random((len(rows), 4)) / 2)
    split = rng.choice(["train", "train", "train", "", "val", "test"], images)
    site = rng.choice(["north", "south", "west"], images)
    ids = tuple(f"{k:05d}.jpg" for k in range(images))
    return Dataset(
        LabelTable(state, tuple(f"c{c}" for c in range(classes)), ids), [Path("/photos", name) for name in ids],
        split.astype("<U5"), {"site": site}, Path("made.csv"), "made", (), (0,) * images, beside=Beside(boxes=boxes),
    )  # fmt: skip


def assert_same(one, other):
    assert one.labels.names == other.labels.names
    place = {name: k for k, name in enumerate(other.labels.ids)}
    assert set(place) == set(one.labels.ids)
    other = other.rows([place[name] for name in one.labels.ids])
    np.testing.assert_array_equal(one.labels.state, other.labels.state)
    assert set(one.columns) == set(other.columns)
    for name, values in one.columns.items():  # not as lists: to say how those differ takes long where they should
        np.testing.assert_array_equal(values, other.columns[name])
    np.testing.assert_array_equal(one.split, other.split)
    assert same(one.beside, other.beside) == ()


DATA = made()


def test_every_condition_has_a_case():
    assert {case[0] for case in CASES} == set(conditions.names())


@every
def test_order_of_rows_does_not_matter(name, given):
    shuffled = DATA.rows(np.random.default_rng(1).permutation(len(DATA)))
    assert_same(
        conditions.apply(DATA, name, seed=5, given=given), conditions.apply(shuffled, name, seed=5, given=given)
    )


@every
def test_the_seed_matters_and_the_input_is_left_as_it_was(name, given):
    before = DATA.labels.state.copy(), DATA.split.copy()
    one, other = (conditions.apply(DATA, name, seed=seed, given=given) for seed in (0, 1))
    again = conditions.apply(DATA, name, seed=0, given=given)
    assert_same(one, again)
    np.testing.assert_array_equal(DATA.labels.state, before[0])
    np.testing.assert_array_equal(DATA.split, before[1])
    drawn = not {"classes", "column"} & set(given) and given.get("by") != "site" and given.get("pick") != "highest"
    if drawn:
        with pytest.raises(AssertionError):
            assert_same(replace(one, beside=Beside()), replace(other, beside=Beside()))


@every
def test_other_parts_and_unknown_cells_are_left_alone(name, given):
    """No condition makes an unknown cell known; rows of val and test are as they were, all of them there."""
    after = conditions.apply(DATA, name, given=given)
    place = {image: k for k, image in enumerate(DATA.labels.ids)}
    columns = [DATA.labels.names.index(c) for c in after.labels.names]
    before = DATA.rows([place[image] for image in after.labels.ids])
    state = before.labels.state[:, columns]
    assert (after.labels.state[state == UNKNOWN] == UNKNOWN).all()
    assert [str(p) for p in after.paths] == [str(p) for p in before.paths]
    assert same(after.beside, before.beside)[-1:] == ("provenance",)
    if given.get("parts") != "all":
        held = np.isin(after.split, ["val", "test"])
        np.testing.assert_array_equal(after.labels.state[held], state[held])
        assert held.sum() == np.isin(DATA.split, ["val", "test"]).sum()
        assert after.split[held].tolist() == before.split[held].tolist()
        assert {name: cells[held].tolist() for name, cells in after.columns.items() if name in DATA.columns} == {
            name: cells[held].tolist() for name, cells in before.columns.items()
        }
        assert all((cells[held] == "").all() for name, cells in after.columns.items() if name not in DATA.columns)
        facts = [own for own in (after.beside.votes, after.beside.candidates) if own is not None]
        assert not any(held[own.rows].any() for own in facts)


def test_rows_without_a_part_are_training_rows_as_for_the_split():
    named = replace(DATA, split=np.where(DATA.split == "", "train", DATA.split))
    one, other = (conditions.apply(d, "partial") for d in (DATA, named))
    np.testing.assert_array_equal(one.labels.state, other.labels.state)
    bare = replace(DATA, split=np.full(len(DATA), "", "<U5"))
    whole = conditions.apply(DATA, "partial", given={"parts": "all"})
    np.testing.assert_array_equal(conditions.apply(bare, "partial").labels.state, whole.labels.state)
    two = conditions.apply(DATA, "partial", given={"parts": "val, test"}).labels.state != DATA.labels.state
    assert set(DATA.split[two.any(axis=1)].tolist()) == {"val", "test"}


@every
def test_a_file_says_how_its_labels_were_made_and_that_is_enough_to_make_them_again(name, given, tmp_path):
    after = conditions.apply(DATA, name, seed=7, given=given)
    assert after.notes[-1].startswith(f"{name}: ")
    ((said, parameters),) = conditions.history(after)
    assert said == name
    assert parameters.keys() == conditions.options(name).keys() | {"seed"}
    again = conditions.apply(DATA, name, seed=parameters.pop("seed"), given=parameters)
    assert_same(after, again)
    if given == next(own for one, own, _ in CASES if one == name):  # once for each condition will do
        formats.write(after, tmp_path / "out.jsonl", "jsonl")
        found = read(tmp_path / "out.jsonl")
        assert_same(after, found)
        assert conditions.history(found) == conditions.history(after)


@pytest.mark.parametrize(("name", "given"), [case[:2] for case in CASES if case[2]])
@pytest.mark.parametrize("default", [ABSENT, UNKNOWN])
def test_lists_come_to_the_same_as_tables(name, given, default):
    sparse = LabelTable(SparseLabels.from_dense(DATA.labels.state, default=default), DATA.labels.names, DATA.labels.ids)
    after = conditions.apply(replace(DATA, labels=sparse), name, given=given)
    assert after.labels.is_sparse
    wanted = conditions.apply(DATA, name, given=given)
    bags = after.columns.pop("bag_labels", None), wanted.columns.pop("bag_labels", None)
    assert (bags[0] is None) == (bags[1] is None)
    assert_same(after, wanted)


@pytest.mark.parametrize(("name", "given"), [case[:2] for case in CASES if not case[2] and case[1].get("by") != "size"])
def test_what_lists_cannot_hold_is_an_error_that_says_why(name, given):
    sparse = LabelTable(SparseLabels.from_dense(DATA.labels.state), DATA.labels.names, DATA.labels.ids)
    with pytest.raises(ManylabelError, match="these labels are lists"):
        conditions.apply(replace(DATA, labels=sparse), name, given=given)


def test_lists_of_known_cells_can_be_partial_and_flip_as_tables_do():
    sparse = LabelTable(SparseLabels.from_dense(DATA.labels.state, default=UNKNOWN), DATA.labels.names, DATA.labels.ids)
    for name, given in (("partial", {"rate": 0.5, "by": "image"}), ("flip", {"present": 0.2, "absent": 0.1})):
        found = conditions.apply(replace(DATA, labels=sparse), name, given=given)
        assert_same(found, conditions.apply(DATA, name, given=given))


def test_conditions_compose_in_any_order_and_a_second_time_draws_anew():
    half = ("partial", {"rate": 0.5})
    once, twice = (conditions.compose(DATA, [half] * times) for times in (1, 2))
    train = np.isin(DATA.split, ["train", ""])
    known = [int(d.labels.known[train].sum()) for d in (DATA, once, twice)]
    assert abs(known[1] / known[0] - 0.5) < 0.06
    assert abs(known[2] / known[1] - 0.5) < 0.09  # and not 1
    both = conditions.compose(DATA, [("long_tail", {"ratio": 10}), half, ("federated", {"clients": 3})], seed=2)
    assert [name for name, _ in conditions.history(both)] == ["long_tail", "partial", "federated"]
    assert {given["seed"] for _, given in conditions.history(both)} == {2}


def test_an_image_keeps_its_draw_when_others_come_or_go():
    fewer = DATA.rows(np.arange(0, len(DATA), 3))
    whole = conditions.apply(DATA, "partial", given={"rate": 0.5}).rows(np.arange(0, len(DATA), 3))
    np.testing.assert_array_equal(
        conditions.apply(fewer, "partial", given={"rate": 0.5}).labels.state, whole.labels.state
    )


def test_draws_are_splitmix64():
    """The first outputs of the published generator from seed 0: its finaliser on multiples of the golden step."""
    published = np.array([0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F], np.uint64)
    steps = np.array([_step(k) for k in (1, 2, 3)])
    assert _uniform(steps).tolist() == ((published >> np.uint64(11)) * 2.0**-53).tolist()


def test_draws_are_uniform_and_hang_together_in_no_way():
    """20,000 x 50 cells: bins, rows, columns, neighbours, streams, seeds and names; each within 4.5 deviations."""
    labels = LabelTable(np.zeros((20_000, 50), np.int8), tuple(map(str, range(50))), tuple(map(str, range(20_000))))
    data = replace(DATA, labels=labels)
    draws = Draws(data, "one", 0)
    table = draws.block(slice(0, 20_000))
    assert table.min() >= 0
    assert table.max() < 1
    bins = np.bincount((table * 1000).astype(int).ravel(), minlength=1000)
    assert abs(((bins - 1000) ** 2 / 1000).sum() - 999) < 4.5 * (2 * 999) ** 0.5
    centred = (table - 0.5) * 12**0.5
    for axis, one, other in ((0, 20_000, 50), (1, 50, 20_000)):
        mean = centred.mean(axis=axis) * one**0.5
        assert abs((mean**2).sum() - other) < 4.5 * (2 * other) ** 0.5
    others = [
        np.roll(centred, 1, axis=0), np.roll(centred, 1, axis=1), np.roll(centred, (1, 1), (0, 1)),
        *((Draws(data, name, seed).block(slice(0, 20_000), k) - 0.5) * 12**0.5
          for name, seed, k in (("one", 0, 1), ("one", 1, 0), ("two", 0, 0))),
    ]  # fmt: skip
    for other in others:
        assert abs((centred * other).mean()) < 4.5 / 1000
    cells = draws.cells(np.array([3, 19_999]), np.array([7, 49]))
    assert cells.tolist() == [table[3, 7], table[19_999, 49]]
