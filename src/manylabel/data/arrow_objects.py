"""A column of objects, as detection sets of Hugging Face have it: the class of each object, and its box.

    {"bbox": [[10, 20, 100, 80]], "category": [3]}     lists side by side, or a list of such objects with one of each

Boxes are x, y, width and height in pixels, as in COCO, by which these sets are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manylabel.data.arrow import Part, Read, pyarrow
from manylabel.data.collect import Collector
from manylabel.data.formats._entries import Damaged, box, entry, number, shown
from manylabel.data.formats._sizes import LONGEST, size_of
from manylabel.data.locate import locate

CATEGORY = ("category", "categories", "label", "labels", "class", "classes", "category_id", "name")
BOX = ("bbox", "bboxes", "box", "boxes")
NAMES = ("objects", "annotations", "detections")  # of the column, where there are no boxes
SIZE = ("width", "height")


def with_objects(part: Part) -> Part:
    """The part with its first column of objects as lists of their classes, named in `part.objects`."""
    arrow = pyarrow()
    for k, one in enumerate(part.schema):
        inner = _fields(one.type)
        word = next((word for word in CATEGORY if word in inner and _is_class(inner[word])), "")
        if word and (set(BOX) & set(inner) or one.name.lower() in NAMES):
            part.objects, part.objects_read = one.name, part.read
            part.schema = part.schema.set(k, arrow.field(one.name, arrow.list_(inner[word])))
            part.read = _reader(part.read, one.name, word)
            break
    return part


def _reader(plain: Read, own: str, word: str) -> Read:
    return lambda name: _lists(plain(name), word) if name == own else plain(name)


def _fields(kind: Any) -> dict[str, Any]:
    """The fields of one object, whether the lists are in the object or the objects in a list."""
    types = pyarrow().types
    if types.is_struct(kind):
        return {one.name: one.type.value_type for one in kind if _is_list(one.type)}
    if _is_list(kind) and types.is_struct(kind.value_type):
        return {one.name: one.type for one in kind.value_type}
    return {}


def _is_list(kind: Any) -> bool:
    types = pyarrow().types
    return bool(types.is_list(kind) or types.is_large_list(kind))


def _is_class(kind: Any) -> bool:
    types = pyarrow().types
    return bool(types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind))


def _lists(cells: Any, word: str) -> Any:
    """One field of the objects of each row as a list; null where the row has no objects at all."""
    arrow = pyarrow()
    if not _is_list(cells.type):
        return arrow.compute.struct_field(cells, word)
    kind = next(one.type for one in cells.type.value_type if one.name == word)
    chunks = [_inside(chunk, word) for chunk in cells.chunks]
    return arrow.chunked_array(chunks, arrow.list_(kind))


def _inside(chunk: Any, word: str) -> Any:
    arrow = pyarrow()
    lengths = arrow.compute.fill_null(arrow.compute.list_value_length(chunk), 0)
    ends = arrow.compute.cumulative_sum(lengths).cast(arrow.int32())
    starts = arrow.concat_arrays([arrow.array([0], arrow.int32()), ends])
    return arrow.ListArray.from_arrays(starts, arrow.compute.struct_field(chunk.flatten(), word), mask=chunk.is_null())


def boxes(part: Part) -> Iterator[list[Any] | None]:
    """The boxes of each row of a part, as they are written; None where it has none."""
    cells = part.objects_read(part.objects) if part.objects else None
    word = next((word for word in BOX if cells is not None and word in _fields(cells.type)), "")
    if not word:
        yield from [None] * part.rows
    for chunk in _lists(cells, word).chunks if word else ():
        yield from chunk.to_pylist()


def mark_boxes(found: Collector, sheet: Any, column: str, classes: list[list[str]], rows: list[int]) -> None:
    """Add the boxes of the objects; those of images whose size nobody tells are counted.

    Arguments:
        classes: the class of each object in each row of the sheet, "" where it could not be read.
        rows: the image of each row, or -1.
    """
    given = (one for part in sheet.parts for one in boxes(part))
    sizes, lost = _Sizes(found, sheet), 0
    for r, (names, own) in enumerate(zip(classes, given, strict=True)):
        if rows[r] < 0 or not own:
            continue
        size = sizes.of(r, rows[r])
        lost += 0 if all(size) else len(own)
        if all(size):
            with entry(found, sheet.at(r, column), kind="boxes left out"):
                if len(own) != len(names):
                    raise Damaged(f"expected as many boxes as classes, {len(names)}, got {len(own)}")
                for name, corner in zip(names, own):
                    if name:
                        found.box(rows[r], name, _shares(corner, size))
    if lost:
        found.note(
            f"{lost:,} boxes are not kept: no width and height are told, and no photograph is there. Labels are."
        )


class _Sizes:
    """Width and height of images: as columns of those names say, else as the photographs have them."""

    def __init__(self, found: Collector, sheet: Any) -> None:
        self.found = found
        self.told = [sheet.raw(name) for name in SIZE] if set(SIZE) <= set(sheet.header) else None
        root = found.reading.root or (found.source if found.source.is_dir() else found.source.parent)
        self.files = locate(found.ids, root)[0] if self.told is None else []

    def of(self, r: int, row: int) -> tuple[int, int]:
        if self.told is None:
            return size_of(self.files[row])  # type: ignore[arg-type]
        width, height = (number(one[r] or 0, name) for one, name in zip(self.told, SIZE))
        size = int(width), int(height)
        if all(0 < side <= LONGEST for side in size):
            self.found.size(row, *size)
            return size
        return 0, 0


def _shares(corner: Any, size: tuple[int, int]) -> tuple[float, float, float, float]:
    if not isinstance(corner, list) or len(corner) != 4:
        raise Damaged(f"expected a box of x, y, width and height, got {shown(corner)}")
    x, y, width, height = (number(value, "box") for value in corner)
    return box(x / size[0], y / size[1], width / size[0], height / size[1])
