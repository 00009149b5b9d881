"""The examples of docs/serve.md, asked of a server."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
import server

from manylabel.cli.serving import serve
from manylabel.web import schema

PAGE = (Path(__file__).resolve().parents[2] / "docs/serve.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n(?:\n```json\n(.*?)```)?", PAGE, flags=re.S)
FILES = {"photo.png": server.picture("red"), "notes.txt": b"some text"}


def ask(client, command):
    """The answer to a curl command."""
    words = shlex.split(command)
    url = next(word for word in words if word.startswith("http://127.0.0.1:8000/"))
    options = [(flag, value) for flag, value in itertools.pairwise(words) if flag in ("-F", "-H", "-d")]
    headers = dict(value.split(": ", 1) for flag, value in options if flag == "-H")
    data = next((value for flag, value in options if flag == "-d"), None)
    files = [(value.partition("=@")[0], value.partition("=@")[2]) for flag, value in options if flag == "-F"]
    parts = [(field, (name, FILES[name])) for field, name in files]
    method = "POST" if data or parts else "GET"
    return client.request(method, url.removeprefix("http://127.0.0.1:8000"), headers=headers, content=data,
                          files=parts or None)  # fmt: skip


def same_shape(told, answer):
    """Names and kinds of values; numbers and long texts may differ."""
    if isinstance(told, dict):
        assert set(told) == set(answer)
        for key in told:
            same_shape(told[key], answer[key])
    elif isinstance(told, list):
        assert len(told) <= len(answer)
        for one, other in zip(told, answer):
            same_shape(one, other)
    elif isinstance(told, str) and not told.endswith("..."):
        assert told == answer
    elif isinstance(told, float):
        assert told == pytest.approx(answer, abs=1e-5)
    else:
        assert type(told) is type(answer)


@pytest.mark.parametrize(("command", "told"), EXAMPLES, ids=[command.split("\n")[0][-50:] for command, _ in EXAMPLES])
def test_the_examples_of_the_page_are_true(colours, command, told):
    answer = ask(colours.client, command)
    if told:
        same_shape(json.loads(told), answer.json())
    assert answer.status_code == (403 if "urls" in command else 200)


def test_the_page_tells_all_there_is(colours):
    assert len(EXAMPLES) >= 7
    assert set(re.findall(r"(?:POST|GET|, )(?: )?(/\w+)", PAGE)) >= set(
        colours.client.get("/openapi.json").json()["paths"]
    )
    assert all(f"| {status} |" in PAGE for status in schema.MEANING)
    source = "".join(file.read_text(encoding="utf-8") for file in Path(schema.__file__).parent.glob("*.py"))
    kinds = set(re.findall(r'Refusal\(\s*\d+, "(\w+)"', source))
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == set()
    assert serve.__doc__
    assert "docs/serve.md" in serve.__doc__
