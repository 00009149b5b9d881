"""A delimited file read some rows at once gives what the csv module gives of the whole."""

import csv
import io
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.data import sheet
from manylabel.data.sheet import SMALL, Column, read_sheet
from manylabel.labels import ManylabelError

CELL = st.text(alphabet='ab1 ",\n\r|é', max_size=4)


@pytest.fixture
def few_at_once(monkeypatch):
    monkeypatch.setattr(sheet, "ROWS", 2)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("sheet") / "a.csv"


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=7), ending=st.sampled_from(["\n", "\r\n"]))
def test_cells_are_those_of_the_csv_module(file, rows, ending):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([("image", "x", "y"), *rows])
    file.write_bytes(text.getvalue().encode())
    wanted = [row for row in csv.reader(io.StringIO(text.getvalue(), newline="")) if any(map(str.strip, row))][1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "ROWS", 2)
        found = read_sheet(file)
    columns = [list(column) for column in zip(*wanted)] or [[], [], []]
    assert [list(found.raw(name)) for name in found.header] == columns
    assert [found.cells(name) for name in found.header] == [[one.strip() for one in column] for column in columns]
    for name, column in zip(found.header, columns):
        counts = Counter(one.strip().lower() for one in column)
        assert list(found.counts(name).items()) == list(counts.items())
    assert len(found.rows) == len(found.lines) == len(wanted)


def test_more_different_cells_than_a_byte_tells_apart():
    column, cells = Column(), [f"{k % 300}" for k in range(1000)]
    for start in range(0, 1000, 100):
        column.add(cells[start : start + 100])
        texts, places = column.coded
        assert [texts[k] for k in places] == cells[: start + 100]
        assert places.itemsize == (1 if len(texts) <= SMALL else 4)
        del places


@pytest.mark.usefixtures("few_at_once")
def test_uneven_rows_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("image,x\na,1\nb,2\n\nc,3,\nd\ne,5\nf,6,7\n")
    with pytest.raises(ManylabelError, match=r"a\.csv, row 6: expected 2 cells \(image, x\), got 1\. Is the file cut"):
        read_sheet(file)
    found = read_sheet(file, leave=True)
    assert (found.cells("x"), list(found.lines)) == (["1", "2", "3", "5"], [2, 3, 5, 7])
    assert found.mistakes == [
        "2 rows of another width left out: row 6: expected 2 cells, got 1; row 8: expected 2 cells, got 3"
    ]
    found.rows = found.rows[1:3]
    assert (found.cells("x"), found.counts("x"), found.coded("image")[1].tolist()) == (
        ["2", "3"], {"2": 1, "3": 1}, [1, 2]
    )  # fmt: skip


@pytest.mark.parametrize("start", ["sep=;\n", "sep=;\r\n", "SEP=;\r"])
def test_the_first_line_of_a_spreadsheet_is_no_header(tmp_path, start):
    (tmp_path / "a.csv").write_bytes(f"{start}image;x,y\na;1\n".encode())
    found = read_sheet(tmp_path / "a.csv")
    assert (found.header, list(found.lines), found.cells("x,y")) == (["image", "x,y"], [3], ["1"])


def test_the_first_line_that_is_not_utf8_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet, "CHUNK", 5)
    (tmp_path / "a.csv").write_bytes("image,x\né.jpg,1\n".encode() + b"b,2\nc\xe9,3\n")
    found = read_sheet(tmp_path / "a.csv")
    assert found.notes[0].startswith("The file is not UTF-8 (first seen on row 4); read as cp1252.")
    assert found.cells("image")[-1] == "cé"


def test_the_delimiter_is_that_of_the_first_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet, "HEAD", 20)
    (tmp_path / "a.csv").write_text("image;x\na;1\nb;2,3,4\n" + "c;5,6,7\n" * 50)
    assert read_sheet(tmp_path / "a.csv").header == ["image", "x"]
