"""Published lists and arrays of labels: which files belong together, and what a line of them says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manylabel.data.dataset import IMAGE_ENDINGS, tidy
from manylabel.data.formats._entries import Damaged, part_of, shown
from manylabel.data.source import HEAD, Source
from manylabel.labels import ManylabelError

NAMES = ("labels", "classes", "names", "classnames", "class_names", "categories", "category")
NO_PART = ("all", "trainval")
NUMBER = re.compile(r"-?\d{1,9}")
LINE = re.compile(rf"^\S.*?({'|'.join(map(re.escape, IMAGE_ENDINGS))})((?:\s+-?\d+)*)\s*$".encode(), re.IGNORECASE)
NAMED = re.compile(rb"^\S.*\s\d+\s*$")
FIRST = 50  # lines by which a file is recognised


@dataclass(frozen=True)
class List:
    """A list: the set that it is of, such as coco_lt, and its part."""

    path: Path
    set: str
    part: str


def _first_lines(path: Path) -> list[bytes]:
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    lines = head.removeprefix(b"\xef\xbb\xbf").splitlines()
    return [line for line in (lines[:-1] if len(head) == HEAD else lines)[:FIRST] if line.strip()]


def looks_list(path: Path, *, named: bool = False) -> bool:
    """Whether most of the first lines are an image and numbers, some with a number; `named` where names say as much."""
    lines = _first_lines(path)
    if not lines or any(mark in lines[0] for mark in b",;\t"):
        return False  # a table
    found = [match for line in lines if (match := LINE.match(line))]
    return 2 * len(found) > len(lines) and (named or any(match.group(2) for match in found))


def is_names(path: Path) -> bool:
    """Whether a file is named like a list of classes, which have their numbers behind them."""
    fits = path.stem.lower().endswith(NAMES)
    lines = _first_lines(path) if fits else []
    return bool(lines) and sum(bool(NAMED.match(line)) for line in lines) * 2 > len(lines) and not looks_list(path)


def lists_in(folder: Path) -> list[List]:
    """The lists of a folder, in the order train, val, test, others."""
    texts = [path for path in sorted(folder.glob("*.txt")) if path.is_file()]
    named = any(is_names(path) for path in texts)
    found = [_list(path) for path in texts if looks_list(path, named=named)]
    return sorted(found, key=lambda one: ("train", "val", "test", "").index(one.part))


def list_of(path: Path) -> tuple[List, list[List]]:
    """(a list, all lists of its set beside it)."""
    own = _list(path)
    rest = [one for one in lists_in(path.parent) if one.set == own.set and one.path != path]
    return own, sorted([own, *rest], key=lambda one: ("train", "val", "test", "").index(one.part))


def _list(path: Path) -> List:
    """
    >>> _list(Path("coco_lt_train.txt")).set, _list(Path("coco_lt_train.txt")).part, _list(Path("test.txt")).set
    ('coco_lt', 'train', '')
    """
    words = re.split(r"[_\-.]", path.stem)
    at = next((k for k in reversed(range(len(words))) if part_of(words[k]) or words[k].lower() in NO_PART), None)
    if at is None:
        return List(path, path.stem, "")
    return List(path, "_".join(words[:at] + words[at + 1 :]), part_of(words[at]))


def names_beside(folder: Path, set: str) -> Path | None:
    """The file of the class names of a set: coco_lt_labels.txt, else coco_labels.txt, else labels.txt."""
    words = set.split("_") if set else []
    for k in range(len(words), -1, -1):
        for word in NAMES:
            path = folder / f"{'_'.join([*words[:k], word])}.txt"
            if path.is_file() and not looks_list(path):
                return path
    return None


def read_names(path: Path) -> list[str]:
    """The classes in the order of their numbers: `name number` a line, `number name`, or names alone.

    Raises ManylabelError, with the line, where some lines have a number and some do not, or two have the same.
    """
    lines = [(k, tidy(text)) for k, text in enumerate(Source(path).text.removeprefix("\ufeff").split("\n"), 1)]
    lines = [(k, text) for k, text in lines if text]
    for pattern, name, number in ((r"(.+) (\d{1,9})", 1, 2), (r"(\d{1,9}) (.+)", 2, 1)):
        found = [re.fullmatch(pattern, text) for _, text in lines]
        if 2 * sum(match is not None for match in found) > len(lines):
            pairs = [(k, match and (int(match[number]), match[name])) for (k, _), match in zip(lines, found)]
            return _by_number(path, pairs)
    return _unique(path, lines)


def _by_number(path: Path, pairs: list[tuple[int, tuple[int, str] | None]]) -> list[str]:
    names: dict[int, tuple[int, str]] = {}
    for line, pair in pairs:
        if pair is None or not 0 <= pair[0] < len(pairs) or pair[0] in names:
            got = "a line without a number" if pair is None else f"{pair[0]} for {pair[1]!r}"
            raise ManylabelError(
                f"{path}, line {line}: expected a class and its number, each of 0 to {len(pairs) - 1} once; got {got}"
            )
        names[pair[0]] = line, pair[1]
    return _unique(path, [names[k] for k in range(len(names))])


def _unique(path: Path, lines: list[tuple[int, str]]) -> list[str]:
    seen: dict[str, int] = {}
    for line, name in lines:
        if seen.setdefault(name, line) != line:
            raise ManylabelError(f"{path}, line {line}: {name!r} is the class of line {seen[name]} too")
    if not seen:
        raise ManylabelError(f"{path}: expected the name of a class on each line, got nothing")
    return list(seen)


def parsed(text: str) -> tuple[str, list[int]]:
    """(image, the numbers of its classes) of a line; an image's name may hold blanks if it has an image's ending.

    >>> parsed("val2017/my cat 1.jpg 0 39 41")
    ('val2017/my cat 1.jpg', [0, 39, 41])
    """
    words = text.split(" ")
    last = next((k for k, one in enumerate(words) if one.lower().endswith(IMAGE_ENDINGS)), 0)
    rest = [one for one in words[last + 1 :] if one]
    bad = next((one for one in rest if not NUMBER.fullmatch(one)), None)
    if bad is not None:
        raise Damaged(f"expected an image and the numbers of its classes, got {shown(bad)} behind {words[last]!r}")
    return " ".join(words[: last + 1]), [int(one) for one in rest]


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text without the blanks around it) of the lines that are not blank; a tab is a blank."""
    for number, text in enumerate(Source(path).text.removeprefix("\ufeff").split("\n"), 1):
        if text.strip():
            yield number, text.replace("\t", " ").strip()
