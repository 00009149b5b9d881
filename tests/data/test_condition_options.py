"""Options of conditions that are wrong, and what a condition will not do: each is said, and what to do about it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manylabel.data import conditions
from manylabel.data.conditions import bags, federated, single_positive, unseen, weak_sources
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, LabelTable, ManylabelError
from manylabel.sparse import SparseLabels


def made(images, classes):
    rng = np.random.default_rng(0)
    state = np.where(rng.random((images, classes)) < 0.3, PRESENT, ABSENT).astype(np.int8)
    ids = tuple(f"{k:05d}.jpg" for k in range(images))
    return Dataset(
        LabelTable(state, tuple(f"c{c}" for c in range(classes)), ids), [Path("/photos", name) for name in ids],
        np.where(np.arange(images) % 4 == 3, "test", "train"), {"site": np.array(list("abc"))[np.arange(images) % 3]},
        Path("made.csv"), "made", (), (0,) * images,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "given", "said"), [
    ("partial", {"rate": 1.5}, "rate: expected a number from 0 to 1, got 1.5"),
    ("partial", {"rate": True}, "rate: expected a number"),
    ("partial", {"rate": float("nan")}, "rate: expected a number"),
    ("partial", {"by": "clas"}, "Did you mean 'class'"),
    ("partial", {"parts": "trian"}, "Did you mean 'train'"),
    ("partial", {"parts": "val"}, "no row is in val; the rows are in test, train"),
    ("partial", {"rates": 0.5}, "has no option 'rates'. Did you mean 'rate'"),
    ("single_positive", {"by": "size"}, "by=size needs boxes"),
    ("single_positive", {"weights": {"c0": 1}}, "with by=classes"),
    ("single_positive", {"by": "classes", "weights": {"c0": 1}}, "class 'c1' has none; name every class, or give"),
    ("single_positive", {"by": "classes", "weights": {"c9": 1, "*": 1}}, "there is no class 'c9'. Valid: c0"),
    ("drop_positives", {"rate": {"*": 0.1}, "rare": 1}, "give one rate for all classes"),
    ("flip", {"pairs": {"c0": "c0"}}, "cannot be taken for itself"),
    ("flip", {"pairs": {"c0": "x"}}, "there is no class 'x'"),
    ("flip", {"pairs": "c0"}, "expected an object"),
    ("flip", {"pairs": {"c0": "c1"}, "absent": 0.1}, "pairs flip present cells only"),
    ("candidates", {"temperature": 0}, "temperature"),
    ("candidates", {"scores": [[1.0]]}, "expected"),
    ("candidates", {"scores": np.full((40, 3), np.nan)}, "expected finite numbers, got nan in row 0, class 0"),
    ("long_tail", {"ratio": 0.5}, "ratio: expected a number of at least 1"),
    ("few_shot", {"shots": 0}, "shots: expected a whole number of at least 1"),
    ("unseen", {}, "give the names of classes, or the number"),
    ("unseen", {"number": 3}, "would leave none seen"),
    ("unseen", {"classes": ["c0", "c0"]}, "named twice"),
    ("unseen", {"classes": 5}, "expected names of classes"),
    ("incremental", {"order": ["c0"]}, "expected all 3 classes, 'c1' is not among them"),
    ("incremental", {"overlap": "yes"}, "overlap: expected true or false"),
    ("federated", {"by": "sit"}, "Did you mean 'site'"),
    ("federated", {"by": "site", "clients": 9}, "column 'site' has 3 values"),
    ("federated", {"clients": 10, "smallest": 9}, "too few for 10 clients of 9"),
    ("annotators", {"number": 0}, "number"),
    ("bags", {"column": "ward"}, "there is no column 'ward'"),
])  # fmt: skip
def test_wrong_options_are_named(name, given, said):
    with pytest.raises(ManylabelError) as error:
        conditions.apply(made(40, 3), name, given=given)
    assert said in str(error.value)


def test_a_column_that_is_there_is_not_replaced_and_votes_are_not_given_twice():
    once = federated.apply(made(60, 3), clients=2)
    with pytest.raises(ManylabelError, match="has a column 'client' already"):
        federated.apply(once, clients=2)
    once = weak_sources.apply(made(60, 3))
    with pytest.raises(ManylabelError, match="has votes of 'source 1' already"):
        weak_sources.apply(once)
    both = conditions.apply(once, "annotators", given={"number": 2})
    assert both.beside.annotators == (*(f"source {k}" for k in range(1, 6)), "simulated 1", "simulated 2")
    old = both.beside.votes.values[:, 0] < 5
    assert old.sum() == len(once.beside.votes)


def test_what_would_take_too_much_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr("manylabel.data.conditions._votes.MOST", 100)
    with pytest.raises(ManylabelError, match="votes would be made"):
        weak_sources.apply(made(100, 5))
    monkeypatch.setattr(bags, "WIDEST", 100)
    with pytest.raises(ManylabelError, match="too many for a column"):
        bags.apply(made(100, 5))
    monkeypatch.setattr("manylabel.data.conditions._change.LISTED", 10)
    data = made(100, 5)
    lists = LabelTable(SparseLabels.from_dense(data.labels.state), data.labels.names, data.labels.ids)
    with pytest.raises(ManylabelError, match="read them with unlisted unknown"):
        unseen.apply(replace(data, labels=lists), classes=["c0"])
    with pytest.raises(ManylabelError, match="it would be unknown in some rows only"):
        single_positive.apply(replace(data, labels=lists))
