"""CVAT: `CVAT for images 1.1`, an XML file of images with tags and shapes; and its Datumaro JSON.

    <annotations><meta><task><labels><label><name>car</name></label></labels></task></meta>
      <image id="0" name="a.jpg" subset="train" width="640" height="480">
        <tag label="street"/> <box label="car" xtl="64" ytl="48" xbr="128" ybr="96" occluded="1"/>
      </image></annotations>

A label with a tag or a shape is present, every other absent. CVAT does not say which images somebody looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset, tidy
from manylabel.data.formats import _datumaro
from manylabel.data.formats._cvat_write import save
from manylabel.data.formats._entries import (
    Box,
    Damaged,
    box,
    clean,
    entry,
    hull,
    number,
    open_image,
    part_of,
    turned,
)
from manylabel.data.formats._sizes import LONGEST
from manylabel.data.formats._xml import DECLARED
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import PRESENT, ManylabelError, did_you_mean

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "cvat", ".xml"
CHUNK = 1 << 20
QUIET = {"label", "source", "z_order", "occluded", "group_id", "rotation", "points", "rle", "left", "top"} | {
    f"{side}{k}" for side in ("xtl", "ytl", "xbr", "ybr", "xtr", "ytr", "xbl", "ybl") for k in ("", "1", "2")
} | {"width", "height", "cx", "cy", "rx", "ry"}  # fmt: skip
Element = ElementTree.Element
Size = tuple[float, float]


def clue(source: Source) -> str | None:
    """XML whose root is annotations; a folder with annotations.xml; or Datumaro JSON."""
    if source.is_folder:
        if "annotations.xml" in source.inside and _is_cvat(source.path / "annotations.xml"):
            return "the folder holds CVAT's annotations.xml"
    elif _begins_as_cvat(source.head):
        return "XML with annotations of images, as CVAT exports it"
    return _datumaro.clue(source)


def _is_cvat(path: Path) -> bool:
    with path.open("rb") as stream:
        return _begins_as_cvat(stream.read(1 << 16))


def _begins_as_cvat(head: bytes) -> bool:
    """Whether the first element is annotations and holds what CVAT writes."""
    text = head.replace(b"\0", b"")
    start = text.find(b"<annotations")
    return start >= 0 and b"<annotation>" not in text[:start] and any(
        sign in text[start:] for sign in (b"<version>", b"<meta>", b"<image ", b"<track ")
    )  # fmt: skip


def load(source: Source, reading: Reading) -> Dataset:
    """Every image element is an image; those of several jobs are joined."""
    if _datumaro.clue(source):
        return _datumaro.load(source, reading)
    file = source.path / "annotations.xml" if source.is_folder else source.path
    if not file.is_file():
        raise ManylabelError(f"{source.path} holds no annotations.xml; give the XML file that CVAT exported")
    reader = _Reader(Collector(source.path, KIND, reading), file)
    for element in _elements(file):
        reader.read(element)
    return reader.dataset()


def _elements(file: Path) -> Iterator[Element]:
    """The children of the root, each let go of when the next is asked for: a file may hold a million images."""
    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    deep, root, rest = 0, None, b""
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                if DECLARED.search((rest + chunk).replace(b"\0", b"")):
                    raise ManylabelError(
                        f"{file}: declares a document type or entities, which label files have no use for: remove it"
                    )
                rest = chunk[-32:]
                parser.feed(chunk)
                for event, element in parser.read_events():
                    deep += 1 if event == "start" else -1
                    if root is None:
                        root = _root(file, element)
                    elif event == "end" and deep == 1:
                        yield element
                        root.clear()
            parser.close()
    except ElementTree.ParseError as problem:
        line, column = problem.position
        said = str(problem).partition(":")[0]
        raise ManylabelError(f"{file}, line {line}, column {column + 1}: not valid XML: {said}") from None
    except (ValueError, LookupError) as problem:
        if isinstance(problem, ManylabelError):
            raise
        raise ManylabelError(f"{file}: not valid XML: {problem}") from None


def _root(file: Path, element: Element) -> Element:
    if element.tag != "annotations":
        raise ManylabelError(f"{file}: expected <annotations> as CVAT exports it, got <{element.tag}>")
    return element


class _Reader:
    """Images as they are met, with what is said of them all at the end."""

    def __init__(self, found: Collector, file: Path) -> None:
        self.found, self.file, self.images = found, file, 0
        self.declared: set[str] = set()
        self.subsets: dict[str, None] = {}
        self.tally, self.other, self.bare = Counter[str](), Counter[str](), 0

    def read(self, element: Element) -> None:
        """An element below the root: the head, an image, or something else."""
        if element.tag == "meta":
            self._meta(element)
        elif element.tag == "image":
            self.images += 1
            self._image(element, f"{self.file}, image {self.images}")
        elif element.tag == "track":
            raise ManylabelError(
                f"{self.file} holds tracks of a video: export the task as `CVAT for images 1.1`, which has the frames"
            )
        elif element.tag != "version":
            self.other[f"<{element.tag}>"] += 1

    def _meta(self, meta: Element) -> None:
        for label in meta.iter("label"):
            name = tidy(label.findtext("name") or "")
            if label.find("parent") is not None:
                self.tally["labels of the points of a skeleton, which are no classes"] += 1
            elif not name:
                self.found.mistake("labels without a name", f"{self.file}, meta", "a label has no name")
            else:
                self.declared.add(name)
                self.found.classes(name)

    def _image(self, image: Element, where: str) -> None:
        subset = image.get("subset") or ""
        name, known = image.get("name") or "", part_of(subset)
        own = {"subset": subset} if subset and not known and subset.lower() != "default" else {}
        row = open_image(self.found, name, where, line=self.images, part=known, columns=own)
        if row is None:
            return
        if own:
            self.subsets[subset] = None
        size = self._size(image, row, where)
        self.bare += len(image) == 0
        for k, shape in enumerate(image, 1):
            with entry(self.found, f"{where}, <{shape.tag}> {k}", row):
                self._shape(shape, row, size)

    def _size(self, image: Element, row: int, where: str) -> Size | None:
        """Width and height of an image in pixels, where both are said."""
        if image.get("width") is None and image.get("height") is None:
            return None
        with entry(self.found, where, kind="sizes left out"):
            width, height = (number(image.get(side), side) for side in ("width", "height"))
            if not (0 < width <= LONGEST and 0 < height <= LONGEST):
                raise Damaged(f"expected a width and a height in pixels, got {width:g} and {height:g}")
            self.found.size(row, int(width), int(height))
            return width, height
        return None

    def _shape(self, shape: Element, row: int, size: Size | None) -> None:
        name = self._label(shape)
        around = SHAPES.get(shape.tag)
        if around is None and shape.tag != "tag":
            raise Damaged(f"expected a tag or a shape ({', '.join(SHAPES)}), got <{shape.tag}>")
        self.found.column(name)  # a class, whatever is wrong with the rest
        marks = [f"{a.get('name')}={(a.text or '').strip()}" for a in shape.findall("attribute")]
        marks = [mark.removesuffix("=true") for mark in marks if not mark.endswith("=false")]
        if shape.get("source") in ("auto", "semi-auto"):
            self.tally[f"labels of source {shape.get('source')}"] += 1
        if around is None:
            self.tally["attributes of tags, which have no place"] += len(marks)
        elif size is None:
            self.found.mark(row, name, PRESENT)
            raise Damaged(f"expected width and height of the image, without which a <{shape.tag}> has no place")
        else:
            self._box(shape, row, name, around(shape, size), marks)
        self.found.mark(row, name, PRESENT)

    def _box(self, shape: Element, row: int, name: str, shares: Box, marks: list[str]) -> None:
        own = [] if shape.tag == "box" else [shape.tag]
        if shape.get("occluded") == "1":
            own.append("occluded")
        if shape.get("rotation") not in (None, "", "0", "0.0"):
            own.append("rotated")
        self.found.box(row, name, shares, clean([*own, *marks]))
        for key in set(shape.attrib) - QUIET:
            self.other[f"{key} of <{shape.tag}>"] += 1

    def _label(self, shape: Element) -> str:
        name = tidy(shape.get("label") or "")
        if not name:
            raise Damaged("expected a label, got none")
        if self.declared and name not in self.declared:
            raise Damaged(f"label {name!r} is not among the labels of the file.{did_you_mean(name, self.declared)}")
        return name

    def dataset(self) -> Dataset:
        """All images, with notes on what has no place in a data set."""
        note = self.found.note
        if self.bare:
            note(f"{self.bare:,} images have no tag and no shape. CVAT does not say whether somebody looked at them:"
                 " they are taken for reviewed, with nothing there (--unlisted unknown if they are not).")  # fmt: skip
        if self.subsets:
            own = ", ".join(list(self.subsets)[:6])
            note(f"Subsets that are not train, val or test are no parts but in the column subset: {own}.")
        if said := [f"{word} ({n:,})" for word, n in self.tally.items() if n]:
            note(f"Understood: {', '.join(said)}.")
        if self.other:
            note(f"Not read: {', '.join(f'{word} ({n:,})' for word, n in sorted(self.other.items())[:12])}.")
        return self.found.dataset()


def _corners(shape: Element, size: Size) -> Box:
    x, y, right, below = (number(shape.get(key), key) for key in ("xtl", "ytl", "xbr", "ybr"))
    width, height = size
    shares = box(x / width, y / height, (right - x) / width, (below - y) / height)
    degrees = number(shape.get("rotation") or "0", "rotation")
    if not degrees:
        return shares
    return turned(shares, degrees, (shares[0] + shares[2] / 2, shares[1] + shares[3] / 2), height / width)


def _points(shape: Element, size: Size) -> Box:
    pairs = [pair.split(",") for pair in (shape.get("points") or "").split(";") if pair.strip()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise Damaged(f"expected points as x,y;x,y, got {(shape.get('points') or '')[:40]!r}")
    return hull([(number(x, "x") / size[0], number(y, "y") / size[1]) for x, y in pairs])


def _ellipse(shape: Element, size: Size) -> Box:
    cx, cy, rx, ry = (number(shape.get(key), key) for key in ("cx", "cy", "rx", "ry"))
    shares = box((cx - rx) / size[0], (cy - ry) / size[1], 2 * rx / size[0], 2 * ry / size[1])
    degrees = number(shape.get("rotation") or "0", "rotation")
    return turned(shares, degrees, (cx / size[0], cy / size[1]), size[1] / size[0]) if degrees else shares


def _mask(shape: Element, size: Size) -> Box:
    left, top, width, height = (number(shape.get(key), key) for key in ("left", "top", "width", "height"))
    return box(left / size[0], top / size[1], width / size[0], height / size[1])


def _cuboid(shape: Element, size: Size) -> Box:
    keys = sorted(key for key in shape.attrib if key[:3] in ("xtl", "xbl", "xtr", "xbr"))
    if not keys:
        raise Damaged("expected the corners of a cuboid (xtl1, ytl1, ...), got none")
    pairs = [(number(shape.get(key), key), number(shape.get(f"y{key[1:]}"), f"y{key[1:]}")) for key in keys]
    return hull([(x / size[0], y / size[1]) for x, y in pairs])


def _skeleton(shape: Element, size: Size) -> Box:
    boxes = [_points(point, size) for point in shape.findall("points") if point.get("outside") != "1"]
    if not boxes:
        raise Damaged("expected a skeleton with points, got none")
    return hull([corner for x, y, w, h in boxes for corner in ((x, y), (x + w, y + h))])


SHAPES: dict[str, Callable[[Element, Size], Box]] = {
    "box": _corners,
    "polygon": _points,
    "polyline": _points,
    "points": _points,
    "ellipse": _ellipse,
    "mask": _mask,
    "cuboid": _cuboid,
    "skeleton": _skeleton,
}
