"""Long JSON lists read piece by piece give what the whole file gives, and break where it breaks."""

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel.data.formats import _elements
from manylabel.data.formats._elements import elements
from manylabel.data.source import Source, parse_json
from manylabel.labels import ManylabelError

SAMPLES = r'\{\s*"samples"\s*:\s*\['
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(_elements, "CHUNK", 3)


def outcome(read):
    try:
        return read()
    except ManylabelError as problem:
        return str(problem)


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(VALUE, max_size=4),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    cut=st.integers(0, 60),
)
def test_pieces_give_what_the_whole_gives(values, indent, ascii_only, cut):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(text, encoding="utf-8")
        assert list(elements(path)) == values
        path.write_text(f'\n{{"samples" : {text}\n}} ', encoding="utf-8")
        assert list(elements(path, SAMPLES, "}")) == values
        path.write_text(text[:-1][:cut], encoding="utf-8")
        with pytest.raises(ManylabelError, match=r"a.json, line \d+, column \d+: not valid JSON"):
            list(elements(path))


@pytest.mark.parametrize("text", ['[1,\n 2,\n {"a": x}]', "[1\n 2]", '["a",\n\n  "b', "[1, 2,]", "[tru]", "[[[1]]"])
def test_it_breaks_where_the_whole_breaks(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ManylabelError) as problem:
        list(elements(path))
    with pytest.raises(ManylabelError) as whole:
        parse_json(text, str(path))
    places = [re.findall(r"line (\d+), column (\d+)", str(one.value))[0] for one in (problem, whole)]
    if text not in ("[[[1]]", "[1, 2,]"):  # where the end is missing, or the place of a comma, is a matter of taste
        assert places[0] == places[1]


@pytest.mark.parametrize("text", ["[1] [2]", "[1], 2", "[1]x"])
def test_nothing_after_the_list_is_passed_over(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ManylabelError, match="expected nothing more after the list"):
        list(elements(path))


BROKEN = [
    ("[NaN]", "NaN is no JSON value"),
    ("[" * 100_000, "nested too deeply"),
    ("[" + "9" * 5000 + "]", "not valid JSON: Exceeds"),
    ('{"a": 1}', "expected a list"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_what_is_no_label_file_is_an_error(tmp_path, text, said, monkeypatch):
    monkeypatch.setattr(_elements, "CHUNK", 1 << 20)
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ManylabelError, match=said):
        list(elements(path))


def test_the_first_element_needs_no_more_of_the_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\n[ {"id": 1, "text": "[x]"}, broken')
    assert Source(path).first == {"id": 1, "text": "[x]"}
    assert Source(path).top == {}
    path.write_text(json.dumps([{"id": "x" * 100_000}, {}]))
    assert Source(path).first == {"id": "x" * 100_000}
    path.write_text("[9, 8]")
    assert Source(path).first == {}
