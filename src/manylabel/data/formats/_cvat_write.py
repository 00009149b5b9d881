"""`CVAT for images 1.1`: what `cvat.save` writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import boxes_by_row
from manylabel.data.formats._sizes import image_sizes
from manylabel.labels import ManylabelError

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """One XML file; a tag for each present class, and a box for each box of which the image's size is known."""
    names, boxes, sizes = dataset.labels.names, boxes_by_row(dataset), image_sizes(dataset).tolist()
    for word in (*names, *dataset.labels.ids):
        if NOT_XML.search(word):
            raise ManylabelError(f"{path}: {word!r} holds a character that XML cannot; rename it, or choose --to jsonl")
    classes: list[list[int]] = [[] for _ in range(len(dataset))]
    for row, c in zip(*(found.tolist() for found in dataset.labels.positives), strict=True):
        classes[row].append(c)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(_head(dataset))
        for row, name in enumerate(dataset.labels.ids):
            part = f" subset={_quoted(str(dataset.split[row]))}" if dataset.split[row] else ""
            width, height = sizes[row]
            size = f' width="{width}" height="{height}"' if width and height else ""
            inside = [f'    <tag label={_quoted(names[c])} source="manual"></tag>\n' for c in classes[row]]
            if size:
                inside += [_box(names[c], shares, marks, width, height) for c, shares, marks in boxes.get(row, [])]
            stream.write(f'  <image id="{row}" name={_quoted(name)}{part}{size}>\n{"".join(inside)}  </image>\n')
        stream.write("</annotations>\n")
    return dataset.labels.ids


def _head(dataset: Dataset) -> str:
    labels = "".join(
        f"        <label><name>{escape(name)}</name><type>any</type></label>\n" for name in dataset.labels.names
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
        f"      <size>{len(dataset)}</size>\n      <labels>\n{labels}      </labels>\n    </task>\n  </meta>\n"
    )


def _box(name: str, shares: list[float], marks: list[str], width: int, height: int) -> str:
    x, y, w, h = shares
    corners: dict[str, Any] = {"xtl": x * width, "ytl": y * height, "xbr": (x + w) * width, "ybr": (y + h) * height}
    text = " ".join(f'{key}="{value:.10g}"' for key, value in corners.items())
    inside = "".join(f"<attribute name={_quoted(key)}>{escape(value)}</attribute>" for key, value in _attributes(marks))
    seen = int("occluded" in marks)
    return f'    <box label={_quoted(name)} source="manual" occluded="{seen}" {text} z_order="0">{inside}</box>\n'


def _attributes(marks: list[str]) -> list[tuple[str, str]]:
    """Marks as attributes: those without a value are true."""
    pairs = [mark.partition("=") for mark in marks if mark != "occluded" and not NOT_XML.search(mark)]
    return [(key, value if sign else "true") for key, sign, value in pairs]


def _quoted(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
