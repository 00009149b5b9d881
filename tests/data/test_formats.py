"""Every format that is written is read back with nothing lost, recognised as itself and as nothing else."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made import datasets, photographs
from manylabel.data import formats, read
from manylabel.data.beside import same
from manylabel.labels import ManylabelError

WRITTEN = formats.writable()


def assert_same(found, wanted):
    assert found.labels.names == wanted.labels.names
    assert found.labels.ids == wanted.labels.ids
    np.testing.assert_array_equal(found.labels.state, wanted.labels.state)
    assert found.split.tolist() == wanted.split.tolist()
    assert {k: v.tolist() for k, v in found.columns.items()} == {k: v.tolist() for k, v in wanted.columns.items()}
    assert same(found.beside, wanted.beside) == ()
    assert [str(path) for path in found.paths] == [str(path) for path in wanted.paths]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    photographs(folder)
    return folder


@pytest.mark.parametrize("format", WRITTEN)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_is_lost_on_the_way_there_and_back(format, photos, data):
    wanted = data.draw(datasets(photos))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, formats.named(format, "out"))
        formats.write(wanted, path, format)
        assert_same(read(path), wanted)  # recognised without being told


def test_lists_of_many_classes_keep_every_state_that_a_table_has(tmp_path, monkeypatch):
    text = (
        '{"image": "a.jpg", "labels": ["cat"], "soft": {"dog": 0.5}, "candidates": ["owl"]}\n'
        '{"image": "b.jpg", "labels": {"dog": 1, "cat": null}}\n'
        '{"image": "c.jpg", "labels": ["owl"], "reviewed": false}\n'
    )
    (tmp_path / "labels.jsonl").write_text(text)
    table = read(tmp_path / "labels.jsonl").labels
    monkeypatch.setattr("manylabel.data.listed.table_of.__kwdefaults__", {"unjudged": (), "default": -1, "table": 0})
    lists = read(tmp_path / "labels.jsonl").labels
    assert lists.is_sparse
    assert lists.names == ("cat", "owl", "dog")
    assert lists.state.tolist() == table.state.tolist() == [[1, 0, 0], [0, -1, 1], [0, 1, 0]]


@pytest.mark.parametrize("name", formats.writable())
def test_names_that_are_no_text_are_named(name, tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"1")
    with pytest.raises(ManylabelError, match=r"the name of the image 'cat/caf\\udce9.jpg' is no text in UTF-8"):
        formats.write(read(tmp_path), tmp_path / formats.named(name, "out"), name)
