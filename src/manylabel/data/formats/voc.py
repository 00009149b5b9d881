"""Pascal VOC: a folder with an XML file an image, photographs beside it, and lists of the parts.

    Annotations/000001.xml   JPEGImages/000001.jpg   ImageSets/Main/{train,val,trainval,test}.txt, CLASS_train.txt

Also several of them (VOCdevkit with VOC2007 and VOC2012; train, valid and test), and XML beside the photographs. The
rule of the VOC classification task (Everingham et al., IJCV 2010): a class is present if one of its objects is not
difficult, unknown if all are (0 in CLASS_train.txt), and absent if it has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from manylabel.data.collect import Collector
from manylabel.data.dataset import IMAGE_ENDINGS, Dataset
from manylabel.data.formats import _voc_files, _xml
from manylabel.data.formats._entries import Damaged, box, clean, entry, number, part_of, shown
from manylabel.data.formats._sizes import LONGEST, size_of
from manylabel.data.formats._voc_write import save
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "voc", ""
FLAGS = ("difficult", "occluded", "truncated")
TRUE, FALSE = ("1", "true", "yes"), ("", "0", "false", "no", "unspecified")
OF_OBJECT = {"name", "bndbox", "attributes", *FLAGS}
OF_IMAGE = {"folder", "filename", "path", "source", "owner", "size", "segmented", "object"}
NOT_TURNED = ("rotation", "0.0")  # an attribute that CVAT gives to every box
STATES: dict[int | None, int] = {1: PRESENT, -1: ABSENT, 0: UNKNOWN}
BOTH = "trainval"
Lists = dict[tuple[str, str], list[tuple[int, str, int | None]]]


def clue(source: Source) -> str | None:
    """By a folder of XML files that hold an `<annotation>`, or its lists."""
    if source.ending == ".xml":
        return "an XML file with the annotation of one image" if _voc_files.is_annotation(source.path) else None
    homes = _voc_files.homes_in(source.path) if source.is_folder else []
    if not homes:
        return None
    return f"XML files with annotations in {(homes[0].annotations or homes[0].lists or source.path).name}"


def load(source: Source, reading: Reading) -> Dataset:
    """Every image that has an annotation, a line in a list or a photograph."""
    if not source.is_folder:
        folder = source.path.absolute().parent
        folder = folder.parent if folder.name.lower() in _voc_files.ANNOTATIONS else folder
        raise ManylabelError(f"{source.path} is the annotation of one image: give the folder of all, {folder}")
    homes = _voc_files.homes_in(source.path)
    if not homes:
        raise ManylabelError(f"{source.path} holds no VOC annotations: expected Annotations/NAME.xml for each image")
    found, tally = Collector(source.path, KIND, reading), Counter[str]()
    for home in homes:
        _Reader(found, home, tally).read()
    _say(found, tally)
    return found.dataset()


class _Reader:
    """One folder of annotations on its way into a `Collector`."""

    def __init__(self, found: Collector, home: _voc_files.Home, tally: Counter[str]) -> None:
        self.found, self.home, self.tally = found, home, tally
        self.rows: dict[str, int] = {}  # by the name of the image without its ending
        self.files: dict[str, str] = {}  # the photographs, by their names without ending
        for name in _voc_files.walk(home.images, IMAGE_ENDINGS):
            tally["same name"] += self.files.setdefault(_voc_files.bare(name), name) != name
        self.parts: dict[str, str] = {}
        there = _voc_files.walk(home.annotations, (".xml",)) if home.annotations and home.lists else ()
        self.stems = {name[:-4] for name in there}

    def read(self) -> None:
        home, lists = self.home, self.lists()
        self.share_out(lists)
        deep = home.annotations != home.root
        for name in _voc_files.walk(home.annotations, (".xml",), deep=deep) if home.annotations else ():
            path = home.annotations / name if home.annotations else Path()
            if deep or _voc_files.is_annotation(path):
                self.annotation(path, name[:-4])
        judged = self.by_class(lists)
        for name in dict.fromkeys([*self.listed(lists), *(self.files if home.annotations else ())]):
            if self.known(name) is None and name not in judged:
                self.found.reviewed(self.image(name), False)
                self.tally["no annotation"] += 1

    def lists(self) -> Lists:
        """The lines of the lists by (class or "", part); those whose name means no part have "" there."""
        lists: Lists = {}
        for path in sorted(self.home.lists.glob("*.txt")) if self.home.lists else ():
            lines = [self.told_apart(*one) for one in _voc_files.entries(Source(path).text)]
            label, _, part = path.stem.rpartition("_")
            numbers = sum(number is not None for *_, number in lines)
            if label and (part == BOTH or part_of(part)) and 0 < numbers >= len(lines) / 2:
                lists[label, part] = lines
            else:
                lists["", path.stem] = lines
        return lists

    def told_apart(self, line: int, name: str, number: int | None, text: str) -> tuple[int, str, int | None]:
        """A line of a list: where `holiday 1` is an image, and holiday is none, the number belongs to the name."""
        if number is not None and not self.is_here(name) and self.is_here(text):
            return line, text, None
        return line, name, number

    def is_here(self, name: str) -> bool:
        """Whether there is a photograph of that name or an annotation."""
        return name in self.files or (self.home.annotations is not None and name in self.stems)

    def listed(self, lists: Lists) -> Iterator[str]:
        """The images that lists name; a text that names none that is here, as a README does, is no list."""
        for (label, word), lines in lists.items():
            names = [name for _, name, _ in lines] if not label else []
            if self.rows and names and not part_of(word) and word != BOTH and not any(map(self.known_or_here, names)):
                self.found.note(f"{word}.txt names no image that is here, and is not read.")
            else:
                yield from names

    def known_or_here(self, name: str) -> bool:
        return self.known(name) is not None or self.is_here(name)

    def share_out(self, lists: Lists) -> None:
        """The part of each image that a list names."""
        for (label, word), lines in lists.items():
            part = part_of(word)
            for line, name, _ in lines if part and not label else ():
                where = f"{self.home.lists}/{word}.txt, line {line}"
                if self.parts.setdefault(name, part) != part:
                    self.found.mistake("parts left out", where, f"{name!r} is in {self.parts[name]} and {part} at once")
        if ("", BOTH) in lists and not {"train", "val"} & set(self.parts.values()):
            self.tally[BOTH] += len(lists["", BOTH])

    def by_class(self, lists: Lists) -> set[str]:
        """Marks what lists say of each class; the images that they speak of."""
        judged = set()
        for (label, part), lines in lists.items():
            if not label:
                continue
            self.found.classes(label)
            for line, name, state in lines:
                row = self.known(name)
                if row is None:
                    row = self.rows[name] = self.image(name)
                    self.found.unsure(row)  # classes without a list are unknown of it
                judged.add(name)
                if state in STATES:  # lists hold a line for each cell: what is usual must be quick
                    self.found.mark(row, label, STATES[state])
                    continue
                with entry(self.found, f"{self.home.lists}/{label}_{part}.txt, line {line}", row):
                    got = "nothing" if state is None else state
                    raise Damaged(f"expected 1 (present), -1 (absent) or 0 (difficult) behind {name!r}, got {got}")
        return judged

    def known(self, name: str) -> int | None:
        row = self.rows.get(name)
        return self.rows.get(_voc_files.bare(name)) if row is None else row

    def image(self, name: str, file: Path | None = None) -> int:
        """The row of an image by its name without ending."""
        own = self.files.get(name, name)
        part = self.parts.get(name) or self.parts.get(own) or self.home.part
        return self.found.image(self.home.lead + own, part=part, file=(file or self.home.images / own).absolute())

    def annotation(self, path: Path, stem: str) -> None:
        try:
            root = _xml.parse(path)
            if root.tag != "annotation":
                raise ManylabelError(f"{path}: expected <annotation>, got <{root.tag}>")
        except ManylabelError as problem:
            self.found.mistake("annotations left out", str(path), str(problem).removeprefix(str(path)).lstrip(":, "))
            self.rows[stem] = self.image(stem)
            self.found.unsure(self.rows[stem])
            return
        row = self.rows[stem] = self.named(root, path, stem)
        size = self.size(root, path, row)
        for tag in (*(one.tag for one in root if one.tag not in OF_IMAGE), *root.attrib):
            self.tally[f"image:{tag}"] += 1
        seen: dict[str, bool] = {}
        for n, item in enumerate(root.findall("object"), 1):
            where = f"{path}, object {n}"
            with entry(self.found, where, row):
                self.object(item, where, row, size, seen)
        for name, plain in seen.items():
            self.found.mark(row, name, PRESENT if plain else UNKNOWN)

    def named(self, root: Element, path: Path, stem: str) -> int:
        """The row: the name of the XML file decides, as it does for other tools; `filename` gives the ending."""
        said = _xml.text_of(root, "filename").replace("\\", "/").rpartition("/")[2]
        folder, _, last = stem.rpartition("/")
        fits, here = last in (said, _voc_files.bare(said)), stem in self.files
        if not here and fits:
            self.files[stem] = f"{folder}/{said}" if folder else said
        self.tally["other name"] += bool(said) and not fits
        own = self.home.images / self.files.get(stem, stem)
        if not here and not own.is_file() and (also := _xml.text_of(root, "path")):
            for base in (path.parent, self.home.root):
                if (base / also).is_file():
                    return self.image(stem, Path((base / also).resolve()))
        return self.image(stem, own)

    def size(self, root: Element, path: Path, row: int) -> tuple[int, int]:
        """Width and height as the annotation says, or as its photograph has them; zeros where nothing tells."""
        said = [_xml.text_of(root, f"size/{key}") for key in ("width", "height")]
        size = (0, 0)
        with entry(self.found, str(path), kind="sizes left out"):
            width, height = (number(text or 0, f"size of {path.stem}") for text in said)
            if not (0 <= width <= LONGEST and 0 <= height <= LONGEST):
                raise Damaged(f"expected width and height in pixels, got {width:g} and {height:g}")
            size = int(width), int(height)
        if not all(size):
            return size_of(self.home.images / self.files.get(path.stem, path.stem))
        self.found.size(row, *size)
        return size

    def object(self, item: Element, where: str, row: int, size: tuple[int, int], seen: dict[str, bool]) -> None:
        name = _xml.text_of(item, "name")
        if not name:
            raise Damaged("expected the class of the object in <name>, got nothing")
        flags = [flag for flag in FLAGS if _flag(item, flag)]
        seen[name] = seen.get(name, False) or "difficult" not in flags
        for one in item:
            if one.tag not in OF_OBJECT and _says(one):
                self.tally[f"object:{one.tag}"] += 1
        with entry(self.found, where, kind="boxes left out"):
            self.box(item, row, name, size, [*flags, *self.attributes(item)])

    def attributes(self, item: Element) -> list[str]:
        """Further marks, written as CVAT writes them."""
        marks: list[str] = []
        if item.find("attributes") is None:
            return marks
        for one in item.findall("attributes/attribute"):
            name, value = _xml.text_of(one, "name"), _xml.text_of(one, "value")
            if value.lower() in TRUE[1:]:
                marks.append(name)
            elif value.lower() not in FALSE[2:] and (name, value) != NOT_TURNED:
                marks.append(f"{name}={value}")
        return clean(marks)

    def box(self, item: Element, row: int, name: str, size: tuple[int, int], marks: list[str]) -> None:
        corner = item.find("bndbox")
        if corner is None:
            if marks and marks != ["difficult"]:
                self.tally["marks without a box"] += 1
            return
        left, top, right, bottom = (number(corner.findtext(tag), tag) for tag in ("xmin", "ymin", "xmax", "ymax"))
        width, height = size
        if not all(size):
            self.tally["no size"] += 1
            return
        # the first pixel is 1, and the last one belongs to the object
        shares = (left - 1) / width, (top - 1) / height, (right - left + 1) / width, (bottom - top + 1) / height
        self.found.box(row, name, box(*shares), marks)


def _flag(item: Element, tag: str) -> bool:
    text = _xml.text_of(item, tag).lower()
    if text not in TRUE and text not in FALSE:
        raise Damaged(f"expected 0 or 1 in <{tag}>, got {shown(text)}")
    return text in TRUE


def _says(element: Element) -> bool:
    return len(element) > 0 or (element.text or "").strip().lower() not in ("", "unspecified")


def _say(found: Collector, tally: Counter[str]) -> None:
    """What was understood, and what is not kept."""
    said = {
        "no annotation": "images have no annotation: nobody labelled them, all is unknown.",
        BOTH: "images are in trainval.txt, which does not say whether they are for training or for validation.",
        "other name": "annotations name another image than their file does in <filename>; the name of the file counts.",
        "same name": "photographs are not read: another one has their name, with another ending.",
        "no size": "boxes are not kept: neither the annotation nor a photograph tells the image's size. Labels are.",
        "marks without a box": "objects have no box for their marks, which are not kept. Labels are.",
    }
    for key, text in said.items():
        if tally[key]:
            found.note(f"{tally[key]:,} {text}")
    for kind in ("image", "object"):
        tags = sorted(key.partition(":")[2] for key in tally if key.startswith(f"{kind}:"))
        if tags:
            found.note(f"Not kept of {kind}s: {', '.join(tags[:12])}{', …' if len(tags) > 12 else ''}.")
