"""What the samples of a WebDataset say, gathered until it is known what numbers mean."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import tidy
from manylabel.data.source import parse_json
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

LABELS = ("labels", "tags", "classes", "categories", "label", "tag", "class", "cls", "category")
OWN = ("image", "file_name", "split", "absent", "unknown")
BITS = (0, 1, -1, None)


def names_from(text: str, where: str) -> list[str]:
    """Class names, one a line, or a JSON list; an error names the line of one that is empty or there twice."""
    if text.lstrip().startswith("["):
        names = parse_json(text, where)
        if not all(isinstance(name, str) for name in names):
            raise ManylabelError(f"{where}: expected a list of class names, got {text[:40]!r}")
    else:
        names = text.removeprefix("\ufeff").splitlines()
        while names and not names[-1].strip():
            names.pop()
    names = [tidy(name) for name in names]
    seen: set[str] = set()
    for line, name in enumerate(names, 1):
        if not name or name in seen:
            raise ManylabelError(f"{where}, line {line}: expected the name of another class, got {name!r}")
        seen.add(name)
    return names


class Labels:
    """The labels of all samples. Names are marked at once; lists of numbers wait until all have been seen.

    Arguments:
        found: where images and labels go.
        names: what numbers mean, or None where it is not known.
    """

    def __init__(self, found: Collector, names: list[str] | None) -> None:
        self.found, self.names, self.without_photo = found, names, 0
        self.unread: Counter[str] = Counter()  # members by ending, beside another one with labels
        self.captions = 0
        self._lists: list[tuple[int, str, list[Any]]] = []  # of json, which may be class numbers or 0 and 1
        self._numbers: list[tuple[int, str, list[Any]]] = []  # which are class numbers
        self._seen: set[str] = set()
        self._unlabelled = 0
        if names:
            found.classes(*names)

    def named(self, names: list[str], where: str) -> None:
        """Say what numbers mean; every archive says the same."""
        if self.names is not None and self.names != names:
            raise ManylabelError(f"{where}: other classes than said before; every archive must list the same")
        self.names = names
        self.found.classes(*names)

    def own_name(self, said: Any, otherwise: str) -> str:
        """The name that a sample gives its image, unless another sample has it."""
        name = said.strip() if isinstance(said, str) and said.strip() and said not in self._seen else otherwise
        self._seen.add(name)
        return name

    def of_json(self, said: Any, where: str) -> dict[str, Any]:
        """What a .json says, by our words; an error where it is of another kind."""
        if isinstance(said, (list, str, int)):
            return {"labels": said}
        if not isinstance(said, dict):
            raise ManylabelError(f"{where}: expected an object, a list or a name, got {json.dumps(said)[:40]}")
        word = next((word for word in LABELS if word in said), None)
        found = {key: said[key] for key in ("split", "absent", "unknown") if key in said}
        image = next((said[key] for key in ("image", "file_name") if key in said), None)
        if word is not None:
            found["labels"] = said[word]
        rest = {key: value for key, value in said.items() if key not in (word, *OWN)}
        plain = {
            k: v if isinstance(v, str) else json.dumps(v) for k, v in rest.items() if isinstance(v, (str, int, float))
        }
        if lost := sorted(key for key in rest if key not in plain and rest[key] is not None):
            self.found.note(f"Keys that hold neither text nor a number are left out: {', '.join(lost[:8])}.")
        return {**found, "image": image, "columns": plain}

    def add(self, row: int, where: str, said: dict[str, Any]) -> None:
        """Mark what a sample says; without any label nobody has judged it."""
        try:
            self._add(row, where, said)
        except ManylabelError as problem:
            self.found.mistake("labels left out", where, str(problem).removeprefix(f"{where}: "))
            self.found.unsure(row)

    def _add(self, row: int, where: str, said: dict[str, Any]) -> None:
        labels = said.get("labels")
        if labels is None:
            self._unlabelled += 1
            self.found.reviewed(row, False)
        if isinstance(labels, dict):
            states = [(name, self._state(value)) for name, value in labels.items()]
        else:
            listed = list(labels) if isinstance(labels, (list, tuple)) else [] if labels is None else [labels]
            if listed and all(one is None or type(one) in (int, float, bool) for one in listed):
                (self._lists if isinstance(labels, list) else self._numbers).append((row, where, listed))
                listed = []
            states = [(_name(name), PRESENT) for name in listed]
        for key, state in (("absent", ABSENT), ("unknown", UNKNOWN)):
            if not isinstance(said.get(key) or [], list):
                raise ManylabelError(f"expected {key} as a list of names, got {json.dumps(said[key])[:40]}")
            states += [(_name(name), state) for name in said.get(key) or []]
        for name, state in states:
            self.found.mark(row, _name(name), state)

    def _state(self, value: Any) -> int:
        if isinstance(value, (int, float)) and value == -1:
            words = {"unknown": UNKNOWN, "absent": ABSENT, "present": PRESENT}
            return words[self.found.reading.state_of_minus_one]
        if isinstance(value, (int, float, type(None))) and value in (0, 1, None):
            return UNKNOWN if value is None else PRESENT if value else ABSENT
        raise ManylabelError(f"expected 1, 0, null or -1 for a label, got {json.dumps(value)[:40]}")

    def settle(self) -> None:
        """Mark the lists of numbers, and say what was understood."""
        if self._lists and self._are_bits():
            self._bits()
        else:
            self._numbers += self._lists
        if self._numbers:
            self._indices()
        if self._unlabelled:
            self.found.note(f"{self._unlabelled:,} samples have no labels: nobody judged them, all theirs are unknown.")
        if self.unread:
            said = ", ".join(f".{ending} ({times:,})" for ending, times in self.unread.items())
            self.found.note(f"Not read, since another member of the sample has labels: {said}.")
        if self.captions:
            self.found.note(f"{self.captions:,} .txt repeat a text of their .json: they are captions, no labels.")
        if self.without_photo:
            self.found.note(f"{self.without_photo:,} samples have no photograph.")

    def _are_bits(self) -> bool:
        """Whether every list holds a 0 or 1 for each class; class numbers would not stand in one list twice."""
        lengths = {len(listed) for _, _, listed in self._lists}
        plain = all(one in BITS for _, _, listed in self._lists for one in listed)
        if not plain or len(lengths) > 1 or (self.names is not None and lengths != {len(self.names)}):
            return False
        if all(type(one) is bool or one is None for _, _, listed in self._lists for one in listed):
            return True
        twice = any(len(set(listed)) < len(listed) or None in listed or -1 in listed for _, _, listed in self._lists)
        if not twice and (lengths == {2} or (self.names is not None and len(self.names) <= 2)):
            raise ManylabelError(
                f"{self._lists[0][1]}: {self._lists[0][2]} may be class numbers, or a value for each of"
                f" {len(self._lists[0][2])} classes; write names"
            )
        return twice

    def _bits(self) -> None:
        length = len(self._lists[0][2])
        names = self.names or [str(k) for k in range(length)]
        self.found.note(f"Each list holds 0 or 1 for each of {length:,} classes.")
        for row, _, listed in self._lists:
            for name, value in zip(names, listed):
                self.found.mark(row, name, self._state(value))

    def _indices(self) -> None:
        if self.names is None:
            self.found.note("Classes are numbers without names: no classes.txt is beside the archive or in it.")
            there = sorted({one for _, _, listed in self._numbers for one in listed if _is_index(one)})
            self.found.classes(*map(str, there))
        for row, where, listed in self._numbers:
            for one in listed:
                name = _named(one, self.names)
                if name:
                    self.found.mark(row, name, PRESENT)
                else:
                    limit = f"0 to {len(self.names) - 1}" if self.names else "from 0 up"
                    self.found.mistake("labels left out", where, f"expected a class number, {limit}, got {one}")
                    self.found.unsure(row)


def _is_index(one: Any) -> bool:
    return type(one) is int and 0 <= one < 1 << 63


def _named(one: Any, names: Sequence[str] | None) -> str:
    """The name of a class number; "" where there is none."""
    if not _is_index(one):
        return ""
    return str(one) if names is None else names[one] if one < len(names) else ""


def _name(one: Any) -> str:
    if not isinstance(one, str) or not one.strip():
        raise ManylabelError(f"expected the name of a class, got {json.dumps(one)[:40]}")
    return one
