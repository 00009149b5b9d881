"""Drawing the demo scenes: procedural backgrounds, objects placed so that each stays visible.

Every function takes the `numpy.random.Generator` it draws from, and a scene depends on its own generator
alone: the pictures are the same to the byte whatever the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from manylabel.data.drawings import Glyph

SIZE = 224
"""Side of a scene in pixels."""
OBJECT_SCALE = (0.18, 0.55)
"""Longest side of an object as a share of the picture, log-uniform."""
MIN_VISIBLE = 0.40
"""No object is covered, or pushed out of the frame, so far that less than this share of it is seen."""
MAX_TILT = 40.0
"""Degrees of rotation either way; one object in eight is turned by any angle."""
HUE_SPREAD = 18.0
"""Standard deviation in degrees of the hue rotation of an object."""
FLAT_SHARE = 0.25
"""Share of objects drawn without their outlines, where enough of the drawing is left."""
NOISE = (0.0, 12.0)
"""Range of the standard deviation of the pixel noise of a scene, in grey levels of 255."""

DISTRACTOR = -1
"""The class index of an object of no class."""

Pixels = NDArray[np.float32]  # (SIZE, SIZE, 3) in [0, 255]
Backdrop = Callable[[np.random.Generator], Pixels]


@dataclass(frozen=True)
class Placed:
    """An object of a scene: class index or `DISTRACTOR`, the code points of the drawing, the box
    (x, y, width, height) clipped to the frame, and the share in [0, 1] of its pixels that is seen."""

    label: int
    drawing: str
    box: tuple[int, int, int, int]
    visible: float


# Backgrounds


def _colour(
    rng: np.random.Generator, low: Sequence[float], high: Sequence[float], freedom: float = 0.3
) -> NDArray[np.float32]:
    """A colour (3,) near the line from `low` to `high`; with `freedom` 1 anywhere in the box they span."""
    share = (1 - freedom) * rng.random() + freedom * rng.random(3)
    return (np.array(low) + (np.array(high) - low) * share).astype(np.float32)


def _noise(rng: np.random.Generator, cells: Sequence[int] = (4, 9, 23), wide: int = 1) -> NDArray[np.float32]:
    """Smooth noise (SIZE, SIZE) in [0, 1]: random grids enlarged and added, coarse ones weighing most."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for weight, n in enumerate(reversed(cells), start=1):
        grid = Image.fromarray(rng.random((n, max(2, n // wide)), dtype=np.float32))
        total += weight * np.asarray(grid.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    low, high = total.min(), total.max()
    return (total - low) / max(float(high - low), 1e-6)


def _mix(a: NDArray, b: NDArray, share: NDArray) -> Pixels:
    """Per pixel (1 - share) a + share b; a and b are colours (3,) or pictures."""
    a, b, share = (np.asarray(part, np.float32) for part in (a, b, share))
    return a + (b - a) * share[..., None]


def _ramp(angle: float) -> NDArray[np.float32]:
    """(SIZE, SIZE) rising from 0 to 1 along `angle`, in radians; pi / 2 is downwards."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / (SIZE - 1) - 0.5
    along = np.float32(math.cos(angle)) * x + np.float32(math.sin(angle)) * y
    return (along - along.min()) / (along.max() - along.min())


def _ridge(rng: np.random.Generator, level: float, height: float) -> NDArray[np.bool_]:
    """(SIZE, SIZE) mask of what lies below a rolling line about `level` (share of the height)."""
    line = np.interp(np.linspace(0, 1, SIZE), np.linspace(0, 1, 7), rng.uniform(-height, height, 7))
    smooth = np.convolve(np.pad(line, 20, mode="edge"), np.ones(41) / 41, mode="valid")
    return np.arange(SIZE)[:, None] / SIZE > level + smooth[None, :]


SKIES = (
    ([90, 140, 200], [150, 195, 250]),
    ([200, 140, 110], [250, 190, 160]),
    ([60, 70, 110], [110, 120, 160]),
)
"""Day, dusk and dull: the ranges of the colour overhead."""


def _sky(rng: np.random.Generator) -> Pixels:
    top, low = _colour(rng, *SKIES[rng.choice(3, p=[0.6, 0.25, 0.15])]), _colour(rng, [200] * 3, [250] * 3)
    sky = _mix(top, low, _ramp(math.pi / 2) * rng.uniform(0.6, 1.3))
    clouds = np.clip((_noise(rng, wide=2) - rng.uniform(0.5, 0.9)) * 4, 0, 0.8)
    return _mix(sky, np.array([245, 245, 250]), clouds)


def meadow(rng: np.random.Generator) -> Pixels:
    """Sky over one to three rolling hills, green to dry."""
    picture, level = _sky(rng), rng.uniform(0.25, 0.5)
    for step in range(rng.integers(1, 4)):
        ground = _colour(rng, [70, 110, 40], [190, 190, 110])
        texture = _mix(ground * 0.75, ground * 1.1, _noise(rng, (9, 30, 70)))
        picture = np.where(_ridge(rng, level + 0.15 * step, 0.08)[..., None], texture, picture)
    return picture


def shore(rng: np.random.Generator) -> Pixels:
    """Sky, water with ripples, and often sand."""
    picture, level = _sky(rng), rng.uniform(0.25, 0.55)
    water = _colour(rng, [30, 90, 120], [110, 180, 210])
    ripples = _mix(water * 0.8, water * 1.2, _noise(rng, (20, 60), wide=6))
    picture = np.where(_ridge(rng, level, 0.005)[..., None], ripples, picture)
    if rng.random() < 0.7:
        sand = _colour(rng, [190, 160, 110], [240, 215, 170])
        sandy = _mix(sand * 0.85, sand, _noise(rng, (12, 50, 110)))
        picture = np.where(_ridge(rng, level + rng.uniform(0.15, 0.35), 0.06)[..., None], sandy, picture)
    return picture


def town(rng: np.random.Generator) -> Pixels:
    """Sky, a row of blocks with windows, and a paved ground."""
    picture, ground = _sky(rng), int(SIZE * rng.uniform(0.5, 0.75))
    left = 0
    while left < SIZE:
        right, top = left + int(rng.integers(24, 70)), int(ground * rng.uniform(0.1, 0.7))
        wall = _colour(rng, [90, 80, 80], [215, 200, 190])
        picture[top:ground, left:right] = wall
        step = int(rng.integers(9, 16))
        for y in range(top + 5, ground - step, step):
            for x in range(left + 4, min(right, SIZE) - 5, step):
                picture[y : y + step // 2, x : x + step // 2] = wall * rng.choice([0.6, 0.7, 1.25])
        left = right
    grey = _colour(rng, [95, 95, 95], [175, 170, 165])
    picture[ground:] = _mix(grey * 0.9, grey * 1.1, _noise(rng, (12, 50, 110)))[ground:]
    return picture


def _tiling(rng: np.random.Generator) -> NDArray[np.float32]:
    """(SIZE, SIZE) in {0, 1}: stripes, checks or dots, turned by any angle."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    angle, period = rng.uniform(0, math.pi), rng.uniform(10, 48)
    u = (math.cos(angle) * x + math.sin(angle) * y) / period
    v = (math.cos(angle) * y - math.sin(angle) * x) / period
    kinds = u % 1 < 0.5, (u % 1 < 0.5) ^ (v % 1 < 0.5), (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.07
    return kinds[rng.integers(3)].astype(np.float32)


def room(rng: np.random.Generator) -> Pixels:
    """A wall, plain or papered, over a floor of boards seen in perspective."""
    wall, floor = _colour(rng, [120] * 3, [245] * 3, freedom=0.5), _colour(rng, [90, 65, 50], [205, 175, 145])
    picture = _mix(wall, wall * 0.85, _ramp(rng.uniform(0, math.pi)))
    if rng.random() < 0.6:
        picture = _mix(picture, wall * rng.uniform(0.75, 1.2, 3), _tiling(rng) * rng.uniform(0.2, 0.8))
    horizon = int(SIZE * rng.uniform(0.45, 0.75))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    depth = np.maximum(y - horizon, 0) + SIZE / 6
    boards = np.floor((x - SIZE / 2) / depth * np.float32(rng.uniform(3, 9))) % 2
    grain = boards * 0.25 + _noise(rng, (10, 40), wide=3) * 0.3
    picture[horizon:] = _mix(floor, floor * 0.7, grain)[horizon:]
    picture[horizon - 4 : horizon] = wall * 0.6
    return picture


def table(rng: np.random.Generator) -> Pixels:
    """A wooden or stone top seen from above, sometimes with a cloth."""
    base = _colour(rng, [100, 80, 60], [230, 215, 200])
    grain = _noise(rng, (6, 24, 90), wide=int(rng.choice([1, 8])))
    picture = _mix(base * 0.75, base * 1.05, grain)
    if rng.random() < 0.4:
        cloth = _colour(rng, [60] * 3, [250] * 3, freedom=1)
        woven = _mix(cloth, cloth * 0.5 + 120, _tiling(rng))
        covered = _ramp(rng.uniform(0, 2 * math.pi)) > rng.uniform(0.2, 0.6)
        picture = np.where(covered[..., None], woven, picture)
    return picture


def pattern(rng: np.random.Generator) -> Pixels:
    """Any two colours: a gradient, blots or a tiling."""
    a, b = (_colour(rng, [40] * 3, [255] * 3, freedom=1) for _ in range(2))
    kinds = _ramp(rng.uniform(0, 2 * math.pi)), _noise(rng), np.round(_noise(rng)), _tiling(rng) * 0.5
    return _mix(a, b, kinds[rng.integers(4)])


BACKDROPS: Mapping[str, Backdrop] = {f.__name__: f for f in (meadow, shore, town, room, table, pattern)}


# Objects


def _hue_matrix(rng: np.random.Generator) -> list[float]:
    """A 3x4 colour matrix: hue rotation (W3C Filter Effects, `hueRotate`), then brightness per object."""
    turn, gain = math.radians(rng.normal(0, HUE_SPREAD)), rng.uniform(0.75, 1.1)
    cos, sin = math.cos(turn), math.sin(turn)
    grey = np.array([0.213, 0.715, 0.072])
    swing = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
    matrix = gain * (grey + cos * (np.eye(3) - grey) + sin * swing)
    return np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist()


def pose(source: Glyph, rng: np.random.Generator) -> Image.Image:
    """The drawing as one object: style, hue, mirror, proportions and rotation drawn anew; not yet scaled."""
    image = source.flat if rng.random() < FLAT_SHARE else source.full
    alpha = image.getchannel("A")
    image = image.convert("RGB").convert("RGB", _hue_matrix(rng))
    image.putalpha(alpha)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    stretch = rng.uniform(0.85, 1.18)
    image = image.resize((max(1, round(image.width * stretch)), image.height))
    angle = rng.uniform(-180, 180) if rng.random() < 0.125 else rng.uniform(-MAX_TILT, MAX_TILT)
    image = image.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    return image.crop(image.getchannel("A").getbbox())


@dataclass
class Canvas:
    """A scene in the making: the picture, and which object owns each pixel."""

    picture: Image.Image
    owner: NDArray[np.int16] = field(default_factory=lambda: np.full((SIZE, SIZE), -1, np.int16))
    area: list[int] = field(default_factory=list)  # pixels of each object, those outside the frame too
    label: list[int] = field(default_factory=list)

    def fits(self, ink: NDArray[np.bool_], x: int, y: int) -> bool:
        """Whether an object of this ink at (x, y) leaves itself and all others visible enough."""
        here, part = self._clip(ink, x, y)
        if part.sum() < MIN_VISIBLE * ink.sum():
            return False
        seen = np.bincount(self.owner[self.owner >= 0], minlength=len(self.area))
        covered = self.owner[here][part]
        seen = seen - np.bincount(covered[covered >= 0], minlength=len(self.area))
        bound = np.where(np.array(self.label) != DISTRACTOR, MIN_VISIBLE * np.array(self.area), 0)
        return bool((seen >= bound).all())

    def put(self, image: Image.Image, label: int, x: int, y: int) -> None:
        """Draw the object with a soft shadow, and take its pixels."""
        alpha = image.getchannel("A")
        shadow = alpha.filter(ImageFilter.BoxBlur(3)).point(lambda v: v * 0.35)
        self.picture.paste((20, 20, 30), (x + 2, y + 4), shadow)
        self.picture.paste(image, (x, y), image)
        ink = np.asarray(alpha) > 127
        here, part = self._clip(ink, x, y)
        self.owner[here][part] = len(self.area)
        self.area.append(int(ink.sum()))
        self.label.append(label)

    @staticmethod
    def _clip(ink: NDArray[np.bool_], x: int, y: int) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        height, width = ink.shape
        top, left, bottom, right = max(y, 0), max(x, 0), min(y + height, SIZE), min(x + width, SIZE)
        return (slice(top, bottom), slice(left, right)), ink[top - y : bottom - y, left - x : right - x]


def _place(
    canvas: Canvas, source: Image.Image, label: int, rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """Put an object where it fits, smaller and smaller if need be; its box, or None when it fits nowhere."""
    scale = math.exp(rng.uniform(*np.log(OBJECT_SCALE)))
    for shrink in (1.0, 0.85, 0.7, 0.6):
        ratio = shrink * scale * SIZE / max(source.size)
        width, height = (max(4, round(side * ratio)) for side in source.size)
        image = source.resize((width, height), Image.Resampling.BILINEAR)
        ink = np.asarray(image.getchannel("A")) > 127
        for _ in range(10):
            x, y = (int(rng.integers(-side // 4, SIZE - side + side // 4 + 1)) for side in (width, height))
            if canvas.fits(ink, x, y):
                canvas.put(image, label, x, y)
                left, top = max(x, 0), max(y, 0)
                return left, top, min(x + width, SIZE) - left, min(y + height, SIZE) - top
    return None


def _develop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """What a camera adds: uneven light, contrast, noise, and now and then a soft focus."""
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.2)))
    light = rng.uniform(0.75, 1.15) + rng.uniform(-0.25, 0.25) * (_ramp(rng.uniform(0, 2 * math.pi)) - 0.5)
    pixels = (np.asarray(picture, np.float32) - 128) * rng.uniform(0.75, 1.1) + 128
    pixels = pixels * light[..., None].astype(np.float32)
    pixels += rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(*NOISE))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def compose(
    backdrop: str, objects: Sequence[tuple[int, Glyph]], rng: np.random.Generator
) -> tuple[Image.Image, list[Placed]]:
    """A scene of all the given objects: (class index or `DISTRACTOR`, drawing) pairs, drawn in that order.

    Each object of a class ends with at least `MIN_VISIBLE` of its pixels seen; a scene in which one finds no
    place is begun anew from the same generator.
    """
    while True:
        ground = np.clip(BACKDROPS[backdrop](rng), 0, 255).astype(np.uint8)
        canvas = Canvas(Image.fromarray(ground))
        boxes = [_place(canvas, pose(drawing, rng), label, rng) for label, drawing in objects]
        if None not in boxes:
            break
    seen = np.bincount(canvas.owner[canvas.owner >= 0], minlength=len(boxes)) / np.array(canvas.area)
    placed = [
        Placed(label, drawing.drawing, box, round(float(share), 4))
        for (label, drawing), box, share in zip(objects, boxes, seen)
        if box is not None
    ]
    return _develop(canvas.picture, rng), placed
