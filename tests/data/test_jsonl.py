"""JSON Lines: what a line does not say is unknown, and what is not kept of it is said."""

import pytest

from manylabel.data import read
from manylabel.labels import ManylabelError


@pytest.fixture
def lines(tmp_path):
    def read_lines(*texts, **options):
        (tmp_path / "labels.jsonl").write_text("\n".join(texts) + "\n")
        return read(tmp_path / "labels.jsonl", **options)

    return read_lines


def test_without_a_list_of_labels_nobody_judged_the_image(lines):
    found = lines(
        '{"image": "a.jpg", "labels": ["cat", "dog"]}', '{"image": "b.jpg", "labels": null}', '{"image": "c.jpg"}',
        '{"image": "d.jpg", "absent": ["cat"]}', '{"image": "e.jpg", "reviewed": true}',
        '{"image": "f.jpg", "labels": []}',
    )  # fmt: skip
    assert found.labels.state.tolist() == [[1, 1], [0, 0], [0, 0], [-1, 0], [-1, -1], [-1, -1]]
    assert "3 lines hold no list of labels: what they do not say is unknown." in found.notes


def test_the_key_of_the_labels_may_come_in_a_later_line(lines):
    found = lines('{"path": "a.jpg"}', '{"path": "b.jpg", "tags": ["cat"]}')
    assert found.labels.names == ("cat",)
    assert found.labels.state.tolist() == [[0], [1]]


def test_what_is_not_kept_is_said(lines):
    found = lines(
        '{"image": "a.jpg", "labels": ["cat"], "exif": {"iso": 100}, "tags": ["dog"], "site": "B", "no": null}'
    )
    assert list(found.columns) == ["site"]
    assert "Keys that hold neither text nor a number are left out: exif (1), tags (1)." in found.notes


@pytest.mark.parametrize(
    ("options", "state"),
    [({}, 0), ({"minus_one": "absent"}, -1), ({"minus_one": "present"}, 1), ({"uncertain": "positive"}, 1)],
)
def test_minus_one_is_what_the_user_says(lines, options, state):
    assert lines('{"image": "a.jpg", "labels": {"cat": -1}}', **options).labels.state.tolist() == [[state]]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('"votes": {"ann": {"cat": 7}}', "line 1: expected 1, 0 or null as the vote of 'ann' on 'cat', got 7"),
        ('"votes": {"ann": [1]}', "line 1: expected an object for the votes of 'ann'"),
        ('"boxes": [{"label": "cat"}]', "line 1: expected 4 numbers for box .*, got null"),
        ('"boxes": [{"label": "cat", "box": [0, 0, 1]}]', r"line 1: expected 4 numbers for box .*, got \[0, 0, 1\]"),
        ('"boxes": [{"label": "cat", "box": [0, 0, 1, "x"]}]', "line 1: expected a number for box"),
        ('"reviewed": "false"', "line 1: expected true or false for reviewed, got 'false'"),
        ('"unknown": "dog"', "line 1: expected a list for unknown, got 'dog'"),
        ('"soft": ["dog"]', "line 1: expected an object for soft"),
        ('"soft": {"dog": true}', "line 1: expected a number for soft value of 'dog', got true"),
        ('"size": [1]', "line 1: expected 2 numbers for size"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(lines, keys, message):
    line = f'{{"image": "a.jpg", "labels": ["cat"], {keys}}}'
    with pytest.raises(ManylabelError, match=message):
        lines(line)
    left = lines(line, '{"image": "b.jpg", "labels": ["owl"]}', mistakes="leave")
    assert left.labels.state[0, left.labels.names.index("owl")] == 0
    assert left.mistakes
