"""`manylabel condition`: a condition from a file to a file, counts before and after."""

import json

import pytest
from typer.testing import CliRunner

from manylabel.cli import app
from manylabel.data import conditions, formats, read
from manylabel.labels import ManylabelError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    formats.write(conditions.example(100), tmp_path / "labels.csv", "csv")


def run(*words):
    done = CliRunner().invoke(app, ["condition", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_written_is_what_python_makes():
    said = run("labels.csv", "--to", "partial", "--set", "rate=0.3", "--seed", "4", "--out", "out.jsonl")
    found = read("out.jsonl")
    wanted = conditions.apply(read("labels.csv"), "partial", seed=4, given={"rate": 0.3})
    assert (found.labels.state == wanted.labels.state).all()
    known = int(wanted.labels.known_counts.sum())
    positives = int(wanted.labels.counts.sum())
    lines = [line.split() for line in said.splitlines()]
    assert ["before,", "train", "80", "3", "87", "153", "0"] in lines
    assert ["after,", "all", "100", "3", str(positives), str(known - positives), str(300 - known)] in lines
    assert "100 images written as jsonl: out.jsonl" in said
    assert conditions.history(found) == conditions.history(wanted)


def test_conditions_one_after_another_each_with_its_settings():
    said = json.loads(run(
        "labels.csv", "--to", "long-tail", "--to", "partial", "--to", "partial", "--set", "long-tail.ratio=5",
        "--set", "2.rate=0.5", "--set", "3.negatives=all", "--set", "partial.by=image", "--json",
    ))  # fmt: skip
    tail, first, second = said["conditions"]
    assert (tail["name"], tail["ratio"]) == ("long_tail", 5)
    assert [(one["rate"], one["by"], one["negatives"]) for one in (first, second)] == [
        (0.5, "image", "rate"), (0.1, "image", "all"),
    ]  # fmt: skip
    assert said["before"]["train"] == {"images": 80, "classes": 3, "positives": 87, "negatives": 153, "unknown": 0}
    assert said["after"]["test"] == said["before"]["test"]
    assert len(said["notes"]) == 3
    assert said["written"] == []


def test_a_table_as_a_value_and_another_format():
    rates = ["--set", 'present={cat = 1.0, "*" = 0}', "--set", "absent=0", "--set", "parts=all"]
    run("labels.csv", "--to", "flip", *rates, "--out", "out.tsv", "--write-as", "csv")
    assert read("out.tsv", format="csv").labels.counts.tolist() == [0, 34, 20]


def test_the_list_has_every_condition_with_its_options():
    said = run("--list")
    for name in conditions.names():
        assert f"{name}: " in said
        assert all(f"{option}=" in said for option in conditions.options(name))


@pytest.mark.parametrize(("words", "said"), [
    ([], "condition wants DATA and --to CONDITION"),
    (["labels.csv"], "condition wants DATA and --to CONDITION"),
    (["labels.csv", "--to", "partail"], "Did you mean 'partial'"),
    (["labels.csv", "--to", "partial", "--set", "rate"], "--set wants option=value"),
    (["labels.csv", "--to", "partial", "--to", "flip", "--set", "rate=1"], "such as partial.rate=1"),
    (["labels.csv", "--to", "partial", "--to", "flip", "--set", "flipp.rate=1"], "Did you mean 'flip'"),
    (["labels.csv", "--to", "partial", "--set", "3.rate=1"], "such as partial.rate=1"),
    (["labels.csv", "--to", "partial", "--set", "rat=1"], "Did you mean 'rate'"),
    (["labels.csv", "--to", "partial", "--out", "out.xyz"], "names no format: say --write-as"),
    (["labels.csv", "--to", "partial", "--out", "out.csv", "--write-as", "cvs"], "Did you mean 'csv'"),
    (["labels.csv", "--to", "partial", "--out", "labels.csv"], "exists already"),
])  # fmt: skip
def test_mistakes_are_said(words, said):
    with pytest.raises(ManylabelError) as error:
        run(*words)
    assert said in str(error.value)
