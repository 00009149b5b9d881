"""Labels as people hold them in Python."""

import numpy as np
import pytest
from scipy import sparse

from manylabel.labels import LabelTable, ManylabelError
from manylabel.targets import table_of

STATE = [[1, -1], [-1, 0], [0, 1]]


class Frame:
    """What is used of a data frame."""

    columns = ("cat", "dog")

    def __array__(self, dtype=None, copy=None):
        return np.array([[1, 0], [0, np.nan], [None, 1]], object)


@pytest.mark.parametrize("y", [
    [[1, 0], [0, None], [-1, 1]], np.array([[1, 0], [0, np.nan], [np.nan, 1]]), np.array([[1, 0], [0, -1], [-1, 1]]),
    np.array([["1", "0"], ["0", None], [None, "1.0"]], object), Frame(),
])  # fmt: skip
def test_numbers_with_holes(y):
    assert table_of(y).state.tolist() == STATE


def test_names_come_from_where_they_are():
    assert table_of(Frame()).names == ("cat", "dog")
    assert table_of([[1, 0]]).names == ("class 0", "class 1")
    assert table_of([[1, 0]], names=["b", "a"]).names == ("b", "a")
    assert table_of([["b", "a"], ["c"]]).names == ("a", "b", "c")


def test_lists_of_names():
    rows = [{"cat"}, [], ("dog", "cat"), None]
    assert table_of(rows).state.tolist() == [[1, -1], [-1, -1], [1, 1], [0, 0]]
    assert table_of(rows, unlisted="unknown").state.tolist() == [[1, 0], [0, 0], [1, 1], [0, 0]]
    assert table_of(rows, names=["dog", "cat", "cow"]).state.tolist()[0] == [-1, 1, -1]
    ragged = np.empty(4, object)
    ragged[:] = rows
    assert table_of(ragged).state.tolist() == table_of(rows).state.tolist()


def test_sparse_and_tables_and_truth():
    assert table_of(sparse.csr_matrix([[1, 0], [0, 1]])).state.tolist() == [[1, -1], [-1, 1]]
    assert table_of(np.array([[True, False]])).state.tolist() == [[1, -1]]
    table = LabelTable(np.zeros((1, 1), np.int8), ("a",), ("x",))
    assert table_of(table) is table


@pytest.mark.parametrize(("y", "options", "said"), [
    ([[1, 0], [2, 0]], {"names": ["cat", "dog"]}, r"row 1, column 0 \(cat\).*got 2"),
    ([[0.3]], {}, "a continuous value"), ([[1], [np.inf]], {}, "contains infinity"),
    ([1, 0, 1], {}, r"reshape\(-1, 1\)"), ([[1, 0], [1]], {}, "differ in length"),
    ([["1", "yes"]], {"names": ["1"]}, "row 0: there is no class 'yes'"),
    (np.array([["yes"]], object), {}, "row 0, column 0: expected 0, 1 or NaN, got 'yes'"),
    ([["cta"]], {"names": ["cat"]}, "Did you mean 'cat'"), ([[1, 0]], {"names": ["a"]}, "2 columns and there are 1"),
    ([["a"]], {"unlisted": "maybe"}, "absent or unknown"), (["a", "b"], {}, "got shape"),
])  # fmt: skip
def test_what_cannot_be_understood_is_named(y, options, said):
    with pytest.raises(ManylabelError, match=said):
        table_of(y, **options)


class Numbered(Frame):
    columns = (0, 1)


def test_columns_are_taken_by_their_names():
    for y in (Frame(), table_of(Frame())):
        table = table_of(y, names=["dog", "cat"])
        assert (table.names, table.state.tolist()) == (("dog", "cat"), [row[::-1] for row in STATE])
        with pytest.raises(ManylabelError, match=r"column 'cat', which is no class.*Did you mean 'cats'"):
            table_of(y, names=["cats", "dog"])
        with pytest.raises(ManylabelError, match="no column 'cow'"):
            table_of(y, names=["cat", "dog", "cow"])
    assert table_of(Numbered(), names=["a", "b"]).state.tolist() == STATE  # numbered columns have no names
    assert table_of(Numbered()).names == ("class 0", "class 1")


def test_rows_may_be_arrays_of_names_or_missing_as_pandas_says_it():
    rows = [np.array(["cat"]), np.array([]), ("dog", "cat"), float("nan")]
    assert table_of(rows).state.tolist() == [[1, -1], [-1, -1], [1, 1], [0, 0]]
