"""Heat maps as pictures: laid over the photograph, side by side with titles, and the box of what is hottest."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from manylabel.data.images import upright_rgb

COLD_TO_HOT = ((38, 12, 90), (150, 30, 110), (235, 80, 45), (253, 190, 50), (252, 250, 190))
"""Colours of heat 0, 1/4, 1/2, 3/4, 1: lighter is hotter, so that it reads without colour vision and in grey print."""
OPAQUE = 0.8
"""How much of the photo the hottest place hides."""
TILE, BAND, GAP, COLUMNS = 288, 26, 8, 4
SIZE, MOST = 15, 400
NOWHERE = chr(0x10FFFF)  # no character, and never one: drawn as a font draws what it has not
FONT_FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", "/System/Library/Fonts",
    "/Library/Fonts", "~/Library/Fonts", "C:/Windows/Fonts",
)  # fmt: skip
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def heat_image(heat: NDArray[np.floating], size: tuple[int, int]) -> Image.Image:
    """A map (h, w) in [0, 1] as an RGBA picture of `size` (width, height), clear where it is cold.

    >>> heat_image(np.array([[0.0, 1.0]]), (4, 2)).getpixel((0, 0))[3]
    0
    """
    smooth = Image.fromarray(np.asarray(heat, np.float32)).resize(size, Image.Resampling.BILINEAR)
    values = np.clip(np.asarray(smooth), 0, 1)
    stops = np.linspace(0, 1, len(COLD_TO_HOT))
    channels = [np.interp(values, stops, channel) for channel in zip(*COLD_TO_HOT)]
    return Image.fromarray(np.stack([*channels, 255 * OPAQUE * values], axis=-1).round().astype(np.uint8))


def overlay(photo: Image.Image, heat: NDArray[np.floating]) -> Image.Image:
    """The photograph, upright and RGB, with a map (h, w) in [0, 1] laid over it; a map of zeros leaves it as it is.

    >>> overlay(Image.new("RGB", (6, 4), "blue"), np.zeros((2, 2))).getpixel((0, 0))
    (0, 0, 255)
    """
    below = upright_rgb(photo)
    return Image.alpha_composite(below.convert("RGBA"), heat_image(heat, below.size)).convert("RGB")


def sheet(photo: Image.Image, maps: NDArray[np.floating], titles: Sequence[str], *, about: str = "") -> Image.Image:
    """The photograph below the line `about`, and an overlay of each of maps (K, h, w) below its title; 4 in a row."""
    small = upright_rgb(photo)
    small.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    tiles = [(small, about), *((overlay(small, heat), title) for heat, title in zip(maps, titles))]
    columns = min(COLUMNS, len(tiles))
    width, height = max(small.width, TILE // 2) + GAP, small.height + BAND + GAP
    page = Image.new("RGB", (columns * width + GAP, -(-len(tiles) // columns) * height + GAP), "white")
    for place, (picture, title) in enumerate(tiles):
        x, y = place % columns * width + GAP, place // columns * height + GAP
        write(page, (x, y), title, width - GAP)
        page.paste(picture, (x, y + BAND))
    return page


def titled(photo: Image.Image, heat: NDArray[np.floating], title: str) -> Image.Image:
    """The photograph in full size with one map laid over it, below its title."""
    picture = overlay(photo, heat)
    page = Image.new("RGB", (max(picture.width, TILE // 2), picture.height + BAND), "white")
    write(page, (4, 0), title, page.width - 4)
    page.paste(picture, (0, BAND))
    return page


def write(page: Image.Image, corner: tuple[int, int], text: str, width: int) -> None:
    """One line, cut to `width` pixels, in a font that has its characters; where there is none boxes stand for them."""
    words = one_line(text)
    font, pen = font_for(words) or ImageFont.load_default(SIZE), ImageDraw.Draw(page)
    if isinstance(font, ImageFont.ImageFont):
        words = words.encode("latin-1", "replace").decode("latin-1")
    shown = words
    while shown and font.getlength(shown) > width:
        shown = shown.removesuffix("...")[:-1] + "..." if len(shown) > 3 else ""
    pen.text((corner[0], corner[1] + 4), shown, fill="black", font=font)


def one_line(text: str) -> str:
    return " ".join(text.split())[:200]


@lru_cache(1024)
def font_for(text: str) -> Font | None:
    """A font that has every character of a text: Pillow's own (English letters), or an installed one; None without any.

    >>> font_for("dog 97 %") is not None, font_for(chr(0x10FFFE)) is None
    (True, True)
    """
    own = ImageFont.load_default(SIZE)
    if isinstance(own, ImageFont.ImageFont):  # a Pillow without FreeType: Latin-1 alone, and no other font can be read
        return own if all(ord(c) < 256 for c in text) else None
    return next((font for font in itertools.chain([own], installed()) if has(font, text)), None)


def has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether a font draws every character otherwise than one that no font has."""
    seen = {c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf") and not c.isspace()}  # they are no ink
    if any(unicodedata.category(c) == "Cs" for c in seen):
        return False
    return all(drawn(font, c) != drawn(font, NOWHERE) for c in seen)


def drawn(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    """The size and pixels of one character."""
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def installed() -> Iterator[ImageFont.FreeTypeFont]:
    """Fonts in the usual folders of Linux, macOS and Windows, plain ones without serifs first."""
    for file in font_files():
        try:
            yield ImageFont.truetype(file, SIZE)
        except OSError:  # damaged, or of bitmaps of one size, as coloured emoji are
            continue


@cache
def font_files() -> tuple[str, ...]:
    """At most `MOST` files; opening thousands would take seconds."""
    files = [
        file for folder in FONT_FOLDERS for file in Path(folder).expanduser().rglob("*")
        if file.suffix.lower() in (".ttf", ".otf", ".ttc")
    ]  # fmt: skip
    odd = ("bold", "italic", "oblique", "mono", "serif", "light", "thin", "black", "condensed")
    files.sort(key=lambda file: (sum(word in file.name.lower() for word in odd), "sans" not in file.name.lower(), file))
    return tuple(map(str, files[:MOST]))


def hottest_box(heat: NDArray[np.floating], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The box (x, y, width, height), in pixels of an image of `size`, around the hottest cell and all cells of at least
    half its heat that touch it or each other by a side; None where a map (h, w) is 0 everywhere.

    >>> hottest_box(np.array([[1.0, 0.6, 0.0, 0.9], [0.0, 0.0, 0.0, 0.0]]), (400, 200))
    (0, 0, 200, 100)
    """
    heat = np.asarray(heat)
    first = np.unravel_index(int(heat.argmax()), heat.shape)
    if heat[first] <= 0:
        return None
    hot, region = heat >= heat[first] / 2, np.zeros(heat.shape, bool)
    region[first] = True
    while True:
        wide = np.pad(region, 1)
        grown = hot & (wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:])
        if (grown == region).all():
            break
        region = grown
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    ends = [(c[0] * n / s, (c[-1] + 1) * n / s) for c, n, s in zip((columns, rows), size, heat.shape[::-1])]
    (left, right), (top, bottom) = ((round(a), round(b)) for a, b in ends)
    return left, top, right - left, bottom - top
