"""The demo data: scenes of OpenMoji drawings (CC BY-SA 4.0), long-tailed, a tenth of the labels hidden.

Small enough to build on two cores while one waits, yet with what makes real label sets hard: a Zipf tail, themes
that make classes occur together, occlusion, and unknown cells. `layout` settles what each scene shows, `drawings`
renders the objects, `backdrops` and `scenes` compose them, and `build` writes it all as files people have.
"""

from __future__ import annotations

import csv
import io
import json
import os
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from manylabel.data.demo import backdrops, drawings, layout, scenes
from manylabel.data.demo.drawings import NAMES, THEMES
from manylabel.data.demo.layout import Plan
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

VERSION = 1
"""Raised whenever the same seed would give other data."""
REPEAT = 0.2
"""Chance that a scene shows a second object of one of its classes."""
DISTRACTORS = (0.5, 0.3, 0.15, 0.05)
"""Chances of 0, 1, 2, 3 objects that belong to no class."""
ANY_BACKDROP = 0.25
"""Chance of a background drawn regardless of the theme."""
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


def build(folder: str | os.PathLike[str], *, seed: int = 0, progress: bool = True) -> Path:
    """Write the demo data and return the path of its `labels.csv`; a complete build is recognised and kept.

    Beside the wide CSV (image, split, one column per class; blank = unknown) lie `images/`, `boxes.json`
    (every object, those of hidden cells too), `ATTRIBUTION.txt` and, written last, the stamp `complete.json`.
    The same seed and library versions give the same bytes. An interrupted build is begun anew.

    Raises:
        ManylabelError: a package of the extra `demo` is missing, or the folder holds something else.
    """
    folder = Path(folder).expanduser()
    stamp = {"version": VERSION, "seed": seed, "images": layout.IMAGES, "classes": len(NAMES)}
    if _complete(folder, stamp):
        return folder / "labels.csv"
    classes, others = drawings.load()
    _claim(folder)
    plan = layout.plan(seed)

    def draw(index: int) -> list[scenes.Placed]:
        image, placed = _scene(plan, index, seed, classes, others)
        _write(folder / plan.images[index], image)
        return placed

    boxes = _all(draw, len(plan.images), progress)
    _write(folder / "boxes.json", json.dumps(_coco(plan, boxes), separators=(",", ":")).encode())
    _write(folder / "labels.csv", _csv(plan).encode())
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
    return found == stamp and all(file.is_file() for file in files) and pictures == sum(layout.IMAGES.values())


def _claim(folder: Path) -> None:
    """Make the folder ours: new, empty, or left by an older or broken build; never somebody's own data."""
    if folder.exists() and not folder.is_dir():
        raise ManylabelError(f"{folder} is a file; the demo data needs a folder of its own")
    folder.mkdir(parents=True, exist_ok=True)
    notice = folder / "ATTRIBUTION.txt"
    if any(folder.iterdir()) and not (notice.is_file() and notice.read_bytes() == ATTRIBUTION.encode()):
        raise ManylabelError(f"{folder} holds other files; give the demo data an empty or new folder")
    _write(notice, ATTRIBUTION.encode())
    (folder / STAMP).unlink(missing_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    for old in (folder / "images").glob("*.jpg*"):
        old.unlink()


def _scene(
    plan: Plan,
    index: int,
    seed: int,
    classes: Sequence[Sequence[drawings.Glyph]],
    others: Sequence[drawings.Glyph],
) -> tuple[bytes, list[scenes.Placed]]:
    """The scene of one row, drawn from a generator of its own, as JPEG and its objects."""
    rng = np.random.default_rng([seed, len(layout.IMAGES) + 1, index])
    shown = np.flatnonzero(plan.state[index] == PRESENT).tolist()
    if len(shown) < layout.MOST_PER_IMAGE and rng.random() < REPEAT:
        shown.append(int(rng.choice(shown)))
    objects = [(label, classes[label][int(rng.integers(len(classes[label])))]) for label in shown]
    for _ in range(rng.choice(len(DISTRACTORS), p=DISTRACTORS)):
        objects.append((scenes.DISTRACTOR, others[int(rng.integers(len(others)))]))
    objects = [objects[i] for i in rng.permutation(len(objects))]
    anything = rng.random() < ANY_BACKDROP
    backdrop = str(rng.choice(list(backdrops.BACKDROPS) if anything else THEMES[str(plan.theme[index])]))
    image, placed = scenes.compose(backdrop, objects, rng)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=int(rng.integers(*QUALITY)))
    return jpeg.getvalue(), placed


class Rate(ProgressColumn):
    """Scenes a second."""

    def render(self, task: Task) -> Text:
        """Blank until there is a rate to show."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


def _all(draw: Callable[[int], list[scenes.Placed]], count: int, progress: bool) -> list[list[scenes.Placed]]:
    """`draw` of every index, in order, on threads: Pillow and numpy leave the interpreter free."""
    columns = "drawing scenes", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    pool = ThreadPoolExecutor(THREADS)
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
            return list(bar.track(pool.map(draw, range(count)), total=count))
    finally:
        pool.shutdown(cancel_futures=True)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: readers never meet half a file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _csv(plan: Plan) -> str:
    """The wide label file: 1 present, 0 absent, blank unknown."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "split", *NAMES])
    words = {PRESENT: "1", ABSENT: "0", UNKNOWN: ""}
    for image, split, row in zip(plan.images, plan.split, plan.labels.state.tolist()):
        rows.writerow([image, split, *(words[cell] for cell in row)])
    return text.getvalue()


def _coco(plan: Plan, boxes: Sequence[Sequence[scenes.Placed]]) -> dict[str, Any]:
    """The objects in the shape of a COCO file, with two keys more: the share seen and the drawing."""
    size = {"width": scenes.SIZE, "height": scenes.SIZE}
    images = [
        {"id": i, "file_name": name, **size, "split": str(split), "theme": str(theme)}
        for i, (name, split, theme) in enumerate(zip(plan.images, plan.split, plan.theme))
    ]
    annotations: list[dict[str, Any]] = []
    for i, objects in enumerate(boxes):
        for o in objects:
            if o.label != scenes.DISTRACTOR:
                thing = {"id": len(annotations), "image_id": i, "category_id": o.label, "bbox": o.box}
                annotations.append(thing | {"visible": o.visible, "drawing": o.drawing})
    categories = [
        {"id": i, "name": name, "supercategory": group} for i, (name, group) in enumerate(zip(NAMES, drawings.groups()))
    ]
    return {"info": ATTRIBUTION, "images": images, "annotations": annotations, "categories": categories}


def statistics(seed: int = 0) -> str:
    """A Markdown table: positives of each class that the file shows, by split, and its frequency group."""
    plan = layout.plan(seed)
    table = plan.labels.present
    counts = {part: table[plan.split == part].sum(axis=0) for part in layout.IMAGES}
    lines = ["| class | train | val | test | group |", "|---|--:|--:|--:|---|"]
    for i, name in enumerate(NAMES):
        train, val, test = (int(counts[part][i]) for part in layout.IMAGES)
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
    chosen = np.random.default_rng(0).choice(layout.IMAGES["train"], columns * rows, replace=False)
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
