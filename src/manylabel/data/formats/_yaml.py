"""The plain part of YAML that data.yaml files are written in, every value as text: no dependency, nothing executed.

    keys: values                 # nested by indentation
    list: [a, 'b, c', "d"]       lists and {objects} in one line or several
    list:                        and one entry a line
      - a
    text: |                      blocks of text, kept as text

Anchors, aliases, tags, merge keys, several documents and complex keys are refused, and so is a key said twice. Where
PyYAML is installed it reads the file, by the same rules.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from manylabel.data.formats._yaml_words import DEEP, QUOTED, Refused, flow_value, null, put, scalar
from manylabel.labels import ManylabelError

KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^ \t#&*!|>'"%@`\[\]{},](?:[^#]|(?<=\S)#)*?)[ \t]*:(?:[ \t]+|$)"""
)


def parse(text: str, where: str) -> Any:
    """The YAML in `text` as objects, lists and text; `where` begins the message of an error, which names the line.

    >>> parse("nc: 2  # classes\\nnames:\\n  0: cat\\n  1: 'hot: dog'\\ntrain: [a, b]", "data.yaml")
    {'nc': '2', 'names': {'0': 'cat', '1': 'hot: dog'}, 'train': ['a', 'b']}
    >>> parse("names: *all", "data.yaml")
    Traceback (most recent call last):
    manylabel.labels.ManylabelError: data.yaml, line 1: YAML with anchors, aliases or tags is not read; write it out
    """
    try:
        try:
            yaml = importlib.import_module("yaml")
        except ImportError:
            return parse_plain(text)
        return _with_yaml(yaml, text)
    except Refused as problem:
        line, what = problem.args
        raise ManylabelError(f"{where}, line {line}: {what}") from None
    except RecursionError:
        raise ManylabelError(f"{where}: YAML is nested too deeply to be a label file") from None


def _with_yaml(yaml: Any, text: str) -> Any:
    """What PyYAML understands, every scalar as its text; its nodes say what must be refused."""
    try:
        loader = yaml.BaseLoader(text)
        while loader.check_token():
            token = loader.get_token()
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken, yaml.DirectiveToken)):
                raise Refused(token.start_mark.line + 1, "YAML with anchors, aliases or tags is not read; write it out")
        return _value(yaml, yaml.compose(text, Loader=yaml.BaseLoader), 0)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "not understood"
        raise Refused(mark.line + 1 if mark else 1, f"not valid YAML: {said}") from None


def _value(yaml: Any, node: Any, depth: int) -> Any:
    if node is None:
        return ""
    if depth > DEEP:
        raise Refused(node.start_mark.line + 1, "YAML is nested too deeply to be a label file")
    if isinstance(node, yaml.ScalarNode):
        return null(node.value) if node.style is None else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_value(yaml, one, depth + 1) for one in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        put(found, key.value, _value(yaml, value, depth + 1), key.start_mark.line + 1)
    return found


def parse_plain(text: str) -> Any:
    """The same without PyYAML. Raises Refused.

    >>> parse_plain("a: [x, 'y']")
    {'a': ['x', 'y']}
    """
    reader = _Lines(text)
    found = reader.block(-1, 0)
    if reader.peek() is not None:
        raise Refused(reader.number, "expected the indentation of the lines above")
    return found


class _Lines:
    """The lines that are left, blank ones and comments skipped."""

    def __init__(self, text: str) -> None:
        if bad := re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text):
            raise Refused(text.count("\n", 0, bad.start()) + 1, "not valid YAML: special characters are not allowed")
        self.lines, self.at = text.removeprefix("\ufeff").splitlines(), 0
        started = next((k for k, line in enumerate(self.lines) if line.strip() and not line.startswith("#")), -1)
        if started >= 0 and re.fullmatch(r"---\s*(#.*)?", self.lines[started]):
            self.at = started + 1

    @property
    def number(self) -> int:
        return self.at + 1

    def peek(self) -> tuple[int, str] | None:
        """(indentation, rest) of the next line that says something."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            body = line.lstrip(" ")
            if line.rstrip() in ("---", "...") or line.startswith("%"):
                raise Refused(self.number, "several YAML documents in one file are not read; leave one")
            if body.startswith("\t") and body.strip(" \t"):
                raise Refused(self.number, "YAML is indented with blanks, this line with a tab")
            if body.strip(" \t") and not body.startswith("#"):
                return len(line) - len(body), body.rstrip(" \t")
            self.at += 1
        return None

    def block(self, outer: int, depth: int) -> Any:
        """The list, object or value that is indented deeper than `outer`."""
        if depth > DEEP:
            raise Refused(self.number, "YAML is nested too deeply to be a label file")
        following = self.peek()
        if following is None or following[0] <= outer:
            return ""
        indent, body = following
        if body == "-" or body.startswith("- "):
            return self._list(indent, depth)
        return self._object(indent, depth) if KEY.match(body) else self.value(body, outer, depth)

    def _list(self, indent: int, depth: int) -> list[Any]:
        found = []
        while (line := self.peek()) is not None and line[0] == indent and (line[1] == "-" or line[1][:2] == "- "):
            rest = line[1][1:].lstrip(" ")
            if not rest or rest.startswith("#"):
                self.at += 1
                found.append(self.block(indent, depth + 1))
            elif rest == "-" or rest.startswith("- ") or KEY.match(rest):  # "- name: cat": an object on that line
                inner = indent + len(line[1]) - len(rest)
                self.lines[self.at] = " " * inner + rest
                found.append(self.block(indent, depth + 1))
            else:
                found.append(self.value(rest, indent, depth))
        self._end(indent)
        return found

    def _object(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (line := self.peek()) is not None and line[0] == indent:
            number, match = self.number, KEY.match(line[1])
            if match is None:
                raise Refused(number, f"expected `key: value`, got {line[1][:40]!r}")
            key, rest = scalar(match[1], number), line[1][match.end() :]
            if not rest or rest.startswith("#"):
                self.at += 1
                below = self.peek()  # a list may stand as far left as its key
                same = below is not None and below[0] == indent and (below[1] == "-" or below[1][:2] == "- ")
                value = self._list(indent, depth + 1) if same else self.block(indent, depth + 1)
            else:
                value = self.value(rest, indent, depth)
            put(found, key, value, number)
        self._end(indent)
        return found

    def _end(self, indent: int) -> None:
        line = self.peek()
        if line is not None and line[0] > indent:
            raise Refused(self.number, "expected the indentation of the lines above")

    def value(self, rest: str, indent: int, depth: int) -> Any:
        """A value that begins with `rest`, on this line and further ones that belong to it."""
        number = self.number
        if rest[0] in "|>":
            return self._text(rest, indent)
        if rest[0] in "[{\"'":
            return self._flow(rest, indent, depth)
        self.at += 1
        parts = [_uncommented(rest)]
        while parts[-1] == _stripped(rest) and (line := self.peek()) is not None and line[0] > indent:
            if KEY.match(line[1]):
                raise Refused(self.number, "not valid YAML: mapping values are not allowed here")
            rest = line[1]  # plain text may go on, deeper
            parts.append(_uncommented(rest))
            self.at += 1
        return scalar(" ".join(parts), number)

    def _text(self, rest: str, indent: int) -> str:
        """A block of text: its lines as they stand, or joined."""
        head = re.fullmatch(r"([|>])([+-]?)\s*(#.*)?", rest)
        if head is None:
            raise Refused(self.number, f"this block of text is not read: {rest!r}; expected | or >")
        self.at += 1
        own: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            own.append(line)
            self.at += 1
        deep = min((len(line) - len(line.lstrip(" ")) for line in own if line.strip()), default=0)
        text = ("\n" if head[1] == "|" else " ").join(line[deep:] for line in own).rstrip()
        return text + ("" if head[2] == "-" or not text else "\n")

    def _flow(self, rest: str, indent: int, depth: int) -> Any:
        """[a, b], {a: b} or "text", which may go on over further lines."""
        number, text = self.number, rest
        self.at += 1
        while True:
            try:
                value, end = flow_value(text, 0, depth, number)
                break
            except IndexError:  # it does not end here
                if self.at >= len(self.lines):
                    raise Refused(number, "a bracket or quotation mark is not closed") from None
                text += " " + _without_comment(self.lines[self.at].strip(), text)
                self.at += 1
        if (left := text[end:].strip()) and not left.startswith("#"):
            raise Refused(number, f"expected nothing more on this line, got {left[:40]!r}")
        return value


def _stripped(text: str) -> str:
    return text.strip(" \t")


def _uncommented(text: str) -> str:
    return re.split(r"(?:^|[ \t])#", text, maxsplit=1)[0].strip(" \t")


def _without_comment(line: str, before: str) -> str:
    """A further line of a list without its comment; quotation marks that are open hold no comments."""
    rest = QUOTED.sub("", before)
    return line if '"' in rest or re.search(r"(?:^|[\[{,:\s])'", rest) else _cut(line)


def _cut(line: str) -> str:
    bare = QUOTED.sub(lambda found: "x" * len(found[0]), line)
    match = re.search(r"(?:^|\s)#", bare)
    return line[: match.start()] if match else line
