"""Image files to RGB pixels: every mode and rotation handled, and a damaged file is an error, never grey pixels."""

from __future__ import annotations

import io
from errno import ENOENT
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from manylabel.data.tarred import member_bytes
from manylabel.labels import ManylabelError, did_you_mean

Transpose = Image.Transpose
UPRIGHT = {  # EXIF orientation tag: what turns the stored pixels upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
ORIENTATION = 0x0112
GREY = (128, 128, 128)
RESIZES = ("squash", "crop", "pad")


class DamagedImage(ManylabelError):
    """An image that cannot be read whole; the message gives the path and the reason."""


def read_image(path: str | Path, *, at_least: int | None = None) -> Image.Image:
    """Read an image file as upright RGB.

    EXIF rotation is applied, transparency is laid over white, grey and palette become RGB, 16-bit grey is scaled by
    its range (the smallest of 8, 10, 12, 14, 16 bits that holds the brightest pixel), CMYK is converted; of an
    animation the first frame is taken.

    Arguments:
        path: the file.
        at_least: with a size, a JPEG much larger is decoded at a half, a quarter or an eighth, its shorter side
            never below twice that size: much faster, and hardly different once resized. None decodes in full.

    Raises DamagedImage where the file is missing, empty, truncated, no image, or has more pixels than
    `PIL.Image.MAX_IMAGE_PIXELS` (89 million unless set).
    """
    try:
        data = image_bytes(path)
    except OSError as problem:
        raise DamagedImage(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    return decode(data, path, at_least=at_least)


def image_bytes(path: str | Path) -> bytes:
    """The bytes of an image file, or of `ARCHIVE.tar/MEMBER`, as label files of tar shards name them.

    Raises OSError where there is no such file, or no such member.
    """
    try:
        data = member_bytes(path) if ".tar" in str(path) else None
    except ManylabelError as problem:
        raise OSError(ENOENT, str(problem)) from problem
    return Path(path).read_bytes() if data is None else data


def decode(
    data: bytes, name: str | Path, *, at_least: int | None = None, formats: tuple[str, ...] | None = None
) -> Image.Image:
    """`read_image` of bytes already read; `name` is for the message, `formats` what Pillow may take them for."""
    if not data:
        raise DamagedImage(f"{name}: the file is empty (0 bytes)")
    # Other code of the process may have told Pillow to fill truncated images with grey, which is for all threads.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            _check_pixels(image)
            if at_least is not None:
                image.draft(None, (2 * at_least, 2 * at_least))
            image.load()
            return _upright(_to_rgb(image), _orientation(image))
    except DamagedImage as problem:
        raise DamagedImage(f"{name}: {problem}") from None
    except Exception as problem:  # decoders raise whatever damaged bytes lead them to
        raise DamagedImage(f"{name}: {_reason(problem, data, name)}") from problem


def to_array(image: Image.Image, size: int, *, resize: str = "squash") -> NDArray[np.uint8]:
    """(size, size, 3) uint8 by antialiased bilinear resampling.

    Arguments:
        resize: "squash" takes the whole image and changes its proportions; "crop" the central square, which loses
            what lies at the edges; "pad" the whole image in its proportions on grey.

    >>> to_array(Image.new("RGB", (30, 10), "red"), 4).shape
    (4, 4, 3)
    """
    bilinear = Image.Resampling.BILINEAR
    width, height = image.size
    if resize == "squash":
        return np.asarray(image.resize((size, size), bilinear))
    if resize == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return np.asarray(image.resize((size, size), bilinear, box=(left, top, left + side, top + side)))
    if resize == "pad":
        scale = size / max(width, height)
        small = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), bilinear)
        square = Image.new("RGB", (size, size), GREY)
        square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
        return np.asarray(square)
    raise ManylabelError(f"there is no resize {resize!r}.{did_you_mean(resize, RESIZES)}")


def thumbnail_jpeg(path: str | Path, size: int) -> bytes:
    """A JPEG of the image at most `size` pixels wide and high, for a page."""
    image = read_image(path, at_least=size)
    image.thumbnail((size, size), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80, optimize=True)
    return buffer.getvalue()


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened image as `read_image` would give it from a file: RGB over white, turned as its EXIF tag says."""
    return _upright(_to_rgb(image), _orientation(image))


def _check_pixels(image: Image.Image) -> None:
    limit, (width, height) = Image.MAX_IMAGE_PIXELS, image.size
    if limit is not None and width * height > limit:
        raise DamagedImage(
            f"{width} x {height} pixels are more than the limit of {limit:,} that guards against decompression bombs;"
            " shrink the image, or raise PIL.Image.MAX_IMAGE_PIXELS"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _to_grey(image)
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _to_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits to 8, by range: black stays black, and no bright pixel is clipped."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise DamagedImage("pixels are not finite numbers")
    low, high = min(0.0, float(values.min())), float(values.max())
    if image.mode.startswith("I"):
        high = next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16) if high < 2**bits), high)
    else:
        high = max(high, 1.0)
    return Image.fromarray(np.rint((values - low) * (255 / (high - low))).astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where the EXIF block itself is broken: the pixels are whole."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    if orientation not in UPRIGHT:
        return image
    turned = image.transpose(UPRIGHT[orientation])
    turned.info = {}  # whoever read the tag there would turn it again
    return turned


def _reason(problem: Exception, data: bytes, name: str | Path) -> str:
    if isinstance(problem, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"{problem}; shrink the image, or raise PIL.Image.MAX_IMAGE_PIXELS"
    if isinstance(problem, Image.UnidentifiedImageError):
        if str(name).lower().endswith((".heic", ".heif")):
            return "HEIC is not read; convert the image to JPEG or PNG"
        return f"not an image that Pillow can read (it begins with {data[:8]!r})"
    return str(problem) or type(problem).__name__
