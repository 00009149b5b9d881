"""The demo data: scenes of OpenMoji drawings (CC BY-SA 4.0), long-tailed, a tenth of the labels hidden.

Small enough to build in seconds on two cores, yet with what makes real label sets hard: a Zipf tail, themes
that make classes occur together, occlusion, and unknown cells. Which scene holds what is settled in one pass
(`plan`); the pictures follow (`scenes.compose`).
"""

from __future__ import annotations

import csv
import io
import json
import os
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from manylabel.data import drawings, scenes
from manylabel.data.drawings import CLASSES, NAMES, THEMES
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

VERSION = 1
"""Raised whenever the same seed would give other data."""
IMAGES = {"train": 2400, "val": 300, "test": 600}
CLASSES_PER_IMAGE = 2.6
MOST_PER_IMAGE = 6
ZIPF_SHIFT, ZIPF_POWER = 12.0, 2.5
"""Training positives of the class of rank r are planned in proportion to (ZIPF_SHIFT + r) ** -ZIPF_POWER."""
FLATTEN = 0.3
"""Validation and test counts go with the training counts to this power, so that the tail can be measured."""
OUT_OF_CONTEXT = 0.012
"""Odds of a class in a theme that is not its own, against 1 in its own."""
REPEAT = 0.25
"""Chance that a scene shows a second object of one of its classes."""
DISTRACTORS = (0.35, 0.35, 0.2, 0.1)
"""Chances of 0, 1, 2, 3 objects that belong to no class."""
ANY_BACKDROP = 0.25
"""Chance of a background drawn regardless of the theme."""
HIDDEN = 0.10
"""Share of the training cells left blank."""
QUALITY = (70, 95)
"""Range of the JPEG quality."""
THREADS = 2
STAMP = "complete.json"
ATTRIBUTION = """\
The pictures in this folder are composed of drawings by OpenMoji and adapted from them.
All emojis designed by OpenMoji - the open-source emoji and icon project. License: CC BY-SA 4.0
https://openmoji.org  https://creativecommons.org/licenses/by-sa/4.0/
Changes: recoloured, rotated, scaled, partly without outlines, composed by manylabel on its own backgrounds.
The composed pictures are shared under the same licence, CC BY-SA 4.0.
"""


@dataclass(frozen=True, eq=False)
class Plan:
    """What each of the N scenes shows, before any is drawn.

    Arguments:
        images: N paths as the label file writes them.
        split: (N,) "train", "val" or "test".
        theme: (N,) a key of `THEMES`.
        state: (N, C) int8 PRESENT or ABSENT, nothing hidden.
        hidden: (N, C) bool, cells the label file leaves blank; training rows only.
    """

    images: tuple[str, ...]
    split: NDArray[np.str_]
    theme: NDArray[np.str_]
    state: NDArray[np.int8]
    hidden: NDArray[np.bool_]

    @property
    def labels(self) -> LabelTable:
        """The label table as the file shows it: hidden cells are unknown."""
        return LabelTable(np.where(self.hidden, UNKNOWN, self.state).astype(np.int8), NAMES, self.images)


def zipf(total: int, *, power: float = 1.0) -> NDArray[np.int64]:
    """(C,) positives per class, about `total` in all: the Zipf-Mandelbrot law, then raised to `power`.

    >>> zipf(6240)[[0, 1, 2, -1]]
    array([737, 612, 515,  12])
    """
    weight = (ZIPF_SHIFT + np.arange(1, len(NAMES) + 1)) ** (-ZIPF_POWER * power)
    return np.round(total * weight / weight.sum()).astype(np.int64)


def plan(seed: int = 0) -> Plan:
    """Which classes each scene shows, in tenths of a second and without drawing; the same for the same seed.

    >>> scenes = plan(0)
    >>> scenes.state.shape == (3300, len(NAMES)), float(scenes.hidden[:2400].mean())
    (True, 0.1)
    """
    own = np.array([[theme in themes.split(", ") for _, themes, _ in CLASSES] for theme in THEMES])
    fits = np.where(own, 1, OUT_OF_CONTEXT)
    dealt = []
    for part, (name, images) in enumerate(IMAGES.items()):
        counts = zipf(round(images * CLASSES_PER_IMAGE), power=1.0 if name == "train" else FLATTEN)
        dealt.append(_deal(counts, images, fits, np.random.default_rng([seed, part])))
    present, theme = (np.concatenate(parts) for parts in zip(*dealt))
    cells = np.random.default_rng([seed, len(IMAGES)]).permutation(IMAGES["train"] * len(NAMES))
    hidden = np.zeros(present.shape, bool)
    hidden.ravel()[cells[: round(HIDDEN * len(cells))]] = True
    return Plan(
        images=tuple(f"images/{part}-{i:04d}.jpg" for part, n in IMAGES.items() for i in range(n)),
        split=np.repeat(list(IMAGES), list(IMAGES.values())),
        theme=np.array(list(THEMES))[theme],
        state=np.where(present, PRESENT, ABSENT).astype(np.int8),
        hidden=hidden,
    )


def _deal(
    counts: NDArray[np.int64], images: int, fits: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Deal class tokens to scenes as from an urn: what each shows (images, C) and its theme (images,)."""
    spare = np.repeat(np.arange(images), MOST_PER_IMAGE - 1)
    sizes = 1 + np.bincount(rng.permutation(spare)[: counts.sum() - images], minlength=images)
    left = counts.astype(np.float64)
    present, theme = np.zeros((images, len(counts)), bool), np.zeros(images, np.int64)
    for image in range(images):
        odds = fits @ left
        theme[image] = rng.choice(len(odds), p=odds / odds.sum())
        for _ in range(sizes[image]):
            weight = np.where(present[image], 0, left * fits[theme[image]])
            if weight.sum() > 0:
                chosen = rng.choice(len(weight), p=weight / weight.sum())
                present[image, chosen] = True
                left[chosen] -= 1
    order = rng.permutation(images)  # the urn empties: no drift along the file
    return present[order], theme[order]


# Building


def build(folder: str | os.PathLike[str], *, seed: int = 0, progress: bool = True) -> Path:
    """Write the demo data and return the path of its `labels.csv`; a complete build is recognised and kept.

    Beside the wide CSV (image, split, one column per class; blank = unknown) lie `images/`, `boxes.json`
    (every object, those of hidden cells too), `ATTRIBUTION.txt` and, written last, the stamp `complete.json`.
    The same seed and library versions give the same bytes. An interrupted build is begun anew.

    Raises:
        ManylabelError: a package of the extra `demo` is missing, or the folder holds something else.
    """
    folder = Path(folder).expanduser()
    stamp = {"version": VERSION, "seed": seed, "images": IMAGES, "classes": len(NAMES)}
    if _complete(folder, stamp):
        return folder / "labels.csv"
    classes, others = drawings.load()
    _claim(folder)
    layout = plan(seed)

    def draw(index: int) -> list[scenes.Placed]:
        image, placed = _scene(layout, index, seed, classes, others)
        _write(folder / layout.images[index], image)
        return placed

    boxes = _all(draw, len(layout.images), progress)
    _write(folder / "boxes.json", json.dumps(_coco(layout, boxes), separators=(",", ":")).encode())
    _write(folder / "labels.csv", _csv(layout).encode())
    _write(folder / STAMP, json.dumps(stamp).encode())
    return folder / "labels.csv"


def _complete(folder: Path, stamp: dict[str, Any]) -> bool:
    """Whether the folder holds this very build, every file of it."""
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = (folder / name for name in ("labels.csv", "boxes.json"))
    pictures = sum(1 for _ in (folder / "images").glob("*.jpg"))
    return found == stamp and all(file.is_file() for file in files) and pictures == sum(IMAGES.values())


def _claim(folder: Path) -> None:
    """Make the folder ours: empty, new, or holding an older or broken build; never somebody's own data."""
    if folder.exists() and not folder.is_dir():
        raise ManylabelError(f"{folder} is a file; the demo data needs a folder of its own")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "ATTRIBUTION.txt").is_file():
        raise ManylabelError(f"{folder} holds other files; give the demo data an empty or new folder")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / STAMP).unlink(missing_ok=True)
    _write(folder / "ATTRIBUTION.txt", ATTRIBUTION.encode())


def _scene(
    layout: Plan,
    index: int,
    seed: int,
    classes: Sequence[Sequence[drawings.Glyph]],
    others: Sequence[drawings.Glyph],
) -> tuple[bytes, list[scenes.Placed]]:
    """The scene of one row, drawn from a generator of its own, as JPEG and its objects."""
    rng = np.random.default_rng([seed, len(IMAGES) + 1, index])
    shown = np.flatnonzero(layout.state[index] == PRESENT).tolist()
    if len(shown) < MOST_PER_IMAGE and rng.random() < REPEAT:
        shown.append(int(rng.choice(shown)))
    objects = [(label, classes[label][int(rng.integers(len(classes[label])))]) for label in shown]
    for _ in range(rng.choice(len(DISTRACTORS), p=DISTRACTORS)):
        objects.append((scenes.DISTRACTOR, others[int(rng.integers(len(others)))]))
    objects = [objects[i] for i in rng.permutation(len(objects))]
    anything = rng.random() < ANY_BACKDROP
    backdrop = str(rng.choice(list(scenes.BACKDROPS) if anything else THEMES[str(layout.theme[index])]))
    image, placed = scenes.compose(backdrop, objects, rng)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=int(rng.integers(*QUALITY)))
    return jpeg.getvalue(), placed


def _all(draw: Callable[[int], list[scenes.Placed]], count: int, progress: bool) -> list[list[scenes.Placed]]:
    """`draw` of every index on two threads (Pillow and resvg leave the interpreter free), in order."""
    columns = TextColumn("drawing scenes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    pool = ThreadPoolExecutor(THREADS)
    try:
        with Progress(*columns, disable=not progress) as bar:
            return list(bar.track(pool.map(draw, range(count)), total=count))
    finally:
        pool.shutdown(cancel_futures=True)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: readers never meet half a file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _csv(layout: Plan) -> str:
    """The wide label file: 1 present, 0 absent, blank unknown."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "split", *NAMES])
    words = {PRESENT: "1", ABSENT: "0", UNKNOWN: ""}
    for image, split, row in zip(layout.images, layout.split, layout.labels.state.tolist()):
        rows.writerow([image, split, *(words[cell] for cell in row)])
    return text.getvalue()


def _coco(layout: Plan, boxes: Sequence[Sequence[scenes.Placed]]) -> dict[str, Any]:
    """The objects in the shape of a COCO file, with two keys more: the share seen and the drawing."""
    size = {"width": scenes.SIZE, "height": scenes.SIZE}
    images = [
        {"id": i, "file_name": name, **size, "split": str(split), "theme": str(theme)}
        for i, (name, split, theme) in enumerate(zip(layout.images, layout.split, layout.theme))
    ]
    labelled = [(i, o) for i, objects in enumerate(boxes) for o in objects if o.label != scenes.DISTRACTOR]
    annotations = [
        {"id": n, "image_id": i, "category_id": o.label, "bbox": o.box} | {"visible": o.visible, "drawing": o.drawing}
        for n, (i, o) in enumerate(labelled)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(NAMES)]
    return {"info": ATTRIBUTION, "images": images, "annotations": annotations, "categories": categories}


# Showing


def statistics(seed: int = 0) -> str:
    """A Markdown table: positives of each class that the file shows, by split, and its frequency group."""
    layout = plan(seed)
    table = layout.labels.present
    counts = {part: table[layout.split == part].sum(axis=0) for part in IMAGES}
    lines = ["| class | train | val | test | group |", "|---|--:|--:|--:|---|"]
    for i, name in enumerate(NAMES):
        train, val, test = (int(counts[part][i]) for part in IMAGES)
        group = "head" if train >= 100 else "medium" if train >= 20 else "tail"
        lines.append(f"| {name} | {train} | {val} | {test} | {group} |")
    return "\n".join(lines)


def contact_sheet(
    folder: str | os.PathLike[str], out: str | os.PathLike[str], *, columns: int = 6, rows: int = 4
) -> Path:
    """Some training scenes of a finished build, with their classes underneath, as one picture."""
    folder, out, tile, band = Path(folder), Path(out), 168, 30
    coco = json.loads((folder / "boxes.json").read_text(encoding="utf-8"))
    names: dict[int, list[str]] = {image["id"]: [] for image in coco["images"]}
    for thing in coco["annotations"]:
        names[thing["image_id"]] += [NAMES[thing["category_id"]]]
    chosen = np.random.default_rng(0).choice(IMAGES["train"], columns * rows, replace=False)
    sheet = Image.new("RGB", (columns * tile, rows * (tile + band)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, row in enumerate(chosen.tolist()):
        x, y = place % columns * tile, place // columns * (tile + band)
        with Image.open(folder / coco["images"][row]["file_name"]) as picture:
            sheet.paste(picture.resize((tile - 4, tile - 4), Image.Resampling.LANCZOS), (x + 2, y + 2))
        words = textwrap.wrap(", ".join(dict.fromkeys(names[row])), 30)[:2]
        pen.multiline_text((x + 4, y + tile), "\n".join(words), fill="black", font=font, spacing=1)
    sheet.save(out, quality=82)
    return out
