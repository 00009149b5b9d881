"""JSON Lines: one object an image. The format that has a place for everything; `convert --to jsonl` loses nothing.

    {"manylabel": 1, "classes": ["cat", "dog"], "unlisted": "absent", "parents": [["cat", "animal"]]}   (may lack)
    {"image": "a.jpg", "labels": ["cat"], "unknown": ["dog"], "split": "train", "site": "B"}
    {"image": "b.jpg", "labels": {"cat": 0, "dog": null}, "soft": {"dog": 0.5}, "reviewed": true, "size": [640, 480],
     "votes": {"ann": {"dog": 1}}, "boxes": [{"label": "dog", "box": [0.1, 0.2, 0.5, 0.5], "marks": ["crowd"]}]}

Labels are a list (present; also "absent" and "unknown"), or an object of 1, 0 and null. Boxes are x, y, width and
height as shares of the image. Keys with a text, a number or a truth value that mean nothing else are further columns.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset
from manylabel.data.reading import SOFT, UNCERTAIN, Reading
from manylabel.data.source import Source, parse_json
from manylabel.delimited import IMAGE, encoding_of
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

KIND, ENDING = "jsonl", ".jsonl"
LISTS = {"labels": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}
LABELS = ("labels", "tags", "classes", "categories", "label", "tag")
OWN = ("absent", "unknown", "candidates", "soft", "votes", "boxes", "reviewed", "size", "split")
STATES = {1: PRESENT, 0: ABSENT, None: UNKNOWN}  # true is 1 and false is 0
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
    found = Collector(source.path, KIND, reading, unit="line")
    default, keys = reading.default, None
    for line, entry in _entries(source, found):
        if "manylabel" in entry:
            default = _header(found, entry, line)
            continue
        keys = keys or _keys(found, entry, line)
        _row(found, entry, line, keys)
    return found.dataset(default=default)


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


def _keys(found: Collector, entry: dict[str, Any], line: int) -> tuple[str, str]:
    """The keys of the image and of its labels, from the first line."""
    plain = {key.lower(): key for key in entry}
    image = next((plain[word] for word in IMAGE if word in plain), None)
    labels = next((plain[word] for word in LABELS if word in plain), "labels")
    if image is None:
        raise ManylabelError(
            f"{found.at(line)}: no key holds the image: expected image, path, file or filename; got"
            f" {', '.join(list(entry)[:12])}.{did_you_mean(next(iter(entry), ''), ['image'])}"
        )
    return image, labels


def _row(found: Collector, entry: dict[str, Any], line: int, keys: tuple[str, str]) -> None:
    image, labels = keys
    row = None
    try:
        extra = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in entry.items()
            if key not in (*keys, *OWN) and isinstance(value, (str, int, float)) and value is not None
        }
        row = found.image(_text(entry.get(image)), line=line, part=_text(entry.get("split") or ""), columns=extra)
        _labels(found, row, entry.get(labels))
        for key in ("absent", "unknown"):
            for name in entry.get(key) or []:
                found.mark(row, _text(name), LISTS[key])
        _beside(found, row, entry)
    except (TypeError, ValueError, KeyError, AttributeError) as problem:
        if isinstance(problem, ManylabelError) and not found.reading.leave:
            raise
        said = str(problem).removeprefix(f"{found.at(line)}: ")
        found.mistake("lines left out, or read in part with all else unknown", found.at(line), said)
        if row is not None:
            found.unsure(row)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {json.dumps(value)[:40]}")
    return value


def _labels(found: Collector, row: int, labels: Any) -> None:
    if isinstance(labels, dict):
        for name, value in labels.items():
            if value not in STATES:
                _uncertain(found, row, name, value)
            else:
                found.mark(row, name, STATES[value])
    elif isinstance(labels, (list, str)) or labels is None:
        for name in [labels] if isinstance(labels, str) else labels or []:
            found.mark(row, _text(name), PRESENT)
    else:
        raise TypeError(f"expected labels as a list or an object of 1, 0 and null, got {json.dumps(labels)[:40]}")


def _uncertain(found: Collector, row: int, name: str, value: Any) -> None:
    """-1 and the word are labels somebody was not sure of; anything else is no label."""
    if value not in (-1, "uncertain"):
        raise ValueError(f"expected 1, 0, null or -1 (uncertain) for {name!r}, got {json.dumps(value)[:40]}")
    found.mark(row, name, UNCERTAIN[found.reading.uncertain])
    if found.reading.uncertain == "soft":
        found.soft(row, name, SOFT)


def _beside(found: Collector, row: int, entry: dict[str, Any]) -> None:
    for name in entry.get("candidates") or []:
        found.candidate(row, _text(name))
    for name, value in (entry.get("soft") or {}).items():
        found.soft(row, name, float(value))
    for annotator, votes in (entry.get("votes") or {}).items():
        for name, value in votes.items():
            found.vote(row, name, annotator, STATES[value])
    for box in entry.get("boxes") or []:
        x, y, width, height = box["box"]
        found.box(row, _text(box["label"]), (x, y, width, height), box.get("marks", []))
    if entry.get("reviewed") is not None:
        found.reviewed(row, bool(entry["reviewed"]))
    if entry.get("size") is not None:
        width, height = entry["size"]
        found.size(row, width, height)


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
