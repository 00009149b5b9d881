"""Labels of FiftyOne: classifications, detections, polylines and key points, one or a list of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import tidy
from manylabel.data.formats._entries import Box, Damaged, box, clean, entry, hull, keyed, listed, number, shown, word
from manylabel.labels import PRESENT, did_you_mean

LISTS = {
    "Classifications": "classifications",
    "Detections": "detections",
    "Polylines": "polylines",
    "Keypoints": "keypoints",
}
LABELS = {*LISTS, "Classification", "Detection", "Polyline", "Keypoint"}
OF_LABEL = {
    "label",
    "confidence",
    "bounding_box",
    "points",
    "attributes",
    "tags",
    "logits",
    "mask",
    "mask_path",
    "id",
    "closed",
    "filled",
}


PLAIN = OF_LABEL | {"_id", "_cls"}


def keyed_or_empty(value: Any) -> dict[str, Any]:
    """An object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def is_label(value: Any) -> bool:
    """Whether the value of a field is one of the kinds of labels that name classes."""
    return isinstance(value, dict) and isinstance(value.get("_cls"), str) and value["_cls"] in LABELS


def of_field(value: Any) -> Iterator[Any]:
    """The single labels in the value of a field."""
    one = keyed(value, "a field of labels")
    kind = one.get("_cls")
    if not isinstance(kind, str) or kind not in LABELS:
        raise Damaged(f"expected labels (_cls Classification, Detections, ...), got {shown(one)}")
    yield from listed(one.get(LISTS[kind]), LISTS[kind]) if kind in LISTS else [one]


def mark(found: Collector, row: int, labels: Iterable[Any], where: str, tally: Counter[str], names: Any = None) -> None:
    """Mark the labels of an image; several of one class count once, the surest first."""
    sure: dict[str, float] = {}
    for k, label in enumerate(labels, 1):
        with entry(found, f"{where}, label {k}", row):
            one = label if isinstance(label, dict) else {"label": label}
            name = _name(one.get("label"), names)
            found.column(name)  # a class, whatever is wrong with the rest
            confidence = one.get("confidence")
            score = 1.0 if confidence is None else number(confidence, "confidence")
            if not 0 <= score <= 1:
                raise Damaged(f"expected a confidence in [0, 1], got {score:g}")
            if shares := _box(one):
                found.box(row, name, shares, _marks(one, score))
            sure[name] = max(score, sure.get(name, 0.0))
            if one.get("mask") is not None or one.get("mask_path"):
                tally["masks"] += 1
    for name, score in sure.items():
        if score == 1:
            found.mark(row, name, PRESENT)
        else:
            found.soft(row, name, score)


def _name(label: Any, names: Any) -> str:
    """The class that a label names, or the number of which it is."""
    if isinstance(label, (int, float)) and not isinstance(label, bool) and names:
        if not 0 <= label < len(names) or label != int(label):
            raise Damaged(f"expected a class from 0 to {len(names) - 1}, got {label}")
        return str(names[int(label)])
    name = tidy(word(label, "label"))
    if names and name not in names:
        raise Damaged(f"label {name!r} is not among the classes.{did_you_mean(name, names)}")
    return name


def _box(one: dict[str, Any]) -> Box | None:
    if one.get("bounding_box") is not None:
        values = [number(value, "bounding_box") for value in listed(one["bounding_box"], "bounding_box")]
        if len(values) != 4:
            raise Damaged(f"expected bounding_box as x, y, width and height, got {len(values)} numbers")
        return box(*values)
    rings = listed(one.get("points"), "points")
    pairs = [
        pair
        for ring in rings
        for pair in ([ring] if not isinstance(ring[0] if isinstance(ring, list) and ring else 0, list) else ring)
    ]
    points = [[number(v, "points") for v in listed(pair, "points") if v is not None and v != "NaN"] for pair in pairs]
    if any(len(point) not in (0, 2) for point in points):
        raise Damaged(f"expected points as pairs of numbers, got {shown(rings)}")
    return hull([(point[0], point[1]) for point in points if point]) if any(points) else None


def _marks(one: dict[str, Any], score: float) -> list[str]:
    """What else is said of a label, as marks of its box."""
    plain = score == 1 and one.keys() <= PLAIN and one.get("points") is None
    if plain and not one.get("attributes") and not one.get("tags"):
        return []  # as most labels have none
    own = {key: value for key, value in one.items() if key not in OF_LABEL and not key.startswith("_")}
    for key, value in keyed_or_empty(one.get("attributes")).items():
        own[key] = value.get("value") if isinstance(value, dict) else value
    words = ["polygon"] if one.get("points") is not None else []
    words += [f"confidence={score:g}"] if score < 1 else []
    for key, value in own.items():
        name = "crowd" if key == "iscrowd" else key
        if value is True or (name == "crowd" and value == 1):
            words.append(name)
        elif isinstance(value, (str, int, float)) and value not in (False, ""):
            words.append(f"{name}={value}")
    tags = one.get("tags")
    return clean([*words, *(tag for tag in (tags if isinstance(tags, list) else []) if isinstance(tag, str))])
