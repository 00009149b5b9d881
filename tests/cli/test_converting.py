"""`convert` as people call it."""

import json

import pytest
from typer.testing import CliRunner

from manylabel.cli import app
from manylabel.data import read
from manylabel.labels import ManylabelError


def run(*arguments):
    found = CliRunner().invoke(app, ["convert", *map(str, arguments)])
    if isinstance(found.exception, ManylabelError):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "labels.csv").write_text("image,split,cat,dog\na.jpg,train,1,\nb.jpg,test,0,1\n")
    return tmp_path / "labels.csv"


def test_there_and_back_again(labels, tmp_path):
    assert "2 images written as jsonl" in run(labels, tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1]) == {
        "image": "a.jpg", "labels": ["cat"], "unknown": ["dog"], "split": "train",
    }  # fmt: skip
    run(tmp_path / "out.jsonl", tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_text() == labels.read_text()


def test_nothing_is_written_over(labels, tmp_path):
    with pytest.raises(ManylabelError, match="exists already"):
        run(labels, labels)
    with pytest.raises(ManylabelError, match=r"out\.xyz names no format: say --to .*csv"):
        run(labels, tmp_path / "out.xyz")
    with pytest.raises(ManylabelError, match="Did you mean 'jsonl'"):
        run(labels, tmp_path / "out", "--to", "jsonll")


def test_several_sets_a_hierarchy_and_aliases(labels, tmp_path):
    (tmp_path / "more.csv").write_text("image,labels\nc.jpg,puppy\n")
    (tmp_path / "aliases.csv").write_text("class,alias\ndog,puppy\n")
    (tmp_path / "parents.csv").write_text("class,parent\ndog,animal\n")
    run(labels, tmp_path / "more.csv", tmp_path / "both.csv", "--aliases", tmp_path / "aliases.csv")
    both = read(tmp_path / "both.csv")
    assert (both.labels.names, both.labels.state.tolist()) == (("cat", "dog"), [[1, 0], [-1, 1], [0, 1]])
    assert both.beside.aliases == {"puppy": "dog"}
    (tmp_path / "kinds.csv").write_text("image,labels\na.jpg,dog\nb.jpg,animal\n")
    run(tmp_path / "kinds.csv", tmp_path / "kinds.jsonl", "--hierarchy", tmp_path / "parents.csv")
    kinds = read(tmp_path / "kinds.jsonl")
    assert (kinds.labels.state.tolist(), kinds.beside.parents) == ([[1, 1], [1, 0]], (("dog", "animal"),))


def test_mistakes_are_left_out_and_said_on_request(tmp_path):
    (tmp_path / "labels.csv").write_text("image,cat,dog\na.jpg,1,0\nb.jpg,1\n")
    with pytest.raises(ManylabelError, match="row 3: expected 3 cells"):
        run(tmp_path / "labels.csv", tmp_path / "out.jsonl")
    assert "left out: 1 row of another width left out" in run(
        tmp_path / "labels.csv", tmp_path / "out.jsonl", "--leave"
    )


def test_an_edited_label_file_wins_over_what_lies_beside_it(tmp_path):
    (tmp_path / "labels.jsonl").write_text('{"image": "a.jpg", "labels": {"cat": 1, "dog": 0}, "soft": {"cat": 0.9}}\n')
    run(tmp_path / "labels.jsonl", tmp_path / "out.csv")
    assert read(tmp_path / "out.csv").beside.soft.values.tolist() == [0.9]
    (tmp_path / "out.csv").write_text("image,cat,dog\na.jpg,1,1\nnew.jpg,0,1\n")
    edited = read(tmp_path / "out.csv")
    assert edited.labels.state.tolist() == [[1, 1], [-1, 1]]
    assert edited.beside.soft.rows.tolist() == [0]


def test_a_damaged_file_beside_is_named(labels, tmp_path):
    run(labels, tmp_path / "out.csv")
    beside = tmp_path / "out.csv.manylabel.json"
    beside.write_text('{"manylabel": 1, "split": 3}')
    with pytest.raises(ManylabelError, match=r"out\.csv\.manylabel\.json is damaged"):
        read(tmp_path / "out.csv")
    beside.write_text('{"manylabel": 7}')
    with pytest.raises(ManylabelError, match='with "manylabel": 1'):
        read(tmp_path / "out.csv")
