"""Composing the demo scenes: objects posed and placed so that each stays visible, then developed like a photo.

Every function takes the `numpy.random.Generator` it draws from, and a scene depends on its own generator
alone: the pictures are the same to the byte whatever the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from manylabel.data.demo.backdrops import paint, ramp
from manylabel.data.demo.drawings import Glyph

SIZE = 224
"""Side of a scene in pixels."""
OBJECT_SCALE = (0.35, 0.70)
"""Longest side of an object as a share of the picture, log-uniform."""
MIN_VISIBLE = 0.55
"""No object is covered, or pushed out of the frame, so far that less than this share of it is seen."""
MAX_TILT = 20.0
"""Degrees of rotation either way; one object in sixteen is turned by any angle."""
HUE_SPREAD = 10.0
"""Standard deviation in degrees of the hue rotation of an object."""
FLAT_SHARE = 0.2
"""Share of objects drawn without their outlines, where enough of the drawing is left."""
NOISE = (0.0, 6.0)
"""Range of the standard deviation of the pixel noise of a scene, in grey levels of 255."""

DISTRACTOR = -1
"""The class index of an object of no class."""


@dataclass(frozen=True)
class Placed:
    """An object of a scene: class index or `DISTRACTOR`, the code points of the drawing, the box
    (x, y, width, height) clipped to the frame, and the share in [0, 1] of its pixels that is seen."""

    label: int
    drawing: str
    box: tuple[int, int, int, int]
    visible: float


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
    angle = rng.uniform(-180, 180) if rng.random() < 0.0625 else rng.uniform(-MAX_TILT, MAX_TILT)
    image = image.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    return image.crop(image.getchannel("A").getbbox())


@dataclass
class Canvas:
    """A scene in the making: the picture, and which object owns each pixel."""

    picture: Image.Image
    owner: NDArray[np.int16] = field(default_factory=lambda: np.full((SIZE, SIZE), -1, np.int16))
    area: list[int] = field(default_factory=list)  # pixels of each object, those outside the frame too
    label: list[int] = field(default_factory=list)

    def visible(self) -> NDArray[np.float64]:
        """The share of each object that is seen, in [0, 1]."""
        return self._seen() / np.maximum(self.area, 1)

    def _seen(self) -> NDArray[np.int64]:
        return np.bincount(self.owner[self.owner >= 0], minlength=len(self.area))

    def fits(self, ink: NDArray[np.bool_], x: int, y: int) -> bool:
        """Whether an object of this ink at (x, y) leaves itself and all others visible enough."""
        here, part = self._clip(ink, x, y)
        if part.sum() < MIN_VISIBLE * ink.sum():
            return False
        covered = self.owner[here][part]
        left = self._seen() - np.bincount(covered[covered >= 0], minlength=len(self.area))
        bound = np.where(np.array(self.label) != DISTRACTOR, MIN_VISIBLE * np.array(self.area), 0)
        return bool((left >= bound).all())

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
    light = rng.uniform(0.75, 1.15) + rng.uniform(-0.25, 0.25) * (ramp(rng.uniform(0, 2 * math.pi), SIZE) - 0.5)
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
        canvas = Canvas(paint(backdrop, SIZE, rng))
        boxes = [_place(canvas, pose(drawing, rng), label, rng) for label, drawing in objects]
        if None not in boxes:
            break
    placed = [
        Placed(label, drawing.drawing, box, round(float(share), 4))
        for (label, drawing), box, share in zip(objects, boxes, canvas.visible())
        if box is not None
    ]
    return _develop(canvas.picture, rng), placed
