"""Where a COCO data set keeps its files: the annotations of each part, and the photographs they speak of."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manylabel.data.formats._entries import part_of
from manylabel.data.source import HEAD

IMAGES = re.compile(rb'"images"\s*:\s*\[')
MORE = re.compile(rb'"(annotations|categories|info|licenses|file_name)"\s*:')
ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\[\s*\{[^{}]*"image_id"')  # files whose keys are sorted begin so
LAST = ("panoptic", "stuff", "image_info", "captions", "person_keypoints")  # read only where there is nothing else
ROBOFLOW = "_annotations.coco.json"


@dataclass(frozen=True)
class File:
    """One file of annotations: its part, and what stands before the names of its images in a folder of several."""

    path: Path
    part: str = ""
    folder: Path | None = None


def looks_coco(head: bytes) -> bool:
    """Whether the beginning of a file is that of COCO annotations.

    >>> looks_coco(b'{"info": {}, "images": [{"id": 1')
    True
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    return start and bool((IMAGES.search(head) and MORE.search(head)) or ANNOTATIONS.search(head))


def files_in(folder: Path) -> tuple[list[File], list[Path]]:
    """(files to read, COCO files beside them that are not read): instances before all others."""
    tops = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    homes = [p for p in tops if p.name.lower() == "annotations" or part_of(p.name)]
    candidates = [*folder.glob("*.json"), *(file for home in homes for file in home.glob("*.json"))]
    candidates += [top / ROBOFLOW for top in tops if top not in homes and (top / ROBOFLOW).is_file()]
    found = [file for file in sorted(candidates) if file.is_file() and looks_coco(_head(file))]
    groups: dict[int, list[Path]] = {}
    for file in found:
        groups.setdefault(_rank(file), []).append(file)
    chosen = groups[min(groups)] if groups else []
    return [File(file, _part(file, folder), folder) for file in chosen], [f for f in found if f not in chosen]


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(HEAD)


def _rank(file: Path) -> int:
    stem = file.stem.lower()
    if stem.startswith("instances"):
        return 0
    return next((k for k, word in enumerate(LAST, 2) if stem.startswith(word)), 1)


def _part(file: Path, folder: Path) -> str:
    """From the name of the file, else from that of its folder."""
    words = re.findall("[a-z]+", file.stem.lower())
    home = part_of(file.parent.name) if file.parent != folder else ""
    return next((part for text in words if (part := part_of(text))), home)


def token(file: Path) -> str:
    """What an annotation file is of: the folder of its photographs in the usual layout.

    >>> token(Path("annotations/instances_val2017.json")), token(Path("valid/_annotations.coco.json"))
    ('val2017', 'valid')
    """
    if file.name == ROBOFLOW:
        return file.parent.name
    return file.stem.rpartition("_")[2] or file.stem


def base_of(file: File, names: Sequence[str]) -> Path | None:
    """The folder at which the names of images start, known by the first that exist; None where none of them does."""
    here = file.path.parent
    roots = dict.fromkeys([*([file.folder] if file.folder else []), here, here.parent])
    inner = ("", token(file.path), "images", f"images/{token(file.path)}", "data", "JPEGImages")
    for name in names:
        for root in (here, *roots):
            for folder in inner:
                if os.path.isfile(os.path.join(root, folder, name)):
                    return root / folder
    return None


def image_name(item: dict[str, Any]) -> Any:
    """The name of an image: `file_name`, or the end of the address at which LVIS says that it is."""
    name = item.get("file_name")
    if isinstance(name, str) and name.strip():
        return name
    address = item.get("coco_url")
    return "/".join(address.rstrip("/").split("/")[-2:]) if isinstance(address, str) and "/" in address else name
