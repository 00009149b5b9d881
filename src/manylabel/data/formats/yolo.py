"""YOLO: a data.yaml, folders or lists of images, and a text file of boxes for each image.

    class x y width height              the box's centre and size, as shares of the image
    class x1 y1 x2 y2 x3 y3 ...         a polygon, kept as the box around it, with the mark `polygon`
    ... confidence                      a model's label: a soft value, unknown in the table unless it is 1

A class with a box is present, every other is absent. An image without a text file, or with an empty one, is background.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset
from manylabel.data.formats import _yolo_layout as places
from manylabel.data.formats._entries import Box, Damaged, box, hull, number
from manylabel.data.formats._yolo_write import save
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import PRESENT

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "yolo", ""
OVER = 0.01  # how far a share may lie outside 0 ... 1: what rounding makes of a box at the edge
Found = tuple[str, str, str]  # an image's file, the file of its labels or "", its part


def clue(source: Source) -> str | None:
    """A data.yaml or obj.data with names and parts; or a folder with text files of boxes."""
    if source.is_folder and "manylabel.json" in source.inside and "data.yaml" not in source.inside:
        return None
    file = places.find(source)
    if file is None:
        return None
    return f"{file.name} names classes and images" if file.is_file() else "its text files hold boxes in YOLO's way"


def load(source: Source, reading: Reading) -> Dataset:
    """Every image of every part, with the boxes of its text file."""
    layout = places.layout(source)
    found = Collector(source.path, KIND, reading, unit="line")
    for note in layout.notes:
        found.note(note)
    images = _images(found, layout)
    names = layout.names or _numbers(images)
    found.classes(*(name for name in names if name))
    _check_names(found, layout.file, names)
    missing, empty, root = 0, 0, f"{layout.root}{os.sep}"
    for image, label, part in images:
        row = found.image(
            image.removeprefix(root).replace(os.sep, "/"), part="" if part in places.OWN else part, file=image
        )
        if part == "unlabelled":
            found.reviewed(row, False)
        elif not label:
            missing += 1
        else:
            empty += not _labels(found, row, label, names, layout.pose)
    _say(found, missing, empty, reading.unlisted)
    return found.dataset()


def _check_names(found: Collector, file: Path, names: Sequence[str]) -> None:
    known: dict[str, int] = {}
    for k, name in enumerate(names):
        if name and known.setdefault(" ".join(name.split()), k) != k:
            first = known[" ".join(name.split())]
            found.mistake("classes joined", str(file), f"names: classes {first} and {k} have one name, {name!r}")


def _say(found: Collector, missing: int, empty: int, unlisted: str) -> None:
    rule = "by YOLO's rule nothing is on them: all absent" if unlisted == "absent" else "they are unknown"
    if missing:
        found.note(f"{missing:,} images have no text file of labels; {rule}.")
    if empty:
        found.note(f"{empty:,} images have an empty text file of labels; {rule}.")


def _images(found: Collector, layout: places.Layout) -> list[Found]:
    """The images of all parts, each once; an error where there are no labels at all."""
    taken: dict[str, str] = {}
    whole: dict[tuple[str, ...], str] = {}
    images: list[Found] = []
    for part, text in layout.lists:
        own = [*_of_entry(found, layout, text)]
        key = tuple(image for image, _ in own)
        if own and whole.setdefault(key, part) != part:  # as in coco128.yaml, where val is train
            found.note(f"{part} lists the same images as {whole[key]}: they are in {whole[key]} only.")
            continue
        for image, label in own:
            if taken.setdefault(image, part) == part:
                images.append((image, label, part))
            else:
                said = f"{image} is in {taken[image]} and {part} at once; an image belongs to one part"
                found.mistake("images kept in their first part", str(layout.file), said)
    if not any(label or part == "unlabelled" for _, label, part in images):
        found.mistake(
            "folders without labels",
            str(layout.file),
            f"no text file of labels is found for the images of {', '.join(text for _, text in layout.lists[:3])}:"
            " expected labels/ beside images/, with NAME.txt for NAME.jpg",
        )
    return images


def _of_entry(found: Collector, layout: places.Layout, text: str) -> Iterator[tuple[str, str]]:
    """(image, its label file or "") of a folder, a list or an image."""
    path, cut = places.resolve(text, [layout.root, layout.file.absolute().parent])
    if cut:
        found.note(f"{text} is not here; {os.path.relpath(path, layout.root)} is taken for it.")
    labels = places.labels_folder(path)
    if os.path.isfile(path) and path.lower().endswith(".txt"):
        yield from _labelled(found, _in_list(found, layout, Path(path)))
    elif os.path.isfile(path):
        yield from _labelled(found, [path])
    elif os.path.isdir(path) or os.path.isdir(labels):
        images = [image for image in _walk(path) if places.is_image(image)]
        pairs = list(_labelled(found, images))
        yield from sorted([*pairs, *_without_image(found, labels, pairs, path)])
    else:
        found.mistake("parts left out", str(layout.file), f"there is no folder or list {text!r}; looked for {path}")


def _walk(folder: str) -> Iterator[str]:
    """All files below a folder, hidden ones left out."""
    for inside, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (os.path.join(inside, name) for name in sorted(files) if not name.startswith("."))


def _in_list(found: Collector, layout: places.Layout, file: Path) -> list[str]:
    """The images that a list names, a line each."""
    known: dict[str, str] = {}
    images = []
    for line in Source(file).text.removeprefix("\ufeff").splitlines():
        folder, _, name = line.strip().replace("\\", "/").rpartition("/")
        if not name:
            if line.strip():
                found.mistake("lines left out", str(file), f"expected the path of an image, got {line.strip()[:60]!r}")
            continue
        if folder not in known:
            near = [file.parent, layout.root] if folder.startswith(".") or not folder else [layout.root, file.parent]
            rooted = "/" if line.strip().startswith("/") and not folder else folder or "."
            known[folder], cut = places.resolve(rooted, near)
            if cut:
                found.note(f"{folder} is not here; {os.path.relpath(known[folder], layout.root)} is taken for it.")
        images.append(os.path.join(known[folder], name))
    return images


def _labelled(found: Collector, images: list[str]) -> Iterator[tuple[str, str]]:
    """Each image with its label file: where YOLO looks, else beside the image."""
    there: dict[str, set[str]] = {}
    beside = 0
    for image in images:
        for label in dict.fromkeys((places.label_of(image), os.path.splitext(image)[0] + ".txt")):
            folder, name = os.path.split(label)
            if folder not in there:
                there[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
            if name in there[folder]:
                beside += label != places.label_of(image)
                yield image, label
                break
        else:
            yield image, ""
    if beside:
        found.note(f"{beside:,} text files of labels lie beside their images, not in labels/.")


def _without_image(found: Collector, labels: str, pairs: list[tuple[str, str]], folder: str) -> list[tuple[str, str]]:
    """Label files to which there is no image: rows all the same, named like the image without its ending."""
    used, own = {label for _, label in pairs}, []
    for file in _walk(labels):
        stem, ending = os.path.splitext(file)
        if ending != ".txt" or file in used or os.path.basename(file) in places.NAMES:
            continue
        if labels == folder and not places.is_label(Path(file)):
            found.note(f"{os.path.basename(file)} is no file of labels and is not read.")
            continue
        own.append((os.path.join(places.images_folder(os.path.dirname(stem)), os.path.basename(stem)), file))
    if own:
        first = os.path.basename(own[0][1])
        found.note(
            f"{len(own):,} text files of labels have no image, such as {first}; they are rows without a photograph."
        )
    return own


def _numbers(images: list[Found]) -> tuple[str, ...]:
    """The numbers of classes that have no names, up to the highest that is used."""
    used = {
        int(n)
        for _, label, _ in images
        if label
        for n in re.findall(rb"^\s*(\d{1,6})\s", Path(label).read_bytes(), re.M)
    }
    return tuple(str(k) for k in range(max(used, default=0) + 1))


def _labels(found: Collector, row: int, file: str, names: Sequence[str], pose: bool) -> bool:
    """Read the label file of an image; whether anything is in it."""
    soft: dict[str, float] = {}
    present: set[str] = set()
    with open(file, "rb") as stream:
        lines = stream.read().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
    for line, text in enumerate(lines, 1):
        if not (parts := text.split()):
            continue
        try:
            name = _class(parts[0], names)
            shares, confidence, marks = _object(parts[1:], pose)
        except Damaged as problem:
            found.mistake("labels left out", f"{_where(found, file)}, line {line}", str(problem))
            found.unsure(row)
            continue
        if confidence is None or confidence == 1:
            present.add(name)
        else:
            soft[name] = max(confidence, soft.get(name, 0.0))
            marks = [*marks, f"confidence={confidence:g}"]
        found.box(row, name, shares, marks)
    for name in present:
        found.mark(row, name, PRESENT)
    for name in soft.keys() - present:
        found.soft(row, name, soft[name])
    return any(text.split() for text in lines)


def _where(found: Collector, file: str) -> str:
    """Where a label file lies, to begin a message with."""
    base = str(found.source)
    return f"{base}, {os.path.relpath(file, base)}" if os.path.isdir(base) else file


def _class(text: str, names: Sequence[str]) -> str:
    """The name of the class of that number."""
    plain = text.isascii() and text.isdigit() and len(text) < 10
    if not plain and not re.fullmatch(r"[+-]?\d{1,9}(\.0*)?", text):
        raise Damaged(f"expected the number of a class, got {text[:40]!r}")
    k = int(text.partition(".")[0])
    if not 0 <= k < len(names) or not names[k]:
        raise Damaged(f"class {k} has no name: there are {len(names):,} classes, 0 to {len(names) - 1}")
    return names[k]


def _object(parts: list[str], pose: bool) -> tuple[Box, float | None, list[str]]:
    """(box, confidence or None, marks) of the numbers after the class."""
    values = [number(text, f"number {k}") for k, text in enumerate(parts, 2)]
    if len(values) < 4:
        raise Damaged(f"expected a class and at least 4 numbers, got {len(values) + 1} in all")
    polygon = len(values) >= 6 and not pose
    shares = values[: len(values) - len(values) % 2] if polygon else values[:4]
    if bad := next((v for v in shares if not -OVER <= v <= 1 + OVER), None):
        raise Damaged(f"expected shares of the image, from 0 to 1, got {bad:g}; YOLO does not count in pixels")
    confidence = values[-1] if len(values) % 2 and (polygon or len(values) == 5) else None
    if confidence is not None and not 0 <= confidence <= 1:
        raise Damaged(f"expected a confidence in [0, 1] as the last number, got {confidence:g}")
    if polygon:
        return hull(zip(shares[::2], shares[1::2], strict=True)), confidence, ["polygon"]
    x, y, width, height = shares
    marks = ["keypoints"] if pose and len(values) > 4 else []
    return box(x - width / 2, y - height / 2, width, height), confidence, marks
