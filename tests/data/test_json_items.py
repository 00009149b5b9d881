"""JSON taken apart element by element says what `json` says, in what is right and in what is wrong."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damage import corruptions
from manylabel.data import json_items, source
from manylabel.data.json_items import Items, elements, outline
from manylabel.data.source import Source, parse_json
from manylabel.labels import ManylabelError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(params=[3, 1 << 20], ids=["in small pieces", "in one piece"])
def pieces(request, monkeypatch):
    monkeypatch.setattr(json_items, "CHUNK", request.param)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("json") / "a.json"


def whole(found):
    if not isinstance(found, dict):
        return found
    return {key: list(value) if isinstance(value, Items) else value for key, value in found.items()}


def outcome(read, *given):
    try:
        return read(*given)
    except ManylabelError as problem:
        return str(problem)


def place(text):
    return re.findall(r"line (\d+), column (\d+)", text)[0]


@settings(max_examples=30, deadline=None)
@given(
    value=st.dictionaries(st.text(), VALUES, max_size=4) | VALUES,
    indent=st.sampled_from([None, 0, 2]),
    chunk=st.sampled_from([1, 3, 50]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_it_is_what_json_reads(file, value, indent, chunk, encoding):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_items, "CHUNK", chunk)
        file.write_text(json.dumps(value, indent=indent, ensure_ascii=False), encoding=encoding, errors="replace")
        wanted = json.loads(file.read_text(encoding=encoding))
        assert whole(outline(file)) == wanted
        listed = [value, value, {"a": [value]}]
        text = json.dumps(listed, indent=indent, ensure_ascii=False)
        file.write_text(text, encoding=encoding, errors="replace")
        wanted = json.loads(file.read_text(encoding=encoding))
        assert list(elements(file)) == wanted
        around = f'\n{{"n" : [1, {{}}], "samples": {text}\n, "m": {{"samples": []}}}} '
        file.write_text(around, encoding=encoding, errors="replace")
        assert list(elements(file, "samples")) == list(outline(file)["samples"]) == wanted


@pytest.mark.usefixtures("pieces")
def test_lists_are_items_that_can_be_gone_through_again(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(' {"ü": "ß", "a": [1, [2]], "b": {"c": [3]}, "d": [] , "a b": [4, 5]} ', encoding="utf-8")
    found = outline(file)
    assert isinstance(found["a"], Items)
    assert list(found["a"]) == list(found["a"]) == [1, [2]]
    assert found["a"].head(1) == [1]
    assert found["b"] == {"c": [3]}
    assert list(found["d"]) == []
    assert list(found["a b"]) == [4, 5]


WRONG = (
    *('{"a": [1, 2,]}', '{"a": 1,}', '{"a": [1 2]}', '{"a" 1}', '{"a": 1} x', '{"a": [NaN]}', "{1: 2}", '{"a": [1'),
    *('{"a"', "{", "", "nul", '{"a": [1}', '{"a": ' + "[" * 100_000, '{"a": [' + "9" * 5000 + "]}"),
    *(
        "[1] x",
        "1 2",
        '{"a": [1, Infinity]}',
        '{\n"a": [1,\n {"b": x}]}',
        '{"a": ["b",\n\n  "c',
        '{"a": [1], }',
        '{"a": [tru]}',
    ),
)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_what_is_wrong_is_said_as_for_small_files(tmp_path, text):
    file = tmp_path / "a.json"
    file.write_text(text)
    found, wanted = outcome(outline, file), outcome(parse_json, text, str(file))
    assert found.startswith(str(file))
    assert isinstance(wanted, str)
    assert ("not valid JSON" in found) == ("not valid JSON" in wanted)
    if "line" in wanted and "property name" not in wanted:  # the place of a comma too many is a matter of taste
        assert place(found) == place(wanted)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("text", ["[1] [2]", "[1], 2", "[1]x"])
def test_nothing_after_the_list_is_passed_over(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ManylabelError, match=r"line 1, column [45]: not valid JSON: expected nothing more"):
        list(elements(tmp_path / "a.json"))
    (tmp_path / "a.json").write_text(f'{{"a": {text}}}')
    with pytest.raises(ManylabelError, match="not valid JSON"):
        list(elements(tmp_path / "a.json", "a"))


LISTLESS = [
    ("[NaN]", None, "NaN is no JSON value"),
    ("[" * 100_000, None, "nested too deeply"),
    ("[" + "9" * 5000 + "]", None, "not valid JSON: Exceeds"),
    ('{"a": 1}', None, "expected a list"),
    ('{"a": 1}', "a", "expected a list"),
    ('{"a": []}', "b", "expected an object with a list of b"),
    ("[1]", "a", "expected an object"),
    ('[1, 2, {"a": 1', None, "line 1, column 15: not valid JSON"),
]


@pytest.mark.parametrize(("text", "key", "said"), LISTLESS, ids=[said for *_, said in LISTLESS])
def test_what_is_no_list_is_an_error(tmp_path, text, key, said):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ManylabelError, match=said):
        list(elements(tmp_path / "a.json", key))


def test_damaged_text_is_an_error_where_json_has_one(tmp_path):
    data = json.dumps({"info": {"a": 1}, "images": [{"id": 1, "b": [1.5, None]}, {"id": 2}], "n": "ü"}, indent=1)
    file = tmp_path / "a.json"
    for what, content in corruptions(data.encode()):
        text = content.decode("latin-1").replace("\0", " ")
        file.write_text(text, encoding="utf-8")
        found, wanted = outcome(outline, file), outcome(parse_json, text, str(file))
        assert isinstance(found, str) == isinstance(wanted, str), what
        assert isinstance(found, str) or whole(found) == wanted, what


def test_a_file_is_not_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(json_items, "CHUNK", 100)
    held = []
    more = json_items._Text._more
    monkeypatch.setattr(json_items._Text, "_more", lambda self: (more(self), held.append(len(self.text))))
    (tmp_path / "a.json").write_text(json.dumps({"a": [{"id": k} for k in range(1000)]}))
    assert [one["id"] for one in outline(tmp_path / "a.json")["a"]] == list(range(1000))
    assert max(held) < 250


def test_the_first_element_needs_no_more_of_the_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\n[ {"id": 1, "text": "[x]"}, broken')
    assert Source(path).first == {"id": 1, "text": "[x]"}
    assert Source(path).top == {}
    path.write_text(json.dumps([{"id": "x" * 100_000}, {}]))
    assert Source(path).first == {"id": "x" * 100_000}
    path.write_text("[9, 8]")
    assert Source(path).first == {}


def test_of_a_large_file_only_the_outline_is_looked_at(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text('{"images": [{"id": 1}, {"id": 2}], "n": {"x": [1, 2]}}')
    monkeypatch.setattr(source, "LARGE", 10)
    found = Source(tmp_path / "a.json")
    assert found.top == {"images": [{"id": 1}], "n": {"x": [1, 2]}}
    assert "json" not in vars(found)
    assert "text" not in vars(found)
    (tmp_path / "b.json").write_text('{"images": [{"id": 1}, {"id": 2]}')
    assert Source(tmp_path / "b.json").top == {}


def test_text_that_is_cut_off_in_its_encoding(tmp_path):
    (tmp_path / "a.json").write_bytes("{}".encode("utf-16")[:-1])
    with pytest.raises(ManylabelError, match=r"a.json begins with the mark of utf-16 but is not"):
        Source(tmp_path / "a.json").text  # noqa: B018
    with pytest.raises(ManylabelError, match=r"a.json begins with the mark of utf-16 but is not"):
        outline(tmp_path / "a.json")
