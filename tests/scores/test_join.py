"""Scores meet labels: by the same names, by names that must mean the same, and never by a guess."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.labels import ABSENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.metrics import Settings, evaluate, evaluate_lists, global_average_precision
from manylabel.scores import ScoreFile, TopFile
from manylabel.scores.join import CLASSES, IMAGES, join, join_top, match
from manylabel.sparse import SparseLabels, TopScores


def scored(ids, names):
    values = np.arange(len(ids) * len(names), dtype=np.float32).reshape(len(ids), len(names))
    return ScoreFile(ids, names, values, "logit")


def labelled(ids, names):
    rng = np.random.default_rng(len(ids))
    return LabelTable(rng.integers(-1, 2, (len(ids), len(names))).astype(np.int8), tuple(names), tuple(ids))


def test_the_rules_in_turn():
    wanted = ["a.jpg", r".\x\b.jpg", "c.jpg", "d", "E.PNG", "z.jpg"]
    there = ["a.jpg", "x/b.jpg", "photos/c.jpg", "photos/d.jpg", "e.jpg", "y.jpg"]
    found, notes = match(wanted, there, IMAGES)
    assert found.tolist() == [0, 1, 2, 3, 4, -1]
    assert [note.split(",")[0] for note in notes] == [
        "1 matched by path",
        "1 matched by file name without folder",
        "1 matched by file name without folder and ending",
        "1 matched by file name without folder",
    ]
    names = match(["Traffic  Light", "hot_dog", "cat"], ["traffic light", "Hot dog", "cat"], CLASSES)
    assert names[0].tolist() == [0, 1, 2]


def test_two_that_could_be_meant_are_none():
    found, notes = match(["1.jpg"], ["a/1.jpg", "b/1.jpg"], IMAGES)
    assert (found.tolist(), notes) == ([-1], [])
    found, _ = match(["a/1.jpg", "b/1.jpg"], ["1.jpg", "2.jpg"], IMAGES)
    assert found.tolist() == [-1, -1]
    found, _ = match(["cat", "Cat"], ["cat"], CLASSES)  # one is taken by its own name
    assert found.tolist() == [0, -1]


def test_left_aside_on_both_sides_and_said():
    file, table = scored(["a", "b", "c"], ["cat", "dgo"]), labelled(["b", "d"], ["dog", "cat"])
    joined = join(file, table)
    assert (joined.ids.tolist(), joined.names.tolist()) == (["b"], ["cat"])
    assert joined.scores.tolist() == [[2.0]]
    assert joined.labels[0, 0] == table.state[0, 1]
    assert joined.notes == (
        "2 scored images without labels left aside: a, c",
        "1 labelled image without scores left aside: d",
        "1 scored class without labels left aside: dgo. Is 'dgo' the labels' 'dog'?",
        "1 labelled class without scores left aside: dog",
    )


def test_nothing_in_common_shows_both_sides():
    with pytest.raises(ManylabelError, match=r"no scored image has labels: the scores hold 'a', 'b', the labels 'x'"):
        join(scored(["a", "b"], ["cat"]), labelled(["x"], ["cat"]))
    with pytest.raises(ManylabelError, match=r"no scored class has labels: .* call classes by the same names"):
        join(scored(["a"], ["cat"]), labelled(["a"], ["dog"]))


def test_what_complete_lists_never_name_is_absent_where_somebody_judged():
    table = LabelTable(np.array([[1], [0]], np.int8), ("cat",), ("a", "b"))
    file = scored(["a", "b"], ["cat", "dog"])
    joined = join(file, table, unlisted=ABSENT)
    assert joined.labels.tolist() == [[1, -1], [0, 0]]
    assert joined.notes == ("1 scored class listed for no image, so absent from all: dog",)
    assert join(file, table).names.tolist() == ["cat"]


def test_classes_that_no_list_holds_are_scored_last():
    top = TopScores([[0], [1]], [[3.0], [2.0]], classes=2)
    file = TopFile(["a", "b"], ["cat", "dog"], top, "logit", whole=False)
    table = LabelTable(np.array([[-1, -1, 1], [1, -1, -1]], np.int8), ("cat", "dog", "owl"), ("b", "a"))
    joined = join_top(file, table, unlisted=ABSENT)
    assert joined.names.tolist() == ["cat", "dog", "owl"]
    assert joined.labels.dense().tolist() == [[1, -1, -1], [-1, -1, 1]]
    assert joined.notes == ("1 labelled class in no list, scored below all that are: owl",)
    result = evaluate_lists(joined.top, joined.labels, names=joined.names.tolist())
    assert [row["ap"] for row in result["per_class"]] == [1.0, None, 0.5]
    aside = join_top(TopFile(["a", "b"], ["cat", "dog"], top, "logit"), table, unlisted=ABSENT)
    assert aside.names.tolist() == ["cat", "dog"]
    assert aside.notes == ("1 labelled class without scores left aside: owl",)


def test_an_image_nobody_judged_is_left_aside_where_lists_are_complete():
    top = TopScores([[0], [1]], [[3.0], [2.0]], classes=2)
    table = LabelTable(np.array([[1], [0]], np.int8), ("cat",), ("a", "b"))
    joined = join_top(TopFile(["a", "b"], ["cat", "dog"], top, "logit"), table, unlisted=ABSENT)
    assert (joined.ids.tolist(), joined.labels.dense().tolist()) == (["a"], [[1, -1]])
    assert "1 image that nobody judged left aside" in joined.notes
    both = join_top(TopFile(["a", "b"], ["cat", "dog"], top, "logit"), table)
    assert (both.ids.tolist(), both.labels.dense().tolist()) == (["a", "b"], [[1, 0], [0, 0]])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([ABSENT, UNKNOWN]), st.booleans())
def test_lists_and_table_meet_the_same_labels(seed, unlisted, whole):
    """Joining lists and then making a table is making a table and then joining, in any order of names."""
    rng = np.random.default_rng(seed)
    images, classes = int(rng.integers(2, 9)), int(rng.integers(2, 7))
    ids, names = [f"{k}.jpg" for k in range(images)], [f"c{k}" for k in range(classes)]
    columns = np.argsort(rng.random((images, classes)), axis=1)[:, : int(rng.integers(1, classes + 1))]
    columns[rng.random(columns.shape) < 0.2] = -1
    top = TopScores(columns, rng.random(columns.shape), classes)
    file = TopFile(ids, names, top, "probability", whole=whole)
    rows, cells = rng.permutation(images)[: max(1, images - 2)], rng.permutation(classes)[: max(1, classes - 2)]
    state = rng.integers(-1, 2, (len(rows), len(cells))).astype(np.int8)
    state[:, 0] = 1  # every image is judged
    table = LabelTable(state, tuple(names[c] for c in cells), tuple(ids[r] for r in rows))
    lists, dense = join_top(file, table, unlisted=unlisted), join(file.dense(), table, unlisted=unlisted)
    kept = [lists.names.tolist().index(name) for name in dense.names.tolist()]
    assert lists.ids.tolist() == dense.ids.tolist()
    np.testing.assert_array_equal(lists.labels.dense()[:, kept], dense.labels)
    rest = np.setdiff1d(np.arange(len(lists.names)), kept)
    assert (lists.labels.dense()[:, rest] == UNKNOWN).all()  # what the table leaves aside, lists do not know


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_numbers_from_lists_are_those_of_the_table(seed):
    rng = np.random.default_rng(seed)
    images, classes = int(rng.integers(2, 30)), int(rng.integers(5, 12))
    columns = np.argsort(rng.random((images, classes)), axis=1)[:, :5]
    top = TopScores(columns, rng.random(columns.shape), classes)
    names = [f"c{k}" for k in range(classes)]
    file = TopFile([str(k) for k in range(images)], names, top, "probability")
    state = rng.choice(np.array([-1, 1], np.int8), (images, classes), p=[0.7, 0.3])
    table = LabelTable(state, tuple(names), tuple(file.ids.tolist()))
    joined = join_top(file, table)
    train = {"train_counts": rng.integers(0, 200, classes), "train_images": 500}
    some = {"thresholds": 0.5, "settings": Settings(resamples=60), **train}
    ours = evaluate_lists(joined.top, joined.labels, names=names, **some)
    dense = joined.dense()
    theirs = evaluate(dense.scores, dense.labels, names=names, **some)
    for key, value in ours.items():
        if isinstance(value, float):
            assert value == pytest.approx(theirs[key], abs=1e-12), key
    assert ours["per_class"] == [
        {**row, "ap": pytest.approx(row["ap"]) if row["ap"] is not None else None} for row in theirs["per_class"]
    ]
    for key in ("map", "map_head", "map_tail", "p@3", "ndcg@5"):
        assert ours["intervals"].get(key) == pytest.approx(theirs["intervals"].get(key)), key
    undefined = {key for key, value in ours.items() if value is None and theirs[key] is not None}
    assert undefined <= {
        "map_micro", "gap@20", "auroc", "auroc_micro", "lrap", "coverage_error", "ranking_loss",
    }  # fmt: skip
    assert "map_weighted" in ours
    shallow = TopScores(top.columns[:, :2], top.scores[:, :2], classes)
    deep = evaluate_lists(shallow, joined.labels, names=names, thresholds=0.5)
    assert deep["p@3"] is None
    assert deep["cf1_top3"] is None


def test_gap_from_lists_that_go_deep_enough():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, (40, 60)).astype(np.float32)  # tied
    state = rng.choice(np.array([-1, 0, 1], np.int8), scores.shape, p=[0.7, 0.1, 0.2])
    columns = np.argsort(-scores, axis=1)[:, :55]
    top = TopScores(columns, np.take_along_axis(scores, columns, axis=1), 60)
    ours = evaluate_lists(top, SparseLabels.from_dense(state), names=[str(c) for c in range(60)])
    assert ours["gap@20"] == pytest.approx(global_average_precision(scores, state, 20))
