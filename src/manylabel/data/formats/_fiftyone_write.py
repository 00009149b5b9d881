"""A FiftyOne data set: what `fiftyone.save` writes, in the layout of its class LegacyFiftyOneDataset."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manylabel.data.dataset import PART_WORDS, Dataset
from manylabel.data.formats._entries import boxes_by_row, is_judged

FIELD, BOXES = "ground_truth", "ground_truth_boxes"
TYPE = "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.{})"
TEXT, NUMBER = "fiftyone.core.fields.StringField", "fiftyone.core.fields.FloatField"
TAKEN = {"filepath", "tags", "metadata", "id", FIELD, BOXES}


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """metadata.json and samples.json; the photographs stay where they are and are named relative to the folder.

    The present classes of an image are Classifications in the field ground_truth, empty where nothing is there and null
    where nobody judged the image; boxes are Detections in the field ground_truth_boxes.
    """
    boxes, names = boxes_by_row(dataset), list(dataset.labels.names)
    extra = [name for name in dataset.columns if name not in TAKEN and not name.startswith("_")]
    path.mkdir(parents=True)
    ids = _paths(dataset, path)
    classes: list[list[int]] = [[] for _ in ids]
    for row, c in zip(*(found.tolist() for found in dataset.labels.positives), strict=True):
        classes[row].append(c)
    fields = {FIELD: "Classifications"} | ({BOXES: "Detections"} if boxes else {})
    about = metadata(path.name, fields, dict.fromkeys(extra, TEXT), names)
    (path / "metadata.json").write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")
    with (path / "samples.json").open("x", encoding="utf-8") as stream:
        for row, name in enumerate(ids):
            sample = {"filepath": name, "tags": _tags(dataset, row), "metadata": _size(dataset, row)}
            sample |= {key: str(dataset.columns[key][row]) for key in extra}
            judged = is_judged(dataset, row)
            sample[FIELD] = labels_of("Classification", [{"label": names[c]} for c in classes[row]]) if judged else None
            if boxes:
                own = [_detection(names[c], shares, marks) for c, shares, marks in boxes.get(row, [])]
                sample[BOXES] = labels_of("Detection", own) if judged else None
            stream.write('{"samples": [\n' if row == 0 else ",\n")
            stream.write(json.dumps(sample, ensure_ascii=False))
        stream.write("\n]}\n")
    return ids


def _paths(dataset: Dataset, path: Path) -> list[str]:
    """Each photograph relative to the folder; images that share one, or have none, have their own id."""
    folder = path.absolute()
    found = [os.path.relpath(file, folder).replace(os.sep, "/") for file in map(str, dataset.paths)]
    if len(set(found)) == len(found) and all(name == name.strip() for name in found):
        return found
    return list(dataset.labels.ids)


def _tags(dataset: Dataset, row: int) -> list[str]:
    part = str(dataset.split[row])
    own = str(dataset.columns["tags"][row]).split("|") if "tags" in dataset.columns else []
    return [*([part] if part else []), *(tag for tag in own if tag.strip() and tag.strip().lower() not in PART_WORDS)]


def _size(dataset: Dataset, row: int) -> dict[str, Any] | None:
    sizes = dataset.beside.sizes
    if sizes is None or not sizes[row].all():
        return None
    return {"_cls": "ImageMetadata", **dict(zip(("width", "height"), sizes[row].tolist()))}


def metadata(name: str, fields: dict[str, str], extra: dict[str, str], classes: Sequence[str]) -> dict[str, Any]:
    """The content of metadata.json: fields of labels with their kinds, further fields with their types."""
    kinds = {field: TYPE.format(kind) for field, kind in fields.items()}
    return {
        "name": name, "media_type": "image", "sample_fields": {**kinds, **extra},
        "classes": {field: list(classes) for field in fields}, "default_classes": list(classes), "info": {},
    }  # fmt: skip


def labels_of(kind: str, labels: list[dict[str, Any]]) -> dict[str, Any]:
    """The value of a field that lists labels of a kind, such as Classification."""
    return {"_cls": f"{kind}s", f"{kind.lower()}s": [{"_cls": kind, **label} for label in labels]}


def _detection(name: str, shares: list[float], marks: list[str]) -> dict[str, Any]:
    return {"label": name, "bounding_box": shares, "tags": marks}
