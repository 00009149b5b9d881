"""Configuration: what a user may write, and what each mistake is told."""

from dataclasses import dataclass, field

import pytest

from manylabel.config import as_plain, fill, merge, parse_set, read_toml
from manylabel.labels import ManylabelError


@dataclass(frozen=True)
class Options:
    epochs: int = 15
    lr: float = 1e-3
    flip: bool = True
    name: str = "cosine"
    size: int | None = None
    penalties: tuple[float, ...] = (0.1, 1.0)
    columns: tuple[str, ...] = ()
    options: dict[str, float] = field(default_factory=dict)


def test_set_reads_toml_values_else_text():
    items = ["method.options.clip=0", "method.options.gamma=2.5", "train.flip=false", "data.where=long_tail=1",
             "method.name = asl", 'text.source="1"', "method.penalties=[1, 10]", "data.root="]  # fmt: skip
    assert parse_set(items) == {
        "method": {"options": {"clip": 0, "gamma": 2.5}, "name": "asl", "penalties": [1, 10]},
        "train": {"flip": False},
        "data": {"where": "long_tail=1", "root": ""},
        "text": {"source": "1"},
    }
    assert parse_set(["train.epochs=1", "train.epochs=2"]) == {"train": {"epochs": 2}}


@pytest.mark.parametrize("item", ["train.epochs", "epochs=3", ".epochs=3", "train.=3", "=3", ""])
def test_set_wants_section_key_and_value(item):
    with pytest.raises(ManylabelError, match=r"section\.key=value"):
        parse_set([item])


@pytest.mark.parametrize("items", [["a.b=1", "a.b.c=2"], ["a.b.c=2", "a.b=1"]])
def test_set_refuses_a_key_that_is_both_value_and_section(items):
    with pytest.raises(ManylabelError, match=r"a\.b"):
        parse_set(items)


def test_the_later_layer_wins_key_by_key_and_no_layer_is_changed():
    defaults, file = {"train": {"lr": 1, "epochs": 2}, "text": {"source": "clip"}}, {"train": {"lr": 3}}
    assert merge(defaults, file, {"method": {"tau": 1}}) == {
        "train": {"lr": 3, "epochs": 2}, "text": {"source": "clip"}, "method": {"tau": 1}
    }  # fmt: skip
    assert defaults["train"] == {"lr": 1, "epochs": 2}
    assert merge({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


def test_fill_keeps_defaults_and_makes_floats_and_tuples():
    made = fill(
        Options, {"lr": 1, "penalties": [1, 10], "columns": ["x"], "size": 64, "options": {"clip": 0.5}}, "train"
    )
    assert made == Options(lr=1.0, penalties=(1.0, 10.0), columns=("x",), size=64, options={"clip": 0.5})
    assert [type(value) for value in (made.lr, *made.penalties)] == [float] * 3
    assert fill(Options, {"size": None}, "train").size is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 2.0}, "train.epochs is of type int, got 2.0"),
        ({"epochs": True}, "train.epochs is of type int, got True"),
        ({"lr": True}, "train.lr is of type float, got True"),
        ({"lr": "fast"}, "train.lr is of type float, got 'fast'"),
        ({"flip": 1}, "train.flip is of type bool, got 1"),
        ({"name": 3}, "train.name is of type str, got 3"),
        ({"epochs": None}, "train.epochs is of type int, got None"),
        ({"size": "big"}, "train.size is of type int, got 'big'"),
        ({"penalties": [1, "x"]}, "train.penalties is of type float, got 'x'"),
        ({"columns": "xyz"}, "train.columns is of type tuple, got 'xyz'"),
        ({"options": 3}, "train.options is of type dict, got 3"),
        ({"epoch": 3}, "there is no train.epoch. Did you mean 'epochs'?"),
    ],
)
def test_fill_names_key_type_and_value(values, message):
    with pytest.raises(ManylabelError) as told:
        fill(Options, values, "train")
    assert message in str(told.value)


def test_what_is_written_fills_the_same_again():
    made = Options(size=None, penalties=(3.0,), options={"clip": 0.5})
    plain = as_plain(made)
    assert "size" not in plain  # TOML has no None
    assert plain["penalties"] == [3.0]
    assert fill(Options, plain, "train") == made


def test_a_bad_file_is_named(tmp_path):
    (tmp_path / "bad.toml").write_text("[train\nlr = 1")
    with pytest.raises(ManylabelError, match=r"bad\.toml is not valid TOML.*line 1"):
        read_toml(tmp_path / "bad.toml")
    with pytest.raises(ManylabelError, match=r"there is no file .*none\.toml"):
        read_toml(tmp_path / "none.toml")
