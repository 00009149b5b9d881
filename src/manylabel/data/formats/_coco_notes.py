"""What is said of a COCO file as a whole: what it is not, and what is not kept of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.json_items import Items
from manylabel.labels import ManylabelError


def whole(path: Path, data: Any) -> dict[str, Any]:
    """The object of a file of annotations of a kind that says which classes are there."""
    if not isinstance(data, dict):
        raise ManylabelError(
            f"{path} holds detections of a model, or annotations alone: expected an object with images, annotations"
            " and categories; give the file of the annotations"
        )
    if not isinstance(data.get("images"), Items):
        raise ManylabelError(f"{path}: expected an object with a list of images, got {', '.join(list(data)[:8])}")
    annotations = data.get("annotations")
    first = annotations.head(1) if isinstance(annotations, Items) else []
    for key, what in (("caption", "captions"), ("keypoints", "keypoints")):
        if first and isinstance(first[0], dict) and key in first[0]:
            raise ManylabelError(
                f"{path} holds {what}, which do not say which of the classes are in an image: give the file of the"
                " instances (instances_*.json)"
            )
    return data


def aliases(found: Collector, classes: set[str]) -> None:
    """Synonyms that are of one class alone."""
    kept = {other: name for other, name in found.aliases.items() if name and other not in classes}
    if lost := [other for other in found.aliases if other not in kept]:
        found.note(f"Synonyms of several classes are not kept: {', '.join(lost[:6])}{', …' if len(lost) > 6 else ''}.")
    found.aliases = kept


def told(found: Collector, tally: Counter[str]) -> None:
    """What was understood, and what is not kept."""
    if tally["lvis"]:
        found.note("Images list neg_category_ids, as in LVIS: those are absent, and what is listed nowhere is unknown.")
    if tally["not annotated"]:
        number = f"{tally['not annotated']:,}"
        found.note(f"{number} images are in files without annotations: nobody labelled them, all is unknown.")
    if tally["no size"]:
        found.note(
            f"{tally['no size']:,} boxes are not kept: neither the file nor a photograph tells the image's width and"
            " height. Their labels are."
        )
    if tally["outlines"]:
        found.note(f"{tally['outlines']:,} outlines (segmentation) are not kept, only their boxes.")
    for kind in ("image", "annotation"):
        keys = sorted(key.partition(":")[2] for key in tally if key.startswith(f"{kind}:"))
        if keys:
            found.note(f"Keys of {kind}s that are not kept: {', '.join(keys[:12])}{', …' if len(keys) > 12 else ''}.")


def no_circles(found: Collector) -> None:
    """A category above itself is a mistake: none of those in the circle then has a parent."""
    above = dict(found.parents)
    for child in list(above):
        path = [child]
        while path[-1] in above and above[path[-1]] not in path:
            path.append(above[path[-1]])
        if above.get(path[-1]) == child:
            circle = " under ".join([*path, child])
            found.mistake("supercategories left out", str(found.source), f"{circle}: none can be under itself")
            found.parents = [pair for pair in found.parents if pair[0] not in path]
            above = dict(found.parents)
