"""Tasks for Label Studio: what `label_studio.save` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import boxes_by_row, is_judged
from manylabel.delimited import IMAGE

IMAGES = (*IMAGE, "images", "url", "image_url", "img_url", "photo_url", "link")
LOCAL = "/data/local-files/?d="


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """Tasks with an annotation of the present classes and their boxes; none where nobody judged the image.

    The images are local files: Label Studio finds them below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.
    """
    boxes = boxes_by_row(dataset)
    classes: list[list[int]] = [[] for _ in range(len(dataset))]
    for row, c in zip(*(found.tolist() for found in dataset.labels.positives), strict=True):
        classes[row].append(c)
    with path.open("x", encoding="utf-8") as stream:
        for row, name in enumerate(dataset.labels.ids):
            stream.write("[\n" if row == 0 else ",\n")
            task: dict[str, Any] = {
                "id": row + 1,
                "data": _data(dataset, row, name),
                "annotations": [],
                "predictions": [],
            }
            if row == 0:
                task["meta"] = {"classes": list(dataset.labels.names)}  # the only place for those that no image has
            if is_judged(dataset, row):
                task["annotations"] = [_annotation(dataset, row, classes[row], boxes.get(row, []))]
            stream.write(json.dumps(task, ensure_ascii=False))
        stream.write("\n]\n")
    return dataset.labels.ids


def _data(dataset: Dataset, row: int, name: str) -> dict[str, str]:
    extra = {key: str(cells[row]) for key, cells in dataset.columns.items() if key.lower() not in (*IMAGES, "split")}
    part = {"split": str(dataset.split[row])} if dataset.split[row] else {}
    return {"image": LOCAL + quote(name), **part, **extra}


def _annotation(dataset: Dataset, row: int, classes: list[int], boxes: list[Any]) -> dict[str, Any]:
    """An annotation: one choice of all present classes, and a rectangle for each box."""
    names, sizes = dataset.labels.names, dataset.beside.sizes
    size = {} if sizes is None or not sizes[row].all() else dict(
        zip(("original_width", "original_height"), sizes[row].tolist())
    )  # fmt: skip
    own = {"to_name": "image", "origin": "manual", **size}
    results: list[dict[str, Any]] = []
    if classes:
        results.append(chosen([names[c] for c in classes], f"{row + 1}-0", **own))
    for k, (c, shares, marks) in enumerate(boxes, 1):
        percent = dict(zip(("x", "y", "width", "height"), (100 * share for share in shares)))
        value = {**percent, "rotation": 0, "rectanglelabels": [names[c]]}
        meta = {"meta": {"text": marks}} if marks else {}
        results.append(
            {"id": f"{row + 1}-{k}", "type": "rectanglelabels", "from_name": "label", **own, **meta, "value": value}
        )
    return {"id": row + 1, "was_cancelled": False, "ground_truth": False, "result": results}


def chosen(names: Sequence[str], number: str, **own: Any) -> dict[str, Any]:
    """A result that chooses labels of an image; `own` are further keys of it."""
    kind = {"type": "choices", "from_name": "choice", "to_name": "image"}
    return {"id": number, **kind, **own, "value": {"choices": list(names)}}
