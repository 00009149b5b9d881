"""Training-time changes of an image, each drawn from a `numpy.random.Generator`.

A crop can remove the object that a label names while the label stays. The smallest crop is therefore half the area
here, not the 8 % usual in single-label training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from manylabel.data.images import GREY

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
BILINEAR = Image.Resampling.BILINEAR
RATIOS = (3 / 4, 4 / 3)
FLIP = Image.Transpose.FLIP_LEFT_RIGHT


@dataclass(frozen=True)
class Augment:
    """What to do to a training image, in the order crop, flip, cutout, RandAugment.

    Arguments:
        crop: random crop of at least half the area; otherwise the whole image is resized.
        flip: mirror half of the images.
        rand_augment: two random operations at magnitude 9.
        cutout: side of the covered rectangle as a share of the image's; 0 covers nothing. Published CPRFL uses 0.5.

    >>> Augment()(Image.new("RGB", (40, 30)), 16, np.random.default_rng(0)).shape
    (16, 16, 3)
    """

    crop: bool = True
    flip: bool = True
    rand_augment: bool = False
    cutout: float = 0.0

    def __call__(self, image: Image.Image, size: int, rng: np.random.Generator) -> Pixels:
        """(size, size, 3) uint8."""
        box = random_box(image.width, image.height, rng) if self.crop else None
        pixels = _resized(image, size, box, self.flip and rng.random() < 0.5)
        if self.cutout > 0:
            pixels = cutout(pixels, rng, side=self.cutout)
        return rand_augment(pixels, rng) if self.rand_augment else pixels


def random_crop_flip(
    image: Image.Image | Pixels,
    size: int,
    rng: np.random.Generator,
    *,
    scale: tuple[float, float] = (0.5, 1.0),
    flip: float = 0.5,
) -> Pixels:
    """(size, size, 3) uint8: a random crop resized, mirrored with probability `flip` (Szegedy et al., CVPR 2015).

    `scale` bounds the crop's share of the area. Below about a half it often cuts labelled objects away.
    """
    picture = _picture(image)
    box = random_box(picture.width, picture.height, rng, scale=scale)
    return _resized(picture, size, box, rng.random() < flip)


def random_box(width: int, height: int, rng: np.random.Generator, *, scale: tuple[float, float] = (0.5, 1.0)) -> Box:
    """(left, top, right, bottom) of a random area and proportion 3:4 to 4:3; after ten misses the whole image."""
    for _ in range(10):
        area = rng.uniform(*scale) * width * height
        ratio = np.exp(rng.uniform(np.log(RATIOS[0]), np.log(RATIOS[1])))
        w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            return float(left), float(top), float(min(left + w, width)), float(min(top + h, height))
    return 0.0, 0.0, float(width), float(height)


def cutout(image: Image.Image | Pixels, rng: np.random.Generator, *, side: float = 0.5) -> Pixels:
    """One rectangle of random colour and place (DeVries and Taylor 2017; random colour as in published CPRFL).

    Its sides are `side` of the image's; its centre is anywhere, so that it may reach over the edge.
    """
    pixels = np.array(_picture(image))
    height, width = pixels.shape[:2]
    top, bottom = _stretch(rng, height, side)
    left, right = _stretch(rng, width, side)
    pixels[top:bottom, left:right] = rng.integers(0, 256, 3)
    return pixels


def _stretch(rng: np.random.Generator, length: int, share: float) -> tuple[int, int]:
    covered = int(share * length + 0.5)
    start = int(rng.integers(length)) - covered // 2
    return max(start, 0), min(start + covered, length)


def rand_augment(
    image: Image.Image | Pixels, rng: np.random.Generator, *, n: int = 2, magnitude: float = 9.0
) -> Pixels:
    """`n` of 14 operations drawn with equal chance, all at one `magnitude` in 0..10 (Cubuk et al., NeurIPS 2020).

    Ranges are AutoAugment's; bare corners are filled with grey.
    """
    picture = _picture(image)
    for k in rng.integers(len(OPERATIONS), size=n):
        sign = 1 if rng.random() < 0.5 else -1
        picture = OPERATIONS[k](picture, magnitude / 10, sign)
    return np.array(picture)


def _affine(image: Image.Image, *coefficients: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, coefficients, BILINEAR, fillcolor=GREY)


def _rotate(image: Image.Image, m: float, sign: int) -> Image.Image:
    return image.rotate(30 * m * sign, BILINEAR, fillcolor=GREY)


def _shear_x(image: Image.Image, m: float, sign: int) -> Image.Image:
    return _affine(image, 1, 0.3 * m * sign, 0, 0, 1, 0)


def _shear_y(image: Image.Image, m: float, sign: int) -> Image.Image:
    return _affine(image, 1, 0, 0, 0.3 * m * sign, 1, 0)


def _translate_x(image: Image.Image, m: float, sign: int) -> Image.Image:
    return _affine(image, 1, 0, 150 / 331 * m * sign * image.width, 0, 1, 0)


def _translate_y(image: Image.Image, m: float, sign: int) -> Image.Image:
    return _affine(image, 1, 0, 0, 0, 1, 150 / 331 * m * sign * image.height)


def _enhance(
    kind: Callable[[Image.Image], ImageEnhance._Enhance],
) -> Callable[[Image.Image, float, int], Image.Image]:
    return lambda image, m, sign: kind(image).enhance(1 + 0.9 * m * sign)


OPERATIONS: tuple[Callable[[Image.Image, float, int], Image.Image], ...] = (
    lambda image, m, sign: image,
    lambda image, m, sign: ImageOps.autocontrast(image),
    lambda image, m, sign: ImageOps.equalize(image),
    lambda image, m, sign: ImageOps.posterize(image, 8 - round(4 * m)),
    lambda image, m, sign: ImageOps.solarize(image, 256 - round(256 * m)),
    _enhance(ImageEnhance.Color),
    _enhance(ImageEnhance.Contrast),
    _enhance(ImageEnhance.Brightness),
    _enhance(ImageEnhance.Sharpness),
    _rotate,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
)


def _picture(image: Image.Image | Pixels) -> Image.Image:
    return image if isinstance(image, Image.Image) else Image.fromarray(image)


def _resized(image: Image.Image, size: int, box: Box | None, mirrored: bool) -> Pixels:
    small = image.resize((size, size), BILINEAR, box=box)
    return np.array(small.transpose(FLIP) if mirrored else small)
