"""A YOLO data set: what `yolo.save` writes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from manylabel.data.dataset import PARTS, Dataset
from manylabel.data.formats import _yolo_layout as places
from manylabel.data.formats._entries import boxes_by_row, is_judged


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """data.yaml, a list of images for each part, labels/, and images/ with links to the photographs: nothing is copied.

    A detector reads an image without a box as background. Images with a present class that has no box are therefore in
    a list of their own, unboxed.txt, and those that nobody judged in unlabelled.txt; detectors read neither.
    """
    boxes, names = boxes_by_row(dataset), _places(dataset.labels.ids, [str(file) for file in dataset.paths])
    lists: dict[str, list[str]] = {part: [] for part in (*PARTS, *places.OWN)}
    positives: list[set[int]] = [set() for _ in names]
    for row, c in zip(*(found.tolist() for found in dataset.labels.positives), strict=True):
        positives[row].add(c)
    for row, name in enumerate(names):
        own = boxes.get(row, [])
        unboxed = positives[row] - {c for c, _, _ in own}
        part = "unboxed" if unboxed else str(dataset.split[row]) or "train"
        lists["unlabelled" if not is_judged(dataset, row) else part].append(name)
        if is_judged(dataset, row):
            _write(path / places.label_of(f"/images/{name}")[1:], "".join(map(_line, own)))
        _link(path / "images" / name, dataset.paths[row])
    for part, own_names in lists.items():
        if own_names or part in ("train", "val"):
            _write(path / f"{part}.txt", "".join(f"./images/{name}\n" for name in own_names))
    _write(path / "data.yaml", _described(dataset, lists))
    return [f"images/{name}" for name in names]


def _line(one: tuple[int, list[float], list[str]]) -> str:
    c, (x, y, width, height), _ = one
    return f"{c} {x + width / 2:.10g} {y + height / 2:.10g} {width:.10g} {height:.10g}\n"


def _described(dataset: Dataset, lists: dict[str, list[str]]) -> str:
    """The text of data.yaml."""
    text = "# images/ holds links to the photographs where they are; each list names the images of a part.\n"
    if lists["unboxed"]:
        text += (
            f"# {len(lists['unboxed'])} images have a label without a box: they are in unboxed.txt, for no detector.\n"
        )
    if lists["unlabelled"]:
        text += f"# {len(lists['unlabelled'])} images were not judged: they are in unlabelled.txt, for no detector.\n"
    text += "".join(f"{part}: {part}.txt\n" for part in lists if lists[part] or part in ("train", "val"))
    text += f"nc: {len(dataset.labels.names)}\nnames:\n"
    return text + "".join(f"  {c}: {_quoted(name)}\n" for c, name in enumerate(dataset.labels.names))


def _quoted(name: str) -> str:
    """A name in quotation marks, as JSON and YAML write it; what YAML does not allow is escaped."""
    strange = r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    return re.sub(strange, lambda found: f"\\u{ord(found[0]):04x}", json.dumps(name, ensure_ascii=False))


def _places(ids: Sequence[str], files: Sequence[str]) -> list[str]:
    """Where each image is put below images/: like its id, but inside, with an ending and a label file of its own."""
    taken: set[str] = set()
    found = []
    for name, file in zip(ids, files, strict=True):
        words = re.split(r"[/\\]+", re.sub(r"[\x00-\x1f\x7f-\x9f:*?\"<>|\u2028\u2029]", "_", name))
        words = [word.strip() for word in words if word.strip() not in ("", ".", "..")]
        words = words[1:] if words[:1] == ["images"] and len(words) > 1 else words
        words = [f"{word}_" if word in ("images", "labels") else word[-120:] for word in words] or ["image"]
        stem, ending = os.path.splitext("/".join(words))
        if not places.is_image(f"a{ending}"):
            stem, ending = stem + ending, os.path.splitext(file)[1] if places.is_image(file) else ".jpg"
        k, unique = 1, stem
        while unique.casefold() in taken:
            k, unique = k + 1, f"{stem}_{k + 1}"
        taken.add(unique.casefold())
        found.append(unique + ending)
    return found


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def _link(place: Path, photograph: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(os.path.relpath(photograph, place.parent.absolute()))
    except (OSError, NotImplementedError):
        return  # some systems forbid links: the lists then say where the photographs belong
