"""What one annotation of Label Studio says: the labels it chose and the regions it drew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import tidy
from manylabel.data.formats._entries import (
    Box,
    Damaged,
    box,
    clean,
    entry,
    hull,
    keyed,
    listed,
    number,
    shown,
    turned,
    word,
)
from manylabel.data.formats._sizes import LONGEST

SHAPES = (
    *("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels", "labels"),
    *("bitmasklabels", "vectorlabels", "hypertextlabels", "timeserieslabels"),
)
SIZE = ("original_width", "original_height", "image_rotation")
PLAIN_SHAPES = ("rectangle", "polygon", "ellipse", "brush", "keypoint", "bitmask", "vector")
Key = tuple[str, tuple[str, ...]]  # the field of a choice ("" for a region) and the path of words to the label


@dataclass(slots=True)
class Said:
    """One person's annotation of one image.

    Arguments:
        who: their name, or number.
        golden: whether it is marked as the truth.
        labels: the labels that were chosen or drawn, each with how sure a model was (1 for a person).
        boxes: (label, shares of the image, marks) of the regions that have a box.
    """

    who: str
    golden: bool = False
    labels: dict[Key, float] = field(default_factory=dict)
    boxes: list[tuple[Key, Box, list[str]]] = field(default_factory=list)


def read_results(said: Said, results: Any, found: Collector, row: int, where: str, tally: Counter[str]) -> None:
    """Add what the results of an annotation hold; those that are no labels are counted in `tally` by their type."""
    regions: dict[str, list[list[str]]] = {}
    later, size = [], None
    with entry(found, where, row):
        for k, result in enumerate(listed(results, "result"), 1):
            with entry(found, f"{where}, result {k}", row):
                one = keyed(result, "a result")
                value = keyed(one.get("value", {}), "value")
                kind = _kind(one, value)
                if (own := [one.get(key) for key in SIZE]) != size:
                    _size(found, row, one)
                    size = own
                if kind in SHAPES:
                    regions.setdefault(str(one.get("id") or f"no id {k}"), []).append(
                        _shape(said, one, value, kind, tally)
                    )
                else:
                    later.append((k, one, value, kind))
        for k, one, value, kind in later:
            with entry(found, f"{where}, result {k}", row):
                _not_a_shape(said, one, value, kind, regions.get(str(one.get("id") or ""), []), tally)


def _kind(one: dict[str, Any], value: dict[str, Any]) -> str:
    """The type of a result in small letters; where it is not said, what its value holds."""
    kind = one.get("type", "")
    if not isinstance(kind, str):
        raise Damaged(f"expected text for type, got {shown(kind)}")
    return kind.lower() or next((name for name in (*SHAPES, "choices", "taxonomy") if name in value), "")


def _size(found: Collector, row: int, one: dict[str, Any]) -> None:
    width, height = one.get("original_width"), one.get("original_height")
    if all(isinstance(v, (int, float)) and 0 < v <= LONGEST for v in (width, height)) and not one.get("image_rotation"):
        found.size(row, int(width), int(height))  # type: ignore[arg-type]


def _shape(said: Said, one: dict[str, Any], value: dict[str, Any], kind: str, tally: Counter[str]) -> list[str]:
    """Add a region that has labels; the list of its marks, to which results of its parts may add."""
    keys: list[Key] = [("", (tidy(word(name, kind)),)) for name in listed(value.get(kind), kind)]
    sure = _score(one)
    for key in keys:
        said.labels[key] = max(sure, said.labels.get(key, 0.0))
    if not keys:
        tally["regions without a label"] += 1
    marks = _texts(one["meta"]) if "meta" in one else []
    shares = _box(one, value, marks)
    if shares is None:
        tally[f"{kind} without a box"] += 1
    elif keys:
        marks[:] = clean(marks) if marks else marks
        said.boxes += [(key, shares, marks) for key in keys]
    return marks


def _texts(meta: Any) -> list[str]:
    """What was written about a region."""
    text = meta.get("text") if isinstance(meta, dict) else None
    return [mark for mark in (text if isinstance(text, list) else [text]) if isinstance(mark, str)]


def _score(one: dict[str, Any]) -> float:
    """How sure a model was; 1 where nothing is said."""
    score = one.get("score")
    if score is None:
        return 1.0
    sure = number(score, "score")
    if not 0 <= sure <= 1:
        raise Damaged(f"expected a score in [0, 1], got {sure:g}")
    return sure


def _scores(one: dict[str, Any]) -> dict[str, float]:
    """How sure a model was of each label of a choice, where `export.label_studio` wrote it."""
    meta = one.get("meta")
    found = meta.get("probabilities") if isinstance(meta, dict) else None
    pairs = found.items() if isinstance(found, dict) else ()
    return {tidy(name): share for name, share in pairs if isinstance(share, (int, float)) and 0 <= share <= 1}


def _box(one: dict[str, Any], value: dict[str, Any], marks: list[str]) -> Box | None:
    """The box around a region in shares of the image; None where it is given by pixels or a point only."""
    if "points" in value and isinstance(value["points"], list):
        pairs = [listed(pair, "points") for pair in value["points"]]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise Damaged(f"expected points as pairs of numbers, got {shown(value['points'])}")
        marks.append("polygon")
        return hull([(number(x, "x") / 100, number(y, "y") / 100) for x, y in pairs])
    if "radiusX" in value:
        x, y, rx, ry = (number(value.get(key), key) / 100 for key in ("x", "y", "radiusX", "radiusY"))
        marks.append("ellipse")
        return _turned(one, value, box(x - rx, y - ry, 2 * rx, 2 * ry), (x, y), marks)
    if "width" in value and "height" in value:
        x, y = number(value.get("x"), "x") / 100, number(value.get("y"), "y") / 100
        width, height = number(value["width"], "width") / 100, number(value["height"], "height") / 100
        return _turned(one, value, box(x, y, width, height), (x, y), marks)
    if {"x", "y"} & value.keys() and "width" not in value and "keypointlabels" not in value:
        raise Damaged("expected x, y, width and height in percent of the image, got only some of them")
    return None


def _turned(
    one: dict[str, Any], value: dict[str, Any], shares: Box, about: tuple[float, float], marks: list[str]
) -> Box:
    """The box around a turned region: a rectangle turns about its upper left corner, an ellipse about its centre."""
    degrees = number(value["rotation"], "rotation") if value.get("rotation") else 0.0
    if not degrees:
        return shares
    marks.append("rotated")
    width, height = one.get("original_width"), one.get("original_height")
    known = all(isinstance(v, (int, float)) and 0 < v <= LONGEST for v in (width, height))
    return turned(shares, degrees, about, height / width if known else 1.0)  # type: ignore[operator]


def _not_a_shape(
    said: Said, one: dict[str, Any], value: dict[str, Any], kind: str, regions: list[list[str]], tally: Counter[str]
) -> None:
    """A choice about the image, or what is said of a region: that becomes a mark of its box."""
    name = one.get("from_name") if isinstance(one.get("from_name"), str) else ""
    if kind in ("choices", "taxonomy"):
        paths = _paths(value.get(kind), kind)
        if regions or "x" in value or "points" in value:
            for marks in regions:
                marks[:] = clean([*marks, *("/".join(path) for path in paths)])
            tally["choices about a region"] += 1
            return
        sure, own = _score(one), _scores(one)
        for path in paths:
            for k in range(1, len(path) + 1):  # a label implies all above it
                key = (name or "", path[:k])
                said.labels[key] = max(own.get(path[-1], sure), said.labels.get(key, 0.0))
    elif kind not in PLAIN_SHAPES or not regions:
        tally[f"results of type {kind or '?'}"] += 1


def _paths(value: Any, kind: str) -> list[tuple[str, ...]]:
    if kind == "choices":
        value = [value] if isinstance(value, str) else value
        return [(tidy(word(name, kind)),) for name in listed(value, kind)]
    paths = [tuple(tidy(word(name, kind)) for name in listed(path, kind)) for path in listed(value, kind)]
    if not all(paths):
        raise Damaged("expected a path of names for taxonomy, got an empty one")
    return paths


def who(annotation: dict[str, Any], k: int) -> str:
    """The name or number of the person who made an annotation, the k-th of its task."""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("username") or by.get("id")
    return str(by).strip() if isinstance(by, (int, str)) and str(by).strip() else f"annotator {k}"
