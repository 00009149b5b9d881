"""All image files read once: what cannot be read, copies, odd sizes and colours, names on disk."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from manylabel.audits.pictures import Header, Looked, look
from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.copies import Repeat, equal_files, near_copies
from manylabel.data.doctoring.on_disk import Listings, unnamed
from manylabel.data.locate import find_root

SMALL_SIDE, LONG_RATIO, MANY_PIXELS = 32, 10.0, 50_000_000
FLAT = 3.0  # standard deviation of 0 ... 255 up to which a photograph shows nothing
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe"), "MPO": (".jpg", ".jpeg", ".jpe"), "PNG": (".png",), "WEBP": (".webp",),
    "BMP": (".bmp",), "GIF": (".gif",), "TIFF": (".tif", ".tiff"), "AVIF": (".avif",), "PPM": (".ppm", ".pgm"),
}  # fmt: skip
MODES = {
    "CMYK": "four inks (CMYK): converted without a colour profile, so colours shift",
    "YCCK": "four inks (CMYK): converted without a colour profile, so colours shift",
    "LAB": "Lab colours: converted to RGB",
    "F": "grey of floating-point numbers: scaled to 8 bits by its range",
    "1": "black and white only",
}
MISSING = "there is no such file"  # as `audits.pictures.look` says it
DEEP = "grey of 16 bits: scaled to 8 bits by its range"
CLEAR = "transparent: laid over white"


@dataclass(frozen=True)
class Fault:
    """An image with something wrong or odd about its file."""

    line: int
    image: str
    reason: str


@dataclass(frozen=True)
class ImageFindings:
    """What reading every image file showed.

    Arguments:
        read: images that can be read whole.
        damaged: those that cannot, missing ones included.
        odd: of extreme size or proportions.
        repeats: files equal byte for byte; near: images that look the same though their files differ.
        pixels: (width, height) of the smallest, the median and the largest image, by their pixels.
        root_hint: the folder near by that holds the images, where none is at its place; else "".
        wrong_type: another format than the name's ending says; blank: of one colour; modes: other than 8-bit RGB or
            grey; moving: of several frames or pages.
        resized: of another size than the label file says.
        misnamed: of the damaged ones those whose file lies there under another name (capitals, accents, ending), which
            is the reason.
        unnamed: image files in their folders that no row names.
        formats: how many images of each format.
    """

    read: int = 0
    damaged: list[Fault] = field(default_factory=list)
    odd: list[Fault] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    pixels: list[tuple[int, int]] = field(default_factory=list)
    root_hint: str = ""
    near: list[Repeat] = field(default_factory=list)
    wrong_type: list[Fault] = field(default_factory=list)
    blank: list[Fault] = field(default_factory=list)
    modes: list[Fault] = field(default_factory=list)
    moving: list[Fault] = field(default_factory=list)
    resized: list[Fault] = field(default_factory=list)
    misnamed: list[Fault] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)

    @property
    def leaks(self) -> list[Repeat]:
        """Equal images in more than one part."""
        return [repeat for repeat in self.repeats if len(repeat.parts) > 1]

    @property
    def disagreeing(self) -> list[Repeat]:
        """Equal images with labels that contradict each other."""
        return [repeat for repeat in self.repeats if repeat.disagree]


def examine_files(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> ImageFindings:
    """Read every image once, in a pool of threads.

    Arguments:
        progress: called with (files done, files in all).
    """
    looked = look(dataset.paths, progress=progress)
    good = [row for row in range(len(dataset)) if row not in looked.problems]
    heads = looked.headers
    by_size = sorted((heads[row].size for row in good), key=lambda size: size[0] * size[1])

    def faults(reason: Callable[[int], str]) -> list[Fault]:
        told = ((row, reason(row)) for row in good)
        return [_fault(dataset, row, why) for row, why in told if why]

    spelt = _spelt(dataset, looked)
    return ImageFindings(
        read=len(good),
        damaged=[_fault(dataset, row, why) for row, why in sorted(looked.problems.items())],
        odd=faults(lambda row: odd_size(*heads[row].size)),
        repeats=equal_files(dataset, looked),
        pixels=[by_size[0], by_size[len(good) // 2], by_size[-1]] if good else [],
        root_hint=find_root(dataset.labels.ids, dataset.paths, dataset.source),
        near=near_copies(dataset, looked),
        wrong_type=faults(lambda row: _other_type(dataset.labels.ids[row], heads[row])),
        blank=faults(lambda row: _blank(looked, row)),
        modes=faults(lambda row: _mode(heads[row].mode)),
        moving=faults(lambda row: f"{heads[row].format} of several frames" if heads[row].moves else ""),
        resized=faults(lambda row: _resized(dataset, row, heads[row].size)),
        misnamed=[_fault(dataset, row, os.path.basename(there)) for row, there in spelt.items()],
        unnamed=[] if dataset.kind == "folder" else unnamed(dataset, set(spelt.values())),
        formats=dict(Counter(heads[row].format for row in good).most_common()),
    )


def _fault(dataset: Dataset, row: int, reason: str) -> Fault:
    return Fault(dataset.lines[row], dataset.labels.ids[row], reason)


def odd_size(width: int, height: int) -> str:
    """What is extreme about a size, or "".

    >>> odd_size(640, 480), odd_size(20, 30), odd_size(4000, 100)
    ('', 'only 20 x 30 pixels', 'very long: 4000 x 100 pixels')
    """
    if min(width, height) < SMALL_SIDE:
        return f"only {width} x {height} pixels"
    if max(width, height) > LONG_RATIO * min(width, height):
        return f"very long: {width} x {height} pixels"
    return f"very large: {width} x {height} pixels" if width * height > MANY_PIXELS else ""


def _other_type(name: str, header: Header) -> str:
    ending, right = os.path.splitext(name)[1].lower(), FORMATS.get(header.format, ())
    known = any(ending in endings for endings in FORMATS.values())
    return f"a {header.format} file" if known and right and ending not in right else ""


def _blank(looked: Looked, row: int) -> str:
    return f"pixels lie {looked.spread[row]:.1f} of 255 from one colour" if looked.spread[row] < FLAT else ""


def _mode(mode: str) -> str:
    if mode.startswith("I"):
        return DEEP
    return CLEAR if mode in ("RGBA", "LA", "PA", "RGBa", "La") else MODES.get(mode, "")


def _resized(dataset: Dataset, row: int, size: tuple[int, int]) -> str:
    """Another size than the labels were made on; a file stored sideways counts as either way up."""
    said = dataset.beside.sizes
    if said is None or (said[row] <= 0).any() or tuple(said[row]) in (size, size[::-1]):
        return ""
    return f"{said[row][0]} x {said[row][1]} in the label file, {size[0]} x {size[1]} on disk"


def _spelt(dataset: Dataset, looked: Looked) -> dict[int, str]:
    """Rows without a file -> the file that is meant."""
    listings = Listings()
    lost = [row for row in sorted(looked.problems) if looked.problems[row] == MISSING]
    found = ((row, listings.spelt(dataset.paths[row])) for row in lost)
    return {row: there for row, there in found if there}
