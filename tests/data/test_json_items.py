"""JSON taken apart element by element says what `json` says, in what is right and in what is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damage import corruptions
from manylabel.data import source
from manylabel.data.json_items import Items, outline
from manylabel.data.source import Source, parse_json
from manylabel.labels import ManylabelError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def whole(found):
    if not isinstance(found, dict):
        return found
    return {key: list(value) if isinstance(value, Items) else value for key, value in found.items()}


@given(st.dictionaries(st.text(), VALUES, max_size=4) | VALUES, st.sampled_from([None, 0, 2]))
def test_it_is_what_json_reads(value, indent):
    assert whole(outline(json.dumps(value, indent=indent), "a.json")) == value


def test_lists_are_items_that_can_be_gone_through_again():
    found = outline(' {"a": [1, [2]], "b": {"c": [3]}, "d": []} ', "a.json")
    assert isinstance(found["a"], Items)
    assert list(found["a"]) == list(found["a"]) == [1, [2]]
    assert found["a"].head(1) == [1]
    assert found["b"] == {"c": [3]}
    assert list(found["d"]) == []


def read(function, text):
    try:
        return function(text, "a.json")
    except ManylabelError as problem:
        return str(problem)


WRONG = (
    *('{"a": [1, 2,]}', '{"a": 1,}', '{"a": [1 2]}', '{"a" 1}', '{"a": 1} x', '{"a": [NaN]}', "{1: 2}", '{"a": [1'),
    *(
        '{"a"',
        "{",
        "",
        "nul",
        '{"a": [1}',
        '{"a": ' + "[" * 100_000,
        '{"a": [' + "9" * 5000 + "]}",
        '{"a": [1, Infinity]}',
    ),
)


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_what_is_wrong_is_said_as_for_small_files(text):
    found, wanted = read(outline, text), read(parse_json, text)
    assert found.startswith("a.json")
    assert isinstance(wanted, str)
    assert ("not valid JSON" in found) == ("not valid JSON" in wanted)


def test_damaged_text_is_an_error_where_json_has_one():
    data = json.dumps({"info": {"a": 1}, "images": [{"id": 1, "b": [1.5, None]}, {"id": 2}], "n": "ü"}, indent=1)
    for what, content in corruptions(data.encode()):
        text = content.decode("latin-1")
        found, wanted = read(outline, text), read(parse_json, text)
        assert isinstance(found, str) == isinstance(wanted, str), what
        assert isinstance(found, str) or whole(found) == wanted, what


def test_of_a_large_file_only_the_outline_is_looked_at(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text('{"images": [{"id": 1}, {"id": 2}], "n": {"x": [1, 2]}}')
    monkeypatch.setattr(source, "LARGE", 10)
    found = Source(tmp_path / "a.json")
    assert found.top == {"images": [{"id": 1}], "n": {"x": [1, 2]}}
    assert "json" not in vars(found)
    (tmp_path / "b.json").write_text('{"images": [{"id": 1}, {"id": 2]}')
    assert Source(tmp_path / "b.json").top == {}


def test_text_that_is_cut_off_in_its_encoding(tmp_path):
    (tmp_path / "a.json").write_bytes("{}".encode("utf-16")[:-1])
    with pytest.raises(ManylabelError, match=r"a.json begins with the mark of utf-16 but is not"):
        Source(tmp_path / "a.json").text  # noqa: B018
