"""Label Studio: its JSON export (tasks with annotations) and the short ones, JSON-MIN, CSV and TSV.

    [{"id": 1, "data": {"image": "/data/upload/1/ab-a.jpg"}, "annotations": [{"completed_by": 7, "result": [
        {"type": "choices", "from_name": "scene", "value": {"choices": ["street"]}},
        {"type": "rectanglelabels", "value": {"x": 1, "y": 2, "width": 3, "height": 5, "rectanglelabels": ["car"]}}]}]}]

A label that was chosen or drawn is present, every other absent; a task without an annotation, or skipped, was not
reviewed: all unknown. Where several people annotated, their votes are kept and the majority decides, a tie is unknown.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from manylabel.data.collect import Collector
from manylabel.data.dataset import IMAGE_ENDINGS, Dataset
from manylabel.data.formats._entries import Damaged, entry, keyed, listed, part_of, word
from manylabel.data.formats._label_studio_csv import ABOUT, is_export, lines
from manylabel.data.formats._label_studio_kept import Kept
from manylabel.data.formats._label_studio_said import Key, Said, read_results, who
from manylabel.data.formats._label_studio_write import IMAGES, LOCAL, save
from manylabel.data.json_items import elements
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "label_studio", ".json"
CHOSEN = ("choice", "choices", "label", "labels", "class", "classes", "category", "tag", "tags")
TASK = ("annotations", "completions", "predictions", "is_labeled", "total_annotations")


def clue(source: Source) -> str | None:
    """A list whose first object is a task, or a line of the short export; or a single task; or a table of answers."""
    if not source.is_folder and is_export(source):
        return "a table with the columns annotator and annotation_id"
    if source.is_folder or not source.looks_json or source.ending in (".jsonl", ".ndjson"):
        return None
    first = source.first or source.top
    if isinstance(first.get("data"), dict) and any(key in first for key in TASK):
        return "tasks with data and annotations"
    if {"annotation_id", "annotator"} <= first.keys():
        return "annotations with annotator and annotation_id, one an entry"
    if not first and re.match(rb"\W*\{", source.head) and _begins_as_tasks(source.head):
        return "it begins as tasks with data and annotations do"
    return None


def _begins_as_tasks(head: bytes) -> bool:
    start = head[:4000]
    return b'"data"' in start and (b'"annotations"' in start or b'"completions"' in start) and b'"result"' in head


def load(source: Source, reading: Reading) -> Dataset:
    """Every task is an image; tasks of one image count as one with more annotations."""
    table = not source.is_folder and is_export(source)
    if not source.looks_json and not table:
        raise ManylabelError(f"{source.path}: expected a list of tasks in JSON, or the CSV that Label Studio exports")
    reader = _Reader(Collector(source.path, KIND, reading, unit="row" if table else "task"))
    tasks = [source.json] if "data" in source.top else elements(source.path)
    for k, task in lines(source.path, leave=reading.leave) if table else enumerate(tasks, 1):
        reader.task(task, k)
    reader.settle()
    return reader.found.dataset()


class _Reader:
    """Annotations as they are met, by image: what a label is called is known only when all are read."""

    def __init__(self, found: Collector) -> None:
        self.found, self.tally = found, Counter[str]()
        self.said, self.models = Kept(), Kept()
        self.urls: dict[str, str] = {}
        self.ways: dict[str, str] = {}

    def task(self, task: Any, k: int) -> None:
        """Read the k-th entry, of either export."""
        where = self.found.at(k)
        with entry(self.found, where, kind="tasks left out"):
            task = keyed(task, "a task")
            if "data" not in task and "annotation_id" in task:
                task = _of_short(task, self.found.reading.columns)
            data = keyed(task.get("data"), "data")
            key, url = _url(data)
            part, columns = _columns(data, key)
            row = self.found.image(self._id(url, k), line=k, part=part, columns=columns)
            meta = task.get("meta")
            with entry(self.found, f"{where}, meta", kind="class lists left out"):
                own = listed(meta.get("classes"), "classes") if isinstance(meta, dict) else []
                self.found.classes(*[word(name, "classes") for name in own])
            self._annotations(row, task, where)

    def _id(self, url: str, k: int) -> str:
        """What an image is called: the path in its address, as far as there is one."""
        name, way = _path(url)
        name = name or f"task {k}"
        if way:
            self.ways.setdefault(way, f"{url[:60]} is {name}")
        if self.urls.setdefault(name, url) != url:
            self.found.note(f"Different addresses lead to {name}; such images are called by their whole address.")
            return url
        return name

    def _annotations(self, row: int, task: dict[str, Any], where: str) -> None:
        key = "annotations" if "annotations" in task else "completions"
        for k, annotation in enumerate(listed(task.get(key), key), 1):
            place = f"{where}, annotation {k}"
            with entry(self.found, place, row, "annotations left out"):
                one = keyed(annotation, "an annotation")
                if one.get("was_cancelled") or one.get("skipped"):
                    self.tally["skipped"] += 1
                    continue
                said = Said(who(one, k), one.get("ground_truth") is True)
                read_results(said, one.get("result"), self.found, row, place, self.tally)
                self.said.add(row, said)
        self._predictions(row, task, where)
        if task.get("drafts"):
            self.tally["drafts"] += 1

    def _predictions(self, row: int, task: dict[str, Any], where: str) -> None:
        """A model's labels are no labels; with `uncertain="soft"` they are soft values where nobody annotated."""
        models = task.get("predictions")
        if not isinstance(models, list) or not models:
            return
        self.tally["predictions"] += 1
        if self.found.reading.uncertain == "soft":
            with entry(self.found, f"{where}, prediction {len(models)}", row, "predictions left out"):
                said, one = Said("model"), keyed(models[-1], "a prediction")
                read_results(said, one.get("result"), self.found, row, f"{where}, prediction {len(models)}", Counter())
                self.models.add(row, said)

    def settle(self) -> None:
        """Give the labels their names, count votes, and say what was understood."""
        self.tally["earlier"] += self.said.sort(last_only=True)  # a person's later annotation counts for the earlier
        self.models.sort(last_only=False)
        names = _names(list(dict.fromkeys([*self.said.keys, *self.models.keys])), self.found)
        cells, boxes, empty = self.said.alone(lambda key: self.found.column(names[key]) if key in names else -1)
        self.found.mark_all(*cells, PRESENT)
        self.found.box_all(boxes)
        counts = self.said.counts(len(self.found.ids))
        for row, number in enumerate(counts.tolist()):
            self.found.reviewed(row, number > 0)
            if number > 1:
                saids = self.said.of(row)
                empty += not any(said.labels for said in saids)
                _vote(self.found, row, saids, names)
            for said in self.models.of(row) if not number else []:
                for name, sure in {names[key]: sure for key, sure in said.labels.items()}.items():
                    self.found.soft(row, name, sure)
        self._say(int((counts == 0).sum()), empty)

    def _say(self, unseen: int, empty: int) -> None:
        note, tally = self.found.note, self.tally
        for way, example in self.ways.items():
            note(f"Images named by {way} are called by their path: {example}. Give the folder with --root.")
        if unseen:
            note(f"{unseen:,} images have no annotation and are not reviewed: all unknown.")
        if empty:
            note(f"{empty:,} images have an annotation without a label: reviewed, with nothing there.")
        said = {
            "skipped": "annotations were skipped by their annotator and do not count.",
            "earlier": "annotations were followed by a later one of the same person, which counts.",
            "drafts": "tasks have drafts that were not submitted and are not read.",
            "predictions": "tasks have predictions of a model, which are no labels (--uncertain soft keeps them as soft"
            " values where nobody annotated).",
        }
        for kind, text in said.items():
            if tally[kind]:
                note(f"{tally[kind]:,} {text}")
        if other := [f"{kind} ({n:,})" for kind, n in tally.items() if n and kind not in said]:
            note(f"Kept as marks of boxes, or not read: {', '.join(other)}.")


def _names(keys: list[Key], found: Collector) -> dict[Key, str]:
    """The class of each label: its last word, with its path or field where two choices share that word."""
    by_word: dict[str, list[Key]] = defaultdict(list)
    for field, path in keys:
        if field:
            by_word[path[-1]].append((field, path))
    names: dict[Key, str] = {}
    for field, path in keys:
        alike = by_word[path[-1]] if field else []
        fields = {one for one, _ in alike}
        longer = "/".join(path) if len(alike) > 1 else path[-1]
        names[field, path] = f"{field}: {longer}" if len(fields) > 1 else longer
        if names[field, path] != path[-1]:
            found.note(
                f"Several choices share a word and are told apart: {path[-1]!r} is class {names[field, path]!r}."
            )
    for (field, path), name in names.items():
        found.classes(name)
        if len(path) > 1:
            found.parents.append((name, names[field, path[:-1]]))
    return names


def _vote(found: Collector, row: int, saids: list[Said], names: dict[Key, str]) -> None:
    """Mark what several annotations say; the truth decides where one is marked as that, else the majority."""
    chosen = [{names[key] for key in said.labels} for said in saids]
    deciding = [own for own, said in zip(chosen, saids) if said.golden] or chosen
    for name in dict.fromkeys(name for own in chosen for name in sorted(own)):
        for own, said in zip(chosen, saids):
            found.vote(row, name, said.who, PRESENT if name in own else ABSENT)
        lead = 2 * sum(name in own for own in deciding) - len(deciding)
        found.mark(row, name, PRESENT if lead > 0 else ABSENT if lead < 0 else UNKNOWN)
    for said in saids:
        for key, shares, marks in said.boxes:
            found.box(row, names[key], shares, [*marks, f"annotator={said.who.replace('|', '/')}"])


def _of_short(line: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """A line of JSON-MIN as a task with one annotation: the fields of the labels stand between id and annotator."""
    keys = list(line)
    start, end = keys.index("id") if "id" in keys else -1, keys.index("annotator") if "annotator" in keys else 0
    between = keys[start + 1 : end] if 0 <= start < end else [
        key for key, value in line.items() if isinstance(value, (dict, list)) or key.lower() in CHOSEN
    ]  # fmt: skip
    fields = [key for key in between if key not in columns and key not in ABOUT]
    data = {key: value for key, value in line.items() if key not in (*fields, *ABOUT, "id")}
    results = [one for key in fields for one in _results(key, line[key])]
    return {"data": data, "annotations": [{"completed_by": line.get("annotator"), "result": results}]}


def _results(field: str, value: Any) -> list[dict[str, Any]]:
    """The results of one field: a word, an object with choices, or a list of regions."""
    if isinstance(value, str):
        return [{"type": "choices", "from_name": field, "value": {"choices": [value]}}]
    values = value if isinstance(value, list) else [value]
    if values and all(isinstance(one, str) for one in values):
        return [{"type": "choices", "from_name": field, "value": {"choices": values}}]
    return [
        {
            "from_name": field,
            "value": one,
            **{key: one[key] for key in ("original_width", "original_height") if key in one},
        }
        if isinstance(one, dict)
        else one
        for one in values
    ]


def _url(data: dict[str, Any]) -> tuple[str, str]:
    """(key, address of the image) in the data of a task."""
    plain = {key.lower(): key for key in reversed(list(data))}
    named = [plain[word] for word in IMAGES if word in plain]
    other = [key for key, value in data.items() if isinstance(value, str) and value.lower().endswith(IMAGE_ENDINGS)]
    for key in (*named, *other):
        value = data[key]
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, list) and value:
            raise Damaged(f"expected one image in data.{key}, got {len(value)}: tasks of several images are not read")
        if isinstance(value, str) and value.strip():
            return key, value.strip()
    raise Damaged(
        f"no key of data holds the address of an image: expected image, got {', '.join(list(data)[:12]) or '{}'}"
    )


def _columns(data: dict[str, Any], image: str) -> tuple[str, dict[str, str]]:
    """(part, further columns) that the data of a task hold."""
    split = data.get("split")
    part = split if isinstance(split, str) and part_of(split) else ""
    return part, {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in data.items()
        if key != image and isinstance(value, (str, int, float)) and not (key == "split" and (part or not value))
    }


def _path(url: str) -> tuple[str, str]:
    """(the path in an address, the kind of address); "" for a picture inside the address, the address for a path.

    >>> _path("/data/local-files/?d=photos/a%20b.jpg")
    ('photos/a b.jpg', '/data/local-files/?d=')
    >>> _path("s3://bucket/photos/a.jpg"), _path("photos/a.jpg")
    (('bucket/photos/a.jpg', 's3://'), ('photos/a.jpg', ''))
    """
    if url.startswith("data:"):
        return "", "data: (the picture itself)"
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://([^/?#]*)", url, re.I)
    rest = url[scheme.end() :] if scheme else url
    if local := re.match(r"/data/local-files/?\?(?:.*&)?d=([^&]*)", rest):
        return unquote(local[1]), LOCAL
    if rest.startswith("/data/"):  # a file that was uploaded: its folder is media/ on the server
        return unquote(rest.partition("?")[0]).removeprefix("/data/"), "/data/"
    if not scheme:
        return url, ""
    plain = re.split(r"[?#]", rest, maxsplit=1)[0]
    path = unquote(plain if plain.lower().endswith(IMAGE_ENDINGS) else rest)
    return f"{scheme[2]}{path}", f"{scheme[1].lower()}://"
