"""JSON Lines: one object an image. The format that has a place for everything; `convert --to jsonl` loses nothing.

    {"manylabel": 1, "classes": ["cat", "dog"], "unlisted": "absent", "parents": [["cat", "animal"]]}   (may lack)
    {"image": "a.jpg", "labels": ["cat"], "unknown": ["dog"], "split": "train", "site": "B"}
    {"image": "b.jpg", "labels": {"cat": 0, "dog": null}, "soft": {"dog": 0.5}, "reviewed": true, "size": [640, 480],
     "votes": {"ann": {"dog": 1}}, "boxes": [{"label": "dog", "box": [0.1, 0.2, 0.5, 0.5], "marks": ["crowd"]}]}

Labels are a list (present; also "absent" and "unknown"), or an object of 1, 0 and null; of a line without labels, or
with null, nobody judged the image. Boxes are x, y, width and height as shares of the image. Keys with a text, a number
or a truth value that mean nothing else are further columns.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import Damaged, keyed, listed, number, shown
from manylabel.data.reading import SOFT, UNCERTAIN, Reading
from manylabel.data.source import Source, parse_json
from manylabel.delimited import IMAGE, encoding_of
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

KIND, ENDING = "jsonl", ".jsonl"
LISTS = {"labels": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}
LABELS = ("labels", "tags", "classes", "categories", "label", "tag")
OWN = ("absent", "unknown", "candidates", "soft", "votes", "boxes", "reviewed", "size", "split")
STATES = {1: PRESENT, 0: ABSENT, None: UNKNOWN}  # true is 1 and false is 0
MINUS_ONE = {"absent": ABSENT, "present": PRESENT}
WORDS = {PRESENT: 1, ABSENT: 0, UNKNOWN: None}
DEFAULTS = {"absent": ABSENT, "unknown": UNKNOWN}


def clue(source: Source) -> str | None:
    """By its ending, or text whose first line is an object of its own."""
    if source.ending in (".jsonl", ".ndjson"):
        return f"its name ends in {source.ending}"
    lines = source.head.removeprefix(b"\xef\xbb\xbf").splitlines()
    if source.ending == ".parquet" or len(lines) < 2 or not lines[0].startswith(b"{"):
        return None
    try:
        return "every line is an object" if isinstance(json.loads(lines[0]), dict) else None
    except ValueError:
        return None


def load(source: Source, reading: Reading) -> Dataset:
    """Every line is an image; the first may say which classes there are."""
    reader = _Reader(Collector(source.path, KIND, reading, unit="line"))
    for line, entry in _entries(source, reader.found):
        if "manylabel" in entry:
            reader.default = _header(reader.found, entry, line)
        else:
            reader.row(entry, line)
    return reader.dataset()


def _entries(source: Source, found: Collector) -> Iterator[tuple[int, dict[str, Any]]]:
    with source.path.open(encoding=encoding_of(source.path)) as stream:
        for line, text in enumerate(stream, 1):
            if not text.strip():
                continue
            try:
                entry = parse_json(text.removeprefix("\ufeff"), found.at(line))
                if not isinstance(entry, dict):
                    raise ManylabelError(f"{found.at(line)}: expected an object of one image, got {text.strip()[:40]}")
            except ManylabelError as problem:
                found.mistake("lines left out", found.at(line), str(problem).removeprefix(f"{found.at(line)}"))
                continue
            yield line, entry


def _header(found: Collector, entry: dict[str, Any], line: int) -> int:
    """What holds for all lines; the state of classes that a line does not list."""
    try:
        found.classes(*entry.get("classes", []))
        found.parents += [(child, parent) for child, parent in entry.get("parents", [])]
        found.aliases |= dict(entry.get("aliases", {}))
        found.provenance += list(entry.get("provenance", []))
        return DEFAULTS[entry.get("unlisted", "absent")]
    except (TypeError, ValueError, AttributeError, KeyError) as problem:
        raise ManylabelError(
            f"{found.at(line)}: expected classes and provenance as lists of text, parents as pairs, aliases as an"
            f" object, and unlisted as absent or unknown ({type(problem).__name__}: {problem})"
        ) from None


class _Reader:
    """Lines on their way into a `Collector`: which keys hold the image and the labels shows as they come."""

    def __init__(self, found: Collector) -> None:
        self.found, self.default = found, found.reading.default
        self.image, self.labels = "", ""
        self.bare, self.lost = 0, Counter[str]()

    def row(self, entry: dict[str, Any], line: int) -> None:
        """One image; where its line cannot be read whole, what it does not say is unknown."""
        self.keys(entry, line)
        row, found = None, self.found
        try:
            columns = self.columns(entry)
            part = _text(entry.get("split") or "")
            row = found.image(_text(entry.get(self.image)), line=line, part=part, columns=columns)
            self.judged(row, entry)
            _labels(found, row, entry.get(self.labels))
            for key in ("absent", "unknown"):
                for name in listed(entry.get(key), key):
                    found.mark(row, _text(name), LISTS[key])
            _beside(found, row, entry)
        except (TypeError, ValueError, AttributeError) as problem:
            if isinstance(problem, ManylabelError) and not found.reading.leave:
                raise
            said = str(problem).removeprefix(f"{found.at(line)}: ")
            found.mistake("lines left out, or read in part with all else unknown", found.at(line), said)
            if row is not None:
                found.unsure(row)

    def keys(self, entry: dict[str, Any], line: int) -> None:
        """Find the keys of the image, in the first line, and of its labels, in the first line that has any."""
        plain = {key.lower(): key for key in reversed(entry)}
        if not self.image:
            self.image = next((plain[word] for word in IMAGE if word in plain), "")
        if not self.image:
            near = did_you_mean(next(iter(entry), ""), ["image"])
            raise ManylabelError(
                f"{self.found.at(line)}: no key holds the image: expected image, path, file or filename; got"
                f" {', '.join(list(entry)[:12])}.{near}"
            )
        if not self.labels:
            self.labels = next((plain[word] for word in LABELS if word in plain), "")

    def columns(self, entry: dict[str, Any]) -> dict[str, str]:
        """Further texts, numbers and truth values; keys that hold anything else are counted."""
        found = {}
        for key, value in entry.items():
            if key in (self.image, self.labels, *OWN) or value is None:
                continue
            if isinstance(value, (str, int, float)):
                found[key] = value if isinstance(value, str) else json.dumps(value)
            else:
                self.lost[key] += 1
        return found

    def judged(self, row: int, entry: dict[str, Any]) -> None:
        """Without a list of labels, what a line does not say is not known, unless somebody reviewed the image."""
        if entry.get(self.labels) is None and entry.get("reviewed") is not True:
            self.found.unsure(row)
            self.bare += 1

    def dataset(self) -> Dataset:
        """All lines, with notes on what was understood and what is not kept."""
        if self.bare:
            self.found.note(f"{self.bare:,} lines hold no list of labels: what they do not say is unknown.")
        if self.lost:
            said = [f"{key} ({times:,})" for key, times in self.lost.most_common(12)]
            self.found.note(f"Keys that hold neither text nor a number are left out: {', '.join(said)}.")
        return self.found.dataset(default=self.default)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {json.dumps(value)[:40]}")
    return value


def _labels(found: Collector, row: int, labels: Any) -> None:
    if isinstance(labels, dict):
        for name, value in labels.items():
            if isinstance(value, (list, dict)) or value not in STATES:
                _uncertain(found, row, name, value)
            else:
                found.mark(row, name, STATES[value])
    elif isinstance(labels, (list, str)) or labels is None:
        for name in [labels] if isinstance(labels, str) else labels or []:
            found.mark(row, _text(name), PRESENT)
    else:
        raise TypeError(f"expected labels as a list or an object of 1, 0 and null, got {json.dumps(labels)[:40]}")


def _uncertain(found: Collector, row: int, name: str, value: Any) -> None:
    """-1 is what the user says; it and the word are labels somebody was not sure of; anything else is no label."""
    if value not in (-1, "uncertain"):
        raise ValueError(f"expected 1, 0, null or -1 (uncertain) for {name!r}, got {json.dumps(value)[:40]}")
    reading = found.reading
    if value == -1 and reading.minus_one in ("absent", "present"):
        found.mark(row, name, MINUS_ONE[reading.minus_one])
        return
    found.mark(row, name, UNCERTAIN[reading.uncertain])
    if reading.uncertain == "soft":
        found.soft(row, name, SOFT)


def _beside(found: Collector, row: int, entry: dict[str, Any]) -> None:
    for name in listed(entry.get("candidates"), "candidates"):
        found.candidate(row, _text(name))
    for name, value in keyed(entry.get("soft") or {}, "soft").items():
        found.soft(row, name, number(value, f"soft value of {name!r}"))
    for annotator, votes in keyed(entry.get("votes") or {}, "votes").items():
        for name, value in keyed(votes, f"the votes of {annotator!r}").items():
            if isinstance(value, (list, dict)) or value not in STATES:
                raise Damaged(f"expected 1, 0 or null as the vote of {annotator!r} on {name!r}, got {shown(value)}")
            found.vote(row, name, annotator, STATES[value])
    for box in listed(entry.get("boxes"), "boxes"):
        marks = [_text(mark) for mark in listed(keyed(box, "a box").get("marks"), "marks")]
        shares = _numbers(box.get("box"), 4, "box (x, y, width and height as shares of the image)")
        found.box(row, _text(box.get("label")), shares, marks)
    if (seen := entry.get("reviewed")) is not None:
        if seen not in (True, False):
            raise Damaged(f"expected true or false for reviewed, got {shown(seen)}")
        found.reviewed(row, bool(seen))
    if entry.get("size") is not None:
        width, height = _numbers(entry["size"], 2, "size (width and height in pixels)")
        found.size(row, int(width), int(height))


def _numbers(values: Any, count: int, what: str) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise Damaged(f"expected {count} numbers for {what}, got {shown(values)}")
    return [number(value, what) for value in values]


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """A first line with the classes, then a line an image; absent cells are those not listed."""
    beside, names = dataset.beside, dataset.labels.names
    head = {
        "manylabel": 1, "classes": list(names), "unlisted": "absent", "parents": list(beside.parents),
        "aliases": dict(beside.aliases), "provenance": list(beside.provenance),
    }  # fmt: skip
    cells = _by_row(dataset)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(json.dumps({key: value for key, value in head.items() if value or key == "manylabel"}) + "\n")
        for row in range(len(dataset)):
            stream.write(json.dumps(_entry(dataset, row, cells[row]), ensure_ascii=False) + "\n")
    return dataset.labels.ids


def _entry(dataset: Dataset, row: int, cells: dict[str, Any]) -> dict[str, Any]:
    names, beside = np.array(dataset.labels.names, object), dataset.beside
    state = dataset.labels.rows([row]).state[0]
    entry: dict[str, Any] = {"image": dataset.labels.ids[row], "labels": names[state == PRESENT].tolist()}
    if (state == UNKNOWN).any():
        entry["unknown"] = names[state == UNKNOWN].tolist()
    if beside.reviewed is not None and not beside.reviewed[row]:
        entry["absent"] = names[state == ABSENT].tolist()  # what is not listed of such an image is unknown
    if dataset.split[row]:
        entry["split"] = str(dataset.split[row])
    entry |= {name: str(cells[row]) for name, cells in dataset.columns.items()}
    if beside.reviewed is not None:
        entry["reviewed"] = bool(beside.reviewed[row])
    if beside.sizes is not None:
        entry["size"] = beside.sizes[row].tolist()
    return entry | cells


def _by_row(dataset: Dataset) -> dict[int, dict[str, Any]]:
    """What lies beside the cells of each row, as the keys of its line."""
    names, beside = dataset.labels.names, dataset.beside
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for kind, cells in beside.cells.items():
        words = cells.words or ("",) * len(cells)
        for row, c, value, word in zip(cells.rows.tolist(), cells.columns.tolist(), cells.values.tolist(), words):
            entry, name = found[row], names[c]
            if kind == "candidates":
                entry.setdefault(kind, []).append(name)
            elif kind == "soft":
                entry.setdefault(kind, {})[name] = value
            elif kind == "votes":
                own = entry.setdefault(kind, {}).setdefault(beside.annotators[value[0]], {})
                own[name] = WORDS[value[1]]
            else:
                marks = {"marks": word.split("|")} if word else {}
                entry.setdefault(kind, []).append({"label": name, "box": value, **marks})
    return found
